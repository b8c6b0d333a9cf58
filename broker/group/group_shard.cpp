#include "broker/group/group_shard.hpp"

#include <algorithm>

#include "libkq/base/log.hpp"

namespace kq::group {
namespace {

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = static_cast<char>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
  return out;
}

bool passes(const std::vector<std::string>& filter, std::string_view name) {
  return filter.empty() || std::ranges::find(filter, lower(name)) != filter.end();
}

}  // namespace

GroupShard::GroupShard(const GroupConfig& config, std::function<std::string()> new_id)
    : groups_(config, std::move(new_id)), classic_(groups_), consumer_(groups_, classic_), share_(groups_), streams_(groups_), offsets_(groups_, store_, classic_) {}

// ---- Life
// ------------------------------------------------------------------------------------------------------------------------

void GroupShard::loaded(const Now& now, std::shared_ptr<const cluster::Image> image) {
  loading_ = false;
  groups_.image = std::move(image);
  Writes none;  // members are there, so a rebalance only begins
  for (const auto& [id, group] : groups_.all) {
    if (auto* classic = groups_.find<ClassicGroup>(id)) classic_.loaded(now, *classic, none);
    if (const auto* consumer = groups_.find<ConsumerGroup>(id)) consumer_.loaded(now, *consumer);
    if (const auto* share = groups_.find<ShareGroup>(id)) share_.loaded(now, *share);
    if (const auto* streams = groups_.find<StreamsGroup>(id)) streams_.loaded(now, *streams);
  }
  groups_.timers.set({TimerKind::expire_offsets, {}, {}}, now.instant + groups_.config.offsets_retention_check_interval);
}

void GroupShard::unloaded() {
  for (const auto& [id, group] : groups_.all)
    if (auto* classic = groups_.find<ClassicGroup>(id)) ClassicCoordinator::fail_waiting(*classic, Code::not_coordinator);
}

void GroupShard::metadata_changed(const Now& now, std::shared_ptr<const cluster::Image> image, const cluster::Delta& delta) {
  groups_.image = std::move(image);
  for (const auto& change : delta.topics)
    if (!change.after) groups_.timers.set({TimerKind::topic_deleted, change.before->name, {}}, now.instant);
}

void GroupShard::tick(const Now& now, Writes& writes) {
  const auto key = groups_.timers.take(now.instant);
  if (!key) return;
  const auto again_if_refused = [&] {
    writes.may_be_split();
    writes.then([this, key = *key, now](Code code) {
      if (code != Code::none) groups_.timers.set(key, now.instant);
    });
  };
  switch (key->kind) {
    case TimerKind::expire_offsets:
      groups_.timers.set(*key, now.instant + groups_.config.offsets_retention_check_interval);
      offsets_.expire(now, writes);
      return again_if_refused();
    case TimerKind::topic_deleted:
      if (groups_.image->topic(key->group)) return;  // there is a new one of that name, whose offsets these may be
      offsets_.remove_topic(key->group, writes);
      return again_if_refused();
    case TimerKind::first_assignment: return streams_.timer(now, *key, writes);
    default:
      if (groups_.find<StreamsGroup>(key->group)) return streams_.timer(now, *key, writes);
      if (groups_.find<ConsumerGroup>(key->group)) return consumer_.timer(now, *key, writes);
      if (groups_.find<ShareGroup>(key->group)) return share_.timer(now, *key, writes);
      return classic_.timer(now, *key, writes);
  }
}

// ---- Replay
// ----------------------------------------------------------------------------------------------------------------------

void GroupShard::replay(const coordinator::Record& record) {
  const auto frame = read_key_frame(record.key);
  if (!frame) return;
  switch (frame->type) {
    case LegacyOffsetCommitKey::type:
    case OffsetCommitKey::type: return replay_offset(record, frame->message);
    case GroupMetadataKey::type: return replay_classic(record, frame->message);
    case ConsumerGroupMetadataKey::type:
    case ConsumerGroupMemberMetadataKey::type:
    case ConsumerGroupTargetAssignmentMetadataKey::type:
    case ConsumerGroupTargetAssignmentMemberKey::type:
    case ConsumerGroupCurrentMemberAssignmentKey::type:
    case ConsumerGroupRegularExpressionKey::type: return replay_consumer(record, *frame);
    default:
      if (StreamsGroup::is_of(frame->type)) return streams_.replay(*frame, record.value);
      if (ShareGroup::is_of(frame->type)) share_.replay(*frame, record.value);  // else of a later Kafka
  }
}

void GroupShard::replay_offset(const coordinator::Record& record, Bytes key_bytes) {
  const auto key = decode<OffsetCommitKey>(key_bytes, 0);
  if (!key) return;
  if (!record.value) {
    store_.erase(key->group, key->topic, key->partition);
    return store_.erase_pending(key->group, key->topic, key->partition);
  }
  const auto frame = read_value_frame(*record.value, OffsetCommitKey::type);
  const auto value = frame ? decode<OffsetCommitValue>(frame->message, frame->version) : std::nullopt;
  if (!value) return;
  // Who commits without being a member makes a group by that.
  if (!groups_.find(key->group)) groups_.put(std::make_unique<ClassicGroup>(std::string(key->group), value->commit_timestamp));
  Offset offset = offset_of(*value, record.offset);
  if (record.transactional())
    store_.put_pending(record.producer_id, key->group, key->topic, key->partition, std::move(offset));
  else
    store_.put(key->group, key->topic, key->partition, std::move(offset));
}

