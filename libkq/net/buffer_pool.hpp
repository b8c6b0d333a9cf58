// Blocks of memory that are used again: a page touched for the first time costs several times its copy.
#pragma once

#include <array>
#include <cstddef>
#include <utility>
#include <vector>

#include "libkq/base/bytes.hpp"

namespace kq {

class BufferPool;

// A borrowed block.  Goes back to its pool when it dies, on the pool's thread.
class Buffer {
 public:
  Buffer() = default;
  Buffer(Buffer&& other) noexcept : pool_(std::exchange(other.pool_, nullptr)), bytes_(std::exchange(other.bytes_, {})) {}
  Buffer& operator=(Buffer&& other) noexcept {
    Buffer(std::move(other)).swap(*this);
    return *this;
  }
  ~Buffer();

  MutableBytes bytes() const { return bytes_; }           // the whole block, at least as long as was asked for
  std::byte* data() const { return bytes_.data(); }
  size_t capacity() const { return bytes_.size(); }
  explicit operator bool() const { return !bytes_.empty(); }
  void swap(Buffer& other) noexcept { std::swap(pool_, other.pool_), std::swap(bytes_, other.bytes_); }

 private:
  friend class BufferPool;
  Buffer(BufferPool* pool, MutableBytes bytes) : pool_(pool), bytes_(bytes) {}
  BufferPool* pool_ = nullptr;
  MutableBytes bytes_;
};

// One thread's.  Sizes are powers of two; at most `retained_bytes_max` lie idle, the rest goes back to the system.
// Must outlive its buffers.
class BufferPool {
 public:
  static constexpr size_t block_bytes_min = 4 << 10;
  static constexpr size_t retained_bytes_default = 16 << 20;

  explicit BufferPool(size_t retained_bytes_max = retained_bytes_default) : retained_bytes_max_(retained_bytes_max) {}
  ~BufferPool();
  BufferPool(const BufferPool&) = delete;

  Buffer borrow(size_t size);                             // throws std::bad_alloc where the system refuses
  size_t retained_bytes() const { return retained_bytes_; }
  size_t borrowed_bytes() const { return borrowed_bytes_; }
  void release_idle();                                    // gives all idle blocks back to the system

 private:
  friend class Buffer;
  static constexpr int class_count = 20;                  // 4 KiB … 2 GiB
  void take_back(MutableBytes block);

  size_t retained_bytes_max_;
  size_t retained_bytes_ = 0;
  size_t borrowed_bytes_ = 0;
  std::array<std::vector<std::byte*>, class_count> idle_;
};

}  // namespace kq
