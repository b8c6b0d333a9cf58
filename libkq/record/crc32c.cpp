#include "libkq/record/crc32c.hpp"

#include <array>
#include <atomic>

#include "libkq/base/check.hpp"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace kq {
namespace {

constexpr uint32_t polynomial = 0x82f63b78;  // Castagnoli's, lowest bit first

using Tables = std::array<std::array<uint32_t, 256>, 8>;

constexpr Tables make_tables() {
  Tables tables{};
  for (uint32_t i = 0; i < 256; ++i) {
    uint32_t crc = i;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ (crc & 1 ? polynomial : 0);
    tables[0][i] = crc;
  }
  for (size_t t = 1; t < 8; ++t)
    for (size_t i = 0; i < 256; ++i) tables[t][i] = (tables[t - 1][i] >> 8) ^ tables[0][tables[t - 1][i] & 0xff];
  return tables;
}

constexpr Tables tables = make_tables();

// Polynomials modulo Castagnoli's, the highest power in the lowest bit.
constexpr uint32_t x_to_the_0 = 0x80000000;

constexpr uint32_t times(uint32_t a, uint32_t b) {
  uint32_t product = 0;
  for (; a; a <<= 1) {
    product ^= b & (0 - (a >> 31));
    b = (b >> 1) ^ (polynomial & (0 - (b & 1)));
  }
  return product;
}

// Of each power of two, n: x^(8 * n), by which n zero bytes multiply a crc.
constexpr auto shifts = [] {
  std::array<uint32_t, 64> of_bits{};
  uint32_t power = x_to_the_0 >> 8;
  for (uint32_t& shift : of_bits) shift = power, power = times(power, power);
  return of_bits;
}();


uint64_t load_le64(const uint8_t* at) {
  uint64_t word;
  std::memcpy(&word, at, sizeof word);
  return std::endian::native == std::endian::little ? word : byteswap(word);
}

}  // namespace

uint32_t crc32c_joined_table(uint32_t first, uint32_t second, size_t second_bytes) {
  for (size_t bit = 0; second_bytes >> bit; ++bit)
    if (second_bytes >> bit & 1) first = times(first, shifts[bit]);
  return first ^ second;
}

// Slicing by eight: one table a byte of the word, so that the eight look-ups do not wait for each other.
uint32_t crc32c_table(uint32_t crc, Bytes data) {
  const auto* at = reinterpret_cast<const uint8_t*>(data.data());
  size_t left = data.size();
  crc = ~crc;
  for (; left >= 8; at += 8, left -= 8) {
    const uint64_t word = load_le64(at) ^ crc;
    crc = tables[7][word & 0xff] ^ tables[6][word >> 8 & 0xff] ^ tables[5][word >> 16 & 0xff] ^ tables[4][word >> 24 & 0xff] ^
          tables[3][word >> 32 & 0xff] ^ tables[2][word >> 40 & 0xff] ^ tables[1][word >> 48 & 0xff] ^ tables[0][word >> 56];
  }
  for (; left > 0; --left) crc = (crc >> 8) ^ tables[0][(crc ^ *at++) & 0xff];
  return ~crc;
}

#if defined(__x86_64__)