void GroupShard::replay_classic(const coordinator::Record& record, Bytes key_bytes) {
  const auto key = decode<GroupMetadataKey>(key_bytes, 0);
  if (!key) return;
  auto* group = groups_.find<ClassicGroup>(key->group);
  if (!record.value) {
    if (group) groups_.erase(key->group);
    return;
  }
  const auto frame = read_value_frame(*record.value, GroupMetadataKey::type);
  const auto value = frame ? decode<GroupMetadataValue>(frame->message, frame->version) : std::nullopt;
  if (!value) return;
  const bool is_new = !group;
  if (is_new)
    group = static_cast<ClassicGroup*>(
        &groups_.put(std::make_unique<ClassicGroup>(std::string(key->group), value->current_state_timestamp)));
  if (is_new || loading_)
    group->load(*value);
  else
    group->written(*value);
}

// ---- Members
// ---------------------------------------------------------------------------------------------------------------------

void GroupShard::join(const Now& now, const Caller& caller, const JoinGroupRequest& request, Resolve<JoinAnswer> resolve,
                      Writes& writes) {
  if (const auto* consumer = groups_.find<ConsumerGroup>(request.group_id)) {
    if (!consumer->empty()) return consumer_.join(now, caller, *consumer, request, std::move(resolve), writes);
    consumer->remove(writes);  // nobody is there: it becomes a group of this protocol
  }
  if (const auto* other = groups_.find(request.group_id); other && (other->type() == GroupType::share || other->type() == GroupType::streams)) {
    if (other->type() == GroupType::share || !other->empty())
      return resolve(refused_join(Code::inconsistent_group_protocol, request.member_id));
    other->remove(writes);
  }
  classic_.join(now, caller, request, std::move(resolve), writes);
}

void GroupShard::sync(const Now& now, const SyncGroupRequest& request, Resolve<SyncAnswer> resolve, Writes& writes) {
  if (const auto* consumer = groups_.find<ConsumerGroup>(request.group_id))
    return consumer_.sync(now, *consumer, request, resolve);
  classic_.sync(now, request, std::move(resolve), writes);
}

Code GroupShard::heartbeat(const Now& now, const HeartbeatRequest& request, Writes&) {
  if (const auto* consumer = groups_.find<ConsumerGroup>(request.group_id)) return consumer_.heartbeat(now, *consumer, request);
  return classic_.heartbeat(now, request);
}

LeaveGroupResponse GroupShard::leave(const Now& now, const LeaveGroupRequest& request, Writes& writes) {
  if (const auto* consumer = groups_.find<ConsumerGroup>(request.group_id))
    return consumer_.leave(now, *consumer, request, writes);
  return classic_.leave(now, request, writes);
}

HeartbeatAnswer GroupShard::heartbeat(const Now& now, const Caller& caller, const ConsumerGroupHeartbeatRequest& request,
                                      Writes& writes) {
  return consumer_.heartbeat(now, caller, request, writes);
}

// ---- What concerns all groups
// ----------------------------------------------------------------------------------------------------

void GroupShard::describe(std::string_view id, int16_t version, DescribeGroupsResponse::DescribedGroup& told,
                          Texts& texts) const {
  constexpr int16_t not_found_from = 6;
  told.group_id = id;
  told.error_message.reset();
  if (const auto* classic = groups_.find<ClassicGroup>(id)) return ClassicCoordinator::describe(*classic, told, texts);
  told.group_state = "Dead";
  if (version < not_found_from) return;
  told.error_code = Code::group_id_not_found;
  const bool other = groups_.find(id) != nullptr;
  told.error_message = texts.keep("Group " + std::string(id) + (other ? " is not a classic group." : " not found."));
}

void GroupShard::describe(std::string_view id, ConsumerGroupDescribeResponse::DescribedGroup& told, Texts& texts) const {
  told.group_id = id;
  if (const auto* consumer = groups_.find<ConsumerGroup>(id)) return consumer_.describe(*consumer, told, texts);
  told.error_code = Code::group_id_not_found;
  const bool other = groups_.find(id) != nullptr;
  told.error_message = texts.keep("Group " + std::string(id) + (other ? " is not a consumer group." : " not found."));
}

void GroupShard::list(const ListFilter& filter, ListGroupsResponse& response, Texts& texts) const {
  for (const auto& [id, group] : groups_.all) {
    if (!passes(filter.states, group->state_name()) || !passes(filter.types, name_of(group->type()))) continue;
    auto& told = response.groups.emplace_back();
    told.group_id = texts.keep(id);
    told.protocol_type = texts.keep(group->protocol_type());
    told.group_state = group->state_name();
    told.group_type = name_of(group->type());
  }
}

Code GroupShard::remove(std::string_view id, Writes& writes) const {
  const Group* group = groups_.find(id);
  if (!group) return Code::group_id_not_found;
  const Code code = group->check_delete();
  if (code != Code::none) return code;
  offsets_.remove_all(id, writes);
  group->remove(writes);
  return Code::none;
}

}  // namespace kq::group
