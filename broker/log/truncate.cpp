// Cutting a log at either end.
#include <algorithm>
#include <limits>

#include "broker/log/log.hpp"
#include "broker/log/retention.hpp"

namespace kq::log {

// A sync that runs meanwhile must not save epochs or producers of what is about to go.
void Log::count_truncation() {
  const std::lock_guard lock{guard_->mutex};
  ++guard_->count;
}

// What is cut must be gone from the disk before something else is written in its place: a power cut would bring it back behind the
// new, whole and in order.  A kill in between leaves the marker, and the next opening finishes what it stands for.
Status Log::begin_cut() {
  if (cutting_) return {};
  KQ_TRY(write_synced_file(context_.files(), options_.directory + "/" + cut_marker, {}));
  KQ_TRY(context_.files().sync_directory(options_.directory));
  cutting_ = true;
  return {};
}

Status Log::end_cut() {
  if (!cutting_) return {};
  KQ_TRY_ASSIGN(const auto file, active().file());
  KQ_TRY(file->sync());
  KQ_TRY(context_.files().sync_directory(options_.directory));
  KQ_TRY(context_.files().remove(options_.directory + "/" + cut_marker));
  cutting_ = false;
  return {};
}

// The segment's files get the name under which they wait for their removal.
Status Log::take_out(Segment& segment, int64_t now_ms) {
  segment.close_files();
  const int64_t due_ms = now_ms + options_.config.file_delete_delay_ms;
  for (const char* suffix : {suffix::log, suffix::offset_index, suffix::time_index, suffix::txn_index}) {
    const std::string path = segment.path(suffix);
    if (!context_.files().exists(path)) continue;
    KQ_TRY(context_.files().rename(path, path + suffix::deleted));
    removals_.push_back({path + suffix::deleted, due_ms});
  }
  directory_unsynced_ = true;
  return {};
}

// The offset after the last batch that stays: the segments that follow then begin where the one before ends, which is how recovery
// tells a loss from a gap.
Result<int64_t> Log::end_after_truncation(int64_t offset) {
  KQ_TRY(refuse_if_failed());
  if (offset >= end_offset()) return end_offset();
  if (offset < segments_.front()->base_offset()) return offset;
  const size_t i = floor_segment(offset);
  KQ_TRY_ASSIGN(const auto place, segments_[i]->find(offset));
  return segments_[i]->next_offset_at(place ? place->position : segments_[i]->size());
}

Status Log::truncate_to(int64_t offset, int64_t now_ms) {
  KQ_TRY(refuse_if_failed());
  count_truncation();
  if (offset >= end_offset()) {
    // Nothing to cut, but what is known of epochs may contradict the leader.
    if (epochs_.truncate_from_end(offset)) epochs_unsaved_ = true;
    return {};
  }
  if (offset < segments_.front()->base_offset()) return truncate_fully_and_start_at(offset, now_ms);
  KQ_TRY_ASSIGN(const int64_t new_end, end_after_truncation(offset));
  KQ_TRY(fail(begin_cut()));
  KQ_TRY(fail_halfway(cut(offset, new_end, now_ms)));
  return fail_halfway(end_moved_to(new_end, now_ms));
}

Status Log::cut(int64_t offset, int64_t new_end, int64_t now_ms) {
  changed_ = true;
  tail_.clear();
  upper_ = {};
  while (active().base_offset() > offset) {
    KQ_TRY(take_out(active(), now_ms));
    segments_.pop_back();
  }
  KQ_TRY(remove_snapshots(new_end + 1, std::numeric_limits<int64_t>::max()));
  KQ_TRY_ASSIGN(const auto place, active().find(offset));
  if (place) KQ_TRY(active().truncate(place->position, new_end, now_ms));
  if (epochs_.truncate_from_end(new_end)) epochs_unsaved_ = true;
  return end_cut();
}

Status Log::end_moved_to(int64_t offset, int64_t now_ms) {
  const auto lower = [offset](std::atomic<int64_t>& point) {
    point.store(std::min(point.load(std::memory_order_relaxed), offset), std::memory_order_release);
  };
  end_offset_.store(offset, std::memory_order_release);
  for (auto* point : {&start_offset_, &high_watermark_, &synced_offset_, &recovery_point_}) lower(*point);
  update_size();
  KQ_TRY(load_producers(offset, std::numeric_limits<int64_t>::max()));
  producers_.expire(now_ms, options_.producer_expiration_ms);
  producers_.high_watermark_moved(high_watermark());
  return recall_producers();
}

Status Log::truncate_fully_and_start_at(int64_t offset, int64_t now_ms) {
  KQ_TRY(refuse_if_failed());
  count_truncation();
  KQ_TRY(fail(begin_cut()));
  return fail_halfway(replace_all(offset, now_ms));
}

Status Log::replace_all(int64_t offset, int64_t now_ms) {
  changed_ = true;
  tail_.clear();
  upper_ = {};
  while (!segments_.empty()) {
    KQ_TRY(take_out(active(), now_ms));
    segments_.pop_back();
  }
  // Gone from the disk as well: epochs and producers below `offset` would be believed after a crash.
  producers_.clear();
  epochs_.clear();
  epochs_unsaved_ = false;
  KQ_TRY(context_.files().remove(options_.directory + "/" + checkpoint_file::leader_epoch));
  KQ_TRY(remove_snapshots(0, std::numeric_limits<int64_t>::max()));
  KQ_TRY(start_segment(offset, now_ms));
  KQ_TRY(end_cut());
  for (auto* point : {&start_offset_, &end_offset_, &high_watermark_, &synced_offset_, &recovery_point_}) {
    point->store(offset, std::memory_order_release);
  }
  update_size();
  return {};
}

Status Log::raise_start(int64_t offset, int64_t now_ms) {
  KQ_TRY(refuse_if_failed());
  if (offset <= start_offset()) return {};
  KQ_CHECK(offset <= end_offset());
  changed_ = true;
  start_offset_.store(offset, std::memory_order_release);
  if (high_watermark() < offset) set_high_watermark(offset);
  producers_.high_watermark_moved(offset);
  if (epochs_.truncate_from_start(offset)) epochs_unsaved_ = true;
  return remove_segments_below_start(now_ms);
}

Status Log::remove_segments_below_start(int64_t now_ms) {
  while (segments_.size() > 1 && segments_[1]->base_offset() <= start_offset()) {
    Segment& oldest = *segments_.front();
    KQ_TRY(fail(remove_snapshots(oldest.base_offset(), oldest.base_offset() + 1)));
    KQ_TRY(fail(take_out(oldest, now_ms)));
    segments_.erase(segments_.begin());
  }
  update_size();
  return {};
}

Result<size_t> Log::delete_old_segments(int64_t now_ms, size_t segments_max) {
  KQ_TRY(refuse_if_failed());
  Retention retention{options_.config, {now_ms, start_offset(), high_watermark(), size()}};
  size_t count = 0;
  uint64_t bytes = 0;
  std::optional<Breach> breach;
  for (; count < std::min(segments_max, segments_.size()); ++count) {
    Segment& segment = *segments_[count];
    const bool last = count + 1 == segments_.size();
    Status asked;
    const auto largest_timestamp = [&]() -> int64_t {
      auto found = segment.last_touched_ms();
      if (!found) asked = std::move(found.error());
      return found ? *found : now_ms;
    };
    const auto next = retention.next({static_cast<uint64_t>(segment.size()), last ? end_offset() : segments_[count + 1]->base_offset(), last},
                                     largest_timestamp);
    KQ_TRY(std::move(asked));
    if (!next) break;
    breach = next;
    bytes += static_cast<uint64_t>(segment.size());
  }
  if (count == 0) return count;
  const int64_t from = segments_.front()->base_offset();
  if (count == segments_.size()) KQ_TRY(roll(now_ms));
  const int64_t to = segments_[count]->base_offset();
  KQ_TRY(to > start_offset() ? raise_start(to, now_ms) : remove_segments_below_start(now_ms));
  context_.logger.info("log", options_.name.directory_name() + ": segments from offset " + std::to_string(from) + " to " + std::to_string(to) + ", " +
                                  std::to_string(bytes) + " bytes, are deleted: " + name_of(*breach));
  return count;
}

// Not synced: its check sum tells whether it came to the disk as a whole, and an older one will do.
Status Log::write_snapshot(int64_t offset) {
  if (std::binary_search(snapshots_.begin(), snapshots_.end(), offset)) return {};
  const std::string path = home_.path(offset, suffix::snapshot);
  KQ_TRY_ASSIGN(const auto file, context_.files().open(path, OpenMode::create));
  KQ_TRY(file->truncate(0));
  const std::vector<std::byte> content = producers_.encode_snapshot();
  KQ_TRY(file->write_at(0, Bytes{content}));
  snapshots_.insert(std::upper_bound(snapshots_.begin(), snapshots_.end(), offset), offset);
  unsynced_snapshots_.push_back(offset);
  directory_unsynced_ = true;
  return {};
}

Status Log::remove_snapshots(int64_t from, int64_t to) {
  for (auto it = std::lower_bound(snapshots_.begin(), snapshots_.end(), from); it != snapshots_.end() && *it < to;) {
    KQ_TRY(context_.files().remove(home_.path(*it, suffix::snapshot)));
    std::erase(unsynced_snapshots_, *it);
    it = snapshots_.erase(it);
    directory_unsynced_ = true;
  }
  if (flushing_snapshot_ < from || flushing_snapshot_ >= to) return {};
  KQ_TRY(context_.files().remove(home_.path(std::exchange(flushing_snapshot_, -1), suffix::snapshot)));
  return {};
}

}  // namespace kq::log
