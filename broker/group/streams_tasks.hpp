// The tasks of a Kafka Streams application: one for each partition of each of its subtopologies.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>

namespace kq::group {

using Tasks = std::map<std::string, std::set<int32_t>, std::less<>>;  // partitions by subtopology
// With the epoch at which each was given out: who commits with an older one is fenced.
using EpochTasks = std::map<std::string, std::map<int32_t, int32_t>, std::less<>>;

struct TaskId {
  std::string subtopology;
  int32_t partition = 0;

  auto operator<=>(const TaskId&) const = default;
};

// What a member is to have.  Nothing gives out warm-up tasks yet, in Kafka 4.2 either; records and answers have their place.
struct TaskSets {
  Tasks active, standby, warmup;

  bool operator==(const TaskSets&) const = default;
};

// What it has.
struct HeldTasks {
  EpochTasks active;
  Tasks standby, warmup;

  bool empty() const { return active.empty() && standby.empty() && warmup.empty(); }
  bool operator==(const HeldTasks&) const = default;
};

}  // namespace kq::group
