#include "broker/group/xxh3.hpp"

#include <array>
#include <bit>

namespace kq::group {
namespace {

// After the specification of xxHash.  Numbers are little-endian, whatever the machine.
constexpr uint64_t prime32_1 = 0x9E3779B1, prime32_2 = 0x85EBCA77, prime32_3 = 0xC2B2AE3D;
constexpr uint64_t prime64_1 = 0x9E3779B185EBCA87, prime64_2 = 0xC2B2AE3D27D4EB4F, prime64_3 = 0x165667B19E3779F9,
                   prime64_4 = 0x85EBCA77C2B2AE63, prime64_5 = 0x27D4EB2F165667C5;
constexpr uint64_t prime_mx1 = 0x165667919E3779F9, prime_mx2 = 0x9FB21C651E98DF25;

constexpr size_t stripe = 64, block = 1024, secret_size = 192;
constexpr unsigned char secret_octets[secret_size] = {
    0xb8, 0xfe, 0x6c, 0x39, 0x23, 0xa4, 0x4b, 0xbe, 0x7c, 0x01, 0x81, 0x2c, 0xf7, 0x21, 0xad, 0x1c, 0xde, 0xd4, 0x6d, 0xe9, 0x83, 0x90, 0x97, 0xdb,
    0x72, 0x40, 0xa4, 0xa4, 0xb7, 0xb3, 0x67, 0x1f, 0xcb, 0x79, 0xe6, 0x4e, 0xcc, 0xc0, 0xe5, 0x78, 0x82, 0x5a, 0xd0, 0x7d, 0xcc, 0xff, 0x72, 0x21,
    0xb8, 0x08, 0x46, 0x74, 0xf7, 0x43, 0x24, 0x8e, 0xe0, 0x35, 0x90, 0xe6, 0x81, 0x3a, 0x26, 0x4c, 0x3c, 0x28, 0x52, 0xbb, 0x91, 0xc3, 0x00, 0xcb,
    0x88, 0xd0, 0x65, 0x8b, 0x1b, 0x53, 0x2e, 0xa3, 0x71, 0x64, 0x48, 0x97, 0xa2, 0x0d, 0xf9, 0x4e, 0x38, 0x19, 0xef, 0x46, 0xa9, 0xde, 0xac, 0xd8,
    0xa8, 0xfa, 0x76, 0x3f, 0xe3, 0x9c, 0x34, 0x3f, 0xf9, 0xdc, 0xbb, 0xc7, 0xc7, 0x0b, 0x4f, 0x1d, 0x8a, 0x51, 0xe0, 0x4b, 0xcd, 0xb4, 0x59, 0x31,
    0xc8, 0x9f, 0x7e, 0xc9, 0xd9, 0x78, 0x73, 0x64, 0xea, 0xc5, 0xac, 0x83, 0x34, 0xd3, 0xeb, 0xc3, 0xc5, 0x81, 0xa0, 0xff, 0xfa, 0x13, 0x63, 0xeb,
    0x17, 0x0d, 0xdd, 0x51, 0xb7, 0xf0, 0xda, 0x49, 0xd3, 0x16, 0x55, 0x26, 0x29, 0xd4, 0x68, 0x9e, 0x2b, 0x16, 0xbe, 0x58, 0x7d, 0x47, 0xa1, 0xfc,
    0x8f, 0xf8, 0xb8, 0xd1, 0x7a, 0xd0, 0x31, 0xce, 0x45, 0xcb, 0x3a, 0x8f, 0x95, 0x16, 0x04, 0x28, 0xaf, 0xd7, 0xfb, 0xca, 0xbb, 0x4b, 0x40, 0x7e,
};
const std::byte* const secret = reinterpret_cast<const std::byte*>(secret_octets);

template <class Int>
uint64_t load(const std::byte* from) {
  Int value;
  std::memcpy(&value, from, sizeof value);
  return std::endian::native == std::endian::little ? value : byteswap(value);
}
uint64_t load32(const std::byte* from) { return load<uint32_t>(from); }
uint64_t load64(const std::byte* from) { return load<uint64_t>(from); }

// Both halves of the product of 128 bits, by exclusive or.
uint64_t folded_product(uint64_t a, uint64_t b) {
  const auto product = static_cast<unsigned __int128>(a) * b;
  return static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
}

uint64_t mixed(const std::byte* bytes, const std::byte* key) {
  return folded_product(load64(bytes) ^ load64(key), load64(bytes + 8) ^ load64(key + 8));
}

uint64_t avalanche(uint64_t hash) {
  hash ^= hash >> 37;
  hash *= prime_mx1;
  return hash ^ (hash >> 32);
}

uint64_t avalanche_of_xxh64(uint64_t hash) {
  hash ^= hash >> 33;
  hash *= prime64_2;
  hash ^= hash >> 29;
  hash *= prime64_3;
  return hash ^ (hash >> 32);
}

uint64_t up_to_16(const std::byte* in, size_t size) {
  if (size == 0) return avalanche_of_xxh64(load64(secret + 56) ^ load64(secret + 64));
  if (size < 4) {
    const auto octet = [in](size_t at) { return static_cast<uint64_t>(in[at]); };
    const uint64_t combined = octet(0) << 16 | octet(size >> 1) << 24 | octet(size - 1) | uint64_t{size} << 8;
    return avalanche_of_xxh64(combined ^ load32(secret) ^ load32(secret + 4));
  }
  if (size <= 8) {
    uint64_t hash = (load32(in + size - 4) + (load32(in) << 32)) ^ load64(secret + 8) ^ load64(secret + 16);
    hash ^= std::rotl(hash, 49) ^ std::rotl(hash, 24);
    hash *= prime_mx2;
    hash ^= (hash >> 35) + size;
    hash *= prime_mx2;
    return hash ^ (hash >> 28);
  }
  const uint64_t low = load64(in) ^ load64(secret + 24) ^ load64(secret + 32);
  const uint64_t high = load64(in + size - 8) ^ load64(secret + 40) ^ load64(secret + 48);
  return avalanche(size + byteswap(low) + high + folded_product(low, high));
}

// From both ends to the middle.
uint64_t up_to_128(const std::byte* in, size_t size) {
  uint64_t sum = size * prime64_1;
  for (size_t i = (size - 1) / 32 + 1; i-- > 0;)
    sum += mixed(in + 16 * i, secret + 32 * i) + mixed(in + size - 16 * (i + 1), secret + 32 * i + 16);
  return avalanche(sum);
}

uint64_t up_to_240(const std::byte* in, size_t size) {
  uint64_t sum = size * prime64_1;
  for (size_t i = 0; i < 8; ++i) sum += mixed(in + 16 * i, secret + 16 * i);
  sum = avalanche(sum) + mixed(in + size - 16, secret + 136 - 17);
  for (size_t i = 8; i < size / 16; ++i) sum += mixed(in + 16 * i, secret + 16 * (i - 8) + 3);
  return avalanche(sum);
}

struct Lanes {
  std::array<uint64_t, 8> sums{prime32_3, prime64_1, prime64_2, prime64_3, prime64_4, prime32_2, prime64_5, prime32_1};

