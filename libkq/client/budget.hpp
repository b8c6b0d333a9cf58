// A bound on memory, and the blocks that are cut from it.
#pragma once

#include <array>
#include <atomic>
#include <bit>
#include <cstdlib>
#include <mutex>
#include <new>
#include <utility>
#include <vector>

#include "libkq/base/bytes.hpp"
#include "libkq/base/check.hpp"

namespace kq::client {

// Counts bytes against a limit.  Any thread.
class Budget {
 public:
  explicit Budget(size_t limit) : limit_(limit) {}

  // False: they do not fit.  What is larger than the whole budget fits while nothing else is in it, so that it can be sent at all.
  bool try_charge(size_t bytes) {
    size_t used = used_.load(std::memory_order_relaxed);
    do {
      if (used > 0 && used + bytes > limit_) return false;
    } while (!used_.compare_exchange_weak(used, used + bytes, std::memory_order_relaxed));
    return true;
  }
  void charge(size_t bytes) { used_.fetch_add(bytes, std::memory_order_relaxed); }
  void release(size_t bytes) { used_.fetch_sub(bytes, std::memory_order_relaxed); }
  size_t used() const { return used_.load(std::memory_order_relaxed); }
  size_t limit() const { return limit_; }
  bool full() const { return used() >= limit_; }

 private:
  const size_t limit_;
  std::atomic<size_t> used_{0};
};

class BlockStore;

// Memory of one batch.  Goes back to its store, and its bytes to the budget, when it dies, on any thread.
class MemoryBlock {
 public:
  MemoryBlock() = default;
  MemoryBlock(MemoryBlock&& other) noexcept { *this = std::move(other); }
  MemoryBlock& operator=(MemoryBlock&& other) noexcept {
    std::swap(store_, other.store_), std::swap(bytes_, other.bytes_), std::swap(charged_, other.charged_);
    return *this;
  }
  ~MemoryBlock();

  MutableBytes bytes() const { return bytes_; }
  explicit operator bool() const { return !bytes_.empty(); }
  void leave_budget();                                         // the memory stays; somebody else counts it from now on

 private:
  friend class BlockStore;
  MemoryBlock(BlockStore* store, MutableBytes bytes) : store_(store), bytes_(bytes) {}
  BlockStore* store_ = nullptr;
  MutableBytes bytes_;
  bool charged_ = true;
};

// Blocks in sizes of powers of two, charged to a budget as they are handed out.  Used ones are kept for the next batches: the last one
// given back is the first one given again, while it is still in the cache.  Any thread; outlives its blocks.
class BlockStore {
 public:
  static constexpr size_t block_bytes_min = 4 << 10;

  explicit BlockStore(Budget& budget) : budget_(budget), retained_bytes_max_(budget.limit() / 4) {}
  ~BlockStore() {
    for (auto& blocks : idle_)
      for (std::byte* block : blocks) std::free(block);
  }
  BlockStore(const BlockStore&) = delete;

  static size_t rounded(size_t size) { return std::bit_ceil(std::max(size, block_bytes_min)); }

  // An empty block: the budget is full.
  MemoryBlock try_take(size_t size) {
    const size_t whole = rounded(size);
    return budget_.try_charge(whole) ? make(whole) : MemoryBlock();
  }
  // Past the budget's end, if need be: for what has to be rebuilt in order to leave it.
  MemoryBlock take(size_t size) {
    const size_t whole = rounded(size);
    budget_.charge(whole);
    return make(whole);
  }

 private:
  friend class MemoryBlock;
  static constexpr size_t class_count = 20;                    // 4 KiB … 2 GiB
  static size_t class_of(size_t whole) { return static_cast<size_t>(std::countr_zero(whole / block_bytes_min)); }

  MemoryBlock make(size_t whole) {
    if (std::byte* used = take_idle(whole)) return {this, {used, whole}};
    auto* block = static_cast<std::byte*>(std::malloc(whole));
    if (block) return {this, {block, whole}};
    budget_.release(whole);
    throw std::bad_alloc();
  }

  std::byte* take_idle(size_t whole) {
    KQ_CHECK(class_of(whole) < class_count);
    std::lock_guard hold(lock_);
    auto& blocks = idle_[class_of(whole)];
    if (blocks.empty()) return nullptr;
    std::byte* block = blocks.back();
    blocks.pop_back();
    retained_bytes_ -= whole;
    return block;
  }

  void take_back(MutableBytes block) {
    {
      std::lock_guard hold(lock_);
      if (retained_bytes_ + block.size() <= retained_bytes_max_) {
        idle_[class_of(block.size())].push_back(block.data());
        retained_bytes_ += block.size();
        return;
      }
    }
    std::free(block.data());
  }

  Budget& budget_;
  const size_t retained_bytes_max_;
  std::mutex lock_;
  size_t retained_bytes_ = 0;
  std::array<std::vector<std::byte*>, class_count> idle_;
};

inline void MemoryBlock::leave_budget() {
  if (store_ && std::exchange(charged_, false)) store_->budget_.release(bytes_.size());
}

inline MemoryBlock::~MemoryBlock() {
  leave_budget();
  if (store_) store_->take_back(bytes_);
}

}  // namespace kq::client
