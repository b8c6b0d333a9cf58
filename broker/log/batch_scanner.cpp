#include "broker/log/batch_scanner.hpp"

#include <algorithm>

#include "libkq/record/crc32c.hpp"
#include "libkq/record/record.hpp"

namespace kq::log {
namespace {

constexpr int16_t abort_marker = 0;
constexpr int16_t commit_marker = 1;

std::optional<EndMarker> read_marker(const BatchView& batch, int64_t& timestamp) {
  if (batch.codec() != Codec::none || batch.count() < 1) return std::nullopt;
  const Bytes records = batch.records();
  const std::byte* at = records.data();
  RawRecord record;
  if (read_record(at, at + records.size(), record) != nullptr) return std::nullopt;
  constexpr size_t key_size = 4, value_size = 6;                  // version and type; version and coordinator epoch
  if (record.key.size() < key_size || record.value.size() < value_size) return std::nullopt;
  const auto type = load_be<int16_t>(record.key.data() + 2);
  if (type != abort_marker && type != commit_marker) return std::nullopt;
  timestamp = batch.timestamp_type() == TimestampType::log_append ? batch.max_timestamp() : batch.base_timestamp() + record.timestamp_delta;
  return EndMarker{type == commit_marker, load_be<int32_t>(record.value.data() + 2)};
}

}  // namespace

BatchPlace place_of(const BatchView& batch, int64_t position) {
  return {position, static_cast<int64_t>(batch.size()), batch.base_offset(), batch.last_offset(), batch.max_timestamp(),
          batch.leader_epoch()};
}

ProducerBatch producer_batch(const BatchView& batch) {
  ProducerBatch view{.producer_id = batch.producer_id(), .epoch = batch.producer_epoch(), .base_sequence = batch.base_sequence(),
                     .last_sequence = batch.last_sequence(), .base_offset = batch.base_offset(), .last_offset = batch.last_offset(),
                     .max_timestamp = batch.max_timestamp(), .transactional = batch.transactional(), .control = batch.control(),
                     .marker = {}};
  if (view.control) view.marker = read_marker(batch, view.max_timestamp);
  return view;
}

Result<Bytes> BatchScanner::window(int64_t position, size_t wanted) {
  const auto left = static_cast<size_t>(std::max<int64_t>(end_ - position, 0));
  wanted = std::min(wanted, left);
  const int64_t buffered_to = buffer_at_ + static_cast<int64_t>(buffer_.size());
  if (position < buffer_at_ || position + static_cast<int64_t>(wanted) > buffered_to) {
    buffer_.resize(std::min(std::max(size_, wanted), left));
    buffer_at_ = position;
    KQ_TRY_ASSIGN(const size_t got, file_.read_at(static_cast<uint64_t>(position), buffer_));
    buffer_.resize(got);
  }
  return Bytes{buffer_}.subspan(static_cast<size_t>(position - buffer_at_));
}

Result<Step> BatchScanner::next() {
  if (next_ >= end_) return Step::end;
  KQ_TRY_ASSIGN(const Bytes front, window(next_, batch_header_size));
  const int64_t size = batch_size_of(front);
  if (size < 0) return Step::corrupt;
  if (size == 0 || size > end_ - next_) return Step::incomplete;
  if (front.size() < std::min(static_cast<size_t>(size), batch_header_size)) return Step::incomplete;    // the file is shorter than told
  header_ = BatchView{front.first(std::min(front.size(), static_cast<size_t>(size)))};
  if (!header_.legacy() && header_.last_offset_delta() < 0) return Step::corrupt;
  batch_ = place_of(header_, next_);
  batch_.size = size;
  next_ += size;
  return Step::batch;
}

Result<Bytes> BatchScanner::whole() {
  if (header_.size() == static_cast<size_t>(batch_.size)) return header_.bytes();
  whole_.resize(static_cast<size_t>(batch_.size));
  KQ_TRY_ASSIGN(const size_t got, file_.read_at(static_cast<uint64_t>(batch_.position), whole_));
  if (got < whole_.size()) return Error{own_code::data, "a segment's file is shorter than it was: something else writes there"};
  return Bytes{whole_};
}

Result<bool> BatchScanner::check_crc() {
  if (header_.size() == static_cast<size_t>(batch_.size)) return header_.check_crc();
  if (header_.legacy()) {
    KQ_TRY_ASSIGN(const Bytes bytes, whole());
    return BatchView{bytes}.check_crc();
  }
  const uint32_t stated = header_.crc();
  uint32_t crc = 0;
  for (int64_t at = batch_.position + static_cast<int64_t>(batch_at::attributes); at < next_;) {
    KQ_TRY_ASSIGN(Bytes piece, window(at, 1));
    if (piece.empty()) return false;
    piece = piece.first(std::min(piece.size(), static_cast<size_t>(next_ - at)));
    crc = crc32c(crc, piece);
    at += static_cast<int64_t>(piece.size());
  }
  header_ = BatchView{};                     // the buffer has moved on
  return crc == stated;
}

}  // namespace kq::log
