#include "broker/txn/markers.hpp"

#include "broker/broker.hpp"
#include "broker/coordinator/runtime.hpp"
#include "broker/partitions.hpp"

namespace kq::txn {
namespace {

struct Commit {
  std::shared_ptr<broker::Partition> partition;
  int64_t end_offset;
};

void take_out(Partitions& left, const std::string& topic, int32_t index) {
  const auto held = left.find(topic);
  if (held == left.end()) return;
  held->second.erase(index);
  if (held->second.empty()) left.erase(held);
}

}  // namespace

awaitable<WrittenMarker> write_marker(broker::Broker& broker, Loop& loop, std::string_view topic, int32_t index,
                                      const TransactionMarker& marker, bool transactions_v2) {
  const auto image = broker.image();
  const cluster::TopicImage* known = image->topic(topic);
  if (!known || !known->partition(index)) co_return WrittenMarker{Code::unknown_topic_or_partition};
  WrittenMarker written;
  // What a transaction wrote for consumer groups becomes visible with its marker.
  if (coordinator::Runtime* groups = broker.coordinator(broker::CoordinatorType::group); groups && groups->topic() == topic) {
    const log::AppendOptions how{.origin = log::AppendOrigin::coordinator, .transactions_v2 = transactions_v2};
    written.code = co_await groups->end_transaction(loop, index, marker, how);
    co_return written;
  }
  written.partition = broker.partitions->find(known->id, index);
  written.code = Code::not_leader_or_follower;
  if (written.partition) written.code = co_await written.partition->opened(loop);
  if (written.code == Code::none) {
    const auto appended = written.partition->append_marker(marker, transactions_v2);
    written.code = appended.code;
    written.end_offset = appended.end_offset;
  }
  if (written.code != Code::none) written.partition.reset();
  co_return written;
}

awaitable<Markers::Outcome> LocalMarkers::write(Loop& loop, const PreparedEnd& end, int32_t coordinator_epoch, Partitions& left,
                                                Instant deadline) {
  const TransactionMarker marker{.commit = end.commit,
                                 .producer_id = end.producer.id,
                                 .producer_epoch = end.producer.epoch,
                                 .coordinator_epoch = coordinator_epoch};
  std::vector<Commit> commits;
  const Partitions asked = left;
  for (const auto& [topic, indices] : asked) {
    for (const int32_t index : indices) {
      auto written = co_await write_marker(broker_, loop, topic, index, marker, end.transactions_v2);
      switch (written.code) {
        case Code::none:
          if (written.partition)
            commits.push_back({std::move(written.partition), written.end_offset});
          else
            take_out(left, topic, index);
          break;
        case Code::unknown_topic_or_partition:  // deleted, and what the transaction wrote there with it
        case Code::invalid_producer_epoch:      // the partition is past this transaction
          take_out(left, topic, index);
          break;
        case Code::transaction_coordinator_fenced: co_return Outcome::fenced;
        default: break;
      }
    }
  }
  for (const Commit& commit : commits) {
    const Code code = co_await commit.partition->committed(loop, commit.end_offset, deadline);
    if (code == Code::none) take_out(left, commit.partition->topic, commit.partition->index);
  }
  co_return left.empty() ? Outcome::done : Outcome::again;
}

}  // namespace kq::txn
