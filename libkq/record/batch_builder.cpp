#include "libkq/record/batch_builder.hpp"

#include "libkq/record/compression.hpp"
#include "libkq/record/crc32c.hpp"

namespace kq {

std::byte* BatchBuilder::write_headers(std::byte* at, std::span<const RecordHeader> headers) {
  for (const RecordHeader& header : headers) {
    const Bytes key = as_bytes(header.key);
    at = copy(write_varint(at, static_cast<int32_t>(key.size())), key);  // never null
    at = write_bytes(at, header.value);
  }
  return at;
}

BatchBuilder::BatchBuilder(MutableBytes block)
    : block_(block.data()), at_(block.data() + batch_header_size), end_(block.data() + block.size()) {
  KQ_CHECK(block.size() >= batch_header_size);
}

bool BatchBuilder::append_at(int32_t offset_delta, int64_t timestamp, Bytes key, Bytes value,
                             std::span<const RecordHeader> headers) {
  return put(offset_delta, timestamp, key, value, headers);
}

void BatchBuilder::sum() {
  records_sum_ = crc32c(records_sum_, {block_ + summed_, at_});
  summed_ = size();
}

void BatchBuilder::move_to(MutableBytes bigger) {
  const size_t used = size();
  KQ_CHECK(bigger.size() >= used);
  std::memcpy(bigger.data() + batch_header_size, block_ + batch_header_size, used - batch_header_size);
  block_ = bigger.data();
  at_ = block_ + used;
  end_ = block_ + bigger.size();
}

void BatchBuilder::clear() { *this = BatchBuilder(MutableBytes{block_, end_}); }

void BatchBuilder::write_header(std::byte* header, size_t size, const BatchFields& fields, Codec codec) const {
  KQ_CHECK(size - batch_overhead <= std::numeric_limits<int32_t>::max());
  int16_t attributes = static_cast<int16_t>(codec);
  if (fields.log_append_time != no_timestamp) attributes |= batch_bit::log_append_time;
  if (fields.transactional) attributes |= batch_bit::transactional;
  if (fields.control) attributes |= batch_bit::control;
  if (fields.delete_horizon) attributes |= batch_bit::delete_horizon;

  store_be(header + batch_at::base_offset, fields.base_offset);
  store_be(header + batch_at::batch_length, static_cast<int32_t>(size - batch_overhead));
  store_be(header + batch_at::partition_leader_epoch, fields.leader_epoch);
  header[batch_at::magic] = std::byte{2};
  store_be(header + batch_at::attributes, attributes);
  store_be(header + batch_at::last_offset_delta, fields.last_offset_delta == -1 ? last_offset_delta() : fields.last_offset_delta);
  store_be(header + batch_at::base_timestamp, base_timestamp_);
  store_be(header + batch_at::max_timestamp, fields.log_append_time == no_timestamp ? max_timestamp_ : fields.log_append_time);
  store_be(header + batch_at::producer_id, fields.producer_id);
  store_be(header + batch_at::producer_epoch, fields.producer_epoch);
  store_be(header + batch_at::base_sequence, fields.base_sequence);
  store_be(header + batch_at::count, count_);
}

Bytes BatchBuilder::seal(const BatchFields& fields) {
  write_header(block_, size(), fields, Codec::none);
  sum();
  const uint32_t header_sum = crc32c({block_ + batch_at::attributes, block_ + batch_at::records});
  store_be(block_ + batch_at::crc, crc32c_joined(header_sum, records_sum_, size() - batch_at::records));
  return {block_, size()};
}

Result<Bytes> BatchBuilder::seal(const BatchFields& fields, Codec codec, int level, Compressor& compressor, Block& into) {
  into.clear();
  into.room(batch_header_size);
  into.commit(batch_header_size);
  KQ_TRY(compressor.compress(codec, level, {block_ + batch_header_size, at_}, into));
  write_header(into.mutable_bytes().data(), into.size(), fields, codec);
  set_crc(into.mutable_bytes());
  return into.bytes();
}

void OwnedBatchBuilder::append_at(int32_t offset_delta, int64_t timestamp, Bytes key, Bytes value,
                                  std::span<const RecordHeader> headers) {
  if (builder_.append_at(offset_delta, timestamp, key, value, headers)) return;
  Block bigger(2 * (block_.capacity() + BatchBuilder::record_bytes_max(key.size(), value.size(), headers)));
  builder_.move_to(bigger.memory());
  block_ = std::move(bigger);
  KQ_CHECK(builder_.append_at(offset_delta, timestamp, key, value, headers));
}

// ---- control batches -------------------------------------------------------------------------------------------------------

std::array<std::byte, 4> control_key(ControlType type) {
  std::array<std::byte, 4> key{};  // version 0, type
  store_be(key.data() + 2, static_cast<int16_t>(type));
  return key;
}

int16_t control_type(Bytes key) {
  if (key.size() < 4 || load_be<int16_t>(key.data()) < 0) return -1;
  return load_be<int16_t>(key.data() + 2);
}

std::array<std::byte, marker_batch_size> marker_batch(const TransactionMarker& marker, int64_t timestamp, int64_t base_offset,
                                                      int32_t leader_epoch) {
  std::array<std::byte, batch_header_size + 64> block;
  std::array<std::byte, 6> value{};  // version 0, coordinator epoch
  store_be(value.data() + 2, marker.coordinator_epoch);
  BatchBuilder builder(block);
  KQ_CHECK(builder.append(timestamp, control_key(marker.commit ? ControlType::commit : ControlType::abort), value));
  const Bytes sealed = builder.seal({.base_offset = base_offset,
                                     .leader_epoch = leader_epoch,
                                     .producer_id = marker.producer_id,
                                     .producer_epoch = marker.producer_epoch,
                                     .transactional = true,
                                     .control = true});
  std::array<std::byte, marker_batch_size> batch;
  KQ_CHECK(sealed.size() == batch.size());
  std::memcpy(batch.data(), sealed.data(), batch.size());
  return batch;
}

int32_t marker_coordinator_epoch(Bytes value) { return value.size() < 6 ? -1 : load_be<int32_t>(value.data() + 2); }

}  // namespace kq
