// One partition's log: segments of record batches, their indexes, the producers' state, the leader epochs.
//
// Externally synchronized: the owner (a Partition) holds its lock around every call that is not const, and around const ones that
// are not said to be free.  What a call hands out (Slice, FlushWork, TimestampSearch) is used without the lock, on any thread.
// The destructor writes nothing: a log that is not closed is recovered when it is next opened.
//
// Errors.  What breaks Kafka's rules is answered as a Code inside the result, and nothing has changed.  What the disk refuses is
// an Error: a full disk (disk_full, to be tried again) leaves the log as it was and usable; anything else on the write path makes
// the log failed(), after which every write is refused: its directory has to go offline.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "broker/log/checkpoint.hpp"
#include "broker/log/cleaner/plan.hpp"
#include "broker/log/config.hpp"
#include "broker/log/file_cache.hpp"
#include "broker/log/producer_state.hpp"
#include "broker/log/segment.hpp"
#include "libkq/base/log.hpp"
#include "libkq/base/random.hpp"

namespace kq::log {

// What a log shares with all others of its broker.
struct LogContext {
  FileCache& cache;
  Logger& logger;
  uint64_t seed = 0;                  // for segment.jitter.ms

  FileSystem& files() const { return cache.files(); }
};

struct AppendResult {
  Code code{};                        // not none: refused, and nothing was appended
  bool duplicate = false;             // a repeat of what is there: its offsets, and nothing was appended
  int64_t first_offset = -1;
  int64_t last_offset = -1;
  int64_t timestamp = -1;             // largest in what was appended; of a duplicate: as Kafka answers it as log append time
  size_t bytes = 0;
  bool rolled = false;
};

struct ReadRequest {
  int64_t offset = 0;
  size_t bytes_max = 0;
  int64_t upper_offset = 0;           // nothing at or above it: high watermark, last stable offset, or the log's end
  bool whole_first_batch = true;      // the first batch comes whole even if it is larger than bytes_max
  bool hot_only = false;              // where the disk would have to be asked: nothing, but `cold`
};

struct ReadResult {
  Code code{};                        // offset_out_of_range: below the start or above the end
  Slice slice;                        // empty: there is nothing (yet), or the first batch does not fit
  std::optional<Slice> cold;          // read through this (touch) on the I/O pool, without the lock, then ask again
};

// Reads `slice` once, so that it is in the page cache.
Status touch(const Slice& slice);

struct AbortedTransaction {
  int64_t producer_id;
  int64_t first_offset;
};

struct TimestampOffset {
  int64_t timestamp = -1;
  int64_t offset = -1;
  int32_t leader_epoch = -1;
};

// The part of a look-up by time that reads records: from the right place on, in segments that it pins.
struct TimestampSearch {
  int64_t timestamp = 0;
  int64_t start_offset = 0;
  std::vector<Slice> slices;

  Result<std::optional<TimestampOffset>> run() const;          // without the lock, on a thread that may block
};

// Keeps a sync that runs beside a truncation, or a deletion, from saving what is no longer so.
struct TruncationGuard {
  std::mutex mutex;
  uint64_t count = 0;
};

// What a sync has to do, apart from the log.  run() blocks; it is called without the lock, at most one of a log at a time.
class FlushWork {
 public:
  Status run() const;
  bool empty() const { return files_.empty() && directories_.empty() && small_files_.empty(); }
  int64_t end_offset() const { return end_offset_; }

 private:
  friend class Log;
  struct SmallFile { std::string path, content; };

