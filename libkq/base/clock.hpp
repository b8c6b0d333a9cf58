// The two clocks, and the one place where a simulator takes them over.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>

namespace kq {

using namespace std::chrono_literals;
using Duration = std::chrono::nanoseconds;

// Time that the simulator owns.  While one is installed, both clocks read it and nothing else.
struct SimulatedTime {
  Duration monotonic{0};
  int64_t wall_ms = 1'700'000'000'000;      // wall time at monotonic 0
};

// Monotonic time: deadlines and measures.  A std::chrono clock.
struct Clock {
  using duration = Duration;
  using rep = duration::rep;
  using period = duration::period;
  using time_point = std::chrono::time_point<Clock>;
  static constexpr bool is_steady = true;

  static time_point now();
  // Installs (or with nullptr removes) simulated time, for the whole process.  Tests alone call it.
  static void simulate(SimulatedTime*);
  static SimulatedTime* simulated();
};

using Instant = Clock::time_point;

// Time of day, in milliseconds since 1970: what a record without a timestamp gets.  Coarse (a tick of the kernel, 1 to 4 ms) and
// cheap (no system call); it may step back when somebody sets the clock.
int64_t wall_clock_ms();

inline int64_t to_ms(Duration d) { return std::chrono::duration_cast<std::chrono::milliseconds>(d).count(); }

}  // namespace kq
