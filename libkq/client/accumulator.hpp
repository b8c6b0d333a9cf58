// Where the application's threads leave their records: the open batches, and the list of partitions that the loop should look at.
#pragma once

#include <array>
#include <atomic>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <queue>
#include <shared_mutex>
#include <unordered_map>

#include "libkq/base/random.hpp"
#include "libkq/client/biased_lock.hpp"
#include "libkq/client/partition_loads.hpp"
#include "libkq/client/producer_batch.hpp"
#include "libkq/client/sender.hpp"
#include "libkq/client/spin_lock.hpp"

namespace kq::client {

enum class Sending : uint8_t {
  sent,
  topic_unknown,         // not yet: it is being asked for
  memory_full,           // buffer.memory
  deliveries_full,       // delivery.memory: poll
  no_transaction,        // none is open: begin one
  aborting,              // the transaction can only be aborted, or the producer is fenced
  refused,               // this record can never be sent: explain() says why
  closed,
  forked,
};

struct AccumulatorOptions {
  size_t batch_bytes = 16384;
  size_t record_bytes_max = 1 << 20;
  Duration linger{5ms};
  bool crc32_keys = false;                           // as librdkafka places keys, instead of as Java does
  bool adaptive = true;                              // records without a key go rather where less is queued
  Duration availability_timeout{0};                  // ... and not to a broker that has taken nothing for so long; zero: to any
  bool notes = true;                                 // tags and timestamps, for deliveries
  // Records without a timestamp read the clock once for so many of a batch: no batch is open for longer than it lingers, which is not
  // much more than a tick of that clock.  A power of two; 1 where batches linger for long.
  int32_t stamped_at_once = 1;
  bool sums = true;                                  // batches are sent as they are: their check sums are taken as they grow
  int busy_from = 2;                                 // requests in flight from which a leader needs no waking for one more
  uint64_t seed = 1;
};

// append() is the way of every record: one look at the topic, one lock of the partition, one copy.  It allocates, reads the clock and
// tells the loop only where a batch is opened or full.  Any thread.
//
// The loop hears of a partition through the list, once until it has looked.  `wake` is called, on the thread that appends, only
// where the loop would otherwise not look in time: it has been told of nothing yet, no lingering batch brings it back, and no answer
// is to come that does (while requests to the leader are under way, the next batch may as well wait for more of its kind).
class Accumulator {
 public:
  Accumulator(const AccumulatorOptions&, std::shared_ptr<SendMemory>, std::function<void()> wake,
              std::function<void(const std::string&)> want_topic);
  ~Accumulator();

  Sending append(const Outbound&);
  Error explain(Sending, const Outbound&) const;     // why append() gave that
  // Nothing: not known yet, and asked for now.  An error: there is none, for good.
  Result<std::optional<int32_t>> partition_count(std::string_view topic);
  size_t pending() const;                            // records that are neither delivered nor failed
  void close() { closed_.store(true, std::memory_order_seq_cst); }
  // No batch is opened from now on, for this reason (Sending::sent: they are again).  What a flush that begins afterwards does not cover
  // cannot come any more.
  void admit(Sending gate) { gate_.store(gate, std::memory_order_seq_cst); }

  // All that was appended before belongs to the answer's generation or an older one; asks the loop to send it at once.
  uint64_t begin_flush();
  bool flushed(uint64_t generation) const;

  // ---- the loop's side ----
  bool has_news() const { return list_.load(std::memory_order_seq_cst) != nullptr; }
  // Full batches, and those that have lingered; with them, when one has, those that have done half of it.
  void collect(Instant now, std::vector<BatchRef>& out);
  void collect_everything(Instant now, std::vector<BatchRef>& out);
  std::optional<Instant> deadline() const;           // collect again then
  void finished(const ProducerBatch&);
  void was_split(const ProducerBatch&);              // one more of its generation
  // What the cluster says of a topic: its partitions (their number never shrinks), or why it has none.
  void topic_is(const std::string& name, const Uuid& id, size_t partitions);
  void topic_failed(const std::string& name, std::optional<Error>);
  bool still_asked_for(const std::string& name);     // since the last call; while it is not known
  void each_lane(const std::function<void(Lane&)>&);