  FileSystem* file_system_ = nullptr;
  std::vector<std::shared_ptr<File>> files_;
  std::vector<std::string> directories_;
  std::vector<SmallFile> small_files_;
  std::shared_ptr<TruncationGuard> guard_;
  uint64_t truncations_ = 0;                     // as they were counted when this was made
  int64_t end_offset_ = 0;
  uint64_t end_bytes_ = 0;
  bool moves_recovery_point_ = false;
  bool saves_epochs_ = false;
  bool saves_snapshot_ = false;
};

enum class FlushKind {
  data,                 // the records: what acks=all waits for with log.flush.acks=all
  recovery_point,       // indexes, epochs and producers as well: what lies below is trusted after a crash
};

class Log {
 public:
  struct Options {
    std::string directory;                       // exists
    TopicPartition name;
    LogConfig config;
    // All below was synced, as the checkpoint says.  With `clean` it is the log's end, and nothing is read that a clean stop wrote.
    int64_t recovery_point = 0;
    std::optional<int64_t> start_offset{};       // as checkpointed; none: the first segment's
    bool clean = false;
    bool fresh = false;                          // the directory was just made, and its parent not synced
    bool cleaned = false;                        // it was compacted before: between its segments may be holes
    int64_t producer_expiration_ms = 86'400'000;
    int64_t now_ms = 0;
  };

  // Opens what is there, or begins an empty log.  Leftovers of an interrupted cleaning or deletion are settled first.
  static Result<std::unique_ptr<Log>> open(const LogContext&, Options);
  ~Log();

  // Free: any thread, without the lock.
  int64_t start_offset() const { return start_offset_.load(std::memory_order_acquire); }
  int64_t end_offset() const { return end_offset_.load(std::memory_order_acquire); }
  int64_t high_watermark() const { return high_watermark_.load(std::memory_order_acquire); }
  int64_t synced_offset() const { return synced_offset_.load(std::memory_order_acquire); }         // below it nothing is lost
  int64_t recovery_point() const { return recovery_point_.load(std::memory_order_acquire); }       // to be checkpointed
  uint64_t bytes_past_recovery_point() const { return bytes_past_recovery_point_.load(std::memory_order_acquire); }
  int64_t first_segment_offset() const { return first_segment_offset_.load(std::memory_order_acquire); }
  uint64_t size() const { return size_.load(std::memory_order_acquire); }                          // of all .log files
  bool failed() const { return failed_.load(std::memory_order_acquire); }
  const TopicPartition& name() const { return options_.name; }

  const std::string& directory() const { return options_.directory; }
  const LogConfig& config() const { return options_.config; }
  void set_config(const LogConfig& config) { options_.config = config; }
  const ProducerState& producers() const { return producers_; }
  const EpochCache& epochs() const { return epochs_; }
  size_t segment_count() const { return segments_.size(); }

  // Validated batches, one after another (of a client: exactly one).  They get their offsets and `leader_epoch` in place, and go
  // to the file in one write.
  Result<AppendResult> append_as_leader(MutableBytes batches, int32_t leader_epoch, int64_t now_ms, const AppendOptions& = {});
  // Batches as another broker has them: offsets and epochs are kept, gaps between them allowed.  A cut-off batch at the end is left
  // out.  They must start at or after the end (else offset_out_of_range) and ascend, with right CRCs (else corrupt_message).
  Result<AppendResult> append_as_follower(Bytes batches, int64_t now_ms);

  // See ProducerState.
  VerificationGuard begin_verification(const VerificationRequest& request) { return producers_.begin_verification(request); }

  Result<ReadResult> read(const ReadRequest&);
  // Aborted transactions that a reader of `slice`, which starts at offset `from`, has to know; by first offset.
  Result<std::vector<AbortedTransaction>> aborted_transactions(int64_t from, const Slice& slice);

  // Moves the high watermark, within start and end; it may go back (a new leader's truth).
  void set_high_watermark(int64_t offset);
  // The end of what a reader of committed records may see; never above the high watermark.
  int64_t last_stable_offset() const;

  // The first record at or after `timestamp`; the first with the largest timestamp.  run() of the answer finds it.
  Result<TimestampSearch> search_timestamp(int64_t timestamp);
  Result<TimestampSearch> search_largest_timestamp();
  EpochEnd end_offset_for_epoch(int32_t epoch) const { return epochs_.end_offset_for(epoch, end_offset()); }
  // This broker leads from here on in `epoch`, whether or not a record of it will come.
  void assign_epoch(int32_t epoch) { assign_epoch(epoch, end_offset()); }
  void assign_epoch(int32_t epoch, int64_t start_offset);

