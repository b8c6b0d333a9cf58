// Ids for producers, out of blocks that the controller gives.
#pragma once

#include <mutex>

#include "broker/cluster/controller.hpp"

namespace kq::broker {

// Any thread.  What is left of a block when the broker stops is lost, as in Kafka: an id is never given twice.
class ProducerIds {
 public:
  awaitable<Result<int64_t>> next(Controller&, Loop&);

 private:
  std::mutex mutex_;
  ProducerIdBlock block_;
};

}  // namespace kq::broker
