// XXH3 of 64 bits, seed 0, as Kafka's group coordinator takes it of topics.
#pragma once

#include <cstdint>

#include "libkq/base/bytes.hpp"

namespace kq::group {

uint64_t xxh3_64(Bytes);

}  // namespace kq::group
