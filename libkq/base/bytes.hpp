// Spans of bytes, and big-endian integers in them.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <type_traits>

namespace kq {

using Bytes = std::span<const std::byte>;         // borrowed; the owner is named where one is kept
using MutableBytes = std::span<std::byte>;

inline Bytes as_bytes(std::string_view text) { return std::as_bytes(std::span{text.data(), text.size()}); }
inline std::string_view as_text(Bytes bytes) { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }

template <class Int>
Int byteswap(Int value) {
  using Unsigned = std::make_unsigned_t<Int>;
  auto bits = static_cast<Unsigned>(value);
  if constexpr (sizeof(Int) == 2) bits = __builtin_bswap16(bits);
  if constexpr (sizeof(Int) == 4) bits = __builtin_bswap32(bits);
  if constexpr (sizeof(Int) == 8) bits = __builtin_bswap64(bits);
  return static_cast<Int>(bits);
}

// The caller has checked that sizeof(Int) bytes are there.
template <class Int>
Int load_be(const std::byte* from) {
  Int value;
  std::memcpy(&value, from, sizeof value);
  return std::endian::native == std::endian::little ? byteswap(value) : value;
}

template <class Int>
void store_be(std::byte* to, Int value) {
  if constexpr (std::endian::native == std::endian::little) value = byteswap(value);
  std::memcpy(to, &value, sizeof value);
}

}  // namespace kq
