#include "libkq/record/varint.hpp"

#include <limits>

#include "libkq/base/random.hpp"
#include "tests/unit/cmocka.hpp"

using namespace kq;

static void both_widths_come_back_at_every_length(void**) {
  Random random(1);
  for (int bits = 1; bits <= 64; ++bits)
    for (int i = 0; i < 200; ++i) {
      const auto wanted = static_cast<int64_t>(random.next() >> (64 - bits));
      std::byte room[varlong_bytes_max];
      const std::byte* const end = write_varlong(room, wanted);
      assert_int_equal(end - room, varlong_size(wanted));
      const std::byte* at = room;
      int64_t read = 0;
      assert_true(read_varlong(at, end, read) && at == end);
      assert_true(read == wanted);

      const auto narrow = static_cast<int32_t>(wanted);
      const std::byte* const narrow_end = write_varint(room, narrow);
      assert_int_equal(narrow_end - room, varint_size(narrow));
      at = room;
      int32_t read_narrow = 0;
      assert_true(read_varint(at, narrow_end, read_narrow) && at == narrow_end);
      assert_int_equal(read_narrow, narrow);
    }
}

static void small_numbers_of_either_sign_are_one_byte(void**) {
  for (int32_t n = -64; n <= 63; ++n) assert_int_equal(varint_size(n), 1);
  assert_int_equal(varint_size(-65), 2);
  assert_int_equal(varint_size(64), 2);
  assert_int_equal(varint_size(std::numeric_limits<int32_t>::min()), varint_bytes_max);
  assert_int_equal(varlong_size(std::numeric_limits<int64_t>::min()), varlong_bytes_max);
}

static void a_number_cut_off_anywhere_is_refused(void**) {
  std::byte room[varlong_bytes_max];
  write_varlong(room, std::numeric_limits<int64_t>::min());
  for (size_t kept = 0; kept < varlong_bytes_max; ++kept) {
    const std::byte* at = room;
    int64_t read;
    assert_false(read_varlong(at, room + kept, read));
    assert_true(at <= room + kept);
  }
}

static void a_number_longer_than_its_type_is_refused(void**) {
  std::byte room[16];
  for (std::byte& byte : room) byte = std::byte{0x80};
  const std::byte* at = room;
  int32_t narrow;
  assert_false(read_varint(at, room + sizeof room, narrow));
  assert_int_equal(at - room, varint_bytes_max);
  at = room;
  int64_t wide;
  assert_false(read_varlong(at, room + sizeof room, wide));
  assert_int_equal(at - room, varlong_bytes_max);
}

int main() {
  const CMUnitTest tests[] = {
      cmocka_unit_test(both_widths_come_back_at_every_length),
      cmocka_unit_test(small_numbers_of_either_sign_are_one_byte),
      cmocka_unit_test(a_number_cut_off_anywhere_is_refused),
      cmocka_unit_test(a_number_longer_than_its_type_is_refused),
  };
  return cmocka_run_group_tests_name("record.varint", tests, nullptr, nullptr);
}
