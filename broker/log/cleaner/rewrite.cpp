#include "broker/log/cleaner/rewrite.hpp"

#include "libkq/record/crc32c.hpp"

namespace kq::log {

Result<BatchRewriter::Counts> BatchRewriter::rewrite(const BatchView& batch, const BatchFate& fate, const Retain& retain,
                                                     int64_t delete_horizon_ms, Block& out) {
  if (fate.drop) return Counts{};
  if (batch.legacy()) return rewrite_legacy(batch, retain, out);
  Counts counts;
  bool tombstones = false;
  kept_.clear();
  if (batch.count() > 0) {
    KQ_TRY(reader_.open(batch, plain_));
    for (RecordView record; reader_.next(record); ++counts.read) {
      if (!retain(record)) continue;
      tombstones = tombstones || record.value.data() == nullptr;
      kept_.push_back(record);
    }
    KQ_TRY(reader_.status());
  }
  counts.kept = static_cast<int32_t>(kept_.size());
  if (kept_.empty()) {
    if (fate.keep_empty) append_header(batch, out);
    return counts;
  }
  const bool new_horizon = (tombstones || fate.spent_marker) && !batch.has_delete_horizon();
  if (counts.kept == counts.read && !new_horizon) {
    out.append(batch.bytes());
    return counts;
  }
  KQ_TRY(build(batch, new_horizon ? delete_horizon_ms : batch.delete_horizon_ms(), out));
  return counts;
}

Status BatchRewriter::build(const BatchView& batch, int64_t horizon_ms, Block& out) {
  builder_.clear();
  if (horizon_ms != no_timestamp) builder_.set_base_timestamp(horizon_ms);
  for (const RecordView& record : kept_) {
    headers_.clear();
    for (const RecordHeader& header : record.headers) headers_.push_back(header);
    builder_.append_at(static_cast<int32_t>(record.offset - batch.base_offset()), record.timestamp, record.key, record.value, headers_);
  }
  BatchFields fields;
  fields.base_offset = batch.base_offset();
  fields.leader_epoch = batch.leader_epoch();
  fields.producer_id = batch.producer_id();
  fields.producer_epoch = batch.producer_epoch();
  fields.base_sequence = batch.base_sequence();
  fields.transactional = batch.transactional();
  fields.control = batch.control();
  fields.log_append_time = batch.timestamp_type() == TimestampType::log_append ? batch.max_timestamp() : no_timestamp;
  fields.last_offset_delta = batch.last_offset_delta();
  fields.delete_horizon = horizon_ms != no_timestamp;
  if (batch.codec() == Codec::none) {
    out.append(builder_.seal(fields));
    return {};
  }
  KQ_TRY_ASSIGN(const Bytes sealed, builder_.seal(fields, batch.codec(), codec_levels(batch.codec()).standard, compressor_, sealed_));
  out.append(sealed);
  return {};
}

// A header that tells of a producer or an offset, and of no record.
void BatchRewriter::append_header(const BatchView& batch, Block& out) {
  constexpr int16_t kept_bits = batch_bit::log_append_time | batch_bit::transactional | batch_bit::control;
  out.append(batch.bytes().first(batch_header_size));
  const MutableBytes header = out.mutable_bytes().last(batch_header_size);
  store_be(header.data() + batch_at::batch_length, static_cast<int32_t>(batch_header_size - batch_overhead));
  store_be(header.data() + batch_at::attributes, static_cast<int16_t>(batch.attributes() & kept_bits));
  store_be(header.data() + batch_at::base_timestamp, no_timestamp);
  store_be(header.data() + batch_at::count, int32_t{0});
  set_crc(header);
}

// Nothing writes these formats any more, so a wrapper stays whole for as long as one of its messages does.
Result<BatchRewriter::Counts> BatchRewriter::rewrite_legacy(const BatchView& batch, const Retain& retain, Block& out) {
  Counts counts;
  KQ_TRY(reader_.open(batch, plain_));
  for (RecordView record; reader_.next(record); ++counts.read) counts.kept += retain(record) ? 1 : 0;
  KQ_TRY(reader_.status());
  if (counts.kept > 0) out.append(batch.bytes());
  return counts;
}

}  // namespace kq::log
