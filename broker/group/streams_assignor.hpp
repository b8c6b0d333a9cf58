// Which member of a streams group runs which task: Kafka's `sticky` assignor.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "broker/group/streams_tasks.hpp"

namespace kq::group {

struct StreamsAssignorMember {
  std::string_view id;
  std::string_view process_id;
  const TaskSets* before = nullptr;  // what it was to have last time
};

struct StreamsAssignorSubtopology {
  std::string_view id;
  int32_t tasks = 0;
  bool stateful = false;  // only then are there standby tasks
};

struct StreamsAssignorInput {
  std::vector<StreamsAssignorMember> members;
  std::vector<StreamsAssignorSubtopology> subtopologies;
  int32_t standby_replicas = 0;
};

using StreamsTargets = std::map<std::string, TaskSets, std::less<>>;  // by member

// Every task is active at one member, and on standby in as many other processes as are wanted and there.  A task stays where it was, or
// goes where it was on standby, as long as no member has more than its share; the rest goes to the processes that have least to do for
// the members that they have.
StreamsTargets assign_sticky(const StreamsAssignorInput&);

}  // namespace kq::group
