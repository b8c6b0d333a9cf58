// A lock that costs the one thread which usually takes it no atomic operation.
#pragma once

#include <atomic>
#include <cstdint>

#include "libkq/client/spin_lock.hpp"

namespace kq::client {

// An atomic exchange waits until all earlier stores have reached the cache: those of the record just copied, in memory that another
// core had last.  So the lock is biased towards the first thread that takes it.  That thread enters by a store and a load; whoever else
// comes has the kernel put a barrier between the two on its core (membarrier(2)), and pays for both.
//
//   enter, leave        threads that append.  A second one takes the bias away for good: then it is a spin lock.
//   visit, end_visit    the loop, now and then.  The bias stays.
//
// Where the system has no membarrier it is a spin lock from the start.
class BiasedLock {
 public:
  // What leave() needs to know.
  enum class Way : bool { light, heavy };

  Way enter() {
    if (owner_.load(std::memory_order_relaxed) == this_thread()) [[likely]] {
      busy_.store(true, std::memory_order_relaxed);
      std::atomic_signal_fence(std::memory_order_seq_cst);
      if (!wanted_.load(std::memory_order_acquire)) [[likely]] return Way::light;
      busy_.store(false, std::memory_order_release);
    }
    enter_heavily();
    return Way::heavy;
  }
  void leave(Way way) {
    if (way == Way::light) [[likely]] busy_.store(false, std::memory_order_release);
    else heavy_.unlock();
  }

  void visit();
  void end_visit();

  // For the time of a scope.
  class Visit {
   public:
    explicit Visit(BiasedLock& lock) : lock_(lock) { lock_.visit(); }
    ~Visit() { lock_.end_visit(); }
    Visit(const Visit&) = delete;

   private:
    BiasedLock& lock_;
  };

 private:
  static constexpr uintptr_t nobody = 0, everybody = 1;

  // Distinct for threads that live at the same time.
  static uintptr_t this_thread() {
#if defined(__x86_64__) || defined(__aarch64__)
    return reinterpret_cast<uintptr_t>(__builtin_thread_pointer());
#else
    static thread_local char here;
    return reinterpret_cast<uintptr_t>(&here);
#endif
  }
  bool biased_to_another() const {
    const uintptr_t owner = owner_.load(std::memory_order_relaxed);
    return owner > everybody && owner != this_thread();
  }
  void enter_heavily();
  void keep_owner_out();

  std::atomic<uintptr_t> owner_{nobody};
  std::atomic<bool> busy_{false};                    // the owner is inside
  std::atomic<bool> wanted_{false};                  // the owner has to come by the heavy way
  SpinLock heavy_;
};

}  // namespace kq::client
