// A group of the classic protocol: its members, what they support, and in which state it is.
#pragma once

#include <functional>
#include <map>
#include <set>
#include <span>
#include <vector>

#include "broker/group/group.hpp"
#include "libkq/protocol/messages/join_group.hpp"
#include "libkq/protocol/messages/sync_group.hpp"

namespace kq::group {

using JoinAnswer = Answer<JoinGroupResponse>;
using SyncAnswer = Answer<SyncGroupResponse>;
JoinAnswer refused_join(Code, std::string_view member_id);
SyncAnswer refused_sync(Code);
template <class Of>
using Resolve = std::function<void(Of)>;

struct ClassicProtocol {
  std::string name;
  std::string metadata;

  bool operator==(const ClassicProtocol&) const = default;
};
std::vector<ClassicProtocol> owned(std::span<const JoinGroupRequest::JoinGroupRequestProtocol>);

struct ClassicMember {
  std::string id;
  std::optional<std::string> instance_id;
  std::string client_id, client_host;
  Duration rebalance_timeout{}, session_timeout{};
  std::vector<ClassicProtocol> protocols;  // the one it likes best first
  std::string assignment;
  bool is_new = false;          // has never been answered a JoinGroup
  Resolve<JoinAnswer> joining;  // waits in JoinGroup
  Resolve<SyncAnswer> syncing;  // waits in SyncGroup

  std::string_view metadata(std::string_view protocol) const;
};

enum class ClassicState : uint8_t { empty, preparing_rebalance, completing_rebalance, stable };

// A data structure with the group's rules; who calls what when is ClassicCoordinator's (classic_coordinator.hpp).
class ClassicGroup final : public Group {
 public:
  ClassicGroup(std::string id, int64_t now_ms) : Group(std::move(id)), state_ms_(now_ms) {}

  GroupType type() const override { return GroupType::classic; }
  std::string_view state_name() const override;
  std::string_view protocol_type() const override {
    return protocol_type_ ? std::string_view(*protocol_type_) : std::string_view{};
  }
  bool empty() const override { return members_.empty(); }
  bool subscribed_to(std::string_view topic) const override;
  Code check_commit(const OffsetsCaller&) const override;
  Code check_offset_delete() const override;
  Code check_delete() const override { return state_ == ClassicState::empty ? Code::none : Code::non_empty_group; }
  std::optional<int64_t> expires_from(const Offset&) const override;
  void remove(Writes&) const override;

  ClassicState state() const { return state_; }
  ClassicState previous_state() const { return previous_; }
  bool is(ClassicState state) const { return state_ == state; }
  void become(ClassicState, int64_t now_ms);
  bool can_rebalance() const { return state_ != ClassicState::preparing_rebalance; }
  int32_t generation() const { return generation_; }
  const std::optional<std::string>& protocol() const { return protocol_; }
  const std::optional<std::string>& leader() const { return leader_; }
  bool leads(std::string_view member_id) const { return leader_ == member_id; }
  const std::optional<std::string>& held_protocol_type() const { return protocol_type_; }

  std::map<std::string, ClassicMember, std::less<>>& members() { return members_; }
  const std::map<std::string, ClassicMember, std::less<>>& members() const { return members_; }
  ClassicMember* member(std::string_view id);
  bool has(std::string_view id) const { return members_.contains(id); }
  const std::string* static_member(std::string_view instance_id) const;
  // Is it who it says it is?  none, unknown_member_id, fenced_instance_id.
  Code check_member(std::string_view member_id, std::optional<std::string_view> instance_id) const;
  bool supports(std::string_view protocol_type, std::span<const ClassicProtocol>) const;

  ClassicMember& add(ClassicMember, std::string_view protocol_type);
  // Whoever waits for it is answered by the caller before.
  void remove(std::string_view member_id);
  void update(ClassicMember&, std::vector<ClassicProtocol>, Duration rebalance_timeout, Duration session_timeout);
  // The same member under another id.  Who waited under the old one is fenced.
  ClassicMember& replace_static(const std::string& instance_id, const std::string& old_id, const std::string& new_id);

  // Ids that were given out (KIP-394) and have not come back.
  std::set<std::string, std::less<>> pending;
  // Members that were told of the generation and have not asked for their assignment.
  std::set<std::string, std::less<>> pending_sync;
  bool new_member_added = false;  // while the first rebalance is delayed

  size_t waiting_to_join() const;
  bool all_joined() const { return pending.empty() && waiting_to_join() == members_.size(); }
  Duration rebalance_timeout() const;  // the longest of its members
  bool elect_joined_leader();          // false: nobody has joined
  void next_generation(int64_t now_ms);
  // Stable in that generation: it was a group of the other protocol.
  void begin_at(int32_t generation, int64_t now_ms);
  std::string select_protocol() const;  // by votes among those that all support

  void write_empty(Writes&) const;  // a new group
  // As it stands; members get these assignments.
  using AssignmentOf = std::function<std::string_view(const ClassicMember&)>;
  void write(Writes&, const AssignmentOf&) const;
  // As the log has it, at the start.
  void load(const GroupMetadataValue&);
  // Its own record has been written.
  void written(const GroupMetadataValue&);

 private:
  void find_subscriptions();

  ClassicState state_ = ClassicState::empty, previous_ = ClassicState::empty;
  int64_t state_ms_ = -1;
  int32_t generation_ = 0;
  std::optional<std::string> protocol_type_, protocol_, leader_;
  std::map<std::string, ClassicMember, std::less<>> members_;
  std::map<std::string, std::string, std::less<>> static_members_;  // instance id → member id
  std::optional<std::set<std::string, std::less<>>> subscribed_;    // nothing: nobody knows
};

constexpr std::string_view consumer_protocol_type = "consumer";

}  // namespace kq::group
