// Snappy as the Java library frames it (xerial): a magic, two version numbers, then chunks, each a size and a raw snappy block.
// Without the magic the whole is taken as one raw block, as librdkafka and others once wrote it.
#include <snappy-c.h>

#include "libkq/record/codecs.hpp"

namespace kq::codec {
namespace {

constexpr unsigned char magic[8] = {0x82, 'S', 'N', 'A', 'P', 'P', 'Y', 0};
constexpr size_t stream_header_size = 16;
constexpr int32_t version = 1;
constexpr size_t plain_chunk_bytes_max = 32 * 1024;  // of what is written; chunks of any size are read
constexpr size_t expansion_max = 22;                 // three bytes of a copy yield 64 at most

bool starts_with_magic(Bytes bytes) {
  return bytes.size() >= stream_header_size && std::memcmp(bytes.data(), magic, sizeof magic) == 0;
}

class SnappyEncoder final : public Encoder {
 public:
  Status compress(int, Bytes plain, Block& into) override {
    const MutableBytes header = into.room(stream_header_size);
    std::memcpy(header.data(), magic, sizeof magic);
    store_be(header.data() + 8, version);
    store_be(header.data() + 12, version);
    into.commit(stream_header_size);
    while (!plain.empty()) {
      const Bytes chunk = plain.first(std::min(plain.size(), plain_chunk_bytes_max));
      size_t size = snappy_max_compressed_length(chunk.size());
      const MutableBytes room = into.room(4 + size);
      if (snappy_compress(reinterpret_cast<const char*>(chunk.data()), chunk.size(), reinterpret_cast<char*>(room.data() + 4),
                          &size) != SNAPPY_OK)
        return Error(own_code::internal, "snappy: compression failed");
      store_be(room.data(), static_cast<int32_t>(size));
      into.commit(4 + size);
      plain = plain.subspan(chunk.size());
    }
    return {};
  }
};

class SnappyDecoder final : public Decoder {
 public:
  Status begin(Bytes compressed, int8_t) override {
    if (compressed.empty()) return damaged("snappy", "there is none");
    chunked_ = starts_with_magic(compressed);
    rest_ = chunked_ ? compressed.subspan(stream_header_size) : compressed;
    block_.clear();
    handed_out_ = 0;
    return {};
  }

  Result<size_t> read(MutableBytes into) override {
    for (;;) {
      if (handed_out_ < block_.size()) {
        const size_t size = std::min(into.size(), block_.size() - handed_out_);
        std::memcpy(into.data(), block_.bytes().data() + handed_out_, size);
        handed_out_ += size;
        return size;
      }
      Bytes chunk;
      KQ_TRY(take_chunk(chunk));
      if (chunk.empty()) return size_t{0};
      size_t size = 0;
      if (snappy_uncompressed_length(reinterpret_cast<const char*>(chunk.data()), chunk.size(), &size) != SNAPPY_OK ||
          size > chunk.size() * expansion_max)
        return damaged("snappy", "a block's length makes no sense");
      if (size <= into.size()) {
        KQ_TRY(uncompress(chunk, into.first(size)));
        if (size > 0) return size;
      } else {
        block_.clear();
        handed_out_ = 0;
        KQ_TRY(uncompress(chunk, block_.room(size).first(size)));
        block_.commit(size);
      }
    }
  }

 private:
  Status take_chunk(Bytes& chunk) {
    if (!chunked_) {
      chunk = std::exchange(rest_, Bytes{});
      return {};
    }
    while (starts_with_magic(rest_)) rest_ = rest_.subspan(stream_header_size);  // streams may follow each other
    if (rest_.size() < 4) return {};                                             // as Java: not enough for a size is the end
    const auto size = load_be<int32_t>(rest_.data());
    if (size <= 0 || static_cast<size_t>(size) > rest_.size() - 4) return damaged("snappy", "a chunk is longer than the data");
    chunk = rest_.subspan(4, static_cast<size_t>(size));
    rest_ = rest_.subspan(4 + static_cast<size_t>(size));
    return {};
  }

  Status uncompress(Bytes chunk, MutableBytes into) {
    size_t size = into.size();
    if (snappy_uncompress(reinterpret_cast<const char*>(chunk.data()), chunk.size(), reinterpret_cast<char*>(into.data()),
                          &size) != SNAPPY_OK ||
        size != into.size())
      return damaged("snappy", "a block cannot be read");
    return {};
  }

  Bytes rest_;
  bool chunked_ = false;
  Block block_;  // a block that was larger than the room for it
  size_t handed_out_ = 0;
};

}  // namespace

std::unique_ptr<Encoder> snappy_encoder() { return std::make_unique<SnappyEncoder>(); }
std::unique_ptr<Decoder> snappy_decoder() { return std::make_unique<SnappyDecoder>(); }

}  // namespace kq::codec
