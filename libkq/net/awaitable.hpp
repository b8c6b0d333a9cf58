// Coroutines of one loop, and the one way in which they wait.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <optional>
#include <utility>

#include "libkq/base/check.hpp"

namespace kq {

namespace asio = boost::asio;
using Executor = asio::io_context::executor_type;
template <class T>
using awaitable = asio::awaitable<T, Executor>;
using UseAwaitable = asio::use_awaitable_t<Executor>;

// One coroutine waits, anything on the same loop wakes it.  A notification that finds nobody waiting is kept, once.  The waiter
// resumes in a later turn of the loop, never inside notify().  It costs no allocation.  Must outlive its waiter.
class Signal {
 public:
  explicit Signal(asio::io_context& context) : context_(context) {}
  Signal(const Signal&) = delete;

  awaitable<void> wait() {
    if (std::exchange(notified_, false)) co_return;
    KQ_CHECK(!waiter_);
    co_await asio::async_initiate<const UseAwaitable, void()>([this](Waiter waiter) { waiter_.emplace(std::move(waiter)); },
                                                             UseAwaitable{});
  }

  void notify() {
    if (!waiter_) {
      notified_ = true;
      return;
    }
    Waiter waiter = std::move(*waiter_);
    waiter_.reset();
    asio::post(context_, std::move(waiter));
  }

  bool waiting() const { return waiter_.has_value(); }
  void forget() { notified_ = false; }                         // drops a kept notification

 private:
  using Waiter = asio::async_result<UseAwaitable, void()>::handler_type;

  asio::io_context& context_;
  std::optional<Waiter> waiter_;
  bool notified_ = false;
};

}  // namespace kq
