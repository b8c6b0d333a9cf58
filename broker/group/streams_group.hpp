// A streams group (KIP-1071): the topology of a Kafka Streams application, its members, which tasks each is to have and which it has.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "broker/group/group.hpp"
#include "broker/group/streams_assignor.hpp"
#include "broker/group/streams_topology.hpp"
#include "libkq/protocol/record_frame.hpp"

namespace kq::group {

enum class StreamsMemberState : int8_t { stable = 1, unrevoked_tasks = 2, unreleased_tasks = 3, unknown = 127 };

// Where a member answers questions about its state (interactive queries).
struct StreamsEndpoint {
  std::string host;
  uint16_t port = 0;

  bool operator==(const StreamsEndpoint&) const = default;
};

// A plain value: decisions are made on copies, and the log makes them true.
struct StreamsMember {
  std::string id;
  std::optional<std::string> instance_id, rack_id;
  std::string client_id, client_host, process_id;
  Duration rebalance_timeout{-1ms};
  int32_t topology_epoch = -1;
  std::optional<StreamsEndpoint> user_endpoint;
  std::map<std::string, std::string, std::less<>> client_tags;

  int32_t epoch = 0, previous_epoch = -1;
  StreamsMemberState state = StreamsMemberState::stable;
  HeldTasks assigned, pending_revocation;

  bool reconciled_to(int32_t target_epoch) const { return state == StreamsMemberState::stable && epoch == target_epoch; }
  bool operator==(const StreamsMember&) const = default;
};

using AssignmentConfigs = std::map<std::string, std::string, std::less<>>;  // what the assignor was told

struct StreamsEpoch {
  int32_t epoch = 0;
  int64_t metadata_hash = 0;
  int32_t validated_topology_epoch = -1;
  AssignmentConfigs assignment_configs;

  bool operator==(const StreamsEpoch&) const = default;
};

// Replayed from records.  Nothing else changes what is in them.
class StreamsGroup final : public Group {
 public:
  using Members = std::map<std::string, StreamsMember, std::less<>>;

  explicit StreamsGroup(std::string id) : Group(std::move(id)) {}

  GroupType type() const override { return GroupType::streams; }
  std::string_view state_name() const override;
  std::string_view protocol_type() const override { return "streams"; }
  bool empty() const override { return members_.empty(); }
  bool subscribed_to(std::string_view topic) const override;
  Code check_commit(const OffsetsCaller&) const override;
  // Who commits with an old epoch may, as long as it has had the task since then.
  Code check_commit_of(const OffsetsCaller&, std::string_view topic, int32_t partition) const override;
  Code check_fetch(std::string_view member_id, int32_t epoch) const override;
  Code check_offset_delete() const override { return Code::none; }
  Code check_delete() const override { return members_.empty() ? Code::none : Code::non_empty_group; }
  std::optional<int64_t> expires_from(const Offset& offset) const override { return offset.commit_ms; }
  void remove(Writes&) const override;

  // False: not a record of streams groups.
  static bool is_of(uint32_t record_type);
  void replay(const RecordFrame& key, const std::optional<Bytes>& value);
  bool gone() const { return gone_; }  // its last record was a tombstone of the group

  const StreamsEpoch& epoch() const { return epoch_; }
  int32_t target_epoch() const { return target_epoch_; }
  const Members& members() const { return members_; }
  const StreamsMember* member(std::string_view id) const;
  const StreamsTargets& targets() const { return targets_; }
  const TaskSets& target(std::string_view member_id) const;
  const std::optional<StreamsTopology>& topology() const { return topology_; }

  // Of members that have the task, or are yet to give it up.  Null: nobody.
  const std::string* active_process(const TaskId&) const;
  bool on_standby(const TaskId&, const std::string& process_id) const;  // or warming up

  bool operator==(const StreamsGroup& other) const;

  // Not in the log, as with Kafka.
  std::optional<std::string> shutdown_by;  // the member that wants the whole application to end
  int32_t endpoint_epoch = 0;              // rises when who has what changes for somebody with an endpoint
  // The topology on the topics that there were; void with another image.
  const ConfiguredTopology& configured(const std::shared_ptr<const cluster::Image>&) const;

 private:
  void replay_epoch(const std::optional<Bytes>&);
  void replay_member(std::string_view member_id, const std::optional<Bytes>&);
  void replay_target(std::string_view member_id, const std::optional<Bytes>&);
  void replay_current(std::string_view member_id, const std::optional<Bytes>&);
  void replay_topology(const std::optional<Bytes>&);
  void count(const StreamsMember&, bool add);

  StreamsEpoch epoch_;
  int32_t target_epoch_ = 0;
  Members members_;
  StreamsTargets targets_;
  std::optional<StreamsTopology> topology_;
  std::map<TaskId, std::string> active_processes_;
  std::map<TaskId, std::set<std::string>> standby_processes_, warmup_processes_;
  bool gone_ = false;

  mutable ConfiguredTopology configured_;
  mutable std::weak_ptr<const cluster::Image> configured_on_;
};

void write_streams_epoch(Writes&, std::string_view group, const StreamsEpoch&);
void write_streams_topology(Writes&, std::string_view group, const StreamsTopology&);
void write_streams_member(Writes&, std::string_view group, const StreamsMember&);
void write_streams_target(Writes&, std::string_view group, std::string_view member, const TaskSets&);
void write_streams_target_epoch(Writes&, std::string_view group, int32_t epoch);
void write_streams_current(Writes&, std::string_view group, const StreamsMember&);
void remove_streams_member(Writes&, std::string_view group, std::string_view member);

}  // namespace kq::group
