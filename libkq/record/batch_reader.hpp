// Reads the records of one batch, of any format.
#pragma once

#include <optional>

#include "libkq/base/result.hpp"
#include "libkq/record/batch.hpp"
#include "libkq/record/block.hpp"
#include "libkq/record/compression.hpp"
#include "libkq/record/legacy.hpp"
#include "libkq/record/record.hpp"

namespace kq {

struct ReadOptions {
  bool check_crc = true;
  size_t decompressed_bytes_max = decompressed_bytes_max_default;
};

// One batch at a time:
//
//   Bytes rest = records;                                    // of a fetch answer, or of a segment
//   for (BatchView batch; next_batch(rest, batch) == Step::batch;) {
//     KQ_TRY(reader.open(batch, block));
//     for (RecordView record; reader.next(record);) …
//     KQ_TRY(reader.status());
//   }
//
// Records are views into the batch's bytes, or into `block` where the batch was compressed: both belong to the caller, who may keep
// them for as long as the records, and hand in another block for the next batch.  Records come in the order in which they lie.
// Every record is checked before it is handed out; what follows a bad one is not.  next() ends at the first error, which status()
// tells: record_code::corrupt_message (check sum), record_code::invalid_record (layout), or a decompressor's.
//
// The reader holds decompression contexts, so it is worth keeping.  One thread at a time.
class BatchReader {
 public:
  explicit BatchReader(ReadOptions options = {}) : options_(options) {}

  // `block` is emptied, and filled where the batch is compressed.
  Status open(const BatchView& batch, Block& block);
  bool next(RecordView& record);
  Status status() const;

  // Records that next() has yet to give, at most, as the batch has it.  (No reason to believe it: reserve with care.)
  int32_t left() const { return left_; }

 private:
  bool fail(const char* wrong);

  ReadOptions options_;
  Decompressor decompressor_;
  BatchView batch_;
  const std::byte* at_ = nullptr;
  const std::byte* end_ = nullptr;
  int32_t left_ = 0;
  int64_t base_offset_ = 0;
  int64_t base_timestamp_ = 0;
  bool append_time_ = false;
  std::optional<LegacyReader> legacy_;
  std::optional<Error> error_;
};

}  // namespace kq
