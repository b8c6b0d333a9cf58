// Many coroutines of one loop wait for the same thing to happen.
#pragma once

#include <boost/intrusive/list.hpp>

#include "libkq/net/loop.hpp"

namespace kq {

// Unlike a Signal, a notification that finds nobody waiting is not kept: look at the state first, then wait.
class Broadcast {
 public:
  // False: the deadline came first.
  awaitable<bool> wait_until(Loop& loop, Instant deadline) {
    Waiter waiter(loop);
    waiters_.push_back(waiter);
    co_return co_await loop.wait_until(waiter.signal, deadline);
  }

  void notify_all() {
    while (!waiters_.empty()) {
      Waiter& waiter = waiters_.front();
      waiters_.pop_front();
      waiter.signal.notify();
    }
  }

 private:
  // Leaves the list by itself when its coroutine goes on, or is destroyed while it waits.
  struct Waiter : boost::intrusive::list_base_hook<boost::intrusive::link_mode<boost::intrusive::auto_unlink>> {
    explicit Waiter(Loop& loop) : signal(loop.context()) {}
    Signal signal;
  };
  boost::intrusive::list<Waiter, boost::intrusive::constant_time_size<false>> waiters_;
};

}  // namespace kq
