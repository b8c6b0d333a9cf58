#include "libkq/base/uuid.hpp"

#include "tests/unit/cmocka.hpp"

using kq::Uuid;

static void text_is_22_characters_and_parses_back(void**) {
  for (int i = 0; i < 1000; ++i) {
    const Uuid id = Uuid::random();
    assert_int_equal(id.text().size(), 22);
    assert_true(Uuid::parse(id.text()) == id);
    assert_true(id.text().front() != '-');
  }
}

static void the_metadata_topic_has_kafkas_text(void**) {
  assert_string_equal(kq::metadata_topic_id.text().c_str(), "AAAAAAAAAAAAAAAAAAAAAQ");
  assert_true(Uuid::parse("AAAAAAAAAAAAAAAAAAAAAQ") == kq::metadata_topic_id);
}

static void other_texts_are_refused(void**) {
  assert_false(Uuid::parse("").has_value());
  assert_false(Uuid::parse("AAAAAAAAAAAAAAAAAAAAA").has_value());
  assert_false(Uuid::parse("AAAAAAAAAAAAAAAAAAAAA=").has_value());
  assert_false(Uuid::parse("AAAAAAAAAAAAAAAAAAAAAA=").has_value());
}

int main() {
  const CMUnitTest tests[] = {
      cmocka_unit_test(text_is_22_characters_and_parses_back),
      cmocka_unit_test(the_metadata_topic_has_kafkas_text),
      cmocka_unit_test(other_texts_are_refused),
  };
  return cmocka_run_group_tests_name("base.uuid", tests, nullptr, nullptr);
}
