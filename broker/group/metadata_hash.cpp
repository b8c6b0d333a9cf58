#include "broker/group/metadata_hash.hpp"

#include <algorithm>
#include <bit>
#include <vector>

#include "broker/group/xxh3.hpp"
#include "libkq/base/utf16.hpp"

namespace kq::group {
namespace {

// What is hashed: numbers little-endian, a text as UTF-16 and behind it how many units that was.
class Hashed {
 public:
  template <class Int>
  void put(Int value) {
    if constexpr (std::endian::native == std::endian::big) value = byteswap(value);
    const auto bytes = std::as_bytes(std::span{&value, 1});
    bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
  }
  void put(const std::u16string& text) {
    for (const char16_t unit : text) put(static_cast<uint16_t>(unit));
    put(static_cast<int32_t>(text.size()));
  }
  uint64_t hash() const { return xxh3_64(bytes_); }

 private:
  std::vector<std::byte> bytes_;
};

std::vector<std::u16string> racks_of(const cluster::Image& image, const cluster::PartitionImage& partition) {
  std::vector<std::u16string> racks;
  for (const int32_t replica : partition.replicas)
    if (const auto broker = image.brokers.find(replica); broker != image.brokers.end() && broker->second->rack)
      racks.push_back(utf16(*broker->second->rack));
  std::ranges::sort(racks);
  return racks;
}

uint64_t hash_of(const cluster::Image& image, const cluster::TopicImage& topic) {
  constexpr int8_t version = 0;
  Hashed hashed;
  hashed.put(version);
  hashed.put(load_be<uint64_t>(topic.id.bytes.data()));
  hashed.put(load_be<uint64_t>(topic.id.bytes.data() + sizeof(uint64_t)));
  hashed.put(utf16(topic.name));
  const auto count = static_cast<int32_t>(topic.partitions.size());
  hashed.put(count);
  for (int32_t index = 0; index < count; ++index) {
    hashed.put(index);
    for (const std::u16string& rack : racks_of(image, topic.partitions[static_cast<size_t>(index)])) {
      hashed.put(static_cast<int32_t>(rack.size()));
      hashed.put(rack);
    }
  }
  return hashed.hash();
}

}  // namespace

int64_t hash_of(const cluster::Image& image, const std::set<std::string, std::less<>>& topics) {
  Hashed hashed;
  bool any = false;
  for (const std::string& name : topics) {
    const cluster::TopicImage* topic = image.topic(name);
    if (!topic) continue;
    any = true;
    hashed.put(hash_of(image, *topic));
  }
  return any ? static_cast<int64_t>(hashed.hash()) : 0;
}

}  // namespace kq::group
