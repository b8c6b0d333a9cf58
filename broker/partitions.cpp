#include "broker/partitions.hpp"

namespace kq::broker {
namespace {
std::vector<std::shared_ptr<Partition>> present(std::vector<std::shared_ptr<Partition>> partitions) {
  std::erase(partitions, nullptr);
  return partitions;
}
}  // namespace

void Partitions::add(std::shared_ptr<Partition> partition) {
  std::lock_guard lock(mutex_);
  ByIndex& topic = topics_[partition->topic_id];
  const auto index = static_cast<size_t>(partition->index);
  if (topic.size() <= index) topic.resize(index + 1);
  size_ += topic[index] == nullptr;
  topic[index] = std::move(partition);
}

std::vector<std::shared_ptr<Partition>> Partitions::remove(const Uuid& topic_id) {
  std::lock_guard lock(mutex_);
  const auto topic = topics_.find(topic_id);
  if (topic == topics_.end()) return {};
  auto removed = present(std::move(topic->second));
  topics_.erase(topic);
  size_ -= removed.size();
  return removed;
}

std::vector<std::shared_ptr<Partition>> Partitions::of(const Uuid& topic_id) const {
  std::shared_lock lock(mutex_);
  const auto topic = topics_.find(topic_id);
  return topic == topics_.end() ? std::vector<std::shared_ptr<Partition>>{} : present(topic->second);
}

std::vector<std::shared_ptr<Partition>> Partitions::all() const {
  std::shared_lock lock(mutex_);
  std::vector<std::shared_ptr<Partition>> all;
  all.reserve(size_);
  for (const auto& [id, topic] : topics_)
    for (const auto& partition : topic)
      if (partition) all.push_back(partition);
  return all;
}

size_t Partitions::size() const {
  std::shared_lock lock(mutex_);
  return size_;
}

}  // namespace kq::broker
