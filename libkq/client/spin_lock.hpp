// A lock for sections of some ten nanoseconds, where a mutex would cost as much as the work.
#pragma once

#include <atomic>
#include <thread>

namespace kq::client {

// Spins for a while, then lets others run: whoever holds it may have lost its core.
class SpinLock {
 public:
  void lock() {
    while (held_.exchange(true, std::memory_order_acquire)) wait();
  }
  void unlock() { held_.store(false, std::memory_order_release); }

 private:
  static constexpr int spins_max = 64;

  static void pause() {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    asm volatile("yield");
#endif
  }

  void wait() {
    for (int spins = 0; held_.load(std::memory_order_relaxed); ++spins) {
      if (spins < spins_max) pause();
      else std::this_thread::yield();
    }
  }

  std::atomic<bool> held_{false};
};

}  // namespace kq::client
