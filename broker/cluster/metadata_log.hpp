// __cluster_metadata-0 on disk: its log, its snapshots, its quorum-state.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "broker/cluster/image.hpp"
#include "broker/cluster/snapshot.hpp"
#include "broker/log/log_directory.hpp"

namespace kq::cluster {

// As its only voter leads it: each start begins another epoch, and what is appended and synced is committed.
//
// Externally synchronized, but for what a FlushWork does and write_snapshot, which may run beside appends (one at a time).
// Everything blocks on the disk; append() alone only writes into the page cache.
class MetadataLog {
 public:
  // As in Kafka's controller: no batch is larger.
  static constexpr size_t batch_bytes_max = 8 << 20;

  struct Options {
    log::LogDirectory& directory;                      // formatted
    log::FileSystem& files;
    Logger& logger;
    int32_t node_id = 1;
    log::LogConfig log;
    uint64_t retention_bytes = 0;                      // of log; what a snapshot covers goes beyond this
  };

  static Result<std::unique_ptr<MetadataLog>> open(Options, int64_t now_ms);

  // What the latest snapshot and the log behind it say.  Once, before anything is appended.
  Result<std::shared_ptr<const Image>> load();
  const Quorum& quorum() const { return quorum_; }
  bool transaction_left_open() const { return transaction_left_open_; }

  // Begins the next epoch: the quorum-state first, then the LeaderChange that everybody sees.
  Status become_leader(int64_t now_ms);
  // All of it in one batch: applied as a whole or not at all.  Answers the first offset.
  Result<int64_t> append(std::span<const std::vector<std::byte>> records, int64_t now_ms);
  Result<log::FlushWork> prepare_flush() { return log_->prepare_flush(log::FlushKind::data); }
  void flushed(const log::FlushWork& work, Status& outcome) { log_->flushed(work, outcome); }

  int32_t epoch() const { return epoch_; }
  int64_t end_offset() const { return log_->end_offset(); }
  uint64_t bytes_since_snapshot() const { return bytes_since_snapshot_; }
  const std::string& path() const { return path_; }

  // An image of all that was appended is about to be written as a snapshot.
  void snapshot_begun(int64_t now_ms);
  // Writes it: `.part` first, renamed when it is synced.  Beside appends.
  Status write_snapshot(const Image&, int64_t last_contained_timestamp, int64_t now_ms);
  // It is there: older snapshots and the log below them go, as far as retention lets them.
  Status snapshot_written(const SnapshotId&, int64_t now_ms);

  Status sync();                                       // in one go, while nobody else is there

 private:
  explicit MetadataLog(Options options) : options_(std::move(options)) {}
  Status find_snapshots();
  Status replay_snapshot(Draft&);
  Status replay_log(Draft&);
  Status replay_batch(Draft&, const BatchView&);
  std::string path_of(const SnapshotId& id) const { return path_ + "/" + id.file_name(); }

  Options options_;
  std::string path_;
  std::shared_ptr<log::Log> log_;
  std::vector<SnapshotId> snapshots_;                  // ascending
  Quorum quorum_;
  int32_t epoch_ = 0;                                  // the largest that is known, then our own
  bool transaction_left_open_ = false;
  uint64_t bytes_since_snapshot_ = 0;
};

}  // namespace kq::cluster
