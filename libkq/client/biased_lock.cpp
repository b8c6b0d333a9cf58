#include "libkq/client/biased_lock.hpp"

#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "libkq/base/check.hpp"

namespace kq::client {
namespace {

bool membarrier(int command) { return ::syscall(SYS_membarrier, command, 0, 0) == 0; }

// Registered once for the process; a fork inherits it.
bool has_membarrier() {
  static const bool registered = membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED);
  return registered;
}

}  // namespace

// With heavy_ held.  After it the owner is not inside, and stays out until wanted_ is taken back.
void BiasedLock::keep_owner_out() {
  wanted_.store(true, std::memory_order_relaxed);
  KQ_CHECK(membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED));
  for (int spins = 0; busy_.load(std::memory_order_acquire); ++spins) SpinLock::relax(spins);
}

void BiasedLock::enter_heavily() {
  heavy_.lock();
  if (owner_.load(std::memory_order_relaxed) == nobody) {
    owner_.store(has_membarrier() ? this_thread() : everybody, std::memory_order_relaxed);
  } else if (biased_to_another()) {
    keep_owner_out();                                  // wanted_ stays set: the former owner may still believe in its bias
    owner_.store(everybody, std::memory_order_relaxed);
  }
}

void BiasedLock::visit() {
  heavy_.lock();
  if (biased_to_another()) keep_owner_out();
}

void BiasedLock::end_visit() {
  if (owner_.load(std::memory_order_relaxed) != everybody) wanted_.store(false, std::memory_order_release);
  heavy_.unlock();
}

}  // namespace kq::client
