// Where work goes that may block: fsync, cold reads, deletion, recompression.  Never a loop's thread.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "libkq/net/loop.hpp"

namespace kq::broker {

class IoPool {
 public:
  virtual ~IoPool() = default;
  // Any thread.  `work` runs once, on a thread of the pool; work of one pool has no order.
  virtual void submit(std::function<void()> work) = 0;
  // Returns when nothing is queued and nothing runs.
  virtual void drain() = 0;

  // Runs `work` on the pool and resumes on `loop` when it is done.
  awaitable<void> run(Loop& loop, std::function<void()> work);
};

// Threads are started when there is work for them, at most `threads_max`: a broker that was never asked anything has none.
class ThreadPool final : public IoPool {
 public:
  // What work throws goes to `failed`, on the thread that did it; where that is empty, the process ends.
  explicit ThreadPool(int threads_max, std::function<void(std::exception_ptr)> failed = nullptr)
      : threads_max_(threads_max), failed_(std::move(failed)) {}
  ~ThreadPool() override;

  void submit(std::function<void()> work) override;
  void drain() override;

 private:
  void serve();
  void run_one(const std::function<void()>& work) const;

  const int threads_max_;
  const std::function<void(std::exception_ptr)> failed_;
  std::mutex mutex_;
  std::condition_variable work_there_, all_done_;
  std::deque<std::function<void()>> queue_;
  std::vector<std::thread> threads_;
  size_t idle_ = 0;
  bool stopping_ = false;
};

// The simulator's: work runs within submit().
class InlinePool final : public IoPool {
 public:
  void submit(std::function<void()> work) override { work(); }
  void drain() override {}
};

}  // namespace kq::broker
