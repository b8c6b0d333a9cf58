#include "broker/share/share_partition.hpp"

#include <algorithm>

#include "libkq/base/check.hpp"

namespace kq::share {
namespace {

constexpr Refusal invalid_type{Code::invalid_request, "Invalid acknowledge type."};
constexpr Refusal not_cached{Code::invalid_record_state,
                             "Batch record not found. The request batch offsets are not found in the cache."};
constexpr Refusal past_first{Code::invalid_request,
                             "Batch record not found. The first offset in request is past acquired records."};
constexpr Refusal past_last{Code::invalid_request,
                            "Batch record not found. The last offset in request is past acquired records."};
constexpr Refusal not_acquired{Code::invalid_record_state,
                               "The batch cannot be acknowledged. The batch is not in the acquired state."};
constexpr Refusal in_transition{Code::invalid_record_state,
                                "The record state is invalid. The acknowledgement of delivery could not be completed."};
constexpr Refusal out_of_order{Code::invalid_request, "The acknowledgement batches overlap, or are not in order."};
constexpr Refusal not_owner{Code::invalid_record_state, "Member is not the owner of batch record"};

constexpr RecordState state_after(AckType type) {
  switch (type) {
    case AckType::accept: return RecordState::acknowledged;
    case AckType::release: return RecordState::available;
    case AckType::renew: return RecordState::acquired;
    default: return RecordState::archived;
  }
}

}  // namespace

SharePartition::SharePartition(const Limits& limits, const StateShard::State& state, int64_t start, int32_t leader_epoch)
    : limits_(limits), state_epoch_(state.state_epoch), leader_epoch_(leader_epoch), start_(start), end_(start - 1) {
  // Offsets that nothing was written of had been acquired at most.
  for (const StateBatch& batch : combine({}, state.batches, start)) {
    if (batch.first > end_ + 1) put(end_ + 1, batch.first - 1, RecordState::available, 0);
    const RecordState held = is_final(batch.state) ? batch.state : RecordState::available;
    put(batch.first, batch.last, held, batch.delivery_count);
  }
  join_and_advance();
}

// ---- Ranges ----------------------------------------------------------------------------------------------------------------------

void SharePartition::put(int64_t first, int64_t last, RecordState state, int16_t delivery_count) {
  Slot slot;
  slot.last = last;
  slot.state = state;
  slot.delivery_count = delivery_count;
  ranges_.emplace_hint(ranges_.end(), first, std::move(slot));
  end_ = last;
}

SharePartition::Ranges::iterator SharePartition::holding(int64_t offset) {
  auto after = ranges_.upper_bound(offset);
  if (after == ranges_.begin()) return ranges_.end();
  --after;
  return after->second.last >= offset ? after : ranges_.end();
}

const SharePartition::Range* SharePartition::at(int64_t offset) const {
  const auto found = const_cast<SharePartition*>(this)->holding(offset);
  return found == ranges_.end() ? nullptr : &found->second;
}

// Makes `offset` the first of a range.
void SharePartition::cut(int64_t offset) {
  const auto found = holding(offset);
  if (found == ranges_.end() || found->first == offset) return;
  Slot rest = found->second;
  found->second.last = offset - 1;
  ranges_.emplace_hint(std::next(found), offset, std::move(rest));
}

// Neighbours that differ in nothing become one, and what is done at the front goes.
void SharePartition::join_and_advance() {
  while (!ranges_.empty() && is_final(ranges_.begin()->second.state) && ranges_.begin()->second.change == 0) {
    start_ = ranges_.begin()->second.last + 1;
    ranges_.erase(ranges_.begin());
  }
  for (auto at = ranges_.begin(); at != ranges_.end();) {
    const auto next = std::next(at);
    if (next == ranges_.end()) break;
    Slot &a = at->second, &b = next->second;
    // Acquired ones stay apart: members answer by what they were given.
    const bool same = a.state == b.state && a.state != RecordState::acquired && a.change == 0 && b.change == 0 &&
                      (is_final(a.state) || a.delivery_count == b.delivery_count);
    if (!same) {
      at = next;
      continue;
    }
    a.last = b.last;
    ranges_.erase(next);
  }
}

int32_t SharePartition::delivery_complete_count() const {
  int64_t count = 0;
  for (const auto& [first, slot] : ranges_)
    if (is_final(slot.state)) count += slot.last - first + 1;
  return static_cast<int32_t>(std::min<int64_t>(count, INT32_MAX));
}

void SharePartition::check() const {
  int64_t next = start_;
  for (const auto& [first, slot] : ranges_) {
    KQ_CHECK(first == next && slot.last >= first);
    KQ_CHECK((slot.state == RecordState::acquired) == (slot.change == 0 && !slot.member.empty()));
    KQ_CHECK((slot.change != 0) == slot.state_before.has_value());
    if (slot.state == RecordState::acquired) KQ_CHECK(first_lock_end_ && *first_lock_end_ <= slot.lock_until);
    next = slot.last + 1;
  }
  KQ_CHECK(next == end_ + 1);
}

// ---- Acquiring -------------------------------------------------------------------------------------------------------------------

int64_t SharePartition::next_fetch_offset() const {
  for (const auto& [first, slot] : ranges_)
    if (is_free(slot)) return first;
  return end_ + 1;
}

bool SharePartition::can_acquire() const { return next_fetch_offset() <= end_ || end_ - start_ + 1 < limits_.in_flight_max; }

// Offsets that the log has not any more, compacted away: nobody will ever acknowledge them.
void SharePartition::skip_hole(const Fetched& fetched) {
  const int64_t first_there = fetched.batches.front().first;
  if (first_there <= fetched.offset) return;
  archive({fetched.offset, std::min(first_there - 1, end_)});
  if (first_there > end_ + 1) {
    if (ranges_.empty())
      start_ = first_there, end_ = first_there - 1;
    else
      put(end_ + 1, first_there - 1, RecordState::archived, 0);
  }
  join_and_advance();
}

// Whatever is free of them, or not there yet.
void SharePartition::archive(const OffsetRange& range) {
  const int64_t first = std::max(range.first, start_);
  if (first > range.last) return;
  if (first <= end_) {
    cut(first);
    cut(range.last + 1);
    for (auto at = ranges_.lower_bound(first); at != ranges_.end() && at->first <= range.last; ++at)
      if (is_free(at->second)) at->second.state = RecordState::archived;
  }
  if (range.last > end_) put(end_ + 1, range.last, RecordState::archived, 0);  // with a hole in front of it, if there is one
}

// The next that is free at `offset` or behind it, up to `last`; an empty one: none.
OffsetRange SharePartition::free_piece(int64_t offset, int64_t last, std::span<const OffsetRange> skipped) {
  while (offset <= last) {
    const auto skip = std::ranges::find_if(skipped, [&](const OffsetRange& s) { return s.first <= offset && offset <= s.last; });
    if (skip != skipped.end()) {
      if (offset > end_) archive({offset, std::min(skip->last, last)});
      offset = skip->last + 1;
      continue;
    }
    const auto there = holding(offset);
    if (there != ranges_.end() && !is_free(there->second)) {
      offset = there->second.last + 1;
      continue;
    }
    int64_t end = there == ranges_.end() ? last : std::min(there->second.last, last);
    for (const OffsetRange& s : skipped)
      if (s.first > offset) end = std::min(end, s.first - 1);
    return {offset, end};
  }
  return {0, -1};
}

// How many of the range at `offset` may come at once.  Records that were delivered often come in ever smaller pieces, at last one by one:
// one that its consumers fail at does not take the others of its batch along.
int64_t SharePartition::room_at(int64_t offset) {
  const auto found = holding(offset);
  if (found == ranges_.end()) return INT64_MAX;
  const int32_t count = found->second.delivery_count, often = std::max(2, (limits_.delivery_count_max + 1) / 2);
  if (limits_.delivery_count_max > 2 && count == limits_.delivery_count_max - 1) return 1;
  if (count < often) return INT64_MAX;
  return std::max<int64_t>(1, (found->second.last - found->first + 1) >> std::min(count - often + 1, 62));
}

void SharePartition::hold(const OffsetRange& range, const Acquire& asked, std::vector<Acquired>& acquired) {
  if (range.first > end_ + 1) archive({end_ + 1, range.first - 1});
  if (range.first > end_) put(range.first, range.last, RecordState::available, 0);
  cut(range.first);
  cut(range.last + 1);
  Slot& slot = ranges_.find(range.first)->second;
  slot.state = RecordState::acquired;
  ++slot.delivery_count;
  slot.member = asked.member;
  slot.lock_until = asked.lock_until;
  note_lock(asked.lock_until);
  tell({range.first, range.last, slot.delivery_count}, asked.batch_size, acquired);
}

// What is free of a batch; `left` goes down to zero when nothing more is to be taken.
void SharePartition::take_from(const OffsetRange& batch, const Acquire& asked, std::span<const OffsetRange> skipped,
                               int64_t& left, std::vector<Acquired>& acquired) {
  for (int64_t offset = batch.first; offset <= batch.last;) {
    OffsetRange piece = free_piece(offset, batch.last, skipped);
    if (piece.first > piece.last) return;
    const int64_t room = room_at(piece.first);
    const bool throttled = room != INT64_MAX;
    if (throttled && !acquired.empty()) left = 0;  // it comes alone, the next time
    if (asked.mode == AcquireMode::record_limit || left == 0) piece.last = std::min(piece.last, piece.first + left - 1);
    if (throttled) piece.last = std::min(piece.last, piece.first + room - 1);
    if (piece.first > piece.last) return;
    hold(piece, asked, acquired);
    left = throttled ? 0 : std::max<int64_t>(0, left - (piece.last - piece.first + 1));
    if (left == 0 && (throttled || asked.mode == AcquireMode::record_limit)) return;
    offset = piece.last + 1;
  }
}

std::vector<Acquired> SharePartition::acquire(const Acquire& asked, const Fetched& fetched) {
  std::vector<Acquired> acquired;
  if (fetched.batches.empty() || asked.records_max <= 0 || fetched.batches.back().last < start_) return acquired;
  skip_hole(fetched);
  int64_t left = std::min<int64_t>(asked.records_max, limits_.in_flight_max - (end_ - start_ + 1));
  int64_t last_allowed = fetched.batches.back().last;
  if (left <= 0) {  // then only among those that are in flight
    if (fetched.offset > end_) return acquired;
    left = asked.records_max;
    last_allowed = std::min(last_allowed, end_);
  }
  for (const OffsetRange& skipped : fetched.skipped)
    if (skipped.first <= end_ + 1) archive({skipped.first, std::min(skipped.last, last_allowed)});
  for (const OffsetRange& batch : fetched.batches) {
    if (left <= 0) break;
    const OffsetRange part{std::max({batch.first, fetched.offset, start_}), std::min(batch.last, last_allowed)};
    take_from(part, asked, fetched.skipped, left, acquired);
  }
  join_and_advance();
  return acquired;
}

void SharePartition::tell(Acquired more, int32_t batch_size, std::vector<Acquired>& to) const {
  if (!to.empty()) {
    Acquired& last = to.back();
    if (last.last + 1 == more.first && last.delivery_count == more.delivery_count && last.last - last.first + 1 < batch_size) {
      last.last = more.last;
      return;
    }
  }
  to.push_back(more);
}

// ---- Acknowledging ---------------------------------------------------------------------------------------------------------------

// Offsets below the start are done with, and not looked at.
Refusal SharePartition::check_ack(std::string_view member, const AckBatch& batch) {
  for (const int8_t type : batch.types)
    if (type < 0 || type > static_cast<int8_t>(AckType::renew)) return invalid_type;
  if (batch.types.empty() || batch.first > batch.last) return invalid_type;
  if (batch.types.size() > 1 && batch.types.size() != static_cast<uint64_t>(batch.last - batch.first) + 1) return invalid_type;
  if (batch.last < start_) return {};
  if (ranges_.empty()) return not_cached;
  if (batch.first > end_) return past_first;
  if (batch.last > end_) return past_last;
  for (auto at = holding(std::max(batch.first, start_)); at != ranges_.end() && at->first <= batch.last; ++at) {
    const Slot& slot = at->second;
    if (slot.change != 0) return in_transition;
    if (slot.state != RecordState::acquired) return not_acquired;
    if (slot.member != member) return not_owner;
  }
  return {};
}

// Into what it will be once `change` is written.
void SharePartition::finish(Slot& slot, RecordState state, uint64_t change) {
  const bool too_often = state == RecordState::available && slot.delivery_count >= limits_.delivery_count_max;
  slot.state_before = slot.state;
  slot.state = too_often ? RecordState::archived : state;
  slot.change = change;
}

SharePartition::Change SharePartition::change_of(uint64_t id) const {
  Change change{.id = id, .write = {}};
  change.write.state_epoch = state_epoch_;
  change.write.leader_epoch = leader_epoch_;
  change.write.start_offset = start_;
  change.write.delivery_complete_count = delivery_complete_count();
  for (const auto& [first, slot] : ranges_)
    if (slot.change == id) change.write.batches.push_back({first, slot.last, slot.state, slot.delivery_count});
  return change;
}

SharePartition::Decision SharePartition::acknowledge(std::string_view member, std::span<const AckBatch> batches,
                                                     Instant renewed_until) {
  int64_t next = INT64_MIN;
  for (const AckBatch& batch : batches) {  // all or nothing
    const Refusal refusal = check_ack(member, batch);
    if (refusal.code != Code::none) return {refusal, std::nullopt};
    if (batch.first < next) return {out_of_order, std::nullopt};
    next = batch.last + 1;
  }
  const uint64_t id = ++last_change_;
  bool changed = false;
  for (const AckBatch& batch : batches) {
    for (int64_t first = std::max(batch.first, start_); first <= batch.last;) {
      const bool each = batch.types.size() > 1;
      const int8_t type = each ? batch.types[static_cast<size_t>(first - batch.first)] : batch.types[0];
      int64_t last = each ? first : batch.last;
      while (each && last < batch.last && batch.types[static_cast<size_t>(last + 1 - batch.first)] == type) ++last;
      cut(first);
      cut(last + 1);
      for (auto at = ranges_.find(first); at != ranges_.end() && at->first <= last; ++at) {
        if (AckType{type} == AckType::renew)
          at->second.lock_until = renewed_until;
        else
          finish(at->second, state_after(AckType{type}), id), changed = true;
      }
      first = last + 1;
    }
  }
  find_first_lock();
  if (!changed) return {};
  return {{}, change_of(id)};
}

SharePartition::Decision SharePartition::release(std::string_view member) {
  const uint64_t id = ++last_change_;
  bool changed = false;
  for (auto& [first, slot] : ranges_)
    if (slot.state == RecordState::acquired && slot.member == member) finish(slot, RecordState::available, id), changed = true;
  if (!changed) return {};
  return {{}, change_of(id)};
}

void SharePartition::written(uint64_t change, bool done) {
  for (auto& [first, slot] : ranges_) {
    if (slot.change != change) continue;
    slot.change = 0;
    if (done) {
      slot.member.clear();
    } else {
      slot.state = *slot.state_before;
      note_lock(slot.lock_until);
    }
    slot.state_before.reset();
  }
  join_and_advance();
}

void SharePartition::log_starts_at(int64_t offset) {
  if (offset <= start_) return;
  cut(offset);
  ranges_.erase(ranges_.begin(), ranges_.lower_bound(offset));
  start_ = offset;
  if (end_ < offset) end_ = offset - 1;
  join_and_advance();
}

// ---- Locks -----------------------------------------------------------------------------------------------------------------------

void SharePartition::find_first_lock() {
  first_lock_end_.reset();
  for (const auto& [first, slot] : ranges_)
    if (!slot.member.empty()) note_lock(slot.lock_until);
}

std::optional<SharePartition::Change> SharePartition::tick(Instant now) {
  const uint64_t id = ++last_change_;
  bool changed = false;
  for (auto& [first, slot] : ranges_) {
    if (slot.state != RecordState::acquired || slot.lock_until > now) continue;
    finish(slot, RecordState::available, id);
    changed = true;
  }
  std::optional<Change> change;
  if (changed) {
    change = change_of(id);
    change->id = 0;
    written(id, true);
  }
  first_lock_end_.reset();  // what is being written has no lock that ends; written() brings it back
  for (const auto& [first, slot] : ranges_)
    if (slot.state == RecordState::acquired) note_lock(slot.lock_until);
  return change;
}

}  // namespace kq::share
