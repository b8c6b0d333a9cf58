#include "broker/log/log_directory.hpp"

#include <algorithm>
#include <limits>

#include "broker/log/retention.hpp"
#include "libkq/base/random.hpp"

namespace kq::log {
namespace {

constexpr std::string_view delete_suffix = "-delete", stray_suffix = "-stray";
constexpr const char* metadata_topic = "__cluster_metadata";
constexpr size_t name_bytes_max = 255;               // of a file

// Points of the metadata log are its snapshots' business, as in Kafka: the checkpoint files never name it.
bool checkpointed(const TopicPartition& name) { return name.topic != metadata_topic; }

// topic-partition.<32 hex digits>-delete, or -stray; a long topic name is cut, so that it stays a file name.
std::string other_name(const TopicPartition& name, std::string_view suffix) {
  std::byte unique[16];
  system_random(unique);
  std::string digits;
  for (const std::byte byte : unique) {
    constexpr const char* hex = "0123456789abcdef";
    digits += hex[std::to_integer<unsigned>(byte) >> 4];
    digits += hex[std::to_integer<unsigned>(byte) & 15];
  }
  const std::string tail = "-" + std::to_string(name.partition) + "." + digits + std::string(suffix);
  return name.topic.substr(0, name_bytes_max - tail.size()) + tail;
}

}  // namespace

LogDirectory::~LogDirectory() = default;

Result<std::unique_ptr<LogDirectory>> LogDirectory::open(const LogContext& context, Options options) {
  std::unique_ptr<LogDirectory> directory{new LogDirectory(context, std::move(options))};
  FileSystem& files = context.files();
  KQ_TRY(files.make_directory(directory->path()));
  KQ_TRY_ASSIGN(directory->lock_, files.lock(directory->path_of(checkpoint_file::lock)));
  KQ_TRY_ASSIGN(directory->meta_, read_meta_properties(files, directory->path()));
  KQ_TRY(directory->look_around());
  if (!directory->meta_) return directory;
  KQ_TRY(directory->read_checkpoints());
  KQ_TRY_ASSIGN(directory->clean_shutdown_, read_clean_shutdown(files, directory->path()));
  // From here on a crash finds a directory that was in use.
  if (directory->clean_shutdown_) KQ_TRY(remove_clean_shutdown(files, directory->path()));
  return directory;
}

Status LogDirectory::look_around() {
  KQ_TRY_ASSIGN(const auto entries, context_.files().list(path()));
  if (!meta_) KQ_TRY(refuse_foreign(entries));
  for (const DirectoryEntry& entry : entries) {
    if (!entry.is_directory) continue;
    if (entry.name.ends_with(delete_suffix)) {
      removals_.push_back({path_of(entry.name), 0});
    } else if (const auto name = TopicPartition::parse(entry.name)) {
      known_[*name].present = true;
    } else if (entry.name.ends_with(stray_suffix)) {
      context_.logger.warning("log", path_of(entry.name) + " was set aside, as no topic had it: remove it if nobody misses its records");
    } else if (entry.name != "lost+found") {
      context_.logger.warning("log", path_of(entry.name) + " is no partition's directory: it is left alone");
    }
  }
  return {};
}

// What an interrupted format leaves is no stranger; anything else that came without meta.properties is.
Status LogDirectory::refuse_foreign(const std::vector<DirectoryEntry>& entries) const {
  for (const DirectoryEntry& entry : entries) {
    if (entry.name == checkpoint_file::lock || entry.name == "lost+found" || entry.name == "bootstrap.checkpoint" ||
        entry.name == std::string(metadata_topic) + "-0" || entry.name.ends_with(".tmp"))
      continue;
    return Error{own_code::data, path() + " holds '" + entry.name + "' and no meta.properties, so it is no broker's data directory: "
                                 "choose an empty or a new one, or restore its meta.properties"};
  }
  return {};
}

Status LogDirectory::format(const MetaProperties& meta) {
  KQ_TRY(write_meta_properties(context_.files(), path(), meta));
  KQ_TRY(context_.files().sync_directory(parent_of(path())));
  meta_ = meta;
  clean_shutdown_ = CleanShutdown{};                   // nothing lies here that could be torn
  return {};
}

Status LogDirectory::check_owner(const std::string& cluster_id, int32_t node_id) const {
  if (!meta_) return {};
  if (meta_->cluster_id != cluster_id) {
    return Error{own_code::data, path() + " belongs to cluster " + meta_->cluster_id + ", not to " + cluster_id +
                                 ": choose another directory, or start with that cluster's id"};
  }
  if (meta_->node_id >= 0 && meta_->node_id != node_id) {
    return Error{own_code::data, path() + " belongs to node " + std::to_string(meta_->node_id) + ", not to node " +
                                 std::to_string(node_id) + ": set node.id=" + std::to_string(meta_->node_id) + ", or choose another directory"};
  }
  return {};
}

Status LogDirectory::read_checkpoints() {
  const auto read = [this](const char* file, std::optional<int64_t> Known::*member) -> Status {
    auto offsets = read_offsets(context_.files(), path_of(file));
    if (!offsets && offsets.error().code() != own_code::data) return std::move(offsets.error());
    if (!offsets) {
      context_.logger.warning("log", offsets.error().message() + ": it is taken as empty, and logs are checked");
      return {};
    }
    for (const auto& [name, offset] : *offsets) {
      if (const auto known = known_.find(name); known != known_.end()) known->second.*member = offset;
    }
    return {};
  };
  KQ_TRY(read(checkpoint_file::recovery_point, &Known::recovery_point));
  KQ_TRY(read(checkpoint_file::high_watermark, &Known::high_watermark));
  KQ_TRY(read(checkpoint_file::cleaner, &Known::cleaned));
  return read(checkpoint_file::log_start, &Known::log_start);
}

std::vector<TopicPartition> LogDirectory::partitions() const {
  const std::lock_guard lock{mutex_};
  std::vector<TopicPartition> names;
  names.reserve(known_.size());
  for (const auto& [name, known] : known_) {
    if (known.present) names.push_back(name);
  }
  return names;
}

std::vector<std::shared_ptr<Log>> LogDirectory::logs() const {
  const std::lock_guard lock{mutex_};
  std::vector<std::shared_ptr<Log>> logs;
  for (const auto& [name, known] : known_) {
    if (known.log) logs.push_back(known.log);
  }
  return logs;
}

Result<std::optional<Uuid>> LogDirectory::topic_id(const TopicPartition& name) const {
  return read_topic_id(context_.files(), path_of(name.directory_name()));
}

std::optional<int64_t> LogDirectory::checkpointed_high_watermark(const TopicPartition& name) const {
  const std::lock_guard lock{mutex_};
  const auto known = known_.find(name);
  return known == known_.end() ? std::nullopt : known->second.high_watermark;
}

// The directory of a partition, made if it is not there, and what its log is to be opened with.
Result<Log::Options> LogDirectory::prepare(const TopicPartition& name, const Uuid& topic_id, const LogConfig& config, int64_t now_ms) {
  Log::Options options{.directory = path_of(name.directory_name()), .name = name, .config = config,
                       .producer_expiration_ms = options_.producer_expiration_ms, .now_ms = now_ms};
  Known known;
  {
    const std::lock_guard lock{mutex_};
    known = known_[name];
  }
  FileSystem& files = context_.files();
  if (!known.present) KQ_TRY(files.make_directory(options.directory));
  KQ_TRY_ASSIGN(const auto found_id, read_topic_id(files, options.directory));
  if (found_id && *found_id != topic_id) {
    return Error{own_code::data, options.directory + " belongs to a topic of the id " + found_id->text() + ", not " + topic_id.text() +
                                 ": it is what is left of a deleted topic"};
  }
  options.fresh = !known.present;
  if (!found_id) KQ_TRY(write_topic_id(files, options.directory, topic_id));
  options.clean = checkpointed(name) && !options.fresh && clean_shutdown_.has_value() && known.recovery_point.has_value();
  options.recovery_point = known.recovery_point.value_or(0);
  options.start_offset = known.log_start;
  options.cleaned = known.cleaned.has_value();
  return options;
}

Result<std::shared_ptr<Log>> LogDirectory::open_log(const TopicPartition& name, const Uuid& topic_id, const LogConfig& config,
                                                    int64_t now_ms) {
  {
    std::unique_lock lock{mutex_};
    KQ_TRY(await_turn(name, lock));
    if (const auto known = known_.find(name); known != known_.end() && known->second.log) return known->second.log;
    opening_.insert(name);
  }
  auto opened = [&]() -> Result<std::shared_ptr<Log>> {
    KQ_TRY_ASSIGN(auto options, prepare(name, topic_id, config, now_ms));
    KQ_TRY_ASSIGN(auto log, Log::open(context_, std::move(options)));
    return std::shared_ptr<Log>(std::move(log));
  }();
  {
    const std::lock_guard lock{mutex_};
    opening_.erase(name);
    if (opened) {
      Known& known = known_[name];
      known.present = true;
      known.empty = false;
      known.log = *opened;
      if (known.high_watermark) (*opened)->set_high_watermark(*known.high_watermark);
    } else if (known_[name].present == false) {
      known_.erase(name);
    }
  }
  opened_.notify_all();
  return opened;
}

// One at a time makes or opens a log; the caller notes itself in opening_.
Status LogDirectory::await_turn(const TopicPartition& name, std::unique_lock<std::mutex>& lock) {
  opened_.wait(lock, [&] { return !opening_.contains(name); });
  if (offline_error_) return *offline_error_;
  return {};
}

Status LogDirectory::make_log(const TopicPartition& name, const Uuid& topic_id) {
  {
    std::unique_lock lock{mutex_};
    KQ_TRY(await_turn(name, lock));
    if (const auto known = known_.find(name); known != known_.end() && known->second.present) return {};
    opening_.insert(name);
  }
  Status made = make_files(name, topic_id);
  {
    const std::lock_guard lock{mutex_};
    opening_.erase(name);
    if (made) known_[name].present = known_[name].empty = true;
  }
  opened_.notify_all();
  return made;
}

Status LogDirectory::make_files(const TopicPartition& name, const Uuid& topic_id) {
  FileSystem& files = context_.files();
  const std::string directory = path_of(name.directory_name());
  KQ_TRY(files.make_directory(directory));
  KQ_TRY(write_topic_id(files, directory, topic_id));
  for (const char* suffix : {suffix::offset_index, suffix::time_index, suffix::log})
    KQ_TRY(files.open(directory + "/" + offset_name(0) + suffix, OpenMode::create));
  return {};
}

bool LogDirectory::holds_nothing(const TopicPartition& name) {
  {
    const std::lock_guard lock{mutex_};
    const auto known = known_.find(name);
    if (known == known_.end() || !known->second.present || known->second.empty) return true;
    if (known->second.log || known->second.recovery_point.value_or(0) > 0) return false;
  }
  const std::string directory = path_of(name.directory_name());
  const auto entries = context_.files().list(directory);
  if (!entries) return false;
  const auto unwritten = [](const DirectoryEntry& entry) {
    return entry.name == checkpoint_file::partition_metadata || entry.name == checkpoint_file::leader_epoch ||
           entry.name.starts_with(offset_name(0));
  };
  if (!std::all_of(entries->begin(), entries->end(), unwritten)) return false;
  for (const char* suffix : {suffix::log, suffix::offset_index, suffix::time_index}) {      // indexes of one that was open are longer
    const std::string path = directory + "/" + offset_name(0) + suffix;
    if (!context_.files().exists(path)) continue;
    const auto size = context_.files().size(path);
    if (!size || *size > 0) return false;
  }
  const std::lock_guard lock{mutex_};
  const auto known = known_.find(name);
  return known != known_.end() && (known->second.empty = !known->second.log);
}

Result<std::string> LogDirectory::rename_away(const TopicPartition& name, std::string_view suffix) {
  std::shared_ptr<Log> log;
  {
    const std::lock_guard lock{mutex_};
    const auto known = known_.find(name);
    if (known == known_.end()) return std::string();
    log = known->second.log;
    known_.erase(known);
  }
  const std::string from = path_of(name.directory_name());
  std::string to = path_of(other_name(name, suffix));
  if (log) log->abandon();
  KQ_TRY(context_.files().rename(from, to));
  const std::lock_guard lock{mutex_};
  // What the log had set aside goes with the directory.
  std::erase_if(removals_, [&](const Log::Removal& removal) { return parent_of(removal.path) == from; });
  return to;
}

Status LogDirectory::delete_log(const TopicPartition& name, int64_t due_ms) {
  KQ_TRY_ASSIGN(std::string doomed, rename_away(name, delete_suffix));
  if (doomed.empty()) return {};
  const std::lock_guard lock{mutex_};
  removals_.push_back({std::move(doomed), due_ms});
  return {};
}

Result<std::string> LogDirectory::set_aside(const TopicPartition& name) { return rename_away(name, stray_suffix); }

Status LogDirectory::sync_names() { return context_.files().sync_directory(path()); }

Result<std::optional<int64_t>> LogDirectory::retention_due_ms(const TopicPartition& name, const LogConfig& config) const {
  std::optional<int64_t> start;
  {
    const std::lock_guard lock{mutex_};
    const auto known = known_.find(name);
    if (known == known_.end() || !known->second.present) return std::optional<int64_t>{};
    start = known->second.log_start;
  }
  return log::retention_due_ms(context_.files(), path_of(name.directory_name()), start, config);
}

// One that is renamed or removed meanwhile counts nothing.
std::map<TopicPartition, uint64_t> LogDirectory::sizes() const {
  std::map<TopicPartition, uint64_t> sizes;
  std::vector<TopicPartition> closed;
  {
    const std::lock_guard lock{mutex_};
    for (const auto& [name, known] : known_) {
      if (!known.present) continue;
      sizes[name] = known.log ? known.log->size() : 0;
      if (!known.log && !known.empty) closed.push_back(name);
    }
  }
  for (const TopicPartition& name : closed) {
    const std::string directory = path_of(name.directory_name());
    const auto entries = context_.files().list(directory);
    for (const DirectoryEntry& entry : entries ? *entries : std::vector<DirectoryEntry>{})
      if (offset_of(entry.name, suffix::log))
        if (const auto bytes = context_.files().size(directory + "/" + entry.name)) sizes[name] += *bytes;
  }
  return sizes;
}

void LogDirectory::remove_later(std::vector<Log::Removal> removals) {
  const std::lock_guard lock{mutex_};
  removals_.insert(removals_.end(), std::make_move_iterator(removals.begin()), std::make_move_iterator(removals.end()));
}

std::vector<std::function<void()>> LogDirectory::due_removals(int64_t now_ms) {
  const std::lock_guard lock{mutex_};
  const auto due = std::partition(removals_.begin(), removals_.end(), [&](const Log::Removal& removal) { return removal.due_ms > now_ms; });
  std::vector<std::function<void()>> jobs;
  for (auto it = due; it != removals_.end(); ++it) {
    jobs.push_back([files = &context_.files(), logger = &context_.logger, path = it->path] {
      Status removed = path.ends_with(delete_suffix) ? files->remove_tree(path) : files->remove(path);
      if (!removed) logger->warning("log", removed.error().message() + "; it is tried again after the next start");
    });
  }
  removals_.erase(due, removals_.end());
  return jobs;
}

// Of opened logs what they are at now, of others what was read.
OffsetCheckpoint LogDirectory::collect(std::optional<int64_t> Known::*checkpointed_at, int64_t (*now)(const Log&)) {
  const std::lock_guard lock{mutex_};
  OffsetCheckpoint offsets;
  for (auto& [name, known] : known_) {
    if (known.log) known.*checkpointed_at = now(*known.log);
    if (known.present && checkpointed(name) && known.*checkpointed_at) offsets[name] = *(known.*checkpointed_at);
  }
  return offsets;
}

Status LogDirectory::write(const char* file, const OffsetCheckpoint& offsets) {
  if (const auto error = offline_error()) return *error;
  Status written = write_offsets(context_.files(), path_of(file), offsets);
  if (!written && !disk_full(written.error())) set_offline(written.error());
  return written;
}

Status LogDirectory::write_recovery_points() {
  const std::lock_guard lock{checkpoint_mutex_};
  return write(checkpoint_file::recovery_point, collect(&Known::recovery_point, [](const Log& log) { return log.recovery_point(); }));
}

Status LogDirectory::write_high_watermarks() {
  const std::lock_guard lock{checkpoint_mutex_};
  return write(checkpoint_file::high_watermark, collect(&Known::high_watermark, [](const Log& log) { return log.high_watermark(); }));
}

Status LogDirectory::write_log_starts() {
  const std::lock_guard lock{checkpoint_mutex_};
  return write_starts();
}

Status LogDirectory::write_starts() {
  // Where a start is the first segment's, as for most logs, that segment tells it.
  const auto start = [](const Log& log) { return log.start_offset() > log.first_segment_offset() ? log.start_offset() : -1; };
  OffsetCheckpoint starts = collect(&Known::log_start, start);
  std::erase_if(starts, [](const auto& entry) { return entry.second < 0; });
  return write(checkpoint_file::log_start, starts);
}

std::optional<int64_t> LogDirectory::cleaned_offset(const TopicPartition& name) const {
  const std::lock_guard lock{mutex_};
  const auto known = known_.find(name);
  return known == known_.end() ? std::nullopt : known->second.cleaned;
}

Status LogDirectory::set_cleaned_offset(const TopicPartition& name, int64_t offset) {
  const std::lock_guard writing{checkpoint_mutex_};
  {
    const std::lock_guard lock{mutex_};
    const auto known = known_.find(name);
    if (known == known_.end()) return {};              // deleted meanwhile
    known->second.cleaned = offset;
  }
  return write_cleaned();
}

Status LogDirectory::write_cleaned() {
  OffsetCheckpoint offsets;
  {
    const std::lock_guard lock{mutex_};
    for (const auto& [name, known] : known_)
      if (known.present && known.cleaned) offsets[name] = *known.cleaned;
  }
  return write(checkpoint_file::cleaner, offsets);
}

// What is written above `offset` from now on was never cleaned.
Status LogDirectory::lower_cleaned_offset(const TopicPartition& name, int64_t offset) {
  {
    const std::lock_guard lock{mutex_};
    const auto known = known_.find(name);
    if (known == known_.end() || known->second.cleaned.value_or(0) <= offset) return {};
    known->second.cleaned = offset;
  }
  return write_cleaned();
}

// A crash while the log is cut, or after something else was written there, must not find it trusted up to the old point.  The point
// on disk is never above the log's own, and nobody else writes it meanwhile: the caller holds checkpoint_mutex_ until the log is cut.
Status LogDirectory::lower_recovery_point(const Log& log, int64_t offset) {
  if (log.recovery_point() <= offset || !checkpointed(log.name())) return {};
  OffsetCheckpoint points = collect(&Known::recovery_point, [](const Log& each) { return each.recovery_point(); });
  points[log.name()] = offset;
  return write(checkpoint_file::recovery_point, points);
}

Status LogDirectory::truncate(Log& log, int64_t offset, int64_t now_ms) {
  const std::lock_guard lock{checkpoint_mutex_};
  KQ_TRY_ASSIGN(const int64_t end, log.end_after_truncation(offset));
  KQ_TRY(lower_recovery_point(log, end));
  KQ_TRY(lower_cleaned_offset(log.name(), end));
  const int64_t start = log.start_offset();
  KQ_TRY(log.truncate_to(offset, now_ms));
  return log.start_offset() < start ? write_starts() : Status{};
}

Status LogDirectory::truncate_fully_and_start_at(Log& log, int64_t offset, int64_t now_ms) {
  const std::lock_guard lock{checkpoint_mutex_};
  KQ_TRY(lower_recovery_point(log, 0));
  KQ_TRY(lower_cleaned_offset(log.name(), 0));
  KQ_TRY(log.truncate_fully_and_start_at(offset, now_ms));
  return write_starts();
}

Status LogDirectory::close(int64_t broker_epoch) {
  Status outcome;
  for (const auto& log : logs()) {
    if (Status closed = log->close(); !closed && outcome) outcome = std::move(closed);
    remove_later(log->take_removals());
  }
  for (const auto& job : due_removals(std::numeric_limits<int64_t>::max())) job();
  KQ_TRY(write_recovery_points());
  KQ_TRY(write_high_watermarks());
  KQ_TRY(write_log_starts());
  if (!outcome) return outcome;
  if (offline()) return *offline_error();
  // A log that was not opened since a crash still has to be recovered.
  const bool all_whole = clean_shutdown_.has_value() || std::all_of(known_.begin(), known_.end(), [](const auto& entry) {
                           return entry.second.log || entry.second.empty || !checkpointed(entry.first);
                         });
  if (!all_whole) return {};
  return write_clean_shutdown(context_.files(), path(), {broker_epoch});
}

void LogDirectory::set_offline(const Error& error) {
  {
    const std::lock_guard lock{mutex_};
    if (offline_error_) return;
    offline_error_ = error;
  }
  context_.logger.error("log", path() + " goes offline: " + error.message());
}

bool LogDirectory::offline() const { return offline_error().has_value(); }

std::optional<Error> LogDirectory::offline_error() const {
  const std::lock_guard lock{mutex_};
  return offline_error_;
}

}  // namespace kq::log
