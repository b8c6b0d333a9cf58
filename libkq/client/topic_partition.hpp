// A partition by its name, and lists of them.
#pragma once

#include <algorithm>
#include <compare>
#include <cstdint>
#include <string>
#include <vector>

namespace kq::client {

struct TopicPartition {
  std::string topic{};
  int32_t partition = 0;

  auto operator<=>(const TopicPartition&) const = default;
  std::string text() const { return topic + "-" + std::to_string(partition); }
};

using Partitions = std::vector<TopicPartition>;

// What `all` has and `taken` has not; both are sorted.
inline Partitions without(const Partitions& all, const Partitions& taken) {
  Partitions left;
  std::ranges::set_difference(all, taken, std::back_inserter(left));
  return left;
}

inline Partitions both(const Partitions& a, const Partitions& b) {
  Partitions common;
  std::ranges::set_intersection(a, b, std::back_inserter(common));
  return common;
}

}  // namespace kq::client
