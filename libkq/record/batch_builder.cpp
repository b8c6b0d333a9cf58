#include "libkq/record/batch_builder.hpp"

#include "libkq/record/compression.hpp"
#include "libkq/record/crc32c.hpp"

namespace kq {
namespace {

// length, attributes, timestamp delta, offset delta, key length, value length, header count
constexpr size_t record_overhead_max = 5 * varint_bytes_max + varlong_bytes_max + 1;
constexpr int32_t null_size = -1;

int64_t minus(int64_t a, int64_t b) { return static_cast<int64_t>(static_cast<uint64_t>(a) - static_cast<uint64_t>(b)); }

int32_t size_of(Bytes bytes) { return bytes.data() == nullptr ? null_size : static_cast<int32_t>(bytes.size()); }

std::byte* copy(std::byte* at, Bytes bytes) {
  if (bytes.empty()) return at;
  std::memcpy(at, bytes.data(), bytes.size());
  return at + bytes.size();
}

std::byte* write_bytes(std::byte* at, Bytes bytes) { return copy(write_varint(at, size_of(bytes)), bytes); }

std::byte* write_headers(std::byte* at, std::span<const RecordHeader> headers) {
  for (const RecordHeader& header : headers) {
    const Bytes key = as_bytes(header.key);
    at = write_varint(at, static_cast<int32_t>(key.size()));  // never null
    at = copy(at, key);
    at = write_bytes(at, header.value);
  }
  return at;
}

}  // namespace

size_t BatchBuilder::record_bytes_max(size_t key, size_t value, std::span<const RecordHeader> headers) {
  size_t size = record_overhead_max + key + value;
  for (const RecordHeader& header : headers) size += 2 * varint_bytes_max + header.key.size() + header.value.size();
  return size;
}

BatchBuilder::BatchBuilder(MutableBytes block)
    : block_(block.data()), at_(block.data() + batch_header_size), end_(block.data() + block.size()) {
  KQ_CHECK(block.size() >= batch_header_size);
}

bool BatchBuilder::append_at(int32_t offset_delta, int64_t timestamp, Bytes key, Bytes value,
                             std::span<const RecordHeader> headers) {
  const size_t size_max = record_bytes_max(key.size(), value.size(), headers);
  if (size_max > room()) return false;
  if (count_ == 0) {
    if (!base_is_set_) base_timestamp_ = timestamp;
    max_timestamp_ = timestamp;
  }
  // The length stands in front and is known behind.  It nearly always takes as many bytes as the longest that it could be; where it
  // does not, the record moves up.
  const size_t length_size = varint_size(static_cast<int32_t>(size_max));
  std::byte* const body = at_ + length_size;
  std::byte* at = body;
  *at++ = std::byte{0};  // attributes: unused
  at = write_varlong(at, minus(timestamp, base_timestamp_));
  at = write_varint(at, offset_delta);
  at = write_bytes(at, key);
  at = write_bytes(at, value);
  at = write_varint(at, static_cast<int32_t>(headers.size()));
  if (!headers.empty()) at = write_headers(at, headers);
  const auto length = static_cast<int32_t>(at - body);
  if (varint_size(length) != length_size) [[unlikely]] {
    const size_t spare = length_size - varint_size(length);
    std::memmove(body - spare, body, static_cast<size_t>(length));
    at -= spare;
  }
  write_varint(at_, length);
  at_ = at;

  if (timestamp > max_timestamp_) max_timestamp_ = timestamp;
  next_offset_delta_ = offset_delta + 1;
  ++count_;
  return true;
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
  set_crc({header, size});
}

Bytes BatchBuilder::seal(const BatchFields& fields) {
  write_header(block_, size(), fields, Codec::none);
  return {block_, size()};
}

Result<Bytes> BatchBuilder::seal(const BatchFields& fields, Codec codec, int level, Compressor& compressor, Block& into) {
  into.clear();
  into.room(batch_header_size);
  into.commit(batch_header_size);
  KQ_TRY(compressor.compress(codec, level, {block_ + batch_header_size, at_}, into));
  write_header(into.mutable_bytes().data(), into.size(), fields, codec);
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
