#include "libkq/record/batch.hpp"

#include <zlib.h>

#include "libkq/record/crc32c.hpp"

namespace kq {

bool BatchView::check_crc() const {
  if (!legacy()) return crc() == crc32c(bytes_.subspan(batch_at::attributes));
  const Bytes covered = bytes_.subspan(legacy_at::magic);
  return crc() == ::crc32_z(0, reinterpret_cast<const Bytef*>(covered.data()), covered.size());
}

// As Java's reader does: a size below the least of format 0 and a magic above 2 are errors, what is cut off is not.
int64_t batch_size_of(Bytes front) {
  if (front.size() < batch_overhead) return 0;
  const auto length = load_be<int32_t>(front.data() + batch_at::batch_length);
  if (length < legacy_size_min) return -1;
  if (front.size() < batch_header_peek) return 0;
  const auto magic = static_cast<uint8_t>(front[batch_at::magic]);
  if (magic > 2) return -1;
  constexpr int64_t size_min[] = {legacy_at::key_0 + 8, legacy_at::key_1 + 8, batch_header_size};
  const int64_t size = int64_t{length} + static_cast<int64_t>(batch_overhead);
  return size < size_min[magic] ? -1 : size;
}

Step next_batch(Bytes& rest, BatchView& batch) {
  if (rest.empty()) return Step::end;
  const int64_t size = batch_size_of(rest);
  if (size < 0) return Step::corrupt;
  if (size == 0 || static_cast<uint64_t>(size) > rest.size()) return Step::incomplete;
  batch = BatchView(rest.first(static_cast<size_t>(size)));
  rest = rest.subspan(static_cast<size_t>(size));
  return Step::batch;
}

void set_crc(MutableBytes batch) { store_be(batch.data() + batch_at::crc, crc32c(batch.subspan(batch_at::attributes))); }

void set_max_timestamp(MutableBytes bytes, TimestampType type, int64_t max_timestamp) {
  const BatchView batch(bytes);
  if (batch.timestamp_type() == type && batch.max_timestamp() == max_timestamp) return;
  // Kafka writes the low byte anew, and with it unused bits go.
  int16_t attributes = batch.attributes() & 0x7f & ~batch_bit::log_append_time;
  if (type == TimestampType::log_append) attributes |= batch_bit::log_append_time;
  store_be(bytes.data() + batch_at::attributes, attributes);
  store_be(bytes.data() + batch_at::max_timestamp, max_timestamp);
  set_crc(bytes);
}

void set_producer(MutableBytes batch, int64_t producer_id, int16_t producer_epoch, int32_t base_sequence) {
  store_be(batch.data() + batch_at::producer_id, producer_id);
  store_be(batch.data() + batch_at::producer_epoch, producer_epoch);
  store_be(batch.data() + batch_at::base_sequence, base_sequence);
  set_crc(batch);
}

}  // namespace kq
