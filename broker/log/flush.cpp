// Syncing a log without holding its lock, and stopping it cleanly.
#include <algorithm>

#include "broker/log/log.hpp"

namespace kq::log {

// Nothing counts as synced before all of the work is put together: the disk may refuse in between, and the next call begins anew.
Result<FlushWork> Log::prepare_flush(FlushKind kind) {
  FlushWork work;
  work.file_system_ = &context_.files();
  work.guard_ = guard_;
  work.truncations_ = guard_->count;
  work.end_offset_ = end_offset();
  work.end_bytes_ = appended_bytes_;
  work.moves_recovery_point_ = kind == FlushKind::recovery_point;
  // A segment that ends at the point may have been closed since, and its indexes with it.
  const size_t first = floor_segment((work.moves_recovery_point_ ? recovery_point() : synced_offset()) - 1);
  for (size_t i = first; i < segments_.size(); ++i) {
    if (segments_[i]->unsynced()) {
      KQ_TRY_ASSIGN(auto file, segments_[i]->file());
      work.files_.push_back(std::move(file));
    }
    if (work.moves_recovery_point_) KQ_TRY(fail(collect_indexes(*segments_[i], work)));
  }
  if (work.moves_recovery_point_) KQ_TRY(fail(collect_small_files(work)));
  if (directory_unsynced_ || !work.small_files_.empty()) work.directories_.push_back(options_.directory);
  if (parent_unsynced_) {
    KQ_TRY(collect_topic_id(work));
    work.directories_.push_back(parent_of(options_.directory));
  }

  for (size_t i = first; i < segments_.size(); ++i) segments_[i]->set_synced(work.moves_recovery_point_);
  directory_unsynced_ = parent_unsynced_ = false;
  if (work.moves_recovery_point_) unsynced_snapshots_.clear();
  if (work.saves_epochs_) epochs_unsaved_ = false;
  if (work.saves_snapshot_) flushing_snapshot_ = work.end_offset_;
  return work;
}

Status Log::collect_topic_id(FlushWork& work) {
  const std::string path = options_.directory + "/" + checkpoint_file::partition_metadata;
  if (!context_.files().exists(path)) return {};
  KQ_TRY_ASSIGN(auto file, context_.files().open(path, OpenMode::write));
  work.files_.push_back(std::move(file));
  return {};
}

Status Log::collect_indexes(Segment& segment, FlushWork& work) {
  const auto collect = [&](auto& index) -> Status {
    KQ_TRY(index.write_out());
    if (!index.unsynced()) return {};
    KQ_TRY_ASSIGN(auto file, index.file());
    work.files_.push_back(std::move(file));
    return {};
  };
  KQ_TRY(collect(segment.times()));
  KQ_TRY(collect(segment.offsets()));
  return collect(segment.txns());
}

// With the producers as they are at this end, a replay after a crash begins where the scan does.
Status Log::collect_small_files(FlushWork& work) {
  for (const int64_t offset : unsynced_snapshots_) {
    KQ_TRY_ASSIGN(auto file, context_.files().open(home_.path(offset, suffix::snapshot), OpenMode::write));
    work.files_.push_back(std::move(file));
  }
  if (epochs_unsaved_) {
    work.small_files_.push_back({options_.directory + "/" + checkpoint_file::leader_epoch, format_epochs(epochs_.entries())});
    work.saves_epochs_ = true;
  }
  if (!std::binary_search(snapshots_.begin(), snapshots_.end(), end_offset())) {
    const std::vector<std::byte> content = producers_.encode_snapshot();
    work.small_files_.push_back({home_.path(end_offset(), suffix::snapshot), std::string(as_text(content))});
    work.saves_snapshot_ = true;
  }
  return {};
}

Status FlushWork::run() const {
  for (const auto& file : files_) KQ_TRY(file->sync());
  constexpr const char* temporary = ".tmp";
  for (const SmallFile& small : small_files_) KQ_TRY(write_synced_file(*file_system_, small.path + temporary, small.content));
  if (!small_files_.empty()) {
    const std::lock_guard lock{guard_->mutex};
    for (const SmallFile& small : small_files_) {
      if (guard_->count == truncations_) KQ_TRY(file_system_->rename(small.path + temporary, small.path));
    }
  }
  for (const std::string& directory : directories_) KQ_TRY(file_system_->sync_directory(directory));
  return {};
}

void Log::flushed(const FlushWork& work, Status& outcome) {
  KQ_CHECK(work.guard_ == guard_);
  if (!outcome && !disk_full(outcome.error())) {
    // The kernel may have dropped the pages that it could not write: trying again would lie.
    failed_.store(true, std::memory_order_release);
    context_.logger.error("log", options_.name.directory_name() + ": " + outcome.error().message());
    return;
  }
  const bool saved_snapshot = work.saves_snapshot_ && std::exchange(flushing_snapshot_, -1) >= 0;
  if (!outcome || work.truncations_ != guard_->count) {        // nothing was saved, or nothing of the log as it is now
    directory_unsynced_ = true;
    if (!work.directories_.empty()) parent_unsynced_ = true;
    if (work.saves_epochs_) epochs_unsaved_ = true;
    return;
  }
  const auto raise = [&](std::atomic<int64_t>& point) {
    point.store(std::max(point.load(std::memory_order_relaxed), work.end_offset_), std::memory_order_release);
  };
  raise(synced_offset_);
  if (!work.moves_recovery_point_) return;
  raise(recovery_point_);
  appended_at_recovery_point_ = std::max(appended_at_recovery_point_, work.end_bytes_);
  bytes_past_recovery_point_.store(appended_bytes_ - appended_at_recovery_point_, std::memory_order_release);
  const auto at = std::lower_bound(snapshots_.begin(), snapshots_.end(), work.end_offset_);
  if (saved_snapshot && (at == snapshots_.end() || *at != work.end_offset_)) snapshots_.insert(at, work.end_offset_);
  // One between segments is enough; an older one that cannot be removed now goes when the log is next opened.
  (void)remove_snapshots_between_segments(work.end_offset_).ok();
}

Status Log::remove_snapshots_between_segments(int64_t below) {
  const std::vector<int64_t> offsets = snapshots_;
  for (const int64_t offset : offsets) {
    if (offset < below && segments_[floor_segment(offset)]->base_offset() != offset) KQ_TRY(remove_snapshots(offset, offset + 1));
  }
  return {};
}

Status Log::close() {
  if (closed_) return {};
  if (changed_) {
    KQ_TRY(refuse_if_failed());
    KQ_TRY(fail(active().finish()));
    KQ_TRY(fail(write_snapshot(end_offset())));
    KQ_TRY_ASSIGN(const FlushWork work, prepare_flush(FlushKind::recovery_point));
    Status outcome = work.run();
    flushed(work, outcome);
    KQ_TRY(std::move(outcome));
  } else if (indexes_loose_) {
    KQ_TRY(active().trim());
  }
  closed_ = true;
  return {};
}

}  // namespace kq::log
