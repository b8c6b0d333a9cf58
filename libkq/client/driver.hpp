// Who drives a handle's loop, and how a thread of the application waits for what happens on it.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>

#include "libkq/client/bell.hpp"
#include "libkq/base/log.hpp"
#include "libkq/net/stream.hpp"

namespace kq::client {

// A loop with a thread of kq's, or one that the host drives (kq_loop).  Shared by the handles on it, and gone with the last one.
class Driver {
 public:
  enum class Kind { thread, host };

  explicit Driver(Kind);
  explicit Driver(Loop& driven_by_caller) : loop_(&driven_by_caller) {}
  ~Driver();
  Driver(const Driver&) = delete;

  Loop& loop() { return *loop_; }
  // Kept until the loop goes: what runs on it may need them for some turns after its handle was freed.
  Network& network(const SocketOptions&);
  Logger& logger(int descriptor, LogLevel);
  // A fault in kq that came up on the loop: whatever is on it is of no use any more.
  std::optional<Error> fault() const;
  bool faulty() const { return faulty_.load(std::memory_order_relaxed); }
  bool hosted() const { return !thread_; }

  // Host's side: -1 for no deadline; rounded up, as poll(2) takes it.
  int32_t next_deadline_ms() const;
  void step();

  // Waits on the caller's thread until ready() holds or the deadline has come; answers whether it holds.  Whatever may make it hold
  // rings the bell.  On a host-driven loop the caller is the host's thread, and drives the loop meanwhile.
  template <class Ready>
  bool wait(Bell& bell, Instant deadline, const Ready& ready) {
    return wait_unless(bell, deadline, ready, [this] { return faulty(); });
  }

  template <class Ready, class Hopeless>
  bool wait_unless(Bell& bell, Instant deadline, const Ready& ready, const Hopeless& hopeless) {
    for (;;) {
      const uint64_t seen = bell.count();
      if (ready()) return true;
      const Instant now = Clock::now();
      if (now >= deadline || hopeless()) return false;
      if (hosted() && loop_->step()) continue;
      if (hosted() && bell.count() == seen) sleep(deadline);
      if (!hosted()) bell.wait(seen, deadline - now > fault_check ? now + fault_check : deadline);
    }
  }

  // Runs `call` on the loop and waits until it has returned.  Never from the loop's own thread, unless the host drives it.
  void run(const std::function<void()>& call);
  // The same for a story: `tell` makes the coroutine, on the loop.
  template <class T>
  Result<T> await(std::function<awaitable<Result<T>>()> tell);

 private:
  void sleep(Instant deadline);                      // until the loop has something to do, or the deadline has come

  void watch_for_faults();

  static constexpr Duration fault_check = 5s;        // a loop that died rings no bells

  mutable std::mutex mutex_;                         // for the next three
  std::map<std::pair<int, int>, std::unique_ptr<Network>> networks_;
  std::map<std::pair<int, LogLevel>, Logger> loggers_;
  std::optional<Error> fault_;
  std::atomic<bool> faulty_{false};
  std::unique_ptr<LoopThread> thread_;
  std::unique_ptr<Loop> hosted_loop_;
  Loop* loop_;
};

namespace driver_detail {
template <class T>
struct Story {
  std::function<awaitable<Result<T>>()> tell;
  std::mutex mutex{};
  std::optional<Result<T>> end{};
  Bell bell{};
};

template <class T>
awaitable<void> tell(std::shared_ptr<Story<T>> story) {
  Result<T> end = co_await story->tell();
  {
    std::lock_guard lock(story->mutex);
    story->end = std::move(end);
  }
  story->bell.ring();
}
}  // namespace driver_detail

template <class T>
Result<T> Driver::await(std::function<awaitable<Result<T>>()> tell) {
  const auto story = std::make_shared<driver_detail::Story<T>>(std::move(tell));
  loop_->post([this, story] { loop_->spawn(driver_detail::tell(story)); });
  const bool ended = wait(story->bell, Instant::max(), [&] {
    std::lock_guard lock(story->mutex);
    return story->end.has_value();
  });
  if (!ended) return *fault();
  return std::move(*story->end);
}

// What a caller's timeout_ms means (kq.h): 0 asks and returns, -1 waits.
inline Instant deadline_after(int32_t timeout_ms) {
  return timeout_ms < 0 ? Instant::max() : Clock::now() + std::chrono::milliseconds(timeout_ms);
}

}  // namespace kq::client
