// Tells partitions that a transaction has ended.
#pragma once

#include "broker/partition.hpp"
#include "broker/txn/coordinator.hpp"
#include "libkq/net/awaitable.hpp"
#include "libkq/net/loop.hpp"

namespace kq::broker {
struct Broker;
}

namespace kq::txn {

// The seam between a transaction's coordinator and the leaders of its partitions.
class Markers {
 public:
  virtual ~Markers() = default;

  enum class Outcome {
    done,    // every partition has committed its marker, or is no longer there
    again,   // those that stand in `left` have not, yet
    fenced,  // another coordinator has taken over
  };
  // Appends a marker to each of `left`, and takes out those that have committed it before the deadline.  A marker may come twice.
  virtual awaitable<Outcome> write(Loop&, const PreparedEnd&, int32_t coordinator_epoch, Partitions& left, Instant deadline) = 0;
};

// The partitions are this broker's own.
class LocalMarkers final : public Markers {
 public:
  explicit LocalMarkers(broker::Broker& broker) : broker_(broker) {}
  awaitable<Outcome> write(Loop&, const PreparedEnd&, int32_t coordinator_epoch, Partitions& left, Instant deadline) override;

 private:
  broker::Broker& broker_;
};

// One marker, as WriteTxnMarkers asks for it: appended, or none where `committed` has to be awaited at `end_offset` in `partition`.
struct WrittenMarker {
  Code code{};
  std::shared_ptr<broker::Partition> partition{};  // null: it is committed already, or refused
  int64_t end_offset = -1;
};
awaitable<WrittenMarker> write_marker(broker::Broker&, Loop&, std::string_view topic, int32_t index, const TransactionMarker&,
                                      bool transactions_v2);

}  // namespace kq::txn
