#include "broker/group/consumer_beat.hpp"

#include <algorithm>

#include "broker/group/metadata_hash.hpp"

namespace kq::group {
namespace {

TimerKey session_key(const ConsumerGroup& group, std::string_view member) {
  return {TimerKind::session, group.id, std::string(member)};
}
TimerKey rebalance_key(const ConsumerGroup& group, std::string_view member) {
  return {TimerKind::rebalance, group.id, std::string(member)};
}

HeartbeatAnswer refused(Code code, const std::string& message) {
  HeartbeatAnswer answer;
  answer.body.error_code = code;
  answer.body.error_message = answer.texts->keep(message);
  return answer;
}

std::optional<TopicPartitions> owned_of(const ConsumerGroupHeartbeatRequest& request) {
  if (!request.topic_partitions) return std::nullopt;
  TopicPartitions owned;
  for (const auto& topic : *request.topic_partitions)
    owned[topic.topic_id].insert(topic.partitions.begin(), topic.partitions.end());
  return owned;
}

bool within(const std::optional<TopicPartitions>& owned, const TopicPartitions& assigned) {
  if (!owned) return false;
  return std::ranges::all_of(*owned, [&](const auto& entry) {
    const auto found = assigned.find(entry.first);
    return entry.second.empty() || (found != assigned.end() && std::ranges::includes(found->second, entry.second));
  });
}

void fill(auto& response, const TopicPartitions& partitions, const auto& each) {
  for (const auto& [id, indices] : partitions) {
    auto& topic = response.topic_partitions.emplace_back();
    topic.topic_id = id;
    topic.partitions.assign(indices.begin(), indices.end());
    each(topic);
  }
}

}  // namespace

// ---- A heartbeat
// -----------------------------------------------------------------------------------------------------------------

HeartbeatAnswer ConsumerCoordinator::heartbeat(const Now& now, const Caller& caller, const ConsumerGroupHeartbeatRequest& request,
                                               Writes& writes) {
  const Group* any = groups_.find(request.group_id);
  const auto* held = dynamic_cast<const ConsumerGroup*>(any);
  const std::string id(request.group_id);
  if (!held && request.member_epoch != joining_epoch)
    return refused(Code::group_id_not_found, "Consumer group " + id + " not found.");
  if (request.member_epoch < joining_epoch) return leave(now, *held, request, writes);

  ConsumerGroup fresh(id);
  if (any && !held) {
    auto* classic = groups_.find<ClassicGroup>(id);
    if (!classic) return refused(Code::group_id_not_found, "Group " + id + " is not a consumer group.");
    if (auto refusal = upgrade(now, *classic, fresh, writes)) return std::move(*refusal);
  }
  Beat beat{.now = now, .caller = caller, .request = request, .group = held ? *held : fresh, .writes = writes};
  const bool known = beat.group.member(request.member_id) != nullptr;
  if (!known && beat.group.members().size() >= groups_.config.consumer_max_size)
    return refused(Code::group_max_size_reached, "The consumer group has reached its maximum capacity of " +
                                                     std::to_string(groups_.config.consumer_max_size) + " members.");
  if (auto refusal = decide(beat)) {
    writes.clear();
    return std::move(*refusal);
  }
  expect_heartbeat(now, beat.group, beat.member);
  return answer(beat);
}

std::optional<HeartbeatAnswer> ConsumerCoordinator::decide(Beat& beat) {
  if (auto refusal = beat.request.instance_id ? find_static_member(beat) : find_member(beat)) return refusal;
  update_subscription(beat);
  if (auto refusal = resolve_regex(beat)) return refusal;
  update_epoch(beat);
  update_target(beat);
  reconcile(beat);
  return std::nullopt;
}

// A member of this protocol comes to a group of the other one.
std::optional<HeartbeatAnswer> ConsumerCoordinator::upgrade(const Now& now, ClassicGroup& group, ConsumerGroup& into,
                                                            Writes& writes) {
  if (group.empty()) return group.remove(writes), std::nullopt;  // nobody is there
  const bool may = groups_.config.consumer_migration.upgrade && group.protocol_type() == consumer_protocol_type &&
                   group.members().size() < groups_.config.consumer_max_size;
  if (!may || !write_upgrade(*groups_.image, group, writes)) {
    writes.clear();
    return refused(Code::group_id_not_found, "Group " + group.id + " is not a consumer group.");
  }
  for (size_t i = 0; i < writes.size(); ++i) {
    const auto entry = writes.at(i);
    if (const auto key = read_key_frame(entry.key)) into.replay({.key = entry.key, .value = entry.value}, *key);
  }
  // They are to come again: their next answer is of the new protocol's making, or, if this cannot be written, of the old one's.
  ClassicCoordinator::fail_waiting(group, Code::rebalance_in_progress);
  writes.then([this, id = group.id, now](Code code) {
    if (code != Code::none) return;
    for (const TimerKind kind : {TimerKind::join, TimerKind::sync}) groups_.timers.cancel({kind, id, {}});
    const auto* now_consumer = groups_.find<ConsumerGroup>(id);
    if (!now_consumer) return;
    for (const auto& [member_id, member] : now_consumer->members())
      if (member.classic) expect_heartbeat(now, *now_consumer, member);
  });
  return std::nullopt;
}

std::optional<HeartbeatAnswer> ConsumerCoordinator::find_member(Beat& beat) {
  const std::string id(beat.request.member_id.empty() ? groups_.new_id() : std::string(beat.request.member_id));
  beat.before = beat.group.member(id);
  if (!beat.before) {
    if (!beat.joins())
      return refused(Code::unknown_member_id, "Member " + id + " is not a member of group " + beat.group.id + ".");
    beat.member.id = id;
    return std::nullopt;
  }
  beat.member = *beat.before;
  if (beat.joins()) return std::nullopt;  // it lost an answer, or was fenced
  const int32_t known = beat.member.epoch, received = beat.request.member_epoch;
  const std::string epochs = "member epoch (" + std::to_string(received) + ") than the one known by the group coordinator (" +
                             std::to_string(known) + "). The member must abandon all its partitions and rejoin.";
  if (received > known) return refused(Code::fenced_member_epoch, "The consumer group member has a greater " + epochs);
  // Its last answer may have been lost: then it still has a part of what it had.
  if (received < known && (received != beat.member.previous_epoch || !within(owned_of(beat.request), beat.member.assigned)))
    return refused(Code::fenced_member_epoch, "The consumer group member has a smaller " + epochs);
  return std::nullopt;
}

std::optional<HeartbeatAnswer> ConsumerCoordinator::find_static_member(Beat& beat) {
  const std::string instance(*beat.request.instance_id), id(beat.request.member_id);
  const ConsumerMember* existing = beat.group.static_member(instance);
  if (!beat.joins()) {
    if (!existing) return refused(Code::unknown_member_id, "Instance id " + instance + " is unknown.");
    if (existing->id != id)
      return refused(Code::fenced_instance_id,
                     "Static member " + id + " with instance id " + instance + " was fenced by member " + existing->id + ".");
    return find_member(beat);
  }
  if (!existing || existing->id == id) return find_member(beat);
  if (existing->epoch != static_leaving_epoch && !beat.classic)
    return refused(Code::unreleased_instance_id, "Static member " + id + " with instance id " + instance +
                                                     " cannot join the group because the instance id is owned by " +
                                                     existing->id + " member.");
  // Another one takes its place, with all that it had.
  beat.before = existing;
  beat.member = *existing;
  beat.member.id = id;
  beat.member.epoch = joining_epoch;
  beat.member.previous_epoch = joining_epoch;
  beat.member.state = MemberState::stable;
  beat.replaced = existing->id;
  groups_.timers.cancel(session_key(beat.group, existing->id));
  groups_.timers.cancel(rebalance_key(beat.group, existing->id));
  write_member_removed(beat.writes, beat.group.id, existing->id);
  write_target(beat.writes, beat.group.id, id, beat.group.target(existing->id));
  return std::nullopt;
}

void ConsumerCoordinator::update_subscription(Beat& beat) {
  const auto& request = beat.request;
  ConsumerMember& member = beat.member;
  if (request.instance_id) member.instance_id = std::string(*request.instance_id);
  if (request.rack_id) member.rack_id = std::string(*request.rack_id);
  if (request.rebalance_timeout_ms != -1) member.rebalance_timeout = std::chrono::milliseconds(request.rebalance_timeout_ms);
  if (request.server_assignor) member.server_assignor = std::string(*request.server_assignor);
  if (request.subscribed_topic_names)
    member.topics = {request.subscribed_topic_names->begin(), request.subscribed_topic_names->end()};
  if (request.subscribed_topic_regex) {
    member.regex = std::string(*request.subscribed_topic_regex);
    if (member.regex->empty()) member.regex.reset();
  }
  member.classic = beat.classic;
  member.client_id = beat.caller.client_id;
  member.client_host = beat.caller.client_host;
  const bool same = beat.before && !beat.replaced && member == *beat.before;
  if (!same) write_subscription(beat.writes, beat.group.id, member);
  beat.bump = !beat.before || member.topics != beat.before->topics || member.regex != beat.before->regex;
}

std::optional<HeartbeatAnswer> ConsumerCoordinator::resolve_regex(Beat& beat) {
  const auto& regex = beat.member.regex;
  const bool changed = !beat.before || beat.before->regex != regex;
  if (beat.before && beat.before->regex && changed) {
    const std::string& former = *beat.before->regex;
    bool used = false;
    beat.each_member([&](const ConsumerMember& other) { used = used || other.regex == former; });
    if (!used) write_regex_removed(beat.writes, beat.group.id, former);
  }
  if (!regex) return std::nullopt;
  const ResolvedRegex* held = beat.group.resolved(*regex);
  const bool new_image = beat.group.seen_image.lock() != groups_.image;
  if (held && !changed && !new_image) return std::nullopt;
  std::string why_not;
  auto topics = topics_matching(*groups_.image, *regex, why_not);
  if (!topics)
    return refused(Code::invalid_regular_expression,
                   "SubscribedTopicRegex `" + *regex + "` is not a valid regular expression: " + why_not + ".");
  if (held && held->topics == *topics) return std::nullopt;
  ResolvedRegex resolved{std::move(*topics), groups_.image->offset, beat.now.wall_ms};
  write_regex(beat.writes, beat.group.id, *regex, resolved);
  beat.regexes[*regex] = std::move(resolved);
  beat.bump = true;
  return std::nullopt;
}

void ConsumerCoordinator::update_epoch(Beat& beat) {
  int64_t hash = beat.group.metadata_hash();
  if (beat.bump || beat.group.seen_image.lock() != groups_.image) {
    std::set<std::string, std::less<>> topics;
    beat.each_member([&](const ConsumerMember& member) { topics.merge(beat.topics_of(member)); });
    hash = hash_of(*groups_.image, topics);
    beat.bump = beat.bump || hash != beat.group.metadata_hash();
    if (!beat.bump)  // else after it has been written
      if (auto* held = groups_.find<ConsumerGroup>(beat.group.id)) held->seen_image = groups_.image;
  }
  beat.epoch = beat.group.epoch() + beat.bump;
  if (beat.bump) write_group_epoch(beat.writes, beat.group.id, beat.epoch, hash);
}

std::string_view ConsumerCoordinator::assignor_of(const ConsumerGroup& group, const ConsumerMember* updated) const {
  std::map<std::string_view, size_t> votes;
  for (const auto& [id, member] : group.members())
    if (member.server_assignor && (!updated || id != updated->id)) ++votes[*member.server_assignor];
  if (updated && updated->server_assignor) ++votes[*updated->server_assignor];
  const auto most = std::ranges::max_element(votes, {}, [](const auto& entry) { return entry.second; });
  return most == votes.end() ? std::string_view(groups_.config.consumer_assignors.front()) : most->first;
}

void ConsumerCoordinator::update_target(Beat& beat) {
  const std::string_view own_before = beat.replaced ? std::string_view(*beat.replaced) : std::string_view(beat.member.id);
  beat.target_epoch = beat.group.target_epoch();
  beat.target = beat.group.target(own_before);
  if (beat.epoch <= beat.target_epoch) return;
  AssignorInput input;
  beat.each_member([&](const ConsumerMember& member) {
    const bool own = member.id == beat.member.id;
    auto& entry = input.members.emplace_back();
    entry.id = own ? std::string_view(beat.member.id) : std::string_view(member.id);
    if (member.instance_id) entry.instance_id = *member.instance_id;
    entry.owned = &beat.group.target(own ? own_before : std::string_view(member.id));
    for (const std::string& name : beat.topics_of(member))
      if (const cluster::TopicImage* topic = groups_.image->topic(name)) {
        entry.topics.insert(topic->id);
        input.topics[topic->id] = static_cast<int32_t>(topic->partitions.size());
      }
  });
  std::ranges::sort(input.members, {}, &AssignorMember::id);
  const auto targets = assignor_of(beat.group, &beat.member) == "range" ? assign_range(input) : assign_uniform(input);
  for (size_t i = 0; i < targets.size(); ++i) {
    const std::string_view id = input.members[i].id;
    const bool changed = targets[i] != *input.members[i].owned || !beat.group.targets().contains(id);
    if (changed) write_target(beat.writes, beat.group.id, id, targets[i]);
    if (id == beat.member.id) beat.target = targets[i];
  }
  beat.target_epoch = beat.epoch;
  write_target_epoch(beat.writes, beat.group.id, beat.target_epoch);
}

void ConsumerCoordinator::reconcile(Beat& beat) {
  const ConsumerMember before = beat.member;
  beat.member = next_assignment(before, beat.target_epoch, beat.target, owned_of(beat.request), beat.group);
  const bool changed = beat.member != before || !beat.before || beat.replaced;
  if (!changed) return;
  write_current(beat.writes, beat.group.id, beat.member);
  const TimerKey timer = rebalance_key(beat.group, beat.member.id);
  if (beat.member.state == MemberState::unrevoked_partitions)
    groups_.timers.set(timer, beat.now.instant + beat.member.rebalance_timeout);
  else
    groups_.timers.cancel(timer);
}

HeartbeatAnswer ConsumerCoordinator::answer(const Beat& beat) const {
  HeartbeatAnswer answer;
  auto& body = answer.body;
  body.member_id = answer.texts->keep(beat.member.id);
  body.member_epoch = beat.member.epoch;
  body.heartbeat_interval_ms = static_cast<int32_t>(
      to_ms(group_setting(beat.group.id, "consumer.heartbeat.interval.ms", groups_.config.consumer_heartbeat_interval)));
  const auto& request = beat.request;
  const bool whole = request.rebalance_timeout_ms != -1 && (request.subscribed_topic_names || request.subscribed_topic_regex) &&
                     request.topic_partitions;
  if (whole || beat.joins() || !beat.before || beat.before->assigned != beat.member.assigned)
    fill(body.assignment.emplace(), beat.member.assigned, [](auto&) {});
  return answer;
}

// ---- Leaving
// ---------------------------------------------------------------------------------------------------------------------

HeartbeatAnswer ConsumerCoordinator::leave(const Now& now, const ConsumerGroup& group,
                                           const ConsumerGroupHeartbeatRequest& request, Writes& writes) {
  const std::string id(request.member_id);
  const ConsumerMember* member = group.member(id);
  if (request.instance_id) {
    member = group.static_member(*request.instance_id);
    if (!member) return refused(Code::unknown_member_id, "Instance id " + std::string(*request.instance_id) + " is unknown.");
    if (member->id != id)
      return refused(Code::fenced_instance_id, "Static member " + id + " with instance id " + std::string(*request.instance_id) +
                                                   " was fenced by member " + member->id + ".");
  }
  if (!member) return refused(Code::unknown_member_id, "Member " + id + " is not a member of group " + group.id + ".");
  HeartbeatAnswer answer;
  answer.body.member_id = answer.texts->keep(id);
  answer.body.member_epoch = request.member_epoch;
  if (request.member_epoch == static_leaving_epoch && member->instance_id) {
    // It will be back: its partitions are kept for as long as its session lasts.
    ConsumerMember away = *member;
    away.previous_epoch = away.epoch;
    away.epoch = static_leaving_epoch;
    away.pending_revocation.clear();
    write_current(writes, group.id, away);
  } else {
    remove_members(now, group, {member->id}, writes);
  }
  return answer;
}

// Those that stay all speak the classic protocol, so they may be a group of that.
bool ConsumerCoordinator::downgrades_without(const ConsumerGroup& group, const Leaving& leaving) const {
  const size_t staying = group.members().size() - leaving.size();
  const bool last_of_this = std::ranges::any_of(leaving, [&](const std::string& id) { return !group.member(id)->classic; });
  return groups_.config.consumer_migration.downgrade && last_of_this && staying > 0 && staying <= groups_.config.max_size &&
         group.all_classic_but(leaving);
}

void ConsumerCoordinator::remove_members(const Now& now, const ConsumerGroup& group, const Leaving& leaving, Writes& writes) {
  for (const std::string& id : leaving)
    for (const TimerKind kind : {TimerKind::session, TimerKind::rebalance, TimerKind::join, TimerKind::sync})
      groups_.timers.cancel({kind, group.id, id});
  if (downgrades_without(group, leaving)) return downgrade(now, group, leaving, writes);
  std::set<std::string, std::less<>> topics, patterns;
  for (const std::string& id : leaving) {
    write_member_removed(writes, group.id, id);
    if (const auto& pattern = group.member(id)->regex) patterns.insert(*pattern);
  }
  for (const auto& [id, other] : group.members()) {
    if (leaving.contains(id)) continue;
    if (other.regex) patterns.erase(*other.regex);
    topics.merge(group.topics_of(other));
  }
  for (const std::string& pattern : patterns) write_regex_removed(writes, group.id, pattern);
  write_group_epoch(writes, group.id, group.epoch() + 1, hash_of(*groups_.image, topics));
}

// ---- Time
// ------------------------------------------------------------------------------------------------------------------------

Duration ConsumerCoordinator::group_setting(std::string_view group, std::string_view key, Duration otherwise) const {
  return std::chrono::milliseconds(groups_.setting(group, key, to_ms(otherwise)));
}

void ConsumerCoordinator::expect_heartbeat(const Now& now, const ConsumerGroup& group, const ConsumerMember& member) {
  if (member.classic) return groups_.timers.set(session_key(group, member.id), now.instant + member.classic->session_timeout);
  const Duration timeout = group_setting(group.id, "consumer.session.timeout.ms", groups_.config.consumer_session_timeout);
  groups_.timers.set(session_key(group, member.id), now.instant + timeout);
}

void ConsumerCoordinator::loaded(const Now& now, const ConsumerGroup& group) {
  for (const auto& [id, member] : group.members()) {
    expect_heartbeat(now, group, member);
    if (member.state == MemberState::unrevoked_partitions)
      groups_.timers.set(rebalance_key(group, id), now.instant + member.rebalance_timeout);
  }
}

void ConsumerCoordinator::timer(const Now& now, const TimerKey& key, Writes& writes) {
  const auto* group = groups_.find<ConsumerGroup>(key.group);
  const ConsumerMember* member = group ? group->member(key.member) : nullptr;
  if (!member || (key.kind == TimerKind::rebalance && member->state != MemberState::unrevoked_partitions)) return;
  const bool downgrades = downgrades_without(*group, {member->id});
  remove_members(now, *group, {member->id}, writes);
  if (downgrades) return;  // which asks to be told of the outcome itself
  writes.then([this, key, now](Code code) {
    if (code != Code::none) groups_.timers.set(key, now.instant);
  });
}

// ---- Describing
// ------------------------------------------------------------------------------------------------------------------

void ConsumerCoordinator::describe(const ConsumerGroup& group, ConsumerGroupDescribeResponse::DescribedGroup& told,
                                   Texts& texts) const {
  constexpr int8_t classic_member = 0, consumer_member = 1;
  const auto named = [&](auto& topic) {
    if (const auto* image = groups_.image->topic(topic.topic_id)) topic.topic_name = texts.keep(image->name);
  };
  told.group_state = group.state_name();
  told.group_epoch = group.epoch();
  told.assignment_epoch = group.target_epoch();
  told.assignor_name = texts.keep(assignor_of(group, nullptr));
  for (const auto& [id, member] : group.members()) {
    auto& out = told.members.emplace_back();
    out.member_id = texts.keep(id);
    out.instance_id = texts.keep_optional(member.instance_id);
    out.rack_id = texts.keep_optional(member.rack_id);
    out.member_epoch = member.epoch;
    out.client_id = texts.keep(member.client_id);
    out.client_host = texts.keep(member.client_host);
    for (const std::string& topic : member.topics) out.subscribed_topic_names.push_back(texts.keep(topic));
    out.subscribed_topic_regex = texts.keep_optional(member.regex);
    fill(out.assignment, member.assigned, named);
    fill(out.target_assignment, group.target(id), named);
    out.member_type = member.classic ? classic_member : consumer_member;
  }
}

}  // namespace kq::group
