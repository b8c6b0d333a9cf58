// DescribeShareGroupOffsets, key 90, v0-1; AlterShareGroupOffsets, key 91, v0; DeleteShareGroupOffsets, key 92, v0 (KIP-932).  v1: lag
// (KIP-1226).
#include "broker/cluster/topic_name.hpp"
#include "broker/handlers/group_request.hpp"
#include "broker/handlers/share_states.hpp"
#include "broker/partitions.hpp"

namespace kq::broker {
namespace {

using group::SharedPartitions;
using share::Refusal;
using DescribedGroup = DescribeShareGroupOffsetsResponse::DescribeShareGroupOffsetsResponseGroup;
using DescribedTopic = DescribeShareGroupOffsetsResponse::DescribeShareGroupOffsetsResponseTopic;

std::string not_found(std::string_view group) { return "Group " + std::string(group) + " not found."; }

// The partitions of a share group that have a state.
awaitable<Code> initialized_of(Broker& broker, Call& call, std::string_view id, SharedPartitions& partitions) {
  Code found = Code::none;
  const auto look = [&](group::GroupShard& shard, const coordinator::Now&, coordinator::Writes&) {
    const auto* held = shard.groups().find<group::ShareGroup>(id);
    if (held)
      partitions = held->initialized();
    else
      found = Code::group_id_not_found;
  };
  if (broker.groups().partition_of(id) < 0) co_return Code::group_id_not_found;  // without the topic there are no groups
  const Code code = co_await broker.groups().run(call.loop, id, look);
  co_return code != Code::none ? code : found;
}

// none, or why the group's offsets are not to be changed in this way.
using Question = Code (group::ShareGroupCoordinator::*)(std::string_view) const;
awaitable<Code> check(Broker& broker, Call& call, std::string_view id, Question question) {
  Code refused = Code::none;
  if (broker.groups().partition_of(id) < 0) co_return Code::group_id_not_found;
  const auto ask = [&](group::GroupShard& shard, const coordinator::Now&, coordinator::Writes&) {
    refused = (shard.share().*question)(id);
  };
  const Code code = co_await broker.groups().run(call.loop, id, ask);
  co_return code != Code::none ? code : refused;
}

int64_t lag_of(Broker& broker, const share::Key& key, const share::StateShard::State& state) {
  const auto partition = broker.partitions->find(key.topic_id, key.partition);
  if (!partition || !partition->is_open() || state.start_offset == share::uninitialized_offset ||
      state.delivery_complete_count < 0)
    return -1;
  return std::max<int64_t>(0, partition->offsets().high_watermark - state.start_offset - state.delivery_complete_count);
}

awaitable<void> describe(Broker& broker, Call& call, std::string_view group, const cluster::TopicImage& topic,
                         const std::vector<int32_t>& indices, DescribedTopic& told) {
  told.topic_id = topic.id;
  for (const int32_t index : indices) {
    auto& partition = told.partitions.emplace_back();
    partition.partition_index = index;
    partition.start_offset = share::uninitialized_offset;
    const share::Key key{std::string(group), topic.id, index};
    share::StateShard::State state;
    const auto look = [&](share::StateShard& shard, const share::Now&, share::Writes&) { return shard.summary(key, state); };
    const Refusal refusal = co_await broker.share_states().ask(call.loop, key, look);
    const bool no_states = broker.share_states().partition_of(key.text()) < 0;
    if (refusal.code != Code::none && !no_states) {
      partition.error_code = refusal.code;
      partition.error_message = refusal.message;
      continue;
    }
    if (auto held = broker.partitions->find(topic.id, index)) (void)co_await held->opened(call.loop);
    partition.start_offset = state.start_offset;
    partition.leader_epoch = state.leader_epoch;
    partition.lag = lag_of(broker, key, state);
  }
}

awaitable<void> describe(Broker& broker, Call& call,
                         const DescribeShareGroupOffsetsRequest::DescribeShareGroupOffsetsRequestGroup& asked,
                         DescribedGroup& told) {
  told.group_id = asked.group_id;
  SharedPartitions initialized;
  told.error_code = co_await initialized_of(broker, call, asked.group_id, initialized);
  if (told.error_code != Code::none) {
    if (told.error_code == Code::group_id_not_found) told.error_message = call.keep(not_found(asked.group_id));
    co_return;
  }
  if (!asked.topics) {  // all that there is
    for (const auto& [id, indices] : initialized) {
      const cluster::TopicImage* topic = call.image->topic(id);
      if (!topic) continue;
      auto& topic_told = told.topics.emplace_back();
      topic_told.topic_name = topic->name;
      const std::vector<int32_t> all(indices.begin(), indices.end());
      co_await describe(broker, call, asked.group_id, *topic, all, topic_told);
    }
    co_return;
  }
  for (const auto& topic_asked : *asked.topics) {
    auto& topic_told = told.topics.emplace_back();
    topic_told.topic_name = topic_asked.topic_name;
    const cluster::TopicImage* topic = call.image->topic(topic_asked.topic_name);
    if (topic) {
      co_await describe(broker, call, asked.group_id, *topic, topic_asked.partitions, topic_told);
      continue;
    }
    for (const int32_t index : topic_asked.partitions) {
      auto& partition = topic_told.partitions.emplace_back();
      partition.partition_index = index;
      partition.error_code = Code::unknown_topic_or_partition;
      partition.error_message = "This server does not host this topic-partition.";
    }
  }
}

// Notes what of the topics that are asked for has a state as being deleted, and tells it.
awaitable<Code> begin_deleting(Broker& broker, Call& call, const DeleteShareGroupOffsetsRequest& request, SharedPartitions& states) {
  const auto begin = [&](group::GroupShard& shard, const coordinator::Now&, coordinator::Writes& writes) {
    const auto* const held = shard.groups().find<group::ShareGroup>(request.group_id);
    if (!held) return;
    const SharedPartitions all = states_to_remove(*held, *call.image);
    std::set<Uuid> topics;
    for (const auto& asked : request.topics) {
      const cluster::TopicImage* const topic = call.image->topic(asked.topic_name);
      const auto found = topic ? all.find(topic->id) : all.end();
      if (found != all.end()) states.insert(*found), topics.insert(found->first);
    }
    if (!topics.empty()) shard.share().offsets_deleting(request.group_id, topics, writes);
  };
  co_return co_await broker.groups().run(call.loop, request.group_id, begin);
}

}  // namespace

awaitable<DescribeShareGroupOffsetsResponse> handle(Broker& broker, Call& call, const DescribeShareGroupOffsetsRequest& request) {
  DescribeShareGroupOffsetsResponse response;
  response.groups.resize(request.groups.size());
  for (size_t i = 0; i < request.groups.size(); ++i) co_await describe(broker, call, request.groups[i], response.groups[i]);
  co_return response;
}

awaitable<AlterShareGroupOffsetsResponse> handle(Broker& broker, Call& call, const AlterShareGroupOffsetsRequest& request) {
  AlterShareGroupOffsetsResponse response;
  response.error_code = co_await check(broker, call, request.group_id, &group::ShareGroupCoordinator::check_alter);
  if (response.error_code != Code::none) {
    response.error_message = response.error_code == Code::group_id_not_found ? call.keep(not_found(request.group_id))
                                                                             : std::string_view(name_of(response.error_code));
    co_return response;
  }
  co_await ensure_topic(broker, call, cluster::share_state_topic);
  SharedPartitions altered;
  int32_t state_epoch = 1;  // of a group that this makes
  const auto next_epoch = [&](group::GroupShard& shard, const coordinator::Now&, coordinator::Writes&) {
    if (const auto* held = shard.groups().find<group::ShareGroup>(request.group_id)) state_epoch = held->epoch() + 1;
  };
  response.error_code = co_await broker.groups().run(call.loop, request.group_id, next_epoch);
  if (response.error_code != Code::none) co_return response;
  for (const auto& topic : request.topics) {
    auto& told = response.responses.emplace_back();
    told.topic_name = topic.topic_name;
    const cluster::TopicImage* image = call.image->topic(topic.topic_name);
    if (image) told.topic_id = image->id;
    for (const auto& asked : topic.partitions) {
      auto& partition = told.partitions.emplace_back();
      partition.partition_index = asked.partition_index;
      Refusal refusal{Code::unknown_topic_or_partition, "This server does not host this topic-partition."};
      if (image && image->partition(asked.partition_index)) {
        const share::Key key{std::string(request.group_id), image->id, asked.partition_index};
        const auto initialize = [&](share::StateShard& shard, const share::Now& now, share::Writes& writes) {
          return shard.initialize(now, key, state_epoch, asked.start_offset, writes);
        };
        refusal = co_await broker.share_states().ask(call.loop, key, initialize);
      }
      partition.error_code = refusal.code;
      if (refusal.code == Code::none)
        altered[image->id].insert(asked.partition_index);
      else
        partition.error_message = refusal.message;
    }
  }
  const auto note = [&](group::GroupShard& shard, const coordinator::Now&, coordinator::Writes& writes) {
    shard.share().offsets_altered(request.group_id, altered, writes);
  };
  if (!altered.empty()) response.error_code = co_await broker.groups().run(call.loop, request.group_id, note);
  co_return response;
}

awaitable<DeleteShareGroupOffsetsResponse> handle(Broker& broker, Call& call, const DeleteShareGroupOffsetsRequest& request) {
  DeleteShareGroupOffsetsResponse response;
  response.error_code = co_await check(broker, call, request.group_id, &group::ShareGroupCoordinator::check_empty);
  SharedPartitions states;
  if (response.error_code == Code::none) response.error_code = co_await begin_deleting(broker, call, request, states);
  if (response.error_code != Code::none) {
    response.error_message = response.error_code == Code::group_id_not_found ? call.keep(not_found(request.group_id))
                                                                             : std::string_view(name_of(response.error_code));
    co_return response;
  }
  std::set<Uuid> deleted;
  for (const auto& topic : request.topics) {
    auto& told = response.responses.emplace_back();
    told.topic_name = topic.topic_name;
    const cluster::TopicImage* image = call.image->topic(topic.topic_name);
    if (!image) {
      told.error_code = Code::unknown_topic_or_partition;
      told.error_message = "This server does not host this topic-partition.";
      continue;
    }
    told.topic_id = image->id;
    const auto found = states.find(image->id);
    if (found == states.end()) continue;  // there is nothing to delete, which is no error
    const SharedPartitions of_topic{*found};
    told.error_code = co_await remove_states(broker, call, request.group_id, of_topic);
    if (told.error_code == Code::none)
      deleted.insert(image->id);
    else
      told.error_message = name_of(told.error_code);
  }
  const auto note = [&](group::GroupShard& shard, const coordinator::Now&, coordinator::Writes& writes) {
    shard.share().offsets_deleted(request.group_id, deleted, writes);
  };
  if (!deleted.empty()) response.error_code = co_await broker.groups().run(call.loop, request.group_id, note);
  co_return response;
}

}  // namespace kq::broker
