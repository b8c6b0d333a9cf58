// A partition that this broker holds a replica of: its log, its leadership, and who waits for it.
#pragma once

#include <atomic>
#include <boost/intrusive/list.hpp>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "broker/cluster/image.hpp"
#include "broker/config.hpp"
#include "broker/io_pool.hpp"
#include "broker/log/log.hpp"
#include "libkq/base/log.hpp"
#include "libkq/net/loop.hpp"
#include "libkq/protocol/codes.hpp"
#include "libkq/record/batch_builder.hpp"

namespace kq::broker {

// Told when a partition may have something new for a reader: records below the high watermark, another start, another leadership.
// A watch is in at most one partition's list.
class PartitionWatch : public boost::intrusive::list_base_hook<> {
 public:
  // Under the partition's lock, on any thread: take note, and ask the partition nothing.
  virtual void changed() = 0;

 protected:
  ~PartitionWatch() = default;
};

enum class Isolation : int8_t { read_uncommitted = 0, read_committed = 1 };

struct PartitionRead {
  struct Request {
    int64_t offset = 0;
    size_t bytes_max = 0;
    bool whole_first_batch = true;
    bool hot_only = true;
    Isolation isolation = Isolation::read_uncommitted;
    int32_t current_leader_epoch = -1;            // what the reader believes; -1: it does not say
    int32_t last_fetched_epoch = -1;              // likewise, of the record before `offset`
  };

  Code code = Code::none;
  int64_t high_watermark = -1;
  int64_t last_stable_offset = -1;
  int64_t log_start_offset = -1;
  log::Slice slice;                               // empty: nothing to read yet, or
  bool no_room = false;                           // nothing that fits into bytes_max
  std::optional<log::Slice> cold;                 // to be touched on the pool; then read again with hot_only off
  std::optional<log::EpochEnd> diverging;         // the reader's log parts ways here
  std::vector<log::AbortedTransaction> aborted;   // with read_committed
  uint64_t generation = 0;                        // for watch()
};

struct Leadership {
  int32_t leader = cluster::no_leader;
  int32_t epoch = -1;
};

// Of a topic's settings those that its log obeys.
log::LogConfig log_config(const TopicConfig&);

// What partitions share with the broker that holds them.
class Partition;
struct PartitionContext {
  IoPool& io;
  Logger& log;
  bool commit_when_synced = false;                // log.flush.acks=all: the high watermark moves over synced records alone
  std::function<Result<std::shared_ptr<log::Log>>(const Partition&, const log::LogConfig&)> open_log;      // blocks
  std::function<Status(const Partition&)> make_log;               // of a new partition, for open_log to find; blocks
  std::function<void(Partition&, size_t bytes)> appended;         // past its recovery point
  std::function<void(Partition&, const Error&)> disk_failed;      // a full disk, or one that has to go offline
  std::function<void(Partition&, std::vector<log::Log::Removal>)> took_out;     // files that have to be removed later
  std::function<void(Partition&)> may_be_dirty;                   // a log that is compacted was opened, has a new segment, or other settings
};

// Any thread.  The lock is held for a state change and its write, never across an await.
//
// Its log is opened when it is first wanted, on the I/O pool: after a crash that is when it is recovered.  Until then it has no
// offsets, and whoever wants them awaits opened() first.
class Partition : public std::enable_shared_from_this<Partition> {
 public:
  Partition(const PartitionContext&, Uuid topic_id, std::string topic, int32_t index, std::shared_ptr<const TopicConfig>);

  const Uuid topic_id;
  const std::string topic;
  const int32_t index;
  std::atomic<bool> noted_dirty{false};           // by whoever has its log synced
  std::atomic<int64_t> retention_due_ms{0};       // by whoever checks it: nothing to remove before, while it is not open; 0: not known

  // The settings that hold for it; a snapshot.
  std::shared_ptr<const TopicConfig> config() const { return config_.load(std::memory_order_acquire); }
  void set_config(std::shared_ptr<const TopicConfig>);

  bool is_open() const { return open_.load(std::memory_order_acquire); }
  // Resumes on `loop` once the log is open: none; kafka_storage_error where it cannot be, and the next call tries again.
  awaitable<Code> opened(Loop& loop);
  // The same, here and now.  Blocks: for the I/O pool and for starting.
  Status open_now();
  // Has the files of its log made, unless it is open.  Blocks, shortly.
  Status make_now();

  // What the image says.  Leading begins with the next epoch; whoever waits learns of it.
  void set_leadership(const cluster::PartitionImage&, int32_t own_id);
  Leadership leadership() const;

