#include "broker/group/classic_coordinator.hpp"

#include <algorithm>

namespace kq::group {
namespace {

constexpr int16_t member_id_required_from = 4, skip_assignment_from = 9;

TimerKey session_key(const ClassicGroup& group, std::string_view member) {
  return {TimerKind::session, group.id, std::string(member)};
}
TimerKey join_key(const ClassicGroup& group) { return {TimerKind::join, group.id, {}}; }
TimerKey sync_key(const ClassicGroup& group) { return {TimerKind::sync, group.id, {}}; }

// The current generation, as a member of it learns it.
JoinAnswer joined(const ClassicGroup& group, std::string_view member_id, bool with_members) {
  JoinAnswer answer;
  Texts& texts = *answer.texts;
  answer.body.member_id = texts.keep(member_id);
  answer.body.generation_id = group.generation();
  answer.body.protocol_name = texts.keep_optional(group.protocol());
  answer.body.protocol_type = texts.keep_optional(group.held_protocol_type());
  answer.body.leader = texts.keep(group.leader().value_or(""));
  if (!with_members) return answer;
  for (const auto& [id, member] : group.members()) {
    auto& told = answer.body.members.emplace_back();
    told.member_id = texts.keep(id);
    told.group_instance_id = texts.keep_optional(member.instance_id);
    told.metadata = texts.keep_bytes(member.metadata(group.protocol().value_or("")));
  }
  return answer;
}

SyncAnswer assigned(const ClassicGroup& group, const ClassicMember& member) {
  SyncAnswer answer;
  answer.body.protocol_type = answer.texts->keep_optional(group.held_protocol_type());
  answer.body.protocol_name = answer.texts->keep_optional(group.protocol());
  answer.body.assignment = answer.texts->keep_bytes(member.assignment);
  return answer;
}

void answer_join(ClassicMember& member, JoinAnswer answer) {
  if (auto resolve = std::exchange(member.joining, nullptr)) resolve(std::move(answer));
}

std::string_view assignment_of(const ClassicMember& member) { return member.assignment; }

}  // namespace

// ---- JoinGroup
// -------------------------------------------------------------------------------------------------------------------

struct ClassicCoordinator::Joining {
  const Now& now;
  const Caller& caller;
  const JoinGroupRequest& request;
  ClassicGroup& group;
  std::vector<ClassicProtocol> protocols;
  Resolve<JoinAnswer> resolve;
  Writes& writes;

