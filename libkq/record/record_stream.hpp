// The records of a compressed batch, looked at while they are decompressed: what a leader has to know of each, and nothing kept.
#pragma once

#include <optional>

#include "libkq/record/compression.hpp"
#include "libkq/record/record.hpp"

namespace kq {

// Reads record after record off a Decompressor that has begun.  Memory is one piece, whatever the size of a record.
class RecordStream {
 public:
  struct Record {
    int64_t timestamp_delta = 0;
    int32_t offset_delta = 0;
    bool has_key = false;
  };

  explicit RecordStream(Decompressor& decompressor) : decompressor_(decompressor) {}

  bool next(Record& record);  // false: error() tells why, and the end of the data is a reason too
  bool at_end();              // nothing is left; false with an error where the rest does not decompress
  const std::optional<Error>& error() const { return error_; }
  size_t bytes() const { return bytes_; }  // decompressed so far

 private:
  struct Body;

  bool refill();
  bool take_byte(uint8_t& byte);
  bool next_across_pieces(int32_t length, Record& record);
  bool fail(const char* wrong);

  Decompressor& decompressor_;
  const std::byte* at_ = nullptr;
  const std::byte* end_ = nullptr;
  bool ended_ = false;
  size_t bytes_ = 0;
  std::optional<Error> error_;
};

}  // namespace kq
