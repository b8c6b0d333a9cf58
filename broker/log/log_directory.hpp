// One data directory (an entry of log.dirs): whose it is, which partitions lie in it, their checkpoints, its clean stop.
//
// Starting reads names, not logs: open() lists the directory and reads the checkpoints, whatever lies in the partitions.  A log is
// opened by open_log when it is first wanted; after a crash that is also when it is recovered, up to its own recovery point.  So a
// broker with a hundred thousand partitions serves at once; it opens the rest in the background, or when they are asked for.
//
// Any thread.  What blocks is marked; it belongs on the I/O pool.  No threads are started here.
#pragma once

#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <set>

#include "broker/log/log.hpp"

namespace kq::log {

class LogDirectory {
 public:
  struct Options {
    std::string path;
    int64_t producer_expiration_ms = 86'400'000;
  };

  // Takes the lock, reads meta.properties and the checkpoints, lists the partitions.  Makes the directory if it is absent.  Refused:
  // a directory that another broker holds, and one that holds something else than a broker's data.  Blocks, shortly.
  static Result<std::unique_ptr<LogDirectory>> open(const LogContext&, Options);
  ~LogDirectory();

  // An empty directory is not formatted; whoever starts a broker writes what else belongs into it and then calls format, which
  // writes meta.properties: its presence says that the rest is there.
  bool formatted() const { return meta_.has_value(); }
  Status format(const MetaProperties&);
  const std::optional<MetaProperties>& meta() const { return meta_; }
  // Is it this node's directory, of this cluster?  The refusal names both and says what to do.
  Status check_owner(const std::string& cluster_id, int32_t node_id) const;

  // Was it left by a clean stop?  Then the broker epoch of that time is known too.
  const std::optional<CleanShutdown>& clean_shutdown() const { return clean_shutdown_; }

  const std::string& path() const { return options_.path; }
  std::vector<TopicPartition> partitions() const;                       // that lie here, opened or not
  std::vector<std::shared_ptr<Log>> logs() const;                       // that are opened
  Result<std::optional<Uuid>> topic_id(const TopicPartition&) const;    // as its directory says.  Blocks
  std::map<TopicPartition, uint64_t> sizes() const;                     // in bytes, of each partition's .log files; opens none.  Blocks
  Result<DiskSpace> space() const { return context_.files().space(path()); }       // Blocks, shortly
  std::optional<int64_t> checkpointed_high_watermark(const TopicPartition&) const;

  // Opens the partition's log, and makes it if it is not there; the same object until it is deleted.  The high watermark is the
  // checkpointed one, within the log.  A directory of another topic id is refused with own_code::data: it is a stray, set it aside.
  // The metadata log is opened by its name like any other, but recovered as a whole: its points are not checkpointed.  Blocks.
  Result<std::shared_ptr<Log>> open_log(const TopicPartition&, const Uuid& topic_id, const LogConfig&, int64_t now_ms);

  // Makes the directory of a new partition and the files of an empty log in it, for whoever looks; the log itself is opened when it is
  // first wanted.  Nothing is synced: what a power cut takes held no record.  Blocks, shortly.
  Status make_log(const TopicPartition&, const Uuid& topic_id);
  // After a crash: has nothing ever been written there, so that opening it would recover nothing?  Blocks, shortly.
  bool holds_nothing(const TopicPartition&);

  // Log::truncate_to and Log::truncate_fully_and_start_at, under the log's lock, after lowering the recovery point on disk.  Blocks.
  Status truncate(Log&, int64_t offset, int64_t now_ms);
  Status truncate_fully_and_start_at(Log&, int64_t offset, int64_t now_ms);

  // When Log::delete_old_segments of a log that is not opened first has something to do; nothing: never while it stays so.  Blocks.
  Result<std::optional<int64_t>> retention_due_ms(const TopicPartition&, const LogConfig&) const;

  // The partition is gone: its directory is renamed to …-delete and forgotten.  Its files are removed once `due_ms` has come; what a
  // crash leaves is removed after the next start.  Nobody appends to its log any more, nor opens it.  With many, sync_names() comes
  // last, once.  Blocks, shortly.
  Status delete_log(const TopicPartition&, int64_t due_ms);
  // No topic has the partition any more: its directory is renamed to …-stray, where it is told, and forgotten.  Nobody but an operator
  // removes it, as with Kafka.  The same holds as for delete_log().
  Result<std::string> set_aside(const TopicPartition&);
  Status sync_names();
  void remove_later(std::vector<Log::Removal>);                         // what Log::take_removals gave
  // One job for each thing that is due, to be run on the I/O pool, in any order.
  std::vector<std::function<void()>> due_removals(int64_t now_ms);

  // The checkpoint files, of all partitions: those of logs that are not opened stay as they were read.  Blocks.
  Status write_recovery_points();
  Status write_high_watermarks();
  Status write_log_starts();

  // How far the partition's log was compacted, over restarts (cleaner-offset-checkpoint).  Blocks.
  std::optional<int64_t> cleaned_offset(const TopicPartition&) const;
  Status set_cleaned_offset(const TopicPartition&, int64_t offset);

  // Stops cleanly: closes the opened logs, writes the checkpoints, and, if nothing failed and no log is left unrecovered, the marker
  // of a clean stop.  Nobody else uses the logs.  Blocks.
  Status close(int64_t broker_epoch);

  // A disk that failed: every further write here is refused, and the owner gives its partitions up.  The first error is kept.
  void set_offline(const Error&);
  bool offline() const;
  std::optional<Error> offline_error() const;

 private:
  struct Known {                                                        // of a partition
    std::optional<int64_t> recovery_point, high_watermark, log_start, cleaned;
    bool present = false;                                               // there is a directory of that name
    bool empty = false;                                                 // and certainly no record in it, if it is not opened
    std::shared_ptr<Log> log;                                           // null: not opened yet
  };

  LogDirectory(const LogContext& context, Options options) : context_(context), options_(std::move(options)) {}

  Status look_around();
  Result<std::string> rename_away(const TopicPartition&, std::string_view suffix);  // empty: it is not here
  Status read_checkpoints();
  Status refuse_foreign(const std::vector<DirectoryEntry>& entries) const;
  Status await_turn(const TopicPartition&, std::unique_lock<std::mutex>&);
  Status make_files(const TopicPartition&, const Uuid& topic_id);
  Result<Log::Options> prepare(const TopicPartition&, const Uuid& topic_id, const LogConfig&, int64_t now_ms);
  OffsetCheckpoint collect(std::optional<int64_t> Known::*checkpointed, int64_t (*now)(const Log&));
  Status write(const char* file, const OffsetCheckpoint&);
  Status write_starts();
  Status write_cleaned();
  Status lower_cleaned_offset(const TopicPartition&, int64_t offset);
  Status lower_recovery_point(const Log&, int64_t offset);
  std::string path_of(const std::string& name) const { return options_.path + "/" + name; }

  const LogContext context_;
  const Options options_;
  std::unique_ptr<FileLock> lock_;
  std::optional<MetaProperties> meta_;
  std::optional<CleanShutdown> clean_shutdown_;

  mutable std::mutex mutex_;                                            // over what follows
  std::map<TopicPartition, Known> known_;
  std::vector<Log::Removal> removals_;                                  // files, and directories that end in -delete
  std::set<TopicPartition> opening_;
  std::condition_variable opened_;
  std::optional<Error> offline_error_;
  std::mutex checkpoint_mutex_;                                         // one writer of checkpoint files at a time
};

}  // namespace kq::log
