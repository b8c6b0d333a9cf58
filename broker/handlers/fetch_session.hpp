// What a reader follows between its fetches (KIP-227): after the first fetch it names only what changes, and is answered only with what
// has changed.
#pragma once

#include <boost/intrusive/list.hpp>
#include <boost/unordered/unordered_flat_map.hpp>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "broker/partition.hpp"
#include "libkq/protocol/messages/fetch.hpp"

namespace kq::broker {

struct Broker;
class FetchSet;

struct FetchKey {
  Uuid topic_id;                                  // zero before Fetch 13, where topics go by name
  std::string topic;                              // empty from Fetch 13 on
  int32_t index = 0;
  bool operator==(const FetchKey&) const = default;
};
struct FetchKeyHash {
  size_t operator()(const FetchKey& key) const {
    return std::hash<Uuid>{}(key.topic_id) ^ std::hash<std::string>{}(key.topic) ^ static_cast<size_t>(key.index) * 0x9e3779b97f4a7c15;
  }
};

// One partition of a fetch.  It is `ready` while there may be something to answer; its partition makes it ready again.
struct FetchedPartition final : PartitionWatch {
  using ReadyHook = boost::intrusive::list_member_hook<boost::intrusive::link_mode<boost::intrusive::auto_unlink>>;

  explicit FetchedPartition(FetchSet& set, FetchKey key) : set(set), key(std::move(key)) {}
  void changed() override;

  FetchSet& set;
  const FetchKey key;
  FetchRequest::FetchPartition asked;
  std::shared_ptr<Partition> partition;           // null: none that this broker holds; looked up again each time
  bool watching = false;
  uint64_t generation = 0;                        // as of the last read
  int64_t told_high_watermark = -1;               // in the last answer that had it
  int64_t told_log_start = -1;
  ReadyHook ready_hook;                           // under the set's lock
};

// Wakes the handler that waits for a set.  Shared with calls that are posted to its loop.
struct FetchWaiter {
  explicit FetchWaiter(Loop& loop) : loop(loop), signal(loop.context()) {}
  Loop& loop;
  Signal signal;
  bool woken = false;                             // under the set's lock
};

// The partitions of one fetch, or of a session.  One fetch at a time uses it; partitions make its members ready from any thread.
// A partition's lock may be held when the set's is taken, never the other way round.
class FetchSet {
 public:
  FetchSet() = default;
  ~FetchSet();
  FetchSet(const FetchSet&) = delete;

  // Adds or updates one; it is ready then.  The second of a key replaces the first.
  void ask(FetchKey, const FetchRequest::FetchPartition&);
  void forget(const FetchKey&);
  bool empty() const { return order_.empty(); }
  size_t size() const { return order_.size(); }

  // A pass hands out what was ready at its begin, oldest first; what it did not come to stays first in the row.
  void begin_pass();
  FetchedPartition* next_ready();
  void end_pass();
  void ready_again(FetchedPartition&);            // to the end of the row, so that others come first the next time

  // Its partition is not this broker's any more.
  void lost(FetchedPartition&);
  // Follows the members that are not followed yet.
  void watch_all();
  // Arranges that `waiter` is woken by the next member to become ready.  False: one is ready already.
  bool await(std::shared_ptr<FetchWaiter> waiter);
  void stop_awaiting();

 private:
  friend struct FetchedPartition;
  using Ready = boost::intrusive::list<
      FetchedPartition,
      boost::intrusive::member_hook<FetchedPartition, FetchedPartition::ReadyHook, &FetchedPartition::ready_hook>,
      boost::intrusive::constant_time_size<false>>;

  void unlink(FetchedPartition&);

  std::list<FetchedPartition> order_;             // as asked
  boost::unordered_flat_map<FetchKey, std::list<FetchedPartition>::iterator, FetchKeyHash> by_key_;
  std::mutex mutex_;
  Ready ready_, pass_;
  std::shared_ptr<FetchWaiter> waiter_;
  std::vector<FetchedPartition*> unwatched_;
};

struct FetchSession {
  int32_t id = 0;
  int32_t epoch = 1;                              // that the next request has to bear
  bool uses_topic_ids = false;
  Instant created, used;
  bool in_use = false;                            // by a fetch
  size_t partitions = 0;                          // as of the last fetch
  FetchSet set;
};

// The sessions of a broker, bounded by max.incremental.fetch.session.cache.slots.  Any thread.
class FetchSessions {
 public:
  static constexpr Duration eviction_min = 2min;  // Kafka's min.incremental.fetch.session.eviction.ms

  explicit FetchSessions(size_t slots) : slots_(slots) {}

  // A new session, in use; nothing where there is no room.
  std::shared_ptr<FetchSession> open(bool uses_topic_ids, size_t partitions, Instant now);
  // The session that a request with this id and epoch goes on with, in use; or why not.
  struct Found {
    Code code = Code::none;
    std::shared_ptr<FetchSession> session;
  };
  Found resume(int32_t id, int32_t epoch, bool uses_topic_ids, Instant now);
  void release(FetchSession&);                    // the fetch is over
  void close(int32_t id);
  size_t size() const;

 private:
  bool make_room(size_t partitions, Instant now);

  const size_t slots_;
  mutable std::mutex mutex_;
  boost::unordered_flat_map<int32_t, std::shared_ptr<FetchSession>> sessions_;
};

}  // namespace kq::broker
