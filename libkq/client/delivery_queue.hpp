// Finished batches on their way to whoever polls.
#pragma once

#include <deque>
#include <mutex>

#include "libkq/client/beacon.hpp"
#include "libkq/client/config.hpp"
#include "libkq/client/producer_batch.hpp"

namespace kq::client {

// The loop puts, any thread takes.
class DeliveryQueue {
 public:
  DeliveryQueue(DeliveryReport report, std::shared_ptr<SendMemory> memory) : report_(report), memory_(std::move(memory)) {}
  void put(const BatchRef&);                         // drops what is not to be reported; whoever puts rings `arrived`
  BatchRef take();                                   // null: nothing
  bool empty() const { return count_.load(std::memory_order_acquire) == 0; }
  int descriptor();                                  // readable while there is something; made when first asked for
  Bell& arrived() { return arrived_; }

 private:
  const DeliveryReport report_;
  const std::shared_ptr<SendMemory> memory_;
  Bell arrived_;
  std::mutex lock_;
  std::deque<BatchRef> finished_;
  std::atomic<size_t> count_{0};
  Beacon beacon_;
};

}  // namespace kq::client
