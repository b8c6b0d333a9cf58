// Integers of variable length: groups of seven bits, lowest first, signed ones folded by zigzag so that small means short.
#pragma once

#include <bit>

#include "libkq/base/bytes.hpp"

namespace kq {

constexpr size_t varint_bytes_max = 5;
constexpr size_t varlong_bytes_max = 10;

constexpr uint32_t zigzag(int32_t n) { return (static_cast<uint32_t>(n) << 1) ^ static_cast<uint32_t>(n >> 31); }
constexpr uint64_t zigzag(int64_t n) { return (static_cast<uint64_t>(n) << 1) ^ static_cast<uint64_t>(n >> 63); }
constexpr int32_t unzigzag(uint32_t n) { return static_cast<int32_t>((n >> 1) ^ (0 - (n & 1))); }
constexpr int64_t unzigzag(uint64_t n) { return static_cast<int64_t>((n >> 1) ^ (0 - (n & 1))); }

// Seven bits a byte: bits * 9 / 64, rounded up, is bits / 7, rounded up, for every count from 1 to 64.
constexpr size_t uvarint_size(uint64_t n) { return (static_cast<size_t>(std::bit_width(n | 1)) * 9 + 64) / 64; }
constexpr size_t varint_size(int32_t n) { return uvarint_size(zigzag(n)); }
constexpr size_t varlong_size(int64_t n) { return uvarint_size(zigzag(n)); }

// Writers want uvarint_size bytes at `to`, which the caller has seen to, and answer where the next byte goes.
inline std::byte* write_uvarint(std::byte* to, uint64_t n) {
  while (n >= 0x80) {
    *to++ = static_cast<std::byte>(n | 0x80);
    n >>= 7;
  }
  *to++ = static_cast<std::byte>(n);
  return to;
}
inline std::byte* write_varint(std::byte* to, int32_t n) { return write_uvarint(to, zigzag(n)); }
inline std::byte* write_varlong(std::byte* to, int64_t n) { return write_uvarint(to, zigzag(n)); }

// Readers move `at`, never to or past `end`.  False: the bytes ended first, or the number is longer than its type can be.
// Bits of the last byte that the type has no room for are dropped, as Java drops them.
template <class Unsigned>
inline bool read_uvarint(const std::byte*& at, const std::byte* end, Unsigned& out) {
  if (at == end) return false;
  Unsigned value = static_cast<uint8_t>(*at++);
  if (value < 0x80) [[likely]] {
    out = value;
    return true;
  }
  value &= 0x7f;
  for (unsigned shift = 7; shift < sizeof(Unsigned) * 8; shift += 7) {
    if (at == end) return false;
    const auto byte = static_cast<uint8_t>(*at++);
    value |= static_cast<Unsigned>(byte & 0x7f) << shift;
    if (byte < 0x80) {
      out = value;
      return true;
    }
  }
  return false;
}
inline bool read_varint(const std::byte*& at, const std::byte* end, int32_t& out) {
  uint32_t folded;
  if (!read_uvarint(at, end, folded)) return false;
  out = unzigzag(folded);
  return true;
}
inline bool read_varlong(const std::byte*& at, const std::byte* end, int64_t& out) {
  uint64_t folded;
  if (!read_uvarint(at, end, folded)) return false;
  out = unzigzag(folded);
  return true;
}

}  // namespace kq
