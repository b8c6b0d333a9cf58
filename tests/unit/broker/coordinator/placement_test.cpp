#include "broker/coordinator/placement.hpp"

#include "tests/unit/record/vectors.hpp"

#include "tests/unit/cmocka.hpp"

namespace {

namespace json = boost::json;

using namespace kq;
using namespace kq::coordinator;

void keys_hash_as_in_java(void**) {
  size_t count = 0;
  for (const json::object& line : test::vectors("coordinator_partition.jsonl")) {
    const std::string_view id = line.at("id").as_string();
    assert_int_equal(java_hash(id), line.at("hash").to_number<int32_t>());
    for (const auto& [partitions, index] : line.at("partitions").as_object())
      assert_int_equal(partition_of(id, std::stoi(std::string(partitions))), index.to_number<int32_t>());
    ++count;
  }
  assert_true(count > 5);
}

void what_is_no_utf8_counts_as_the_replacement_character(void**) {
  assert_int_equal(java_hash("\xff"), 0xFFFD);
  assert_int_equal(java_hash("a\xc3"), 31 * 'a' + 0xFFFD);
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {
      cmocka_unit_test(keys_hash_as_in_java),
      cmocka_unit_test(what_is_no_utf8_counts_as_the_replacement_character),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
