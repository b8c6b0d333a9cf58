#include <cstring>

#include "cli/handles.hpp"
#include "cli/record_format.hpp"
#include "cli/record_json.hpp"
#include "tests/unit/cmocka.hpp"

using namespace kq::cli;

static const kq_header two_headers[] = {{"trace", 5, "7f", 2}, {"none", 4, nullptr, 0}};

static kq_record sample() {
  kq_record record = KQ_RECORD_INIT;
  record.topic = "orders";
  record.partition = 3;
  record.offset = 42;
  record.timestamp_ms = 1'714'557'600'123;
  record.key = "k\"1";
  record.key_len = 3;
  record.value = "\xff\x00";
  record.value_len = 2;
  record.headers = two_headers;
  record.header_count = 2;
  record.leader_epoch = 5;
  return record;
}

static void a_record_is_a_line_of_json(void**) {
  std::string line;
  append_json(line, sample());
  assert_string_equal(line.c_str(),
                      "{\"topic\":\"orders\",\"partition\":3,\"offset\":42,\"timestamp\":1714557600123,\"key\":\"k\\\"1\","
                      "\"value_base64\":\"/wA=\","
                      "\"headers\":[{\"key\":\"trace\",\"value\":\"7f\"},{\"key\":\"none\",\"value\":null}]}\n");
}

static void what_json_shows_can_be_sent_again(void**) {
  std::string line;
  append_json(line, sample());
  JsonRecord parsed;
  assert_string_equal(parsed.parse(line).c_str(), "");
  assert_true(parsed.topic == "orders" && parsed.partition == 3 && parsed.timestamp_ms == 1'714'557'600'123);
  assert_true(parsed.key == "k\"1" && parsed.value == std::string("\xff\x00", 2));
  const auto& headers = parsed.headers();
  assert_int_equal(headers.size(), 2);
  assert_memory_equal(headers[0].value, "7f", 2);
  assert_null(headers[1].value);
}

static void a_line_that_is_no_record_is_refused_with_the_reason(void**) {
  JsonRecord parsed;
  for (const char* line :
       {"", "{", "[]", "7", R"({"key":7})", R"({"value_base64":"%"})", R"({"partition":"x"})", R"({"partition":99999999999})",
        R"({"headers":{}})", R"({"headers":[{"value":"x"}]})", R"({"timestamp":1.5})"})
    assert_true(!parsed.parse(line).empty());
}

static void a_later_line_forgets_the_earlier_one(void**) {
  JsonRecord parsed;
  assert_true(parsed.parse(R"({"key":"a","value":"b","partition":1,"headers":[{"key":"x","value":"y"}]})").empty());
  assert_true(parsed.parse("{}").empty());
  assert_true(!parsed.key && !parsed.value && !parsed.partition && parsed.headers().empty());
}

static void a_format_shows_every_part_of_a_record(void**) {
  std::string out;
  RecordFormat("%t %p %o %e %T %d %k %K %V %h %%\\t", "-").append(out, sample());
  assert_string_equal(out.c_str(), "orders 3 42 5 1714557600123 2024-05-01T10:00:00.123Z k\"1 3 2 trace=7f,none=- %\t");
}

static void null_is_shown_as_asked_for_and_empty_as_empty(void**) {
  kq_record record = sample();
  record.key = nullptr;
  record.key_len = 0;
  record.value = "";
  record.value_len = 0;
  std::string out;
  RecordFormat("%k/%K/%v/%V", "NULL").append(out, record);
  assert_string_equal(out.c_str(), "NULL/-1//0");
}

static void a_format_that_is_not_understood_is_refused(void**) {
  for (const char* format : {"%", "%z", "\\q"}) {
    int status = exit_done;
    try {
      const RecordFormat refused(format, "");
    } catch (const Failure& failure) {
      status = failure.status;
    }
    assert_int_equal(status, exit_usage);
  }
}

int main() {
  const CMUnitTest tests[] = {
      cmocka_unit_test(a_record_is_a_line_of_json),
      cmocka_unit_test(what_json_shows_can_be_sent_again),
      cmocka_unit_test(a_line_that_is_no_record_is_refused_with_the_reason),
      cmocka_unit_test(a_later_line_forgets_the_earlier_one),
      cmocka_unit_test(a_format_shows_every_part_of_a_record),
      cmocka_unit_test(null_is_shown_as_asked_for_and_empty_as_empty),
      cmocka_unit_test(a_format_that_is_not_understood_is_refused),
  };
  return cmocka_run_group_tests_name("cli.record", tests, nullptr, nullptr);
}
