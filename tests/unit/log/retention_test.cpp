// Which old segments go, and what a log looks like when they have gone.
#include "broker/log/retention.hpp"

#include "tests/unit/log/support.hpp"
#include "tests/unit/cmocka.hpp"

using namespace kq;
using namespace kq::log;
using namespace kq::test;

namespace {

struct Told {
  int64_t offset;              // where it begins
  uint64_t size;
  int64_t largest_timestamp;
};

// "start bytes time": why each of the segments goes that do, from the oldest on.
std::string verdict(const LogConfig& config, const std::vector<Told>& segments, int64_t end, int64_t now_ms, int64_t start = 0,
                    int64_t high_watermark = -1) {
  uint64_t size = 0;
  for (const Told& segment : segments) size += segment.size;
  Retention retention{config, {now_ms, start, high_watermark < 0 ? end : high_watermark, size}};
  std::string text;
  for (size_t i = 0; i < segments.size(); ++i) {
    const bool active = i + 1 == segments.size();
    const auto breach = retention.next({segments[i].size, active ? end : segments[i + 1].offset, active}, [&] { return segments[i].largest_timestamp; });
    if (!breach) break;
    text += *breach == Breach::start_offset ? "start " : *breach == Breach::retention_bytes ? "bytes " : "time ";
  }
  return text;
}

const std::vector<Told> three{{0, 100, 1000}, {10, 100, 2000}, {20, 100, 3000}};

void age_counts_from_the_largest_timestamp(void**) {
  const LogConfig config{.retention_ms = 500};
  assert_string_equal(verdict(config, three, 30, 1500).c_str(), "");
  assert_string_equal(verdict(config, three, 30, 1501).c_str(), "time ");
  assert_string_equal(verdict(config, three, 30, 3501).c_str(), "time time time ");
  // An old segment behind a younger one waits for it.
  assert_string_equal(verdict(config, {{0, 100, 9000}, {10, 100, 1}, {20, 100, 1}}, 30, 5000).c_str(), "");
  assert_string_equal(verdict({.retention_ms = -1}, three, 30, INT64_MAX).c_str(), "");
}

void no_segment_goes_that_the_bound_has_room_for(void**) {
  assert_string_equal(verdict({.retention_bytes = 201}, three, 30, 0).c_str(), "");
  assert_string_equal(verdict({.retention_bytes = 200}, three, 30, 0).c_str(), "bytes ");
  assert_string_equal(verdict({.retention_bytes = 0}, three, 30, 0).c_str(), "bytes bytes bytes ");
}

void what_goes_for_its_age_leaves_room_for_the_next(void**) {
  const std::vector<Told> segments{{0, 300, 1000}, {10, 100, 9000}, {20, 100, 9000}};
  assert_string_equal(verdict({.retention_ms = 500, .retention_bytes = 250}, segments, 30, 2000).c_str(), "time ");
  assert_string_equal(verdict({.retention_ms = 500, .retention_bytes = 100}, segments, 30, 2000).c_str(), "bytes bytes ");
}

void nothing_goes_at_or_above_the_high_watermark(void**) {
  assert_string_equal(verdict({.retention_ms = 0}, three, 30, 9000, 0, 19).c_str(), "time ");
  assert_string_equal(verdict({.retention_ms = 0}, three, 30, 9000, 0, 29).c_str(), "time time ");
}

void an_empty_active_segment_stays(void**) {
  assert_string_equal(verdict({.retention_ms = 0, .retention_bytes = 0}, {{0, 100, 1000}, {10, 0, 1000}}, 10, 9000).c_str(), "bytes ");
}

void without_delete_only_what_lies_below_the_start_goes(void**) {
  const LogConfig config{.compact = true, .remove = false, .retention_ms = 0, .retention_bytes = 0};
  assert_string_equal(verdict(config, three, 30, 9000, 15).c_str(), "start ");
  assert_string_equal(verdict(config, three, 30, 9000, 30).c_str(), "start start ");
}

constexpr int64_t segment_ms = 10'000;

// A batch a segment, a second apart; the last at bed.now_ms.
Log& log_of(LogBed& bed, int batches) {
  Log& log = bed.open(false);
  for (int i = 0; i < batches; ++i) {
    bed.append({.timestamp = bed.now_ms - 1000 * (batches - 1 - i)});
    if (i + 1 < batches) assert_true(log.roll(bed.now_ms).ok());
  }
  log.set_high_watermark(log.end_offset());
  return log;
}

void old_segments_are_renamed_and_the_start_moves(void**) {
  LogBed bed{{.retention_ms = 1500}};
  Log& log = log_of(bed, 4);
  assert_int_equal(*log.delete_old_segments(bed.now_ms, 10), 2);
  assert_int_equal(log.start_offset(), 2);
  assert_int_equal(log.first_segment_offset(), 2);
  const auto removals = log.take_removals();
  assert_int_equal(removals.size(), 6);
  for (const auto& removal : removals) {
    assert_true(removal.path.ends_with(".deleted") && bed.files.exists(removal.path));
    assert_int_equal(removal.due_ms, bed.now_ms + 60'000);
  }
  assert_int_equal(*log.delete_old_segments(bed.now_ms, 10), 0);
}

void the_active_segment_goes_too_and_leaves_a_new_one(void**) {
  LogBed bed{{.retention_ms = 1500}};
  Log& log = log_of(bed, 3);
  bed.now_ms += segment_ms;
  assert_int_equal(*log.delete_old_segments(bed.now_ms, 10), 3);
  assert_int_equal(log.segment_count(), 1);
  assert_int_equal(log.start_offset(), 3);
  assert_int_equal(log.end_offset(), 3);
  assert_int_equal(log.size(), 0);
  assert_int_equal(bed.append({.timestamp = bed.now_ms}), 3);
  bed.open(false);
  assert_int_equal(bed.log->start_offset(), 3);
  assert_int_equal(bed.log->end_offset(), 4);
}

void a_turn_removes_no_more_than_it_is_allowed_to(void**) {
  LogBed bed{{.retention_bytes = 0}};
  Log& log = log_of(bed, 5);
  assert_int_equal(*log.delete_old_segments(bed.now_ms, 2), 2);
  assert_int_equal(*log.delete_old_segments(bed.now_ms, 2), 2);
  assert_int_equal(*log.delete_old_segments(bed.now_ms, 2), 1);
  assert_int_equal(*log.delete_old_segments(bed.now_ms, 2), 0);
}

void a_segment_without_timestamps_is_as_old_as_its_file(void**) {
  LogBed bed{{.retention_ms = 1500}};
  Log& log = bed.open(false);
  bed.append({.timestamp = -1});
  assert_true(log.roll(bed.now_ms).ok());
  log.set_high_watermark(log.end_offset());
  const std::string path = log.directory() + "/00000000000000000000.log";
  assert_true(bed.files.set_modified_ms(path, bed.now_ms - 1500).ok());
  assert_int_equal(*log.delete_old_segments(bed.now_ms, 10), 0);
  assert_int_equal(*log.delete_old_segments(bed.now_ms + 1, 10), 1);
}

// What is told without opening the log is what opening it would find.
void a_closed_log_tells_when_it_is_due(void**) {
  LogBed bed{{.retention_ms = 1500}};
  Log& log = log_of(bed, 4);
  const std::string directory = log.directory();
  const int64_t oldest = bed.now_ms - 3000;
  auto due = [&](const LogConfig& config, std::optional<int64_t> start = {}) { return *retention_due_ms(bed.files, directory, start, config); };
  assert_true(due(bed.config) == oldest + 1501);
  assert_true(log.close().ok());
  assert_true(due(bed.config) == oldest + 1501);
  assert_true(due({.retention_ms = -1}) == std::nullopt);
  assert_true(due({.remove = false, .retention_ms = 5}) == std::nullopt);
  assert_true(due({.retention_bytes = static_cast<int64_t>(log.size())}) == std::nullopt);
  assert_true(due({.retention_bytes = 10}) == 0);
  assert_true(due({}, 0) == std::nullopt);
  assert_true(due({}, 1) == 0);
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {
      cmocka_unit_test(age_counts_from_the_largest_timestamp),
      cmocka_unit_test(no_segment_goes_that_the_bound_has_room_for),
      cmocka_unit_test(what_goes_for_its_age_leaves_room_for_the_next),
      cmocka_unit_test(nothing_goes_at_or_above_the_high_watermark),
      cmocka_unit_test(an_empty_active_segment_stays),
      cmocka_unit_test(without_delete_only_what_lies_below_the_start_goes),
      cmocka_unit_test(old_segments_are_renamed_and_the_start_moves),
      cmocka_unit_test(the_active_segment_goes_too_and_leaves_a_new_one),
      cmocka_unit_test(a_turn_removes_no_more_than_it_is_allowed_to),
      cmocka_unit_test(a_segment_without_timestamps_is_as_old_as_its_file),
      cmocka_unit_test(a_closed_log_tells_when_it_is_due),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
