// The bytes of a response, in memory that is used again: a page touched for the first time costs several times its copy.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "libkq/base/bytes.hpp"

namespace kq {

class FramePool;

// One response, shared by whoever looks into it: a decoded message, a batch of records in the application's hands.  The last
// holder may let go on any thread, after the connection and the handle are gone.
class Frame {
 public:
  Frame() = default;
  Frame(const Frame& other) : block_(other.block_), size_(other.size_) {
    if (block_) block_->holders.fetch_add(1, std::memory_order_relaxed);
  }
  Frame(Frame&& other) noexcept : block_(std::exchange(other.block_, nullptr)), size_(std::exchange(other.size_, 0)) {}
  Frame& operator=(Frame other) noexcept {
    std::swap(block_, other.block_), std::swap(size_, other.size_);
    return *this;
  }
  ~Frame() { release(); }

  Bytes bytes() const { return {data(), size_}; }
  MutableBytes space() { return {data(), block_ ? block_->capacity : 0}; }      // for the one who fills it
  void resize(size_t size) { size_ = size; }
  size_t memory_bytes() const { return block_ ? block_->capacity : 0; }         // what holding it costs
  explicit operator bool() const { return block_ != nullptr; }

 private:
  friend class FramePool;
  struct Shelf;
  struct Block {                                              // the bytes follow it
    std::atomic<int> holders;
    size_t capacity;
    std::shared_ptr<Shelf> home;
  };

  explicit Frame(Block* block) : block_(block) {}
  std::byte* data() const { return block_ ? reinterpret_cast<std::byte*>(block_ + 1) : nullptr; }
  void release();

  Block* block_ = nullptr;
  size_t size_ = 0;
};

// Hands out blocks in sizes of powers of two.  Any thread.  Frames may outlive it.
class FramePool {
 public:
  static constexpr size_t retained_bytes_default = 16 << 20;

  explicit FramePool(size_t retained_bytes_max = retained_bytes_default);
  Frame borrow(size_t size);                                  // space() is at least `size`; throws std::bad_alloc

 private:
  std::shared_ptr<Frame::Shelf> shelf_;
};

}  // namespace kq
