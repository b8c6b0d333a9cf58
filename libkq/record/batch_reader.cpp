#include "libkq/record/batch_reader.hpp"

namespace kq {

Status BatchReader::open(const BatchView& batch, Block& block) {
  batch_ = batch;
  left_ = 0;
  legacy_.reset();
  error_.reset();
  block.clear();
  if (options_.check_crc && !batch.check_crc())
    return *(error_ = Error(record_code::corrupt_message,
                            "the batch at offset " + std::to_string(batch.base_offset()) + " has a wrong check sum"));
  if (batch.legacy()) {
    Result<LegacyReader> legacy =
        LegacyReader::open(batch, decompressor_, block, options_.check_crc, options_.decompressed_bytes_max);
    if (!legacy) return *(error_ = std::move(legacy.error()));
    legacy_ = std::move(*legacy);
    return {};
  }
  if (batch.count() < 0) {
    fail("the record count is negative");
    return *error_;
  }
  Bytes records = batch.records();
  if (batch.codec() != Codec::none && batch.count() > 0) {
    if (Status done = decompressor_.decompress(batch.codec(), records, block, options_.decompressed_bytes_max); !done)
      return *(error_ = std::move(done.error()).in("the batch at offset " + std::to_string(batch.base_offset())));
    records = block.bytes();
  }
  at_ = records.data();
  end_ = records.data() + records.size();
  left_ = batch.count();
  base_offset_ = batch.base_offset();
  append_time_ = batch.timestamp_type() == TimestampType::log_append;
  base_timestamp_ = append_time_ ? batch.max_timestamp() : batch.base_timestamp();
  return {};
}

bool BatchReader::next(RecordView& record) {
  if (legacy_) {
    if (const char* wrong = legacy_->next(record)) return *wrong == '\0' ? false : fail(wrong);
    return true;
  }
  if (left_ == 0) return false;
  RawRecord raw;
  if (const char* wrong = read_record(at_, end_, raw)) return fail(wrong);
  if (--left_ == 0 && at_ != end_) return fail("bytes are left after the last record");
  // Deltas are a peer's: unsigned, so that any of them adds up to something.
  record.offset = static_cast<int64_t>(static_cast<uint64_t>(base_offset_) + static_cast<uint64_t>(int64_t{raw.offset_delta}));
  record.timestamp =
      append_time_ ? base_timestamp_
                   : static_cast<int64_t>(static_cast<uint64_t>(base_timestamp_) + static_cast<uint64_t>(raw.timestamp_delta));
  record.key = raw.key;
  record.value = raw.value;
  record.headers = raw.headers;
  return true;
}

Status BatchReader::status() const {
  if (error_) return *error_;
  return {};
}

bool BatchReader::fail(const char* wrong) {
  left_ = 0;
  legacy_.reset();
  error_ = Error(record_code::invalid_record,
                 "the batch at offset " + std::to_string(batch_.base_offset()) + " cannot be read: " + wrong);
  return false;
}

}  // namespace kq
