#include "broker/config.hpp"
#include "tests/unit/cmocka.hpp"

using kq::broker::parse_properties;
using kq::broker::Settings;

static void assert_reads(const char* text, const Settings& expected) {
  const auto settings = parse_properties(text);
  assert_true(settings.ok());
  assert_true(*settings == expected);
}

static void key_and_value_are_parted_by_equals_colon_or_blanks(void**) {
  assert_reads("a=1\nb:2\nc 3\n  d \t= 4\ne : 5\nf\n", {{"a", "1"}, {"b", "2"}, {"c", "3"}, {"d", "4"}, {"e", "5"}, {"f", ""}});
}

static void values_keep_their_own_separators_and_trailing_blanks(void**) {
  assert_reads("listeners=PLAINTEXT://:9092\na==b\nc=x \n", {{"listeners", "PLAINTEXT://:9092"}, {"a", "=b"}, {"c", "x "}});
}

static void comments_and_empty_lines_are_left_out(void**) {
  assert_reads("# one\n\n   ! two\r\na=1 # not a comment\r\n", {{"a", "1 # not a comment"}});
}

static void a_line_goes_on_behind_a_backslash(void**) {
  assert_reads("a=1,\\\n    2,\\\r\n\t3\nb=4\\\\\nc=5", {{"a", "1,2,3"}, {"b", "4\\"}, {"c", "5"}});
}

static void escapes_are_those_of_java(void**) {
  assert_reads("a\\ b\\=c=\\t\\n\\:\\q\\u00e4\\u20ac\\ud83d\\ude00", {{"a b=c", "\t\n:q\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80"}});
  assert_false(parse_properties("a=\\u12g4").ok());
  assert_false(parse_properties("a=\\u12").ok());
}

static void the_later_of_two_lines_holds(void**) { assert_reads("a=1\na=2\n", {{"a", "2"}}); }

int main() {
  const CMUnitTest tests[] = {
      cmocka_unit_test(key_and_value_are_parted_by_equals_colon_or_blanks),
      cmocka_unit_test(values_keep_their_own_separators_and_trailing_blanks),
      cmocka_unit_test(comments_and_empty_lines_are_left_out),
      cmocka_unit_test(a_line_goes_on_behind_a_backslash),
      cmocka_unit_test(escapes_are_those_of_java),
      cmocka_unit_test(the_later_of_two_lines_holds),
  };
  return cmocka_run_group_tests_name("broker.properties", tests, nullptr, nullptr);
}
