#include "libkq/client/delivery_queue.hpp"

namespace kq::client {

void DeliveryQueue::put(const BatchRef& batch) {
  const bool wanted = report_ == DeliveryReport::all || (report_ == DeliveryReport::errors && batch->error);
  if (!wanted) return;
  memory_->deliveries.charge(batch->delivery_bytes());
  std::lock_guard hold(lock_);
  finished_.push_back(batch);
  count_.store(finished_.size(), std::memory_order_release);
  beacon_.light(true);
}

BatchRef DeliveryQueue::take() {
  if (empty()) return nullptr;
  BatchRef batch;
  {
    std::lock_guard hold(lock_);
    if (finished_.empty()) return nullptr;
    batch = std::move(finished_.front());
    finished_.pop_front();
    count_.store(finished_.size(), std::memory_order_release);
    if (finished_.empty()) beacon_.light(false);
  }
  const bool was_full = memory_->deliveries.full();
  memory_->deliveries.release(batch->delivery_bytes());
  if (was_full) memory_->room.ring();
  return batch;
}

int DeliveryQueue::descriptor() {
  std::lock_guard hold(lock_);
  return beacon_.descriptor();
}

}  // namespace kq::client
