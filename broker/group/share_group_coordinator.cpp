#include "broker/group/share_group_coordinator.hpp"

#include <algorithm>

#include "broker/group/metadata_hash.hpp"

namespace kq::group {
namespace {

constexpr std::string_view simple_assignor = "simple";

TimerKey session_key(std::string_view group, std::string_view member) {
  return {TimerKind::session, std::string(group), std::string(member)};
}

ShareHeartbeatAnswer refused(Code code, const std::string& message) {
  ShareHeartbeatAnswer answer;
  answer.body.error_code = code;
  answer.body.error_message = answer.texts->keep(message);
  return answer;
}

bool contains(const SharedPartitions& partitions, const Uuid& topic, int32_t index) {
  const auto found = partitions.find(topic);
  return found != partitions.end() && found->second.contains(index);
}

void add(SharedPartitions& to, const SharedPartitions& more) {
  for (const auto& [topic, indices] : more) to[topic].insert(indices.begin(), indices.end());
}

void take_out(SharedPartitions& from, const SharedPartitions& which) {
  for (const auto& [topic, indices] : which) {
    const auto found = from.find(topic);
    if (found == from.end()) continue;
    for (const int32_t index : indices) found->second.erase(index);
    if (found->second.empty()) from.erase(found);
  }
}

}  // namespace

// What is being decided: the group as it is, the member as it will be.
struct ShareGroupCoordinator::Beat {
  const Now& now;
  const ShareGroup& group;
  Writes& writes;
  const ShareMember* before = nullptr;  // null: it is new
  ShareMember member{};
  bool bump = false;
  int32_t epoch = 0, target_epoch = 0;
  int64_t hash = 0;
  SharedPartitions target{};

