// Whether a log is worth compacting, how far, and which of its segments become one (LogCleanerManager and Cleaner of Kafka 4.2).
// Decides; reads and writes nothing.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "broker/log/config.hpp"

namespace kq::log {

struct SegmentFacts {
  int64_t base_offset = 0;
  int64_t size = 0;
  int64_t offset_index_bytes = 0;
  int64_t time_index_bytes = 0;
  int64_t last_touched_ms = -1;                 // largest timestamp, or when its file last changed; known where a minimum lag is set
  int64_t first_timestamp = -1;                 // of its first batch; known where a maximum lag is set
};

// A log as the cleaner looks at it.
struct LogFacts {
  LogConfig config;
  int64_t start_offset = 0;
  int64_t end_offset = 0;
  int64_t last_stable_offset = 0;
  std::vector<SegmentFacts> segments;           // the last one is the active one

  const SegmentFacts& active() const { return segments.back(); }
};

// Where the unclean part begins, by the checkpoint; a checkpoint that lies outside the log is not believed.
int64_t first_dirty_offset(std::optional<int64_t> checkpoint, int64_t start_offset, int64_t end_offset);

struct CleaningPlan {
  int64_t first_dirty = 0;
  int64_t first_uncleanable = 0;                // the base of a segment
  int64_t clean_bytes = 0;
  int64_t cleanable_bytes = 0;
  bool overdue = false;                         // its oldest dirty record has waited for max.compaction.lag.ms
  bool waits = false;                           // it may become worth it without a new segment: by time, or once transactions end

  double ratio() const { return total() > 0 ? static_cast<double>(cleanable_bytes) / static_cast<double>(total()) : 0; }
  int64_t total() const { return clean_bytes + cleanable_bytes; }
  bool worth_it(const LogConfig& config) const {
    return total() > 0 && ((overdue && cleanable_bytes > 0) || ratio() > config.min_cleanable_dirty_ratio);
  }
};

CleaningPlan plan_cleaning(const LogFacts&, std::optional<int64_t> checkpoint, int64_t now_ms);

// Those segments that begin below `end_offset`, in runs that become a segment each: [first, last) of facts.segments.
struct SegmentRun {
  size_t first, last;
};
std::vector<SegmentRun> group_segments(const LogFacts&, int64_t end_offset, int64_t first_uncleanable);

}  // namespace kq::log
