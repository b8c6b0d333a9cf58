// Reading a log: slices of its files, and look-ups.
#include <algorithm>

#include "broker/log/log.hpp"
#include "libkq/record/batch_reader.hpp"

namespace kq::log {

Result<std::optional<BatchPlace>> Log::find(size_t segment, int64_t offset, ColdSlice* cold) {
  if (segment + 1 == segments_.size()) {
    if (const BatchPlace* batch = tail_.find(offset)) return std::optional<BatchPlace>{*batch};
  }
  return segments_[segment]->find(offset, cold);
}

// Where what lies below `upper_offset` ends in that segment.
Result<int64_t> Log::end_position(size_t segment, int64_t upper_offset, ColdSlice* cold) {
  const int64_t size = segments_[segment]->size();
  const bool last = segment + 1 == segments_.size();
  if (last ? upper_offset >= end_offset() : segments_[segment + 1]->base_offset() <= upper_offset) return size;
  const int64_t base_offset = segments_[segment]->base_offset();
  if (upper_.offset == upper_offset && upper_.segment == base_offset) return upper_.position;
  KQ_TRY_ASSIGN(const auto batch, find(segment, upper_offset, cold));
  if (cold && *cold) return 0;
  const int64_t position = batch ? batch->position : size;
  upper_ = {upper_offset, base_offset, position};
  return position;
}

Result<ReadResult> Log::read(const ReadRequest& request) {
  ReadResult result;
  if (request.offset < start_offset() || request.offset > end_offset()) {
    result.code = Code::offset_out_of_range;
    return result;
  }
  const int64_t upper = std::min(request.upper_offset, end_offset());
  if (request.offset >= upper) return result;
  ColdSlice* cold = request.hot_only ? &result.cold : nullptr;
  // What the offset names may have been compacted away, to the end of its segment.
  for (size_t i = floor_segment(request.offset); i < segments_.size() && segments_[i]->base_offset() < upper; ++i) {
    KQ_TRY_ASSIGN(const auto first, find(i, request.offset, cold));
    if (result.cold) return result;
    if (!first) continue;
    KQ_TRY_ASSIGN(const int64_t end, end_position(i, upper, cold));
    if (result.cold || end <= first->position) return result;
    const auto first_size = static_cast<uint64_t>(first->size);
    if (first_size > request.bytes_max && !request.whole_first_batch) return result;
    KQ_TRY_ASSIGN(result.slice, slice_from(i, first->position, first->base_offset));
    result.slice.length = std::min(static_cast<uint64_t>(end - first->position), std::max<uint64_t>(request.bytes_max, first_size));
    return result;
  }
  return result;
}

Result<Slice> Log::slice_from(size_t segment, int64_t position, int64_t base_offset) {
  Segment& from = *segments_[segment];
  KQ_TRY_ASSIGN(auto file, from.file());
  return Slice{std::move(file), static_cast<uint64_t>(position), static_cast<uint64_t>(from.size() - position), base_offset,
               from.base_offset()};
}

Status touch(const Slice& slice) {
  std::vector<std::byte> piece(std::min<uint64_t>(slice.length, BatchScanner::scan_buffer));
  for (uint64_t at = 0; at < slice.length;) {
    KQ_TRY_ASSIGN(const size_t got, slice.file->read_at(slice.position + at, MutableBytes{piece}));
    if (got == 0) return {};
    at += got;
  }
  return {};
}

Result<std::vector<AbortedTransaction>> Log::aborted_transactions(int64_t from, const Slice& slice) {
  std::vector<AbortedTransaction> aborted;
  if (slice.empty()) return aborted;
  size_t i = floor_segment(slice.segment_base_offset);
  KQ_TRY_ASSIGN(const auto after, segments_[i]->offset_after(static_cast<int64_t>(slice.position + slice.length)));
  const int64_t next = i + 1 < segments_.size() ? segments_[i + 1]->base_offset() : end_offset();
  const int64_t upper = after.value_or(next);
  // Once the stable offset has passed it, every transaction that began below is decided, and so was seen.
  for (int64_t stable = -1; i < segments_.size() && stable < upper; ++i) {
    KQ_TRY_ASSIGN(const auto entries, segments_[i]->txns().all());
    for (const TxnEntry& entry : entries) {
      if (entry.last_offset >= from && entry.first_offset < upper) aborted.push_back({entry.producer_id, entry.first_offset});
      if ((stable = entry.last_stable_offset) >= upper) break;
    }
  }
  std::ranges::sort(aborted, {}, &AbortedTransaction::first_offset);
  return aborted;
}

Result<TimestampSearch> Log::search_timestamp(int64_t timestamp) {
  TimestampSearch search{.timestamp = timestamp, .start_offset = start_offset(), .slices = {}};
  for (size_t i = floor_segment(start_offset()); i < segments_.size(); ++i) {
    KQ_TRY_ASSIGN(const TimeEntry largest, segments_[i]->largest_timestamp());
    if (largest.timestamp < timestamp || segments_[i]->size() == 0) continue;
    KQ_TRY_ASSIGN(const int64_t position, segments_[i]->position_for_timestamp(timestamp, start_offset()));
    KQ_TRY_ASSIGN(auto slice, slice_from(i, position, -1));
    search.slices.push_back(std::move(slice));
    // In a segment that lies wholly above the start there is such a record.
    if (segments_[i]->base_offset() >= start_offset()) break;
  }
  return search;
}

Result<TimestampSearch> Log::search_largest_timestamp() {
  TimestampSearch search{.start_offset = start_offset(), .slices = {}};
  size_t segment = 0;
  TimeEntry largest;
  for (size_t i = floor_segment(start_offset()); i < segments_.size(); ++i) {
    KQ_TRY_ASSIGN(const TimeEntry entry, segments_[i]->largest_timestamp());
    if (entry.timestamp <= largest.timestamp) continue;
    largest = entry;
    segment = i;
  }
  if (largest.timestamp < 0) return search;
  KQ_TRY_ASSIGN(const auto batch, find(segment, largest.offset, nullptr));
  if (!batch) return search;
  search.timestamp = largest.timestamp;
  KQ_TRY_ASSIGN(auto slice, slice_from(segment, batch->position, batch->base_offset));
  search.slices.push_back(std::move(slice));
  return search;
}

Result<std::optional<TimestampOffset>> TimestampSearch::run() const {
  BatchReader reader;
  Block block;
  for (const Slice& slice : slices) {
    BatchScanner scanner(*slice.file, static_cast<int64_t>(slice.position), static_cast<int64_t>(slice.position + slice.length),
                         BatchScanner::scan_buffer);
    for (;;) {
      KQ_TRY_ASSIGN(const Step step, scanner.next());
      if (step != Step::batch) break;
      const BatchPlace place = scanner.batch();
      if (place.max_timestamp < timestamp || place.last_offset < start_offset) continue;
      KQ_TRY_ASSIGN(const Bytes whole, scanner.whole());
      KQ_TRY(reader.open(BatchView{whole}, block));
      for (RecordView record; reader.next(record);) {
        if (record.timestamp < timestamp || record.offset < start_offset) continue;
        return std::optional<TimestampOffset>{{record.timestamp, record.offset, place.leader_epoch}};
      }
      KQ_TRY(reader.status());
    }
  }
  return std::optional<TimestampOffset>{};
}

}  // namespace kq::log
