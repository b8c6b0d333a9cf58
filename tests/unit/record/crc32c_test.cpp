#include "libkq/record/crc32c.hpp"

#include <vector>

#include "libkq/base/random.hpp"
#include "tests/unit/cmocka.hpp"

using namespace kq;

static void the_check_value_is_castagnolis(void**) {
  assert_int_equal(crc32c(as_bytes("123456789")), 0xe3069283);
  assert_int_equal(crc32c_table(0, as_bytes("123456789")), 0xe3069283);
  assert_int_equal(crc32c(Bytes{}), 0);
}

static std::vector<std::byte> noise(size_t size) {
  Random random(size);
  std::vector<std::byte> bytes(size);
  for (std::byte& byte : bytes) byte = static_cast<std::byte>(random.next());
  return bytes;
}

/* Lengths around every border of the interleaved streams, at every alignment. */
static void hardware_and_table_agree(void**) {
  if (!crc32c_has_hardware()) skip();
  const std::vector<std::byte> bytes = noise(40'000);
  for (const size_t around : {0, 8, 192, 384, 1536, 3072, 12288, 24576, 39'000})
    for (size_t size = around < 40 ? 0 : around - 40; size <= around + 40; ++size)
      for (const size_t skipped : {0, 1, 3, 7}) {
        const Bytes data = Bytes(bytes).subspan(skipped, size);
        assert_int_equal(crc32c_hardware(0, data), crc32c_table(0, data));
        assert_int_equal(crc32c_hardware(0xdeadbeef, data), crc32c_table(0xdeadbeef, data));
      }
}

static void it_goes_on_where_it_stopped(void**) {
  const std::vector<std::byte> bytes = noise(20'000);
  const uint32_t whole = crc32c(bytes);
  for (size_t cut = 0; cut <= bytes.size(); cut += 97)
    assert_int_equal(crc32c(crc32c(Bytes(bytes).first(cut)), Bytes(bytes).subspan(cut)), whole);
}

/* As though one had been taken of both: with the processor's help and without. */
static void two_are_joined(void**) {
  const std::vector<std::byte> bytes = noise(20'000);
  const uint32_t whole = crc32c(bytes);
  for (size_t cut = 0; cut <= bytes.size(); cut += 61) {
    const Bytes first = Bytes(bytes).first(cut), second = Bytes(bytes).subspan(cut);
    assert_int_equal(crc32c_joined(crc32c(first), crc32c(second), second.size()), whole);
    assert_int_equal(crc32c_joined_table(crc32c(first), crc32c(second), second.size()), whole);
  }
}

int main() {
  const CMUnitTest tests[] = {
      cmocka_unit_test(the_check_value_is_castagnolis),
      cmocka_unit_test(hardware_and_table_agree),
      cmocka_unit_test(it_goes_on_where_it_stopped),
      cmocka_unit_test(two_are_joined),
  };
  return cmocka_run_group_tests_name("record.crc32c", tests, nullptr, nullptr);
}
