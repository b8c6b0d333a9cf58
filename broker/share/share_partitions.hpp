// The share partitions that this broker leads, for ShareFetch and ShareAcknowledge: loaded from their coordinator, written through it.
#pragma once

#include <memory>
#include <mutex>
#include <unordered_map>
#include <unordered_set>

#include "broker/broker.hpp"
#include "broker/partition.hpp"
#include "broker/share/share_partition.hpp"
#include "broker/share/share_sessions.hpp"

namespace kq::share {

// What holds for a group: its own settings, within the broker's bounds, or the broker's.
struct GroupSettings {
  Duration record_lock{};
  Duration session_timeout{}, heartbeat_interval{};
  broker::Isolation isolation = broker::Isolation::read_uncommitted;
  std::string offset_reset;  // share.auto.offset.reset

  static GroupSettings of(const broker::Config&, const cluster::Image&, std::string_view group);
};

// Wakes a fetch that waits.  Shared with calls that are posted to its loop.
struct FetchWaiter {
  explicit FetchWaiter(Loop& loop) : loop(loop), signal(loop.context()) {}
  void wake(std::shared_ptr<FetchWaiter> self) {
    loop.post([self = std::move(self)] { self->signal.notify(); });
  }
  Loop& loop;
  Signal signal;
};

// A share partition beside the topic's own.  Any thread; the lock is held over a decision, and a partition's is taken inside it.
struct Held {
  Held(Key key, std::shared_ptr<broker::Partition> partition) : key(std::move(key)), partition(std::move(partition)) {}

  const Key key;
  const std::shared_ptr<broker::Partition> partition;

  std::mutex mutex;
  std::unique_ptr<SharePartition> machine;  // null: not loaded
  bool fenced = false;                      // somebody else has it, or it began anew: to be forgotten
  std::vector<std::weak_ptr<FetchWaiter>> waiters;

  void wake_waiters();  // under the lock: something may be free now
};

// One a broker.
class SharePartitions {
 public:
  explicit SharePartitions(broker::Broker&);
  ~SharePartitions();

  ShareSessions& sessions() { return sessions_; }

  struct Found {
    Refusal refusal;
    std::shared_ptr<Held> held;
  };
  // Loaded, as far as that is possible.  Resumes on the call's loop.
  awaitable<Found> find(broker::Call&, const Key&);
  std::shared_ptr<Held> find_loaded(const Key&) const;

  // Writes what was decided, and tells the machine.  None, or why it did not happen.
  awaitable<Refusal> write(Loop&, std::shared_ptr<Held>, SharePartition::Change);
  awaitable<Refusal> acknowledge(Loop&, std::shared_ptr<Held>, const Member&, std::span<const AckBatch>);
  // Ends a session: what the member holds is free.
  awaitable<Code> end_session(Loop&, Member);
  // When the connection ends its sessions end with it.  Once for each connection.
  void follow(broker::Call&);

 private:
  awaitable<Refusal> load(broker::Call&, Held&);
  awaitable<Refusal> reset_offset(broker::Call&, Held&, int64_t& start);
  awaitable<void> end_sessions_of(Loop&, uint64_t connection);
  void forget(const Key&);
  void forget_group(const std::string& group);

  broker::Broker& broker_;
  ShareSessions sessions_;
  mutable std::mutex mutex_;
  std::unordered_map<Key, std::shared_ptr<Held>, KeyHash> held_;
  std::unordered_set<uint64_t> followed_;  // connections
};

}  // namespace kq::share
