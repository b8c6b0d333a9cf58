#include "libkq/net/buffer_pool.hpp"

#include <bit>
#include <cstdlib>
#include <new>

#include "libkq/base/check.hpp"

namespace kq {
namespace {
size_t class_of(size_t size) {
  if (size <= BufferPool::block_bytes_min) return 0;
  return static_cast<size_t>(std::bit_width((size - 1) / BufferPool::block_bytes_min));
}
}  // namespace

Buffer::~Buffer() {
  if (pool_) pool_->take_back(bytes_);
}

BufferPool::~BufferPool() { release_idle(); }

Buffer BufferPool::borrow(size_t size) {
  const size_t index = class_of(size);
  if (index >= idle_.size()) throw std::bad_alloc();
  const size_t block_size = block_bytes_min << index;
  auto& idle = idle_[index];
  std::byte* block;
  if (!idle.empty()) {
    block = idle.back();
    idle.pop_back();
    retained_bytes_ -= block_size;
  } else {
    block = static_cast<std::byte*>(std::malloc(block_size));
    if (!block) throw std::bad_alloc();
  }
  borrowed_bytes_ += block_size;
  return Buffer(this, {block, block_size});
}

void BufferPool::take_back(MutableBytes block) {
  borrowed_bytes_ -= block.size();
  if (retained_bytes_ + block.size() > retained_bytes_max_) {
    std::free(block.data());
    return;
  }
  idle_[class_of(block.size())].push_back(block.data());
  retained_bytes_ += block.size();
}

void BufferPool::release_idle() {
  for (auto& blocks : idle_) {
    for (std::byte* block : blocks) std::free(block);
    blocks.clear();
  }
  retained_bytes_ = 0;
}

}  // namespace kq
