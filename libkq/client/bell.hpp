// How threads of the application wait for something that the loop does.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>

#include "libkq/base/clock.hpp"

namespace kq::client {

// Look at count(), then at the condition, then wait with that count: nothing rung in between is missed.  Ringing costs one atomic
// increment while nobody waits.  Any thread.  Who drives a loop of his own does so until count() has changed, in place of wait().
class Bell {
 public:
  uint64_t count() const { return count_.load(std::memory_order_seq_cst); }

  void ring() {
    count_.fetch_add(1, std::memory_order_seq_cst);
    if (waiters_.load(std::memory_order_seq_cst) == 0) return;
    std::lock_guard hold(lock_);
    rung_.notify_all();
  }

  // False: the deadline came first.
  bool wait(uint64_t seen, Instant deadline) {
    std::unique_lock hold(lock_);
    waiters_.fetch_add(1, std::memory_order_seq_cst);
    bool in_time = true;
    while (in_time && count() == seen) in_time = wait_once(hold, deadline);
    waiters_.fetch_sub(1, std::memory_order_seq_cst);
    return in_time || count() != seen;
  }

 private:
  bool wait_once(std::unique_lock<std::mutex>& hold, Instant deadline) {
    if (deadline == Instant::max()) return rung_.wait(hold), true;
    const Duration left = deadline - Clock::now();
    if (left <= Duration::zero()) return false;
    rung_.wait_for(hold, left);
    return true;
  }

  std::atomic<uint64_t> count_{0};
  std::atomic<int> waiters_{0};
  std::mutex lock_;
  std::condition_variable rung_;
};

}  // namespace kq::client
