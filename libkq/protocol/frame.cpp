#include "libkq/protocol/frame.hpp"

#include <algorithm>

namespace kq {
namespace {

constexpr size_t space_bytes_min = 4096;                 // what a read is offered at least
constexpr size_t block_bytes_min = 16384;
// A frame up to this long, one batch of the usual largest size, gets its room at once.  (Room that nobody writes to takes no memory.)
constexpr size_t trusted_bytes = (1 << 20) + (64 << 10);

}  // namespace

std::optional<int32_t> FrameBuffer::size_in_front() const {
  if (end_ - begin_ < frame_size_bytes) return std::nullopt;
  return load_be<int32_t>(block_.get() + begin_);
}

MutableBytes FrameBuffer::space() {
  const size_t held = end_ - begin_;
  size_t wanted = space_bytes_min;                       // for a longer frame: as much again as has come, up to its end
  if (const auto size = size_in_front(); size && *size > 0 && static_cast<size_t>(*size) <= frame_bytes_max_) {
    const size_t whole = frame_size_bytes + static_cast<size_t>(*size);
    if (whole > held) wanted = std::max(wanted, std::min(whole - held, std::max(held, trusted_bytes)));
  }
  if (held == 0 && !shared_) begin_ = end_ = 0;
  if (shared_ || capacity_ - end_ < wanted) move_to(std::max(held + wanted, block_bytes_min));
  return {block_.get() + end_, capacity_ - end_};
}

void FrameBuffer::move_to(size_t capacity) {
  const size_t held = end_ - begin_;
  if (!shared_ && capacity <= capacity_) {
    std::memmove(block_.get(), block_.get() + begin_, held);
  } else {
    auto block = std::make_shared_for_overwrite<std::byte[]>(capacity);
    if (held > 0) std::memcpy(block.get(), block_.get() + begin_, held);
    block_ = std::move(block);
    capacity_ = capacity;
    shared_ = false;
  }
  begin_ = 0;
  end_ = held;
}

void FrameBuffer::append(Bytes bytes) {
  while (!bytes.empty()) {
    const MutableBytes into = space();
    const size_t part = std::min(into.size(), bytes.size());
    std::memcpy(into.data(), bytes.data(), part);
    filled(part);
    bytes = bytes.subspan(part);
  }
}

Result<std::optional<Bytes>> FrameBuffer::next() {
  const auto size = size_in_front();
  if (!size) return std::optional<Bytes>{};
  if (*size <= 0 || static_cast<size_t>(*size) > frame_bytes_max_) {
    return Error{own_code::protocol, "a frame of " + std::to_string(*size) + " bytes: the peer does not speak Kafka's protocol, " +
                                         "or sends more than the " + std::to_string(frame_bytes_max_) + " bytes that are allowed"};
  }
  const size_t whole = frame_size_bytes + static_cast<size_t>(*size);
  if (end_ - begin_ < whole) return std::optional<Bytes>{};
  const Bytes frame{block_.get() + begin_ + frame_size_bytes, static_cast<size_t>(*size)};
  begin_ += whole;
  return std::optional{frame};
}

void FrameBuffer::release() {
  if (begin_ != end_) return;
  block_.reset();
  capacity_ = begin_ = end_ = 0;
  shared_ = false;
}

std::optional<RequestFrame> read_request(Bytes frame) {
  if (frame.size() < 4) return std::nullopt;
  const ApiInfo* api = api_info(ApiKey{load_be<int16_t>(frame.data())});
  if (api == nullptr) return std::nullopt;
  const bool flexible = load_be<int16_t>(frame.data() + 2) >= api->flexible;
  Reader wire{frame, static_cast<int16_t>(flexible ? 2 : 1), flexible};
  RequestFrame request;
  RequestHeader::fields(request.header, wire);
  request.body = wire.rest();
  if (!wire.ok()) return std::nullopt;
  return request;
}

std::optional<ResponseFrame> read_response(Bytes frame, int16_t header_version) {
  Reader wire{frame, header_version, header_version >= ResponseHeader::flexible};
  ResponseHeader header;
  ResponseHeader::fields(header, wire);
  if (!wire.ok()) return std::nullopt;
  return ResponseFrame{header.correlation_id, wire.rest()};
}

namespace {
template <class Header>
bool begin_frame(std::vector<std::byte>& to, const Header& header, int16_t version) {
  to.resize(to.size() + frame_size_bytes);
  return encode(header, version, to);
}
}  // namespace

bool frame_detail::begin(std::vector<std::byte>& to, const RequestHeader& header, int16_t version) {
  return begin_frame(to, header, version);
}
bool frame_detail::begin(std::vector<std::byte>& to, const ResponseHeader& header, int16_t version) {
  return begin_frame(to, header, version);
}

}  // namespace kq
