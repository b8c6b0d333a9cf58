// Values of the consumer's options that are more than a number or a choice.
#include "libkq/client/offset_reset.hpp"

#include "libkq/client/config.hpp"
#include "libkq/client/fetcher.hpp"
#include "tests/unit/cmocka.hpp"

using namespace kq;
using namespace kq::client;

static void durations_are_read_as_iso_8601_writes_them(void**) {
  assert_true(*parse_duration("PT24H") == 24h);
  assert_true(*parse_duration("P7D") == 7 * 24h);
  assert_true(*parse_duration("P1DT2H3M4.5S") == 26h + 3min + 4500ms);
  assert_true(*parse_duration("pt15m") == 15min);
  for (const char* wrong : {"", "P", "PT", "24H", "PT24", "PT-1H", "P1H", "PT1D", "PT1X", "P1DT", "PTH", "PT1e9H1", "PT99999999999H"})
    assert_false(parse_duration(wrong).ok());
}

static void where_to_begin_is_said_in_kafkas_words_and_in_librdkafkas(void**) {
  assert_int_equal(OffsetReset::parse("latest")->spec, offset_spec::latest);
  assert_int_equal(OffsetReset::parse("beginning")->spec, offset_spec::earliest);
  assert_int_equal(OffsetReset::parse("none")->spec, offset_spec::by_policy);
  const auto back = OffsetReset::parse("by_duration:PT1H");
  assert_true(back->spec == offset_spec::by_duration && back->back == 1h);
  assert_false(OffsetReset::parse("by_duration:soon").ok());
  assert_false(OffsetReset::parse("middle").ok());
}

static void assignors_have_kafkas_names_and_those_of_javas_classes(void**) {
  assert_true(configured_assignor("cooperative-sticky") == Assignor::cooperative_sticky);
  assert_true(configured_assignor("org.apache.kafka.clients.consumer.RangeAssignor") == Assignor::range);
  assert_false(configured_assignor("fair").has_value());
}

static void a_consumers_options_are_checked_together(void**) {
  const auto parse = [](std::vector<Setting> settings) {
    settings.emplace_back("bootstrap.servers", "localhost:9092");
    return Config::parse(Role::consumer, settings).ok();
  };
  assert_true(parse({{"group.id", "g"}, {"auto.offset.reset", "by_duration:P1D"}}));
  assert_false(parse({{"auto.offset.reset", "sometimes"}}));
  assert_false(parse({{"partition.assignment.strategy", "range,fair"}}));
  assert_false(parse({{"group.protocol", "consumer"}, {"partition.assignment.strategy", "range"}}));
  assert_false(parse({{"session.timeout.ms", "3000"}, {"heartbeat.interval.ms", "3000"}}));
}

int main() {
  const CMUnitTest tests[] = {
      cmocka_unit_test(durations_are_read_as_iso_8601_writes_them),
      cmocka_unit_test(where_to_begin_is_said_in_kafkas_words_and_in_librdkafkas),
      cmocka_unit_test(assignors_have_kafkas_names_and_those_of_javas_classes),
      cmocka_unit_test(a_consumers_options_are_checked_together),
  };
  return cmocka_run_group_tests_name("client.offset_reset", tests, nullptr, nullptr);
}
