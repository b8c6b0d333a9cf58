// Background work that has to be begun by a certain time.
#pragma once

#include <functional>
#include <memory>

#include "broker/io_pool.hpp"
#include "libkq/net/loop.hpp"

namespace kq::broker {

// Submits `due` to the I/O pool when its time has come.  Its timer lives on the loop's thread; armed from any thread.
class Alarm {
 public:
  Alarm(Loop& loop, IoPool& io, std::function<void()> due);
  Alarm(const Alarm&) = delete;

  // No later than `deadline`: an earlier one that is armed stays.
  void arm(Instant deadline);
  // It submits nothing any more.  On the loop's thread.
  void stop();

 private:
  struct State;
  Loop& loop_;
  const std::shared_ptr<State> state_;
};

}  // namespace kq::broker