  void take(const std::byte* bytes, const std::byte* key) {
    for (size_t i = 0; i < sums.size(); ++i) {
      const uint64_t value = load64(bytes + 8 * i), keyed = value ^ load64(key + 8 * i);
      sums[i ^ 1] += value;
      sums[i] += (keyed & 0xFFFFFFFF) * (keyed >> 32);
    }
  }
  void scramble() {
    for (size_t i = 0; i < sums.size(); ++i)
      sums[i] = (sums[i] ^ sums[i] >> 47 ^ load64(secret + secret_size - stripe + 8 * i)) * prime32_1;
  }
  uint64_t merged(uint64_t start) const {
    for (size_t i = 0; i < sums.size(); i += 2)
      start += folded_product(sums[i] ^ load64(secret + 11 + 8 * i), sums[i + 1] ^ load64(secret + 19 + 8 * i));
    return avalanche(start);
  }
};

uint64_t longer(const std::byte* in, size_t size) {
  Lanes lanes;
  for (size_t at = 0; at + stripe < size; at += stripe) {
    lanes.take(in + at, secret + at % block / 8);
    if (at % block == block - stripe) lanes.scramble();
  }
  lanes.take(in + size - stripe, secret + secret_size - stripe - 7);
  return lanes.merged(size * prime64_1);
}

}  // namespace

uint64_t xxh3_64(Bytes bytes) {
  const std::byte* in = bytes.data();
  const size_t size = bytes.size();
  if (size <= 16) return up_to_16(in, size);
  if (size <= 128) return up_to_128(in, size);
  if (size <= 240) return up_to_240(in, size);
  return longer(in, size);
}

}  // namespace kq::group
