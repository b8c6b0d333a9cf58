#include "libkq/rpc/frame_pool.hpp"

#include <array>
#include <bit>
#include <cstdlib>
#include <new>

namespace kq {
namespace {
constexpr size_t block_bytes_min = 1 << 10;
constexpr int class_count = 22;                               // 1 KiB … 2 GiB

int class_of(size_t size) {
  return size <= block_bytes_min ? 0 : std::bit_width((size - 1) / block_bytes_min);
}
}  // namespace

struct Frame::Shelf {
  explicit Shelf(size_t retained_max) : retained_bytes_max(retained_max) {}
  ~Shelf() {
    for (auto& blocks : idle)
      for (void* block : blocks) std::free(block);
  }

  // Memory for a block, used before or new.
  void* take(int index) {
    {
      std::lock_guard hold(lock);
      if (auto& blocks = idle[index]; !blocks.empty()) {
        void* memory = blocks.back();
        blocks.pop_back();
        retained_bytes -= block_bytes_min << index;
        return memory;
      }
    }
    void* memory = std::malloc(sizeof(Block) + (block_bytes_min << index));
    if (!memory) throw std::bad_alloc();
    return memory;
  }

  void put_back(void* memory, size_t capacity) {
    {
      std::lock_guard hold(lock);
      if (retained_bytes + capacity <= retained_bytes_max) {
        idle[class_of(capacity)].push_back(memory);
        retained_bytes += capacity;
        return;
      }
    }
    std::free(memory);
  }

  std::mutex lock;
  std::array<std::vector<void*>, class_count> idle;
  size_t retained_bytes = 0;
  const size_t retained_bytes_max;
};

void Frame::release() {
  if (!block_ || block_->holders.fetch_sub(1, std::memory_order_acq_rel) > 1) return;
  const auto home = std::move(block_->home);
  const size_t capacity = block_->capacity;
  block_->~Block();
  home->put_back(block_, capacity);
}

FramePool::FramePool(size_t retained_bytes_max) : shelf_(std::make_shared<Frame::Shelf>(retained_bytes_max)) {}

Frame FramePool::borrow(size_t size) {
  const int index = class_of(size);
  if (index >= class_count) throw std::bad_alloc();
  void* memory = shelf_->take(index);
  return Frame(new (memory) Frame::Block{1, block_bytes_min << index, shelf_});
}

}  // namespace kq
