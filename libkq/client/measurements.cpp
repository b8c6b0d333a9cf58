#include "libkq/client/measurements.hpp"

namespace kq::client {
namespace {

constexpr double us_in_ms = 1000;

template <class Entries>
const typename Entries::value_type* find(const Entries& entries, std::string_view name) {
  for (const auto& each : entries)
    if (each.name == name) return &each;
  return nullptr;
}

}  // namespace

bool MetricsMaker::is_asked(std::string_view name, std::span<const std::string> asked) {
  return std::ranges::any_of(asked, [&](const std::string& each) { return each == "*" || name.starts_with(each); });
}

void MetricsMaker::begin(Instant now, const Measurements& seen) {
  last_at_ = now;
  last_ = seen;
}

std::vector<Metric> MetricsMaker::make(Instant now, const Measurements& seen, std::span<const std::string> asked, bool delta) {
  std::vector<Metric> metrics;
  const auto add = [&](const std::string& name, Metric::Kind kind, double value, std::vector<Label> labels = {}) {
    if (is_asked(prefix_ + name, asked)) metrics.push_back({prefix_ + name, kind, value, std::move(labels)});
  };
  const double seconds = std::max(1e-3, std::chrono::duration<double>(now - last_at_).count());
  for (const auto& each : seen.counts) {
    const auto* before = find(last_.counts, each.name);
    const auto more = static_cast<double>(each.total - (before ? before->total : 0));
    add(std::string(each.name) + ".rate", Metric::Kind::gauge, more / seconds);
    add(std::string(each.name) + ".total", Metric::Kind::sum, delta ? more : static_cast<double>(each.total));
  }
  // What nothing was measured of since the last time is not told.
  std::vector<std::pair<int32_t, Histogram>> nodes;
  for (const auto& [id, node] : seen.nodes) {
    const auto before = last_.nodes.find(id);
    const Histogram recent = before == last_.nodes.end() ? node.latency_us : node.latency_us.since(before->second.latency_us);
    if (recent.count() > 0) nodes.push_back({id, recent});
  }
  for (const auto& [id, recent] : nodes)
    add("node.request.latency.avg", Metric::Kind::gauge, recent.average() / us_in_ms, {{"node_id", std::to_string(id)}});
  for (const auto& [id, recent] : nodes)
    add("node.request.latency.max", Metric::Kind::gauge, static_cast<double>(recent.max()) / us_in_ms,
        {{"node_id", std::to_string(id)}});
  for (const auto& each : seen.times) {
    const auto* before = find(last_.times, each.name);
    const Histogram recent = before ? each.us.since(before->us) : each.us;
    if (recent.count() == 0) continue;
    add(std::string(each.name) + ".avg", Metric::Kind::gauge, recent.average() / us_in_ms);
    add(std::string(each.name) + ".max", Metric::Kind::gauge, static_cast<double>(recent.max()) / us_in_ms);
  }
  for (const auto& each : seen.levels) add(each.name, Metric::Kind::gauge, each.value);
  begin(now, seen);
  return metrics;
}

}  // namespace kq::client
