// A lock for sections of some ten nanoseconds, where a mutex would cost as much as the work.
#pragma once

#include <atomic>
#include <thread>

namespace kq::client {

class SpinLock {
 public:
  void lock() {
    while (held_.exchange(true, std::memory_order_acquire))
      for (int spins = 0; held_.load(std::memory_order_relaxed); ++spins) relax(spins);
  }
  void unlock() { held_.store(false, std::memory_order_release); }

  // Spins for a while, then lets others run: whoever is inside may have lost its core.
  static void relax(int spins) {
    if (spins >= spins_max) return std::this_thread::yield();
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    asm volatile("yield");
#endif
  }

 private:
  static constexpr int spins_max = 64;
  std::atomic<bool> held_{false};
};

}  // namespace kq::client
