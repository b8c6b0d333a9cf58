#include "broker/io_pool.hpp"

#include <pthread.h>

#include "libkq/base/signals.hpp"

namespace kq::broker {

awaitable<void> IoPool::run(Loop& loop, std::function<void()> work) {
  Signal done(loop.context());
  submit([&loop, &done, work = std::move(work)] {
    work();
    loop.post([&done] { done.notify(); });
  });
  co_await done.wait();
}

void ThreadPool::submit(std::function<void()> work) {
  std::lock_guard lock(mutex_);
  queue_.push_back(std::move(work));
  if (idle_ < queue_.size() && threads_.size() < static_cast<size_t>(threads_max_)) {
    const SignalsBlocked blocked;
    threads_.emplace_back(&ThreadPool::serve, this);
  }
  work_there_.notify_one();
}

void ThreadPool::serve() {
  pthread_setname_np(pthread_self(), "kq-io");
  std::unique_lock lock(mutex_);
  for (;;) {
    ++idle_;
    if (queue_.empty() && idle_ == threads_.size()) all_done_.notify_all();
    work_there_.wait(lock, [this] { return !queue_.empty() || stopping_; });
    --idle_;
    if (queue_.empty()) return;
    auto work = std::move(queue_.front());
    queue_.pop_front();
    lock.unlock();
    run_one(work);
    work = nullptr;                                        // what it holds dies outside the lock
    lock.lock();
  }
}

void ThreadPool::run_one(const std::function<void()>& work) const {
  if (!failed_) return work();
  try {
    work();
  } catch (...) {
    failed_(std::current_exception());
  }
}

void ThreadPool::drain() {
  std::unique_lock lock(mutex_);
  all_done_.wait(lock, [this] { return queue_.empty() && idle_ == threads_.size(); });
}

ThreadPool::~ThreadPool() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  work_there_.notify_all();
  for (std::thread& thread : threads_) thread.join();      // what was queued is done first
}

}  // namespace kq::broker
