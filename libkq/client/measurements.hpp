// What a handle tells brokers of itself (KIP-714), and how it becomes metrics.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "libkq/client/otlp.hpp"
#include "libkq/client/statistics.hpp"

namespace kq::client {

// Counted since the handle was made.  Names are what KIP-714 has behind "org.apache.kafka.<producer|consumer>.".
struct Measurements {
  struct Count {  // gives <name>.total and <name>.rate
    const char* name;
    uint64_t total;
  };
  struct Time {  // gives <name>.avg and <name>.max, in milliseconds
    const char* name;
    Histogram us;
  };
  struct Level {
    const char* name;
    double value;
  };
  std::vector<Count> counts{};
  std::vector<Time> times{};
  std::vector<Level> levels{};
  NodesTraffic nodes{};  // node.request.latency.avg and .max, by node_id
};

// Remembers what was told last, as averages and rates are those of the time since then.  One thread's.
class MetricsMaker {
 public:
  explicit MetricsMaker(std::string prefix) : prefix_(std::move(prefix)) {}

  // Those that are asked for: by beginnings of names, or "*" for all.
  std::vector<Metric> make(Instant now, const Measurements&, std::span<const std::string> asked, bool delta);
  void begin(Instant now, const Measurements&);  // counts from here
  static bool is_asked(std::string_view name, std::span<const std::string> asked);

 private:
  const std::string prefix_;
  Instant last_at_{};
  Measurements last_;
};

}  // namespace kq::client
