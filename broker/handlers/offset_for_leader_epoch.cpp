// OffsetForLeaderEpoch, key 23, v2-4.  v2: the reader's own epoch (KIP-320).  v3: replica id.  v4: flexible.
#include "broker/broker.hpp"
#include "broker/handlers/handlers.hpp"
#include "broker/partitions.hpp"

namespace kq::broker {

awaitable<OffsetForLeaderEpochResponse> handle(Broker& broker, Call& call, const OffsetForLeaderEpochRequest& request) {
  OffsetForLeaderEpochResponse response;
  for (const auto& topic : request.topics) {
    auto& topic_answer = response.topics.emplace_back();
    topic_answer.topic = topic.topic;
    const cluster::TopicImage* image = call.image->topic(topic.topic);
    for (const auto& asked : topic.partitions) {
      auto& answer = topic_answer.partitions.emplace_back();
      answer.partition = asked.partition;
      const auto partition = image ? broker.partitions->find(image->id, asked.partition) : nullptr;
      if (!partition) {
        answer.error_code = image && image->partition(asked.partition) ? Code::not_leader_or_follower : Code::unknown_topic_or_partition;
        continue;
      }
      answer.error_code = co_await partition->opened(call.loop);
      if (answer.error_code == Code::none) answer.error_code = partition->check_leader(asked.current_leader_epoch);
      if (answer.error_code != Code::none) continue;
      const log::EpochEnd end = partition->end_offset_for_epoch(asked.leader_epoch);
      answer.leader_epoch = end.epoch;
      answer.end_offset = end.end_offset;
    }
  }
  co_return response;
}

}  // namespace kq::broker
