// Those settings of a topic that its log obeys, under Kafka's names, with Kafka 4.2's defaults.  The owner checks their bounds.
#pragma once

#include <cstdint>

namespace kq::log {

struct LogConfig {
  int64_t segment_bytes = 1 << 30;
  int64_t segment_ms = 7LL * 24 * 3600 * 1000;
  int64_t segment_jitter_ms = 0;
  int64_t segment_index_bytes = 10 << 20;       // both indexes of the active segment are made that large
  int64_t index_interval_bytes = 4096;
  int64_t file_delete_delay_ms = 60'000;
};

}  // namespace kq::log
