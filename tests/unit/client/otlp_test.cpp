// The bytes of pushed metrics, and which metrics there are.
#include "libkq/client/otlp.hpp"

#include "libkq/client/measurements.hpp"
#include "tests/unit/cmocka.hpp"

using namespace kq;
using namespace kq::client;

namespace {

std::string hex(Bytes bytes) {
  static constexpr char digits[] = "0123456789abcdef";
  std::string text;
  for (const std::byte each : bytes) text += digits[static_cast<int>(each) >> 4], text += digits[static_cast<int>(each) & 15];
  return text;
}

// "name value{key=value}" of each.
std::string told(std::span<const Metric> metrics) {
  std::string text;
  for (const Metric& each : metrics) {
    char value[32];
    std::snprintf(value, sizeof value, "%g", each.value);
    text += each.name + (each.kind == Metric::Kind::sum ? " += " : " = ") + value;
    for (const Label& label : each.labels) text += " " + label.key + "=" + label.value;
    text += "\n";
  }
  return text;
}

const std::vector<std::string> everything{""};

}  // namespace

#define expect(what, text) assert_string_equal((what).c_str(), text)

static void a_gauge_and_a_sum_have_these_bytes(void**) {
  OtlpHead head;
  head.resource = {{"k", "v"}};
  head.from_ns = 1;
  head.to_ns = 0x0102030405060708;
  head.delta = true;
  const Metric metrics[] = {{"a.b", Metric::Kind::gauge, 1.5, {{"n", "1"}}}, {"c", Metric::Kind::sum, 3}};
  expect(hex(encode_otlp(head, metrics)),
         "0a5d"  // resource_metrics
         "0a0a"
         "0a08"
         "0a016b"
         "1203"
         "0a0176"  // resource: attribute k = v
         "124f"    // scope_metrics
         "1225"
         "0a03612e62"  // metric a.b
         "2a1e"
         "0a1c"                // gauge, its point
         "190807060504030201"  // when
         "21000000000000f83f"  // 1.5
         "3a08"
         "0a016e"
         "1203"
         "0a0131"  // n = 1
         "1226"
         "0a0163"  // metric c
         "3a21"
         "0a1b"  // sum, its point
         "110100000000000000"
         "190807060504030201"  // since when, when
         "210000000000000840"  // 3
         "1001"
         "1801");  // delta, monotonic
}

static void points_of_one_name_are_one_metric(void**) {
  const Metric metrics[] = {
      {"a", Metric::Kind::gauge, 1, {{"n", "1"}}}, {"a", Metric::Kind::gauge, 2, {{"n", "2"}}}, {"b", Metric::Kind::gauge, 3}};
  const std::string text = hex(encode_otlp({}, metrics));
  size_t names = 0;
  for (size_t at = text.find("0a0161"); at != text.npos; at = text.find("0a0161", at + 1)) ++names;
  assert_int_equal(names, 1);
}

static void nothing_is_an_empty_resource(void**) { expect(hex(encode_otlp({}, {})), "0a040a001200"); }

static void a_length_may_take_several_bytes(void**) {
  const std::string name(300, 'x');
  const Metric metrics[] = {{name, Metric::Kind::gauge, 0}};
  const std::string text = hex(encode_otlp({}, metrics));
  assert_true(text.find("0aac02" + hex(as_bytes(name))) != text.npos);
}

static void averages_and_rates_are_those_since_the_last_push(void**) {
  MetricsMaker maker("p.");
  Measurements seen;
  seen.counts = {{"sent", 10}};
  seen.levels = {{"parts", 4}};
  seen.nodes[1].latency_us.add(1000);
  maker.begin(Instant(0s), seen);
  seen.counts = {{"sent", 30}};
  seen.nodes[1].latency_us.add(3000);
  seen.nodes[1].latency_us.add(3000);
  seen.nodes[2];
  expect(told(maker.make(Instant(10s), seen, everything, true)),
         "p.sent.rate = 2\np.sent.total += 20\np.node.request.latency.avg = 3 node_id=1\np.node.request.latency.max = 3 "
         "node_id=1\np.parts = 4\n");
  expect(told(maker.make(Instant(20s), seen, everything, false)), "p.sent.rate = 0\np.sent.total += 30\np.parts = 4\n");
}

static void only_what_is_asked_for_is_told(void**) {
  MetricsMaker maker("org.apache.kafka.producer.");
  Measurements seen;
  seen.counts = {{"record.send", 1}, {"connection.creation", 2}};
  const std::vector<std::string> asked{"org.apache.kafka.producer.connection.creation.total", "org.apache.kafka.consumer."};
  expect(told(maker.make(Instant(1s), seen, asked, true)), "org.apache.kafka.producer.connection.creation.total += 2\n");
  expect(told(maker.make(Instant(2s), seen, {}, true)), "");
  assert_true(MetricsMaker::is_asked("any", std::vector<std::string>{"*"}));
  assert_true(MetricsMaker::is_asked("any", std::vector<std::string>{""}));
  assert_false(MetricsMaker::is_asked("any", std::vector<std::string>{"anything"}));
}

int main() {
  const CMUnitTest tests[] = {
      cmocka_unit_test(a_gauge_and_a_sum_have_these_bytes),
      cmocka_unit_test(points_of_one_name_are_one_metric),
      cmocka_unit_test(nothing_is_an_empty_resource),
      cmocka_unit_test(a_length_may_take_several_bytes),
      cmocka_unit_test(averages_and_rates_are_those_since_the_last_push),
      cmocka_unit_test(only_what_is_asked_for_is_told),
  };
  return cmocka_run_group_tests_name("client.otlp", tests, nullptr, nullptr);
}
