// OffsetFetch, key 9, v1-10.  v2: all topics, a code for the whole.  v5: leader epoch (KIP-320).  v6: flexible.  v7: stable offsets alone
// (KIP-447).  v8: several groups (KIP-709).  v9: member epochs (KIP-848).  v10: topic ids.
#include "broker/handlers/group_request.hpp"

namespace kq::broker {
namespace {

using AskedGroup = OffsetFetchRequest::OffsetFetchRequestGroup;
using ToldGroup = OffsetFetchResponse::OffsetFetchResponseGroup;

constexpr int16_t whole_code_from = 2, groups_from = 8, topic_ids_from = 10;

void add_unknown(const OffsetFetchRequest::OffsetFetchRequestTopics& asked, ToldGroup& told) {
  auto& topic = told.topics.emplace_back();
  topic.topic_id = asked.topic_id;
  for (const int32_t index : asked.partition_indexes) {
    auto& partition = topic.partitions.emplace_back();
    partition.partition_index = index;
    partition.committed_offset = -1;
    partition.error_code = Code::unknown_topic_id;
  }
}

// With ids the coordinator is asked by name; topics that nobody knows are left out.
AskedGroup with_names(const Call& call, const AskedGroup& asked, ToldGroup& unknown) {
  AskedGroup named = asked;
  if (call.version < topic_ids_from || !asked.topics) return named;
  named.topics->clear();
  for (const auto& topic : *asked.topics) {
    const cluster::TopicImage* image = call.image->topic(topic.topic_id);
    if (!image) {
      add_unknown(topic, unknown);
      continue;
    }
    auto& known = named.topics->emplace_back(topic);
    known.name = image->name;
  }
  return named;
}

void add_ids(const Call& call, ToldGroup& told) {
  for (auto& topic : told.topics)
    if (const auto* image = call.image->topic(topic.name)) topic.topic_id = image->id;
  std::erase_if(told.topics, [](const auto& topic) { return topic.topic_id.is_zero(); });
}

awaitable<ToldGroup> fetch(Broker& broker, Call& call, const AskedGroup& asked, bool require_stable) {
  ToldGroup unknown;
  const AskedGroup named = with_names(call, asked, unknown);
  group::Answer<ToldGroup> answer;
  const Code code = co_await broker.groups().run(call.loop, asked.group_id,
                                                 [&](group::GroupShard& shard, const coordinator::Now&, coordinator::Writes&) {
                                                   answer = shard.offsets().fetch(named, require_stable);
                                                 });
  ToldGroup told;
  told.group_id = asked.group_id;
  told.error_code = code;
  if (code != Code::none) co_return told;
  told = take(call, std::move(answer));
  if (call.version >= topic_ids_from && told.error_code == Code::none) {
    if (!asked.topics) add_ids(call, told);
    told.topics.insert(told.topics.end(), std::make_move_iterator(unknown.topics.begin()),
                       std::make_move_iterator(unknown.topics.end()));
  }
  co_return told;
}

// How older clients ask: for one group.
awaitable<void> fetch_one(Broker& broker, Call& call, const OffsetFetchRequest& request, OffsetFetchResponse& response) {
  AskedGroup asked;
  asked.group_id = request.group_id;
  asked.topics.reset();
  if (request.topics) {
    asked.topics.emplace();
    for (const auto& topic : *request.topics)
      asked.topics->push_back({.name = topic.name, .partition_indexes = topic.partition_indexes});
  }
  const ToldGroup told = co_await fetch(broker, call, asked, request.require_stable);
  if (call.version >= whole_code_from) response.error_code = told.error_code;
  for (const auto& topic : told.topics) {
    auto& out = response.topics.emplace_back();
    out.name = topic.name;
    for (const auto& partition : topic.partitions)
      out.partitions.push_back({partition.partition_index, partition.committed_offset, partition.committed_leader_epoch,
                                partition.metadata, partition.error_code});
  }
  if (told.error_code == Code::none || call.version >= whole_code_from || !request.topics) co_return;
  for (const auto& topic : *request.topics) {
    auto& out = response.topics.emplace_back();
    out.name = topic.name;
    for (const int32_t index : topic.partition_indexes) out.partitions.push_back({index, -1, -1, "", told.error_code});
  }
}

}  // namespace

awaitable<OffsetFetchResponse> handle(Broker& broker, Call& call, const OffsetFetchRequest& request) {
  OffsetFetchResponse response;
  if (call.version < groups_from) {
    co_await fetch_one(broker, call, request, response);
    co_return response;
  }
  for (const AskedGroup& asked : request.groups) {
    ToldGroup told = co_await fetch(broker, call, asked, request.require_stable);
    response.groups.push_back(std::move(told));
  }
  co_return response;
}

}  // namespace kq::broker
