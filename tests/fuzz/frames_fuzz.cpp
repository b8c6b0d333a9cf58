// A stream of bytes as a broker meets it: cut into frames, each read as a request.  The first byte is the size of the pieces in
// which it arrives.
#include <algorithm>
#include <cstdlib>

#include "tests/wire/registry.hpp"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace kq;
  if (size < 1) return 0;
  constexpr size_t frame_bytes_max = 1 << 20;
  constexpr size_t capacity_max = frame_size_bytes + frame_bytes_max + 4096;      // the longest frame, and room for a read
  const size_t step = data[0] + size_t{1};
  Bytes stream = std::as_bytes(std::span{data + 1, size - 1});
  FrameBuffer buffer{frame_bytes_max};
  while (!stream.empty()) {
    const size_t part = std::min(step, stream.size());
    buffer.append(stream.first(part));
    stream = stream.subspan(part);
    for (;;) {
      const auto frame = buffer.next();
      if (!frame) return 0;
      if (!*frame) break;
      const auto request = read_request(**frame);
      if (!request) continue;
      const Entry* entry = find_api(static_cast<int16_t>(request->api()), "request");
      if (entry == nullptr) std::abort();              // every api of the table has a message
      entry->read(request->body, request->version());
    }
    if (buffer.capacity_bytes() > capacity_max) std::abort();
  }
  return 0;
}
