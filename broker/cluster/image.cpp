#include "broker/cluster/image.hpp"

#include <algorithm>

namespace kq::cluster {

const Endpoint* BrokerImage::endpoint(std::string_view listener) const {
  const auto at = std::find_if(endpoints.begin(), endpoints.end(), [&](const Endpoint& e) { return e.name == listener; });
  return at == endpoints.end() ? nullptr : &*at;
}

const TopicImage* Image::topic(std::string_view name) const {
  const auto* found = topics.find(name);
  return found ? found->get() : nullptr;
}

const TopicImage* Image::topic(const Uuid& id) const {
  const auto* found = topics_by_id.find(id);
  return found ? found->get() : nullptr;
}

const BrokerImage* Image::broker(int32_t id) const {
  const auto at = brokers.find(id);
  return at == brokers.end() ? nullptr : at->second.get();
}

const ConfigMap& Image::config(ResourceType type, std::string_view name) const {
  static const ConfigMap none;
  const auto* found = configs.find(ConfigResource{type, std::string(name)});
  return found ? **found : none;
}

int16_t Image::feature(std::string_view name) const {
  const auto at = features.find(name);
  return at == features.end() ? int16_t{0} : at->second;
}

size_t Image::partition_count() const {
  size_t count = 0;
  topics.for_each([&](const auto&, const auto& topic) { count += topic->partitions.size(); });
  return count;
}

}  // namespace kq::cluster
