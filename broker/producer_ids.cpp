#include "broker/producer_ids.hpp"

namespace kq::broker {

awaitable<Result<int64_t>> ProducerIds::next(Controller& controller, Loop& loop) {
  for (;;) {
    {
      std::lock_guard lock(mutex_);
      if (block_.count > 0) {
        --block_.count;
        co_return block_.first++;
      }
    }
    auto block = co_await controller.allocate_producer_ids(loop);
    if (!block) co_return std::move(block.error());
    std::lock_guard lock(mutex_);
    if (block_.count == 0) block_ = *block;       // else another caller was faster, and this block is passed over
  }
}

}  // namespace kq::broker
