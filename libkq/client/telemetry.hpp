// Client telemetry (KIP-714): brokers ask for metrics, and the handle pushes them.
#pragma once

#include <functional>

#include "libkq/client/cluster.hpp"
#include "libkq/client/measurements.hpp"
#include "libkq/record/compression.hpp"

namespace kq::client {

// Belongs to the loop's thread; held by shared_ptr, as its coroutine holds it until stop(), or the cluster's end.  Where brokers do not have the
// requests, or ask for nothing, it looks again now and then, which is all that it costs.
class Telemetry : public std::enable_shared_from_this<Telemetry> {
 public:
  // `prefix` is that of the metrics' names, `resource` says whose they are.
  Telemetry(std::shared_ptr<Cluster>, std::string prefix, std::vector<Label> resource, std::function<Measurements()> measure);

  void start();
  void stop();
  // The last push, if any metrics are asked for.  An answer is not waited for beyond the deadline, nor for long.
  awaitable<void> terminate(Instant deadline);

 private:
  struct Subscription {
    int32_t id = 0;
    Duration interval{};
    Codec codec = Codec::none;
    size_t bytes_max = 0;
    bool delta = false;
    std::vector<std::string> metrics{};
  };

  static awaitable<void> keep(std::shared_ptr<Telemetry>);
  awaitable<bool> wait(Duration);   // false: stopped meanwhile
  awaitable<Duration> subscribe();  // how long until the first push, or else the next try
  awaitable<Code> push(bool terminating, Instant deadline);
  std::vector<std::byte> payload(const Subscription&);

  const std::shared_ptr<Cluster> cluster_;
  const std::vector<Label> resource_;
  const std::function<Measurements()> measure_;
  MetricsMaker maker_;
  Compressor compressor_;
  Uuid instance_id_{};  // the broker gives it
  std::optional<Subscription> subscription_;
  int64_t measured_ns_ = 0;  // what deltas count from
  bool stopped_ = false;
  Broadcast wake_;
};

// Asks `owner` as long as it is there.
template <class Owner>
std::function<Measurements()> measured_by(std::weak_ptr<Owner> owner, Measurements (Owner::*measure)() const) {
  return [owner = std::move(owner), measure] {
    const auto held = owner.lock();
    return held ? (held.get()->*measure)() : Measurements{};
  };
}

}  // namespace kq::client
