// Frames: an int32 size, a header, a message.
#pragma once

#include <algorithm>
#include <memory>

#include "libkq/base/result.hpp"
#include "libkq/protocol/apis.hpp"
#include "libkq/protocol/messages/headers.hpp"
#include "libkq/protocol/wire.hpp"

namespace kq {

constexpr size_t frame_size_bytes = 4;                   // the int32 in front; it does not count itself
constexpr size_t frame_bytes_max_default = 104857600;    // socket.request.max.bytes

// Cuts a stream of bytes into frames.  The owner reads into space(), says how much came by filled(), and takes frames by next()
// until there is none.  Memory follows what has arrived, never what a length promises.  One thread at a time.
class FrameBuffer {
 public:
  explicit FrameBuffer(size_t frame_bytes_max = frame_bytes_max_default) : frame_bytes_max_(frame_bytes_max) {}

  // Where the next read may write; never empty, valid until the next call of space() or release().  Frames given before are gone
  // then, unless share() keeps them.
  MutableBytes space();
  void filled(size_t bytes) { end_ += bytes; }
  void append(Bytes);                                    // for bytes that were read elsewhere

  // The next whole frame, without its size.  An error (own_code::protocol): its size is not above 0, or above the limit; nothing
  // after it can be read.
  Result<std::optional<Bytes>> next();

  // Keeps every frame given since the last space() alive for as long as the answer is held.
  std::shared_ptr<std::byte[]> share() {
    shared_ = true;
    return block_;
  }
  size_t buffered_bytes() const { return end_ - begin_; }  // arrived and not yet given
  // What the frame in front says of its size; 0 where it does not say yet, or nonsense.
  size_t claimed_bytes() const { return static_cast<size_t>(std::max(size_in_front().value_or(0), 0)); }
  size_t capacity_bytes() const { return capacity_; }
  // Gives the memory back, where no part of a frame is held in it: what an idle connection does.
  void release();

 private:
  void move_to(size_t capacity);
  std::optional<int32_t> size_in_front() const;

  size_t frame_bytes_max_;
  std::shared_ptr<std::byte[]> block_;
  size_t capacity_ = 0, begin_ = 0, end_ = 0;
  bool shared_ = false;                                  // somebody else reads the block: it is not written before end_ any more
};

// Version of the header in front of a request: it has a tagged section where the request is flexible.
template <class Request>
constexpr int16_t request_header_version(int16_t version) { return version >= Request::flexible ? 2 : 1; }
// ApiVersions answers in the oldest form always, so that a client can read an answer of a version that it does not know.
template <class Response>
constexpr int16_t response_header_version(int16_t version) {
  return version >= Response::flexible && Response::key != static_cast<int16_t>(ApiKey::api_versions) ? 1 : 0;
}

struct RequestFrame {
  RequestHeader header;                                  // a null client id is given as null; it means the empty one
  Bytes body;

  ApiKey api() const { return ApiKey{header.request_api_key}; }
  int16_t version() const { return header.request_api_version; }
};
// Reads a request's header.  An api that nobody knows, or a header that cannot be read: nothing, and the connection is to be
// closed.  Whether the version is one that is served is the caller's question.
std::optional<RequestFrame> read_request(Bytes frame);

struct ResponseFrame {
  int32_t correlation_id;
  Bytes body;
};
std::optional<ResponseFrame> read_response(Bytes frame, int16_t header_version);

namespace frame_detail {
bool begin(std::vector<std::byte>& to, const RequestHeader&, int16_t header_version);
bool begin(std::vector<std::byte>& to, const ResponseHeader&, int16_t header_version);
}  // namespace frame_detail

// Writes a whole frame, its size included, behind what `to` holds (one frame an Encoded, usually).  False: the message cannot be said
// in this version, or is above 2 GiB; `to` is as it was.
template <class Message, class Header>
[[nodiscard]] bool encode_frame(const Header& header, int16_t header_version, const Message& message, int16_t version,
                                Encoded& to) {
  const size_t at = to.bytes.size(), splices = to.splices.size(), before = to.size();
  if (frame_detail::begin(to.bytes, header, header_version) && encode(message, version, to)) {
    const size_t size = to.size() - before - frame_size_bytes;
    if (size <= static_cast<size_t>(std::numeric_limits<int32_t>::max())) {
      store_be(to.bytes.data() + at, static_cast<int32_t>(size));
      return true;
    }
  }
  to.bytes.resize(at), to.splices.resize(splices);
  return false;
}

template <class Request>
[[nodiscard]] bool encode_request(const Request& request, int16_t version, int32_t correlation_id, std::string_view client_id,
                                  Encoded& to) {
  RequestHeader header;
  header.request_api_key = Request::key;
  header.request_api_version = version;
  header.correlation_id = correlation_id;
  header.client_id = client_id;
  return encode_frame(header, request_header_version<Request>(version), request, version, to);
}

template <class Response>
[[nodiscard]] bool encode_response(const Response& response, int16_t version, int32_t correlation_id, Encoded& to) {
  ResponseHeader header;
  header.correlation_id = correlation_id;
  return encode_frame(header, response_header_version<Response>(version), response, version, to);
}

}  // namespace kq
