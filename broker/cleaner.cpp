#include "broker/cleaner.hpp"

#include <algorithm>
#include <cstdio>

namespace kq::broker {
namespace {

constexpr uint64_t bytes_a_turn = 4 << 20;        // then others get theirs on the pool
constexpr double megabyte = 1 << 20;

std::string name_of(const Partition& partition) { return partition.topic + "-" + std::to_string(partition.index); }

}  // namespace

struct Cleaner::Due {
  std::shared_ptr<Partition> partition;
  log::CleaningPlan plan;
};

// Owned by jobs_; while a piece of it runs, by that too.
struct Cleaner::Job {
  Job(std::shared_ptr<Partition> of, log::Cleaning::Options options)
      : partition(std::move(of)), cleaning(std::move(options)), begun(Clock::now()) {}
  std::shared_ptr<Partition> partition;
  log::Cleaning cleaning;
  const Instant begun;
};

Cleaner::Cleaner(Place place)
    : place_(std::move(place)), pieces_(*place_.env.loops.front(), place_.env.io),
      check_alarm_(*place_.env.loops.front(), place_.env.io, [this] { check(); }),
      resume_alarm_(*place_.env.loops.front(), place_.env.io, [this] { resume_parked(); }) {}

Cleaner::~Cleaner() = default;

void Cleaner::configure(const CleanerSettings& settings) {
  const std::lock_guard lock{mutex_};
  settings_ = settings;
}

void Cleaner::look_at(Partition& partition) {
  if (!place_.enabled || pieces_.stopped()) return;
  Duration backoff;
  {
    const std::lock_guard lock{mutex_};
    Candidate& candidate = candidates_[&partition];
    candidate.partition = partition.weak_from_this();
    candidate.touched = true;
    backoff = std::chrono::milliseconds(settings_.backoff_ms);
  }
  check_alarm_.arm(Clock::now() + backoff);
}

void Cleaner::stop() {
  pieces_.stop();
  check_alarm_.stop();
  resume_alarm_.stop();
  std::map<Partition*, std::shared_ptr<Job>> jobs;
  const std::lock_guard lock{mutex_};
  jobs.swap(jobs_);
}

CleanerCounters Cleaner::counters() const {
  const std::lock_guard lock{mutex_};
  return counters_;
}

void Cleaner::check() {
  {
    const std::lock_guard lock{mutex_};
    check_again_ = std::exchange(checking_, true);
    if (check_again_) return;
  }
  std::vector<Due> due = find_due(wall_clock_ms());
  std::ranges::sort(due, std::greater{}, [](const Due& each) { return each.plan.ratio(); });
  for (Due& each : due) start(each);
  bool again = false, any = false;
  Duration backoff;
  {
    const std::lock_guard lock{mutex_};
    checking_ = false;
    again = std::exchange(check_again_, false);
    any = !candidates_.empty();
    backoff = std::chrono::milliseconds(std::max<int64_t>(settings_.backoff_ms, 1));
  }
  if (again) pieces_.later([this] { check(); });
  if (any) check_alarm_.arm(Clock::now() + backoff);
}

std::vector<Cleaner::Due> Cleaner::find_due(int64_t now_ms) {
  std::vector<std::shared_ptr<Partition>> partitions;
  {
    const std::lock_guard lock{mutex_};
    for (auto at = candidates_.begin(); at != candidates_.end();) {
      auto partition = at->second.partition.lock();
      at->second.touched = false;
      if (partition && !jobs_.contains(at->first) && !uncleanable_.contains(at->first)) partitions.push_back(partition);
      if (partition) ++at;
      else uncleanable_.erase(at->first), at = candidates_.erase(at);
    }
  }
  std::vector<Due> due;
  for (const auto& partition : partitions) {
    if (pieces_.stopped()) return {};
    const bool stays = examine(*partition, now_ms, due);
    const std::lock_guard lock{mutex_};
    const auto at = candidates_.find(partition.get());
    if (!stays && at != candidates_.end() && !at->second.touched) candidates_.erase(at);
  }
  return due;
}

// Has it to be looked at again though nothing is written?
bool Cleaner::examine(Partition& partition, int64_t now_ms, std::vector<Due>& due) {
  const auto config = partition.config();
  if (!config->compact) return false;
  if (config->remove) partition.delete_old_segments(now_ms);
  const log::TopicPartition name{partition.topic, partition.index};
  const auto checkpoint = place_.directory_of(name).cleaned_offset(name);
  std::optional<Result<log::LogFacts>> facts;
  if (!partition.work_on([&](log::Log& log) {
        facts.emplace(log.facts(log::first_dirty_offset(checkpoint, log.start_offset(), log.end_offset())));
      }))
    return false;
  if (!*facts) {
    place_.env.log.warning("cleaner", name_of(partition) + ": " + facts->error().message());
    return true;
  }
  const log::CleaningPlan plan = log::plan_cleaning(**facts, checkpoint, now_ms);
  const bool worth_it = plan.worth_it((*facts)->config);
  if (worth_it) due.push_back({partition.shared_from_this(), plan});
  const bool may_expire = config->remove && plan.total() + (*facts)->active().size > 0;
  return worth_it || plan.waits || may_expire;
}

void Cleaner::start(Due& due) {
  constexpr size_t buffer_bytes_min = 64 << 10;
  std::shared_ptr<Job> job;
  {
    const std::lock_guard lock{mutex_};
    if (pieces_.stopped() || jobs_.size() >= static_cast<size_t>(std::max(settings_.threads, 0))) return;
    const auto threads = static_cast<size_t>(settings_.threads);
    job = std::make_shared<Job>(
        due.partition, log::Cleaning::Options{
                           .cache = place_.files,
                           .on_log = [partition = due.partition](const auto& call) { return partition->work_on(call); },
                           .plan = due.plan,
                           .key_memory_bytes = static_cast<size_t>(std::max<int64_t>(settings_.dedupe_buffer_size, 0)) / threads,
                           .key_load_factor = settings_.io_buffer_load_factor,
                           .buffer_bytes = std::max(static_cast<size_t>(settings_.io_buffer_size) / threads / 2, buffer_bytes_min)});
    jobs_[due.partition.get()] = job;
  }
  go_on_later(job);
}

void Cleaner::go_on_later(const std::shared_ptr<Job>& job) {
  pieces_.later([this, weak = std::weak_ptr(job)] {
    if (const auto still = weak.lock()) go_on(*still);
  });
}

void Cleaner::go_on(Job& job) {
  for (uint64_t bytes = 0; bytes < bytes_a_turn;) {
    if (pieces_.stopped()) return;
    auto progress = job.cleaning.step(wall_clock_ms());
    if (!progress || progress->state != log::Cleaning::State::more) return finish(job, progress);
    bytes += progress->bytes;
    const Instant allowed = throttle(progress->bytes);
    if (allowed > Clock::now()) return park(job, allowed);
  }
  park(job, Clock::now());
}

// When the next bytes may be read or written.
Instant Cleaner::throttle(uint64_t bytes) {
  const std::lock_guard lock{mutex_};
  const double seconds = static_cast<double>(bytes) / std::max(settings_.io_max_bytes_per_second, 1.0);
  next_bytes_ = std::max(next_bytes_, Clock::now()) + std::chrono::duration_cast<Duration>(std::chrono::duration<double>(seconds));
  return next_bytes_;
}

void Cleaner::park(Job& job, Instant until) {
  const bool wait = until > Clock::now();
  std::shared_ptr<Job> ready;
  {
    const std::lock_guard lock{mutex_};
    const auto at = jobs_.find(job.partition.get());
    if (at == jobs_.end()) return;                // stopped
    if (wait) parked_.push_back(at->second);
    else ready = at->second;
  }
  if (wait) resume_alarm_.arm(until);
  else go_on_later(ready);
}

void Cleaner::resume_parked() {
  std::vector<std::weak_ptr<Job>> parked;
  {
    const std::lock_guard lock{mutex_};
    parked.swap(parked_);
  }
  for (const auto& each : parked)
    if (const auto job = each.lock()) go_on_later(job);
}

void Cleaner::finish(Job& job, Result<log::Cleaning::Progress>& last) {
  Partition& partition = *job.partition;
  const bool damaged = !last && last.error().code() == own_code::data;
  const bool done = last && last->state == log::Cleaning::State::done;
  if (done) {
    const log::TopicPartition name{partition.topic, partition.index};
    const Status noted = place_.directory_of(name).set_cleaned_offset(name, job.cleaning.end_offset());
    if (!noted) place_.env.log.warning("cleaner", noted.error().message());
    report(job);
  } else if (!last) {
    place_.env.log.error("cleaner", name_of(partition) + ": " + last.error().message());
    if (!damaged) partition.failed(last.error());
  }
  const log::CleaningStats& stats = job.cleaning.stats();
  {
    const std::lock_guard lock{mutex_};
    jobs_.erase(&partition);
    if (damaged) uncleanable_.insert(&partition);
    ++(done ? counters_.logs_cleaned : damaged ? counters_.logs_uncleanable : counters_.logs_given_up);
    counters_.bytes_read += stats.bytes_mapped + stats.bytes_read;
    counters_.bytes_written += stats.bytes_written;
    counters_.records_read += stats.records_read;
    counters_.records_kept += stats.records_kept;
  }
  // After one there may be another; after a failure not before the pause.
  if (done) pieces_.later([this] { check(); });
  else look_at(partition);
}

void Cleaner::report(const Job& job) {
  const log::CleaningStats& stats = job.cleaning.stats();
  const double read = static_cast<double>(stats.bytes_read), written = static_cast<double>(stats.bytes_written);
  char numbers[160];
  std::snprintf(numbers, sizeof numbers, "%.1f MiB became %.1f (%.1f%% less), %.1f%% of the keys' memory was used, %.1f s", read / megabyte,
                written / megabyte, read > 0 ? 100 * (1 - written / read) : 0.0, 100 * job.cleaning.map_used(),
                std::chrono::duration<double>(Clock::now() - job.begun).count());
  std::string text = name_of(*job.partition) + " is compacted up to offset " + std::to_string(job.cleaning.end_offset()) + ", dirty from " +
                     std::to_string(job.cleaning.plan().first_dirty) + ": " + std::to_string(stats.records_kept) + " of " +
                     std::to_string(stats.records_read) + " records stay, " + numbers;
  if (stats.keyless_records > 0) text += "; " + std::to_string(stats.keyless_records) + " records without a key are gone";
  place_.env.log.info("cleaner", text);
}

}  // namespace kq::broker
