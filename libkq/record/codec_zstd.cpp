#include <zstd.h>

#include "libkq/record/codecs.hpp"

namespace kq::codec {
namespace {

// A frame may ask for a window of 128 MiB; a context that grew for one is not kept.
constexpr size_t context_bytes_kept_max = size_t{16} << 20;

class ZstdEncoder final : public Encoder {
 public:
  ~ZstdEncoder() override { ZSTD_freeCCtx(context_); }

  Status compress(int level, Bytes plain, Block& into) override {
    if (context_ == nullptr && (context_ = ZSTD_createCCtx()) == nullptr)
      return Error(own_code::no_memory, "zstd: no memory for a compressor");
    ZSTD_CCtx_setParameter(context_, ZSTD_c_compressionLevel, level);
    ZSTD_CCtx_setParameter(context_, ZSTD_c_contentSizeFlag, 0);  // as Java, which streams, leaves it out
    const MutableBytes room = into.room(ZSTD_compressBound(plain.size()));
    const size_t written = ZSTD_compress2(context_, room.data(), room.size(), plain.data(), plain.size());
    if (ZSTD_isError(written)) return Error(own_code::internal, std::string("zstd: ") + ZSTD_getErrorName(written));
    into.commit(written);
    if (ZSTD_sizeof_CCtx(context_) > context_bytes_kept_max) ZSTD_freeCCtx(std::exchange(context_, nullptr));
    return {};
  }

 private:
  ZSTD_CCtx* context_ = nullptr;
};

class ZstdDecoder final : public Decoder {
 public:
  ~ZstdDecoder() override { ZSTD_freeDCtx(context_); }

  Status begin(Bytes compressed, int8_t) override {
    if (context_ != nullptr && ZSTD_sizeof_DCtx(context_) > context_bytes_kept_max)
      ZSTD_freeDCtx(std::exchange(context_, nullptr));
    if (context_ == nullptr && (context_ = ZSTD_createDCtx()) == nullptr)
      return Error(own_code::no_memory, "zstd: no memory for a decompressor");
    ZSTD_DCtx_reset(context_, ZSTD_reset_session_only);
    rest_ = compressed;
    inside_frame_ = false;
    return {};
  }

  // Frame after frame; between two of them the data may end.
  Result<size_t> read(MutableBytes into) override {
    ZSTD_outBuffer out{into.data(), into.size(), 0};
    while (!rest_.empty() || inside_frame_) {
      ZSTD_inBuffer in{rest_.data(), rest_.size(), 0};
      const size_t left = ZSTD_decompressStream(context_, &out, &in);
      if (ZSTD_isError(left)) return damaged("zstd", ZSTD_getErrorName(left));
      const bool progress = in.pos > 0 || out.pos > 0;
      rest_ = rest_.subspan(in.pos);
      inside_frame_ = left != 0;
      if (out.pos > 0) return out.pos;
      if (!progress) return damaged("zstd", "it ends too early");
    }
    return size_t{0};
  }

 private:
  ZSTD_DCtx* context_ = nullptr;
  Bytes rest_;
  bool inside_frame_ = false;
};

}  // namespace

std::unique_ptr<Encoder> zstd_encoder() { return std::make_unique<ZstdEncoder>(); }
std::unique_ptr<Decoder> zstd_decoder() { return std::make_unique<ZstdDecoder>(); }

}  // namespace kq::codec
