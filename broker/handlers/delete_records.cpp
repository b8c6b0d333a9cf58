// DeleteRecords, key 21, v0-2.  v2: flexible.
#include <algorithm>

#include "broker/broker.hpp"
#include "broker/cluster/topic_name.hpp"
#include "broker/handlers/handlers.hpp"
#include "broker/housekeeping.hpp"
#include "broker/partitions.hpp"

namespace kq::broker {
namespace {

// One partition's part of the request, until it is done.
struct Deletion {
  std::shared_ptr<Partition> partition;
  int64_t offset;
  DeleteRecordsResponse::DeleteRecordsPartitionResult* answer;
};

Code find(const Broker& broker, const cluster::TopicImage* topic, int32_t index, std::shared_ptr<Partition>& partition) {
  if (!topic || !topic->partition(index)) return Code::unknown_topic_or_partition;
  if (cluster::is_internal_topic(topic->name)) return Code::invalid_topic_exception;
  partition = broker.partitions->find(topic->id, index);
  return partition ? Code::none : Code::not_leader_or_follower;
}

}  // namespace

awaitable<DeleteRecordsResponse> handle(Broker& broker, Call& call, const DeleteRecordsRequest& request) {
  DeleteRecordsResponse response;
  std::vector<Deletion> deletions;
  response.topics.reserve(request.topics.size());
  for (const auto& topic : request.topics) {
    auto& topic_answer = response.topics.emplace_back();
    topic_answer.name = topic.name;
    topic_answer.partitions.reserve(topic.partitions.size());
    const cluster::TopicImage* image = call.image->topic(topic.name);
    for (const auto& asked : topic.partitions) {
      auto& answer = topic_answer.partitions.emplace_back();
      answer.partition_index = asked.partition_index;
      answer.low_watermark = -1;
      std::shared_ptr<Partition> partition;
      answer.error_code = find(broker, image, asked.partition_index, partition);
      if (answer.error_code == Code::none) answer.error_code = co_await partition->opened(call.loop);
      if (answer.error_code == Code::none) deletions.push_back({std::move(partition), asked.offset, &answer});
    }
  }
  if (!deletions.empty()) {
    co_await broker.env.io.run(call.loop, [&] {
      for (const Deletion& deletion : deletions) {
        const auto deleted = deletion.partition->delete_records(deletion.offset);
        deletion.answer->error_code = deleted.code;
        deletion.answer->low_watermark = deleted.low_watermark;
      }
      broker.housekeeping().starts_raised();
    });
  }
  co_return response;
}

}  // namespace kq::broker
