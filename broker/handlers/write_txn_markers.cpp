// WriteTxnMarkers, key 27, v1-2.  v1: flexible.  v2: the transaction's version (KIP-1228).
//
// Sent by another broker's transaction coordinator, and by kafka-transactions to end a transaction that hangs.
#include "broker/broker.hpp"
#include "broker/handlers/handlers.hpp"
#include "broker/partition.hpp"
#include "broker/txn/markers.hpp"

namespace kq::broker {
namespace {

using Asked = WriteTxnMarkersRequest::WritableTxnMarker;
using Answer = WriteTxnMarkersResponse::WritableTxnMarkerPartitionResult;

constexpr int8_t epoch_bump_from = 2;  // of transaction_version

struct Commit {
  std::shared_ptr<Partition> partition;
  int64_t offset;
  size_t marker, topic, index;  // of its answer
};

// What the coordinator that asked takes as a reason to find the leader anew.
Code told(Code code) {
  switch (code) {
    case Code::coordinator_not_available:
    case Code::coordinator_load_in_progress:
    case Code::not_coordinator: return Code::not_leader_or_follower;
    default: return code;
  }
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
      for (const int32_t index : asked_topic.partition_indexes) {
        Answer& answer = topic.partitions.emplace_back();
        answer.partition_index = index;
        auto written = co_await txn::write_marker(broker, call.loop, asked_topic.name, index, marker,
                                                  asked.transaction_version >= epoch_bump_from);
        answer.error_code = told(written.code);
        if (!written.partition) continue;
        commits.push_back({std::move(written.partition), written.end_offset, response.markers.size() - 1,
                           marker_answer.topics.size() - 1, topic.partitions.size() - 1});
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