  Duration session_timeout() const { return std::chrono::milliseconds(request.session_timeout_ms); }
  Duration rebalance_timeout() const {
    return caller.version == 0 ? session_timeout() : std::chrono::milliseconds(request.rebalance_timeout_ms);
  }
  void refuse(Code code, std::string_view member_id) const { resolve(refused_join(code, member_id)); }
};

void ClassicCoordinator::join(const Now& now, const Caller& caller, const JoinGroupRequest& request, Resolve<JoinAnswer> resolve,
                              Writes& writes) {
  const size_t written = writes.size();  // of another kind of group that gives way
  auto* group = groups_.find<ClassicGroup>(request.group_id);
  const bool is_new = !group;
  if (is_new && !request.member_id.empty()) return resolve(refused_join(Code::unknown_member_id, request.member_id));
  if (is_new)
    group = static_cast<ClassicGroup*>(&groups_.put(std::make_unique<ClassicGroup>(std::string(request.group_id), now.wall_ms)));

  Joining joining{now, caller, request, *group, owned(request.protocols), std::move(resolve), writes};
  if (!has_room(*group, request.member_id)) {
    remove_member(*group, std::string(request.member_id));
    joining.refuse(Code::group_max_size_reached, "");
  } else if (request.member_id.empty()) {
    join_new(joining);
  } else {
    join_known(joining);
  }
  if (!is_new || writes.size() > written) return;
  group->write_empty(writes);  // so that it is there after a restart
  writes.then([this, id = group->id](Code code) {
    auto* failed = code == Code::none ? nullptr : groups_.find<ClassicGroup>(id);
    if (!failed) return;
    fail_waiting(*failed, Code::coordinator_not_available);
    for (const auto& [member_id, member] : failed->members()) groups_.timers.cancel(session_key(*failed, member_id));
    groups_.erase(id);
  });
}

void ClassicCoordinator::refuse(Code code, const JoinGroupRequest& request, const Resolve<JoinAnswer>& resolve) {
  resolve(refused_join(code, request.member_id));
}

// Members that are waiting count while a rebalance is prepared: those that have not come back will be removed.
bool ClassicCoordinator::has_room(const ClassicGroup& group, std::string_view member_id) const {
  const auto found = group.members().find(member_id);
  const ClassicMember* member = found == group.members().end() ? nullptr : &found->second;
  switch (group.state()) {
    case ClassicState::empty: return true;
    case ClassicState::preparing_rebalance:
      return (member && member->joining) || group.waiting_to_join() < groups_.config.max_size;
    default: return member || group.members().size() < groups_.config.max_size;
  }
}

void ClassicCoordinator::join_new(Joining& joining) {
  ClassicGroup& group = joining.group;
  if (!group.supports(joining.request.protocol_type, joining.protocols))
    return joining.refuse(Code::inconsistent_group_protocol, "");
  const auto instance = joining.request.group_instance_id;
  const std::string id = std::string(instance.value_or(joining.caller.client_id)) + "-" + groups_.new_id();
  if (instance) {
    if (const std::string* known = group.static_member(*instance)) return replace_static(joining, std::string(*known), id);
    return add_member(joining, id);
  }
  if (joining.caller.version < member_id_required_from) return add_member(joining, id);
  // Otherwise a client that lost this answer would leave a member behind that nobody knows (KIP-394).
  group.pending.insert(id);
  groups_.timers.set(session_key(group, id), joining.now.instant + joining.session_timeout());
  joining.refuse(Code::member_id_required, id);
}

void ClassicCoordinator::join_known(Joining& joining) {
  ClassicGroup& group = joining.group;
  const std::string_view id = joining.request.member_id;
  if (!group.supports(joining.request.protocol_type, joining.protocols))
    return joining.refuse(Code::inconsistent_group_protocol, id);
  if (group.pending.contains(id)) return add_member(joining, std::string(id));
  const Code code = group.check_member(id, joining.request.group_instance_id);
  if (code != Code::none) return joining.refuse(code, id);
  ClassicMember& member = *group.member(id);
  const bool changed = member.protocols != joining.protocols;
  switch (group.state()) {
    case ClassicState::preparing_rebalance: return update_member(joining, member);
    case ClassicState::completing_rebalance:
      if (changed) return update_member(joining, member);
      return joining.resolve(joined(group, id, group.leads(id)));  // its first answer was lost
    case ClassicState::stable:
      // A leader joins again because something changed that is not in the members' metadata: a topic's partitions.
      if (changed || group.leads(id)) return update_member(joining, member);
      return joining.resolve(joined(group, id, false));
    case ClassicState::empty: return joining.refuse(Code::unknown_member_id, id);
  }
}

void ClassicCoordinator::add_member(Joining& joining, const std::string& id) {
  ClassicGroup& group = joining.group;
  ClassicMember member;
  member.id = id;
  if (joining.request.group_instance_id) member.instance_id = std::string(*joining.request.group_instance_id);
  member.client_id = joining.caller.client_id;
  member.client_host = joining.caller.client_host;
  member.rebalance_timeout = joining.rebalance_timeout();
  member.session_timeout = joining.session_timeout();
  member.protocols = std::move(joining.protocols);
  member.is_new = true;
  member.joining = std::move(joining.resolve);
  if (group.is(ClassicState::preparing_rebalance) && group.previous_state() == ClassicState::empty) group.new_member_added = true;
  group.add(std::move(member), joining.request.protocol_type);
  // It cannot send heartbeats before it is answered, and its connection may be gone meanwhile.
  groups_.timers.set(session_key(group, id), joining.now.instant + groups_.config.new_member_join_timeout);
  rebalance_or_complete(joining.now, group, joining.writes);
}

void ClassicCoordinator::update_member(Joining& joining, ClassicMember& member) {
  joining.group.update(member, std::move(joining.protocols), joining.rebalance_timeout(), joining.session_timeout());
  answer_join(member, refused_join(Code::rebalance_in_progress,
                              member.id));  // it has asked again: nobody reads the first answer
  member.joining = std::move(joining.resolve);
  rebalance_or_complete(joining.now, joining.group, joining.writes);
}

// A static member that restarted: where that changes nothing for the others there is no rebalance (KIP-345).
void ClassicCoordinator::replace_static(Joining& joining, const std::string& old_id, const std::string& new_id) {
  ClassicGroup& group = joining.group;
  const std::string instance(*joining.request.group_instance_id);
  const ClassicMember before = [&] {
    ClassicMember copy = *group.member(old_id);
    copy.joining = nullptr, copy.syncing = nullptr;
    return copy;
  }();
  const std::string old_leader = group.leader().value_or("");
  ClassicMember& member = group.replace_static(instance, old_id, new_id);
  groups_.timers.cancel(session_key(group, old_id));
  group.update(member, std::move(joining.protocols), joining.rebalance_timeout(), joining.session_timeout());
  expect_heartbeat(joining.now, group, member);
  if (!group.is(ClassicState::stable) || group.protocol() != group.select_protocol()) {
    member.joining = std::move(joining.resolve);
    if (group.is(ClassicState::preparing_rebalance))
      complete_if_all_joined(joining.now, group, joining.writes);
    else
      prepare_rebalance(joining.now, group, joining.writes);
    return;
  }
  group.write(joining.writes, assignment_of);
  joining.writes.then([this, &group, before, instance, new_id, old_leader, now = joining.now, version = joining.caller.version,
                       resolve = joining.resolve](Code code) {
    if (code != Code::none) {  // the log knows the old one
      groups_.timers.cancel(session_key(group, new_id));
      ClassicMember& restored = group.replace_static(instance, new_id, before.id);
      restored = before;
      expect_heartbeat(now, group, restored);
      return resolve(refused_join(Code::coordinator_not_available, ""));
    }
    const bool skips = version >= skip_assignment_from && group.leads(new_id);
    JoinAnswer answer = joined(group, new_id, skips);
    answer.body.skip_assignment = skips;
    // Who does not know how to skip is told the old leader, so that it does not begin to assign.
    if (version < skip_assignment_from) answer.body.leader = answer.texts->keep(old_leader);
    resolve(std::move(answer));
  });
}

// ---- Rebalances
// ------------------------------------------------------------------------------------------------------------------

void ClassicCoordinator::rebalance_or_complete(const Now& now, ClassicGroup& group, Writes& writes) {
  if (group.can_rebalance())
    prepare_rebalance(now, group, writes);
  else
    complete_if_all_joined(now, group, writes);
}

void ClassicCoordinator::prepare_rebalance(const Now& now, ClassicGroup& group, Writes& writes) {
  if (group.is(ClassicState::completing_rebalance)) drop_assignments(group, Code::rebalance_in_progress);
  groups_.timers.cancel(sync_key(group));
  const bool first = group.is(ClassicState::empty);
  group.become(ClassicState::preparing_rebalance, now.wall_ms);
  const Duration delay = groups_.config.initial_rebalance_delay;
  if (!first) return complete_or_wait(now, group, writes);
  if (delay <= Duration::zero()) return complete_join(now, group, writes);
  delays_left_[group.id] = std::max(group.rebalance_timeout() - delay, Duration::zero());
  group.new_member_added = false;
  groups_.timers.set(join_key(group), now.instant + delay);
}

void ClassicCoordinator::initial_delay_over(const Now& now, ClassicGroup& group, Writes& writes) {
  Duration& left = delays_left_[group.id];
  if (!group.new_member_added || left == Duration::zero()) {
    delays_left_.erase(group.id);
    return complete_join(now, group, writes);
  }
  group.new_member_added = false;
  const Duration delay = std::min(groups_.config.initial_rebalance_delay, left);
  left = std::max(left - delay, Duration::zero());
  groups_.timers.set(join_key(group), now.instant + delay);
}

void ClassicCoordinator::complete_or_wait(const Now& now, ClassicGroup& group, Writes& writes) {
  if (group.all_joined()) return complete_join(now, group, writes);
  groups_.timers.set(join_key(group), now.instant + group.rebalance_timeout());
}

void ClassicCoordinator::complete_if_all_joined(const Now& now, ClassicGroup& group, Writes& writes) {
  const bool delayed = delays_left_.contains(group.id);
  if (group.is(ClassicState::preparing_rebalance) && group.all_joined() && !delayed) complete_join(now, group, writes);
}

void ClassicCoordinator::complete_join(const Now& now, ClassicGroup& group, Writes& writes) {
  groups_.timers.cancel(join_key(group));
  delays_left_.erase(group.id);
  std::vector<std::string> missing;  // static members have until their session ends
  for (const auto& [id, member] : group.members())
    if (!member.joining && !member.instance_id) missing.push_back(id);
  for (const std::string& id : missing) remove_member(group, id);
  if (!group.elect_joined_leader() && !group.members().empty()) {
    groups_.timers.set(join_key(group), now.instant + group.rebalance_timeout());
    return;
  }
  group.next_generation(now.wall_ms);
  if (group.is(ClassicState::empty)) return group.write(writes, assignment_of);
  for (auto& [id, member] : group.members()) {
    answer_join(member, joined(group, id, group.leads(id)));
    expect_heartbeat(now, group, member);
    member.is_new = false;
    group.pending_sync.insert(id);
  }
  groups_.timers.set(sync_key(group), now.instant + group.rebalance_timeout());
}

// ---- SyncGroup
// -------------------------------------------------------------------------------------------------------------------

void ClassicCoordinator::sync(const Now& now, const SyncGroupRequest& request, Resolve<SyncAnswer> resolve, Writes& writes) {
  auto* group = groups_.find<ClassicGroup>(request.group_id);
  if (!group) return resolve(refused_sync(Code::unknown_member_id));
  if (const Code code = group->check_member(request.member_id, request.group_instance_id); code != Code::none)
    return resolve(refused_sync(code));
  if (request.generation_id != group->generation()) return resolve(refused_sync(Code::illegal_generation));
  const auto differs = [](const auto& told, const std::optional<std::string>& held) { return told && held != *told; };
  if (differs(request.protocol_type, group->held_protocol_type()) || differs(request.protocol_name, group->protocol()))
    return resolve(refused_sync(Code::inconsistent_group_protocol));
  ClassicMember& member = *group->member(request.member_id);
  switch (group->state()) {
    case ClassicState::empty: return resolve(refused_sync(Code::unknown_member_id));
    case ClassicState::preparing_rebalance: return resolve(refused_sync(Code::rebalance_in_progress));
    case ClassicState::stable: synced(*group, member.id); return resolve(assigned(*group, member));
    case ClassicState::completing_rebalance:
      if (auto former = std::exchange(member.syncing, std::move(resolve))) former(refused_sync(Code::rebalance_in_progress));
      synced(*group, member.id);
      if (group->leads(member.id)) assign(now, *group, request, writes);
  }
}

void ClassicCoordinator::synced(ClassicGroup& group, std::string_view member_id) {
  if (const auto found = group.pending_sync.find(member_id); found != group.pending_sync.end()) group.pending_sync.erase(found);
  if (group.pending_sync.empty()) groups_.timers.cancel(sync_key(group));
}

void ClassicCoordinator::assign(const Now& now, ClassicGroup& group, const SyncGroupRequest& request, Writes& writes) {
  std::map<std::string_view, std::string_view> assignments;
  for (const auto& told : request.assignments) assignments[told.member_id] = as_text(told.assignment);
  group.write(writes, [&](const ClassicMember& member) {
    const auto found = assignments.find(member.id);
    return found == assignments.end() ? std::string_view{} : found->second;
  });
  writes.then([this, &group, now](Code code) {
    if (code != Code::none) {
      drop_assignments(group, code == Code::unknown_server_error ? code : Code::coordinator_not_available);
      Writes none;  // everybody is to rejoin: nothing to be written, as somebody
                    // is there
      return prepare_rebalance(now, group, none);
    }
    group.become(ClassicState::stable, now.wall_ms);
    for (auto& [id, member] : group.members())
      if (auto resolve = std::exchange(member.syncing, nullptr)) {
        resolve(assigned(group, member));
        expect_heartbeat(now, group, member);
      }
  });
}

void ClassicCoordinator::drop_assignments(ClassicGroup& group, Code code) {
  for (auto& [id, member] : group.members()) {
    member.assignment.clear();
    if (auto resolve = std::exchange(member.syncing, nullptr)) resolve(refused_sync(code));
  }
}

// ---- Heartbeat, LeaveGroup
// -------------------------------------------------------------------------------------------------------

Code ClassicCoordinator::heartbeat(const Now& now, const HeartbeatRequest& request) {
  auto* group = groups_.find<ClassicGroup>(request.group_id);
  if (!group) return Code::unknown_member_id;
  const Code code = group->check_member(request.member_id, request.group_instance_id);
  if (code != Code::none) return code;
  if (request.generation_id != group->generation()) return Code::illegal_generation;
  if (group->is(ClassicState::empty)) return Code::unknown_member_id;
  expect_heartbeat(now, *group, *group->member(request.member_id));
  return group->is(ClassicState::preparing_rebalance) ? Code::rebalance_in_progress : Code::none;
}

LeaveGroupResponse ClassicCoordinator::leave(const Now& now, const LeaveGroupRequest& request, Writes& writes) {
  LeaveGroupResponse response;
  auto* group = groups_.find<ClassicGroup>(request.group_id);
  if (!group) {
    response.error_code = Code::unknown_member_id;
    return response;
  }
  bool member_left = false;
  for (const auto& identity : request.members) {
    auto& told = response.members.emplace_back();
    told.member_id = identity.member_id;
    told.group_instance_id = identity.group_instance_id;
    told.error_code = leave_one(*group, identity, member_left);
  }
  if (member_left) after_removal(now, *group, writes);
  return response;
}

// An administrator names the instance alone.
Code ClassicCoordinator::leave_one(ClassicGroup& group, const LeaveGroupRequest::MemberIdentity& identity, bool& was_member) {
  std::string id(identity.member_id);
  if (id.empty()) {
    const std::string* known = identity.group_instance_id ? group.static_member(*identity.group_instance_id) : nullptr;
    if (!known) return Code::unknown_member_id;
    id = *known;
  } else if (!group.pending.contains(id)) {
    const Code code = group.check_member(id, identity.group_instance_id);
    if (code != Code::none) return code;
  }
  was_member = true;
  remove_member(group, id);
  return Code::none;
}

void ClassicCoordinator::remove_member(ClassicGroup& group, const std::string& id) {
  groups_.timers.cancel(session_key(group, id));
  if (ClassicMember* member = group.member(id)) {
    answer_join(*member, refused_join(Code::unknown_member_id, ""));
    if (auto resolve = std::exchange(member->syncing, nullptr)) resolve(refused_sync(Code::unknown_member_id));
  }
  group.remove(id);
}

void ClassicCoordinator::after_removal(const Now& now, ClassicGroup& group, Writes& writes) {
  if (group.is(ClassicState::stable) || group.is(ClassicState::completing_rebalance))
    prepare_rebalance(now, group, writes);
  else
    complete_if_all_joined(now, group, writes);
}

// ---- Time
// ------------------------------------------------------------------------------------------------------------------------

void ClassicCoordinator::expect_heartbeat(const Now& now, const ClassicGroup& group, const ClassicMember& member) {
  groups_.timers.set(session_key(group, member.id), now.instant + member.session_timeout);
}

void ClassicCoordinator::saw(const Now& now, ClassicGroup& group, std::string_view member_id) {
  if (group.is(ClassicState::completing_rebalance)) return;
  if (const ClassicMember* member = group.member(member_id)) expect_heartbeat(now, group, *member);
}

void ClassicCoordinator::loaded(const Now& now, ClassicGroup& group, Writes& writes) {
  for (const auto& [id, member] : group.members()) expect_heartbeat(now, group, member);
  if (group.members().size() > groups_.config.max_size) prepare_rebalance(now, group, writes);
}

void ClassicCoordinator::taken_over(const Now& now, ClassicGroup& group, const std::vector<ClassicMember>& members) {
  for (const ClassicMember& told : members)
    if (ClassicMember* member = group.member(told.id)) {
      member->protocols = told.protocols;
      expect_heartbeat(now, group, *member);
    }
  Writes none;  // somebody is there, so a rebalance only begins
  prepare_rebalance(now, group, none);
}

void ClassicCoordinator::timer(const Now& now, const TimerKey& key, Writes& writes) {
  auto* group = groups_.find<ClassicGroup>(key.group);
  if (!group) return;
  switch (key.kind) {
    case TimerKind::session: return session_expired(now, *group, key.member, writes);
    case TimerKind::sync: return sync_expired(now, *group, writes);
    case TimerKind::join:
      if (!group->is(ClassicState::preparing_rebalance)) return;
      if (delays_left_.contains(group->id)) return initial_delay_over(now, *group, writes);
      return complete_join(now, *group, writes);
    default: return;
  }
}

void ClassicCoordinator::session_expired(const Now& now, ClassicGroup& group, const std::string& member_id, Writes& writes) {
  if (const ClassicMember* member = group.member(member_id)) {
    // Who waits for an answer cannot send a heartbeat; a new one that waits too long is given up.
    if (!member->is_new && (member->joining || member->syncing)) return;
  } else if (!group.pending.contains(member_id)) {
    return;
  }
  const bool was_pending = group.pending.contains(member_id);
  remove_member(group, member_id);
  if (was_pending)
    complete_if_all_joined(now, group, writes);
  else
    after_removal(now, group, writes);
}

void ClassicCoordinator::sync_expired(const Now& now, ClassicGroup& group, Writes& writes) {
  const bool synced_state = group.is(ClassicState::completing_rebalance) || group.is(ClassicState::stable);
  if (!synced_state || group.pending_sync.empty()) return;
  const auto missing = group.pending_sync;
  for (const std::string& id : missing) remove_member(group, id);
  prepare_rebalance(now, group, writes);
}

void ClassicCoordinator::fail_waiting(ClassicGroup& group, Code code) {
  for (auto& [id, member] : group.members()) {
    answer_join(member, refused_join(code, id));
    if (auto resolve = std::exchange(member.syncing, nullptr)) resolve(refused_sync(code));
  }
}

// ---- Describing
// ------------------------------------------------------------------------------------------------------------------

void ClassicCoordinator::describe(const ClassicGroup& group, DescribeGroupsResponse::DescribedGroup& told, Texts& texts) {
  const bool stable = group.is(ClassicState::stable);
  told.group_state = group.state_name();
  told.protocol_type = texts.keep(group.protocol_type());
  if (stable) told.protocol_data = texts.keep(group.protocol().value_or(""));
  for (const auto& [id, member] : group.members()) {
    auto& of_member = told.members.emplace_back();
    of_member.member_id = texts.keep(id);
    of_member.group_instance_id = texts.keep_optional(member.instance_id);
    of_member.client_id = texts.keep(member.client_id);
    of_member.client_host = texts.keep(member.client_host);
    of_member.member_assignment = texts.keep_bytes(member.assignment);
    if (stable) of_member.member_metadata = texts.keep_bytes(member.metadata(group.protocol().value_or("")));
  }
}

}  // namespace kq::group
