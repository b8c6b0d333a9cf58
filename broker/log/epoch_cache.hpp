// Which leader epoch began at which offset: how replicas find where their logs part ways (KIP-101, KIP-279).
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

namespace kq::log {

struct EpochEntry {
  int32_t epoch;
  int64_t start_offset;
  bool operator==(const EpochEntry&) const = default;
};

struct EpochEnd {
  int32_t epoch = -1;            // -1: not known
  int64_t end_offset = -1;
  bool operator==(const EpochEnd&) const = default;
};

// Entries grow in both fields.  The last one may be a leadership without records: its start is the log's end.
class EpochCache {
 public:
  // Epoch `epoch` starts at `start_offset`.  Entries that contradict it go.  Answers whether anything changed.
  bool assign(int32_t epoch, int64_t start_offset);

  // Where `epoch`, or the largest one below it that is known, ends: the answer to OffsetForLeaderEpoch.
  EpochEnd end_offset_for(int32_t epoch, int64_t log_end_offset) const;
  std::optional<int32_t> epoch_at(int64_t offset) const;
  std::optional<int32_t> latest() const;

  bool truncate_from_end(int64_t end_offset);           // entries that start at or after it go
  bool truncate_from_start(int64_t start_offset);       // the entry that holds it now starts there
  void clear() { entries_.clear(); }
  const std::vector<EpochEntry>& entries() const { return entries_; }

 private:
  std::vector<EpochEntry> entries_;
};

}  // namespace kq::log
