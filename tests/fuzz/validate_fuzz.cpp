// Any bytes as a client's batch.  Length, magic and check sum are made right, or hardly an input would get past them; what is let in
// must be readable.  The first byte chooses the topic's settings.
#include "libkq/base/check.hpp"
#include "libkq/record/batch_reader.hpp"
#include "libkq/record/validate.hpp"

namespace {

using namespace kq;

// With `raw` the header is the input's too; otherwise an attribute byte and a count stand for it.
std::vector<std::byte> make_batch(Bytes input, bool raw) {
  std::vector<std::byte> batch;
  if (!raw && input.size() >= 2) {
    batch.resize(batch_header_size);
    batch[batch_at::attributes + 1] = input[0] & std::byte{0x1f};
    store_be(batch.data() + batch_at::count, static_cast<int32_t>(input[1]));
    store_be(batch.data() + batch_at::last_offset_delta, static_cast<int32_t>(input[1]) - 1);
    store_be(batch.data() + batch_at::base_timestamp, int64_t{1'700'000'000'000});
    store_be(batch.data() + batch_at::producer_id, no_producer_id);
    input = input.subspan(2);
  }
  batch.insert(batch.end(), input.begin(), input.end());
  if (batch.size() >= batch_header_size) {
    store_be(batch.data() + batch_at::batch_length, static_cast<int32_t>(batch.size() - batch_overhead));
    batch[batch_at::magic] = std::byte{2};
    set_crc(batch);
  }
  return batch;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static BatchValidator validator;
  static BatchReader reader;
  static Block rebuilt, block;
  if (size < 1) return 0;
  const uint8_t choice = data[0];
  std::vector<std::byte> records = make_batch(std::as_bytes(std::span{data + 1, size - 1}), (choice & 0x20) != 0);
  BatchRules rules{.message_timestamp_after_max_ms = std::numeric_limits<int64_t>::max(),
                   .compacted = (choice & 0x10) != 0,
                   .decompressed_bytes_max = size_t{1} << 20};
  if ((choice & 0x08) != 0) rules.message_timestamp_type = TimestampType::log_append;
  if ((choice & 0x07) <= codec_max) rules.compression_type = static_cast<Codec>(choice & 0x07);
  if (rules.compression_type) rules.compression_level = codec_levels(*rules.compression_type).standard;

  const Validation result = validator.validate(records, rules, 12, 1'700'000'000'000, rebuilt);
  if (!result.ok()) return 0;
  const BatchView batch{result.batch};
  KQ_CHECK(batch.check_crc() && batch.count() == result.count && batch.max_timestamp() == result.max_timestamp);
  KQ_CHECK(reader.open(batch, block).ok());
  int32_t count = 0;
  for (RecordView record; reader.next(record); ++count) KQ_CHECK(!rules.compacted || record.key.data() != nullptr);
  KQ_CHECK(reader.status().ok() && count == result.count);
  return 0;
}
