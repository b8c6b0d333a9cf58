// The consumer protocol (KIP-848): ConsumerGroupHeartbeat and what follows from it.
#pragma once

#include "broker/group/classic_coordinator.hpp"
#include "broker/group/consumer_group.hpp"
#include "broker/group/migration.hpp"
#include "libkq/protocol/messages/consumer_group_describe.hpp"
#include "libkq/protocol/messages/consumer_group_heartbeat.hpp"

namespace kq::group {

using HeartbeatAnswer = Answer<ConsumerGroupHeartbeatResponse>;

// Works on its shard's groups; one call at a time, under the shard's lock.  All that changes are records, and timers.
class ConsumerCoordinator {
 public:
  ConsumerCoordinator(Groups& groups, ClassicCoordinator& classic) : groups_(groups), classic_(classic) {}

  HeartbeatAnswer heartbeat(const Now&, const Caller&, const ConsumerGroupHeartbeatRequest&, Writes&);
  // Members of the classic protocol in a group of this one (mixed_group.cpp).
  void join(const Now&, const Caller&, const ConsumerGroup&, const JoinGroupRequest&, Resolve<JoinAnswer>, Writes&);
  void sync(const Now&, const ConsumerGroup&, const SyncGroupRequest&, const Resolve<SyncAnswer>&);
  Code heartbeat(const Now&, const ConsumerGroup&, const HeartbeatRequest&);
  LeaveGroupResponse leave(const Now&, const ConsumerGroup&, const LeaveGroupRequest&, Writes&);

  void describe(const ConsumerGroup&, ConsumerGroupDescribeResponse::DescribedGroup&, Texts&) const;

  void loaded(const Now&, const ConsumerGroup&);
  void timer(const Now&, const TimerKey&, Writes&);

 private:
  struct Beat;

  HeartbeatAnswer leave(const Now&, const ConsumerGroup&, const ConsumerGroupHeartbeatRequest&, Writes&);
  std::optional<HeartbeatAnswer> decide(Beat&);
  std::optional<HeartbeatAnswer> upgrade(const Now&, ClassicGroup&, ConsumerGroup& into, Writes&);
  std::optional<HeartbeatAnswer> find_member(Beat&);
  std::optional<HeartbeatAnswer> find_static_member(Beat&);
  void update_subscription(Beat&);
  std::optional<HeartbeatAnswer> resolve_regex(Beat&);
  void update_epoch(Beat&);
  void update_target(Beat&);
  void reconcile(Beat&);
  HeartbeatAnswer answer(const Beat&) const;

  bool must_rejoin(const ConsumerGroup&, const ConsumerMember&) const;
  // At least one, and each once.
  void remove_members(const Now&, const ConsumerGroup&, const Leaving&, Writes&);
  bool downgrades_without(const ConsumerGroup&, const Leaving&) const;
  void downgrade(const Now&, const ConsumerGroup&, const Leaving&, Writes&);
  std::string_view assignor_of(const ConsumerGroup&, const ConsumerMember* updated) const;
  void expect_heartbeat(const Now&, const ConsumerGroup&, const ConsumerMember&);
  Duration group_setting(std::string_view group, std::string_view key, Duration otherwise) const;

  Groups& groups_;
  ClassicCoordinator& classic_;
};

// Where a member goes from here: what it has to give up first, then what it gets (CurrentAssignmentBuilder of Kafka).  `owned`:
// what it says it has; nothing: it does not say.
ConsumerMember next_assignment(const ConsumerMember&, int32_t target_epoch, const TopicPartitions& target,
                               const std::optional<TopicPartitions>& owned, const ConsumerGroup&);

// RE2's syntax, the whole name.  Nothing: that is no pattern.
std::optional<std::set<std::string, std::less<>>> topics_matching(const cluster::Image&, std::string_view regex,
                                                                  std::string& why_not);

}  // namespace kq::group
