#include "libkq/base/clock.hpp"

#include <ctime>

namespace kq {
namespace {
std::atomic<SimulatedTime*> simulated_time{nullptr};
}

Clock::time_point Clock::now() {
  if (const auto* simulated = simulated_time.load(std::memory_order_relaxed)) return time_point{simulated->monotonic};
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return time_point{std::chrono::seconds{now.tv_sec} + std::chrono::nanoseconds{now.tv_nsec}};
}

void Clock::simulate(SimulatedTime* time) { simulated_time.store(time, std::memory_order_relaxed); }
SimulatedTime* Clock::simulated() { return simulated_time.load(std::memory_order_relaxed); }

int64_t wall_clock_ms() {
  if (const auto* simulated = simulated_time.load(std::memory_order_relaxed))
    return simulated->wall_ms + to_ms(simulated->monotonic);
  timespec now;
  clock_gettime(CLOCK_REALTIME_COARSE, &now);
  return now.tv_sec * 1000 + now.tv_nsec / 1'000'000;
}

}  // namespace kq
