#include "broker/share/share_fetch.hpp"

#include <algorithm>
#include <array>
#include <set>

#include "libkq/record/batch.hpp"

namespace kq::share {
namespace {

using broker::Isolation;
using broker::PartitionRead;

struct Batch {
  OffsetRange offsets;
  uint64_t position = 0;  // in the slice
  uint64_t size = 0;
  int64_t producer_id = no_producer_id;  // of a transaction
  bool control = false;
};

// The batches of a slice, by their headers; those that are whole.
Result<std::vector<Batch>> batches_of(const log::Slice& slice) {
  std::vector<Batch> batches;
  std::array<std::byte, batch_header_size> header{};
  for (uint64_t at = 0; at + header.size() <= slice.length;) {
    KQ_TRY_ASSIGN(const size_t got, slice.file->read_at(slice.position + at, header));
    if (got < header.size()) break;
    const BatchView view{Bytes{header}};
    const auto length = view.batch_length();
    if (length < 0 || view.legacy())
      return Error(own_code::data, "no batch of format 2 at offset " + std::to_string(slice.base_offset));
    const uint64_t size = static_cast<uint64_t>(length) + batch_overhead;
    if (at + size > slice.length) break;
    batches.push_back({.offsets = {view.base_offset(), view.last_offset()},
                       .position = at,
                       .size = size,
                       .producer_id = view.transactional() ? view.producer_id() : no_producer_id,
                       .control = view.control()});
    at += size;
  }
  return batches;
}

// Of transactions that were aborted.  A marker ends its producer's.
std::vector<OffsetRange> aborted_in(const std::vector<Batch>& batches, std::vector<log::AbortedTransaction> aborted) {
  std::vector<OffsetRange> ranges;
  if (aborted.empty()) return ranges;
  std::ranges::sort(aborted, {}, &log::AbortedTransaction::first_offset);
  std::set<int64_t> open;
  auto next = aborted.begin();
  for (const Batch& batch : batches) {
    for (; next != aborted.end() && next->first_offset <= batch.offsets.last; ++next) open.insert(next->producer_id);
    if (batch.producer_id == no_producer_id || !open.contains(batch.producer_id)) continue;
    if (batch.control)
      open.erase(batch.producer_id);
    else
      ranges.push_back(batch.offsets);
  }
  return ranges;
}

// Leaves off what nobody acquired, at both ends.
log::Slice cut_to(const log::Slice& slice, const std::vector<Batch>& batches, const std::vector<Acquired>& acquired) {
  const int64_t first = acquired.front().first, last = acquired.back().last;
  const auto from = std::ranges::find_if(batches, [&](const Batch& batch) { return batch.offsets.last >= first; });
  auto to = from;
  while (std::next(to) != batches.end() && std::next(to)->offsets.first <= last) ++to;
  log::Slice part = slice;
  part.position += from->position;
  part.length = to->position + to->size - from->position;
  part.base_offset = from->offsets.first;
  return part;
}

// One read; true: nothing of it was to be had, and there may be more behind it.
bool take_once(Held& held, const Take& asked, Instant now, Taken& taken) {
  SharePartition& machine = *held.machine;
  if (!machine.can_acquire()) return false;
  const int64_t offset = machine.next_fetch_offset();
  PartitionRead read = held.partition->read({.offset = offset,
                                             .bytes_max = asked.bytes_max,
                                             .whole_first_batch = true,
                                             .hot_only = asked.hot_only,
                                             .isolation = asked.settings.isolation});
  taken.generation = read.generation;
  taken.cold = std::move(read.cold);
  if (read.code == Code::offset_out_of_range) return false;  // beyond the end: it is not written yet
  taken.refusal.code = read.code;
  if (read.code != Code::none || read.slice.empty()) return false;
  const auto batches = batches_of(read.slice);
  if (!batches) {
    taken.refusal.code = Code::kafka_storage_error;
    return false;
  }
  std::vector<OffsetRange> offsets;
  for (const Batch& batch : *batches) offsets.push_back(batch.offsets);
  const auto skipped = aborted_in(*batches, std::move(read.aborted));
  taken.acquired = machine.acquire({.member = asked.member,
                                    .mode = asked.mode,
                                    .batch_size = asked.batch_size,
                                    .records_max = asked.records_max,
                                    .lock_until = now + asked.settings.record_lock},
                                   {.offset = offset, .batches = offsets, .skipped = skipped});
  if (taken.acquired.empty()) return machine.next_fetch_offset() > offset;
  taken.slice = cut_to(read.slice, *batches, taken.acquired);
  return false;
}

// Locks that have ended, and what the log has let go of.
void look_at_time(Held& held, Instant now, std::vector<SharePartition::Change>& changes) {
  if (auto timed_out = held.machine->tick(now)) changes.push_back(std::move(*timed_out));
  held.machine->log_starts_at(held.partition->offsets().start);
}

}  // namespace

Taken take(Held& held, const Take& asked, Instant now) {
  constexpr int rounds_max = 16;  // over aborted transactions, or compacted offsets
  Taken taken;
  std::lock_guard lock(held.mutex);
  look_at_time(held, now, taken.changes);
  for (int round = 0; round < rounds_max && take_once(held, asked, now, taken); ++round) {
  }
  taken.next = held.machine->deadline();
  taken.next_offset = held.machine->next_fetch_offset();
  return taken;
}

Waiting waiting(Held& held, broker::Isolation isolation, size_t bytes_max, Instant now, std::vector<SharePartition::Change>& changes) {
  std::lock_guard lock(held.mutex);
  look_at_time(held, now, changes);
  Waiting found{.next_offset = held.machine->next_fetch_offset(), .next = held.machine->deadline()};
  const auto read = [&](int64_t offset) {
    return held.partition->read({.offset = offset, .bytes_max = bytes_max, .isolation = isolation});
  };
  const PartitionRead first = read(found.next_offset);
  found.generation = first.generation;
  if (!held.machine->can_acquire() || first.code == Code::offset_out_of_range) return found;
  found.bytes = std::min<size_t>(first.slice.length, bytes_max);
  found.urgent = first.code != Code::none || first.cold;
  if (first.slice.empty()) return found;
  const int64_t end = isolation == Isolation::read_committed ? first.last_stable_offset : first.high_watermark;
  found.urgent |= read(end - 1).slice.segment_base_offset != first.slice.segment_base_offset;
  return found;
}

}  // namespace kq::share
