// Any bytes as a client's batch.  The check sum is made right, or no input would get past it; what is let in must be readable.
#include "libkq/base/check.hpp"
#include "libkq/record/batch_reader.hpp"
#include "libkq/record/validate.hpp"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace kq;
  static BatchValidator validator;
  static BatchReader reader;
  static Block rebuilt, block;
  if (size < 1) return 0;
  const uint8_t choice = data[0];
  std::vector<std::byte> records(size - 1);
  if (size > 1) std::memcpy(records.data(), data + 1, size - 1);
  if (records.size() >= batch_header_size) {
    store_be(records.data() + batch_at::batch_length, static_cast<int32_t>(records.size() - batch_overhead));
    set_crc(records);
  }
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
