// The lz4 frame as Kafka speaks it: independent blocks, and what wire.md calls refused is refused.  The frame is read and written
// here, over the library's block functions, because the library's own frame functions take and default to linked blocks, check
// what Java does not, and cannot read the header of format 0.
#include <lz4.h>
#include <lz4hc.h>

#include "libkq/record/codecs.hpp"

namespace kq::codec {
namespace {

constexpr uint32_t frame_magic = 0x184d2204;
constexpr size_t frame_header_size = 7;
constexpr uint8_t flag_version = 0x40, flag_version_mask = 0xc0;
constexpr uint8_t flag_independent = 0x20;
constexpr uint8_t flag_block_checksum = 0x10;
constexpr uint8_t flag_content_size = 0x08;
constexpr uint8_t flag_reserved = 0x03;
constexpr uint8_t block_64_kib = 0x40;
constexpr size_t block_bytes = 64 * 1024;
constexpr uint32_t stored_raw = 0x80000000;
constexpr int level_fast = 9;  // Java: the standard level stands for the fast compressor, all others for HC

uint32_t load_le32(const std::byte* at) {
  uint32_t word;
  std::memcpy(&word, at, sizeof word);
  return std::endian::native == std::endian::little ? word : byteswap(word);
}

void store_le32(std::byte* at, uint32_t word) {
  if constexpr (std::endian::native != std::endian::little) word = byteswap(word);
  std::memcpy(at, &word, sizeof word);
}

// xxHash, 32 bits, seed 0: the frame's check sum.
uint32_t xxh32(Bytes data) {
  constexpr uint32_t p1 = 2654435761u, p2 = 2246822519u, p3 = 3266489917u, p4 = 668265263u, p5 = 374761393u;
  const std::byte* at = data.data();
  size_t left = data.size();
  uint32_t hash = p5;
  if (left >= 16) {
    uint32_t lane[4] = {p1 + p2, p2, 0, 0 - p1};
    for (; left >= 16; left -= 16)
      for (uint32_t& value : lane) {
        value = std::rotl(value + load_le32(at) * p2, 13) * p1;
        at += 4;
      }
    hash = std::rotl(lane[0], 1) + std::rotl(lane[1], 7) + std::rotl(lane[2], 12) + std::rotl(lane[3], 18);
  }
  hash += static_cast<uint32_t>(data.size());
  for (; left >= 4; left -= 4, at += 4) hash = std::rotl(hash + load_le32(at) * p3, 17) * p4;
  for (; left > 0; --left, ++at) hash = std::rotl(hash + static_cast<uint8_t>(*at) * p5, 11) * p1;
  hash = (hash ^ hash >> 15) * p2;
  hash = (hash ^ hash >> 13) * p3;
  return hash ^ hash >> 16;
}

uint8_t header_checksum(Bytes descriptor) { return static_cast<uint8_t>(xxh32(descriptor) >> 8); }

class Lz4Encoder final : public Encoder {
 public:
  Status compress(int level, Bytes plain, Block& into) override {
    state_.room(static_cast<size_t>(level == level_fast ? LZ4_sizeofState() : LZ4_sizeofStateHC()));
    std::byte* const header = into.room(frame_header_size).data();
    store_le32(header, frame_magic);
    header[4] = std::byte{flag_version | flag_independent};
    header[5] = std::byte{block_64_kib};
    header[6] = std::byte{header_checksum({header + 4, 2})};
    into.commit(frame_header_size);
    while (!plain.empty()) {
      const Bytes block = plain.first(std::min(plain.size(), block_bytes));
      compress_block(level, block, into);
      plain = plain.subspan(block.size());
    }
    store_le32(into.room(4).data(), 0);
    into.commit(4);
    return {};
  }

 private:
  void compress_block(int level, Bytes block, Block& into) {
    const int size = static_cast<int>(block.size());
    std::byte* const to = into.room(4 + block.size()).data();
    const auto* source = reinterpret_cast<const char*>(block.data());
    auto* target = reinterpret_cast<char*>(to + 4);
    // One byte less than the block: what would not shrink does not fit, and is stored raw.
    const int written = level == level_fast
                            ? LZ4_compress_fast_extState(state_.memory().data(), source, target, size, size - 1, 1)
                            : LZ4_compress_HC_extStateHC(state_.memory().data(), source, target, size, size - 1, level);
    if (written > 0) {
      store_le32(to, static_cast<uint32_t>(written));
      into.commit(4 + static_cast<size_t>(written));
      return;
    }
    store_le32(to, static_cast<uint32_t>(size) | stored_raw);
    std::memcpy(to + 4, block.data(), block.size());
    into.commit(4 + block.size());
  }

