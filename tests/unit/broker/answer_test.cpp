#include "broker/answer.hpp"

#include <string>

#include "tests/unit/cmocka.hpp"

using namespace kq;
using namespace kq::broker;

namespace {

std::vector<std::byte> bytes_of(std::string_view text) {
  const Bytes bytes = as_bytes(text);
  return {bytes.begin(), bytes.end()};
}

// "head" <memory "records"> "mid" <file of 5 at 100> "tail"
struct Fixture {
  Encoded frame{.bytes = bytes_of("headmidtail"),
                .splices = {{.at = 4, .bytes = as_bytes("records"), .external_size = 0, .external_id = 0},
                            {.at = 7, .bytes = {}, .external_size = 5, .external_id = 0}}};
  std::vector<FileSlice> slices{{.file = nullptr, .position = 100, .size = 5}};
};

std::string told(Answer answer) {
  std::string text;
  while (const auto piece = answer.next())
    text += piece->file ? "<" + std::to_string(piece->position) + "+" + std::to_string(piece->size) + ">" : std::string(as_text(piece->bytes)) + "|";
  return text;
}

}  // namespace

static void pieces_come_in_the_order_of_the_wire(void**) {
  Fixture f;
  assert_string_equal(told(Answer(f.frame, f.slices)).c_str(), "head|records|mid|<100+5>tail|");
}

static void it_goes_on_where_the_kernel_stopped(void**) {
  Fixture f;
  Answer answer(f.frame, f.slices);
  answer.advance(3);
  assert_string_equal(told(answer).c_str(), "d|records|mid|<100+5>tail|");
  answer.advance(1);
  answer.advance(4);
  assert_string_equal(told(answer).c_str(), "rds|mid|<100+5>tail|");
  answer.advance(3);
  answer.advance(3);
  answer.advance(2);
  assert_string_equal(told(answer).c_str(), "<102+3>tail|");
  answer.advance(3);
  answer.advance(4);
  assert_true(answer.at_end());
  assert_string_equal(told(answer).c_str(), "");
}

static void records_at_the_very_end_are_sent(void**) {
  Encoded frame{.bytes = bytes_of("head"), .splices = {{.at = 4, .bytes = as_bytes("records"), .external_size = 0, .external_id = 0}}};
  const std::vector<FileSlice> none;
  Answer answer(frame, none);
  assert_string_equal(told(answer).c_str(), "head|records|");
  answer.advance(4);
  assert_false(answer.at_end());
  answer.advance(7);
  assert_true(answer.at_end());
}

static void nothing_to_send_is_at_its_end(void**) { assert_true(Answer().at_end()); }

int main() {
  const CMUnitTest tests[] = {
      cmocka_unit_test(pieces_come_in_the_order_of_the_wire),
      cmocka_unit_test(it_goes_on_where_the_kernel_stopped),
      cmocka_unit_test(records_at_the_very_end_are_sent),
      cmocka_unit_test(nothing_to_send_is_at_its_end),
  };
  return cmocka_run_group_tests_name("broker.answer", tests, nullptr, nullptr);
}
