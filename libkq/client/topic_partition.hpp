// A partition by its name, and lists of them.
#pragma once

#include <algorithm>
#include <compare>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace kq::client {

struct TopicPartition {
  std::string topic{};
  int32_t partition = 0;

  auto operator<=>(const TopicPartition&) const = default;
  std::string text() const { return topic + "-" + std::to_string(partition); }
};

// Finds one in a map without a copy of its name.
struct TopicPartitionLess {
  using is_transparent = void;
  using View = std::pair<std::string_view, int32_t>;
  static View view(const TopicPartition& at) { return {at.topic, at.partition}; }
  static View view(const View& at) { return at; }
  bool operator()(const auto& a, const auto& b) const { return view(a) < view(b); }
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
