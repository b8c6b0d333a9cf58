#include "broker/log/epoch_cache.hpp"

#include <algorithm>

#include "libkq/base/check.hpp"

namespace kq::log {

bool EpochCache::assign(int32_t epoch, int64_t start_offset) {
  KQ_CHECK(epoch >= 0 && start_offset >= 0);
  if (!entries_.empty() && entries_.back().epoch == epoch && entries_.back().start_offset <= start_offset) return false;
  while (!entries_.empty() && (entries_.back().epoch >= epoch || entries_.back().start_offset >= start_offset)) {
    entries_.pop_back();
  }
  entries_.push_back({epoch, start_offset});
  return true;
}

EpochEnd EpochCache::end_offset_for(int32_t epoch, int64_t log_end_offset) const {
  if (epoch < 0 || entries_.empty() || epoch > entries_.back().epoch) return {};
  if (epoch == entries_.back().epoch) return {epoch, log_end_offset};
  const auto higher = std::upper_bound(entries_.begin(), entries_.end(), epoch,
                                       [](int32_t asked, const EpochEntry& entry) { return asked < entry.epoch; });
  // Below all that is known: the records are gone, and the follower can go on from the first that is left.
  if (higher == entries_.begin()) return {epoch, higher->start_offset};
  return {std::prev(higher)->epoch, higher->start_offset};
}

std::optional<int32_t> EpochCache::epoch_at(int64_t offset) const {
  const auto after = std::upper_bound(entries_.begin(), entries_.end(), offset,
                                      [](int64_t asked, const EpochEntry& entry) { return asked < entry.start_offset; });
  if (after == entries_.begin()) return std::nullopt;
  return std::prev(after)->epoch;
}

std::optional<int32_t> EpochCache::latest() const {
  if (entries_.empty()) return std::nullopt;
  return entries_.back().epoch;
}

bool EpochCache::truncate_from_end(int64_t end_offset) {
  const size_t before = entries_.size();
  while (!entries_.empty() && entries_.back().start_offset >= end_offset) entries_.pop_back();
  return entries_.size() != before;
}

bool EpochCache::truncate_from_start(int64_t start_offset) {
  size_t at_or_below = 0;
  while (at_or_below < entries_.size() && entries_[at_or_below].start_offset <= start_offset) ++at_or_below;
  if (at_or_below == 0) return false;
  EpochEntry& holds_start = entries_[at_or_below - 1];
  if (at_or_below == 1 && holds_start.start_offset == start_offset) return false;
  holds_start.start_offset = start_offset;
  entries_.erase(entries_.begin(), entries_.begin() + static_cast<ptrdiff_t>(at_or_below - 1));
  return true;
}

}  // namespace kq::log
