// What nobody asks for and has to be done all the same: old segments go, files that were taken out are removed, and producers that have
// gone silent are forgotten.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <span>
#include <vector>

#include "broker/alarm.hpp"
#include "broker/broker.hpp"
#include "broker/log/log_directory.hpp"
#include "broker/partitions.hpp"

namespace kq::broker {

// Works on the I/O pool in small pieces, one at a time of each kind, so that whatever else waits for the pool gets its turn.  Any thread.
//
// A check for old segments (log.retention.check.interval.ms) asks opened logs, which know.  Of one that nobody has opened it reads a few
// bytes once, and remembers until when there is nothing to do.
class Housekeeping {
 public:
  struct Place {
    const Config& config;
    const Environment& env;
    Partitions& partitions;
    std::span<const std::unique_ptr<log::LogDirectory>> directories;
    std::function<log::LogDirectory&(const log::TopicPartition&)> directory_of;
  };
  explicit Housekeeping(Place place);

  // The partitions are known.
  void begin();
  // Nothing begins by itself any more, and what goes on comes to an end.  On the first loop's thread.
  void stop();

  // Files of the partition's log, to be removed when they are due.
  void remove_later(const Partition&, std::vector<log::Log::Removal>);
  // A directory knows of something that is due then.
  void remove_at(int64_t due_ms);
  // Starts were raised by a request: when this returns they stay raised, whatever happens.  Requests at one time share a write.  Blocks.
  void starts_raised();

 private:
  struct Walk;

  void check();
  void forget_producers();
  void go_on(std::shared_ptr<Walk>);
  void check_one(Partition&, int64_t now_ms);
  bool may_have_work(Partition&, int64_t now_ms);
  void remove_due();
  void remove_next();

  const Place place_;
  Pieces pieces_;
  std::mutex mutex_;                              // over what follows
  std::multiset<int64_t> removals_due_ms_;
  std::vector<std::function<void()>> removals_;   // due
  bool removing_ = false;
  std::mutex starts_mutex_;                       // one writer; over starts_written_
  std::atomic<uint64_t> starts_raised_{0};        // counts requests
  uint64_t starts_written_ = 0;
  Alarm check_alarm_, removal_alarm_, producers_alarm_;      // the last: they call what is above
};

}  // namespace kq::broker
