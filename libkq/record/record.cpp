#include "libkq/record/record.hpp"

namespace kq {

const char* check_headers(const std::byte*& at, const std::byte* end, int32_t count) {
  if (count < 0 || count > end - at) return "a record's header count is negative, or larger than the bytes left";
  for (; count > 0; --count) {
    Bytes key, value;
    if (!read_nullable_bytes(at, end, key)) return "a header's key is longer than the record";
    if (key.data() == nullptr) return "a header's key is null";
    if (!read_nullable_bytes(at, end, value)) return "a header's value is longer than the record";
  }
  return nullptr;
}

}  // namespace kq
