#include "broker/group/streams_coordinator.hpp"

#include <algorithm>

#include "broker/group/metadata_hash.hpp"
#include "broker/group/streams_beat.hpp"

namespace kq::group {
namespace {

constexpr std::string_view standby_replicas_config = "num.standby.replicas";

TimerKey session_key(std::string_view group, std::string_view member) {
  return {TimerKind::session, std::string(group), std::string(member)};
}
TimerKey rebalance_key(std::string_view group, std::string_view member) {
  return {TimerKind::rebalance, std::string(group), std::string(member)};
}
TimerKey first_assignment_key(std::string_view group) { return {TimerKind::first_assignment, std::string(group), {}}; }

StreamsHeartbeatAnswer refused(Code code, const std::string& message) {
  StreamsHeartbeatAnswer answer;
  answer.body.error_code = code;
  answer.body.error_message = answer.texts->keep(message);
  return answer;
}

StreamsHeartbeatAnswer unknown_member(std::string_view group, std::string_view member) {
  return refused(Code::unknown_member_id,
                 "Member " + std::string(member) + " is not a member of group " + std::string(group) + ".");
}

Tasks tasks_from(const std::vector<StreamsGroupHeartbeatRequest::TaskIds>& told) {
  Tasks tasks;
  for (const auto& entry : told)
    tasks[std::string(entry.subtopology_id)].insert(entry.partitions.begin(), entry.partitions.end());
  return tasks;
}

// Nothing: it does not say what it has.
std::optional<TaskSets> owned_of(const StreamsGroupHeartbeatRequest& request) {
  if (!request.active_tasks || !request.standby_tasks || !request.warmup_tasks) return std::nullopt;
  return TaskSets{tasks_from(*request.active_tasks), tasks_from(*request.standby_tasks), tasks_from(*request.warmup_tasks)};
}

bool has(const Tasks& tasks, const std::string& subtopology, int32_t partition) {
  const auto found = tasks.find(subtopology);
  return found != tasks.end() && found->second.contains(partition);
}
bool has(const EpochTasks& tasks, const std::string& subtopology, int32_t partition) {
  const auto found = tasks.find(subtopology);
  return found != tasks.end() && found->second.contains(partition);
}

bool within(const Tasks& owned, const auto& assigned) {
  return std::ranges::all_of(owned, [&](const auto& entry) {
    return std::ranges::all_of(entry.second, [&](int32_t partition) { return has(assigned, entry.first, partition); });
  });
}
bool within(const std::optional<TaskSets>& owned, const HeldTasks& assigned) {
  return owned && within(owned->active, assigned.active) && within(owned->standby, assigned.standby) &&
         within(owned->warmup, assigned.warmup);
}

}  // namespace

void StreamsCoordinator::replay(const RecordFrame& frame, const std::optional<Bytes>& value) {
  const auto key = decode<StreamsGroupMetadataKey>(frame.message, 0);  // every key begins with the group
  if (!key) return;
  auto* group = groups_.find<StreamsGroup>(key->group_id);
  if (!group) {
    if (!value) return;
    group = static_cast<StreamsGroup*>(&groups_.put(std::make_unique<StreamsGroup>(std::string(key->group_id))));
  }
  group->replay(frame, value);
  if (group->gone()) groups_.erase(key->group_id);
}

// ---- A heartbeat --------------------------------------------------------------------------------------------------------------

StreamsHeartbeatAnswer StreamsCoordinator::heartbeat(const Now& now, const Caller& caller,
                                                     const StreamsGroupHeartbeatRequest& request, Writes& writes) {
  if (request.member_epoch < joining_epoch) return leave(request, writes);
  const std::string id(request.group_id);
  const Group* any = groups_.find(id);
  auto* held = groups_.find<StreamsGroup>(id);
  const bool joins = request.member_epoch == joining_epoch;
  const bool gives_way = any && any->type() == GroupType::classic && any->empty();
  if (any && !held && !(joins && gives_way)) return refused(Code::group_id_not_found, "Group " + id + " is not a streams group.");
  if (!any && !joins) return refused(Code::group_id_not_found, "Streams group " + id + " not found.");
  if (any && !held) any->remove(writes);  // nobody is there: it becomes a group of this protocol
  const StreamsGroup fresh(id);
  Beat beat{.now = now, .caller = caller, .request = request, .group = held ? *held : fresh, .writes = writes, .held = held};
  if (auto refusal = decide(beat)) {
    writes.clear();
    return std::move(*refusal);
  }
  expect_heartbeat(now, id, beat.member.id);
  return answer(beat);
}

std::optional<StreamsHeartbeatAnswer> StreamsCoordinator::decide(Beat& beat) {
  if (auto refusal = find_member(beat)) return refusal;
  update_member(beat);
  if (auto refusal = update_topology(beat)) return refusal;
  if (auto refusal = check_tasks(beat)) return refusal;
  update_epoch(beat);
  update_target(beat);
  return reconcile(beat);
}

std::optional<StreamsHeartbeatAnswer> StreamsCoordinator::find_member(Beat& beat) const {
  const std::string id(beat.request.member_id);
  if (beat.joins() && beat.group.members().size() >= groups_.config.streams_max_size)
    return refused(Code::group_max_size_reached, "The streams group has reached its maximum capacity of " +
                                                     std::to_string(groups_.config.streams_max_size) + " members.");
  beat.before = beat.group.member(id);
  if (beat.before) beat.member = *beat.before;
  beat.member.id = id;
  if (beat.joins()) return std::nullopt;
  if (!beat.before) return unknown_member(beat.group.id, id);
  const int32_t known = beat.member.epoch, received = beat.request.member_epoch;
  const std::string epochs = "member epoch (" + std::to_string(received) + ") than the one known by the group coordinator (" +
                             std::to_string(known) + "). The member must abandon all its partitions and rejoin.";
  if (received > known) return refused(Code::fenced_member_epoch, "The streams group member has a greater " + epochs);
  // Its last answer may have been lost: then it still has a part of what it had.
  if (received < known && (received != beat.member.previous_epoch || !within(owned_of(beat.request), beat.member.assigned)))
    return refused(Code::fenced_member_epoch, "The streams group member has a smaller " + epochs);
  return std::nullopt;
}

void StreamsCoordinator::update_member(Beat& beat) const {
  const auto& request = beat.request;
  StreamsMember& member = beat.member;
  if (request.rack_id) member.rack_id = std::string(*request.rack_id);
  if (request.rebalance_timeout_ms != -1) member.rebalance_timeout = std::chrono::milliseconds(request.rebalance_timeout_ms);
  if (request.topology) member.topology_epoch = request.topology->epoch;
  if (request.process_id) member.process_id = std::string(*request.process_id);
  if (request.user_endpoint)
    member.user_endpoint = StreamsEndpoint{std::string(request.user_endpoint->host), request.user_endpoint->port};
  if (request.client_tags) {
    member.client_tags.clear();
    for (const auto& tag : *request.client_tags) member.client_tags[std::string(tag.key)] = tag.value;
  }
  member.client_id = beat.caller.client_id;
  member.client_host = beat.caller.client_host;
  beat.bump = !beat.before || member != *beat.before;
  if (beat.bump) write_streams_member(beat.writes, beat.group.id, member);
}

std::optional<StreamsHeartbeatAnswer> StreamsCoordinator::update_topology(Beat& beat) const {
  const auto& known = beat.group.topology();
  if (beat.request.topology) {
    StreamsTopology topology = StreamsTopology::from(*beat.request.topology);
    if (!known) {
      write_streams_topology(beat.writes, beat.group.id, topology);
      beat.made_of = configure(topology, *groups_.image);
      beat.brought = std::move(topology);
    } else if (known->epoch <= topology.epoch && *known != topology) {
      return refused(Code::invalid_request, "Topology updates are not supported yet.");
    }
  } else if (!known) {
    return refused(Code::unknown_server_error, "The topology is null and the group topology is also null.");
  }
  if (known && beat.member.topology_epoch < known->epoch)
    beat.statuses.push_back(
        {StreamsStatus::stale_topology, "The member's topology epoch " + std::to_string(beat.member.topology_epoch) +
                                            " is behind the group's topology epoch " + std::to_string(known->epoch) + "."});
  const ConfiguredTopology& configured = beat.configured(groups_.image);
  if (!configured.invalid.empty()) return refused(Code::streams_invalid_topology, configured.invalid);
  return std::nullopt;
}

// What it says it has must be tasks of the topology.
std::optional<StreamsHeartbeatAnswer> StreamsCoordinator::check_tasks(const Beat& beat) const {
  const ConfiguredTopology& configured = beat.configured(groups_.image);
  if (!configured.ready()) return std::nullopt;
  for (const auto* told : {&beat.request.active_tasks, &beat.request.standby_tasks, &beat.request.warmup_tasks}) {
    if (!*told) continue;
    for (const auto& entry : **told) {
      const auto found = configured.subtopologies->find(entry.subtopology_id);
      if (found == configured.subtopologies->end())
        return refused(Code::invalid_request,
                       "Subtopology " + std::string(entry.subtopology_id) + " does not exist in the topology.");
      for (const int32_t partition : entry.partitions)
        if (partition < 0 || partition >= found->second.tasks)
          return refused(Code::invalid_request,
                         "Task " + std::to_string(partition) + " for subtopology " + std::string(entry.subtopology_id) +
                             " is invalid. Number of tasks for this subtopology: " + std::to_string(found->second.tasks));
    }
  }
  return std::nullopt;
}

AssignmentConfigs StreamsCoordinator::assignment_configs(std::string_view group) const {
  const int64_t replicas = groups_.setting(group, "streams.num.standby.replicas", groups_.config.streams_standby_replicas);
  return {{std::string(standby_replicas_config), std::to_string(replicas)}};
}

void StreamsCoordinator::update_epoch(Beat& beat) const {
  constexpr int32_t first_epoch = 2;  // 1 is for members that wait for the first assignment
  const ConfiguredTopology& configured = beat.configured(groups_.image);
  const StreamsEpoch& known = beat.group.epoch();
  beat.epoch = {known.epoch, hash_of(*groups_.image, beat.topology().topics()),
                configured.ready() ? configured.epoch : -1, assignment_configs(beat.group.id)};
  beat.bump = beat.bump || beat.epoch != known;
  if (!beat.bump) return;
  beat.epoch.epoch = known.epoch == 0 ? first_epoch : known.epoch + 1;
  write_streams_epoch(beat.writes, beat.group.id, beat.epoch);
}

void StreamsCoordinator::update_target(Beat& beat) {
  const std::string& id = beat.group.id;
  const Duration delay = std::chrono::milliseconds(
      groups_.setting(id, "streams.initial.rebalance.delay.ms", to_ms(groups_.config.streams_initial_rebalance_delay)));
  const TimerKey delayed = first_assignment_key(id);
  if (beat.group.empty() && delay > 0s && !groups_.timers.armed(delayed)) groups_.timers.set(delayed, beat.now.instant + delay);
  beat.target_epoch = beat.group.target_epoch();
  if (beat.epoch.epoch <= beat.target_epoch) {
    beat.target = beat.group.target(beat.member.id);
  } else if (groups_.timers.armed(delayed)) {
    beat.target_epoch = std::max(1, beat.target_epoch);
    beat.statuses.push_back(
        {StreamsStatus::assignment_delayed, "Assignment delayed due to the configured initial rebalance delay."});
  } else {
    auto targets = write_targets(beat.group, &beat.member, beat.configured(groups_.image), beat.epoch.assignment_configs,
                                 beat.epoch.epoch, beat.writes);
    beat.target_epoch = beat.epoch.epoch;
    beat.target = std::move(targets[beat.member.id]);
  }
}

// Of the group's members, and `updated`, which may be new.  While topics are missing nobody has anything.
StreamsTargets StreamsCoordinator::write_targets(const StreamsGroup& group, const StreamsMember* updated,
                                                 const ConfiguredTopology& configured, const AssignmentConfigs& configs,
                                                 int32_t epoch, Writes& writes) const {
  StreamsAssignorInput input;
  const auto add = [&](const StreamsMember& member) {
    input.members.push_back({member.id, member.process_id, &group.target(member.id)});
  };
  for (const auto& [id, member] : group.members())
    if (!updated || id != updated->id) add(member);
  if (updated) add(*updated);
  std::ranges::sort(input.members, {}, &StreamsAssignorMember::id);
  if (configured.ready() && configured.subtopologies)
    for (const auto& [id, subtopology] : *configured.subtopologies)
      input.subtopologies.push_back({id, subtopology.tasks, subtopology.stateful()});
  if (const auto found = configs.find(standby_replicas_config); found != configs.end())
    input.standby_replicas = static_cast<int32_t>(std::strtol(found->second.c_str(), nullptr, 10));
  StreamsTargets targets = assign_sticky(input);
  for (const auto& [id, target] : targets)
    if (const auto found = group.targets().find(id); found == group.targets().end() || found->second != target)
      write_streams_target(writes, group.id, id, target);
  write_streams_target_epoch(writes, group.id, epoch);
  return targets;
}

std::optional<StreamsHeartbeatAnswer> StreamsCoordinator::reconcile(Beat& beat) {
  if (beat.before && beat.member.reconciled_to(beat.target_epoch)) return std::nullopt;
  const auto owned = owned_of(beat.request);
  const bool bare = owned && owned->active.empty() && owned->standby.empty() && owned->warmup.empty();
  if (beat.member.state == StreamsMemberState::unknown && !bare)
    return refused(Code::fenced_member_epoch,
                   "The streams group member is in a unknown state. The member must abandon all its tasks and rejoin.");
  const StreamsMember before = beat.member;
  beat.member = next_tasks(before, beat.target_epoch, beat.target, owned, beat.group);
  if (beat.before && beat.member == before) return std::nullopt;
  write_streams_current(beat.writes, beat.group.id, beat.member);
  const TimerKey timer = rebalance_key(beat.group.id, beat.member.id);
  if (beat.member.state == StreamsMemberState::unrevoked_tasks)
    groups_.timers.set(timer, beat.now.instant + beat.member.rebalance_timeout);
  else
    groups_.timers.cancel(timer);
  return std::nullopt;
}

// ---- Leaving ------------------------------------------------------------------------------------------------------------------

StreamsHeartbeatAnswer StreamsCoordinator::leave(const StreamsGroupHeartbeatRequest& request, Writes& writes) {
  const std::string id(request.group_id);
  auto* group = groups_.find<StreamsGroup>(id);
  if (!group)
    return refused(Code::group_id_not_found, "Group " + id + (groups_.find(id) ? " is not a streams group." : " not found."));
  if (request.shutdown_application && !group->shutdown_by) group->shutdown_by = std::string(request.member_id);
  if (!group->member(request.member_id)) return unknown_member(id, request.member_id);
  remove_member(*group, request.member_id, writes);
  writes.then([this, id, member = std::string(request.member_id)](Code code) {
    if (code != Code::none) return;
    groups_.timers.cancel(session_key(id, member));
    groups_.timers.cancel(rebalance_key(id, member));
  });
  StreamsHeartbeatAnswer answer;
  answer.body.member_id = answer.texts->keep(request.member_id);
  answer.body.member_epoch = request.member_epoch;
  return answer;
}

void StreamsCoordinator::remove_member(const StreamsGroup& group, std::string_view member, Writes& writes) const {
  remove_streams_member(writes, group.id, member);
  StreamsEpoch next = group.epoch();
  ++next.epoch;
  write_streams_epoch(writes, group.id, next);
}

// ---- Time ---------------------------------------------------------------------------------------------------------------------

void StreamsCoordinator::expect_heartbeat(const Now& now, std::string_view group, std::string_view member) {
  const int64_t ms = groups_.setting(group, "streams.session.timeout.ms", to_ms(groups_.config.streams_session_timeout));
  groups_.timers.set(session_key(group, member), now.instant + std::chrono::milliseconds(ms));
}

void StreamsCoordinator::loaded(const Now& now, const StreamsGroup& group) {
  for (const auto& [id, member] : group.members()) {
    expect_heartbeat(now, group.id, id);
    if (member.state == StreamsMemberState::unrevoked_tasks)
      groups_.timers.set(rebalance_key(group.id, id), now.instant + member.rebalance_timeout);
  }
}

void StreamsCoordinator::timer(const Now& now, const TimerKey& key, Writes& writes) {
  const auto* group = groups_.find<StreamsGroup>(key.group);
  if (!group) return;
  if (key.kind == TimerKind::first_assignment) {
    first_assignment(*group, writes);
  } else {
    const StreamsMember* member = group->member(key.member);
    if (!member || (key.kind == TimerKind::rebalance && member->state != StreamsMemberState::unrevoked_tasks)) return;
    remove_member(*group, key.member, writes);
  }
  writes.then([this, key, now](Code code) {
    if (code != Code::none) return groups_.timers.set(key, now.instant);
    if (key.kind != TimerKind::first_assignment)
      for (const TimerKind kind : {TimerKind::session, TimerKind::rebalance})
        groups_.timers.cancel({kind, key.group, key.member});
  });
}

// The group has waited for its first members long enough.
void StreamsCoordinator::first_assignment(const StreamsGroup& group, Writes& writes) const {
  if (group.empty() || !group.topology() || group.epoch().epoch <= group.target_epoch()) return;
  const ConfiguredTopology& configured = group.configured(groups_.image);
  write_targets(group, nullptr, configured, group.epoch().assignment_configs, group.epoch().epoch, writes);
}

}  // namespace kq::group
