// Server-side assignors of consumer groups (KIP-848): uniform and range.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "libkq/base/uuid.hpp"

namespace kq::group {

using TopicPartitions = std::map<Uuid, std::set<int32_t>>;

struct AssignorMember {
  std::string_view id;
  std::optional<std::string_view> instance_id;
  std::set<Uuid> topics;                   // that it subscribes to, and that exist
  const TopicPartitions* owned = nullptr;  // its part of the last assignment
};

struct AssignorInput {
  std::vector<AssignorMember> members;  // by id
  std::map<Uuid, int32_t> topics;       // to their number of partitions
};

// Each member's partitions, in the order of the members.  Every partition of a topic that somebody subscribes to goes to one of those.
std::vector<TopicPartitions> assign_range(const AssignorInput&);
// Numbers of partitions differ by at most one where subscriptions allow it, and members keep what they own as far as that goes.
std::vector<TopicPartitions> assign_uniform(const AssignorInput&);

}  // namespace kq::group
