#include "cli/text.hpp"

#include <cstdlib>
#include <ctime>
#include <limits>

#include "tests/unit/cmocka.hpp"

using namespace kq::cli;

static constexpr int64_t now = 1'714'557'600'000;  // 2024-05-01T10:00:00Z

static void numbers_are_grouped_by_thousands(void**) {
  assert_string_equal(grouped(0).c_str(), "0");
  assert_string_equal(grouped(999).c_str(), "999");
  assert_string_equal(grouped(1000).c_str(), "1,000");
  assert_string_equal(grouped(-1234567).c_str(), "-1,234,567");
  assert_string_equal(grouped(std::numeric_limits<int64_t>::min()).c_str(), "-9,223,372,036,854,775,808");
}

static void one_is_no_plural(void**) {
  assert_string_equal(counted(1, "record").c_str(), "1 record");
  assert_string_equal(counted(0, "record").c_str(), "0 records");
  assert_string_equal(counted(12345, "record").c_str(), "12,345 records");
}

static void sizes_keep_two_figures_and_a_unit(void**) {
  assert_string_equal(human_bytes(0).c_str(), "0 B");
  assert_string_equal(human_bytes(999).c_str(), "999 B");
  assert_string_equal(human_bytes(999.6).c_str(), "1.0 kB");
  assert_string_equal(human_bytes(12'345).c_str(), "12.3 kB");
  assert_string_equal(human_bytes(380'071).c_str(), "380 kB");
  assert_string_equal(human_bytes(5e9).c_str(), "5.0 GB");
}

static void a_time_is_read_in_every_form_that_help_names(void**) {
  setenv("TZ", "UTC-2", 1);  // two hours east
  tzset();
  assert_int_equal(*parse_time("1714557600000", now), now);
  assert_int_equal(*parse_time("2024-05-01T10:00:00Z", now), now);
  assert_int_equal(*parse_time("2024-05-01T12:00:00+02:00", now), now);
  assert_int_equal(*parse_time("2024-05-01T10:00:00.250Z", now), now + 250);
  assert_int_equal(*parse_time("2024-05-01T12:00:00", now), now);
  assert_int_equal(*parse_time("2024-05-01", now), now - 12 * 3'600'000);
  assert_int_equal(*parse_time("15m", now), now - 15 * 60'000);
  assert_int_equal(*parse_time("1d", now), now - 86'400'000);
}

static void what_is_no_time_is_refused(void**) {
  for (const char* text : {"", "m", "yesterday", "-5m", "2024-05-01T10:00:00 or so", "5y", "2024-13-01"})
    assert_false(parse_time(text, now).has_value());
}

static void times_are_shown_in_utc(void**) {
  assert_string_equal(iso_time(now + 7).c_str(), "2024-05-01T10:00:00.007Z");
  assert_string_equal(iso_time(-1).c_str(), "1969-12-31T23:59:59.999Z");
}

static void escapes_are_understood_and_unknown_ones_refused(void**) {
  assert_true(*unescape("a\\tb\\n\\x1f\\\\") == "a\tb\n\x1f\\");
  assert_true(*unescape("\\0") == std::string(1, '\0'));
  for (const char* text : {"\\", "\\q", "\\x1", "\\xzz"}) assert_false(unescape(text).has_value());
}

static void only_proper_utf8_passes_as_text(void**) {
  for (const char* text : {"", "plain", "Grüße", "дерево", "\xf0\x9f\x8c\xb3"}) assert_true(valid_utf8(text));
  for (const char* text : {"\xff", "\xc0\x80", "\xe2\x82", "\xed\xa0\x80", "\xf4\x90\x80\x80", "a\x80"})
    assert_false(valid_utf8(text));
}

static void base64_goes_both_ways_at_every_length(void**) {
  std::string bytes;
  for (int i = 0; i < 300; ++i) {
    assert_true(from_base64(base64(bytes)) == bytes);
    bytes += static_cast<char>(i * 37);
  }
  assert_string_equal(base64("f").c_str(), "Zg==");
  assert_string_equal(base64("foobar").c_str(), "Zm9vYmFy");
  assert_false(from_base64("a").has_value());
  assert_false(from_base64("Zg=!").has_value());
}

int main() {
  const CMUnitTest tests[] = {
      cmocka_unit_test(numbers_are_grouped_by_thousands),
      cmocka_unit_test(one_is_no_plural),
      cmocka_unit_test(sizes_keep_two_figures_and_a_unit),
      cmocka_unit_test(a_time_is_read_in_every_form_that_help_names),
      cmocka_unit_test(what_is_no_time_is_refused),
      cmocka_unit_test(times_are_shown_in_utc),
      cmocka_unit_test(escapes_are_understood_and_unknown_ones_refused),
      cmocka_unit_test(only_proper_utf8_passes_as_text),
      cmocka_unit_test(base64_goes_both_ways_at_every_length),
  };
  return cmocka_run_group_tests_name("cli.text", tests, nullptr, nullptr);
}
