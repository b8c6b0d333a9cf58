#include "broker/log/cleaner/offset_map.hpp"

#include <algorithm>

#include "libkq/base/check.hpp"
#include "libkq/base/random.hpp"

namespace kq::log {
namespace {

constexpr size_t first_slots = 1024;
constexpr unsigned growth_bits = 2;                      // fourfold

struct Hash {
  uint64_t low, high;
};

// SipHash-2-4 with an answer of 128 bits (Aumasson and Bernstein).
class SipHash {
 public:
  SipHash(uint64_t key0, uint64_t key1)
      : v0_(key0 ^ 0x736f6d6570736575), v1_(key1 ^ 0x646f72616e646f6d ^ 0xee), v2_(key0 ^ 0x6c7967656e657261), v3_(key1 ^ 0x7465646279746573) {}

  Hash of(Bytes bytes) {
    const size_t whole = bytes.size() / 8 * 8;
    for (size_t at = 0; at < whole; at += 8) take(word(bytes.data() + at, 8));
    take(word(bytes.data() + whole, bytes.size() - whole) | static_cast<uint64_t>(bytes.size()) << 56);
    v2_ ^= 0xee;
    const uint64_t low = finish();
    v1_ ^= 0xdd;
    return {low, finish()};
  }

 private:
  static uint64_t word(const std::byte* from, size_t count) {
    uint64_t value = 0;
    for (size_t i = 0; i < count; ++i) value |= std::to_integer<uint64_t>(from[i]) << (8 * i);
    return value;
  }
  void take(uint64_t word) {
    v3_ ^= word;
    round();
    round();
    v0_ ^= word;
  }
  uint64_t finish() {
    for (int i = 0; i < 4; ++i) round();
    return v0_ ^ v1_ ^ v2_ ^ v3_;
  }
  void round() {
    v0_ += v1_, v2_ += v3_;
    v1_ = std::rotl(v1_, 13) ^ v0_, v3_ = std::rotl(v3_, 16) ^ v2_;
    v0_ = std::rotl(v0_, 32);
    v2_ += v1_, v0_ += v3_;
    v1_ = std::rotl(v1_, 17) ^ v2_, v3_ = std::rotl(v3_, 21) ^ v0_;
    v2_ = std::rotl(v2_, 32);
  }

  uint64_t v0_, v1_, v2_, v3_;
};

}  // namespace

OffsetMap::OffsetMap(size_t memory_bytes, double load_factor)
    : slots_max_(std::max<size_t>(memory_bytes / sizeof(Slot) * 4 / 5, 2)), load_factor_(std::clamp(load_factor, 0.01, 0.99)),
      size_max_(std::max<size_t>(static_cast<size_t>(static_cast<double>(slots_max_) * load_factor_), 1)) {
  secret_[0] = system_random_u64();
  secret_[1] = system_random_u64();
  clear();
}

void OffsetMap::clear() {
  steps_left_ = 0;
  while (slots_max_ >> (growth_bits * (steps_left_ + 1)) >= first_slots) ++steps_left_;
  slots_ = std::vector<Slot>(slots_max_ >> (growth_bits * steps_left_));
  size_ = 0;
  latest_offset_ = -1;
}

size_t OffsetMap::slot_of(uint64_t low, uint64_t high) const {
  size_t i = low % slots_.size();
  while (slots_[i].offset >= 0 && (slots_[i].low != low || slots_[i].high != high)) i = i + 1 == slots_.size() ? 0 : i + 1;
  return i;
}

void OffsetMap::grow() {
  std::vector<Slot> old(slots_max_ >> (growth_bits * --steps_left_));
  slots_.swap(old);
  for (const Slot& slot : old)
    if (slot.offset >= 0) slots_[slot_of(slot.low, slot.high)] = slot;
}

void OffsetMap::put(Bytes key, int64_t offset) {
  const Hash hash = SipHash(secret_[0], secret_[1]).of(key);
  Slot* slot = &slots_[slot_of(hash.low, hash.high)];
  if (slot->offset < 0) {
    KQ_CHECK(!full());
    if (static_cast<double>(size_ + 1) > static_cast<double>(slots_.size()) * load_factor_ && steps_left_ > 0) {
      grow();
      slot = &slots_[slot_of(hash.low, hash.high)];
    }
    ++size_;
  }
  *slot = {hash.low, hash.high, offset};
  raise_latest_offset(offset);
}

int64_t OffsetMap::find(Bytes key) const {
  const Hash hash = SipHash(secret_[0], secret_[1]).of(key);
  return slots_[slot_of(hash.low, hash.high)].offset;
}

}  // namespace kq::log
