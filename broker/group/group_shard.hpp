// The groups of one partition of __consumer_offsets.
#pragma once

#include "broker/group/classic_coordinator.hpp"
#include "broker/group/consumer_coordinator.hpp"
#include "broker/group/offset_requests.hpp"
#include "broker/group/share_group_coordinator.hpp"
#include "broker/group/streams_coordinator.hpp"
#include "libkq/protocol/messages/list_groups.hpp"

namespace kq::group {

// Which groups ListGroups is to name; empty: all.
struct ListFilter {
  std::vector<std::string> states, types;  // in lower case
};

// A state machine for the coordinators' runtime (coordinator/state_machine.hpp).  Requests go to the coordinators of the two
// protocols, and to OffsetRequests; what concerns all groups is here.
class GroupShard final : public coordinator::StateMachine {
 public:
  explicit GroupShard(const GroupConfig&, std::function<std::string()> new_id);

  void replay(const coordinator::Record&) override;
  void end_transaction(const coordinator::TransactionEnd& end) override { store_.end_transaction(end.producer_id, end.commit); }
  void loaded(const Now&, std::shared_ptr<const cluster::Image>) override;
  void unloaded() override;
  void metadata_changed(const Now&, std::shared_ptr<const cluster::Image>, const cluster::Delta&) override;
  std::optional<Instant> deadline() const override { return groups_.timers.next(); }
  void tick(const Now&, Writes&) override;

  // Of both protocols: members of one may be in a group of the other.
  void join(const Now&, const Caller&, const JoinGroupRequest&, Resolve<JoinAnswer>, Writes&);
  void sync(const Now&, const SyncGroupRequest&, Resolve<SyncAnswer>, Writes&);
  Code heartbeat(const Now&, const HeartbeatRequest&, Writes&);
  LeaveGroupResponse leave(const Now&, const LeaveGroupRequest&, Writes&);
  HeartbeatAnswer heartbeat(const Now&, const Caller&, const ConsumerGroupHeartbeatRequest&, Writes&);
  OffsetRequests& offsets() { return offsets_; }
  ShareGroupCoordinator& share() { return share_; }
  StreamsCoordinator& streams() { return streams_; }

  void describe(std::string_view group_id, int16_t version, DescribeGroupsResponse::DescribedGroup&, Texts&) const;
  void describe(std::string_view group_id, ConsumerGroupDescribeResponse::DescribedGroup&, Texts&) const;
  void list(const ListFilter&, ListGroupsResponse&, Texts&) const;
  Code remove(std::string_view group_id, Writes&) const;

  const Groups& groups() const { return groups_; }
  const OffsetStore& store() const { return store_; }

 private:
  void replay_offset(const coordinator::Record&, Bytes key);
  void replay_classic(const coordinator::Record&, Bytes key);
  void replay_consumer(const coordinator::Record&, const RecordFrame& key);

  Groups groups_;
  OffsetStore store_;
  ClassicCoordinator classic_;
  ConsumerCoordinator consumer_;
  ShareGroupCoordinator share_;
  StreamsCoordinator streams_;
  OffsetRequests offsets_;
  bool loading_ = true;
};

}  // namespace kq::group
