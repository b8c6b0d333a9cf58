#include "libkq/client/statistics.hpp"

#include "tests/unit/cmocka.hpp"

using namespace kq;
using namespace kq::client;

static void quantiles_are_at_most_a_quarter_too_high(void**) {
  Histogram histogram;
  for (int64_t value = 1; value <= 1000; ++value) histogram.add(value);
  assert_int_equal(histogram.count(), 1000);
  assert_int_equal(histogram.mean(), 500);
  assert_int_equal(histogram.max(), 1000);
  for (const int in_thousand : {10, 500, 950, 990}) {
    const int64_t value = histogram.quantile(in_thousand);
    assert_true(value >= in_thousand && value <= in_thousand + in_thousand / 4 + 1);
  }
  assert_int_equal(histogram.quantile(1000), 1000);
}

static void an_empty_histogram_and_extreme_values_do_no_harm(void**) {
  Histogram histogram;
  assert_int_equal(histogram.quantile(990), 0);
  assert_int_equal(histogram.mean(), 0);
  histogram.add(-5);
  assert_int_equal(histogram.quantile(500), 0);
  histogram.add(INT64_MAX);
  assert_true(histogram.quantile(1000) > 0 && histogram.max() == INT64_MAX);
}

static void buckets_hold_all_values_in_order(void**) {
  Histogram histogram;
  for (int64_t value : {0, 1, 3, 4, 5, 7, 8, 100, 101, 1 << 20}) histogram.add(value);
  int64_t before = -1, total = 0;
  histogram.each([&](int64_t up_to, int64_t count) {
    assert_true(up_to > before);
    before = up_to;
    total += count;
  });
  assert_int_equal(total, 10);
  assert_true(before >= 1 << 20);
}

static void what_has_come_since_and_what_others_have_seen(void**) {
  Histogram histogram;
  histogram.add(1000);
  const Histogram before = histogram;
  histogram.add(10);
  histogram.add(20);
  const Histogram recent = histogram.since(before);
  assert_int_equal(recent.count(), 2);
  assert_true(recent.average() == 15);
  assert_in_range(recent.max(), 20, 25);
  assert_int_equal(histogram.since(histogram).count(), 0);
  Histogram sum = before;
  sum.add(recent);
  assert_int_equal(sum.count(), 3);
  assert_int_equal(sum.max(), 1000);
  assert_int_equal(sum.mean(), histogram.mean());
}

static void a_request_is_in_flight_until_it_has_ended(void**) {
  SimulatedTime time;
  Clock::simulate(&time);
  NodeTraffic node;
  node.began();
  node.began();
  const Instant begun = Clock::now();
  time.monotonic += 3ms;
  node.ended(begun, true);
  node.ended(begun, false);
  assert_int_equal(node.in_flight, 0);
  assert_int_equal(node.failures, 1);
  assert_int_equal(node.latency_us.count(), 1);
  assert_int_equal(node.latency_us.max(), 3000);
  Clock::simulate(nullptr);
}

int main() {
  const CMUnitTest tests[] = {
      cmocka_unit_test(quantiles_are_at_most_a_quarter_too_high),
      cmocka_unit_test(an_empty_histogram_and_extreme_values_do_no_harm),
      cmocka_unit_test(buckets_hold_all_values_in_order),
      cmocka_unit_test(what_has_come_since_and_what_others_have_seen),
      cmocka_unit_test(a_request_is_in_flight_until_it_has_ended),
  };
  return cmocka_run_group_tests_name("client.statistics", tests, nullptr, nullptr);
}
