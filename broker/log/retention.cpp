#include "broker/log/retention.hpp"

#include <array>
#include <limits>
#include <vector>

#include "broker/log/index.hpp"

namespace kq::log {

const char* name_of(Breach breach) {
  switch (breach) {
    case Breach::start_offset: return "it lies below the start of the log";
    case Breach::retention_bytes: return "the log is larger than retention.bytes";
    case Breach::retention_ms: return "it is older than retention.ms";
  }
  return "";
}

// An empty active segment is what is left when all has gone.
bool Retention::may_go(const Candidate& segment) const {
  return now_.high_watermark >= segment.next_offset && !(segment.active && segment.size == 0);
}

std::optional<Breach> Retention::room_or_start(const Candidate& segment) {
  if (!may_go(segment)) return std::nullopt;
  if (!segment.active && segment.next_offset <= now_.start_offset) return take(segment, Breach::start_offset);
  const bool too_much = config_.remove && config_.retention_bytes >= 0 && surplus_ >= static_cast<int64_t>(segment.size);
  return take(segment, too_much ? std::optional(Breach::retention_bytes) : std::nullopt);
}

// Whatever a segment goes for, it takes its bytes along.
std::optional<Breach> Retention::take(const Candidate& segment, std::optional<Breach> breach) {
  if (breach) surplus_ -= static_cast<int64_t>(segment.size);
  return breach;
}

bool Retention::too_old(int64_t largest_timestamp) const {
  const auto at_ms = too_old_at(config_, largest_timestamp);
  return at_ms && now_.now_ms >= *at_ms;
}

std::optional<int64_t> Retention::too_old_at(const LogConfig& config, int64_t largest_timestamp) {
  if (!config.remove || config.retention_ms < 0) return std::nullopt;
  int64_t at_ms = 0;
  if (__builtin_add_overflow(largest_timestamp, config.retention_ms, &at_ms) || at_ms == std::numeric_limits<int64_t>::max()) return std::nullopt;
  return at_ms + 1;
}

namespace {

// Its largest timestamp as its time index has it; nothing: what was preallocated is still there, so only opening it tells.
Result<std::optional<int64_t>> last_touched_ms(FileSystem& files, const SegmentName& segment) {
  const std::string index = segment.path(suffix::time_index);
  const auto modified = [&] { return files.modified_ms(segment.path(suffix::log)); };
  if (!files.exists(index)) return std::optional<int64_t>{};
  KQ_TRY_ASSIGN(const auto file, files.open(index, OpenMode::read));
  KQ_TRY_ASSIGN(const uint64_t size, file->size());
  const uint64_t entries = size / TimeEntry::bytes;
  TimeEntry last;
  if (entries > 0) {
    std::array<std::byte, TimeEntry::bytes> bytes;
    KQ_TRY(file->read_at((entries - 1) * TimeEntry::bytes, bytes));
    last = TimeEntry::read(bytes.data(), segment.base_offset);
    if (last.zero(segment.base_offset)) return std::optional<int64_t>{};
  }
  if (last.timestamp >= 0) return std::optional(last.timestamp);
  KQ_TRY_ASSIGN(const int64_t changed_ms, modified());
  return std::optional(changed_ms);
}

}  // namespace

Result<std::optional<int64_t>> retention_due_ms(FileSystem& files, const std::string& directory, std::optional<int64_t> start_offset,
                                                const LogConfig& config) {
  constexpr std::optional<int64_t> at_once = 0, never;
  const bool bounded = config.remove && (config.retention_ms >= 0 || config.retention_bytes >= 0);
  if (!bounded && !start_offset && !config.compact) return never;
  KQ_TRY_ASSIGN(const auto entries, files.list(directory));
  std::vector<SegmentName> segments;
  for (const DirectoryEntry& entry : entries)
    if (const auto base = offset_of(entry.name, suffix::log)) segments.push_back({directory, *base});
  if (segments.empty()) return never;
  if (segments.size() > 1 && config.compact) return at_once;
  if (segments.size() > 1 && segments[1].base_offset <= start_offset.value_or(-1)) return at_once;
  KQ_TRY_ASSIGN(const uint64_t first_size, files.size(segments.front().path(suffix::log)));
  if (!bounded || (segments.size() == 1 && first_size == 0)) return never;
  if (config.retention_bytes >= 0) {
    uint64_t size = 0;
    for (const SegmentName& segment : segments) {
      KQ_TRY_ASSIGN(const uint64_t bytes, files.size(segment.path(suffix::log)));
      size += bytes;
    }
    if (size >= static_cast<uint64_t>(config.retention_bytes) + first_size) return at_once;
  }
  if (config.retention_ms < 0) return never;
  KQ_TRY_ASSIGN(const auto touched_ms, last_touched_ms(files, segments.front()));
  return touched_ms ? Retention::too_old_at(config, *touched_ms) : at_once;
}

}  // namespace kq::log
