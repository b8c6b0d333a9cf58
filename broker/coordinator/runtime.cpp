#include "broker/coordinator/runtime.hpp"

#include <algorithm>

#include "broker/coordinator/shard.hpp"

namespace kq::coordinator {

// Calls that are posted to the loop hold it.
struct Runtime::TimerHolder {
  TimerHolder(Loop& loop, Runtime* of)
      : runtime(of), timer(loop, [this] {
          if (runtime) runtime->tick();
        }) {}
  Runtime* runtime;  // null: stopped
  Timer timer;
};

namespace {
Now now() { return {Clock::now(), wall_clock_ms()}; }
}  // namespace

Runtime::Runtime(Options options)
    : options_(std::move(options)), timer_(std::make_shared<TimerHolder>(options_.timer_loop, this)) {}
Runtime::~Runtime() = default;

void Runtime::stop() {
  timer_->runtime = nullptr;
  timer_->timer.disarm();
  std::lock_guard lock(load_mutex_);
  stopped_ = true;
  to_load_.clear();
}

Code Runtime::told(Code append) {
  switch (append) {
    case Code::unknown_topic_or_partition:
    case Code::not_enough_replicas:
    case Code::not_enough_replicas_after_append:
    case Code::request_timed_out: return Code::coordinator_not_available;
    case Code::not_leader_or_follower:
    case Code::kafka_storage_error: return Code::not_coordinator;
    case Code::message_too_large:
    case Code::record_list_too_large:
    case Code::invalid_fetch_size: return Code::unknown_server_error;
    default: return append;
  }
}

// ---- Leadership ------------------------------------------------------------------------------------------------------------------

int32_t Runtime::partition_of(std::string_view key) const {
  std::shared_lock lock(mutex_);
  return partition_count_ > 0 ? coordinator::partition_of(key, partition_count_) : -1;
}

std::vector<int32_t> Runtime::led() const {
  std::shared_lock lock(mutex_);
  std::vector<int32_t> indices;
  for (const auto& [index, shard] : shards_) indices.push_back(index);
  return indices;
}

std::shared_ptr<Shard> Runtime::find(int32_t index) const {
  std::shared_lock lock(mutex_);
  const auto found = shards_.find(index);
  return found == shards_.end() ? nullptr : found->second;
}

void Runtime::metadata_changed(const std::shared_ptr<const cluster::Image>& image, const cluster::Delta* delta) {
  {
    std::lock_guard lock(mutex_);
    image_ = image;
  }
  const bool concerned = !delta || std::ranges::any_of(delta->topics, [&](const auto& change) {
    return (change.after ? change.after : change.before)->name == options_.topic;
  });
  if (concerned) {
    const cluster::TopicImage* topic = image->topic(options_.topic);
    const auto count = static_cast<int32_t>(topic ? topic->partitions.size() : 0);
    for (const int32_t index : led()) {
      const auto* partition = topic ? topic->partition(index) : nullptr;
      const auto shard = find(index);
      if (!partition || partition->leader != options_.own_id || shard->partition->topic_id != topic->id)
        end(index, partition ? partition->leader_epoch : -1);
    }
    for (int32_t index = 0; index < count; ++index) {
      const auto* partition = topic->partition(index);
      if (!partition || partition->leader != options_.own_id) continue;
      if (auto held = options_.partitions.find(topic->id, index)) begin(index, partition->leader_epoch, std::move(held));
    }
    std::lock_guard lock(mutex_);
    partition_count_ = count;
  }
  if (!delta) return;
  for (const int32_t index : led())
    if (const auto shard = find(index)) want_tick(shard->metadata_changed(now(), image, *delta).deadline);
}

void Runtime::begin(int32_t index, int32_t epoch, std::shared_ptr<broker::Partition> partition) {
  std::shared_ptr<Shard> shard, former;
  {
    std::lock_guard lock(mutex_);
    auto& place = shards_[index];
    if (place && place->epoch >= epoch) return;
    former = place;
    shard = place = std::make_shared<Shard>(epoch, std::move(partition), options_.make(index), options_.codec);
  }
  if (former) former->end();
  want_load(shard, false);
}

void Runtime::end(int32_t index, int32_t epoch) {
  std::shared_ptr<Shard> shard;
  {
    std::lock_guard lock(mutex_);
    const auto found = shards_.find(index);
    if (found == shards_.end() || (epoch >= 0 && found->second->epoch > epoch)) return;
    shard = std::move(found->second);
    shards_.erase(found);
  }
  shard->end();
}

// ---- Loading ---------------------------------------------------------------------------------------------------------------------

void Runtime::want_load(const std::shared_ptr<Shard>& shard, bool urgent) {
  {
    std::lock_guard lock(load_mutex_);
    if (stopped_) return;
    if (urgent) {
      const auto queued = std::ranges::find(to_load_, shard);
      if (queued == to_load_.end()) return;  // it is being loaded
      to_load_.erase(queued);
      to_load_.push_front(shard);
      return;
    }
    to_load_.push_back(shard);
    if (std::exchange(loading_, true)) return;
  }
  options_.io.submit([this] { load_all(); });
}

// One after the other: what somebody waits for is taken first.
void Runtime::load_all() {
  for (;;) {
    std::shared_ptr<Shard> shard;
    {
      std::lock_guard lock(load_mutex_);
      if (to_load_.empty()) return void(loading_ = false);
      shard = std::move(to_load_.front());
      to_load_.pop_front();
    }
    // Asked for once the shard is about to be active: from then on it is told of every change.
    const auto image = [this] {
      std::shared_lock lock(mutex_);
      return image_;
    };
    if (shard->load(options_.load_buffer_bytes, image, options_.log)) want_tick(shard->written().deadline);
  }
}

awaitable<Code> Runtime::loaded(Loop& loop, Shard& shard) {
  Shard::State state = shard.state();
  if (state == Shard::State::loading) {
    if (const auto held = find(shard.partition->index)) want_load(held, true);
    state = co_await shard.left_loading(loop, Clock::now() + options_.load_wait_max);
  }
  switch (state) {
    case Shard::State::active: co_return Code::none;
    case Shard::State::loading: co_return Code::coordinator_load_in_progress;
    default: co_return Code::not_coordinator;
  }
}

// ---- Requests --------------------------------------------------------------------------------------------------------------------

awaitable<Code> Runtime::run(Loop& loop, int32_t index, const Decide& decide) {
  if (index < 0) co_return Code::coordinator_not_available;
  const auto shard = find(index);
  if (!shard) co_return Code::not_coordinator;
  const Code ready = co_await loaded(loop, *shard);
  if (ready != Code::none) co_return ready;
  const auto outcome = shard->run(now(), decide);
  want_tick(outcome.deadline);
  if (outcome.code != Code::none) co_return told(outcome.code);
  co_return told(co_await committed(loop, *shard, outcome.end_offset));
}

awaitable<Code> Runtime::settled(Loop& loop, int32_t index) {
  const auto shard = find(index);
  if (!shard) co_return Code::not_coordinator;
  const auto outcome = shard->written();
  if (outcome.code != Code::none) co_return outcome.code;
  co_return told(co_await committed(loop, *shard, outcome.end_offset));
}

awaitable<Code> Runtime::end_transaction(Loop& loop, int32_t index, const TransactionMarker& marker,
                                         const log::AppendOptions& options) {
  const auto shard = find(index);
  if (!shard) co_return Code::not_leader_or_follower;
  const Code ready = co_await loaded(loop, *shard);
  if (ready != Code::none) co_return ready;
  const auto outcome = shard->end_transaction(now(), marker, options);
  want_tick(outcome.deadline);
  if (outcome.code != Code::none) co_return outcome.code;
  co_return co_await committed(loop, *shard, outcome.end_offset);
}

awaitable<Code> Runtime::committed(Loop& loop, Shard& shard, int64_t offset) {
  return shard.partition->committed(loop, offset, Clock::now() + options_.write_timeout);
}

// ---- Timers ----------------------------------------------------------------------------------------------------------------------

// A deadline that moves back is let alone: the timer finds nothing due and looks at the next.
void Runtime::want_tick(std::optional<Instant> deadline) {
  if (!deadline) return;
  {
    std::lock_guard lock(timer_mutex_);
    if (*deadline >= armed_for_) return;
    armed_for_ = *deadline;
  }
  options_.timer_loop.post([holder = timer_] {
    if (!holder->runtime) return;
    std::lock_guard lock(holder->runtime->timer_mutex_);
    holder->timer.arm(holder->runtime->armed_for_);
  });
}

void Runtime::tick() {
  {
    std::lock_guard lock(timer_mutex_);
    armed_for_ = Instant::max();
  }
  const Now at = now();
  for (const int32_t index : led())
    if (const auto shard = find(index)) want_tick(shard->tick(at).deadline);
}

}  // namespace kq::coordinator
