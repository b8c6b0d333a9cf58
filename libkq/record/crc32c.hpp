// CRC-32C (Castagnoli), the check sum of record batches and producer snapshots.
#pragma once

#include "libkq/base/bytes.hpp"

namespace kq {

// Continues: crc32c(crc32c(0, a), b) is crc32c(0, a then b).  Chooses once, at the first call, what this processor does best.
uint32_t crc32c(uint32_t crc, Bytes data);
inline uint32_t crc32c(Bytes data) { return crc32c(0, data); }

// crc32c of two pieces, one behind the other, from those of the pieces and the second one's length.
uint32_t crc32c_joined(uint32_t first, uint32_t second, size_t second_bytes);

// The two ways, apart, for tests and benches.  crc32c_hardware is callable only where crc32c_has_hardware().
uint32_t crc32c_joined_table(uint32_t first, uint32_t second, size_t second_bytes);
uint32_t crc32c_table(uint32_t crc, Bytes data);
uint32_t crc32c_hardware(uint32_t crc, Bytes data);
bool crc32c_has_hardware();

}  // namespace kq
