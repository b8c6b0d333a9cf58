#include "libkq/client/partition_loads.hpp"

#include <algorithm>

namespace kq::client {

void PartitionLoads::clear() {
  partitions_.clear();
  bounds_.clear();
}

void PartitionLoads::add(uint32_t partition, uint32_t queued) {
  partitions_.push_back(partition);
  bounds_.push_back(queued);
}

void PartitionLoads::weigh() {
  if (empty()) return;
  const uint64_t longest = *std::ranges::max_element(bounds_);
  uint64_t sum = 0;
  for (uint64_t& each : bounds_) each = sum += longest + 1 - each;
}

uint32_t PartitionLoads::pick(uint64_t random) const {
  const auto bound = std::ranges::upper_bound(bounds_, random % total());
  return partitions_[static_cast<size_t>(bound - bounds_.begin())];
}

}  // namespace kq::client
