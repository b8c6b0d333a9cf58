// What the group, transaction and share coordinators stand on: it loads and unloads state machines with the leadership of their partitions,
// and is the one way from a decision to the log.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <string>
#include <vector>

#include "broker/coordinator/later.hpp"
#include "broker/coordinator/placement.hpp"
#include "broker/coordinator/state_machine.hpp"
#include "broker/partitions.hpp"
#include "libkq/record/batch_builder.hpp"

namespace kq::coordinator {

class Shard;

// One for each internal topic.  Any thread, but for stop().
//
//   request → decide(machine, writes), under the shard's lock → one batch in the partition's log → replay of the same records
//   → (lock released) the batch is committed → the answer leaves
//
// A refused append leaves the state as it was.  What a request has seen may not be committed yet, when it only read: so every answer
// waits until all that its shard had written is committed, which costs nothing where commits do not wait.
class Runtime {
 public:
  struct Options {
    std::string topic;    // __consumer_offsets, …
    int32_t own_id = -1;  // this broker
    std::function<std::unique_ptr<StateMachine>(int32_t partition)> make;
    Duration write_timeout = 5s;  // how long an answer waits for its commit
    Duration load_wait_max = 2s;  // how long a request waits for its shard to be read before it is told to come back
    size_t load_buffer_bytes = 5 << 20;
    Codec codec = Codec::none;
    broker::Partitions& partitions;
    broker::IoPool& io;
    Loop& timer_loop;
    Logger& log;
  };

  explicit Runtime(Options);
  virtual ~Runtime();
  Runtime(const Runtime&) = delete;

  // Follows the metadata: loads what this broker began to lead, unloads what it ceased to.  Without `delta` everything is looked at.  After
  // Storage has applied the same image.  One at a time.
  void metadata_changed(const std::shared_ptr<const cluster::Image>&, const cluster::Delta* delta);
  // No timer and no load any more.  On the timer's loop.
  void stop();

  const std::string& topic() const { return options_.topic; }
  // The partition that coordinates `key`; -1: the topic is not there.
  int32_t partition_of(std::string_view key) const;
  std::vector<int32_t> led() const;  // partitions that are coordinated here

  using Decide = std::function<void(StateMachine&, const Now&, Writes&)>;
  // Resumes on `loop` when what `decide` wrote, and saw, is committed.  Else the code for the client: not_coordinator (with index -1:
  // coordinator_not_available), coordinator_load_in_progress, coordinator_not_available, unknown_server_error (a batch that is too large);
  // then the answer that `decide` prepared is void, unless it was not even called.
  awaitable<Code> run(Loop& loop, int32_t index, const Decide& decide);
  // Everything that was written there by now is committed: before an answer that was resolved later leaves.
  awaitable<Code> settled(Loop& loop, int32_t index);

  // Appends a transaction's marker and lets the state machine see it, in one step.  Answers when it is committed, with the log's own code
  // (WriteTxnMarkers tells it to the transaction's coordinator), or as run() where there is no shard.
  awaitable<Code> end_transaction(Loop& loop, int32_t index, const TransactionMarker&, const log::AppendOptions&);

  // How an append's code is told to a client (CoordinatorOperationExceptionHelper of Kafka).
  static Code told(Code append);

 private:
  struct TimerHolder;

  std::shared_ptr<Shard> find(int32_t index) const;
  awaitable<Code> loaded(Loop& loop, Shard& shard);
  awaitable<Code> committed(Loop& loop, Shard& shard, int64_t offset);
  void begin(int32_t index, int32_t epoch, std::shared_ptr<broker::Partition>);
  void end(int32_t index, int32_t epoch);
  void want_load(const std::shared_ptr<Shard>&, bool urgent);
  void load_all();  // on the pool
  void want_tick(std::optional<Instant> deadline);
  void tick();  // on the timer's loop

  const Options options_;
  mutable std::shared_mutex mutex_;  // over the three
  std::map<int32_t, std::shared_ptr<Shard>> shards_;
  std::shared_ptr<const cluster::Image> image_;
  int32_t partition_count_ = 0;  // of the topic; 0: not there

  std::mutex load_mutex_;
  std::deque<std::shared_ptr<Shard>> to_load_;
  bool loading_ = false;
  bool stopped_ = false;

  std::mutex timer_mutex_;
  Instant armed_for_ = Instant::max();
  std::shared_ptr<TimerHolder> timer_;  // lives on the timer's loop
};

// The same for one kind of state machine.
template <class Machine>
class Coordinator : public Runtime {
 public:
  using Runtime::Runtime;

  template <class Decision>  // void(Machine&, const Now&, Writes&)
  awaitable<Code> run(Loop& loop, std::string_view key, const Decision& decide) {
    return at(loop, partition_of(key), decide);
  }
  template <class Decision>
  awaitable<Code> at(Loop& loop, int32_t index, const Decision& decide) {
    co_return co_await Runtime::run(loop, index, [&decide](StateMachine& machine, const Now& now, Writes& writes) {
      decide(static_cast<Machine&>(machine), now, writes);
    });
  }
  // For an answer that may come later.
  template <class Answer, class Decision>  // void(Machine&, const Now&, Resolve<Answer>, Writes&)
  awaitable<Code> run_later(broker::Call& call, std::string_view key, Answer& answer, const Decision& decide) {
    const int32_t index = partition_of(key);
    Later<Answer> later(call);
    Code code = co_await Runtime::run(call.loop, index, [&](StateMachine& machine, const Now& now, Writes& writes) {
      decide(static_cast<Machine&>(machine), now, later.resolve(), writes);
    });
    if (code != Code::none) co_return code;
    auto resolved = co_await later.wait();
    if (!resolved) co_return Code::not_coordinator;  // nobody will read it
    answer = std::move(*resolved);
    code = co_await settled(call.loop, index);
    co_return code;
  }
};

}  // namespace kq::coordinator
