// Any bytes as compressed data: whole and in pieces must agree.  And any bytes as plain data: every codec gives them back.
#include <algorithm>

#include "libkq/base/check.hpp"
#include "libkq/record/compression.hpp"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace kq;
  constexpr size_t decompressed_bytes_max = size_t{1} << 20;
  static Decompressor decompressor;
  static Compressor compressor;
  static Block whole, pieces, packed;
  if (size < 1) return 0;
  const auto codec = static_cast<Codec>(data[0] % (codec_max + 1));
  const auto format = static_cast<int8_t>(data[0] / 128);
  const Bytes bytes = std::as_bytes(std::span{data + 1, size - 1});

  for (Block* block : {&whole, &pieces, &packed}) block->clear();
  const bool ok = decompressor.decompress(codec, bytes, whole, decompressed_bytes_max, format).ok();
  bool pieces_ok = decompressor.begin(codec, bytes, decompressed_bytes_max, format).ok();
  while (pieces_ok) {
    const Result<Bytes> piece = decompressor.next();
    pieces_ok = piece.ok();
    if (!pieces_ok || piece->empty()) break;
    pieces.append(*piece);
  }
  KQ_CHECK(ok == pieces_ok);
  KQ_CHECK(!ok || std::ranges::equal(whole.bytes(), pieces.bytes()));

  whole.clear();
  KQ_CHECK(compressor.compress(codec, codec_levels(codec).standard, bytes, packed).ok());
  KQ_CHECK(decompressor.decompress(codec, packed.bytes(), whole, bytes.size()).ok());
  KQ_CHECK(std::ranges::equal(whole.bytes(), bytes));
  return 0;
}
