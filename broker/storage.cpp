#include "broker/storage.hpp"

#include <algorithm>
#include <set>

#include "broker/cluster/topic_name.hpp"

namespace kq::broker {

Storage::Storage(const Config& config, const Environment& env, Partitions& partitions)
    : config_(config), env_(env), partitions_(partitions), files_(env.files, static_cast<size_t>(config.log_open_files_max)),
      context_{.io = env.io,
               .log = env.log,
               .commit_when_synced = config.log_flush_acks == FlushAcks::all,
               .open_log = [this](const Partition& partition, const log::LogConfig& log) { return open_log(partition, log); },
               .make_log = [this](const Partition& partition) { return make_log(partition); },
               .appended = [this](Partition& partition, size_t bytes) { appended(partition, bytes); },
               .disk_failed = [this](Partition& partition, const Error& error) { disk_failed(partition, error); },
               .took_out = [this](Partition& partition, auto removals) { housekeeping_->remove_later(partition, std::move(removals)); },
               .may_be_dirty = [this](Partition& partition) { cleaner_->look_at(partition); }},
      sync_alarm_(std::make_unique<Alarm>(*env.loops.front(), env.io, [this] { sync_round(0); })) {}

Storage::~Storage() = default;

Result<std::unique_ptr<Storage>> Storage::open(const Config& config, const Environment& env, Partitions& partitions) {
  std::unique_ptr<Storage> storage(new Storage(config, env, partitions));
  KQ_TRY(storage->open_directories());
  const auto directory_of = [&storage = *storage](const log::TopicPartition& name) -> log::LogDirectory& { return storage.directory_of(name); };
  storage->housekeeping_ = std::make_unique<Housekeeping>(Housekeeping::Place{
      .config = config, .env = env, .partitions = partitions, .directories = storage->directories_, .directory_of = directory_of});
  storage->cleaner_ = std::make_unique<Cleaner>(
      Cleaner::Place{.env = env, .files = storage->files_, .enabled = config.log_cleaner_enable, .directory_of = directory_of});
  return storage;
}

std::vector<std::string> data_directories(const Config& config) {
  std::vector<std::string> paths{config.metadata_log_dir};
  for (const std::string& path : config.log_dirs)
    if (std::ranges::find(paths, path) == paths.end()) paths.push_back(path);
  return paths;
}

Status Storage::open_directories() {
  const log::LogContext context{.cache = files_, .logger = env_.log, .seed = system_random_u64()};
  for (const std::string& path : data_directories(config_)) {
    KQ_TRY_ASSIGN(auto directory,
                  log::LogDirectory::open(context, {.path = path, .producer_expiration_ms = config_.producer_id_expiration_ms}));
    directories_.push_back(std::move(directory));
  }
  if (directories_.size() == 1) return {};
  for (const auto& directory : directories_)
    for (log::TopicPartition& partition : directory->partitions())
      if (places_.emplace(std::move(partition), directory.get()).second) ++placed_[directory.get()];
  return {};
}

Result<std::string> Storage::own(const FormatRequest& request) {
  std::vector<log::LogDirectory*> directories;
  for (const auto& directory : directories_) directories.push_back(directory.get());
  KQ_TRY_ASSIGN(std::string cluster_id, format_directories(request, directories));
  for (const auto& directory : directories_) KQ_TRY(directory->check_owner(cluster_id, config_.node_id));
  return cluster_id;
}

std::vector<Uuid> Storage::directory_ids() const {
  std::vector<Uuid> ids;
  for (const auto& directory : directories_) ids.push_back(directory->meta()->directory_id);
  return ids;
}

void Storage::apply(const cluster::Image& image, const cluster::Delta* delta) {
  const auto& of_broker = image.config(cluster::ResourceType::broker, std::to_string(config_.node_id));
  const auto& of_all = image.config(cluster::ResourceType::broker, "");
  if (!delta) {
    cleaner_->configure(config_.cleaner(of_broker, of_all));
    topic_defaults_ = config_.topic_defaults(of_broker, of_all);
    set_aside_strays(image);
    image.topics.for_each([&](const auto&, const auto& topic) { apply_topic(image, *topic, false); });
    return;
  }
  configure(image, *delta);
  for (const auto& change : delta->topics) {
    if (change.after) apply_topic(image, *change.after, true);
    else remove_topic(*change.before);
  }
}

// What no topic has, or not on this broker, is kept under another name, as Kafka keeps it: it may be all that is left of somebody's records.
void Storage::set_aside_strays(const cluster::Image& image) {
  const auto is_here = [&](const log::TopicPartition& name) {
    const cluster::TopicImage* const topic = image.topic(name.topic);
    const cluster::PartitionImage* const state = topic ? topic->partition(name.partition) : nullptr;
    return state && std::ranges::find(state->replicas, config_.node_id) != state->replicas.end();
  };
  for (const auto& directory : directories_) {
    bool any = false;
    for (const log::TopicPartition& name : directory->partitions()) {
      if (name.topic == cluster::metadata_topic || is_here(name)) continue;
      const auto stray = directory->set_aside(name);
      any = true;
      forget_place(name);
      if (stray) env_.log.warning("storage", "no topic has " + name.directory_name() + " any more: it is " + *stray + " now");
      else env_.log.error("storage", "cannot set " + name.directory_name() + " aside: " + stray.error().message());
    }
    if (!any) continue;
    if (const Status synced = directory->sync_names(); !synced) env_.log.error("storage", synced.error().message());
  }
}

void Storage::apply_topic(const cluster::Image& image, const cluster::TopicImage& topic, bool make_directories) {
  std::shared_ptr<const TopicConfig> config;
  for (size_t i = 0; i < topic.partitions.size(); ++i) {
    const auto index = static_cast<int32_t>(i);
    const cluster::PartitionImage* state = topic.partition(index);
    if (!state || std::ranges::find(state->replicas, config_.node_id) == state->replicas.end()) continue;
    auto partition = partitions_.find(topic.id, index);
    const bool is_new = !partition;
    if (is_new) {
      if (!config) config = config_of(image, topic);
      partition = std::make_shared<Partition>(context_, topic.id, topic.name, index, config);
    }
    partition->set_leadership(*state, config_.node_id);
    if (!is_new) continue;
    partitions_.add(partition);
    if (make_directories) soon({Chore::Kind::make, partition});
  }
}

void Storage::soon(Chore chore) {
  const size_t workers_max = static_cast<size_t>(config_.num_recovery_threads_per_data_dir) * directories_.size();
  {
    std::lock_guard lock(mutex_);
    chores_.push_back(std::move(chore));
    if (workers_ >= workers_max) return;
    ++workers_;
  }
  env_.io.submit([this] { work_off(); });
}

void Storage::work_off() {
  constexpr int at_a_time = 64;                   // then others get their turn on the pool
  for (int i = 0; i < at_a_time; ++i) {
    Chore next;
    {
      std::lock_guard lock(mutex_);
      if (chores_.empty()) {
        --workers_;
        return;
      }
      next = std::move(chores_.front());
      chores_.pop_front();
    }
    carry_out(next);
  }
  env_.io.submit([this] { work_off(); });
}

// What fails is logged where it does, and the next request for the partition tries again.
void Storage::carry_out(const Chore& chore) {
  const auto partition = chore.partition.lock();
  if (!partition) return;
  if (chore.kind == Chore::Kind::make) (void)partition->make_now();
  else if (const log::TopicPartition name{partition->topic, partition->index}; !directory_of(name).holds_nothing(name)) (void)partition->open_now();
}

// Only names change here; what they name is removed later, piece by piece.
void Storage::remove_topic(const cluster::TopicImage& topic) {
  std::set<log::LogDirectory*> changed;
  for (const auto& partition : partitions_.remove(topic.id)) {
    partition->retire();
    const log::TopicPartition name{partition->topic, partition->index};
    const int64_t due_ms = wall_clock_ms() + partition->config()->file_delete_delay_ms;
    log::LogDirectory& directory = directory_of(name);
    if (const Status renamed = partition->locked([&] { return directory.delete_log(name, due_ms); }); !renamed)
      env_.log.error("storage", "cannot delete " + name.directory_name() + ": " + renamed.error().message());
    forget_place(name);
    changed.insert(&directory);
    housekeeping_->remove_at(due_ms);
  }
  for (log::LogDirectory* directory : changed)
    if (const Status synced = directory->sync_names(); !synced) env_.log.error("storage", synced.error().message());
}

std::shared_ptr<const TopicConfig> Storage::config_of(const cluster::Image& image, const cluster::TopicImage& topic) const {
  return std::make_shared<const TopicConfig>(topic_defaults_.with(image.config(cluster::ResourceType::topic, topic.name)));
}

void Storage::configure(const cluster::Image& image, const cluster::Delta& delta) {
  const auto set = [&](const cluster::TopicImage& topic) {
    const auto config = config_of(image, topic);
    for (const auto& partition : partitions_.of(topic.id)) partition->set_config(config);
  };
  const bool defaults_changed = std::ranges::any_of(delta.configs, [](const auto& changed) { return changed.type == cluster::ResourceType::broker; });
  if (defaults_changed) {
    cleaner_->configure(config_.cleaner(image.config(cluster::ResourceType::broker, std::to_string(config_.node_id)),
                                        image.config(cluster::ResourceType::broker, "")));
    topic_defaults_ = config_.topic_defaults(image.config(cluster::ResourceType::broker, std::to_string(config_.node_id)),
                                             image.config(cluster::ResourceType::broker, ""));
    image.topics.for_each([&](const auto&, const auto& topic) { set(*topic); });
    return;
  }
  for (const cluster::ConfigResource& changed : delta.configs)
    if (const auto* topic = changed.type == cluster::ResourceType::topic ? image.topic(changed.name) : nullptr) set(*topic);
}

Status Storage::make_log(const Partition& partition) {
  const log::TopicPartition name{partition.topic, partition.index};
  Status made = directory_of(name).make_log(name, partition.topic_id);
  if (!made) env_.log.error("storage", name.directory_name() + " cannot be made: " + made.error().message());
  return made;
}

Result<std::shared_ptr<log::Log>> Storage::open_log(const Partition& partition, const log::LogConfig& config) {
  const log::TopicPartition name{partition.topic, partition.index};
  log::LogDirectory& directory = directory_of(name);
  auto log = directory.open_log(name, partition.topic_id, config, wall_clock_ms());
  if (log || log.error().code() != own_code::data) return log;
  // What lies under this name belonged to a topic that is deleted since: the broker stopped before it came to that.
  KQ_TRY_ASSIGN(const auto on_disk, directory.topic_id(name));
  if (!on_disk || *on_disk == partition.topic_id) return log;
  KQ_TRY_ASSIGN(const std::string stray, directory.set_aside(name));
  env_.log.warning("storage", name.directory_name() + " holds topic id " + on_disk->text() + ", which is deleted, and makes room for " +
                                  partition.topic_id.text() + ": it is " + stray + " now");
  return directory.open_log(name, partition.topic_id, config, wall_clock_ms());
}

// Where it lies; a new one goes where the fewest are.
log::LogDirectory& Storage::directory_of(const log::TopicPartition& name) {
  if (directories_.size() == 1) return *directories_.front();
  std::lock_guard lock(mutex_);
  if (const auto known = places_.find(name); known != places_.end()) return *known->second;
  log::LogDirectory* chosen = nullptr;
  for (const auto& directory : directories_) {
    if (directory->offline() || std::ranges::find(config_.log_dirs, directory->path()) == config_.log_dirs.end()) continue;
    if (!chosen || placed_[directory.get()] < placed_[chosen]) chosen = directory.get();
  }
  if (!chosen) chosen = directories_.back().get();
  places_[name] = chosen;
  ++placed_[chosen];
  return *chosen;
}

void Storage::forget_place(const log::TopicPartition& name) {
  std::lock_guard lock(mutex_);
  if (const auto known = places_.find(name); known != places_.end()) {
    --placed_[known->second];
    places_.erase(known);
  }
}

void Storage::recover_in_background() {
  const bool left_cleanly = std::ranges::all_of(directories_, [](const auto& directory) { return directory->clean_shutdown().has_value(); });
  housekeeping_->begin();
  if (left_cleanly) return;
  for (const auto& partition : partitions_.all()) soon({Chore::Kind::recover, partition});
}

void Storage::disk_failed(Partition& partition, const Error& error) {
  if (log::disk_full(error)) {
    disk_full_log_.write("a write is refused: " + error.message());
    return;
  }
  log::LogDirectory& directory = directory_of({partition.topic, partition.index});
  if (!directory.offline()) env_.log.error("storage", directory.path() + " goes offline, nothing is written there any more: " + error.message());
  directory.set_offline(error);
}

void Storage::appended(Partition& partition, size_t bytes) {
  if (!partition.noted_dirty.exchange(true)) {
    bool first;
    {
      std::lock_guard lock(mutex_);
      first = dirty_.empty();
      dirty_.push_back(partition.weak_from_this());
    }
    if (first) sync_alarm_->arm(Clock::now() + std::chrono::milliseconds(config_.log_flush_offset_checkpoint_interval_ms));
  }
  const int64_t trigger = config_.log_recovery_scan_max_bytes / 2;       // what comes while a round runs has the other half
  const auto added = static_cast<int64_t>(bytes);
  const int64_t before = unsynced_bytes_.fetch_add(added, std::memory_order_relaxed);
  if (before < trigger && before + added >= trigger) sync_round(trigger / 2);
}

// Syncs those with the most behind their recovery points, until at most `bytes_left_max` lie behind the others'.
void Storage::sync_round(int64_t bytes_left_max) {
  std::vector<std::pair<int64_t, std::shared_ptr<Partition>>> candidates;
  {
    std::lock_guard lock(mutex_);
    if (round_running_ > 0) return;
    ++round_running_;                             // held by this function
    for (const auto& dirty : dirty_)
      if (auto partition = dirty.lock()) candidates.emplace_back(0, std::move(partition));
    dirty_.clear();
  }
  int64_t left = 0;
  for (auto& [bytes, partition] : candidates) left += bytes = static_cast<int64_t>(partition->bytes_past_recovery_point());
  std::ranges::sort(candidates, std::greater{}, [](const auto& candidate) { return candidate.first; });
  std::vector<std::shared_ptr<Partition>> chosen;
  {
    std::lock_guard lock(mutex_);
    for (auto& [bytes, partition] : candidates) {
      if (left <= bytes_left_max && bytes_left_max > 0) {
        dirty_.push_back(partition);
        continue;
      }
      left -= bytes;
      partition->noted_dirty = false;             // what is appended from here on notes it again
      chosen.push_back(std::move(partition));
    }
    round_running_ += chosen.size();
  }
  unsynced_bytes_.store(left, std::memory_order_relaxed);
  for (const auto& partition : chosen) partition->flush_soon([this] { round_done(); });
  round_done();
}

void Storage::round_done() {
  bool again;
  {
    std::lock_guard lock(mutex_);
    if (--round_running_ > 0) return;
    again = !dirty_.empty();
  }
  env_.io.submit([this] { write_checkpoints(); });
  if (again) sync_alarm_->arm(Clock::now() + std::chrono::milliseconds(config_.log_flush_offset_checkpoint_interval_ms));
}

void Storage::write_checkpoints() {
  for (const auto& directory : directories_) {
    for (const Status& written : {directory->write_recovery_points(), directory->write_high_watermarks()})
      if (!written) env_.log.error("storage", written.error().message());
  }
}

void Storage::stop_background() {
  {
    std::lock_guard lock(mutex_);
    chores_.clear();
  }
  sync_alarm_->stop();
  housekeeping_->stop();
  cleaner_->stop();
}

Status Storage::close(int64_t broker_epoch) {
  Status outcome;
  for (const auto& directory : directories_) {
    Status closed = directory->close(broker_epoch);
    if (!closed) outcome = std::move(closed);
  }
  return outcome;
}

}  // namespace kq::broker
