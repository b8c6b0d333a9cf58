#include "broker/group/metadata_hash.hpp"

#include "libkq/base/bytes.hpp"

namespace kq::group {

std::optional<int64_t> hash_of(const cluster::Image& image, const std::set<std::string, std::less<>>& topics) {
  auto hash = static_cast<uint64_t>(hash_of_nothing);
  const auto add = [&](Bytes bytes) {
    for (const std::byte byte : bytes) hash = (hash ^ static_cast<uint8_t>(byte)) * 0x100000001b3;
  };
  bool any = false;
  for (const std::string& name : topics) {
    const cluster::TopicImage* topic = image.topic(name);
    if (!topic) continue;
    any = true;
    std::byte count[sizeof(int32_t)];
    store_be(count, static_cast<int32_t>(topic->partitions.size()));
    add(as_bytes(name));
    add(topic->id.bytes);
    add(count);
  }
  if (!any) return std::nullopt;
  return static_cast<int64_t>(hash);
}

}  // namespace kq::group
