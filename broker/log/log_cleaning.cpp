// What a log does for the cleaner: tells about itself, and puts a cleaned segment in the place of those it was made from.
#include <algorithm>

#include "broker/log/log.hpp"

namespace kq::log {

Result<LogFacts> Log::facts(int64_t times_from) {
  LogFacts facts{.config = options_.config, .start_offset = start_offset(), .end_offset = end_offset(),
                 .last_stable_offset = last_stable_offset(), .segments = {}};
  const bool lags = options_.config.min_compaction_lag_ms > 0, must_hurry = options_.config.max_compaction_lag_ms < INT64_MAX;
  const size_t dirty = floor_segment(times_from);
  for (size_t i = 0; i < segments_.size(); ++i) {
    Segment& segment = *segments_[i];
    SegmentFacts& told = facts.segments.emplace_back();
    told.base_offset = segment.base_offset();
    told.size = segment.size();
    const bool closed_and_dirty = i >= dirty && i + 1 < segments_.size();
    if (lags && closed_and_dirty) {
      KQ_TRY_ASSIGN(told.last_touched_ms, segment.last_touched_ms());
    }
    if (must_hurry && closed_and_dirty) {
      KQ_TRY_ASSIGN(told.first_timestamp, segment.first_timestamp());
    }
  }
  return facts;
}

Result<std::optional<Slice>> Log::closed_segment(int64_t base_offset, int64_t from_offset) {
  const size_t i = floor_segment(base_offset);
  if (segments_[i]->base_offset() != base_offset || i + 1 == segments_.size()) return std::optional<Slice>{};
  int64_t position = 0;
  if (from_offset > base_offset) {
    KQ_TRY_ASSIGN(const auto first, segments_[i]->find(from_offset));
    position = first ? first->position : segments_[i]->size();
  }
  KQ_TRY_ASSIGN(auto slice, slice_from(i, position, -1));
  return std::optional(std::move(slice));
}

Result<std::vector<TxnEntry>> Log::aborted_between(int64_t from, int64_t upper) {
  std::vector<TxnEntry> aborted;
  for (size_t i = floor_segment(from); i < segments_.size(); ++i) {
    KQ_TRY_ASSIGN(const auto entries, segments_[i]->txns().all());
    for (const TxnEntry& entry : entries) {
      if (entry.last_offset >= from && entry.first_offset < upper) aborted.push_back(entry);
      if (entry.last_stable_offset >= upper) return aborted;
    }
  }
  return aborted;
}

// Kafka's protocol: .cleaned becomes .swap, from where on it is what the log holds; the old ones are set aside; .swap becomes the segment.
// A kill at any point leaves either all of the old, or a .swap that the next opening puts in their place.
Result<bool> Log::replace_segments(const Replacement& with, int64_t now_ms) {
  KQ_TRY(refuse_if_failed());
  const size_t first = floor_segment(with.sources.front());
  bool same = with.truncations == truncations() && first + with.sources.size() < segments_.size();
  for (size_t i = 0; same && i < with.sources.size(); ++i) same = segments_[first + i]->base_offset() == with.sources[i];
  if (!same) return false;
  changed_ = true;
  tail_.clear();
  upper_ = {};
  const int64_t base_offset = with.sources.front();
  std::vector<std::string> names;
  for (const char* suffix : {suffix::log, suffix::offset_index, suffix::time_index, suffix::txn_index}) {
    const std::string path = home_.path(base_offset, suffix);
    if (context_.files().exists(path + suffix::cleaned)) names.push_back(path);
  }
  for (const std::string& path : names) KQ_TRY(fail(context_.files().rename(path + suffix::cleaned, path + suffix::swap)));
  for (size_t i = 0; i < with.sources.size(); ++i) {
    KQ_TRY(fail(take_out(*segments_[first + i], now_ms)));
    if (i > 0) KQ_TRY(fail(remove_snapshots(with.sources[i], with.sources[i] + 1)));
  }
  for (const std::string& path : names) KQ_TRY(fail(context_.files().rename(path + suffix::swap, path)));
  const auto at = segments_.begin() + static_cast<ptrdiff_t>(first);
  segments_.erase(at + 1, at + static_cast<ptrdiff_t>(with.sources.size()));
  segments_[first] = std::make_unique<Segment>(home_, base_offset, with.size, now_ms);
  update_size();
  return true;
}

}  // namespace kq::log
