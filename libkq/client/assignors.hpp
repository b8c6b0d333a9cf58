// Who of a group reads which partitions: the four ways that Kafka's clients know, with the same results as theirs.
#pragma once

#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "libkq/client/topic_partition.hpp"

namespace kq::client {

enum class Assignor : int8_t { range, roundrobin, sticky, cooperative_sticky };

// "range", "roundrobin", "sticky", "cooperative-sticky": as brokers and other members know them.
const char* name_of(Assignor);
std::optional<Assignor> find_assignor(std::string_view name);
// Whether a member keeps its partitions while the group finds a new assignment.
constexpr bool is_cooperative(Assignor assignor) { return assignor == Assignor::cooperative_sticky; }

// A member, as its subscription tells the leader.
struct AssignorMember {
  std::string id{};
  std::optional<std::string> instance_id{};
  std::vector<std::string> topics{};
  Partitions owned{};  // what it says to own, and since which generation (-1: not told)
  int32_t generation = -1;
  std::string rack{};  // empty: not told
};

// A topic that exists.
struct AssignorTopic {
  int32_t partitions = 0;
  std::vector<std::vector<std::string>> racks{};  // of each partition's replicas; empty: not known
};

using AssignorTopics = std::map<std::string, AssignorTopic>;
using Assignment = std::map<std::string, Partitions>;  // by member id; every member is there, its partitions are sorted

// Topics that nobody subscribes to are left alone, and those that are not in `topics` have no partitions.  cooperative_sticky leaves out
// what moves from one member to another: it is free once its owner has given it up and joined again.
Assignment assign(Assignor, std::span<const AssignorMember>, const AssignorTopics& topics);

namespace assignors {
Assignment range(std::span<const AssignorMember>, const AssignorTopics&);
Assignment round_robin(std::span<const AssignorMember>, const AssignorTopics&);
Assignment sticky(std::span<const AssignorMember>, const AssignorTopics&, bool cooperative);

// Racks count where some member is in a rack that has replicas, and not every partition has replicas in all racks.
bool racks_matter(std::span<const AssignorMember* const>, std::span<const AssignorTopic* const>);
bool in_rack(const AssignorTopic&, int32_t partition, const std::string& rack);
}  // namespace assignors

}  // namespace kq::client
