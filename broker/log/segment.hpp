// One segment of a log: a file of batches that only grows, and its indexes.
#pragma once

#include <optional>

#include "broker/log/batch_scanner.hpp"
#include "broker/log/config.hpp"
#include "broker/log/index.hpp"

namespace kq::log {

// A part of a segment's file.  It pins the file: its bytes stay readable whatever becomes of the segment.
struct Slice {
  std::shared_ptr<File> file;
  uint64_t position = 0;
  uint64_t length = 0;
  int64_t base_offset = -1;             // of its first batch
  int64_t segment_base_offset = -1;

  bool empty() const { return length == 0; }
};

// Set where a look-up would have to wait for the disk; what it points at has to be read first.
using ColdSlice = std::optional<Slice>;

// Belongs to one Log, whose lock holds for it.  Nothing is opened or read before it is needed.
class Segment {
 public:
  static constexpr int64_t writeback_bytes = 1 << 20;         // written back early in pieces of this size
  static constexpr int64_t offset_delta_max = 0x7fffffff;     // index entries hold 32 bits

  Segment(const SegmentHome& home, int64_t base_offset, int64_t size, int64_t created_ms)
      : home_(home), base_offset_(base_offset), size_(size), created_ms_(created_ms), writeback_from_(size),
        offsets_(home, base_offset), times_(home, base_offset), txns_(home, base_offset) {}

  // Makes the files of a new, empty segment.  What lies there under the same names is overwritten.
  Status create(const LogConfig& config, int64_t jitter_ms);

  int64_t base_offset() const { return base_offset_; }
  int64_t size() const { return size_; }
  void set_jitter(int64_t jitter_ms) { jitter_ms_ = jitter_ms; }

  // Does a batch of `bytes`, up to `last_offset`, with that largest timestamp, need a new segment?
  Result<bool> must_roll(const LogConfig& config, int64_t bytes, int64_t last_offset, int64_t max_timestamp, int64_t now_ms);

  // Appends batches in one write and notes them in the indexes.  After an error the file is as before, unless taking back a part
  // of the write failed as well: then `broken` is set.
  Status append(Bytes batches, const LogConfig& config, bool& broken);

  // The first batch whose last offset is at or above `offset`.  With `cold`, what is not in memory is not waited for.
  Result<std::optional<BatchPlace>> find(int64_t offset, ColdSlice* cold = nullptr);
  // An offset at or above all batches that begin before `position`; nothing: look at the next segment.
  Result<std::optional<int64_t>> offset_after(int64_t position);
  // The last index entry at or before `position`: where a scan may begin.  The segment's beginning, where there is none.
  Result<OffsetEntry> entry_before(int64_t position);
  // The offset after its last batch, read from the file's end.  Nothing: file and index do not agree, as they do after a clean stop.
  Result<std::optional<int64_t>> read_next_offset();

  // The offset after the last batch that begins before `position`, which is a batch's.
  Result<int64_t> next_offset_at(int64_t position);

  // Times.  The largest is known without reading where this process wrote it, else from the time index's last entry.
  Result<TimeEntry> largest_timestamp();
  Result<int64_t> first_timestamp();                          // its first batch's largest; -1: it has none
  Result<int64_t> last_touched_ms();                          // its largest timestamp; of one without timestamps: when its file last changed
  // Where to begin to look for the first record at or after `timestamp`: no batch before it can hold one.
  Result<int64_t> position_for_timestamp(int64_t timestamp, int64_t start_offset);

  // Cuts the file, and the indexes at `offset`; the file is synced when it returns.  A file that a slice pins is replaced by a copy.
  Status truncate(int64_t position, int64_t offset, int64_t now_ms);
  // The indexes lose what was preallocated.
  Status trim();
  // No more batches come: the time index gets its last entry, and both are trimmed.
  Status finish();

  // After a crash.  Everything from `trusted_end` on is checked and indexed anew; `visit` sees every batch that was read.  Answers
  // where the last good batch ends: what follows there, if anything, is no log and has to be cut (truncate).
  struct Recovered {
    int64_t next_offset;
    int64_t good_end;
  };
  enum class Indexes { trusted_below, lost };
  template <class Visit>
  Result<Recovered> recover(int64_t trusted_end, Indexes indexes, const LogConfig& config, Visit visit);

  Result<std::shared_ptr<File>> file() { return home_.cache.open(place_, [this] { return path(suffix::log); }); }
  std::string path(const char* suffix) const { return home_.path(base_offset_, suffix); }
  OffsetIndex& offsets() { return offsets_; }
  TimeIndex& times() { return times_; }
  TxnIndex& txns() { return txns_; }
  bool unsynced() const { return unsynced_; }
  void set_synced(bool with_indexes);
  void close_files();

 private:
  Status note(const BatchPlace& batch, const LogConfig& config);
  Status take_back(File& file, bool& broken);
  struct RecoveryStart {
    int64_t position;
    bool rebuild;                                        // the indexes are worth nothing
  };
  Result<RecoveryStart> start_recovery(int64_t trusted_end, Indexes indexes);
  Status skim(const BatchPlace& batch);
  Status save_indexes();
  Status replace_by_copy(int64_t position);

  const SegmentHome& home_;
  const int64_t base_offset_;
  int64_t size_;
  int64_t created_ms_;
  int64_t jitter_ms_ = 0;
  int64_t writeback_from_;
  int64_t bytes_since_index_entry_ = 0;
  std::optional<int64_t> first_timestamp_;               // of the first batch; what segment.ms counts from
  std::optional<TimeEntry> largest_timestamp_;
  bool unsynced_ = false;
  FileCache::Place place_;
  OffsetIndex offsets_;
  TimeIndex times_;
  TxnIndex txns_;
};

template <class Visit>
Result<Segment::Recovered> Segment::recover(int64_t trusted_end, Indexes indexes, const LogConfig& config, Visit visit) {
  KQ_TRY_ASSIGN(const RecoveryStart start, start_recovery(trusted_end, indexes));
  int64_t next_offset = base_offset_;
  int64_t good_end = start.position;
  {
    KQ_TRY_ASSIGN(const auto file, this->file());
    BatchScanner scanner(*file, start.position, size_, BatchScanner::scan_buffer);
    for (;;) {
      KQ_TRY_ASSIGN(const Step step, scanner.next());
      if (step != Step::batch) break;
      const BatchPlace& batch = scanner.batch();
      if (batch.base_offset < next_offset || batch.last_offset - base_offset_ > offset_delta_max) break;
      if (batch.last_offset >= trusted_end) {
        KQ_TRY_ASSIGN(const bool whole, scanner.check_crc());
        if (!whole) break;
      }
      KQ_TRY(start.rebuild || batch.last_offset >= trusted_end ? note(batch, config) : skim(batch));
      visit(batch);
      next_offset = batch.last_offset + 1;
      good_end = scanner.position();
    }
  }
  if (start.rebuild) KQ_TRY(save_indexes());
  return Recovered{next_offset, good_end};
}

}  // namespace kq::log
