// Which of a log's oldest segments have outlived their time or their room, or lie below the log's start.  Decides; removes nothing.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "broker/log/config.hpp"
#include "broker/log/file.hpp"

namespace kq::log {

enum class Breach { start_offset, retention_bytes, retention_ms };
const char* name_of(Breach);

// One pass over a log, as it is at one moment.
class Retention {
 public:
  struct Now {
    int64_t now_ms;
    int64_t start_offset;
    int64_t high_watermark;             // nothing at or above it goes, whatever its age
    uint64_t size;                      // of all segments
  };
  struct Candidate {
    uint64_t size;
    int64_t next_offset;                // where the next segment begins; of the active one: the log's end
    bool active;
  };

  Retention(const LogConfig& config, const Now& now)
      : config_(config), now_(now), surplus_(static_cast<int64_t>(now.size) - config.retention_bytes) {}

  // Asked about the segments from the oldest on, up to the first that stays (nothing).  `largest_timestamp` is called only where the
  // age decides; it answers when the file was last changed for a segment without timestamps.
  template <class LargestTimestamp>
  std::optional<Breach> next(const Candidate& segment, LargestTimestamp&& largest_timestamp) {
    const auto breach = room_or_start(segment);
    if (breach || !age_matters(segment)) return breach;
    return take(segment, too_old(largest_timestamp()) ? std::optional(Breach::retention_ms) : std::nullopt);
  }

  // The first moment at which a segment with that largest timestamp is too old; nothing: never.
  static std::optional<int64_t> too_old_at(const LogConfig&, int64_t largest_timestamp);

 private:
  std::optional<Breach> room_or_start(const Candidate&);
  std::optional<Breach> take(const Candidate&, std::optional<Breach>);
  bool may_go(const Candidate&) const;
  bool age_matters(const Candidate& segment) const { return config_.remove && config_.retention_ms >= 0 && may_go(segment); }
  bool too_old(int64_t largest_timestamp) const;

  const LogConfig& config_;
  const Now now_;
  int64_t surplus_;                     // bytes above retention.bytes
};

// When a log that nobody has opened first has something to remove, told from names, sizes and one index entry: 0 for at once, or where only
// opening it tells (what of a compacted log is clean, for one); nothing: never, as long as it stays as it is.  Blocks.
Result<std::optional<int64_t>> retention_due_ms(FileSystem&, const std::string& directory, std::optional<int64_t> start_offset, const LogConfig&);

}  // namespace kq::log
