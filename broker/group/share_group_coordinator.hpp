// The share protocol (KIP-932): ShareGroupHeartbeat and what follows from it.
#pragma once

#include "broker/group/share_group.hpp"
#include "libkq/protocol/messages/share_group_describe.hpp"
#include "libkq/protocol/messages/share_group_heartbeat.hpp"

namespace kq::group {

// Who asks; views.
struct ShareCaller {
  std::string_view client_id, client_host;
  Duration session_timeout{}, heartbeat_interval{};  // of the group
  Duration initialize_retry = 30s;                   // group.share.initialize.retry.interval.ms
  size_t members_max = 0;
};

struct ShareHeartbeatAnswer : Answer<ShareGroupHeartbeatResponse> {
  // Partitions that have to be initialized with the share coordinator, under
  // this state epoch; then comes initialized() or its failure.
  SharedPartitions initialize{};
  int32_t state_epoch = 0;
};

// Kafka's `simple` assignor: every partition to as many members as it takes for
// all to have some, and what stays stays.
using ShareSubscriptions = std::map<std::string, SharedPartitions,
                                    std::less<>>;  // what each member may have
std::map<std::string, SharedPartitions, std::less<>> assign_simply(const ShareSubscriptions&, const ShareGroup::Targets& before);

// Works on its shard's groups; one call at a time, under the shard's lock.  All
// that changes are records, and timers.
class ShareGroupCoordinator {
 public:
  static constexpr int32_t joining_epoch = 0, leaving_epoch = -1;

  explicit ShareGroupCoordinator(Groups& groups) : groups_(groups) {}

  // A record of share groups; makes the group, or lets it go.
  void replay(const RecordFrame& key, const std::optional<Bytes>& value);

  ShareHeartbeatAnswer heartbeat(const Now&, const ShareCaller&, const ShareGroupHeartbeatRequest&, Writes&);
  // What the share coordinator has made of a heartbeat's wish.
  void initialized(std::string_view group, const SharedPartitions& done, const SharedPartitions& failed, Writes&);
  // The group's offsets are set or forgotten by an operator: the code that
  // refuses.
  Code check_empty(std::string_view group) const;
  // The same for setting offsets, which makes a group that is not there.
  Code check_alter(std::string_view group) const;
  void offsets_altered(std::string_view group, const SharedPartitions&, Writes&) const;
  // Before their states are deleted, so that what a stop cuts short is known to be half done; and after.
  void offsets_deleting(std::string_view group, const std::set<Uuid>& topics, Writes&) const;
  void offsets_deleted(std::string_view group, const std::set<Uuid>& topics, Writes&) const;

  void describe(std::string_view group, ShareGroupDescribeResponse::DescribedGroup&, Texts&) const;
  void loaded(const Now&, const ShareGroup&);
  void timer(const Now&, const TimerKey&, Writes&);  // a session has ended

 private:
  struct Beat;

  ShareHeartbeatAnswer leave(const ShareGroup&, std::string_view member, Writes&);
  void remove_member(const ShareGroup&, std::string_view member, Writes&) const;
  bool assignment_pending(const ShareGroup&) const;
  void update_epoch(Beat&) const;
  void update_target(Beat&) const;
  void want_states(Beat&, Duration retry, ShareHeartbeatAnswer&);
  SharedPartitions assignable(const ShareGroup&, const ShareMember&) const;

  Groups& groups_;
};

}  // namespace kq::group