  Block state_;
};

class Lz4Decoder final : public Decoder {
 public:
  Status begin(Bytes compressed, int8_t format) override {
    rest_ = compressed;
    block_.clear();
    handed_out_ = 0;
    ended_ = false;
    if (rest_.size() < frame_header_size) return damaged("lz4", "it ends too early");
    if (load_le32(rest_.data()) != frame_magic) return damaged("lz4", "it is no frame");
    flags_ = static_cast<uint8_t>(rest_[4]);
    const auto sizes = static_cast<uint8_t>(rest_[5]);
    if ((flags_ & flag_version_mask) != flag_version || (flags_ & flag_reserved) != 0) return damaged("lz4", "unknown flags");
    if ((flags_ & flag_independent) == 0) return damaged("lz4", "its blocks are linked, which Kafka does not read");
    const int size_code = sizes >> 4;
    if ((sizes & 0x8f) != 0 || size_code < 4) return damaged("lz4", "unknown block size");
    block_bytes_max_ = size_t{1} << (8 + 2 * size_code);
    const size_t descriptor = (flags_ & flag_content_size) != 0 ? 10 : 2;
    if (rest_.size() < 4 + descriptor + 1) return damaged("lz4", "it ends too early");
    // Format 0 computed it over the magic number as well; nobody checks that.
    if (format > 0 && header_checksum(rest_.subspan(4, descriptor)) != static_cast<uint8_t>(rest_[4 + descriptor]))
      return damaged("lz4", "the header's check sum is wrong");
    rest_ = rest_.subspan(4 + descriptor + 1);
    return {};
  }

  Result<size_t> read(MutableBytes into) override {
    while (!ended_) {
      if (handed_out_ < block_.size()) {
        const size_t size = std::min(into.size(), block_.size() - handed_out_);
        std::memcpy(into.data(), block_.bytes().data() + handed_out_, size);
        handed_out_ += size;
        return size;
      }
      if (into.size() >= block_bytes_max_) {
        KQ_TRY_ASSIGN(const size_t size, read_block(into.first(block_bytes_max_)));
        if (size > 0) return size;
      } else {
        block_.clear();
        handed_out_ = 0;
        KQ_TRY_ASSIGN(const size_t size, read_block(block_.room(block_bytes_max_).first(block_bytes_max_)));
        block_.commit(size);
      }
    }
    return size_t{0};
  }

 private:
  // One block into `into`, which has room for the largest; sets ended_ at the end mark, after which nothing is looked at.
  Result<size_t> read_block(MutableBytes into) {
    if (rest_.size() < 4) return damaged("lz4", "it ends without an end mark");
    const uint32_t word = load_le32(rest_.data());
    const size_t size = word & ~stored_raw;
    rest_ = rest_.subspan(4);
    if (size == 0) {
      ended_ = true;
      return size_t{0};
    }
    if (size > block_bytes_max_) return damaged("lz4", "a block is larger than the frame allows");
    const size_t checksum_size = (flags_ & flag_block_checksum) != 0 ? 4 : 0;
    if (rest_.size() < size + checksum_size) return damaged("lz4", "it ends inside a block");
    const Bytes block = rest_.first(size);
    if (checksum_size != 0 && xxh32(block) != load_le32(rest_.data() + size))
      return damaged("lz4", "a block's check sum is wrong");
    rest_ = rest_.subspan(size + checksum_size);
    if ((word & stored_raw) != 0) {
      std::memcpy(into.data(), block.data(), size);
      return size;
    }
    const int written = LZ4_decompress_safe(reinterpret_cast<const char*>(block.data()), reinterpret_cast<char*>(into.data()),
                                            static_cast<int>(size), static_cast<int>(into.size()));
    if (written < 0) return damaged("lz4", "a block cannot be read");
    return static_cast<size_t>(written);
  }

  Bytes rest_;
  uint8_t flags_ = 0;
  size_t block_bytes_max_ = block_bytes;
  bool ended_ = false;
  Block block_;  // a block that was larger than the room for it
  size_t handed_out_ = 0;
};

}  // namespace

std::unique_ptr<Encoder> lz4_encoder() { return std::make_unique<Lz4Encoder>(); }
std::unique_ptr<Decoder> lz4_decoder() { return std::make_unique<Lz4Decoder>(); }

}  // namespace kq::codec
