// Where epochs begin and end, as Kafka's LeaderEpochFileCache answers it.
#include "broker/log/epoch_cache.hpp"

#include "tests/unit/cmocka.hpp"

using namespace kq::log;

namespace {

EpochCache three() {
  EpochCache cache;
  cache.assign(2, 10);
  cache.assign(4, 20);
  cache.assign(7, 30);
  return cache;
}

void an_epoch_ends_where_the_next_one_begins(void**) {
  const EpochCache cache = three();
  assert_true((cache.end_offset_for(2, 99) == EpochEnd{2, 20}));
  assert_true((cache.end_offset_for(4, 99) == EpochEnd{4, 30}));
  assert_true((cache.end_offset_for(7, 99) == EpochEnd{7, 99}));        // the latest: where the log ends
}

void an_epoch_that_nobody_led_is_answered_by_the_one_below(void**) {
  const EpochCache cache = three();
  assert_true((cache.end_offset_for(5, 99) == EpochEnd{4, 30}));
  assert_true((cache.end_offset_for(1, 99) == EpochEnd{1, 10}));        // below all: the records are gone
  assert_true((cache.end_offset_for(8, 99) == EpochEnd{}));
  assert_true((cache.end_offset_for(-1, 99) == EpochEnd{}));
  assert_true((EpochCache{}.end_offset_for(0, 0) == EpochEnd{}));
}

void a_leadership_without_records_is_known_until_the_next_begins_there(void**) {
  EpochCache cache = three();
  assert_true(cache.assign(8, 50));
  assert_true((cache.end_offset_for(7, 50) == EpochEnd{7, 50}));
  assert_true((cache.end_offset_for(8, 50) == EpochEnd{8, 50}));
  assert_true(cache.assign(9, 50));
  assert_int_equal(cache.entries().size(), 4);
  assert_true((cache.end_offset_for(8, 60) == EpochEnd{7, 50}));
}

void what_contradicts_a_new_entry_goes(void**) {
  EpochCache cache = three();
  assert_false(cache.assign(7, 35));                                    // known, from earlier on
  assert_true(cache.assign(7, 25));                                     // known, but it began sooner
  assert_true((cache.entries() == std::vector<EpochEntry>{{2, 10}, {4, 20}, {7, 25}}));
  assert_true(cache.assign(3, 15));
  assert_true((cache.entries() == std::vector<EpochEntry>{{2, 10}, {3, 15}}));
}

void both_ends_can_be_cut(void**) {
  EpochCache cache = three();
  assert_true(cache.truncate_from_end(30));
  assert_int_equal(*cache.latest(), 4);
  assert_false(cache.truncate_from_end(30));
  assert_true(cache.truncate_from_start(25));
  assert_true((cache.entries() == std::vector<EpochEntry>{{4, 25}}));
  assert_false(cache.truncate_from_start(25));
  assert_false(cache.truncate_from_start(5));
}

void the_epoch_at_an_offset(void**) {
  const EpochCache cache = three();
  assert_false(cache.epoch_at(9).has_value());
  assert_int_equal(*cache.epoch_at(10), 2);
  assert_int_equal(*cache.epoch_at(29), 4);
  assert_int_equal(*cache.epoch_at(1000), 7);
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {
      cmocka_unit_test(an_epoch_ends_where_the_next_one_begins),
      cmocka_unit_test(an_epoch_that_nobody_led_is_answered_by_the_one_below),
      cmocka_unit_test(a_leadership_without_records_is_known_until_the_next_begins_there),
      cmocka_unit_test(what_contradicts_a_new_entry_goes),
      cmocka_unit_test(both_ends_can_be_cut),
      cmocka_unit_test(the_epoch_at_an_offset),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
