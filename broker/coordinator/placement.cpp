#include "broker/coordinator/placement.hpp"

#include <limits>

#include "libkq/base/utf16.hpp"

namespace kq::coordinator {

int32_t java_hash(std::string_view text) {
  uint32_t hash = 0;
  for (const char16_t unit : utf16(text)) hash = 31 * hash + unit;
  return static_cast<int32_t>(hash);
}

int32_t partition_of(std::string_view key, int32_t partitions) {
  const int32_t hash = java_hash(key);
  if (hash == std::numeric_limits<int32_t>::min()) return 0;
  return (hash < 0 ? -hash : hash) % partitions;
}

}  // namespace kq::coordinator
