#include "broker/share/share_partitions.hpp"

#include <algorithm>
#include <charconv>

#include "broker/partitions.hpp"
#include "broker/share/coordinator.hpp"

namespace kq::share {
namespace {

using broker::Partition;

// What a member is told where the coordinator said `refusal` (fetchPersisterError of Kafka's SharePartition).
Refusal told(const Refusal& refusal) {
  switch (refusal.code) {
    case Code::none:
    case Code::group_id_not_found:
    case Code::unknown_topic_or_partition: return refusal;
    case Code::not_coordinator:
    case Code::coordinator_not_available:
    case Code::coordinator_load_in_progress: return {Code::coordinator_not_available, refusal.message};
    case Code::fenced_leader_epoch:
    case Code::fenced_state_epoch: return {Code::not_leader_or_follower, refusal.message};
    default: return {Code::unknown_server_error, refusal.message};
  }
}

std::string_view setting(const cluster::ConfigMap& settings, std::string_view name, std::string_view otherwise) {
  const auto found = settings.find(name);
  return found == settings.end() ? otherwise : std::string_view(found->second);
}

Duration duration(const cluster::ConfigMap& settings, std::string_view name, int32_t otherwise, int32_t least, int32_t most) {
  const std::string_view text = setting(settings, name, {});
  int32_t ms = otherwise;
  if (!text.empty()) std::from_chars(text.data(), text.data() + text.size(), ms);
  return std::chrono::milliseconds(std::clamp(ms, least, std::max(least, most)));
}

// ISO-8601, PnDTnHnMn.nS, in milliseconds; the configuration has been checked when it was set.
int64_t duration_ms(std::string_view text) {
  double ms = 0;
  bool time = false;
  for (size_t at = 0; at < text.size();) {
    double number = 0;
    const auto [end, error] = std::from_chars(text.data() + at, text.data() + text.size(), number);
    if (error != std::errc{}) {
      time |= text[at] == 'T';
      ++at;
      continue;
    }
    at = static_cast<size_t>(end - text.data());
    const char unit = at < text.size() ? text[at++] : 'S';
    ms += number * (unit == 'D' ? 86'400'000 : unit == 'H' ? 3'600'000 : unit == 'M' && time ? 60'000 : 1'000);
  }
  return static_cast<int64_t>(ms);
}

}  // namespace

GroupSettings GroupSettings::of(const broker::Config& config, const cluster::Image& image, std::string_view group) {
  const cluster::ConfigMap& own = image.config(cluster::ResourceType::group, group);
  return {
      .record_lock = duration(own, "share.record.lock.duration.ms", config.group_share_record_lock_duration_ms,
                              config.group_share_min_record_lock_duration_ms, config.group_share_max_record_lock_duration_ms),
      .session_timeout = duration(own, "share.session.timeout.ms", config.group_share_session_timeout_ms,
                                  config.group_share_min_session_timeout_ms, config.group_share_max_session_timeout_ms),
      .heartbeat_interval = duration(own, "share.heartbeat.interval.ms", config.group_share_heartbeat_interval_ms,
                                     config.group_share_min_heartbeat_interval_ms, config.group_share_max_heartbeat_interval_ms),
      .isolation = setting(own, "share.isolation.level", "read_uncommitted") == "read_committed"
                       ? broker::Isolation::read_committed
                       : broker::Isolation::read_uncommitted,
      .offset_reset = std::string(setting(own, "share.auto.offset.reset", "latest"))};
}

void Held::wake_waiters() {
  for (const auto& waiter : waiters)
    if (const auto waiting = waiter.lock()) waiting->wake(waiting);
  waiters.clear();
}

SharePartitions::SharePartitions(broker::Broker& broker)
    : broker_(broker), sessions_(static_cast<size_t>(broker.config.group_share_max_share_sessions)) {}
SharePartitions::~SharePartitions() = default;

// ---- Loading ---------------------------------------------------------------------------------------------------------------------

std::shared_ptr<Held> SharePartitions::find_loaded(const Key& key) const {
  std::lock_guard lock(mutex_);
  const auto found = held_.find(key);
  return found == held_.end() ? nullptr : found->second;
}

void SharePartitions::forget(const Key& key) {
  std::lock_guard lock(mutex_);
  held_.erase(key);
}

void SharePartitions::forget_group(const std::string& group) {
  std::lock_guard lock(mutex_);
  std::erase_if(held_, [&](const auto& one) { return one.first.group == group; });
}

// One that lost its lead, or was fenced, begins anew from what the coordinator has.
awaitable<SharePartitions::Found> SharePartitions::find(broker::Call& call, const Key& key) {
  Found found;
  auto partition = broker_.partitions->find(key.topic_id, key.partition);
  if (!partition) {
    found.refusal = {Code::not_leader_or_follower, {}};
    co_return found;
  }
  const Code opened = co_await partition->opened(call.loop);
  if (opened != Code::none) {
    found.refusal = {opened, {}};
    co_return found;
  }
  {
    std::lock_guard lock(mutex_);
    auto& held = held_[key];
    const auto stale = [&] {
      std::lock_guard its(held->mutex);
      return held->fenced || held->partition != partition ||
             (held->machine && held->machine->leader_epoch() != partition->leadership().epoch);
    };
    if (!held || stale()) held = std::make_shared<Held>(key, std::move(partition));
    found.held = held;
  }
  found.refusal = co_await load(call, *found.held);
  if (found.refusal.code != Code::none) forget(key);
  co_return found;
}

// Several may do so at once, and find the same: the first one's is taken.
awaitable<Refusal> SharePartitions::load(broker::Call& call, Held& held) {
  {
    std::lock_guard lock(held.mutex);
    if (held.machine) co_return Refusal{};
  }
  const int32_t epoch = held.partition->leadership().epoch;
  StateShard::State state;
  const auto read = [&](StateShard& shard, const Now& now, Writes& writes) {
    return shard.read(now, held.key, epoch, state, writes);
  };
  const Refusal refusal = co_await broker_.share_states().ask(call.loop, held.key, read);
  if (refusal.code != Code::none) co_return told(refusal);
  int64_t start = state.start_offset;
  if (start == uninitialized_offset) {
    const Refusal reset = co_await reset_offset(call, held, start);
    if (reset.code != Code::none) co_return reset;
  }
  const SharePartition::Limits limits{.delivery_count_max = broker_.config.group_share_delivery_count_limit,
                                      .in_flight_max = broker_.config.group_share_partition_max_record_locks};
  std::lock_guard lock(held.mutex);
  if (!held.machine) held.machine = std::make_unique<SharePartition>(limits, state, start, epoch);
  co_return Refusal{};
}

// Where a group without a position begins.
awaitable<Refusal> SharePartitions::reset_offset(broker::Call& call, Held& held, int64_t& start) {
  constexpr std::string_view by_duration = "by_duration:";
  const std::string reset = GroupSettings::of(broker_.config, *call.image, held.key.group).offset_reset;
  const Partition::Offsets offsets = held.partition->offsets();
  start = reset == "earliest" ? offsets.start : offsets.high_watermark;
  if (!reset.starts_with(by_duration)) co_return Refusal{};
  auto search =
      held.partition->search_timestamp(wall_clock_ms() - duration_ms(std::string_view(reset).substr(by_duration.size())));
  Result<std::optional<log::TimestampOffset>> found{std::nullopt};
  if (search) co_await broker_.env.io.run(call.loop, [&] { found = search->run(); });
  if (!search || !found) co_return Refusal{Code::kafka_storage_error, {}};
  if (*found) start = (*found)->offset;
  co_return Refusal{};
}

// ---- Writing ---------------------------------------------------------------------------------------------------------------------

awaitable<Refusal> SharePartitions::write(Loop& loop, std::shared_ptr<Held> held, SharePartition::Change change) {
  const auto put = [&](StateShard& shard, const Now& now, Writes& writes) {
    return shard.write(now, held->key, change.write, writes);
  };
  const Refusal refusal = co_await broker_.share_states().ask(loop, held->key, put);
  std::lock_guard lock(held->mutex);
  if (refusal.code == Code::fenced_leader_epoch || refusal.code == Code::fenced_state_epoch) held->fenced = true;
  if (change.id != 0) held->machine->written(change.id, refusal.code == Code::none);
  held->wake_waiters();
  co_return told(refusal);
}

awaitable<Refusal> SharePartitions::acknowledge(Loop& loop, std::shared_ptr<Held> held, const Member& member,
                                                std::span<const AckBatch> batches) {
  const Instant now = Clock::now();
  const Instant renewed_until = now + GroupSettings::of(broker_.config, *broker_.image(), member.group).record_lock;
  std::optional<SharePartition::Change> timed_out;
  SharePartition::Decision decision;
  {
    std::lock_guard lock(held->mutex);
    timed_out = held->machine->tick(now);
    decision = held->machine->acknowledge(member.id, batches, renewed_until);
  }
  if (timed_out) co_await write(loop, held, std::move(*timed_out));
  if (!decision.change) co_return decision.refusal;
  co_return co_await write(loop, held, std::move(*decision.change));
}

// ---- Sessions --------------------------------------------------------------------------------------------------------------------

awaitable<Code> SharePartitions::end_session(Loop& loop, Member member) {
  const auto partitions = sessions_.end(member);
  if (!partitions) co_return Code::share_session_not_found;
  std::vector<std::shared_ptr<Held>>
      of_group;  // a partition may have been taken out of the session while records of it were held
  {
    std::lock_guard lock(mutex_);
    for (const auto& [key, held] : held_)
      if (key.group == member.group) of_group.push_back(held);
  }
  for (const auto& held : of_group) {
    SharePartition::Decision decision;
    {
      std::lock_guard lock(held->mutex);
      if (held->machine) decision = held->machine->release(member.id);
    }
    if (decision.change) co_await write(loop, held, std::move(*decision.change));
  }
  if (!sessions_.any_of(member.group)) forget_group(member.group);
  co_return Code::none;
}

void SharePartitions::follow(broker::Call& call) {
  const uint64_t connection = call.session.id;
  {
    std::lock_guard lock(mutex_);
    if (!followed_.insert(connection).second) return;
  }
  call.session.closing.push_back([this, &loop = call.loop, connection] { loop.spawn(end_sessions_of(loop, connection)); });
}

awaitable<void> SharePartitions::end_sessions_of(Loop& loop, uint64_t connection) {
  {
    std::lock_guard lock(mutex_);
    followed_.erase(connection);
  }
  for (const Member& member : sessions_.of_connection(connection)) co_await end_session(loop, member);
}

}  // namespace kq::share
