// The event loop: ready coroutines (Boost.Asio's queue), timers, descriptors (an epoll set of its own) and calls from other threads.
#pragma once

#include <atomic>
#include <boost/intrusive/list.hpp>
#include <boost/intrusive/set.hpp>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include "libkq/base/clock.hpp"
#include "libkq/base/result.hpp"
#include "libkq/net/awaitable.hpp"
#include "libkq/net/buffer_pool.hpp"

namespace kq {

class Loop;

// Calls `fired` on the loop once the deadline has come.  Arming again moves it.  Belongs to the loop's thread.
// Linked in full size: the small form reads bits that nobody wrote, of which valgrind complains.
class Timer : public boost::intrusive::set_base_hook<boost::intrusive::optimize_size<false>> {
 public:
  Timer(Loop& loop, std::function<void()> fired) : loop_(loop), fired_(std::move(fired)) {}
  ~Timer() { disarm(); }
  Timer(const Timer&) = delete;

  void arm(Instant deadline);
  void disarm();
  bool armed() const { return is_linked(); }
  Instant deadline() const { return deadline_; }
  bool operator<(const Timer& other) const { return deadline_ < other.deadline_; }

 private:
  friend class Loop;
  Loop& loop_;
  std::function<void()> fired_;
  Instant deadline_{};
};

// What a loop knows of the descriptors in its epoll set: in the child of a fork it closes them, for the streams that own them are
// held by coroutines that will never go on there.
struct WatchedDescriptor : boost::intrusive::list_base_hook<boost::intrusive::link_mode<boost::intrusive::auto_unlink>> {
  explicit WatchedDescriptor(int number) : descriptor_(number) {}
  int descriptor_;
};

// One thread at a time drives a loop, and everything on it belongs to that thread; only post(), stop() and wake() may be called
// from others.  Three drivers:
//   a thread of its own, or one shared by any number of handles:  LoopThread, which calls run();
//   the host's own event loop:   wait until descriptor() is readable or next_deadline() has come, then call step();
//   the simulator:               Kind::simulated owns no descriptor; step(), then move SimulatedTime to next_deadline().
// Asio's own reactor is never started: its descriptor cannot be shown to a host, so streams wait on this loop's epoll set.
class Loop {
 public:
  enum class Kind { real, simulated };

  explicit Loop(Kind kind = Kind::real);
  ~Loop();
  Loop(const Loop&) = delete;

  asio::io_context& context() { return context_; }
  BufferPool& buffers() { return buffers_; }
  Kind kind() const { return kind_; }

  // Starts a coroutine that belongs to the loop from then on.  What it throws goes to `on_failure` (else out of step()).
  void spawn(awaitable<void> coroutine);
  void on_failure(std::function<void(std::exception_ptr)> handler) { on_failure_ = std::move(handler); }
  // Runs `call` on the loop's thread in a later turn.  Any thread.
  void post(std::function<void()> call);
  bool on_own_thread() const { return driver_.load(std::memory_order_relaxed) == std::this_thread::get_id(); }

  awaitable<void> sleep_until(Instant deadline);
  // Waits for `signal` until the deadline; false when the deadline came first.
  awaitable<bool> wait_until(Signal& signal, Instant deadline);

  // Driver side.
  void run();                                          // until stop(); what a call or a timer throws goes to on_failure() as well
  void stop();                                         // any thread; run() returns after its current turn
  void wake();                                         // any thread: descriptor() turns readable
  int descriptor() const { return epoll_; }            // -1 in simulation
  std::optional<Instant> next_deadline() const;        // the first timer's; nothing where none is armed
  bool step() { return turn(Duration::zero()); }       // runs what is ready, never waits; true: there is more (and descriptor() says so)

  // Whether this process is a child of the one that made the loop: then nothing may run on it, and freeing it only closes descriptors.
  bool forked() const;

 private:
  friend class Timer;
  friend class Watch;
  using Timers = boost::intrusive::multiset<Timer>;

  bool turn(Duration wait_max);
  bool run_ready();                                    // true: there is more
  void fire_timers();
  void wait_for_events(Duration wait_max);

  const Kind kind_;
  asio::io_context context_;
  asio::executor_work_guard<Executor> work_;
  BufferPool buffers_;
  Timers timers_;
  boost::intrusive::list<WatchedDescriptor, boost::intrusive::constant_time_size<false>> watched_;
  int epoll_ = -1;
  int wake_ = -1;                                      // eventfd
  std::atomic<bool> wake_pending_{false};
  std::atomic<bool> stopped_{false};
  std::atomic<std::thread::id> driver_{};
  uint64_t fork_generation_;
  std::function<void(std::exception_ptr)> on_failure_;
};

// A descriptor in the loop's epoll set, edge triggered: after an operation has said EAGAIN, wait for the next edge.
// At most one coroutine waits for each direction.  cancel() wakes both; they find what they awaited still blocked, or closed.
class Watch : private WatchedDescriptor {
 public:
  Watch(Loop& loop, int descriptor);                   // does not own the descriptor
  ~Watch();
  Watch(const Watch&) = delete;

  awaitable<void> readable() { return read_.wait(); }
  awaitable<void> writable() { return write_.wait(); }
  void read_blocked() { read_.forget(); }              // after EAGAIN: what was notified before it is stale
  void write_blocked() { write_.forget(); }
  bool hung_up() const { return hung_up_; }            // the peer's end has been seen: no further edge will tell of it
  void cancel();

 private:
  friend class Loop;
  void on_events(uint32_t events);

  Loop& loop_;
  Signal read_, write_;
  bool hung_up_ = false;
};

// A loop on a thread of its own.  Freed: the thread is stopped and joined, unless this is a child of a fork.
class LoopThread {
 public:
  explicit LoopThread(const char* name);
  ~LoopThread();

  Loop& loop() { return loop_; }

 private:
  Loop loop_;
  std::thread thread_;
};

// How often this process is a fork of a fork; a handle that remembers another number was made in a parent.
inline std::atomic<uint64_t> fork_count{0};        // counted from the first loop on
inline uint64_t fork_generation() { return fork_count.load(std::memory_order_relaxed); }

}  // namespace kq
