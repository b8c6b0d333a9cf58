// The cleaner's memory of keys: where each was last seen.
#pragma once

#include <cstdint>
#include <vector>

#include "libkq/base/bytes.hpp"

namespace kq::log {

// Keys are remembered by a hash of 128 bits, under a secret of this process: so a key of any length takes 24 bytes, and nobody can choose
// two that are taken for one.  Its memory grows with what is put, never beyond what it was given.  One thread.
class OffsetMap {
 public:
  // At most `load_factor` of the slots that fit into `memory_bytes` are used.
  OffsetMap(size_t memory_bytes, double load_factor);

  bool full() const { return size_ >= size_max_; }
  void put(Bytes key, int64_t offset);                    // not when full()
  int64_t find(Bytes key) const;                          // -1: it was not put
  void clear();

  size_t size() const { return size_; }
  size_t size_max() const { return size_max_; }

  // Below and at it, what is not found is not there.
  int64_t latest_offset() const { return latest_offset_; }
  void raise_latest_offset(int64_t offset) { latest_offset_ = offset > latest_offset_ ? offset : latest_offset_; }

 private:
  struct Slot {
    uint64_t low = 0, high = 0;                           // of the hash
    int64_t offset = -1;                                  // -1: free
  };

  size_t slot_of(uint64_t low, uint64_t high) const;      // of that key, or the free one where it belongs
  void grow();

  const size_t slots_max_;                                // of the last table: it and the one before, a quarter, fit together
  const double load_factor_;
  const size_t size_max_;
  unsigned steps_left_ = 0;                               // of growing
  std::vector<Slot> slots_;
  size_t size_ = 0;
  int64_t latest_offset_ = -1;
  uint64_t secret_[2];
};

}  // namespace kq::log
