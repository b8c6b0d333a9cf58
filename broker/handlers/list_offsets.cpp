// ListOffsets, key 2, v1-11.  v2: isolation.  v4: leader epochs.  v6: flexible.  v7: largest timestamp (KIP-734).
// v8: earliest local, v9: latest tiered (KIP-405, KIP-1005).  v10: timeout.  v11: earliest pending upload (KIP-1023).
#include <set>

#include "broker/broker.hpp"
#include "broker/handlers/handlers.hpp"
#include "broker/partitions.hpp"

namespace kq::broker {
namespace {

using Asked = ListOffsetsRequest::ListOffsetsPartition;
using Answer = ListOffsetsResponse::ListOffsetsPartitionResponse;

// Timestamps that stand for places in the log.
constexpr int64_t latest = -1, earliest = -2, largest_timestamp = -3, earliest_local = -4, latest_tiered = -5, earliest_pending_upload = -6;
constexpr int32_t consumer = -1;
constexpr int16_t leader_epochs_from = 4;

bool known_in(int16_t version, int64_t timestamp) {
  switch (timestamp) {
    case largest_timestamp: return version >= 7;
    case earliest_local: return version >= 8;
    case latest_tiered: return version >= 9;
    case earliest_pending_upload: return version >= 11;
    default: return timestamp >= earliest;
  }
}

// The end of what the one who asks may see.
int64_t visible_end(const ListOffsetsRequest& request, const Partition::Offsets& offsets) {
  if (request.replica_id != consumer) return offsets.end;
  return Isolation{request.isolation_level} == Isolation::read_committed ? offsets.last_stable : offsets.high_watermark;
}

awaitable<void> search(Broker& broker, Call& call, Partition& partition, int64_t timestamp, int64_t end, Answer& answer) {
  auto search = timestamp == largest_timestamp ? partition.search_largest_timestamp() : partition.search_timestamp(timestamp);
  Result<std::optional<log::TimestampOffset>> found{std::nullopt};
  if (search) co_await broker.env.io.run(call.loop, [&] { found = search->run(); });
  if (!search || !found) {
    broker.env.log.error("list offsets", (search ? found.error() : search.error()).message());
    answer.error_code = Code::kafka_storage_error;
  } else if (*found && (*found)->offset < end) {
    answer.timestamp = (*found)->timestamp;
    answer.offset = (*found)->offset;
    answer.leader_epoch = (*found)->leader_epoch;
  }
}

awaitable<void> look_up(Broker& broker, Call& call, const ListOffsetsRequest& request, Partition& partition, const Asked& asked,
                        Answer& answer) {
  answer.error_code = co_await partition.opened(call.loop);
  if (answer.error_code == Code::none) answer.error_code = partition.check_leader(asked.current_leader_epoch);
  if (answer.error_code != Code::none) co_return;
  if (!known_in(call.version, asked.timestamp)) {
    answer.error_code = Code::unsupported_version;
    co_return;
  }
  const Partition::Offsets offsets = partition.offsets();
  switch (asked.timestamp) {
    case latest:
      answer.offset = visible_end(request, offsets);
      answer.leader_epoch = offsets.leader_epoch;
      break;
    case earliest:
    case earliest_local:
      answer.offset = offsets.start;
      answer.leader_epoch = offsets.start_epoch.value_or(-1);
      break;
    case latest_tiered:
    case earliest_pending_upload: break;          // there is no tiered storage: -1
    default: co_await search(broker, call, partition, asked.timestamp, visible_end(request, offsets), answer);
  }
}

}  // namespace

awaitable<ListOffsetsResponse> handle(Broker& broker, Call& call, const ListOffsetsRequest& request) {
  ListOffsetsResponse response;
  for (const auto& topic : request.topics) {
    auto& topic_answer = response.topics.emplace_back();
    topic_answer.name = topic.name;
    const cluster::TopicImage* image = call.image->topic(topic.name);
    std::set<int32_t> seen;
    for (const Asked& asked : topic.partitions) {
      Answer& answer = topic_answer.partitions.emplace_back();
      answer.partition_index = asked.partition_index;
      const auto partition = image ? broker.partitions->find(image->id, asked.partition_index) : nullptr;
      if (!seen.insert(asked.partition_index).second) {
        answer.error_code = Code::invalid_request;
      } else if (partition) {
        co_await look_up(broker, call, request, *partition, asked, answer);
        if (call.version < leader_epochs_from) answer.leader_epoch = -1;
      } else {
        answer.error_code =
            image && image->partition(asked.partition_index) ? Code::not_leader_or_follower : Code::unknown_topic_or_partition;
      }
    }
  }
  co_return response;
}

}  // namespace kq::broker
