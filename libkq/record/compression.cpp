#include "libkq/record/compression.hpp"

#include "libkq/record/codecs.hpp"

namespace kq {
namespace {

constexpr std::string_view names[] = {"none", "gzip", "snappy", "lz4", "zstd"};

Error too_large(size_t bytes_max) {
  return {record_code::message_too_large,
          "the batch decompresses to more than decompressed_bytes_max (" + std::to_string(bytes_max) + " bytes)"};
}

class PlainDecoder final : public codec::Decoder {
 public:
  Status begin(Bytes compressed, int8_t) override {
    rest_ = compressed;
    return {};
  }
  Result<size_t> read(MutableBytes into) override {
    const size_t size = std::min(into.size(), rest_.size());
    if (size > 0) std::memcpy(into.data(), rest_.data(), size);
    rest_ = rest_.subspan(size);
    return size;
  }

 private:
  Bytes rest_;
};

std::unique_ptr<codec::Encoder> new_encoder(Codec codec) {
  switch (codec) {
    case Codec::gzip: return codec::gzip_encoder();
    case Codec::snappy: return codec::snappy_encoder();
    case Codec::lz4: return codec::lz4_encoder();
    case Codec::zstd: return codec::zstd_encoder();
    default: return nullptr;
  }
}

std::unique_ptr<codec::Decoder> new_decoder(Codec codec) {
  switch (codec) {
    case Codec::none: return std::make_unique<PlainDecoder>();
    case Codec::gzip: return codec::gzip_decoder();
    case Codec::snappy: return codec::snappy_decoder();
    case Codec::lz4: return codec::lz4_decoder();
    case Codec::zstd: return codec::zstd_decoder();
  }
  return nullptr;
}

}  // namespace

std::string_view codec_name(Codec codec) {
  const auto id = static_cast<size_t>(codec);
  return id < std::size(names) ? names[id] : "unknown";
}

std::optional<Codec> codec_named(std::string_view name) {
  for (size_t id = 0; id < std::size(names); ++id)
    if (names[id] == name) return static_cast<Codec>(id);
  return std::nullopt;
}

CodecLevels codec_levels(Codec codec) {
  switch (codec) {
    case Codec::gzip: return {1, 9, -1};
    case Codec::lz4: return {1, 17, 9};
    case Codec::zstd: return {-131072, 22, 3};
    default: return {0, 0, 0};
  }
}

Compressor::Compressor() = default;
Compressor::~Compressor() = default;
Compressor::Compressor(Compressor&&) noexcept = default;
Compressor& Compressor::operator=(Compressor&&) noexcept = default;

Status Compressor::compress(Codec codec, int level, Bytes plain, Block& into) {
  if (codec == Codec::none) {
    into.append(plain);
    return {};
  }
  if (static_cast<int8_t>(codec) < 0 || static_cast<int8_t>(codec) > codec_max)
    return Error(own_code::argument, "no such codec: " + std::to_string(static_cast<int>(codec)));
  const CodecLevels levels = codec_levels(codec);
  if (codec != Codec::snappy && !levels.has(level))
    return Error(own_code::argument, "compression level " + std::to_string(level) + " of " + std::string(codec_name(codec)) +
                                         " lies outside " + std::to_string(levels.least) + " to " + std::to_string(levels.most));
  auto& encoder = encoders_[static_cast<size_t>(codec)];
  if (!encoder) encoder = new_encoder(codec);
  return encoder->compress(level, plain, into);
}

Decompressor::Decompressor() = default;
Decompressor::~Decompressor() = default;
Decompressor::Decompressor(Decompressor&&) noexcept = default;
Decompressor& Decompressor::operator=(Decompressor&&) noexcept = default;

Status Decompressor::select(Codec codec, Bytes compressed, int8_t format) {
  const auto id = static_cast<int>(codec);
  if (id < 0 || id > codec_max) return Error(own_code::data, "no such codec: " + std::to_string(id));
  auto& decoder = decoders_[static_cast<size_t>(id)];
  if (!decoder) decoder = new_decoder(codec);
  decoder_ = decoder.get();
  return decoder_->begin(compressed, format);
}

Status Decompressor::decompress(Codec codec, Bytes compressed, Block& into, size_t bytes_max, int8_t format) {
  KQ_TRY(select(codec, compressed, format));
  // A first guess of four to one; beyond it the room doubles.  Only what the data really yields is ever paid for.
  const size_t guess = std::clamp(compressed.size() * 4, piece_bytes_max, std::max(bytes_max, piece_bytes_max));
  for (size_t total = 0, room = guess;; room = piece_bytes_max) {
    Result<size_t> read = decoder_->read(into.room(room));
    if (!read) return std::move(read.error());
    if (*read == 0) return {};
    into.commit(*read);
    total += *read;
    if (total > bytes_max) return too_large(bytes_max);
  }
}

Status Decompressor::begin(Codec codec, Bytes compressed, size_t bytes_max, int8_t format) {
  bytes_max_ = bytes_max;
  bytes_given_ = 0;
  return select(codec, compressed, format);
}

Result<Bytes> Decompressor::next() {
  piece_.clear();
  const MutableBytes room = piece_.room(piece_bytes_max);
  Result<size_t> read = decoder_->read(room.first(piece_bytes_max));
  if (!read) return std::move(read.error());
  bytes_given_ += *read;
  if (bytes_given_ > bytes_max_) return too_large(bytes_max_);
  return Bytes{room.first(*read)};
}

}  // namespace kq
