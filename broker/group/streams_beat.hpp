// Inside StreamsCoordinator: one member's request while it is decided.
#pragma once

#include "broker/group/streams_coordinator.hpp"

namespace kq::group {

// What is being decided: the group as it is, the member as it will be.
struct StreamsCoordinator::Beat {
  const Now& now;
  const Caller& caller;
  const StreamsGroupHeartbeatRequest& request;
  const StreamsGroup& group;
  Writes& writes;
  StreamsGroup* held = nullptr;  // the group; null: this heartbeat makes it

  const StreamsMember* before = nullptr;  // null: it is new
  StreamsMember member{};
  std::vector<TopicProblem> statuses{};
  std::optional<StreamsTopology> brought{};     // a topology that the group did not have
  std::optional<ConfiguredTopology> made_of{};  // of that one
  bool bump = false;                            // the group's epoch rises
  StreamsEpoch epoch{};
  int32_t target_epoch = 0;
  TaskSets target{};

  bool joins() const { return request.member_epoch == joining_epoch; }
  const StreamsTopology& topology() const { return brought ? *brought : *group.topology(); }
  const ConfiguredTopology& configured(const std::shared_ptr<const cluster::Image>& image) const {
    return made_of ? *made_of : group.configured(image);
  }
};

}  // namespace kq::group