  // Cuts off everything at and above `offset` (a batch across it goes as a whole): files, indexes, epochs, producers, recovery
  // point.  Slices that are still being sent keep the old bytes.  Through LogDirectory::truncate, which lowers the checkpointed
  // recovery point first; otherwise a crash could trust what was written after.
  Status truncate_to(int64_t offset, int64_t now_ms);
  Result<int64_t> end_after_truncation(int64_t offset);
  // Removes every record and goes on at `offset`.
  Status truncate_fully_and_start_at(int64_t offset, int64_t now_ms);
  // Records below `offset` are gone for readers; segments that lie wholly below it are taken out.
  Status raise_start(int64_t offset, int64_t now_ms);
  // Removes the oldest segments, as many as Retention says and at most `segments_max`, and answers how many.  Where all have to go, a
  // new one is started first.
  Result<size_t> delete_old_segments(int64_t now_ms, size_t segments_max);
  // For the cleaner.  Facts: with the lags' times of closed segments from that offset on, without the sizes of indexes.
  Result<LogFacts> facts(int64_t times_from);
  uint64_t truncations() const { return guard_->count; }
  // A closed segment, pinned, from the batch on that holds `from_offset` or follows it; nothing: there is none of that base any more.
  Result<std::optional<Slice>> closed_segment(int64_t base_offset, int64_t from_offset);
  // Aborted transactions that reach into [from, upper), as the index has them.
  Result<std::vector<TxnEntry>> aborted_between(int64_t from, int64_t upper);
  struct Replacement {
    std::vector<int64_t> sources;                // bases of neighbours; the files of the first one's base, *.cleaned, take their place
    int64_t size = 0;                            // of that .log, which is closed and synced like its indexes
    uint64_t truncations = 0;                    // when the sources were read
  };
  // False: the log was cut meanwhile, and nothing has changed.  The directory is not synced.
  Result<bool> replace_segments(const Replacement&, int64_t now_ms);

  // Starts a new segment if the active one holds records.
  Status roll(int64_t now_ms);

  // Files that were taken out, renamed to *.deleted: to be removed once `due_ms` (file.delete.delay.ms) has come.
  struct Removal {
    std::string path;
    int64_t due_ms;
  };
  std::vector<Removal> take_removals() { return std::exchange(removals_, {}); }

  // Syncing: prepare under the lock, run() without it, tell the outcome under the lock.  At most one at a time.
  Result<FlushWork> prepare_flush(FlushKind);
  void flushed(const FlushWork&, Status& outcome);

  void expire_producers(int64_t now_ms) { producers_.expire(now_ms, options_.producer_expiration_ms); }

  // A clean stop: indexes trimmed, producer snapshot written, everything synced, recovery point at the end.  Blocks.  Only reads
  // afterwards.
  Status close();
  // The partition is deleted, its directory about to be renamed: a sync that is under way saves nothing under the old name, which another
  // log may get.  Nobody uses this one any more.  Any thread.
  void abandon() { count_truncation(); }

 private:
  // Batches at the tail, so that readers there cost no read: a fetch usually begins and ends where an append did.
  class Tail {
   public:
    void add(const BatchPlace& batch);
    void clear() { count_ = 0; }
    const BatchPlace* find(int64_t offset) const;          // as Segment::find; null: older than all it knows

   private:
    static constexpr size_t batches_max = 16;
    std::vector<BatchPlace> batches_;                      // a ring
    uint64_t count_ = 0;
  };

  Log(const LogContext&, Options);

  Segment& active() { return *segments_.back(); }
  size_t floor_segment(int64_t offset) const;              // the last one whose base offset is at or below `offset`, else the first
  Result<std::optional<BatchPlace>> find(size_t segment, int64_t offset, ColdSlice* cold);
  Result<int64_t> end_position(size_t segment, int64_t upper_offset, ColdSlice* cold);
  Result<Slice> slice_from(size_t segment, int64_t position, int64_t base_offset);
  void update_size();