  struct Appended {
    Code code = Code::none;
    std::string message;                          // what a person should know, beside the code
    int64_t first_offset = -1;
    int64_t end_offset = -1;                      // committed(end_offset) is what acks=all awaits
    int64_t timestamp = -1;                       // of a duplicate: what Kafka answers as log append time
    int64_t log_start_offset = -1;
    bool duplicate = false;
  };
  // One validated batch of a client, changed in place.
  Appended append(MutableBytes batch, bool all_acks, const log::AppendOptions&);
  // The end of a producer's transaction, which its coordinator has decided.
  Appended append_marker(const TransactionMarker&, bool transactions_v2);

  // Before the coordinator is asked whether a transaction that would begin here is known to it (ProducerState::begin_verification).
  struct Verification {
    Code code = Code::none;
    log::VerificationGuard guard = log::no_guard;
  };
  Verification begin_verification(const log::VerificationRequest&);
  // By id.  None, or the code that refuses.
  Code producers(std::vector<log::Producer>& to) const;

  // Resumes on `loop` when everything below `offset` is committed (none), when the deadline comes (request_timed_out), or when that
  // will not happen here (not_leader_or_follower, kafka_storage_error).
  awaitable<Code> committed(Loop& loop, int64_t offset, Instant deadline);

  PartitionRead read(const PartitionRead::Request&);
  // Puts `watch` into the list.  It is told at once if something has changed since `generation`.
  void watch(PartitionWatch& watch, uint64_t generation);
  void unwatch(PartitionWatch& watch);

  // Leader epoch as in Request; none, or the code that refuses.
  Code check_leader(int32_t current_leader_epoch) const;
  struct Offsets {
    int64_t start, high_watermark, last_stable, end;
    int32_t leader_epoch;
    std::optional<int32_t> start_epoch;
  };
  Offsets offsets() const;
  log::EpochEnd end_offset_for_epoch(int32_t epoch) const;
  Result<log::TimestampSearch> search_timestamp(int64_t timestamp);
  Result<log::TimestampSearch> search_largest_timestamp();

  struct RecordsDeleted {
    Code code = Code::none;
    int64_t low_watermark = -1;
  };
  // Records below `offset` are gone, for readers at once; high_watermark_offset: all that are committed.  Blocks.
  static constexpr int64_t high_watermark_offset = -1;
  RecordsDeleted delete_records(int64_t offset);
  // Removes what has outlived its time or its room.  Blocks.
  void delete_old_segments(int64_t now_ms);

  // The log, for those who work on it in the background; false, and not called: it is not open, or deleted, or its disk has failed.
  bool work_on(const std::function<void(log::Log&)>&);
  void failed(const Error& error) { context_.disk_failed(*this, error); }      // that work, by the disk

  // Has the log synced, so that nothing before this moment is scanned after a crash; on the I/O pool, which calls `done` then.
  void flush_soon(std::function<void()> done);

  uint64_t bytes_past_recovery_point() const;

  // Ends it: what waits is answered not_leader_or_follower, nothing is served any more, and its log is not opened any more.  Blocks while
  // it is being opened.
  void retire();
  // The log, for those who read it as a whole: under the lock, where it is open.
  template <class Visit>
  void with_log(Visit&& visit) {
    std::lock_guard lock(mutex_);
    if (log_) visit(*log_);
  }
  // Runs `work`, which changes the log's names, while nobody uses the log.
  template <class Work>
  auto locked(Work&& work) {
    std::lock_guard lock(mutex_);
    return work();
  }

 private:
  struct CommitWaiter;

  Code check_leader_locked(int32_t current_leader_epoch) const;
  bool lead();                                    // begins to, or goes on; true as from want_flush()
  void submit_flush();
  void new_for_readers();
  void move_high_watermark(int64_t offset);
  void wake_waiters(Code code);                   // all of them, for good
  bool want_flush(log::FlushKind);                // true: the caller submits flush() once the lock is released
  void flush();
  Status flush_once(log::FlushKind, std::unique_lock<std::mutex>&);

  const PartitionContext& context_;
  std::atomic<std::shared_ptr<const TopicConfig>> config_;
  std::atomic<bool> open_{false};
  std::mutex opening_;                            // taken before mutex_: one opens, others wait
  mutable std::mutex mutex_;
  std::shared_ptr<log::Log> log_;                 // null: not opened yet
  Leadership leadership_;
  bool leads_ = false;
  bool retired_ = false;
  size_t in_sync_replicas_ = 0;
  uint64_t generation_ = 0;                       // counts what a watch is told
  boost::intrusive::list<PartitionWatch> watches_;
  std::vector<std::shared_ptr<CommitWaiter>> commit_waiters_;
  bool flushing_ = false;                         // on the pool; one at a time
  bool data_flush_wanted_ = false, recovery_flush_wanted_ = false;
  std::vector<std::function<void()>> flush_done_; // of the recovery flush that is wanted
};

}  // namespace kq::broker
