// The four codecs of record batches, in both directions, whole and in pieces.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <string_view>

#include "libkq/base/result.hpp"
#include "libkq/record/batch.hpp"
#include "libkq/record/block.hpp"

namespace kq {

// Kafka's names: none gzip snappy lz4 zstd.  (A topic's compression.type says "uncompressed" and "producer" besides: its parser's.)
std::string_view codec_name(Codec);
std::optional<Codec> codec_named(std::string_view);

// Kafka's ranges of compression.<codec>.level, and what it takes when nothing is set.
struct CodecLevels {
  int least;
  int most;
  int standard;
  bool has(int level) const { return level == standard || (level >= least && level <= most); }
};
CodecLevels codec_levels(Codec);

// What a batch may decompress to unless somebody says otherwise.  More is refused: a few kilobytes can claim to be terabytes.
constexpr size_t decompressed_bytes_max_default = size_t{256} << 20;

// Codes of the errors below: damaged data is own_code::data (what a server calls UNKNOWN_SERVER_ERROR), too much of it is
// record_code::message_too_large.

namespace codec {
class Encoder;
class Decoder;
}  // namespace codec

// Keeps each codec's context from one batch to the next.  One thread at a time; make one a thread or a loop, not one a batch.
class Compressor {
 public:
  Compressor();
  ~Compressor();
  Compressor(Compressor&&) noexcept;
  Compressor& operator=(Compressor&&) noexcept;

  // Appends the compressed form of `plain` to `into`.  A level out of the codec's range is refused.
  Status compress(Codec, int level, Bytes plain, Block& into);

 private:
  std::array<std::unique_ptr<codec::Encoder>, codec_max + 1> encoders_;
};

// Likewise.  One batch at a time, in one of two ways:
//   decompress()       the whole, into a buffer that grows: for who wants to look at the records.
//   begin(), next()    in pieces of at most 64 KiB, with memory bounded whatever the size: for who wants to know that they are good.
class Decompressor {
 public:
  static constexpr size_t piece_bytes_max = 64 * 1024;

  Decompressor();
  ~Decompressor();
  Decompressor(Decompressor&&) noexcept;
  Decompressor& operator=(Decompressor&&) noexcept;

  // Appends to `into`.  `format` is the magic of the batch: lz4 in format 0 carries a header check sum that nobody can check.
  Status decompress(Codec, Bytes compressed, Block& into, size_t decompressed_bytes_max = decompressed_bytes_max_default,
                    int8_t format = 2);

  // `compressed` stays valid until the last piece; a piece holds until the next call.  An empty piece is the end.
  Status begin(Codec, Bytes compressed, size_t decompressed_bytes_max = decompressed_bytes_max_default, int8_t format = 2);
  Result<Bytes> next();

 private:
  Status select(Codec, Bytes compressed, int8_t format);

  std::array<std::unique_ptr<codec::Decoder>, codec_max + 1> decoders_;
  codec::Decoder* decoder_ = nullptr;
  Block piece_;
  size_t bytes_max_ = 0;
  size_t bytes_given_ = 0;
};

}  // namespace kq
