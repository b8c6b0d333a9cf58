// A hash map whose copies share what they have in common.
#pragma once

#include <array>
#include <bitset>
#include <boost/unordered/unordered_flat_map.hpp>
#include <cstddef>
#include <memory>
#include <utility>

namespace kq::cluster {

// Copying costs 256 reference counts, changing an entry of a copy a 256th of the map: so that an image with a hundred thousand
// topics has a successor in microseconds.  Values are small or shared pointers.  Copies may be read by any number of threads, and a
// copy that was not handed out yet may be changed by its owner; what it was copied from may not be changed any more.
template <class Key, class Value, class Hash, class Equal>
class CowMap {
 public:
  using Shard = boost::unordered_flat_map<Key, Value, Hash, Equal>;

  CowMap() = default;
  CowMap(const CowMap& other) : shards_(other.shards_), size_(other.size_) {}
  CowMap& operator=(const CowMap&) = delete;

  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }

  template <class K>
  const Value* find(const K& key) const {
    const auto& shard = shards_[shard_of(key)];
    if (!shard) return nullptr;
    const auto at = shard->find(key);
    return at == shard->end() ? nullptr : &at->second;
  }

  void put(Key key, Value value) {
    Shard& shard = own(shard_of(key));
    size_ += shard.insert_or_assign(std::move(key), std::move(value)).second;
  }

  template <class K>
  void erase(const K& key) {
    if (find(key) == nullptr) return;
    own(shard_of(key)).erase(key);
    --size_;
  }

  // In no order that means anything.
  template <class Visit>
  void for_each(const Visit& visit) const {
    for (const auto& shard : shards_)
      if (shard)
        for (const auto& [key, value] : *shard) visit(key, value);
  }

 private:
  static constexpr size_t shard_count = 256;

  template <class K>
  static size_t shard_of(const K& key) {
    return (static_cast<uint64_t>(Hash{}(key)) * 0x9e3779b97f4a7c15) >> 56;      // the map inside uses other bits of the hash
  }

  Shard& own(size_t index) {
    auto& shard = shards_[index];
    if (!own_[index]) shard = shard ? std::make_shared<Shard>(*shard) : std::make_shared<Shard>();
    own_[index] = true;
    return *shard;
  }

  std::array<std::shared_ptr<Shard>, shard_count> shards_;
  std::bitset<shard_count> own_;                     // cloned by this copy: nobody else reads them
  size_t size_ = 0;
};

}  // namespace kq::cluster
