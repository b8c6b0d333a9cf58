// The partitions that the metadata gives this broker, and their logs on its disks.
#pragma once

#include <atomic>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <span>
#include <vector>

#include "broker/broker.hpp"
#include "broker/cleaner.hpp"
#include "broker/format.hpp"
#include "broker/housekeeping.hpp"
#include "broker/log/log_directory.hpp"
#include "broker/partitions.hpp"

namespace kq::broker {

// metadata.log.dir, then the others of log.dirs.
std::vector<std::string> data_directories(const Config&);

// Follows the metadata: makes, changes and deletes partitions.  Syncs in the background, so that at most log.recovery.scan.max.bytes lie
// past the recovery points, and does nothing while nothing is written.  What blocks is marked; the rest may be called from any thread.
class Storage {
 public:
  static Result<std::unique_ptr<Storage>> open(const Config&, const Environment&, Partitions&);      // blocks, shortly
  ~Storage();

  // Where __cluster_metadata lies: the directory that says whether there is anything.
  log::LogDirectory& metadata_directory() { return *directories_.front(); }
  std::vector<Uuid> directory_ids() const;
  std::span<const std::unique_ptr<log::LogDirectory>> directories() const { return directories_; }
  // Formats what is empty; refuses what is another broker's, or another cluster's.  Answers the cluster's id.  Before anything else.  Blocks.
  Result<std::string> own(const FormatRequest&);

  // The partitions are as `image` says when this returns; the directories of new ones are made soon after, or when they are first
  // wanted.  With `delta` only what changed is looked at.  Blocks, shortly.
  void apply(const cluster::Image& image, const cluster::Delta* delta);
  // Opens, one after another on the pool, what a crash may have left to be recovered; then what nobody asks for begins.
  void recover_in_background();
  Housekeeping& housekeeping() { return *housekeeping_; }

  // Nothing begins by itself any more.  On the first loop's thread.
  void stop_background();
  // Leaves everything synced and marked as cleanly stopped.  Nobody uses the partitions any more, and the pool is empty.  Blocks.
  Status close(int64_t broker_epoch);

 private:
  Storage(const Config&, const Environment&, Partitions&);
  Status open_directories();
  void apply_topic(const cluster::Image&, const cluster::TopicImage&, bool make_directories);
  // Housekeeping of one partition that nobody waits for: whoever wants its log sooner opens it himself.
  struct Chore {
    enum class Kind { make, recover } kind;
    std::weak_ptr<Partition> partition;
  };
  void soon(Chore);
  void work_off();                                                       // on the pool
  void carry_out(const Chore&);
  void remove_topic(const cluster::TopicImage&);
  void set_aside_strays(const cluster::Image&);
  void configure(const cluster::Image&, const cluster::Delta&);
  std::shared_ptr<const TopicConfig> config_of(const cluster::Image&, const cluster::TopicImage&) const;
  Result<std::shared_ptr<log::Log>> open_log(const Partition&, const log::LogConfig&);
  Status make_log(const Partition&);
  log::LogDirectory& directory_of(const log::TopicPartition&);
  void forget_place(const log::TopicPartition&);
  void appended(Partition&, size_t bytes);
  void disk_failed(Partition&, const Error&);
  void sync_round(int64_t bytes_left_max);
  void round_done();
  void write_checkpoints();

  const Config& config_;
  const Environment& env_;
  Partitions& partitions_;
  log::FileCache files_;
  PartitionContext context_;
  std::vector<std::unique_ptr<log::LogDirectory>> directories_;          // the metadata's first
  std::map<log::TopicPartition, log::LogDirectory*> places_;             // where there are several: what lies where, and
  std::map<log::LogDirectory*, size_t> placed_;                          // how many in each
  TopicConfig topic_defaults_;                                           // under apply()

  std::atomic<int64_t> unsynced_bytes_{0};
  std::mutex mutex_;                                                     // over what follows
  std::vector<std::weak_ptr<Partition>> dirty_;                          // with records past the recovery point
  std::deque<Chore> chores_;
  size_t workers_ = 0;                                                   // on them
  size_t round_running_ = 0;                                             // partitions that a round still waits for
  std::unique_ptr<Alarm> sync_alarm_;
  std::unique_ptr<Housekeeping> housekeeping_;
  std::unique_ptr<Cleaner> cleaner_;
  RateLimitedLog disk_full_log_{env_.log, LogLevel::error, "storage"};
};

}  // namespace kq::broker
