// Background work: what has to be begun by a certain time, and what is done in pieces.
#pragma once

#include <atomic>
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

// Work in pieces: each goes to the pool by way of the loop, so that others come first and a pool that works within submit() does not nest.
// Any thread.
class Pieces {
 public:
  Pieces(Loop& loop, IoPool& io) : loop_(loop), io_(io) {}

  void later(std::function<void()> piece);
  // What has not been submitted never is, and whoever works should end.  On the loop's thread.
  void stop() { *stopped_ = true; }
  bool stopped() const { return *stopped_; }

 private:
  Loop& loop_;
  IoPool& io_;
  const std::shared_ptr<std::atomic<bool>> stopped_ = std::make_shared<std::atomic<bool>>(false);      // outlives this on the loop
};

}  // namespace kq::broker
