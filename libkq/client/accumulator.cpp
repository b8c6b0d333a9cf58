#include "libkq/client/accumulator.hpp"

#include <zlib.h>

#include <algorithm>
#include <cstring>

#include "libkq/net/loop.hpp"
#include "libkq/record/murmur2.hpp"

namespace kq::client {
namespace {

// One step of splitmix64, for the choice among partitions: shared by all threads without a lock.
uint64_t next_random(std::atomic<uint64_t>& state) {
  uint64_t z = state.fetch_add(0x9e3779b97f4a7c15, std::memory_order_relaxed);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

constexpr size_t partitions_weighed_at_a_switch = 64;  // on the average: of a topic with more, the table serves for several switches
constexpr size_t summed_at_once = 6 << 10;             // what the first cache holds easily, and enough for three streams

size_t bytes_needed(const Outbound& record) {
  return BatchBuilder::batch_bytes_max(record.key.size(), record.value.size(), record.headers);
}

}  // namespace

Accumulator::Accumulator(const AccumulatorOptions& options, std::shared_ptr<SendMemory> memory, std::function<void()> wake,
                         std::function<void(const std::string&)> want_topic)
    : options_(options), made_in_(fork_generation()), memory_(std::move(memory)), wake_(std::move(wake)), want_topic_(std::move(want_topic)),
      random_state_(options.seed) {}

Accumulator::~Accumulator() = default;

// ---- the application's threads ----------------------------------------------------------------------------------------------

Sending Accumulator::append(const Outbound& record) {
  Topic& topic = recall(record.topic);
  const Slots* const slots = topic.slots.load(std::memory_order_acquire);
  if (!slots) [[unlikely]] {
    if (closed_.load(std::memory_order_acquire)) return Sending::closed;
    ask_for(topic);
    std::shared_lock hold(topics_lock_);
    return topic.failure ? Sending::refused : Sending::topic_unknown;
  }
  Slot* const slot = choose(topic, *slots, record);
  if (!slot) [[unlikely]] return Sending::refused;
  const BiasedLock::Way way = slot->lock.enter();
  ProducerBatch* const open = slot->open.get();
  if (open && encode(*open, record)) [[likely]] {
    slot->lock.leave(way);
    return Sending::sent;
  }
  return append_to(topic, *slots, *slot, way, record);
}

// A program that sends to few topics has their names in few places.
inline Accumulator::Topic& Accumulator::recall(const char* name) {
  std::atomic<Topic*>& place = recalled_[(reinterpret_cast<uintptr_t>(name) >> 3) % recalled_.size()];
  Topic* topic = place.load(std::memory_order_acquire);
  if (topic && std::strcmp(topic->text, name) == 0) [[likely]] return *topic;
  topic = &find_topic(name);
  place.store(topic, std::memory_order_release);
  return *topic;
}

inline bool Accumulator::has_no_key(const Outbound& record) const {
  return !record.key.data() || (options_.crc32_keys && record.key.empty());
}

inline Accumulator::Slot* Accumulator::choose(Topic& topic, const Slots& slots, const Outbound& record) {
  const auto count = static_cast<uint32_t>(slots.size());
  if (record.partition >= 0) return static_cast<uint32_t>(record.partition) < count ? slots[static_cast<size_t>(record.partition)] : nullptr;
  if (record.partition != -1) return nullptr;
  if (!has_no_key(record)) {
    if (options_.crc32_keys) [[unlikely]]
      return slots[crc32(0, reinterpret_cast<const Bytef*>(record.key.data()), static_cast<uInt>(record.key.size())) % count];
    return slots[static_cast<size_t>(partition_for_key(record.key, static_cast<int32_t>(count)))];
  }
  const uint32_t keyless = topic.keyless.load(std::memory_order_relaxed);
  return slots[keyless < count ? keyless : 0];
}

// False: there is no room.
[[gnu::always_inline]] inline bool Accumulator::encode(ProducerBatch& batch, const Outbound& record) const {
  const int32_t index = batch.builder.count();
  int64_t timestamp = record.timestamp_ms;
  if (timestamp < 0) {
    if ((index & (options_.stamped_at_once - 1)) == 0 || batch.clock_ms < 0) batch.clock_ms = wall_clock_ms();
    // A clock that is set back does not make a batch's records go back (but one's own timestamps may).
    timestamp = index == 0 ? batch.clock_ms : std::max(batch.clock_ms, batch.last_timestamp);
  }
  if (!batch.builder.append(timestamp, record.key, record.value, record.headers)) [[unlikely]] return false;
  batch.last_timestamp = timestamp;
  if (options_.notes) batch.notes.add(index, record.tag, timestamp);
  if (options_.sums && batch.builder.unsummed() >= summed_at_once) [[unlikely]] batch.builder.sum();
  return true;
}

namespace {

// A partition's lock, passed on from the fast way to the slow one.
class Entered {
 public:
  Entered(BiasedLock& lock, BiasedLock::Way way) : lock_(&lock), way_(way) {}
  ~Entered() { leave(); }
  Entered(const Entered&) = delete;

