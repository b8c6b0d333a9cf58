// The memory that a consumer's fetched records take: read ahead, and in the application's hands.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <utility>

namespace kq::client {

// Counts bytes against fetch.buffer.memory.  Any thread.  Shared by the consumer and by every batch that it has handed out, which
// may outlive it.
class FetchMemory {
 public:
  explicit FetchMemory(size_t bytes_max) : bytes_max_(bytes_max) {}

  size_t bytes_max() const { return bytes_max_; }
  size_t used() const { return used_.load(std::memory_order_relaxed); }
  size_t left() const {
    const size_t now = used();
    return now < bytes_max_ ? bytes_max_ - now : 0;
  }

  // The count may pass the maximum: what a broker has sent is there.  It is fetching that stops.
  void take(size_t bytes) { used_.fetch_add(bytes, std::memory_order_relaxed); }
  void give_back(size_t bytes) {
    used_.fetch_sub(bytes, std::memory_order_relaxed);
    if (waited_for_.load(std::memory_order_acquire)) call_waiter();
  }

  // `freed` is called once, from the thread that gives memory back next.
  void on_freed(std::function<void()> freed) {
    std::lock_guard lock(mutex_);
    freed_ = std::move(freed);
    waited_for_.store(freed_ != nullptr, std::memory_order_release);
  }

 private:
  void call_waiter() {
    std::function<void()> call;
    {
      std::lock_guard lock(mutex_);
      call = std::exchange(freed_, nullptr);
      waited_for_.store(false, std::memory_order_release);
    }
    if (call) call();
  }

  const size_t bytes_max_;
  std::atomic<size_t> used_{0};
  std::atomic<bool> waited_for_{false};
  std::mutex mutex_;
  std::function<void()> freed_;
};

// Anything that bytes of records lie in (a response's frame, a decompressed block), counted for as long as somebody holds it.
template <class Owner>
struct Charged {
  Charged(std::shared_ptr<FetchMemory> to, Owner what, size_t cost) : owner(std::move(what)), memory(std::move(to)), bytes(cost) {
    memory->take(bytes);
  }
  ~Charged() { memory->give_back(bytes); }
  Charged(const Charged&) = delete;

  Owner owner;
  std::shared_ptr<FetchMemory> memory;
  size_t bytes;
};
using Held = std::shared_ptr<const void>;

template <class Owner>
Held charge(std::shared_ptr<FetchMemory> memory, Owner owner, size_t bytes) {
  return std::make_shared<Charged<Owner>>(std::move(memory), std::move(owner), bytes);
}

}  // namespace kq::client
