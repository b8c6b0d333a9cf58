#include "broker/log/cleaner/plan.hpp"

#include <algorithm>
#include <limits>

namespace kq::log {
namespace {

constexpr int64_t offset_delta_max = std::numeric_limits<int32_t>::max();
constexpr int64_t never = std::numeric_limits<int64_t>::max();

// The segment that holds `offset`, or would.
size_t floor(const std::vector<SegmentFacts>& segments, int64_t offset) {
  const auto after = std::ranges::upper_bound(segments, offset, {}, &SegmentFacts::base_offset);
  return after == segments.begin() ? 0 : static_cast<size_t>(after - segments.begin()) - 1;
}

int64_t bytes_of(const std::vector<SegmentFacts>& segments, size_t from, size_t to) {
  int64_t bytes = 0;
  for (size_t i = from; i < to; ++i) bytes += segments[i].size;
  return bytes;
}

// Neither the active segment, nor what is not decided yet, nor what is younger than the minimum lag.
int64_t first_uncleanable_offset(const LogFacts& log, size_t first_dirty, int64_t now_ms) {
  int64_t offset = std::min(log.last_stable_offset, log.active().base_offset);
  if (log.config.min_compaction_lag_ms <= 0) return offset;
  for (size_t i = first_dirty; i + 1 < log.segments.size(); ++i)
    if (log.segments[i].last_touched_ms > now_ms - log.config.min_compaction_lag_ms) return std::min(offset, log.segments[i].base_offset);
  return offset;
}

bool is_overdue(const LogFacts& log, size_t first_dirty, int64_t now_ms) {
  int64_t earliest = never;
  for (size_t i = first_dirty; i + 1 < log.segments.size(); ++i)
    if (log.segments[i].first_timestamp > 0) earliest = std::min(earliest, log.segments[i].first_timestamp);
  return earliest < now_ms - std::max<int64_t>(log.config.max_compaction_lag_ms, 0);
}

}  // namespace

int64_t first_dirty_offset(std::optional<int64_t> checkpoint, int64_t start_offset, int64_t end_offset) {
  const int64_t offset = checkpoint.value_or(start_offset);
  return offset < start_offset || offset > end_offset ? start_offset : offset;
}

CleaningPlan plan_cleaning(const LogFacts& log, std::optional<int64_t> checkpoint, int64_t now_ms) {
  CleaningPlan plan;
  const auto& segments = log.segments;
  plan.first_dirty = first_dirty_offset(checkpoint, log.start_offset, log.end_offset);
  const size_t dirty = floor(segments, plan.first_dirty);
  const int64_t limit = std::max(plan.first_dirty, first_uncleanable_offset(log, dirty, now_ms));
  // Segments are cleaned as a whole: those that begin at or above the limit are not, nor is the one that holds it.
  const size_t inside = floor(segments, limit);
  const size_t uncleanable = std::min(inside, segments.size() - 1);
  plan.first_uncleanable = segments[uncleanable].base_offset;
  const size_t clean_to = plan.first_dirty > segments[dirty].base_offset ? dirty + 1 : dirty;
  plan.clean_bytes = bytes_of(segments, 0, clean_to);
  plan.cleanable_bytes = bytes_of(segments, std::min(dirty, uncleanable), uncleanable);
  plan.overdue = is_overdue(log, dirty, now_ms);
  const bool has_dirty = bytes_of(segments, std::min(dirty, segments.size() - 1), segments.size() - 1) > 0;
  plan.waits = has_dirty && (plan.first_uncleanable < log.active().base_offset || log.config.max_compaction_lag_ms < never);
  return plan;
}

std::vector<SegmentRun> group_segments(const LogFacts& log, int64_t end_offset, int64_t first_uncleanable) {
  const auto& segments = log.segments;
  std::vector<SegmentRun> runs;
  size_t count = 0;
  while (count < segments.size() && segments[count].base_offset < end_offset) ++count;
  for (size_t i = 0; i < count;) {
    SegmentRun run{i, i + 1};
    int64_t size = segments[i].size, offsets = segments[i].offset_index_bytes, times = segments[i].time_index_bytes;
    for (; run.last < count; ++run.last) {
      const SegmentFacts& next = segments[run.last];
      const int64_t last_offset = (run.last + 1 < count ? segments[run.last + 1].base_offset : first_uncleanable) - 1;
      size += next.size, offsets += next.offset_index_bytes, times += next.time_index_bytes;
      if (size > log.config.segment_bytes || std::max(offsets, times) > log.config.segment_index_bytes) break;
      if (next.size > 0 && last_offset - segments[i].base_offset > offset_delta_max) break;
    }
    runs.push_back(run);
    i = run.last;
  }
  return runs;
}

}  // namespace kq::log
