// OffsetCommit, key 8, v2-10.  v5: no retention time.  v6: leader epoch (KIP-320).  v7: static members.  v8: flexible.
// v9: member epochs (KIP-848).  v10: topic ids.
#include "broker/handlers/group_request.hpp"

namespace kq::broker {
namespace {

constexpr int16_t topic_ids_from = 10;
using Topic = OffsetCommitRequest::OffsetCommitRequestTopic;

// A topic of the request with the partitions that exist, by name, and by id where it was asked so; the others are answered.
Topic existing(const Call& call, const Topic& asked, OffsetCommitResponse::OffsetCommitResponseTopic& answer) {
  const bool by_id = call.version >= topic_ids_from;
  const cluster::TopicImage* image = by_id ? call.image->topic(asked.topic_id) : call.image->topic(asked.name);
  answer.name = asked.name;
  answer.topic_id = asked.topic_id;
  Topic topic;
  if (image) topic.name = image->name, topic.topic_id = asked.topic_id;
  keep_existing(asked, image, !image && by_id ? Code::unknown_topic_id : Code::unknown_topic_or_partition, topic, answer);
  return topic;
}

}  // namespace

awaitable<OffsetCommitResponse> handle(Broker& broker, Call& call, const OffsetCommitRequest& request) {
  OffsetCommitResponse response, decided;
  OffsetCommitRequest valid = request;
  valid.topics.clear();
  for (const Topic& asked : request.topics) {
    Topic topic = existing(call, asked, response.topics.emplace_back());
    if (!topic.partitions.empty()) valid.topics.push_back(std::move(topic));
  }
  if (valid.topics.empty()) co_return response;
  Code refused = Code::none;
  const Code code = co_await broker.groups().run(
      call.loop, request.group_id, [&](group::GroupShard& shard, const coordinator::Now& now, coordinator::Writes& writes) {
        refused = shard.offsets().commit(now, call.version, valid, decided, writes);
      });
  tell_outcome(response, code != Code::none ? code : refused, decided);
  co_return response;
}

}  // namespace kq::broker
