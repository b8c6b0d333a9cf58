// Which partition a key goes to: the same one as with Kafka's Java producer.
#pragma once

#include "libkq/base/bytes.hpp"

namespace kq {

inline int32_t murmur2(Bytes data) {
  constexpr uint32_t m = 0x5bd1e995;
  constexpr int r = 24;
  const auto* at = reinterpret_cast<const uint8_t*>(data.data());
  size_t left = data.size();
  uint32_t h = 0x9747b28c ^ static_cast<uint32_t>(left);
  for (; left >= 4; at += 4, left -= 4) {
    uint32_t k = at[0] | at[1] << 8 | at[2] << 16 | static_cast<uint32_t>(at[3]) << 24;
    k *= m;
    k ^= k >> r;
    k *= m;
    h *= m;
    h ^= k;
  }
  if (left > 0) {
    if (left > 2) h ^= static_cast<uint32_t>(at[2]) << 16;
    if (left > 1) h ^= static_cast<uint32_t>(at[1]) << 8;
    h ^= at[0];
    h *= m;
  }
  h ^= h >> 13;
  h *= m;
  h ^= h >> 15;
  return static_cast<int32_t>(h);
}

// partitions > 0: all of the topic's, available or not, so that a key stays where it is.
inline int32_t partition_for_key(Bytes key, int32_t partitions) { return (murmur2(key) & 0x7fffffff) % partitions; }

}  // namespace kq
