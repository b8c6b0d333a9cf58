// What one codec has to do for compression.cpp.  Private to this folder.
#pragma once

#include <memory>
#include <string>

#include "libkq/base/result.hpp"
#include "libkq/record/block.hpp"

namespace kq::codec {

inline Error damaged(std::string_view codec, std::string_view what) {
  return {own_code::data, std::string(codec) + " data is damaged: " + std::string(what)};
}

class Encoder {
 public:
  virtual ~Encoder() = default;
  virtual Status compress(int level, Bytes plain, Block& into) = 0;  // appends; the level is in range
};

// Pulls: read() fills what it is given and says how much it wrote; 0 is the end.  It writes into the room it is given wherever its
// codec allows, so that a block is decompressed to where it stays.
class Decoder {
 public:
  virtual ~Decoder() = default;
  virtual Status begin(Bytes compressed, int8_t format) = 0;
  virtual Result<size_t> read(MutableBytes into) = 0;  // into is never empty
};

std::unique_ptr<Encoder> gzip_encoder();
std::unique_ptr<Encoder> snappy_encoder();
std::unique_ptr<Encoder> lz4_encoder();
std::unique_ptr<Encoder> zstd_encoder();
std::unique_ptr<Decoder> gzip_decoder();
std::unique_ptr<Decoder> snappy_decoder();
std::unique_ptr<Decoder> lz4_decoder();
std::unique_ptr<Decoder> zstd_decoder();

}  // namespace kq::codec
