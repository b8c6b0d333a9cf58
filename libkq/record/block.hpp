// Bytes that grow, are never cleared to zero, and keep their memory for the next use.
#pragma once

#include <algorithm>
#include <memory>

#include "libkq/base/bytes.hpp"

namespace kq {

// One owner, one thread at a time.  Growing moves the bytes: views into the block hold until the next room() or clear().
class Block {
 public:
  Block() = default;
  explicit Block(size_t capacity) { grow(capacity); }
  Block(Block&& other) noexcept { *this = std::move(other); }
  Block& operator=(Block&& other) noexcept {
    data_ = std::move(other.data_);
    size_ = std::exchange(other.size_, 0);
    capacity_ = std::exchange(other.capacity_, 0);
    return *this;
  }

  Bytes bytes() const { return {data_.get(), size_}; }
  MutableBytes mutable_bytes() { return {data_.get(), size_}; }
  MutableBytes memory() { return {data_.get(), capacity_}; }  // all of the memory, used or not
  size_t size() const { return size_; }
  size_t capacity() const { return capacity_; }

  // All that is free behind the last byte, at least `bytes` of it.  What is written there counts after commit().
  MutableBytes room(size_t bytes) {
    if (capacity_ - size_ < bytes) grow(std::max(size_ + bytes, capacity_ * 2));
    return {data_.get() + size_, capacity_ - size_};
  }
  void commit(size_t bytes) { size_ += bytes; }
  void append(Bytes more) {
    if (more.empty()) return;
    std::memcpy(room(more.size()).data(), more.data(), more.size());
    size_ += more.size();
  }
  void clear() { size_ = 0; }

 private:
  void grow(size_t capacity) {
    std::unique_ptr<std::byte[]> bigger(new std::byte[capacity]);  // not make_unique: that would write zeros
    if (size_ != 0) std::memcpy(bigger.get(), data_.get(), size_);
    data_ = std::move(bigger);
    capacity_ = capacity;
  }

  std::unique_ptr<std::byte[]> data_;
  size_t size_ = 0;
  size_t capacity_ = 0;
};

}  // namespace kq
