// The classic protocol: JoinGroup, SyncGroup, Heartbeat, LeaveGroup, and the time-outs between them.
#pragma once

#include "broker/group/classic_group.hpp"
#include "libkq/protocol/messages/describe_groups.hpp"
#include "libkq/protocol/messages/heartbeat.hpp"
#include "libkq/protocol/messages/leave_group.hpp"

namespace kq::group {

// Who asks.
struct Caller {
  int16_t version = 0;  // of the request
  std::string_view client_id;
  std::string_view client_host;
};

// Works on its shard's groups; one call at a time, under the shard's lock.
class ClassicCoordinator {
 public:
  explicit ClassicCoordinator(Groups& groups) : groups_(groups) {}

  void join(const Now&, const Caller&, const JoinGroupRequest&, Resolve<JoinAnswer>, Writes&);
  void sync(const Now&, const SyncGroupRequest&, Resolve<SyncAnswer>, Writes&);
  Code heartbeat(const Now&, const HeartbeatRequest&);
  LeaveGroupResponse leave(const Now&, const LeaveGroupRequest&, Writes&);
  static void describe(const ClassicGroup&, DescribeGroupsResponse::DescribedGroup&, Texts&);

  // The group was one of the other protocol: these are its members, who are to join.
  void taken_over(const Now&, ClassicGroup&, const std::vector<ClassicMember>&);
  static void refuse(Code, const JoinGroupRequest&, const Resolve<JoinAnswer>&);

  // The log has been read: sessions begin.
  void loaded(const Now&, ClassicGroup&, Writes&);
  // A timer has come.
  void timer(const Now&, const TimerKey&, Writes&);
  // A member that commits is alive.
  void saw(const Now&, ClassicGroup&, std::string_view member_id);
  // Everyone who waits is answered with this.
  static void fail_waiting(ClassicGroup&, Code);

 private:
  struct Joining;

  void join_new(Joining&);
  void join_known(Joining&);
  void add_member(Joining&, const std::string& member_id);
  void update_member(Joining&, ClassicMember&);
  void replace_static(Joining&, const std::string& old_id, const std::string& new_id);
  bool has_room(const ClassicGroup&, std::string_view member_id) const;

  void rebalance_or_complete(const Now&, ClassicGroup&, Writes&);
  void prepare_rebalance(const Now&, ClassicGroup&, Writes&);
  void complete_or_wait(const Now&, ClassicGroup&, Writes&);
  void complete_if_all_joined(const Now&, ClassicGroup&, Writes&);
  void complete_join(const Now&, ClassicGroup&, Writes&);
  void assign(const Now&, ClassicGroup&, const SyncGroupRequest&, Writes&);
  void synced(ClassicGroup&, std::string_view member_id);
  void drop_assignments(ClassicGroup&, Code);
  void remove_member(ClassicGroup&, const std::string& member_id);
  void after_removal(const Now&, ClassicGroup&, Writes&);
  Code leave_one(ClassicGroup&, const LeaveGroupRequest::MemberIdentity&, bool& was_member);

  void session_expired(const Now&, ClassicGroup&, const std::string& member_id, Writes&);
  void sync_expired(const Now&, ClassicGroup&, Writes&);
  void initial_delay_over(const Now&, ClassicGroup&, Writes&);
  void expect_heartbeat(const Now&, const ClassicGroup&, const ClassicMember&);

  Groups& groups_;
  std::unordered_map<std::string, Duration> delays_left_;  // of groups whose first rebalance is delayed
};

}  // namespace kq::group