  // Opening: recovery.cpp.
  Status load();
  Result<std::vector<std::string>> settle_leftovers();      // answers the names of the files that stay
  Status finish_swap(std::vector<std::string>& names);
  Status load_segments(const std::vector<std::string>& names);
  Status load_epochs();
  Result<std::optional<int64_t>> end_after_clean_stop();
  Result<int64_t> recover();
  Status rebuild_missing_indexes(const std::vector<std::string>& names);
  Status drop_segments_from(size_t first);
  Status keep_useful_snapshots(int64_t at_most);
  Status load_producers(int64_t snapshot_at_most, int64_t index_from);
  Status replay(int64_t from, int64_t index_from);

  // What snapshots leave out: recall.cpp.
  struct Position {
    size_t segment;
    int64_t position;
    int64_t offset;                                        // of a record in the batch there
  };
  Status recall_producers();
  Status recall_between(const Position& from, const Position& to);
  Result<Position> position_before_end(int64_t bytes);

  // Appending: log.cpp.
  Code admit(MutableBytes batches, int32_t leader_epoch, const AppendOptions& how, AppendResult& result) const;
  Code admit_as_given(Bytes& batches, AppendResult& result) const;
  Result<AppendResult> write(Bytes batches, AppendResult result, int64_t now_ms);
  Status make_room(AppendResult& result, int64_t now_ms);
  Status start_segment(int64_t base_offset, int64_t now_ms);
  Status track(Bytes batches, int64_t position);
  Status complete(Segment& segment, const CompletedTransaction& transaction, int64_t index_from);
  Status fail(Status outcome);                              // a disk that broke is remembered
  Status fail_halfway(Status outcome);                      // so is any error between states
  Status refuse_if_failed() const;

  // Cutting: truncate.cpp.
  static constexpr const char* cut_marker = "cut.pending";
  void count_truncation();
  Status begin_cut();
  Status end_cut();
  Status cut(int64_t offset, int64_t new_end, int64_t now_ms);
  Status replace_all(int64_t offset, int64_t now_ms);
  Status take_out(Segment& segment, int64_t now_ms);
  Status remove_segments_below_start(int64_t now_ms);
  Status end_moved_to(int64_t offset, int64_t now_ms);
  Status write_snapshot(int64_t offset);
  Status remove_snapshots(int64_t from, int64_t to);        // of offsets in [from, to)

  // Syncing: flush.cpp.
  Status collect_topic_id(FlushWork& work);
  Status collect_indexes(Segment& segment, FlushWork& work);
  Status collect_small_files(FlushWork& work);
  Status remove_snapshots_between_segments(int64_t below);

  const LogContext context_;
  Options options_;
  SegmentHome home_;
  std::vector<std::unique_ptr<Segment>> segments_;         // at least one, by base offset
  std::vector<int64_t> snapshots_;                         // offsets of the files there are, ascending
  std::vector<int64_t> unsynced_snapshots_;
  int64_t flushing_snapshot_ = -1;                         // which a sync that is under way writes
  ProducerState producers_;
  EpochCache epochs_;
  Tail tail_;
  struct { int64_t offset = -1, segment = -1, position = 0; } upper_;      // the last end_position that had to be looked up
  Random jitter_;
  bool epochs_unsaved_ = false;
  bool directory_unsynced_ = false;
  bool parent_unsynced_ = false;
  bool cutting_ = false;
  bool changed_ = false;                                   // since it was opened: what a clean stop has to write
  bool indexes_loose_ = false;                             // the active segment's may be longer than their entries
  bool closed_ = false;
  std::vector<Removal> removals_;
  std::shared_ptr<TruncationGuard> guard_ = std::make_shared<TruncationGuard>();
  uint64_t appended_bytes_ = 0;                            // since it was opened
  uint64_t appended_at_recovery_point_ = 0;
  std::atomic<uint64_t> bytes_past_recovery_point_{0};

  std::atomic<int64_t> start_offset_{0}, end_offset_{0}, high_watermark_{0}, synced_offset_{0}, recovery_point_{0};
  std::atomic<int64_t> first_segment_offset_{0};
  std::atomic<uint64_t> size_{0};
  std::atomic<bool> failed_{false};
};

}  // namespace kq::log
