#include <zlib.h>

#include "libkq/record/codecs.hpp"

namespace kq::codec {
namespace {

constexpr int window_bits = 15;
constexpr int gzip_wrapper = 16;  // zlib's way to ask for gzip's header and trailer
constexpr int memory_level = 8;
constexpr size_t member_bytes_min = 18;  // header and trailer

Bytef* bytef(const std::byte* at) { return reinterpret_cast<Bytef*>(const_cast<std::byte*>(at)); }
uInt chunk(size_t size) { return static_cast<uInt>(std::min<size_t>(size, 1u << 30)); }

class GzipEncoder final : public Encoder {
 public:
  ~GzipEncoder() override {
    if (ready_) deflateEnd(&stream_);
  }

  Status compress(int level, Bytes plain, Block& into) override {
    if (ready_ && level != level_) {
      deflateEnd(&stream_);
      ready_ = false;
    }
    if (!ready_) {
      stream_ = {};
      if (deflateInit2(&stream_, level, Z_DEFLATED, window_bits + gzip_wrapper, memory_level, Z_DEFAULT_STRATEGY) != Z_OK)
        return Error(own_code::no_memory, "gzip: no memory for a compressor");
      ready_ = true;
      level_ = level;
    } else {
      deflateReset(&stream_);
    }
    const MutableBytes room = into.room(deflateBound(&stream_, plain.size()));
    size_t written = 0;
    for (int answer = Z_OK; answer != Z_STREAM_END;) {
      stream_.next_in = bytef(plain.data());
      stream_.avail_in = chunk(plain.size());
      stream_.next_out = bytef(room.data() + written);
      stream_.avail_out = chunk(room.size() - written);
      answer = deflate(&stream_, stream_.avail_in == plain.size() ? Z_FINISH : Z_NO_FLUSH);
      if (answer != Z_OK && answer != Z_STREAM_END) return Error(own_code::internal, "gzip: deflate failed");
      plain = plain.subspan(static_cast<size_t>(reinterpret_cast<const std::byte*>(stream_.next_in) - plain.data()));
      written = static_cast<size_t>(reinterpret_cast<std::byte*>(stream_.next_out) - room.data());
    }
    into.commit(written);
    return {};
  }

 private:
  z_stream stream_{};
  bool ready_ = false;
  int level_ = 0;
};

class GzipDecoder final : public Decoder {
 public:
  ~GzipDecoder() override {
    if (ready_) inflateEnd(&stream_);
  }

  Status begin(Bytes compressed, int8_t) override {
    rest_ = compressed;
    ended_ = false;
    if (ready_) {
      inflateReset(&stream_);
      return {};
    }
    stream_ = {};
    if (inflateInit2(&stream_, window_bits + gzip_wrapper) != Z_OK)
      return Error(own_code::no_memory, "gzip: no memory for a decompressor");
    ready_ = true;
    return {};
  }

  Result<size_t> read(MutableBytes into) override {
    while (!ended_) {
      stream_.next_in = bytef(rest_.data());
      stream_.avail_in = chunk(rest_.size());
      stream_.next_out = bytef(into.data());
      stream_.avail_out = chunk(into.size());
      const uInt room = stream_.avail_out, given = stream_.avail_in;
      const int answer = inflate(&stream_, Z_NO_FLUSH);
      const size_t written = room - stream_.avail_out;
      rest_ = rest_.subspan(given - stream_.avail_in);
      if (answer == Z_STREAM_END) {
        ended_ = !another_member();
        inflateReset(&stream_);
      } else if (answer == Z_BUF_ERROR || (answer == Z_OK && written == 0 && rest_.empty())) {
        return damaged("gzip", "it ends too early");
      } else if (answer != Z_OK) {
        return damaged("gzip", stream_.msg != nullptr ? stream_.msg : "inflate failed");
      }
      if (written > 0) return written;
    }
    return size_t{0};
  }

 private:
  // Several members follow each other as one; whatever else follows is ignored.
  bool another_member() const {
    return rest_.size() >= member_bytes_min && rest_[0] == std::byte{0x1f} && rest_[1] == std::byte{0x8b} &&
           rest_[2] == std::byte{Z_DEFLATED} && (rest_[3] & std::byte{0xe0}) == std::byte{0};
  }

  z_stream stream_{};
  bool ready_ = false;
  bool ended_ = false;
  Bytes rest_;
};

}  // namespace

std::unique_ptr<Encoder> gzip_encoder() { return std::make_unique<GzipEncoder>(); }
std::unique_ptr<Decoder> gzip_decoder() { return std::make_unique<GzipDecoder>(); }

}  // namespace kq::codec
