#include "libkq/client/partition_loads.hpp"

#include <map>
#include <string>

#include "tests/unit/cmocka.hpp"

using namespace kq::client;

namespace {

PartitionLoads loads(const std::vector<std::pair<uint32_t, uint32_t>>& queues) {
  PartitionLoads table;
  for (const auto& [partition, queued] : queues) table.add(partition, queued);
  table.weigh();
  return table;
}

// "partition:how often" over every number that there is.
std::string frequencies(const PartitionLoads& table) {
  std::map<uint32_t, int> counts;
  for (uint64_t random = 0; random < table.total(); ++random) ++counts[table.pick(random)];
  std::string text;
  for (const auto& [partition, count] : counts)
    text += (text.empty() ? "" : " ") + std::to_string(partition) + ":" + std::to_string(count);
  return text;
}

}  // namespace

#define expect(what, text) assert_string_equal((what).c_str(), text)

static void the_shorter_a_queue_the_likelier_its_partition(void**) {
  const auto table = loads({{0, 5}, {1, 0}, {2, 3}, {3, 0}, {4, 1}});
  assert_int_equal(table.total(), 21);
  expect(frequencies(table), "0:1 1:6 2:3 3:6 4:5");
}

static void queues_of_one_length_are_all_alike(void**) {
  expect(frequencies(loads({{0, 0}, {1, 0}, {2, 0}})), "0:1 1:1 2:1");
  expect(frequencies(loads({{0, 7}, {1, 7}, {2, 7}})), "0:1 1:1 2:1");
}

static void partitions_that_are_left_out_are_never_given(void**) {
  expect(frequencies(loads({{1, 2}, {4, 0}})), "1:1 4:3");
  expect(frequencies(loads({{9, 3}})), "9:1");
}

static void a_larger_number_begins_anew(void**) {
  const auto table = loads({{0, 1}, {1, 0}});
  for (uint64_t random = 0; random < 9; ++random) assert_int_equal(table.pick(random), table.pick(random + 3 * table.total()));
  assert_int_equal(table.pick(UINT64_MAX), table.pick(UINT64_MAX % table.total()));
}

static void a_table_can_be_filled_again(void**) {
  auto table = loads({{0, 1}, {1, 0}});
  table.clear();
  assert_true(table.empty());
  assert_int_equal(table.total(), 0);
  table.add(2, 4);
  table.weigh();
  expect(frequencies(table), "2:1");
}

int main() {
  const CMUnitTest tests[] = {
      cmocka_unit_test(the_shorter_a_queue_the_likelier_its_partition),
      cmocka_unit_test(queues_of_one_length_are_all_alike),
      cmocka_unit_test(partitions_that_are_left_out_are_never_given),
      cmocka_unit_test(a_larger_number_begins_anew),
      cmocka_unit_test(a_table_can_be_filled_again),
  };
  return cmocka_run_group_tests_name("client.partition_loads", tests, nullptr, nullptr);
}