namespace {

// x^power modulo the polynomial, lowest bit first.
constexpr uint32_t x_to_the(uint64_t power) {
  uint32_t value = 0x80000000;
  for (; power > 0; --power) value = (value >> 1) ^ (value & 1 ? polynomial : 0);
  return value;
}

// The crc of what `crc` stands for followed by `bytes` zeros: a carry-less product, reduced by the crc instruction itself.  The
// reversed order of bits costs one power of x and the instruction another 32, so the factor is x^(8 * bytes - 33).
__attribute__((target("sse4.2,pclmul"))) inline uint64_t shifted_by(uint32_t factor, uint64_t crc) {
  const __m128i product = _mm_clmulepi64_si128(_mm_cvtsi64_si128(static_cast<int64_t>(crc)), _mm_cvtsi64_si128(factor), 0);
  return _mm_crc32_u64(0, static_cast<uint64_t>(_mm_cvtsi128_si64(product)));
}

template <size_t bytes>
__attribute__((target("sse4.2,pclmul"))) inline uint64_t shifted(uint64_t crc) {
  constexpr uint32_t factor = x_to_the(8 * bytes - 33);
  return shifted_by(factor, crc);
}

// The factors of the powers of two from 8 bytes on; fewer than that many are zero bytes given to the instruction.
constexpr size_t word_bits = 3;
constexpr auto factors = [] {
  std::array<uint32_t, 64 - word_bits> of_bits{};
  uint32_t power = x_to_the((8 << word_bits) - 33);
  for (uint32_t& factor : of_bits) factor = power, power = times(times(power, power), x_to_the(33));
  return of_bits;
}();

__attribute__((target("sse4.2,pclmul"))) uint32_t shifted_by_hardware(uint32_t seed, size_t bytes) {
  uint64_t crc = seed;
  for (size_t left = bytes % (1 << word_bits); left > 0; --left) crc = _mm_crc32_u8(static_cast<uint32_t>(crc), 0);
  bytes >>= word_bits;
  for (size_t bit = 0; bytes >> bit; ++bit)
    if (bytes >> bit & 1) crc = shifted_by(factors[bit], crc);
  return static_cast<uint32_t>(crc);
}

// The instruction takes one word a cycle but answers after three: three streams, side by side, keep it busy.
template <size_t stream_bytes>
__attribute__((target("sse4.2,pclmul"))) inline uint64_t three_streams(uint64_t crc, const uint8_t*& at, size_t& left) {
  while (left >= 3 * stream_bytes) {
    uint64_t second = 0, third = 0;
    for (const uint8_t* stop = at + stream_bytes; at < stop; at += 8) {
      crc = _mm_crc32_u64(crc, load_le64(at));
      second = _mm_crc32_u64(second, load_le64(at + stream_bytes));
      third = _mm_crc32_u64(third, load_le64(at + 2 * stream_bytes));
    }
    crc = shifted<2 * stream_bytes>(crc) ^ shifted<stream_bytes>(second) ^ third;
    at += 2 * stream_bytes;
    left -= 3 * stream_bytes;
  }
  return crc;
}

}  // namespace

__attribute__((target("sse4.2,pclmul"))) uint32_t crc32c_hardware(uint32_t seed, Bytes data) {
  const auto* at = reinterpret_cast<const uint8_t*>(data.data());
  size_t left = data.size();
  uint64_t crc = ~seed;
  crc = three_streams<4096>(crc, at, left);
  crc = three_streams<512>(crc, at, left);
  crc = three_streams<64>(crc, at, left);
  for (; left >= 8; at += 8, left -= 8) crc = _mm_crc32_u64(crc, load_le64(at));
  for (; left > 0; --left) crc = _mm_crc32_u8(static_cast<uint32_t>(crc), *at++);
  return ~static_cast<uint32_t>(crc);
}

bool crc32c_has_hardware() { return __builtin_cpu_supports("sse4.2") && __builtin_cpu_supports("pclmul"); }

#else

uint32_t crc32c_hardware(uint32_t, Bytes) { check_failed("crc32c_has_hardware()", __FILE__, __LINE__); }
bool crc32c_has_hardware() { return false; }

#endif

namespace {

using Way = uint32_t (*)(uint32_t, Bytes);

uint32_t choose(uint32_t crc, Bytes data);

std::atomic<Way> way{choose};  // constant initialisation: right even before static constructors have run

uint32_t choose(uint32_t crc, Bytes data) {
  const Way best = crc32c_has_hardware() ? crc32c_hardware : crc32c_table;
  way.store(best, std::memory_order_relaxed);
  return best(crc, data);
}

}  // namespace

uint32_t crc32c(uint32_t crc, Bytes data) { return way.load(std::memory_order_relaxed)(crc, data); }

uint32_t crc32c_joined(uint32_t first, uint32_t second, size_t second_bytes) {
#if defined(__x86_64__)
  if (crc32c_has_hardware()) return shifted_by_hardware(first, second_bytes) ^ second;
#endif
  return crc32c_joined_table(first, second, second_bytes);
}

}  // namespace kq
