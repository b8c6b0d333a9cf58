// Random numbers: seeded ones for jitter, tests and the simulator, and the system's own where nobody may guess them.
#pragma once

#include <cstdint>

#include "libkq/base/bytes.hpp"

namespace kq {

// xoshiro256**, seeded through splitmix64.  The same seed gives the same numbers on every machine.  One thread at a time.
class Random {
 public:
  explicit Random(uint64_t seed);
  uint64_t next();
  uint64_t below(uint64_t bound);                    // 0 .. bound-1, without bias that matters; bound > 0
  bool one_in(uint64_t n) { return below(n) == 0; }
  double unit();                                     // [0, 1)

 private:
  uint64_t state_[4];
};

// Fills `into` from getrandom(2), or from simulated entropy while a simulator has installed some.
void system_random(MutableBytes into);
uint64_t system_random_u64();
// Installs (or with nullptr removes) the source that stands in for the system's.  Tests alone call it.
void simulate_system_random(Random*);

}  // namespace kq