  std::set<std::string, std::less<>> topics() const {
    auto topics = member.topics;
    for (const auto& [id, other] : group.members())
      if (id != member.id) topics.insert(other.topics.begin(), other.topics.end());
    return topics;
  }
};

// ---- Replay
// ------------------------------------------------------------------------------------------------------------------------

void ShareGroupCoordinator::replay(const RecordFrame& frame, const std::optional<Bytes>& value) {
  Reader reader{frame.message, 0, false};
  ShareGroupMetadataKey key;  // every key begins with the group
  ShareGroupMetadataKey::fields(key, reader);
  auto* group = groups_.find<ShareGroup>(key.group_id);
  if (!group) {
    if (!value || key.group_id.empty()) return;
    group = static_cast<ShareGroup*>(&groups_.put(std::make_unique<ShareGroup>(std::string(key.group_id))));
  }
  group->replay(frame, value);
  if (group->gone()) groups_.erase(key.group_id);
}

// ---- A heartbeat
// -----------------------------------------------------------------------------------------------------------------

ShareHeartbeatAnswer ShareGroupCoordinator::heartbeat(const Now& now, const ShareCaller& caller,
                                                      const ShareGroupHeartbeatRequest& request, Writes& writes) {
  const std::string id(request.group_id), member_id(request.member_id);
  const Group* any = groups_.find(id);
  auto* held = groups_.find<ShareGroup>(id);
  if (any && !held && !(any->empty() && request.member_epoch == joining_epoch))
    return refused(Code::group_id_not_found, "Group " + id + " is not a share group.");
  if (!held && request.member_epoch != joining_epoch)
    return refused(Code::group_id_not_found, "Share group " + id + " not found.");
  if (any && !held) any->remove(writes);  // nobody is there: it becomes a group of this protocol
  const ShareGroup fresh(id);
  const ShareGroup& group = held ? *held : fresh;
  const auto found = group.members().find(member_id);
  const ShareMember* before = found == group.members().end() ? nullptr : &found->second;
  if (!before && request.member_epoch != joining_epoch)
    return refused(Code::unknown_member_id, "Member " + member_id + " is not a member of group " + id + ".");
  if (request.member_epoch == leaving_epoch) return leave(group, member_id, writes);
  if (!before && group.members().size() >= caller.members_max)
    return refused(Code::group_max_size_reached,
                   "The share group has reached its maximum capacity of " + std::to_string(caller.members_max) + " members.");
  if (before && request.member_epoch > before->epoch)
    return refused(Code::fenced_member_epoch,
                   "The share group member has a greater member epoch (" + std::to_string(request.member_epoch) +
                       ") than the one known by the group coordinator (" + std::to_string(before->epoch) +
                       "). The member must abandon all its partitions and rejoin.");
  if (before && request.member_epoch != joining_epoch && request.member_epoch < before->epoch &&
      request.member_epoch != before->previous_epoch)
    return refused(Code::fenced_member_epoch,
                   "The share group member has a smaller member epoch (" + std::to_string(request.member_epoch) +
                       ") than the one known by the group coordinator (" + std::to_string(before->epoch) +
                       "). The member must abandon all its partitions and rejoin.");

  Beat beat{.now = now, .group = group, .writes = writes, .before = before};
  if (before) beat.member = *before;
  beat.member.id = member_id;
  beat.member.client_id = caller.client_id;
  beat.member.client_host = caller.client_host;
  if (request.rack_id) beat.member.rack_id = std::string(*request.rack_id);
  if (request.subscribed_topic_names) {
    beat.member.topics.clear();
    for (const auto topic : *request.subscribed_topic_names) beat.member.topics.emplace(topic);
  }
  if (!before || beat.member != *before) write_share_member(writes, id, beat.member);
  beat.bump = !before || beat.member.topics != before->topics;
  update_epoch(beat);
  update_target(beat);
  if (beat.member.epoch != beat.target_epoch || beat.member.assigned != beat.target) {
    beat.member.previous_epoch = beat.member.epoch;
    beat.member.epoch = beat.target_epoch;
    beat.member.assigned = beat.target;
    write_share_current(writes, id, beat.member);
  }

  ShareHeartbeatAnswer answer;
  answer.body.member_id = answer.texts->keep(member_id);
  answer.body.member_epoch = beat.member.epoch;
  answer.body.heartbeat_interval_ms =
      static_cast<int32_t>(std::chrono::duration_cast<std::chrono::milliseconds>(caller.heartbeat_interval).count());
  if (request.member_epoch == joining_epoch || !before || before->assigned != beat.member.assigned ||
      request.member_epoch != beat.member.epoch) {
    answer.body.assignment.emplace();
    for (const auto& [topic, indices] : beat.member.assigned)
      answer.body.assignment->topic_partitions.push_back({.topic_id = topic, .partitions = {indices.begin(), indices.end()}});
  }
  want_states(beat, caller.initialize_retry, answer);
  groups_.timers.set(session_key(id, member_id), now.instant + caller.session_timeout);
  return answer;
}

// Of the partitions that have a state, those that nobody was given.
bool ShareGroupCoordinator::assignment_pending(const ShareGroup& group) const {
  SharedPartitions given;
  for (const auto& [id, target] : group.targets()) add(given, target);
  for (const std::string& name : group.topics()) {
    const cluster::TopicImage* topic = groups_.image->topic(name);
    const auto states = topic ? group.initialized().find(topic->id) : group.initialized().end();
    if (states == group.initialized().end()) continue;
    for (const int32_t index : states->second)
      if (topic->partition(index) && !contains(given, topic->id, index)) return true;
  }
  return false;
}

void ShareGroupCoordinator::update_epoch(Beat& beat) const {
  beat.hash = hash_of(*groups_.image, beat.topics());
  beat.epoch = beat.group.epoch();
  beat.bump = beat.bump || beat.hash != beat.group.metadata_hash() || assignment_pending(beat.group);
  if (!beat.bump) return;
  ++beat.epoch;
  write_share_epoch(beat.writes, beat.group.id, beat.epoch, beat.hash);
}

SharedPartitions ShareGroupCoordinator::assignable(const ShareGroup& group, const ShareMember& member) const {
  SharedPartitions partitions;
  for (const std::string& name : member.topics) {
    const cluster::TopicImage* topic = groups_.image->topic(name);
    const auto states = topic ? group.initialized().find(topic->id) : group.initialized().end();
    if (states == group.initialized().end()) continue;
    for (const int32_t index : states->second)
      if (topic->partition(index)) partitions[topic->id].insert(index);
  }
  return partitions;
}

void ShareGroupCoordinator::update_target(Beat& beat) const {
  beat.target_epoch = beat.group.target_epoch();
  const auto mine = beat.group.targets().find(beat.member.id);
  if (mine != beat.group.targets().end()) beat.target = mine->second;
  if (beat.epoch <= beat.group.target_epoch()) return;
  ShareSubscriptions subscriptions;
  for (const auto& [id, member] : beat.group.members())
    if (id != beat.member.id) subscriptions[id] = assignable(beat.group, member);
  subscriptions[beat.member.id] = assignable(beat.group, beat.member);
  const auto targets = assign_simply(subscriptions, beat.group.targets());
  for (const auto& [id, target] : targets) {
    const auto before = beat.group.targets().find(id);
    if (before == beat.group.targets().end() || before->second != target)
      write_share_target(beat.writes, beat.group.id, id, target);
  }
  write_share_target_epoch(beat.writes, beat.group.id, beat.epoch);
  beat.target_epoch = beat.epoch;
  beat.target = targets.at(beat.member.id);
}

// ---- States of the share coordinator
// -----------------------------------------------------------------------------------------------

void ShareGroupCoordinator::want_states(Beat& beat, Duration retry, ShareHeartbeatAnswer& answer) {
  const bool again = beat.now.instant >= beat.group.initialize_asked + retry;
  for (const std::string& name : beat.topics()) {
    const cluster::TopicImage* topic = groups_.image->topic(name);
    if (!topic) continue;
    for (int32_t index = 0; index < static_cast<int32_t>(topic->partitions.size()); ++index) {
      if (!topic->partition(index) || contains(beat.group.initialized(), topic->id, index)) continue;
      if (!again && contains(beat.group.initializing(), topic->id, index)) continue;
      answer.initialize[topic->id].insert(index);
    }
  }
  if (answer.initialize.empty()) return;
  answer.state_epoch = beat.epoch;
  ShareStates states = beat.group.states();
  add(states.initializing, answer.initialize);
  write_share_states(beat.writes, beat.group.id, *groups_.image, states);
  beat.writes.then([this, id = beat.group.id, at = beat.now.instant](Code code) {
    if (auto* group = groups_.find<ShareGroup>(id); group && code == Code::none) group->initialize_asked = at;
  });
}

void ShareGroupCoordinator::initialized(std::string_view id, const SharedPartitions& done, const SharedPartitions& failed,
                                        Writes& writes) {
  auto* group = groups_.find<ShareGroup>(id);
  if (!group) return;
  group->initialize_asked = {};
  ShareStates states = group->states();
  take_out(states.initializing, done);
  take_out(states.initializing, failed);
  add(states.initialized, done);
  for (const auto& [topic, indices] : done) states.deleting.erase(topic);
  write_share_states(writes, id, *groups_.image, states);
}

Code ShareGroupCoordinator::check_empty(std::string_view id) const {
  const auto* group = groups_.find<ShareGroup>(id);
  if (!group) return Code::group_id_not_found;
  return group->empty() ? Code::none : Code::non_empty_group;
}

Code ShareGroupCoordinator::check_alter(std::string_view id) const { return groups_.find<Group>(id) ? check_empty(id) : Code::none; }

// The epoch rises, and with it the states': who still works on the old ones is
// fenced.
void ShareGroupCoordinator::offsets_altered(std::string_view id, const SharedPartitions& partitions, Writes& writes) const {
  const ShareGroup made{std::string(id)};
  const auto* held = groups_.find<ShareGroup>(id);
  if (!held && groups_.find<Group>(id)) return;
  const ShareGroup& group = held ? *held : made;
  write_share_epoch(writes, id, group.epoch() + 1, group.metadata_hash());
  ShareStates states = group.states();
  take_out(states.initializing, partitions);
  add(states.initialized, partitions);
  for (const auto& [topic, indices] : partitions) states.deleting.erase(topic);
  write_share_states(writes, id, *groups_.image, states);
}

void ShareGroupCoordinator::offsets_deleting(std::string_view id, const std::set<Uuid>& topics, Writes& writes) const {
  const auto* group = groups_.find<ShareGroup>(id);
  if (!group) return;
  ShareStates states = group->states();
  for (const Uuid& topic : topics) states.initializing.erase(topic), states.initialized.erase(topic), states.deleting.insert(topic);
  write_share_states(writes, id, *groups_.image, states);
}

void ShareGroupCoordinator::offsets_deleted(std::string_view id, const std::set<Uuid>& topics, Writes& writes) const {
  const auto* group = groups_.find<ShareGroup>(id);
  if (!group) return;
  ShareStates states = group->states();
  for (const Uuid& topic : topics) states.deleting.erase(topic);
  write_share_states(writes, id, *groups_.image, states);
}

// ---- Leaving
// -----------------------------------------------------------------------------------------------------------------------

ShareHeartbeatAnswer ShareGroupCoordinator::leave(const ShareGroup& group, std::string_view member, Writes& writes) {
  remove_member(group, member, writes);
  ShareHeartbeatAnswer answer;
  answer.body.member_id = answer.texts->keep(member);
  answer.body.member_epoch = leaving_epoch;
  return answer;
}

void ShareGroupCoordinator::remove_member(const ShareGroup& group, std::string_view member, Writes& writes) const {
  remove_share_member(writes, group.id, member);
  std::set<std::string, std::less<>> topics;
  for (const auto& [id, other] : group.members())
    if (id != member) topics.insert(other.topics.begin(), other.topics.end());
  write_share_epoch(writes, group.id, group.epoch() + 1, hash_of(*groups_.image, topics));
  writes.then([this, key = session_key(group.id, member)](Code code) {
    if (code == Code::none) groups_.timers.cancel(key);
  });
}

void ShareGroupCoordinator::loaded(const Now& now, const ShareGroup& group) {
  constexpr Duration longest = 60s;  // until its next heartbeat says how long
  for (const auto& [id, member] : group.members()) groups_.timers.set(session_key(group.id, id), now.instant + longest);
}

void ShareGroupCoordinator::timer(const Now& now, const TimerKey& key, Writes& writes) {
  const auto* group = groups_.find<ShareGroup>(key.group);
  if (!group || !group->members().contains(key.member)) return;
  remove_member(*group, key.member, writes);
  writes.then([this, key, now](Code code) {
    if (code != Code::none) groups_.timers.set(key, now.instant);
  });
}

// ---- Telling
// -----------------------------------------------------------------------------------------------------------------------

void ShareGroupCoordinator::describe(std::string_view id, ShareGroupDescribeResponse::DescribedGroup& told, Texts& texts) const {
  told.group_id = id;
  const auto* group = groups_.find<ShareGroup>(id);
  if (!group) {
    told.error_code = Code::group_id_not_found;
    told.error_message = texts.keep("Group " + std::string(id) + (groups_.find(id) ? " is not a share group." : " not found."));
    told.group_state = "Dead";
    return;
  }
  told.group_state = group->state_name();
  told.group_epoch = group->epoch();
  told.assignment_epoch = group->target_epoch();
  told.assignor_name = simple_assignor;
  for (const auto& [member_id, member] : group->members()) {
    auto& to = told.members.emplace_back();
    to.member_id = texts.keep(member_id);
    to.rack_id = texts.keep_optional(member.rack_id);
    to.member_epoch = member.epoch;
    to.client_id = texts.keep(member.client_id);
    to.client_host = texts.keep(member.client_host);
    for (const std::string& topic : member.topics) to.subscribed_topic_names.push_back(texts.keep(topic));
    for (const auto& [topic_id, indices] : member.assigned) {
      const cluster::TopicImage* topic = groups_.image->topic(topic_id);
      if (!topic) continue;
      auto& partitions = to.assignment.topic_partitions.emplace_back();
      partitions.topic_id = topic_id;
      partitions.topic_name = texts.keep(topic->name);
      partitions.partitions.assign(indices.begin(), indices.end());
    }
  }
}

}  // namespace kq::group
