// Message formats 0 and 1: read where an old log or fetch answer still holds them, written by nothing.
#pragma once

#include "libkq/base/result.hpp"
#include "libkq/record/batch.hpp"
#include "libkq/record/block.hpp"
#include "libkq/record/compression.hpp"
#include "libkq/record/record.hpp"

namespace kq {

// The messages of one entry: itself, or those inside it when it is a wrapper.  Views into the entry or into `block`.
class LegacyReader {
 public:
  static Result<LegacyReader> open(const BatchView& entry, Decompressor&, Block& block, bool check_crc,
                                   size_t decompressed_bytes_max);

  // Null: a record.  An empty text: the end.  Otherwise what is wrong.
  const char* next(RecordView& record);

 private:
  Bytes rest_;  // entries still to come, each one message
  bool wrapped_ = false;
  bool check_crc_ = true;
  int8_t magic_ = 0;
  int64_t base_offset_ = 0;  // added to an inner offset: relative in format 1, 0 in format 0
  bool append_time_ = false;
  int64_t append_timestamp_ = no_timestamp;
};

}  // namespace kq
