#include "libkq/record/murmur2.hpp"

#include "tests/unit/record/vectors.hpp"

#include "tests/unit/cmocka.hpp"

using namespace kq;

static void every_key_goes_where_java_sends_it(void**) {
  for (const auto& line : test::vectors("murmur2.jsonl")) {
    const test::Memory key = test::from_hex(line.at("key").as_string());
    assert_int_equal(murmur2(key), line.at("hash").as_int64());
    for (const auto& [count, partition] : line.at("partitions").as_object())
      assert_int_equal(partition_for_key(key, std::stoi(std::string(count))), partition.as_int64());
  }
}

int main() {
  const CMUnitTest tests[] = {cmocka_unit_test(every_key_goes_where_java_sends_it)};
  return cmocka_run_group_tests_name("record.murmur2", tests, nullptr, nullptr);
}
