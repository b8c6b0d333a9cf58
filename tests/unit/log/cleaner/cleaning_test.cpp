// Stories of compaction: which records, markers and empty batches are left.  What holds whatever happens is in cleaning_model_test.cpp.
#include "tests/unit/log/cleaner/support.hpp"
#include "tests/unit/cmocka.hpp"

using namespace kq;
using namespace kq::log;
using namespace kq::test;

namespace {

constexpr int64_t day_ms = 86'400'000;

void the_newest_of_every_key_is_left(void**) {
  CompactedBed bed;
  for (const char* key : {"a", "b", "a", "c", "a"}) bed.add(key, "1");
  bed.roll();
  bed.add("b", "2");
  bed.roll();
  bed.add("a", "9");                                     // the active segment is not looked at
  assert_true(bed.clean());
  assert_string_equal(bed.all().c_str(), "3:c=1 4:a=1 5:b=2 6:a=9");
  assert_int_equal(*bed.checkpoint, 6);
  assert_int_equal(bed.log->segment_count(), 2);         // both closed ones became one
}

void what_remains_of_a_batch_keeps_its_offsets_and_its_codec(void**) {
  for (const Codec codec : {Codec::none, Codec::gzip, Codec::snappy, Codec::lz4, Codec::zstd}) {
    CompactedBed bed;
    bed.add({.records = {{"a", "1"}, {"b", "1"}, {"c", "1"}}, .timestamp = bed.now_ms, .codec = codec});
    bed.roll();
    bed.add("b", "2");
    bed.roll();
    assert_true(bed.clean());
    assert_string_equal(bed.all().c_str(), "0:a=1 2:c=1 3:b=2");
    const Memory left = bed.read_all();
    Bytes rest = left;
    BatchView first;
    assert_true(next_batch(rest, first) == Step::batch);
    assert_true(first.codec() == codec && first.check_crc());
    assert_int_equal(first.last_offset(), 2);
    assert_int_equal(first.count(), 2);
  }
}

void a_tombstone_stays_until_its_horizon_has_passed(void**) {
  CompactedBed bed{{.delete_retention_ms = day_ms}};
  bed.add("a", "1");
  bed.add("a", std::nullopt);
  bed.add("z", "1");
  bed.roll();
  bed.add("b", "1");
  assert_true(bed.clean());
  assert_string_equal(bed.all().c_str(), "1:a=- 2:z=1 3:b=1");
  bed.now_ms += day_ms - 1;
  bed.roll();
  assert_true(bed.clean());
  assert_string_equal(bed.all().c_str(), "1:a=- 2:z=1 3:b=1");
  bed.now_ms += 1;
  bed.add("b", "2");
  bed.roll();
  assert_true(bed.clean());
  assert_string_equal(bed.all().c_str(), "2:z=1 4:b=2");
}

void aborted_records_go_and_their_marker_after_them(void**) {
  CompactedBed bed{{.delete_retention_ms = day_ms}};
  bed.add({.records = {{"a", "aborted"}}, .producer_id = 7, .producer_epoch = 0, .sequence = 0, .transactional = true});
  bed.add("a", "before");
  bed.end_transaction(7, false);
  bed.add({.records = {{"k", "next"}}, .producer_id = 7, .producer_epoch = 0, .sequence = 1, .transactional = true});
  bed.end_transaction(7, true);
  bed.roll();
  bed.add("z", "1");
  assert_true(bed.clean());
  assert_string_equal(bed.all().c_str(), "1:a=before 2!abort 3:k=next 4!commit 5:z=1");
  assert_int_equal(bed.log->aborted_between(0, 10)->size(), 1);         // the marker is there, and so is its entry
  bed.roll();
  assert_true(bed.clean());                              // no record of it was met: its horizon begins
  assert_string_equal(bed.all().c_str(), "1:a=before 2!abort 3:k=next 4!commit 5:z=1");
  assert_int_equal(bed.log->aborted_between(0, 10)->size(), 0);
  bed.now_ms += day_ms;
  bed.add("z", "2");
  bed.roll();
  assert_true(bed.clean());
  assert_string_equal(bed.all().c_str(), "1:a=before 3:k=next 4!commit 6:z=2");
}

void nothing_is_cleaned_at_or_above_an_open_transaction(void**) {
  CompactedBed bed;
  bed.add("a", "1");
  bed.add("a", "2");
  bed.roll();
  bed.add({.records = {{"t", "1"}}, .producer_id = 7, .producer_epoch = 0, .sequence = 0, .transactional = true});
  bed.add("a", "3");
  bed.roll();
  bed.add("a", "4");
  assert_int_equal(bed.plan().first_uncleanable, 2);
  assert_true(bed.plan().waits);
  assert_true(bed.clean());
  assert_string_equal(bed.all().c_str(), "1:a=2 2:t=1 3:a=3 4:a=4");
}

void the_last_sequence_of_an_active_producer_stays(void**) {
  CompactedBed bed;
  bed.add({.records = {{"a", "1"}, {"b", "1"}}, .timestamp = bed.now_ms, .producer_id = 7, .producer_epoch = 3, .sequence = 0});
  bed.add({.records = {{"a", "2"}, {"b", "2"}}, .timestamp = bed.now_ms, .producer_id = 7, .producer_epoch = 3, .sequence = 2});
  bed.roll();
  bed.add("a", "3");
  bed.add("b", "3");
  bed.roll();
  assert_true(bed.clean());
  assert_string_equal(bed.all().c_str(), "[2-3] 4:a=3 5:b=3");
  // From the log alone: what a lost snapshot would have to be made of.
  assert_true(bed.flush(FlushKind::recovery_point).ok());
  const auto entries = bed.files.list("/data/t-0");
  for (const auto& entry : *entries)
    if (entry.name.ends_with(".snapshot")) assert_true(bed.files.remove("/data/t-0/" + entry.name).ok());
  bed.open(false);
  const Producer* producer = bed.log->producers().find(7);
  assert_non_null(producer);
  assert_int_equal(producer->last_sequence(), 3);
  assert_int_equal(producer->epoch, 3);
}

void the_last_batch_of_the_round_stays_even_if_it_is_empty(void**) {
  CompactedBed bed;
  bed.add("a", "1");
  bed.add({.records = {{std::nullopt, "keyless"}}, .timestamp = bed.now_ms});        // from before the topic was compacted
  bed.roll();
  bed.add("a", "2");
  assert_true(bed.clean());
  assert_string_equal(bed.all().c_str(), "0:a=1 [1-1] 2:a=2");
}

void a_full_map_leaves_the_rest_for_the_next_time(void**) {
  CompactedBed bed;
  for (int round = 0; round < 2; ++round)
    for (int i = 0; i < 30; ++i) bed.add("k" + std::to_string(i), std::to_string(round));
  bed.roll();
  auto cleaning = bed.begin(24 * 25);                    // room for 18 keys
  assert_true(bed.run(*cleaning));
  assert_int_equal(*bed.checkpoint, 18);
  for (int i = 0; i < 5 && *bed.checkpoint < 60; ++i) assert_true(bed.clean(24 * 25));
  assert_int_equal(*bed.checkpoint, 60);
  // The first round's keys were out of the map when their newer ones came into it; a second pass over all sees them.
  bed.checkpoint.reset();
  assert_true(bed.clean());
  const Memory left = bed.read_all();
  assert_null(strstr(told(left).c_str(), "=0"));
}

void a_segment_is_as_old_as_the_last_that_went_into_it(void**) {
  CompactedBed bed;
  bed.add("a", "1");
  bed.roll();
  bed.add("b", "1");
  bed.roll();
  assert_true(bed.files.set_modified_ms("/data/t-0/00000000000000000001.log", 12'345).ok());
  assert_true(bed.clean());
  assert_int_equal(*bed.files.modified_ms("/data/t-0/00000000000000000000.log"), 12'345);
}

void a_reader_keeps_what_it_has_begun(void**) {
  CompactedBed bed;
  bed.add("a", "old");
  bed.add("a", "new");
  bed.roll();
  auto read = bed.log->read({.offset = 0, .bytes_max = 1 << 20, .upper_offset = 2});
  assert_true(bed.clean());
  assert_string_equal(told(read_slice(read->slice)).c_str(), "0:a=old 1:a=new");
  assert_string_equal(bed.all().c_str(), "1:a=new");
}

void a_log_that_is_cut_meanwhile_is_left_alone(void**) {
  CompactedBed bed;
  for (int i = 0; i < 4; ++i) {
    bed.add("a", std::to_string(i));
    bed.roll();
  }
  auto cleaning = bed.begin();
  assert_true(cleaning->step(bed.now_ms).ok());
  assert_true(bed.log->truncate_to(2, bed.now_ms).ok());
  assert_false(bed.run(*cleaning));
  assert_string_equal(bed.all().c_str(), "0:a=0 1:a=1");
  const auto entries = bed.files.list("/data/t-0");
  for (const auto& entry : *entries) assert_false(entry.name.ends_with(".cleaned") || entry.name.ends_with(".swap"));
}

void segments_that_retention_took_meanwhile_are_not_brought_back(void**) {
  CompactedBed bed;
  for (int i = 0; i < 4; ++i) {
    bed.add("a", std::to_string(i));
    bed.roll();
  }
  auto cleaning = bed.begin();
  assert_true(cleaning->step(bed.now_ms).ok());
  assert_true(bed.log->raise_start(2, bed.now_ms).ok());
  assert_false(bed.run(*cleaning));
  assert_string_equal(bed.all().c_str(), "2:a=2 3:a=3");
}

// ---- deciding ------------------------------------------------------------------------------------------------------------------

LogFacts facts(int64_t end, std::vector<SegmentFacts> segments) {
  return {.config = {.segment_bytes = 1000, .compact = true}, .start_offset = segments.front().base_offset, .end_offset = end,
          .last_stable_offset = end, .segments = std::move(segments)};
}
SegmentFacts segment(int64_t base, int64_t size, int64_t touched = 0, int64_t first = 0) {
  return {.base_offset = base, .size = size, .last_touched_ms = touched, .first_timestamp = first};
}

void a_log_is_worth_it_from_its_dirty_ratio_on(void**) {
  const auto log = facts(40, {segment(0, 100), segment(10, 100), segment(20, 100), segment(30, 100)});
  const auto fresh = plan_cleaning(log, std::nullopt, 0);
  assert_true(fresh.ratio() == 1 && fresh.worth_it(log.config));
  const auto cleaned = plan_cleaning(log, 20, 0);
  assert_int_equal(cleaned.clean_bytes, 200);
  assert_int_equal(cleaned.cleanable_bytes, 100);
  assert_false(cleaned.worth_it(log.config));
  assert_false(cleaned.waits);                           // only a new segment makes it worth it
  assert_int_equal(cleaned.first_uncleanable, 30);
}

void a_checkpoint_outside_the_log_is_not_believed(void**) {
  const auto log = facts(40, {segment(10, 100), segment(20, 100), segment(30, 100)});
  assert_int_equal(plan_cleaning(log, 5, 0).first_dirty, 10);
  assert_int_equal(plan_cleaning(log, 41, 0).first_dirty, 10);
  assert_int_equal(plan_cleaning(log, 40, 0).first_dirty, 40);
  assert_int_equal(plan_cleaning(log, 40, 0).cleanable_bytes, 0);
}

void young_segments_wait_for_the_minimum_lag(void**) {
  auto log = facts(40, {segment(0, 100, 1000), segment(10, 100, 2000), segment(20, 100, 3000), segment(30, 100)});
  log.config.min_compaction_lag_ms = 500;
  assert_int_equal(plan_cleaning(log, std::nullopt, 2499).first_uncleanable, 10);
  assert_int_equal(plan_cleaning(log, std::nullopt, 2500).first_uncleanable, 20);
  assert_true(plan_cleaning(log, std::nullopt, 2500).waits);
  assert_int_equal(plan_cleaning(log, std::nullopt, 9000).first_uncleanable, 30);
}

void an_overdue_log_is_cleaned_whatever_its_ratio(void**) {
  auto log = facts(40, {segment(0, 900, 0, 1000), segment(10, 100, 0, 2000), segment(20, 1)});
  log.config.max_compaction_lag_ms = 500;
  assert_false(plan_cleaning(log, 10, 2500).worth_it(log.config));
  assert_true(plan_cleaning(log, 10, 2500).waits);
  assert_true(plan_cleaning(log, 10, 2501).worth_it(log.config));
}

void runs_are_no_larger_than_a_segment(void**) {
  const auto log = facts(60, {segment(0, 400), segment(10, 600), segment(20, 1), segment(30, 0), segment(40, 1000), segment(50, 5)});
  std::string text;
  for (const SegmentRun& run : group_segments(log, 50, 50)) text += std::to_string(run.first) + "-" + std::to_string(run.last) + " ";
  assert_string_equal(text.c_str(), "0-2 2-4 4-5 ");
  assert_int_equal(group_segments(log, 11, 50).size(), 1);
}

void offsets_too_far_apart_stay_in_segments_of_their_own(void**) {
  const int64_t far = int64_t{1} << 31;
  const auto log = facts(far + 20, {segment(0, 10), segment(far, 10), segment(far + 10, 10)});
  assert_int_equal(group_segments(log, far + 10, far + 10).size(), 2);
}

// ---- the map -------------------------------------------------------------------------------------------------------------------

void the_map_finds_what_was_put_and_keeps_to_its_memory(void**) {
  OffsetMap map(24 * 10'000, 0.9);
  size_t count = 0;
  for (; !map.full(); ++count) map.put(as_bytes("key-" + std::to_string(count)), static_cast<int64_t>(count));
  assert_int_equal(count, map.size_max());
  assert_int_equal(map.size_max(), 7200);
  for (size_t i = 0; i < count; ++i) assert_int_equal(map.find(as_bytes("key-" + std::to_string(i))), i);
  assert_int_equal(map.find(as_bytes("other")), -1);
  assert_int_equal(map.latest_offset(), count - 1);
  map.clear();
  map.put(as_bytes(""), 1);
  map.put(as_bytes(""), 2);
  map.put(as_bytes(std::string("\0", 1)), 3);
  assert_int_equal(map.find(as_bytes("")), 2);
  assert_int_equal(map.size(), 2);
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {
      cmocka_unit_test(the_newest_of_every_key_is_left),
      cmocka_unit_test(what_remains_of_a_batch_keeps_its_offsets_and_its_codec),
      cmocka_unit_test(a_tombstone_stays_until_its_horizon_has_passed),
      cmocka_unit_test(aborted_records_go_and_their_marker_after_them),
      cmocka_unit_test(nothing_is_cleaned_at_or_above_an_open_transaction),
      cmocka_unit_test(the_last_sequence_of_an_active_producer_stays),
      cmocka_unit_test(the_last_batch_of_the_round_stays_even_if_it_is_empty),
      cmocka_unit_test(a_full_map_leaves_the_rest_for_the_next_time),
      cmocka_unit_test(a_segment_is_as_old_as_the_last_that_went_into_it),
      cmocka_unit_test(a_reader_keeps_what_it_has_begun),
      cmocka_unit_test(a_log_that_is_cut_meanwhile_is_left_alone),
      cmocka_unit_test(segments_that_retention_took_meanwhile_are_not_brought_back),
      cmocka_unit_test(a_log_is_worth_it_from_its_dirty_ratio_on),
      cmocka_unit_test(a_checkpoint_outside_the_log_is_not_believed),
      cmocka_unit_test(young_segments_wait_for_the_minimum_lag),
      cmocka_unit_test(an_overdue_log_is_cleaned_whatever_its_ratio),
      cmocka_unit_test(runs_are_no_larger_than_a_segment),
      cmocka_unit_test(offsets_too_far_apart_stay_in_segments_of_their_own),
      cmocka_unit_test(the_map_finds_what_was_put_and_keeps_to_its_memory),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
