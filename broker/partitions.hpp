// The partitions that a broker holds.
#pragma once

#include <boost/unordered/unordered_flat_map.hpp>
#include <memory>
#include <shared_mutex>
#include <vector>

#include "broker/partition.hpp"

namespace kq::broker {

// Any thread.  The look-up is on the way of every request; changes come from the metadata alone.
class Partitions {
 public:
  std::shared_ptr<Partition> find(const Uuid& topic_id, int32_t index) const {
    std::shared_lock lock(mutex_);
    const auto topic = topics_.find(topic_id);
    if (topic == topics_.end() || index < 0 || static_cast<size_t>(index) >= topic->second.size()) return nullptr;
    return topic->second[static_cast<size_t>(index)];
  }
  void add(std::shared_ptr<Partition>);
  // Takes the topic's partitions out.
  std::vector<std::shared_ptr<Partition>> remove(const Uuid& topic_id);
  std::vector<std::shared_ptr<Partition>> of(const Uuid& topic_id) const;      // those that there are
  std::vector<std::shared_ptr<Partition>> all() const;
  size_t size() const;

 private:
  using ByIndex = std::vector<std::shared_ptr<Partition>>;      // null: not this broker's

  mutable std::shared_mutex mutex_;
  boost::unordered_flat_map<Uuid, ByIndex, std::hash<Uuid>> topics_;
  size_t size_ = 0;
};

}  // namespace kq::broker
