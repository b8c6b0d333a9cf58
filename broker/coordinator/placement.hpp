// Which partition of an internal topic coordinates a key.
#pragma once

#include <cstdint>
#include <string_view>

namespace kq::coordinator {

// String.hashCode() of Java: over UTF-16 units, in 32 bits.  What is no UTF-8 counts as U+FFFD, a byte each.
int32_t java_hash(std::string_view text);

// abs(hash) % partitions, where the abs of the lowest int is 0.
int32_t partition_of(std::string_view key, int32_t partitions);

}  // namespace kq::coordinator
