#include "broker/housekeeping.hpp"

#include <limits>

namespace kq::broker {
namespace {
constexpr size_t partitions_a_piece = 64;
constexpr int64_t never_ms = std::numeric_limits<int64_t>::max();
}  // namespace

// Something on its way through the partitions, from time to time.
struct Housekeeping::Walk {
  std::vector<std::shared_ptr<Partition>> partitions;
  std::function<void(Partition&, int64_t now_ms)> visit;
  Alarm& again;
  int64_t interval_ms;
  size_t next = 0;
};

Housekeeping::Housekeeping(Place place)
    : place_(std::move(place)), pieces_(*place_.env.loops.front(), place_.env.io),
      check_alarm_(*place_.env.loops.front(), place_.env.io, [this] { check(); }),
      removal_alarm_(*place_.env.loops.front(), place_.env.io, [this] { remove_due(); }),
      producers_alarm_(*place_.env.loops.front(), place_.env.io, [this] { forget_producers(); }) {}

void Housekeeping::begin() {
  check_alarm_.arm(Clock::now() + std::chrono::milliseconds(place_.config.log_initial_task_delay_ms));
  removal_alarm_.arm(Clock::now());               // what was deleted before the stop
  producers_alarm_.arm(Clock::now() + std::chrono::milliseconds(place_.config.producer_id_expiration_check_interval_ms));
}

void Housekeeping::stop() {
  pieces_.stop();
  check_alarm_.stop();
  removal_alarm_.stop();
  producers_alarm_.stop();
}

void Housekeeping::check() {
  const auto visit = [this](Partition& partition, int64_t now_ms) { check_one(partition, now_ms); };
  go_on(std::make_shared<Walk>(place_.partitions.all(), visit, check_alarm_, place_.config.log_retention_check_interval_ms));
  remove_due();
}

// A log that is opened later forgets them then.
void Housekeeping::forget_producers() {
  const auto visit = [](Partition& partition, int64_t now_ms) {
    partition.with_log([now_ms](log::Log& log) { log.expire_producers(now_ms); });
  };
  go_on(std::make_shared<Walk>(place_.partitions.all(), visit, producers_alarm_, place_.config.producer_id_expiration_check_interval_ms));
}

void Housekeeping::go_on(std::shared_ptr<Walk> walk) {
  const int64_t now_ms = wall_clock_ms();
  for (size_t i = 0; i < partitions_a_piece && walk->next < walk->partitions.size(); ++i, ++walk->next) {
    if (pieces_.stopped()) return;
    walk->visit(*walk->partitions[walk->next], now_ms);
  }
  if (walk->next < walk->partitions.size()) return pieces_.later([this, walk = std::move(walk)] { go_on(walk); });
  walk->again.arm(Clock::now() + std::chrono::milliseconds(walk->interval_ms));
}

void Housekeeping::check_one(Partition& partition, int64_t now_ms) {
  if (!partition.is_open() && (!may_have_work(partition, now_ms) || !partition.open_now())) return;
  partition.delete_old_segments(now_ms);
}

// Nothing changes in a log that is not open, so what is found out once holds until its settings do not.
bool Housekeeping::may_have_work(Partition& partition, int64_t now_ms) {
  int64_t due_ms = partition.retention_due_ms;
  if (due_ms == 0) {
    const log::TopicPartition name{partition.topic, partition.index};
    const auto found = place_.directory_of(name).retention_due_ms(name, log_config(*partition.config()));
    if (!found) {
      place_.env.log.warning("retention", found.error().message());
      return false;
    }
    due_ms = found->value_or(never_ms);
    partition.retention_due_ms = due_ms;
  }
  return due_ms <= now_ms;
}

void Housekeeping::remove_later(const Partition& partition, std::vector<log::Log::Removal> removals) {
  if (removals.empty()) return;
  int64_t due_ms = never_ms;
  for (const auto& removal : removals) due_ms = std::min(due_ms, removal.due_ms);
  place_.directory_of({partition.topic, partition.index}).remove_later(std::move(removals));
  remove_at(due_ms);
}

void Housekeeping::remove_at(int64_t due_ms) {
  {
    const std::lock_guard lock{mutex_};
    removals_due_ms_.insert(due_ms);
    if (*removals_due_ms_.begin() < due_ms) return;              // the alarm is set already
  }
  removal_alarm_.arm(Clock::now() + std::chrono::milliseconds(std::max<int64_t>(due_ms - wall_clock_ms(), 0) + 1));
}

void Housekeeping::remove_due() {
  const int64_t now_ms = wall_clock_ms();
  bool begins = false;
  {
    const std::lock_guard lock{mutex_};
    for (const auto& directory : place_.directories)
      for (auto& removal : directory->due_removals(now_ms)) removals_.push_back(std::move(removal));
    removals_due_ms_.erase(removals_due_ms_.begin(), removals_due_ms_.upper_bound(now_ms));
    if (!removals_due_ms_.empty()) removal_alarm_.arm(Clock::now() + std::chrono::milliseconds(*removals_due_ms_.begin() - now_ms + 1));
    begins = !removals_.empty() && !std::exchange(removing_, true);
  }
  if (begins) remove_next();
}

void Housekeeping::remove_next() {
  std::function<void()> removal;
  {
    const std::lock_guard lock{mutex_};
    removing_ = !removals_.empty();
    if (!removing_) return;
    removal = std::move(removals_.back());
    removals_.pop_back();
  }
  removal();
  pieces_.later([this] { remove_next(); });
}

void Housekeeping::starts_raised() {
  const uint64_t own = ++starts_raised_;
  const std::lock_guard lock{starts_mutex_};
  if (starts_written_ >= own) return;
  starts_written_ = starts_raised_;
  for (const auto& directory : place_.directories)
    if (const Status written = directory->write_log_starts(); !written) place_.env.log.error("retention", written.error().message());
}

}  // namespace kq::broker
