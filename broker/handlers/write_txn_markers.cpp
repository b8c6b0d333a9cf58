// WriteTxnMarkers, key 27, v1-2.  v1: flexible.  v2: the transaction's version (KIP-1228).
//
// Sent by another broker's transaction coordinator, and by kafka-transactions to end a transaction that hangs.
#include <algorithm>

#include "broker/broker.hpp"
#include "broker/handlers/handlers.hpp"
#include "broker/partitions.hpp"

namespace kq::broker {
namespace {

using Asked = WriteTxnMarkersRequest::WritableTxnMarker;
using Answer = WriteTxnMarkersResponse::WritableTxnMarkerPartitionResult;

constexpr int8_t epoch_bump_from = 2;             // of transaction_version

struct Commit {
  std::shared_ptr<Partition> partition;
  int64_t offset;
  size_t marker, topic, index;                    // of its answer
};

awaitable<Code> open(Broker& broker, Call& call, const cluster::TopicImage* topic, int32_t index, std::shared_ptr<Partition>& partition) {
  partition = topic ? broker.partitions->find(topic->id, index) : nullptr;
  if (!partition) co_return topic && topic->partition(index) ? Code::not_leader_or_follower : Code::unknown_topic_or_partition;
  co_return co_await partition->opened(call.loop);
}

}  // namespace

awaitable<WriteTxnMarkersResponse> handle(Broker& broker, Call& call, const WriteTxnMarkersRequest& request) {
  WriteTxnMarkersResponse response;
  std::vector<Commit> commits;
  for (const Asked& asked : request.markers) {
    auto& marker_answer = response.markers.emplace_back();
    marker_answer.producer_id = asked.producer_id;
    const TransactionMarker marker{.commit = asked.transaction_result,
                                   .producer_id = asked.producer_id,
                                   .producer_epoch = asked.producer_epoch,
                                   .coordinator_epoch = asked.coordinator_epoch};
    for (const auto& asked_topic : asked.topics) {
      auto& topic = marker_answer.topics.emplace_back();
      topic.name = asked_topic.name;
      const cluster::TopicImage* image = call.image->topic(asked_topic.name);
      for (const int32_t index : asked_topic.partition_indexes) {
        Answer& answer = topic.partitions.emplace_back();
        answer.partition_index = index;
        std::shared_ptr<Partition> partition;
        answer.error_code = co_await open(broker, call, image, index, partition);
        if (answer.error_code != Code::none) continue;
        const auto appended = partition->append_marker(marker, asked.transaction_version >= epoch_bump_from);
        answer.error_code = appended.code;
        if (appended.code != Code::none) continue;
        commits.push_back({std::move(partition), appended.end_offset, response.markers.size() - 1, marker_answer.topics.size() - 1,
                           topic.partitions.size() - 1});
      }
    }
  }
  const Instant deadline = Clock::now() + std::chrono::milliseconds(broker.config.request_timeout_ms);
  for (const Commit& commit : commits) {
    const Code code = co_await commit.partition->committed(call.loop, commit.offset, deadline);
    response.markers[commit.marker].topics[commit.topic].partitions[commit.index].error_code = code;
  }
  co_return response;
}

}  // namespace kq::broker
