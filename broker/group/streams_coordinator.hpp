// The streams protocol (KIP-1071): StreamsGroupHeartbeat and what follows from it.
#pragma once

#include "broker/group/classic_coordinator.hpp"
#include "broker/group/streams_group.hpp"
#include "libkq/protocol/messages/streams_group_describe.hpp"
#include "libkq/protocol/messages/streams_group_heartbeat.hpp"

namespace kq::group {

struct StreamsHeartbeatAnswer : Answer<StreamsGroupHeartbeatResponse> {
  std::vector<InternalTopic> create;  // topics that have to be made before the application can run
};

// Works on its shard's groups; one call at a time, under the shard's lock.  All that changes are records, timers, and what a group keeps
// beside the log.
class StreamsCoordinator {
 public:
  static constexpr int32_t joining_epoch = 0, leaving_epoch = -1;

  explicit StreamsCoordinator(Groups& groups) : groups_(groups) {}

  // A record of streams groups; makes the group, or lets it go.
  void replay(const RecordFrame& key, const std::optional<Bytes>& value);

  StreamsHeartbeatAnswer heartbeat(const Now&, const Caller&, const StreamsGroupHeartbeatRequest&, Writes&);
  void describe(std::string_view group, StreamsGroupDescribeResponse::DescribedGroup&, Texts&) const;

  void loaded(const Now&, const StreamsGroup&);
  void timer(const Now&, const TimerKey&, Writes&);

 private:
  struct Beat;

  StreamsHeartbeatAnswer leave(const StreamsGroupHeartbeatRequest&, Writes&);
  std::optional<StreamsHeartbeatAnswer> decide(Beat&);
  std::optional<StreamsHeartbeatAnswer> find_member(Beat&) const;
  void update_member(Beat&) const;
  std::optional<StreamsHeartbeatAnswer> update_topology(Beat&) const;
  std::optional<StreamsHeartbeatAnswer> check_tasks(const Beat&) const;
  void update_epoch(Beat&) const;
  void update_target(Beat&);
  std::optional<StreamsHeartbeatAnswer> reconcile(Beat&);
  StreamsHeartbeatAnswer answer(Beat&);
  void tell_endpoints(const Beat&, StreamsHeartbeatAnswer&) const;

  StreamsTargets write_targets(const StreamsGroup&, const StreamsMember* updated, const ConfiguredTopology&,
                               const AssignmentConfigs&, int32_t epoch, Writes&) const;
  void first_assignment(const StreamsGroup&, Writes&) const;
  void remove_member(const StreamsGroup&, std::string_view member, Writes&) const;
  void expect_heartbeat(const Now&, std::string_view group, std::string_view member);
  AssignmentConfigs assignment_configs(std::string_view group) const;

  Groups& groups_;
};

// Where a member goes from here: what it has to give up first, then what it gets (CurrentAssignmentBuilder of Kafka).  `owned`: what it
// says it has; nothing: it does not say.
StreamsMember next_tasks(const StreamsMember&, int32_t target_epoch, const TaskSets& target, const std::optional<TaskSets>& owned,
                         const StreamsGroup&);

}  // namespace kq::group
