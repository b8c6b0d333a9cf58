// Those settings of a topic that its log obeys, under Kafka's names, with Kafka 4.2's defaults.  The owner checks their bounds.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>

namespace kq::log {

struct LogConfig {
  int64_t segment_bytes = 1 << 30;
  int64_t segment_ms = 7LL * 24 * 3600 * 1000;
  int64_t segment_jitter_ms = 0;
  int64_t segment_index_bytes = 10 << 20;       // both indexes of the active segment are made that large
  int64_t index_interval_bytes = 4096;
  int64_t file_delete_delay_ms = 60'000;
  bool compact = false;                         // cleanup.policy
  bool remove = true;                           // cleanup.policy has `delete`
  int64_t retention_ms = -1;                    // below 0: no bound, as for the next
  int64_t retention_bytes = -1;
  int64_t delete_retention_ms = 86'400'000;
  int64_t min_compaction_lag_ms = 0;
  int64_t max_compaction_lag_ms = std::numeric_limits<int64_t>::max();
  double min_cleanable_dirty_ratio = 0.5;

  // After that time a segment ends.  What has to be compacted by a certain time has to leave the active segment before.
  int64_t segment_ms_max() const { return compact && max_compaction_lag_ms > 0 ? std::min(max_compaction_lag_ms, segment_ms) : segment_ms; }
};

}  // namespace kq::log
