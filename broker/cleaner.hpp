// Compacts logs in the background: which is due, how many at a time, how fast.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <vector>

#include "broker/alarm.hpp"
#include "broker/broker.hpp"
#include "broker/log/cleaner/cleaning.hpp"
#include "broker/log/log_directory.hpp"
#include "broker/partition.hpp"

namespace kq::broker {

// Since the broker started.
struct CleanerCounters {
  uint64_t logs_cleaned = 0;
  uint64_t logs_given_up = 0;                     // cut, deleted or out of room meanwhile: tried again
  uint64_t logs_uncleanable = 0;                  // damaged: not tried again before the next start
  uint64_t bytes_read = 0, bytes_written = 0;
  uint64_t records_read = 0, records_kept = 0;
};

// Works on the I/O pool, a piece at a time, at most log.cleaner.threads logs at once.  A log is looked at when something has changed for it,
// and every log.cleaner.backoff.ms for as long as time alone, or the end of a transaction, may make it worth cleaning: where nothing is
// compacted, nothing runs.  Any thread.
class Cleaner {
 public:
  struct Place {
    const Environment& env;
    log::FileCache& files;
    bool enabled;                                 // log.cleaner.enable
    std::function<log::LogDirectory&(const log::TopicPartition&)> directory_of;
  };
  explicit Cleaner(Place);
  ~Cleaner();

  void configure(const CleanerSettings&);         // holds for what begins from now on, the speed at once
  void look_at(Partition&);
  // Nothing begins any more, and what runs ends at its next piece.  On the first loop's thread.
  void stop();

  CleanerCounters counters() const;

 private:
  struct Candidate {
    std::weak_ptr<Partition> partition;
    bool touched = true;                          // since it was last looked at
  };
  struct Job;
  struct Due;

  void check();
  std::vector<Due> find_due(int64_t now_ms);
  bool examine(Partition&, int64_t now_ms, std::vector<Due>& due);
  void start(Due&);
  void go_on_later(const std::shared_ptr<Job>&);
  void go_on(Job&);
  void finish(Job&, Result<log::Cleaning::Progress>& last);
  void report(const Job&);
  Instant throttle(uint64_t bytes);
  void park(Job&, Instant until);
  void resume_parked();

  const Place place_;
  Pieces pieces_;
  mutable std::mutex mutex_;                      // over what follows
  CleanerSettings settings_;
  std::map<Partition*, Candidate> candidates_;
  std::map<Partition*, std::shared_ptr<Job>> jobs_;
  std::set<Partition*> uncleanable_;
  bool checking_ = false, check_again_ = false;
  std::vector<std::weak_ptr<Job>> parked_;        // until the next bytes are allowed
  Instant next_bytes_{};
  CleanerCounters counters_;
  Alarm check_alarm_, resume_alarm_;              // the last: they call what is above
};

}  // namespace kq::broker
