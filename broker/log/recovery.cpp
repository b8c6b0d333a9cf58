// Opening a log: settling what was left half done, and, after a crash, finding out how far it is whole.
#include <algorithm>
#include <limits>

#include "broker/log/log.hpp"

namespace kq::log {
namespace {

constexpr int64_t never = std::numeric_limits<int64_t>::max();
constexpr const char* segment_suffixes[] = {suffix::log, suffix::offset_index, suffix::time_index, suffix::txn_index};

bool is_segment_file(const OffsetName& name) {
  return std::find(std::begin(segment_suffixes), std::end(segment_suffixes), name.rest) != std::end(segment_suffixes);
}

}  // namespace

Result<std::unique_ptr<Log>> Log::open(const LogContext& context, Options options) {
  std::unique_ptr<Log> log{new Log(context, std::move(options))};
  if (Status loaded = log->load(); !loaded) return std::move(loaded.error()).in("opening " + log->options_.directory);
  return log;
}

Status Log::load() {
  KQ_TRY_ASSIGN(const auto names, settle_leftovers());
  directory_unsynced_ = parent_unsynced_ = !options_.clean;       // what a kill left may not have come to the disk
  KQ_TRY(load_epochs());
  KQ_TRY(load_segments(names));
  for (const std::string& name : names) {
    if (const auto offset = offset_of(name, suffix::snapshot)) snapshots_.push_back(*offset);
  }
  std::sort(snapshots_.begin(), snapshots_.end());
  cutting_ = std::binary_search(names.begin(), names.end(), cut_marker);
  if (segments_.empty()) {
    KQ_TRY(remove_snapshots(0, never));                   // of a log that is gone
    KQ_TRY(start_segment(options_.start_offset.value_or(0), options_.now_ms));
    options_.clean = true;
  }
  KQ_TRY(rebuild_missing_indexes(names));
  KQ_TRY_ASSIGN(const auto clean_end, end_after_clean_stop());
  const bool unclean = !clean_end;
  int64_t end = clean_end.value_or(0);
  if (unclean) {
    KQ_TRY_ASSIGN(end, recover());
  }
  KQ_TRY(end_cut());

  const int64_t first = segments_.front()->base_offset();
  const int64_t start = std::max(options_.start_offset.value_or(first), first);
  const int64_t synced = unclean ? std::min(options_.recovery_point, end) : end;
  start_offset_ = high_watermark_ = start;
  end_offset_ = end;
  recovery_point_ = synced_offset_ = std::max(synced, first);
  update_size();
  if (start > end) {
    context_.logger.warning("log", options_.name.directory_name() + " ends at " + std::to_string(end) + ", before its start " +
                                       std::to_string(start) + ": it goes on empty from there");
    return truncate_fully_and_start_at(start, options_.now_ms);
  }
  if (epochs_.truncate_from_end(end)) epochs_unsaved_ = true;
  if (epochs_.truncate_from_start(start)) epochs_unsaved_ = true;
  const int64_t snapshot_at_most = unclean ? synced : end;
  KQ_TRY(keep_useful_snapshots(snapshot_at_most));
  KQ_TRY(load_producers(snapshot_at_most, unclean ? synced : never));
  producers_.expire(options_.now_ms, options_.producer_expiration_ms);
  return recall_producers();
}

// What a cleaner, a deletion or a replacement of a file did not finish (LogLoader of Kafka 4.2).
Result<std::vector<std::string>> Log::settle_leftovers() {
  KQ_TRY_ASSIGN(const auto entries, context_.files().list(options_.directory));
  std::vector<std::string> names, leftovers;
  int64_t cleaned_from = never;
  for (const DirectoryEntry& entry : entries) {
    if (entry.is_directory) continue;
    const bool cleaned = entry.name.ends_with(suffix::cleaned);
    const bool leftover = cleaned || entry.name.ends_with(suffix::deleted) || entry.name.ends_with(".tmp");
    (leftover ? leftovers : names).push_back(entry.name);
    if (const auto parsed = parse_offset_name(entry.name); cleaned && parsed) cleaned_from = std::min(cleaned_from, parsed->offset);
  }
  // A swap at or above a file that was still being written belongs to a split that was not finished: the originals are all there.
  std::vector<std::string> kept;
  bool swapped = false;
  for (std::string& name : names) {
    const auto parsed = parse_offset_name(name);
    const bool swap = parsed && name.ends_with(suffix::swap);
    if (swap && parsed->offset >= cleaned_from) {
      KQ_TRY(context_.files().remove(options_.directory + "/" + name));
      continue;
    }
    swapped = swapped || swap;
    kept.push_back(std::move(name));
  }
  // Those that tell which swaps count go after these.
  for (const std::string& name : leftovers) KQ_TRY(context_.files().remove(options_.directory + "/" + name));
  directory_unsynced_ = directory_unsynced_ || !leftovers.empty();
  if (swapped) KQ_TRY(finish_swap(kept));
  return kept;
}

// A swap file is whole: it takes the place of every segment that begins in its range.
Status Log::finish_swap(std::vector<std::string>& names) {
  const std::string swapped_log = std::string(suffix::log) + suffix::swap;
  int64_t from = never, to = -1;
  for (const std::string& name : names) {
    const auto base = offset_of(name, swapped_log);
    if (!base) continue;
    KQ_TRY_ASSIGN(const auto file, context_.files().open(options_.directory + "/" + name, OpenMode::read));
    KQ_TRY_ASSIGN(const uint64_t size, file->size());
    BatchScanner scanner(*file, 0, static_cast<int64_t>(size), BatchScanner::scan_buffer);
    int64_t next_offset = *base + 1;                      // an empty one too takes the place of its namesake
    for (;;) {
      KQ_TRY_ASSIGN(const Step step, scanner.next());
      if (step != Step::batch) break;
      next_offset = scanner.batch().last_offset + 1;
    }
    from = std::min(from, *base);
    to = std::max(to, next_offset);
  }
  std::vector<std::string> kept;
  for (const std::string& name : names) {
    const auto parsed = parse_offset_name(name);
    const std::string path = options_.directory + "/" + name;
    if (parsed && name.ends_with(suffix::swap)) {
      kept.push_back(name.substr(0, name.size() - std::string_view(suffix::swap).size()));
      continue;
    }
    if (parsed && is_segment_file(*parsed) && parsed->offset >= from && parsed->offset < to) {
      KQ_TRY(context_.files().remove(path));
    } else {
      kept.push_back(name);
    }
  }
  for (const std::string& name : names) {
    if (!name.ends_with(suffix::swap)) continue;
    const std::string final_name = name.substr(0, name.size() - std::string_view(suffix::swap).size());
    KQ_TRY(context_.files().rename(options_.directory + "/" + name, options_.directory + "/" + final_name));
  }
  std::sort(kept.begin(), kept.end());
  kept.erase(std::unique(kept.begin(), kept.end()), kept.end());
  names = std::move(kept);
  return context_.files().sync_directory(options_.directory);
}

// Epochs that cannot be read are found in the batches: of the whole log.
Status Log::load_epochs() {
  auto entries = read_epochs(context_.files(), options_.directory + "/" + checkpoint_file::leader_epoch);
  if (!entries && entries.error().code() != own_code::data) return std::move(entries.error());
  if (!entries) {
    context_.logger.warning("log", entries.error().message() + ": it is made anew");
    options_.clean = false;
    options_.recovery_point = 0;
    return {};
  }
  for (const EpochEntry& entry : *entries) epochs_.assign(entry.epoch, entry.start_offset);
  return {};
}

Status Log::load_segments(const std::vector<std::string>& names) {
  for (const std::string& name : names) {
    const auto base = offset_of(name, suffix::log);
    if (!base) continue;
    KQ_TRY_ASSIGN(const uint64_t size, context_.files().size(options_.directory + "/" + name));
    segments_.push_back(std::make_unique<Segment>(home_, *base, static_cast<int64_t>(size), options_.now_ms));
  }
  for (const std::string& name : names) {                      // indexes whose log is gone
    const auto parsed = parse_offset_name(name);
    if (!parsed || !is_segment_file(*parsed) || parsed->rest == suffix::log) continue;
    const bool owned = !segments_.empty() && segments_[floor_segment(parsed->offset)]->base_offset() == parsed->offset;
    if (!owned) KQ_TRY(context_.files().remove(options_.directory + "/" + name));
  }
  return {};
}

Status Log::rebuild_missing_indexes(const std::vector<std::string>& names) {
  for (auto& segment : segments_) {
    const bool active = segment == segments_.back();
    const bool both = std::binary_search(names.begin(), names.end(), offset_name(segment->base_offset()) + suffix::offset_index) &&
                      std::binary_search(names.begin(), names.end(), offset_name(segment->base_offset()) + suffix::time_index);
    if (both || segment->size() == 0) continue;
    context_.logger.warning("log", segment->path(suffix::log) + " lacks an index: it is made anew");
    changed_ = true;
    const int64_t trusted_end = active ? options_.recovery_point : never;
    if (auto found = segment->recover(trusted_end, Segment::Indexes::lost, options_.config, [](const BatchPlace&) {}); !found) return std::move(found.error());
    if (!active) KQ_TRY(segment->finish());
  }
  return {};
}

// Nothing: it was not left cleanly after all, and has to be recovered.
Result<std::optional<int64_t>> Log::end_after_clean_stop() {
  if (!options_.clean) return std::optional<int64_t>{};
  return active().read_next_offset();
}

// A log that ends at its recovery point, as most do, is as it was synced, and a clean stop has nothing to write for it.
Result<int64_t> Log::recover() {
  indexes_loose_ = true;
  if (epochs_.truncate_from_end(options_.recovery_point)) epochs_unsaved_ = changed_ = true;
  const auto note = [&](const BatchPlace& batch) {
    if (batch.last_offset >= options_.recovery_point) appended_bytes_ += static_cast<uint64_t>(batch.size);
    if (batch.leader_epoch < 0 || batch.leader_epoch <= epochs_.latest().value_or(-1)) return;
    epochs_.assign(batch.leader_epoch, batch.base_offset);
    epochs_unsaved_ = changed_ = true;
  };
  int64_t end = segments_.front()->base_offset();
  bool scanned = false;
  const bool may_have_holes = options_.config.compact || options_.cleaned;       // where the last batches of a segment were compacted away
  // One that ends at the point was closed after it was synced: its indexes may not be.
  for (size_t i = floor_segment(options_.recovery_point - 1); i < segments_.size(); ++i) {
    Segment& segment = *segments_[i];
    // Segments begin where the one before ends (make_room); a disk that lost power may have kept the later one alone.
    const int64_t hole = segment.base_offset() - end;
    const bool lost = !may_have_holes && hole > 0 && scanned && hole <= Segment::offset_delta_max;
    if (hole < 0 || lost) {
      context_.logger.warning("log", options_.name.directory_name() + " ends at " + std::to_string(end) + ", before its next segment " +
                                         std::to_string(segment.base_offset()) + ": segments from there on go");
      KQ_TRY(drop_segments_from(i));
      break;
    }
    scanned = true;
    KQ_TRY_ASSIGN(const auto found, segment.recover(options_.recovery_point, Segment::Indexes::trusted_below, options_.config, note));
    end = found.next_offset;
    const bool last = i + 1 == segments_.size();
    if (found.good_end < segment.size()) {
      context_.logger.warning("log", segment.path(suffix::log) + " is cut at offset " + std::to_string(end) +
                                         ": what follows is no whole batch" + (last ? "" : "; later segments go"));
      KQ_TRY(begin_cut());
      KQ_TRY(segment.truncate(found.good_end, end, options_.now_ms));
      KQ_TRY(drop_segments_from(i + 1));
      break;
    }
    if (!last) KQ_TRY(segment.finish());
  }
  bytes_past_recovery_point_ = appended_bytes_;
  if (appended_bytes_ > 0 || cutting_ || end != options_.recovery_point) changed_ = true;
  return end;
}

// For good: one that came back after another crash would stand behind what is written from now on.
Status Log::drop_segments_from(size_t first) {
  if (first == segments_.size()) return {};
  KQ_TRY(begin_cut());
  while (segments_.size() > first) {
    KQ_TRY(take_out(active(), options_.now_ms));
    segments_.pop_back();
  }
  return {};
}

// Snapshots belong to segments; of others the newest is kept, in case it is the only one.  Those above the point up to which the
// log is trusted may tell of what is no longer there.
Status Log::keep_useful_snapshots(int64_t at_most) {
  KQ_TRY(remove_snapshots(at_most + 1, never));
  if (snapshots_.empty()) return {};
  return remove_snapshots_between_segments(snapshots_.back());
}

// From the newest snapshot at or below an offset that can be read, and the batches after it.
Status Log::load_producers(int64_t snapshot_at_most, int64_t index_from) {
  producers_.clear();
  for (;;) {
    const auto after = std::upper_bound(snapshots_.begin(), snapshots_.end(), snapshot_at_most);
    if (after == snapshots_.begin()) break;
    const int64_t offset = *std::prev(after);
    if (offset < start_offset()) break;
    KQ_TRY_ASSIGN(const std::string content, read_small_file(context_.files(), home_.path(offset, suffix::snapshot)));
    auto producers = ProducerState::decode_snapshot(as_bytes(content));
    if (producers) {
      producers_.load(*producers);
      return replay(offset, index_from);
    }
    context_.logger.warning("log", home_.path(offset, suffix::snapshot) + ": " + producers.error().message() + "; an older one will do");
    KQ_TRY(remove_snapshots(offset, offset + 1));
  }
  return replay(start_offset(), index_from);
}

// Takes in the batches from `from` on, by their headers.  Aborted transactions that end at or after `index_from` are indexed anew,
// and then segments get the snapshots that they lost.
Status Log::replay(int64_t from, int64_t index_from) {
  for (size_t i = floor_segment(from); i < segments_.size() && from < end_offset(); ++i) {
    Segment& segment = *segments_[i];
    if (index_from != never && segment.base_offset() > from) KQ_TRY(write_snapshot(segment.base_offset()));
    KQ_TRY_ASSIGN(const auto first, segment.find(std::max(from, segment.base_offset())));
    if (!first) continue;
    KQ_TRY_ASSIGN(const auto file, segment.file());
    BatchScanner scanner(*file, first->position, segment.size(), BatchScanner::scan_buffer);
    for (;;) {
      KQ_TRY_ASSIGN(const Step step, scanner.next());
      if (step != Step::batch) break;
      if (!scanner.header().has_producer_id()) continue;
      BatchView batch = scanner.header();
      if (batch.control()) {
        KQ_TRY_ASSIGN(const Bytes whole, scanner.whole());
        batch = BatchView{whole};
      }
      const auto completed = producers_.append(producer_batch(batch));
      if (completed) KQ_TRY(complete(segment, *completed, index_from));
    }
  }
  return {};
}

}  // namespace kq::log
