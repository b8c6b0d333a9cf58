#include "libkq/client/otlp.hpp"

#include <bit>

namespace kq::client {
namespace {

// Field numbers, by message, as opentelemetry-proto has them.
namespace metrics_data {
constexpr int resource_metrics = 1;
}
namespace resource_metrics {
constexpr int resource = 1, scope_metrics = 2;
}
namespace resource {
constexpr int attributes = 1;
}
namespace scope_metrics {
constexpr int metrics = 2;
}
namespace metric {
constexpr int name = 1, gauge = 5, sum = 7;
}
namespace gauge {
constexpr int data_points = 1;
}
namespace sum {
constexpr int data_points = 1, aggregation_temporality = 2, is_monotonic = 3;
}
namespace data_point {
constexpr int start_time_unix_nano = 2, time_unix_nano = 3, as_double = 4, attributes = 7;
}
namespace key_value {
constexpr int key = 1, value = 2;
}
namespace any_value {
constexpr int string_value = 1;
}
constexpr uint64_t delta_temporality = 1, cumulative_temporality = 2;

// One protobuf message.  A nested one is built by itself, as its length stands before it.
class Message {
 public:
  void number(int field, uint64_t value) {
    tag(field, 0);
    varint(value);
  }
  void fixed64(int field, uint64_t value) {
    tag(field, 1);
    for (int shift = 0; shift < 64; shift += 8) bytes_.push_back(static_cast<std::byte>(value >> shift));
  }
  void text(int field, std::string_view value) { chunk(field, as_bytes(value)); }
  void nested(int field, const Message& value) { chunk(field, value.bytes_); }
  std::vector<std::byte> take() { return std::move(bytes_); }

 private:
  void tag(int field, unsigned wire_type) { varint(static_cast<uint64_t>(field) << 3 | wire_type); }
  void varint(uint64_t value) {
    for (; value >= 0x80; value >>= 7) bytes_.push_back(static_cast<std::byte>(value | 0x80));
    bytes_.push_back(static_cast<std::byte>(value));
  }
  void chunk(int field, Bytes value) {
    tag(field, 2);
    varint(value.size());
    bytes_.insert(bytes_.end(), value.begin(), value.end());
  }

  std::vector<std::byte> bytes_;
};

Message encode(const Label& label) {
  Message value, pair;
  value.text(any_value::string_value, label.value);
  pair.text(key_value::key, label.key);
  pair.nested(key_value::value, value);
  return pair;
}

Message encode_point(const OtlpHead& head, const Metric& from) {
  Message point;
  if (from.kind == Metric::Kind::sum) point.fixed64(data_point::start_time_unix_nano, static_cast<uint64_t>(head.from_ns));
  point.fixed64(data_point::time_unix_nano, static_cast<uint64_t>(head.to_ns));
  point.fixed64(data_point::as_double, std::bit_cast<uint64_t>(from.value));
  for (const Label& label : from.labels) point.nested(data_point::attributes, encode(label));
  return point;
}

Message encode_metric(const OtlpHead& head, std::span<const Metric> points) {
  Message of_kind, whole;
  const bool sums = points.front().kind == Metric::Kind::sum;
  for (const Metric& each : points) of_kind.nested(sums ? sum::data_points : gauge::data_points, encode_point(head, each));
  if (sums) {
    of_kind.number(sum::aggregation_temporality, head.delta ? delta_temporality : cumulative_temporality);
    of_kind.number(sum::is_monotonic, 1);
  }
  whole.text(metric::name, points.front().name);
  whole.nested(sums ? metric::sum : metric::gauge, of_kind);
  return whole;
}

}  // namespace

std::vector<std::byte> encode_otlp(const OtlpHead& head, std::span<const Metric> metrics) {
  Message owner, scope, of_resource, data;
  for (const Label& label : head.resource) owner.nested(resource::attributes, encode(label));
  while (!metrics.empty()) {
    size_t points = 1;
    while (points < metrics.size() && metrics[points].name == metrics[0].name) ++points;
    scope.nested(scope_metrics::metrics, encode_metric(head, metrics.first(points)));
    metrics = metrics.subspan(points);
  }
  of_resource.nested(resource_metrics::resource, owner);
  of_resource.nested(resource_metrics::scope_metrics, scope);
  data.nested(metrics_data::resource_metrics, of_resource);
  return data.take();
}

}  // namespace kq::client
