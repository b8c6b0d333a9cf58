// Stories of one log.  What holds whatever happens is in log_model_test.cpp.
#include "broker/log/log.hpp"

#include "tests/unit/log/support.hpp"
#include "tests/unit/cmocka.hpp"

using namespace kq;
using namespace kq::log;
using namespace kq::test;

namespace {

void a_leader_writes_offsets_and_epoch_in_one_write(void**) {
  LogBed bed;
  Log& log = bed.open(false);
  bed.append({.records = 3});
  Memory batch = make_batch({.records = 2, .timestamp = 5000});
  const uint64_t operations = bed.files.operations();
  auto appended = log.append_as_leader(batch, 7, bed.now_ms);
  assert_int_equal(bed.files.operations(), operations + 1);
  assert_int_equal(appended->first_offset, 3);
  assert_int_equal(appended->last_offset, 4);
  assert_int_equal(appended->timestamp, 5001);
  assert_int_equal(BatchView{batch}.base_offset(), 3);
  assert_int_equal(BatchView{batch}.leader_epoch(), 7);
  assert_true(BatchView{batch}.check_crc());
  assert_true(log.end_offset_for_epoch(7) == (EpochEnd{7, 5}));
  assert_true(log.end_offset_for_epoch(0) == (EpochEnd{0, 3}));
}

void readers_at_the_tail_cost_no_read_of_the_disk(void**) {
  LogBed bed;
  Log& log = bed.open(false);
  for (int i = 0; i < 50; ++i) bed.append();
  auto read = log.read({.offset = 45, .bytes_max = 1000, .upper_offset = 48, .hot_only = true});
  assert_int_equal(read->slice.base_offset, 45);
  assert_false(read->cold.has_value());
  assert_int_equal(read->slice.length, 3 * make_batch({}).size());
}

void a_follower_keeps_offsets_and_gaps_and_refuses_what_does_not_fit(void**) {
  LogBed bed;
  Log& log = bed.open(false);
  Memory run = make_batch({.records = 2, .base_offset = 10, .leader_epoch = 3});
  const Memory second = make_batch({.records = 2, .base_offset = 20, .leader_epoch = 4});
  run.insert(run.end(), second.begin(), second.end());
  assert_int_equal(log.append_as_follower(run, 0)->last_offset, 21);
  assert_int_equal(log.end_offset(), 22);
  assert_true((log.epochs().entries() == std::vector<EpochEntry>{{3, 10}, {4, 20}}));
  assert_true(log.append_as_follower(second, 0)->code == Code::offset_out_of_range);
  Memory damaged = make_batch({.base_offset = 30});
  damaged.back() ^= std::byte{1};
  assert_true(log.append_as_follower(damaged, 0)->code == Code::corrupt_message);
  assert_int_equal(log.append_as_follower(Bytes{second}.first(30), 0)->bytes, 0);       // cut off: left out
  assert_int_equal(log.end_offset(), 22);
}

void a_segment_ends_by_size_time_index_and_offsets(void**) {
  const size_t size = make_batch({}).size();
  {
    LogBed bed{{.segment_bytes = static_cast<int64_t>(3 * size)}};
    bed.open(false);
    for (int i = 0; i < 7; ++i) bed.append();
    assert_int_equal(bed.log->segment_count(), 3);
    Memory large = make_batch({.value_bytes = 4 * size});
    assert_true(bed.log->append_as_leader(large, 0, 0)->code == Code::record_list_too_large);
  }
  {
    LogBed bed{{.segment_ms = 100}};
    bed.open(false);
    bed.append({.timestamp = 1000});
    bed.append({.timestamp = 1100});
    bed.append({.timestamp = 500});
    assert_int_equal(bed.log->segment_count(), 1);
    bed.append({.timestamp = 1101});                       // in timestamps, whatever the clock says
    assert_int_equal(bed.log->segment_count(), 2);
    bed.append({.timestamp = -1});                         // without one in the first batch the clock counts
  }
  {
    LogBed bed{{.segment_index_bytes = 5 * 12, .index_interval_bytes = 0}};
    bed.open(false);
    for (int i = 0; i < 10; ++i) bed.append({.timestamp = 1000 + i});
    assert_true(bed.log->segment_count() >= 2);
  }
  {
    LogBed bed;
    bed.open(false);
    bed.append();
    assert_true(bed.log->append_as_follower(make_batch({.base_offset = 3'000'000'000}), 0)->code == Code::none);
    assert_int_equal(bed.log->segment_count(), 2);
    bed.open(false);
    assert_int_equal(bed.log->end_offset(), 3'000'000'001);
  }
}

void the_active_segments_indexes_are_preallocated_and_cut_when_it_ends(void**) {
  LogBed bed{{.segment_bytes = 1000, .segment_index_bytes = 1000, .index_interval_bytes = 100}};
  bed.open(false);
  while (bed.log->segment_count() < 2) bed.append();
  const std::string active = "/data/t-0/" + offset_name(bed.log->end_offset() - 1);
  assert_int_equal(*bed.files.size(active + ".index"), 1000);
  assert_int_equal(*bed.files.size(active + ".timeindex"), 996);
  assert_true(*bed.files.size("/data/t-0/00000000000000000000.index") < 100);
  assert_int_equal(*bed.files.size("/data/t-0/00000000000000000000.index") % 8, 0);
  assert_true(bed.log->close().ok());
  assert_int_equal(*bed.files.size(active + ".index"), 0);
  assert_int_equal(*bed.files.size(active + ".timeindex"), 12);
}

void a_full_disk_refuses_and_goes_on_when_there_is_room(void**) {
  LogBed bed{{.segment_bytes = 2000, .segment_index_bytes = 100, .index_interval_bytes = 100}};
  Log& log = bed.open(false);
  for (int i = 0; i < 5; ++i) bed.append();
  const Memory before = bed.read_all();
  bed.files.set_capacity(2 * 100 + before.size() + 40);
  for (int i = 0; i < 3; ++i) {
    Memory batch = make_batch({.value_bytes = 500});
    auto refused = log.append_as_leader(batch, 0, 0);
    assert_false(refused.ok());
    assert_true(disk_full(refused.error()));
    assert_int_equal(static_cast<int>(refused.error().verdict()), static_cast<int>(Verdict::retry));
  }
  assert_false(log.failed());
  assert_true(bed.read_all() == before);
  bed.files.set_capacity(UINT64_MAX);
  assert_int_equal(bed.append(), 5);
  bed.open(false);
  assert_int_equal(bed.log->end_offset(), 6);
}

void a_failed_sync_is_never_tried_again(void**) {
  LogBed bed;
  Log& log = bed.open(false);
  bed.append();
  bed.files.fail_operation(1);
  assert_false(bed.flush(FlushKind::data).ok());
  assert_true(log.failed());
  assert_int_equal(log.synced_offset(), 0);
  Memory batch = make_batch({});
  assert_false(log.append_as_leader(batch, 0, 0).ok());
  assert_false(log.close().ok());
  assert_int_equal(log.read({.offset = 0, .bytes_max = 100, .upper_offset = 1})->slice.base_offset, 0);      // reads go on
}

void a_sync_promises_what_was_there_when_it_was_prepared(void**) {
  LogBed bed;
  Log& log = bed.open(false);
  bed.append();
  auto work = log.prepare_flush(FlushKind::data);
  bed.append();
  Status outcome = work->run();
  log.flushed(*work, outcome);
  assert_int_equal(log.synced_offset(), 1);
  assert_int_equal(log.recovery_point(), 0);
  assert_true(log.bytes_past_recovery_point() > 0);
  assert_true(bed.flush(FlushKind::recovery_point).ok());
  assert_int_equal(log.synced_offset(), 2);
  assert_int_equal(log.recovery_point(), 2);
  assert_int_equal(log.bytes_past_recovery_point(), 0);
}

void after_a_kill_only_what_lies_past_the_recovery_point_is_checked(void**) {
  LogBed bed{{.segment_index_bytes = 4096, .index_interval_bytes = 100}};
  bed.open(false);
  for (int i = 0; i < 30; ++i) bed.append();
  assert_true(bed.flush(FlushKind::recovery_point).ok());
  const int64_t trusted = bed.log->recovery_point();
  const size_t size = make_batch({}).size();
  for (int i = 0; i < 30; ++i) bed.append();
  const auto damage = [&](int64_t offset) {
    auto file = bed.files.open("/data/t-0/00000000000000000000.log", OpenMode::write);
    const std::byte wrong[] = {std::byte{0xff}};
    assert_true((*file)->write_at(static_cast<uint64_t>(offset + 1) * size - 1, Bytes{wrong}).ok());
  };
  damage(3);                                               // below: trusted, nobody looks
  damage(50);                                              // above: cut there
  bed.open(false, trusted);
  assert_int_equal(bed.log->end_offset(), 50);
  assert_int_equal(bed.log->bytes_past_recovery_point(), 20 * size);
}

void a_slice_keeps_its_bytes_when_the_log_is_cut_under_it(void**) {
  LogBed bed;
  Log& log = bed.open(false);
  for (uint64_t i = 0; i < 5; ++i) bed.append({.seed = i});
  auto slow = log.read({.offset = 0, .bytes_max = 1000, .upper_offset = 5});
  const Memory before = read_slice(slow->slice);
  assert_true(log.truncate_to(2, 0).ok());
  for (uint64_t i = 0; i < 5; ++i) bed.append({.seed = 100 + i});
  assert_true(read_slice(slow->slice) == before);
  assert_true(log.truncate_fully_and_start_at(100, 0).ok());
  assert_true(read_slice(slow->slice) == before);
}

void offsets_outside_the_log_are_out_of_range(void**) {
  LogBed bed;
  Log& log = bed.open(false);
  for (int i = 0; i < 5; ++i) bed.append();
  assert_true(log.raise_start(2, 0).ok());
  assert_true(log.read({.offset = 1, .upper_offset = 5})->code == Code::offset_out_of_range);
  assert_true(log.read({.offset = 6, .upper_offset = 5})->code == Code::offset_out_of_range);
  assert_true(log.read({.offset = 5, .upper_offset = 5})->code == Code::none);
  assert_true(log.read({.offset = 4, .bytes_max = 10, .upper_offset = 4})->slice.empty());
  assert_true(log.read({.offset = 3, .bytes_max = 10, .upper_offset = 5, .whole_first_batch = false})->slice.empty());
  assert_int_equal(log.read({.offset = 3, .bytes_max = 10, .upper_offset = 5})->slice.length, make_batch({}).size());
}

void records_are_found_by_time(void**) {
  LogBed bed{{.segment_bytes = 400, .segment_index_bytes = 1000, .index_interval_bytes = 50}};
  Log& log = bed.open(false);
  for (int i = 0; i < 20; ++i) bed.append({.records = 3, .timestamp = 1000 + 10 * i});
  const auto found = [&](int64_t timestamp) { return *log.search_timestamp(timestamp)->run(); };
  assert_int_equal(found(0)->offset, 0);
  assert_int_equal(found(1000)->offset, 0);
  assert_int_equal(found(1002)->offset, 2);
  assert_int_equal(found(1003)->offset, 3);                // in the next batch
  assert_int_equal(found(1101)->timestamp, 1101);
  assert_int_equal(found(1101)->leader_epoch, 0);
  assert_false(found(1193).has_value());
  assert_int_equal((*log.search_largest_timestamp()->run())->offset, 59);
  assert_true(log.raise_start(10, 0).ok());
  assert_int_equal(found(0)->offset, 10);
}

void a_snapshot_that_does_not_read_is_replaced_by_the_batches(void**) {
  LogBed bed;
  bed.open(false);
  for (int32_t i = 0; i < 3; ++i) bed.append({.timestamp = bed.now_ms, .producer_id = 5, .producer_epoch = 0, .sequence = i});
  assert_true(bed.log->close().ok());
  assert_true(replace_file(bed.files, "/data/t-0/00000000000000000003.snapshot", "torn").ok());
  Log& log = bed.open(true, 3);
  assert_int_equal(log.producers().find(5)->last_sequence(), 2);
}

void what_a_cleaner_left_half_done_is_settled(void**) {
  LogBed bed{{.segment_bytes = 200, .segment_index_bytes = 1000}};
  bed.open(false);
  for (uint64_t i = 0; i < 8; ++i) bed.append({.seed = i});
  const Memory all = bed.read_all();
  const int64_t end = bed.log->end_offset();
  assert_true(bed.log->close().ok());
  bed.log.reset();
  const std::string at = "/data/t-0/";
  // Files that were being written, and files that were deleted, go.
  assert_true(replace_file(bed.files, at + "00000000000000000004.log.cleaned", "half").ok());
  assert_true(replace_file(bed.files, at + "00000000000000000000.timeindex.deleted", "old").ok());
  bed.open(true, end);
  assert_true(bed.read_all() == all);
  assert_false(bed.files.exists(at + "00000000000000000004.log.cleaned"));
  assert_false(bed.files.exists(at + "00000000000000000000.timeindex.deleted"));
  bed.log.reset();
  // A whole swap takes the place of the segments in its range.
  Memory merged;
  for (const char* name : {"00000000000000000000.log", "00000000000000000002.log"}) {
    const std::string content = *read_small_file(bed.files, at + name);
    merged.insert(merged.end(), as_bytes(content).begin(), as_bytes(content).end());
  }
  assert_true(replace_file(bed.files, at + "00000000000000000000.log.swap", as_text(merged)).ok());
  const size_t segments_before = bed.open(true, end).segment_count();
  assert_false(bed.files.exists(at + "00000000000000000002.log"));
  assert_true(bed.read_all() == all);
  assert_int_equal(segments_before, 3);
}

// What the batch whose first sequence is `sequence` is answered.
std::string repeated(LogBed& bed, int32_t sequence) {
  Memory batch = make_batch({.timestamp = bed.now_ms, .producer_id = 7, .producer_epoch = 0, .sequence = sequence});
  const int64_t end = bed.log->end_offset();
  const auto told = bed.log->append_as_leader(batch, 0, bed.now_ms);
  assert_int_equal(bed.log->end_offset(), end);
  return told->duplicate ? "at " + std::to_string(told->first_offset) : std::string(name_of(told->code));
}

void append_of_producer(LogBed& bed, int32_t from, int32_t to) {
  for (int32_t sequence = from; sequence < to; ++sequence)
    bed.append({.timestamp = bed.now_ms, .producer_id = 7, .producer_epoch = 0, .sequence = sequence});
}

void after_a_clean_stop_repeats_are_told_from_the_last_five(void**) {
  LogBed bed;
  bed.open(false);
  append_of_producer(bed, 0, 8);
  assert_true(bed.log->close().ok());
  bed.open(true, 8);
  for (int32_t sequence = 3; sequence < 8; ++sequence)
    assert_string_equal(repeated(bed, sequence).c_str(), ("at " + std::to_string(sequence)).c_str());
  assert_string_equal(repeated(bed, 2).c_str(), "OUT_OF_ORDER_SEQUENCE_NUMBER");
  append_of_producer(bed, 8, 10);
  assert_string_equal(repeated(bed, 5).c_str(), "at 5");
  assert_string_equal(repeated(bed, 4).c_str(), "OUT_OF_ORDER_SEQUENCE_NUMBER");
}

// The snapshot that a sync writes at the recovery point knows the last batch before it; those before that one count as well.
void after_a_kill_repeats_are_told_from_batches_before_the_recovery_point(void**) {
  LogBed bed;
  bed.open(false);
  append_of_producer(bed, 0, 6);
  assert_true(bed.flush(FlushKind::recovery_point).ok());
  append_of_producer(bed, 6, 8);
  bed.open(false, 6);
  for (int32_t sequence = 3; sequence < 8; ++sequence)
    assert_string_equal(repeated(bed, sequence).c_str(), ("at " + std::to_string(sequence)).c_str());
}

void earlier_batches_are_found_behind_others_and_in_earlier_segments(void**) {
  LogBed bed{{.segment_bytes = 512 << 10}};
  bed.open(false);
  append_of_producer(bed, 0, 3);
  for (int32_t sequence = 3; sequence < 8; ++sequence) {
    for (int i = 0; i < 4; ++i) bed.append({.value_bytes = 100'000});
    append_of_producer(bed, sequence, sequence + 1);
  }
  assert_true(bed.log->segment_count() > 2);
  assert_true(bed.log->close().ok());
  bed.open(true, bed.log->end_offset());
  assert_string_equal(repeated(bed, 3).c_str(), "at 7");
  assert_string_equal(repeated(bed, 2).c_str(), "OUT_OF_ORDER_SEQUENCE_NUMBER");
}

void another_epochs_batches_are_not_taken_for_repeats(void**) {
  LogBed bed;
  bed.open(false);
  append_of_producer(bed, 0, 4);
  for (int32_t sequence = 0; sequence < 2; ++sequence)
    bed.append({.timestamp = bed.now_ms, .producer_id = 7, .producer_epoch = 1, .sequence = sequence});
  assert_true(bed.log->close().ok());
  bed.open(true, 6);
  assert_string_equal(repeated(bed, 3).c_str(), "INVALID_PRODUCER_EPOCH");
  assert_int_equal(bed.log->producers().find(7)->batch_count, 2);
}

void a_clean_stop_of_an_unchanged_log_writes_nothing(void**) {
  LogBed bed;
  bed.open(false);
  bed.append();
  assert_true(bed.log->close().ok());
  bed.open(true, 1);
  const uint64_t operations = bed.files.operations();
  assert_true(bed.log->close().ok());
  assert_int_equal(bed.files.operations(), operations);
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {
      cmocka_unit_test(a_leader_writes_offsets_and_epoch_in_one_write),
      cmocka_unit_test(readers_at_the_tail_cost_no_read_of_the_disk),
      cmocka_unit_test(a_follower_keeps_offsets_and_gaps_and_refuses_what_does_not_fit),
      cmocka_unit_test(a_segment_ends_by_size_time_index_and_offsets),
      cmocka_unit_test(the_active_segments_indexes_are_preallocated_and_cut_when_it_ends),
      cmocka_unit_test(a_full_disk_refuses_and_goes_on_when_there_is_room),
      cmocka_unit_test(a_failed_sync_is_never_tried_again),
      cmocka_unit_test(a_sync_promises_what_was_there_when_it_was_prepared),
      cmocka_unit_test(after_a_kill_only_what_lies_past_the_recovery_point_is_checked),
      cmocka_unit_test(a_slice_keeps_its_bytes_when_the_log_is_cut_under_it),
      cmocka_unit_test(offsets_outside_the_log_are_out_of_range),
      cmocka_unit_test(records_are_found_by_time),
      cmocka_unit_test(a_snapshot_that_does_not_read_is_replaced_by_the_batches),
      cmocka_unit_test(what_a_cleaner_left_half_done_is_settled),
      cmocka_unit_test(after_a_clean_stop_repeats_are_told_from_the_last_five),
      cmocka_unit_test(after_a_kill_repeats_are_told_from_batches_before_the_recovery_point),
      cmocka_unit_test(earlier_batches_are_found_behind_others_and_in_earlier_segments),
      cmocka_unit_test(another_epochs_batches_are_not_taken_for_repeats),
      cmocka_unit_test(a_clean_stop_of_an_unchanged_log_writes_nothing),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