 private:
  struct alignas(64) Slot {
    // Under the lock.
    BiasedLock lock;
    uint32_t keyless_bytes = 0;                      // of records without a key, since this partition became theirs
    size_t bytes_expected = 0, records_expected = 0; // as large as the last batch
    BatchRef open;
    // The loop looks at these without it.
    std::atomic<Instant> opened{no_batch};           // when the open batch was
    SpinLock full_lock;
    std::vector<BatchRef> full;
    std::atomic<uint32_t> full_count{0};
    std::atomic<bool> listed{false};                 // taken back before the loop looks
    Slot* next_listed = nullptr;
    // The loop's.
    bool lingers = false;                            // in lingering_
    std::unique_ptr<Lane> lane;
  };
  static constexpr Instant no_batch = Instant::max();
  using Slots = std::vector<Slot*>;
  struct Topic {
    explicit Topic(std::string_view name) : name(std::make_shared<const std::string>(name)) {}
    const std::shared_ptr<const std::string> name;
    const char* const text = name->c_str();
    std::atomic<const Slots*> slots{nullptr};        // replaced as a whole; the old ones are kept
    std::atomic<uint32_t> keyless{0};                // where records without a key go at the moment
    std::mutex loads_lock;                           // for the next two
    PartitionLoads loads;                            // where they may go next
    size_t loads_uses = 0;                           // how often the table serves before it is made anew
    std::vector<std::unique_ptr<const Slots>> kept;
    std::vector<std::unique_ptr<Slot>> owned;
    mutable std::atomic<bool> asked{false};          // somebody wants it, and the cluster has not said anything since
    std::optional<Error> failure;                    // under topics_lock_
  };
  struct Due {
    Instant at;
    Slot* slot;
    bool operator<(const Due& other) const { return at > other.at; }
  };

  Topic& recall(const char* name);
  Topic& find_topic(std::string_view name);
  void ask_for(const Topic&);
  bool has_no_key(const Outbound&) const;
  Slot* choose(Topic&, const Slots&, const Outbound&);
  Sending append_to(Topic&, const Slots&, Slot&, BiasedLock::Way, const Outbound&);
  bool append_grown(ProducerBatch&, const Outbound&, size_t need);
  void close_open(Slot&);
  Sending open_batch(Slot&, size_t need);
  bool encode(ProducerBatch&, const Outbound&) const;
  void next_keyless(Topic&, const Slots&);
  void weigh_partitions(PartitionLoads&, const Slots&) const;
  void list(Slot&);
  void tell(const Slot& full);
  void tell_opened();
  void wake_once();
  void collect_all(Instant opened_by, uint64_t generation, std::vector<BatchRef>& out);
  void collect_lingered(Instant now, uint64_t generation, std::vector<BatchRef>& out);
  void take(Slot&, Instant opened_by, uint64_t generation, std::vector<BatchRef>& out);
  void take_full(Slot&, std::vector<BatchRef>& out);
  void count_in(uint64_t generation, int64_t batches);

  const AccumulatorOptions options_;
  const uint64_t made_in_;                           // fork_generation() then
  const std::shared_ptr<SendMemory> memory_;
  const std::function<void()> wake_;
  const std::function<void(const std::string&)> want_topic_;
  std::array<std::atomic<Topic*>, 16> recalled_{};   // by where their names last lay
  mutable std::shared_mutex topics_lock_;
  std::map<std::string, std::unique_ptr<Topic>, std::less<>> topics_;

  alignas(64) std::atomic<Slot*> list_{nullptr};
  std::atomic<bool> woken_{false};                   // the loop has been told, and has not looked yet
  std::atomic<bool> lingering_soon_{false};          // the loop looks within linger.ms by itself
  std::atomic<bool> starved_{false};                 // somebody found buffer.memory full: nothing may linger now
  std::atomic<bool> closed_{false};
  std::atomic<Sending> gate_{Sending::sent};
  std::atomic<uint64_t> flush_generation_{0};
  std::atomic<uint64_t> random_state_;

  mutable std::mutex generations_lock_;
  std::deque<std::pair<uint64_t, int64_t>> generations_;   // unfinished batches of each, the oldest first
  std::atomic<int64_t> taken_records_{0};            // with the sender

  std::priority_queue<Due> lingering_;
  uint64_t collected_generation_ = 0;                // flushes up to here have been obeyed
};

}  // namespace kq::client
