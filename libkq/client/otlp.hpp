// OpenTelemetry's metrics, as KIP-714 has clients push them: MetricsData of opentelemetry/proto/metrics/v1, in protobuf's wire format.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "libkq/base/bytes.hpp"

namespace kq::client {

struct Label {
  std::string key, value;
};

struct Metric {
  std::string name;
  // A gauge is a value at a time; a sum only grows.
  enum class Kind { gauge, sum } kind = Kind::gauge;
  double value = 0;
  std::vector<Label> labels{};
};

struct OtlpHead {
  std::vector<Label> resource{};   // whose metrics these are
  int64_t from_ns = 0, to_ns = 0;  // of sums: since when they are counted; and when everything was measured
  bool delta = false;              // sums count from the last push, else from the beginning
};

// Metrics in a row that have one name are one metric with several points.
std::vector<std::byte> encode_otlp(const OtlpHead&, std::span<const Metric>);

}  // namespace kq::client
