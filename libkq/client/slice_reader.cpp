#include "libkq/client/slice_reader.hpp"

#include <algorithm>

#include "libkq/record/batch_builder.hpp"

namespace kq::client {

Result<bool> SliceReader::read(Slice& slice, size_t records_max, Batch& into) {
  const size_t full = into.records.size() + records_max;
  into.hold(slice.held);
  into.hold(slice.topic);
  const size_t before = into.records.size();
  if (serial_ == slice.serial) into.hold(block_);
  while (into.records.size() < full) {
    if (serial_ != slice.serial) {
      KQ_TRY_ASSIGN(const Next next, enter(slice));
      if (next == Next::end) return true;
      if (next == Next::skipped) continue;
      into.hold(block_);
      make_room(full, into);
    }
    RecordView record;
    bool ended = false;
    while (into.records.size() < full && !ended) {
      if (!reader_.next(record)) ended = true;
      else if (record.offset >= slice.position) add(slice, record, into);
    }
    if (into.records.size() > before) slice.position = std::max(slice.position, into.records.back().offset + 1);
    if (!ended && (legacy_ || reader_.left() > 0)) break;
    serial_ = 0;
    KQ_TRY(reader_.status());
    leave(slice);
  }
  return slice.records.empty();
}

// The count of a batch is a peer's word: it is believed up to a point.
void SliceReader::make_room(size_t full, Batch& into) const {
  const size_t wanted = std::min(full, into.records.size() + std::min<size_t>(static_cast<size_t>(reader_.left()), believed_records_max));
  if (wanted > into.records.capacity()) into.records.reserve(std::max(wanted, std::min(full, 2 * into.records.capacity())));
}

Result<SliceReader::Next> SliceReader::enter(Slice& slice) {
  serial_ = 0;
  Bytes rest = slice.records;
  BatchView batch;
  if (next_batch(rest, batch) != Step::batch) return Next::end;
  if (batch.next_offset() <= slice.position) return skip(slice, slice.position, rest);
  if (batch.control()) return skip_control(slice, batch, rest);
  if (committed_ && batch.transactional() && is_aborted(slice, batch)) return skip(slice, batch.next_offset(), rest);

  Block block;
  KQ_TRY(reader_.open(batch, block));
  const size_t size = block.capacity();
  block_ = size > 0 ? charge(memory_, std::move(block), size) : nullptr;
  serial_ = slice.serial;
  rest_ = rest;
  next_offset_ = batch.next_offset();
  legacy_ = batch.legacy();
  leader_epoch_ = batch.leader_epoch();
  timestamp_type_ = batch.magic() == 0 ? int8_t{KQ_NO_TIMESTAMP} : static_cast<int8_t>(batch.timestamp_type());
  return Next::batch;
}

SliceReader::Next SliceReader::skip(Slice& slice, int64_t next_offset, Bytes rest) {
  slice.position = next_offset;
  slice.records = rest;
  return Next::skipped;
}

// The end of a transaction: it is no record for the application, and an abort frees its producer's later batches.
Result<SliceReader::Next> SliceReader::skip_control(Slice& slice, const BatchView& batch, Bytes rest) {
  if (committed_) {
    Block block;
    KQ_TRY(reader_.open(batch, block));
    RecordView marker;
    if (reader_.next(marker) && control_type(marker.key) == static_cast<int16_t>(ControlType::abort)) {
      is_aborted(slice, batch);                      // one that was empty here enters and leaves with its marker
      std::erase(slice.aborted_producers, batch.producer_id());
    }
    KQ_TRY(reader_.status());
  }
  return skip(slice, batch.next_offset(), rest);
}

// wire.md, 7: before a batch, every listed transaction that begins at or before its last offset enters the set of the aborted.
bool SliceReader::is_aborted(Slice& slice, const BatchView& batch) const {
  auto begun = slice.aborted.begin();
  for (; begun != slice.aborted.end() && begun->first_offset <= batch.last_offset(); ++begun)
    slice.aborted_producers.push_back(begun->producer_id);
  slice.aborted.erase(slice.aborted.begin(), begun);
  return std::ranges::find(slice.aborted_producers, batch.producer_id()) != slice.aborted_producers.end();
}

void SliceReader::add(const Slice& slice, const RecordView& record, Batch& into) const {
  kq_header* headers = nullptr;
  const auto header_count = static_cast<size_t>(record.headers.size());
  if (header_count > 0) {
    headers = into.headers(header_count);
    size_t i = 0;
    for (const RecordHeader& header : record.headers)
      headers[i++] = {header.key.data(), header.key.size(), header.value.data(), header.value.size()};
  }
  into.records.push_back({.size = sizeof(kq_record), .topic = slice.topic->c_str(), .partition = slice.partition,
                          .offset = record.offset, .timestamp_ms = record.timestamp, .key = record.key.data(),
                          .key_len = record.key.size(), .value = record.value.data(), .value_len = record.value.size(),
                          .headers = headers, .header_count = header_count, .tag = 0, .leader_epoch = leader_epoch_,
                          .delivery_count = 0, .timestamp_type = timestamp_type_});
}

void SliceReader::leave(Slice& slice) {
  slice.position = std::max(slice.position, next_offset_);
  slice.records = rest_;
  block_.reset();
}

}  // namespace kq::client
