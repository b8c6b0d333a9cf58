// Where records without a key go next (KIP-794).
#pragma once

#include <cstdint>
#include <vector>

namespace kq::client {

// A table of partitions to choose from by chance, each the likelier the less is queued for it: of queues 5, 0, 3, 0 and 1 long the
// weights are 1, 6, 3, 6 and 5, what each is shorter than the longest and one more.  Queues of one length are all alike.
class PartitionLoads {
 public:
  void clear();
  void add(uint32_t partition, uint32_t queued);
  void weigh();  // after the last; then pick
  bool empty() const { return partitions_.empty(); }
  uint64_t total() const { return empty() ? 0 : bounds_.back(); }
  // Of `random` from 0 to total() - 1, each partition is given as often as its weight says; larger numbers begin anew.
  uint32_t pick(uint64_t random) const;

 private:
  std::vector<uint32_t> partitions_;
  std::vector<uint64_t> bounds_;  // the queues' lengths, then the sums of the weights
};

}  // namespace kq::client
