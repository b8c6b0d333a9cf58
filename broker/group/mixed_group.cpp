// Members of the classic protocol in a group of the consumer protocol: they are told their assignment by the coordinator, and
// learn of changes by rebalances of their own (KIP-848).
#include <algorithm>

#include "broker/group/consumer_beat.hpp"

namespace kq::group {
namespace {

// Does every classic member support one of these?
bool supported(const ConsumerGroup& group, std::string_view type, std::span<const ClassicProtocol> protocols) {
  if (type != consumer_protocol_type) return false;
  return std::ranges::any_of(protocols, [&](const ClassicProtocol& protocol) {
    return std::ranges::all_of(group.members(), [&](const auto& entry) {
      const auto& classic = entry.second.classic;
      return !classic || std::ranges::find(classic->protocols, protocol.name, &ClassicProtocol::name) != classic->protocols.end();
    });
  });
}

// Is it a classic member, and who it says it is?
Code check(const ConsumerGroup& group, std::string_view id, std::optional<std::string_view> instance,
           const ConsumerMember*& member) {
  if (instance) {
    const ConsumerMember* known = group.static_member(*instance);
    if (!known) return Code::unknown_member_id;
    if (known->id != id) return Code::fenced_instance_id;
  }
  member = group.member(id);
  return member && member->classic ? Code::none : Code::unknown_member_id;
}

TimerKey key(TimerKind kind, const ConsumerGroup& group, const ConsumerMember& member) { return {kind, group.id, member.id}; }

}  // namespace

void ConsumerCoordinator::join(const Now& now, const Caller& caller, const ConsumerGroup& group, const JoinGroupRequest& request,
                               Resolve<JoinAnswer> resolve, Writes& writes) {
  constexpr int16_t member_id_required_from = 4;
  auto protocols = owned(request.protocols);
  if (!group.member(request.member_id) && group.members().size() >= groups_.config.consumer_max_size)
    return resolve(refused_join(Code::group_max_size_reached, ""));
  if (!supported(group, request.protocol_type, protocols))
    return resolve(refused_join(Code::inconsistent_group_protocol, request.member_id));
  const auto subscription = read_subscription(*groups_.image, protocols.front().metadata);
  if (!subscription) return resolve(refused_join(Code::inconsistent_group_protocol, request.member_id));
  std::string id(request.member_id);
  if (id.empty()) {
    id = std::string(request.group_instance_id.value_or(caller.client_id)) + "-" + groups_.new_id();
    if (!request.group_instance_id && caller.version >= member_id_required_from)
      return resolve(refused_join(Code::member_id_required, id));
  }

  ConsumerGroupHeartbeatRequest as_heartbeat;
  as_heartbeat.group_id = group.id;
  as_heartbeat.member_id = id;
  as_heartbeat.member_epoch = joining_epoch;
  as_heartbeat.instance_id = request.group_instance_id;
  if (subscription->rack_id) as_heartbeat.rack_id = *subscription->rack_id;
  as_heartbeat.rebalance_timeout_ms = caller.version == 0 ? request.session_timeout_ms : request.rebalance_timeout_ms;
  as_heartbeat.subscribed_topic_names.emplace(subscription->topics.begin(), subscription->topics.end());
  as_heartbeat.topic_partitions.emplace();
  for (const auto& [topic, partitions] : subscription->owned)
    as_heartbeat.topic_partitions->push_back({.topic_id = topic, .partitions = {partitions.begin(), partitions.end()}});
  Beat beat{.now = now, .caller = caller, .request = as_heartbeat, .group = group, .writes = writes};
  beat.classic = ClassicSide{std::chrono::milliseconds(request.session_timeout_ms), std::move(protocols)};
  if (const auto refusal = decide(beat)) {
    writes.clear();
    return resolve(refused_join(refusal->body.error_code, id));
  }
  JoinAnswer answer;
  answer.body.member_id = answer.texts->keep(beat.member.id);
  answer.body.generation_id = beat.member.epoch;
  answer.body.protocol_type = consumer_protocol_type;
  answer.body.protocol_name = answer.texts->keep(beat.member.classic->protocols.front().name);
  writes.then(
      [this, now, id = group.id, member = beat.member, answer = std::move(answer), resolve = std::move(resolve)](Code code) {
        const auto* held = groups_.find<ConsumerGroup>(id);
        if (code != Code::none || !held) return resolve(refused_join(Code::coordinator_not_available, member.id));
        groups_.timers.cancel(key(TimerKind::join, *held, member));
        expect_heartbeat(now, *held, member);
        groups_.timers.set(key(TimerKind::sync, *held, member), now.instant + member.rebalance_timeout);
        resolve(answer);
      });
}

void ConsumerCoordinator::sync(const Now& now, const ConsumerGroup& group, const SyncGroupRequest& request,
                               const Resolve<SyncAnswer>& resolve) {
  const ConsumerMember* member = nullptr;
  if (const Code code = check(group, request.member_id, request.group_instance_id, member); code != Code::none)
    return resolve(refused_sync(code));
  if (request.generation_id != member->epoch) return resolve(refused_sync(Code::illegal_generation));
  const ClassicProtocol& protocol = member->classic->protocols.front();
  if ((request.protocol_type && request.protocol_type != consumer_protocol_type) ||
      (request.protocol_name && request.protocol_name != protocol.name))
    return resolve(refused_sync(Code::inconsistent_group_protocol));
  groups_.timers.cancel(key(TimerKind::sync, group, *member));
  // Who is to revoke something comes back by itself; nobody else needs an assignment that is out of date already.
  if (group.epoch() > member->epoch && member->state != MemberState::unrevoked_partitions) {
    const TimerKey timer = key(TimerKind::join, group, *member);
    if (!groups_.timers.armed(timer)) groups_.timers.set(timer, now.instant + member->rebalance_timeout);
    return resolve(refused_sync(Code::rebalance_in_progress));
  }
  expect_heartbeat(now, group, *member);
  const auto subscription = read_subscription(*groups_.image, protocol.metadata);
  SyncAnswer answer;
  answer.body.protocol_type = consumer_protocol_type;
  answer.body.protocol_name = answer.texts->keep(protocol.name);
  answer.body.assignment = answer.texts->keep_bytes(
      write_assignment(*groups_.image, member->assigned, subscription ? subscription->version : int16_t{0}));
  resolve(std::move(answer));
}

// The group has moved on, something is to be revoked, or something that it waits for has become free.
bool ConsumerCoordinator::must_rejoin(const ConsumerGroup& group, const ConsumerMember& member) const {
  if (member.epoch < group.epoch() || member.state == MemberState::unrevoked_partitions) return true;
  if (member.state != MemberState::unreleased_partitions) return false;
  for (const auto& [topic, partitions] : group.target(member.id)) {
    const auto has = member.assigned.find(topic);
    for (const int32_t partition : partitions)
      if ((has == member.assigned.end() || !has->second.contains(partition)) && group.holder_epoch(topic, partition) < 0)
        return true;
  }
  return false;
}

Code ConsumerCoordinator::heartbeat(const Now& now, const ConsumerGroup& group, const HeartbeatRequest& request) {
  const ConsumerMember* member = nullptr;
  if (const Code code = check(group, request.member_id, request.group_instance_id, member); code != Code::none) return code;
  if (request.generation_id != member->epoch) return Code::illegal_generation;
  expect_heartbeat(now, group, *member);
  if (!must_rejoin(group, *member)) return Code::none;
  const TimerKey timer = key(TimerKind::join, group, *member);
  if (!groups_.timers.armed(timer)) groups_.timers.set(timer, now.instant + member->rebalance_timeout);
  return Code::rebalance_in_progress;
}

LeaveGroupResponse ConsumerCoordinator::leave(const Now& now, const ConsumerGroup& group, const LeaveGroupRequest& request,
                                              Writes& writes) {
  LeaveGroupResponse response;
  Leaving leaving;
  for (const auto& identity : request.members) {
    auto& told = response.members.emplace_back();
    told.member_id = identity.member_id;
    told.group_instance_id = identity.group_instance_id;
    const ConsumerMember* member =
        identity.group_instance_id ? group.static_member(*identity.group_instance_id) : group.member(identity.member_id);
    // An administrator names the instance alone, of either protocol.
    if (member && !identity.member_id.empty() && member->id != identity.member_id)
      told.error_code = Code::fenced_instance_id;
    else if (!member || (!identity.member_id.empty() && !member->classic))
      told.error_code = Code::unknown_member_id;
    else
      leaving.insert(member->id);
  }
  if (!leaving.empty()) remove_members(now, group, leaving, writes);
  return response;
}

void ConsumerCoordinator::downgrade(const Now& now, const ConsumerGroup& group, const Leaving& leaving, Writes& writes) {
  auto members = write_downgrade(*groups_.image, group, leaving, now.wall_ms, writes);
  writes.then([this, id = group.id, members = std::move(members), leaving, now](Code code) {
    if (code != Code::none) {
      for (const std::string& each : leaving) groups_.timers.set({TimerKind::session, id, each}, now.instant + 1s);
      return;
    }
    for (const ClassicMember& member : members)
      for (const TimerKind kind : {TimerKind::rebalance, TimerKind::join, TimerKind::sync})
        groups_.timers.cancel({kind, id, member.id});
    if (auto* classic = groups_.find<ClassicGroup>(id)) classic_.taken_over(now, *classic, members);
  });
}

}  // namespace kq::group
