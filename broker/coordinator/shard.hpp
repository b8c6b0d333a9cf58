// One partition of an internal topic that is coordinated here, under one leader epoch.
#pragma once

#include <mutex>
#include <optional>

#include "broker/coordinator/state_machine.hpp"
#include "broker/partition.hpp"
#include "libkq/record/batch_builder.hpp"
#include "libkq/record/batch_reader.hpp"

namespace kq::coordinator {

// loading → active → ended, or loading → failed.  Any thread; the lock is held over a decision, its append and its replay, and the
// partition's is taken inside it.
class Shard {
 public:
  enum class State { loading, active, failed, ended };

  Shard(int32_t epoch, std::shared_ptr<broker::Partition> partition, std::unique_ptr<StateMachine> machine, Codec codec)
      : epoch(epoch), partition(std::move(partition)), machine_(std::move(machine)), codec_(codec) {}

  const int32_t epoch;
  const std::shared_ptr<broker::Partition> partition;

  // Reads the log from the start to the end.  Blocks.  False: it has ended meanwhile, or cannot be read, which `log` tells.
  bool load(size_t buffer_bytes, const std::function<std::shared_ptr<const cluster::Image>()>& image, Logger& log);
  void end();
  State state() const;
  // Resumes on `loop` when it is no longer loading, or at the deadline.
  awaitable<State> left_loading(Loop& loop, Instant deadline);

  struct Outcome {
    Code code = Code::none;
    int64_t end_offset = 0;           // what has to be committed before an answer leaves
    std::optional<Instant> deadline;  // the machine's, now
  };
  using Decide = std::function<void(StateMachine&, const Now&, Writes&)>;
  Outcome run(const Now&, const Decide&);  // not_coordinator: it is not active
  Outcome end_transaction(const Now&, const TransactionMarker&, const log::AppendOptions&);
  Outcome tick(const Now&);
  Outcome metadata_changed(const Now&, const std::shared_ptr<const cluster::Image>&, const cluster::Delta&);
  Outcome written() const;

 private:
  struct Waiter;

  static constexpr int ticks_max = 32;           // in one turn: then others have theirs
  static constexpr Duration refused_pause = 1s;  // after a timer's records were refused

  Outcome outcome(Code) const;
  Code write(const Now&, Writes&);
  Code append(const Now&, const Writes&, size_t first, size_t count);
  Result<MutableBytes> batch_of(const Now&, const Writes&, size_t first, size_t count);
  void replay(const Writes&, size_t first, size_t count, int64_t first_offset);
  Status replay_slice(const log::Slice&, std::vector<std::byte>& buffer, int64_t& offset);
  Status replay_batch(const BatchView&);
  void become(State);

  mutable std::mutex mutex_;
  State state_ = State::loading;
  std::unique_ptr<StateMachine> machine_;
  const Codec codec_;
  int64_t written_ = 0;  // the log's end as this shard left it
  Instant paused_until_ = Instant::min();
  std::vector<std::shared_ptr<Waiter>> waiters_;
  Writes writes_;  // kept for its memory, as are the next four
  OwnedBatchBuilder builder_;
  Compressor compressor_;
  Block compressed_;
  BatchReader reader_;
};

}  // namespace kq::coordinator