  void leave() {
    if (auto* lock = std::exchange(lock_, nullptr)) lock->leave(way_);
  }
  void enter(BiasedLock& other) {
    leave();
    way_ = other.enter();
    lock_ = &other;
  }

 private:
  BiasedLock* lock_;
  BiasedLock::Way way_;
};

}  // namespace

// The slow way, with the partition's lock held: the open batch is too small, or there is none.
Sending Accumulator::append_to(Topic& topic, const Slots& slots, Slot& first, BiasedLock::Way way, const Outbound& record) {
  Entered entered(first.lock, way);
  const size_t need = bytes_needed(record);
  if (need > options_.record_bytes_max) return Sending::refused;
  if (closed_.load(std::memory_order_acquire)) return Sending::closed;
  if (fork_generation() != made_in_) return Sending::forked;
  Slot* slot = &first;
  const Slot* full = nullptr;
  for (bool moved = false;;) {
    if (slot->open && append_grown(*slot->open, record, need)) {
      entered.leave();
      if (full) tell(*full);
      return Sending::sent;
    }
    if (slot->open) {
      close_open(*slot);
      list(*slot);
      full = slot;
    }
    // Records without a key stay with a partition for a batch's worth of them, then move on (KIP-794).
    const bool keyless = record.partition < 0 && has_no_key(record) && slots.size() > 1;
    if (!keyless || moved || (!full && slot->keyless_bytes < options_.batch_bytes)) break;
    moved = true;
    slot->keyless_bytes = 0;
    next_keyless(topic, slots);
    slot = choose(topic, slots, record);
    entered.enter(slot->lock);
  }
  const Sending outcome = open_batch(*slot, need);
  if (outcome == Sending::sent) KQ_CHECK(encode(*slot->open, record)), list(*slot);
  entered.leave();
  if (outcome == Sending::memory_full) starved_.store(true, std::memory_order_seq_cst), wake_once();
  else if (closed_.load(std::memory_order_seq_cst)) wake_once();       // meanwhile: the last look may have been taken
  else if (full) tell(*full);
  else if (outcome == Sending::sent) tell_opened();
  return outcome;
}

bool Accumulator::append_grown(ProducerBatch& open, const Outbound& record, size_t need) {
  if (encode(open, record)) return true;
  const size_t bytes = open.builder.size() + need;
  if (bytes > options_.batch_bytes || !open.grow(bytes, options_.batch_bytes)) return false;
  KQ_CHECK(encode(open, record));
  return true;
}

void Accumulator::close_open(Slot& slot) {
  slot.keyless_bytes += static_cast<uint32_t>(slot.open->builder.size());
  slot.bytes_expected = slot.open->builder.size();
  slot.records_expected = static_cast<size_t>(slot.open->count());
  slot.opened.store(no_batch, std::memory_order_relaxed);
  std::lock_guard hold(slot.full_lock);
  slot.full.push_back(std::exchange(slot.open, nullptr));
  slot.full_count.store(static_cast<uint32_t>(slot.full.size()), std::memory_order_relaxed);
}

Sending Accumulator::open_batch(Slot& slot, size_t need) {
  // In this order: who is admitted belongs to a generation that no later flush leaves out.
  const uint64_t generation = flush_generation_.load(std::memory_order_seq_cst);
  if (const Sending gate = gate_.load(std::memory_order_seq_cst); gate != Sending::sent) return gate;
  if (memory_->deliveries.full()) return Sending::deliveries_full;
  const size_t expected = std::min(slot.bytes_expected, options_.batch_bytes);
  const size_t size = std::max({need, expected, BlockStore::block_bytes_min});
  MemoryBlock block = memory_->blocks.try_take(size);
  if (!block) return Sending::memory_full;
  slot.open = std::make_shared<ProducerBatch>(memory_, std::move(block), std::max(need, options_.batch_bytes), Clock::now());
  slot.open->lane = slot.lane.get();
  slot.open->topic = slot.lane->topic;
  slot.open->partition = slot.lane->partition;
  slot.open->generation = generation;
  slot.open->notes.reserve(slot.records_expected);
  slot.opened.store(slot.open->opened, std::memory_order_relaxed);
  count_in(slot.open->generation, 1);
  return Sending::sent;
}

void Accumulator::next_keyless(Topic& topic, const Slots& slots) {
  std::lock_guard hold(topic.loads_lock);
  if (topic.loads_uses == 0) {
    weigh_partitions(topic.loads, slots);
    topic.loads_uses = 1 + slots.size() / partitions_weighed_at_a_switch;
  }
  --topic.loads_uses;
  topic.keyless.store(topic.loads.pick(next_random(random_state_)), std::memory_order_relaxed);
}

// Those that have a leader, if any has; and whose leader takes what there is, if any does.
void Accumulator::weigh_partitions(PartitionLoads& loads, const Slots& slots) const {
  const bool patient = !options_.adaptive || options_.availability_timeout == Duration::zero();
  const Instant waits_too_long = patient ? Instant::min() : Clock::now() - options_.availability_timeout;
  enum Choice { led_by_who_takes, led, any };
  loads.clear();
  for (const Choice choice : {led_by_who_takes, led, any}) {
    for (const Slot* slot : slots) {
      const NodeLoad* const leader = slot->lane->leader_load.load(std::memory_order_acquire);
      if (choice != any && !leader) continue;
      if (choice == led_by_who_takes && leader->waiting_since.load(std::memory_order_relaxed) < waits_too_long) continue;
      const bool open = slot->opened.load(std::memory_order_relaxed) != no_batch;
      const uint32_t queued = slot->full_count.load(std::memory_order_relaxed) + slot->lane->queued.load(std::memory_order_relaxed) + open;
      loads.add(static_cast<uint32_t>(slot->lane->partition), options_.adaptive && choice == led_by_who_takes ? queued : 0);
    }
    if (!loads.empty()) break;
  }
  loads.weigh();
}

void Accumulator::list(Slot& slot) {
  if (slot.listed.exchange(true, std::memory_order_seq_cst)) return;
  Slot* head = list_.load(std::memory_order_relaxed);
  do slot.next_listed = head;
  while (!list_.compare_exchange_weak(head, &slot, std::memory_order_seq_cst));
}

// The loop takes what is listed after each answer too.  (It has counted that answer by then, so whoever sees the old count here
// was listed before it looked.)
void Accumulator::tell(const Slot& full) {
  const NodeLoad* const leader = full.lane->leader_load.load(std::memory_order_acquire);
  if (leader && leader->in_flight.load(std::memory_order_seq_cst) >= options_.busy_from) return;
  wake_once();
}

void Accumulator::tell_opened() {
  if (options_.linger == Duration::zero() || !lingering_soon_.load(std::memory_order_seq_cst)) wake_once();
}

void Accumulator::wake_once() {
  if (!woken_.exchange(true, std::memory_order_seq_cst)) wake_();
}

Error Accumulator::explain(Sending outcome, const Outbound& record) const {
  const std::string topic(record.topic);
  switch (outcome) {
    case Sending::sent: break;
    case Sending::topic_unknown:
      return {own_code::timed_out, "topic '" + topic + "' is not known yet", Verdict::retry};
    case Sending::memory_full:
      return {own_code::no_room, "buffer.memory=" + std::to_string(memory_->records.limit()) +
              " is full of records that are not acknowledged yet", Verdict::retry};
    case Sending::deliveries_full:
      return {own_code::no_room, "delivery.memory=" + std::to_string(memory_->deliveries.limit()) +
              " is full: poll deliveries, or set delivery.report to errors or none", Verdict::retry};
    case Sending::forked:
      return {own_code::forked, "this process is a fork of the one that made the producer: make one of its own"};
    case Sending::no_transaction:
      return {static_cast<int32_t>(Code::invalid_txn_state), "no transaction is open: begin one before sending"};
    case Sending::aborting:
      return {static_cast<int32_t>(Code::transaction_abortable), "the transaction has to be aborted", Verdict::abort};
    case Sending::closed: return {own_code::closed, "the producer is closed"};
    case Sending::refused: break;
  }
  std::shared_lock hold(topics_lock_);
  const auto found = topics_.find(topic);
  if (found != topics_.end() && found->second->failure) return *found->second->failure;
  if (const size_t need = bytes_needed(record); need > options_.record_bytes_max) {
    return {static_cast<int32_t>(Code::message_too_large), "a record of " + std::to_string(need) + " bytes is larger than max.request.size=" +
            std::to_string(options_.record_bytes_max)};
  }
  const Slots* const slots = found == topics_.end() ? nullptr : found->second->slots.load();
  return {own_code::argument, "topic '" + topic + "' has no partition " + std::to_string(record.partition) + ": it has " +
          std::to_string(slots ? slots->size() : 0)};
}

Result<std::optional<int32_t>> Accumulator::partition_count(std::string_view name) {
  const Topic& topic = find_topic(name);
  if (const Slots* slots = topic.slots.load(std::memory_order_acquire)) return std::optional(static_cast<int32_t>(slots->size()));
  ask_for(topic);
  std::shared_lock hold(topics_lock_);
  if (topic.failure) return *topic.failure;
  return std::optional<int32_t>{};
}

Accumulator::Topic& Accumulator::find_topic(std::string_view name) {
  {
    std::shared_lock hold(topics_lock_);
    if (const auto found = topics_.find(name); found != topics_.end()) return *found->second;
  }
  std::unique_lock hold(topics_lock_);
  const auto [place, is_new] = topics_.try_emplace(std::string(name));
  if (is_new) place->second = std::make_unique<Topic>(name);
  return *place->second;
}

void Accumulator::ask_for(const Topic& topic) {
  if (!topic.asked.exchange(true, std::memory_order_relaxed)) want_topic_(*topic.name);
}

// ---- flushing and counting --------------------------------------------------------------------------------------------------

uint64_t Accumulator::begin_flush() {
  const uint64_t generation = flush_generation_.fetch_add(1, std::memory_order_seq_cst);
  wake_once();
  return generation;
}

bool Accumulator::flushed(uint64_t generation) const {
  std::lock_guard hold(generations_lock_);
  return generations_.empty() || generations_.front().first > generation;
}

void Accumulator::count_in(uint64_t generation, int64_t batches) {
  std::lock_guard hold(generations_lock_);
  auto place = generations_.rbegin();
  while (place != generations_.rend() && place->first > generation) ++place;
  if (place != generations_.rend() && place->first == generation) place->second += batches;
  else generations_.insert(place.base(), {generation, batches});
  while (!generations_.empty() && generations_.front().second == 0) generations_.pop_front();
}

void Accumulator::finished(const ProducerBatch& batch) {
  taken_records_.fetch_sub(batch.count(), std::memory_order_relaxed);
  count_in(batch.generation, -1);
}

void Accumulator::was_split(const ProducerBatch& batch) { count_in(batch.generation, 1); }

size_t Accumulator::pending() const {
  int64_t records = taken_records_.load(std::memory_order_relaxed);
  std::shared_lock hold(topics_lock_);
  for (const auto& [name, topic] : topics_) {
    for (const auto& slot : topic->owned) {
      if (slot->opened.load(std::memory_order_relaxed) != no_batch) {
        const BiasedLock::Visit visit(slot->lock);
        if (slot->open) records += slot->open->count();
      }
      std::lock_guard own(slot->full_lock);
      for (const BatchRef& batch : slot->full) records += batch->count();
    }
  }
  return static_cast<size_t>(std::max<int64_t>(records, 0));
}

// ---- the loop's side --------------------------------------------------------------------------------------------------------

void Accumulator::collect(Instant now, std::vector<BatchRef>& out) {
  const uint64_t flush = flush_generation_.load(std::memory_order_acquire);
  do {
    woken_.store(false, std::memory_order_seq_cst);
    Slot* in_order = nullptr;
    for (Slot* slot = list_.exchange(nullptr, std::memory_order_seq_cst); slot;) {
      Slot* const next = slot->next_listed;
      slot->next_listed = std::exchange(in_order, slot);
      slot = next;
    }
    while (in_order) {
      Slot* const slot = in_order;
      in_order = slot->next_listed;                    // listed anew, it has another successor
      slot->listed.store(false, std::memory_order_seq_cst);
      take(*slot, now - options_.linger, flush, out);
    }
    const bool starved = starved_.exchange(false, std::memory_order_seq_cst);
    if (collected_generation_ != flush || starved) collect_all(starved ? now : now - options_.linger, flush, out);
    collected_generation_ = flush;
    if (!lingering_.empty() && lingering_.top().at <= now) collect_lingered(now, flush, out);
    lingering_soon_.store(!lingering_.empty(), std::memory_order_seq_cst);
  } while (list_.load(std::memory_order_seq_cst));
}

void Accumulator::collect_everything(Instant now, std::vector<BatchRef>& out) {
  starved_.store(true, std::memory_order_seq_cst);
  collect(now, out);
}

// Company for the batch whose time has come: a request leaves anyway, and fewer requests carry more.
void Accumulator::collect_lingered(Instant now, uint64_t flush, std::vector<BatchRef>& out) {
  const Duration half = options_.linger / 2;
  while (!lingering_.empty() && lingering_.top().at <= now + half) {
    Slot* const slot = lingering_.top().slot;
    lingering_.pop();
    slot->lingers = false;
    take(*slot, now + half - options_.linger, flush, out);
  }
}

void Accumulator::collect_all(Instant opened_by, uint64_t flush, std::vector<BatchRef>& out) {
  std::shared_lock hold(topics_lock_);
  for (const auto& [name, topic] : topics_)
    for (const auto& slot : topic->owned) take(*slot, opened_by, flush, out);
}

// What is full, and the open batch where it was opened by then, or is to be flushed; else it lingers on.
void Accumulator::take(Slot& slot, Instant opened_by, uint64_t flush, std::vector<BatchRef>& out) {
  const size_t before = out.size();
  const Instant opened = slot.opened.load(std::memory_order_relaxed);
  if (opened != no_batch && (opened <= opened_by || flush != collected_generation_)) {
    const BiasedLock::Visit visit(slot.lock);
    if (slot.open && (slot.open->opened <= opened_by || slot.open->generation < flush)) close_open(slot);
    take_full(slot, out);
  } else {
    take_full(slot, out);
  }
  for (size_t i = before; i < out.size(); ++i) taken_records_.fetch_add(out[i]->count(), std::memory_order_relaxed);
  const Instant lingers_since = slot.opened.load(std::memory_order_relaxed);
  if (lingers_since != no_batch && !std::exchange(slot.lingers, true)) lingering_.push({lingers_since + options_.linger, &slot});
}

void Accumulator::take_full(Slot& slot, std::vector<BatchRef>& out) {
  std::lock_guard hold(slot.full_lock);
  for (BatchRef& batch : slot.full) out.push_back(std::move(batch));
  slot.full.clear();
  slot.full_count.store(0, std::memory_order_relaxed);
}

std::optional<Instant> Accumulator::deadline() const {
  if (lingering_.empty()) return std::nullopt;
  return lingering_.top().at;
}

void Accumulator::topic_is(const std::string& name, const Uuid& id, size_t partitions) {
  std::unique_lock hold(topics_lock_);
  const auto found = topics_.find(name);
  if (found == topics_.end()) return;
  Topic& topic = *found->second;
  topic.failure.reset();
  for (const auto& slot : topic.owned) slot->lane->topic_id = id;
  if (partitions <= topic.owned.size()) return;
  auto slots = std::make_unique<Slots>();
  while (topic.owned.size() < partitions) {
    auto slot = std::make_unique<Slot>();
    slot->lane = std::make_unique<Lane>(topic.name, static_cast<int32_t>(topic.owned.size()));
    slot->lane->topic_id = id;
    topic.owned.push_back(std::move(slot));
  }
  for (const auto& slot : topic.owned) slots->push_back(slot.get());
  if (topic.kept.empty()) topic.keyless.store(static_cast<uint32_t>(next_random(random_state_) % partitions));
  topic.slots.store(slots.get(), std::memory_order_release);
  topic.kept.push_back(std::move(slots));
}

void Accumulator::topic_failed(const std::string& name, std::optional<Error> failure) {
  std::unique_lock hold(topics_lock_);
  if (const auto found = topics_.find(name); found != topics_.end()) found->second->failure = std::move(failure);
}

bool Accumulator::still_asked_for(const std::string& name) {
  std::shared_lock hold(topics_lock_);
  const auto found = topics_.find(name);
  return found != topics_.end() && found->second->asked.exchange(false, std::memory_order_relaxed);
}

void Accumulator::each_lane(const std::function<void(Lane&)>& call) {
  std::shared_lock hold(topics_lock_);
  for (const auto& [name, topic] : topics_)
    for (const auto& slot : topic->owned) call(*slot->lane);
}

}  // namespace kq::client
