#include "broker/group/share_group.hpp"

#include <algorithm>

namespace kq::group {
namespace {

std::optional<std::string> owned(const std::optional<std::string_view>& text) {
  return text ? std::optional<std::string>(*text) : std::nullopt;
}

template <class Topics>
SharedPartitions from_record(const Topics& topics) {
  SharedPartitions partitions;
  for (const auto& topic : topics) partitions[topic.topic_id].insert(topic.partitions.begin(), topic.partitions.end());
  return partitions;
}

template <class Topics>
void to_record(const SharedPartitions& partitions, Topics& topics) {
  for (const auto& [id, indices] : partitions) {
    auto& topic = topics.emplace_back();
    topic.topic_id = id;
    topic.partitions.assign(indices.begin(), indices.end());
  }
}

template <class Value>
std::optional<Value> read(const std::optional<Bytes>& bytes) {
  const auto frame = bytes ? read_value_frame(*bytes, Value::type) : std::nullopt;
  return frame ? decode<Value>(frame->message, frame->version) : std::nullopt;
}

}  // namespace

bool ShareGroup::subscribed_to(std::string_view topic) const {
  return std::ranges::any_of(members_, [&](const auto& entry) { return entry.second.topics.contains(topic); });
}

std::set<std::string, std::less<>> ShareGroup::topics() const {
  std::set<std::string, std::less<>> topics;
  for (const auto& [id, member] : members_) topics.insert(member.topics.begin(), member.topics.end());
  return topics;
}

bool ShareGroup::operator==(const ShareGroup& other) const {
  return id == other.id && epoch_ == other.epoch_ && target_epoch_ == other.target_epoch_ &&
         metadata_hash_ == other.metadata_hash_ && members_ == other.members_ && targets_ == other.targets_ &&
         states_ == other.states_;
}

// ---- Replay
// ----------------------------------------------------------------------------------------------------------------------

bool ShareGroup::is_of(uint32_t type) {
  return type >= ShareGroupMemberMetadataKey::type && type <= ShareGroupStatePartitionMetadataKey::type;
}

void ShareGroup::replay(const RecordFrame& frame, const std::optional<Bytes>& bytes) {
  gone_ = false;
  const auto member_key = [&]() -> std::string {
    const auto key = decode<ShareGroupMemberMetadataKey>(frame.message, 0);  // the three that name a member are alike
    return key ? std::string(key->member_id) : std::string();
  };
  switch (frame.type) {
    case ShareGroupMetadataKey::type: {
      const auto value = read<ShareGroupMetadataValue>(bytes);
      gone_ = !bytes;
      if (value) epoch_ = value->epoch, metadata_hash_ = value->metadata_hash;
      return;
    }
    case ShareGroupMemberMetadataKey::type: {
      const std::string member_id = member_key();
      if (!bytes) return void(members_.erase(member_id));
      const auto value = read<ShareGroupMemberMetadataValue>(bytes);
      if (!value) return;
      ShareMember& member = members_[member_id];
      member.id = member_id;
      member.client_id = value->client_id;
      member.client_host = value->client_host;
      member.rack_id = owned(value->rack_id);
      member.topics.clear();
      for (const auto topic : value->subscribed_topic_names) member.topics.emplace(topic);
      return;
    }
    case ShareGroupTargetAssignmentMetadataKey::type: {
      const auto value = read<ShareGroupTargetAssignmentMetadataValue>(bytes);
      target_epoch_ = value ? value->assignment_epoch : 0;
      return;
    }
    case ShareGroupTargetAssignmentMemberKey::type: {
      const std::string member_id = member_key();
      if (!bytes) return void(targets_.erase(member_id));
      if (const auto value = read<ShareGroupTargetAssignmentMemberValue>(bytes))
        targets_[member_id] = from_record(value->topic_partitions);
      return;
    }
    case ShareGroupCurrentMemberAssignmentKey::type: {
      const auto found = members_.find(member_key());
      if (found == members_.end()) return;
      const auto value = read<ShareGroupCurrentMemberAssignmentValue>(bytes);
      found->second.epoch = value ? value->member_epoch : -1;
      found->second.previous_epoch = value ? value->previous_member_epoch : -1;
      found->second.assigned = value ? from_record(value->assigned_partitions) : SharedPartitions{};
      return;
    }
    case ShareGroupStatePartitionMetadataKey::type: return replay_states(read<ShareGroupStatePartitionMetadataValue>(bytes));
    default: return;
  }
}

void ShareGroup::replay_states(const std::optional<ShareGroupStatePartitionMetadataValue>& value) {
  states_ = {};
  if (!value) return;
  states_.initializing = from_record(value->initializing_topics);
  states_.initialized = from_record(value->initialized_topics);
  for (const auto& topic : value->deleting_topics) states_.deleting.insert(topic.topic_id);
}

// ---- Records
// ---------------------------------------------------------------------------------------------------------------------

void write_share_epoch(Writes& writes, std::string_view group, int32_t epoch, int64_t metadata_hash) {
  ShareGroupMetadataKey key;
  key.group_id = group;
  ShareGroupMetadataValue value;
  value.epoch = epoch;
  value.metadata_hash = metadata_hash;
  writes.put(key, value, ShareGroupMetadataValue::stable);
}

template <class Key>
Key member_key(std::string_view group, std::string_view member) {
  Key key;
  key.group_id = group;
  key.member_id = member;
  return key;
}

void write_share_member(Writes& writes, std::string_view group, const ShareMember& member) {
  ShareGroupMemberMetadataValue value;
  value.rack_id = member.rack_id ? std::optional<std::string_view>(*member.rack_id) : std::nullopt;
  value.client_id = member.client_id;
  value.client_host = member.client_host;
  value.subscribed_topic_names.assign(member.topics.begin(), member.topics.end());
  writes.put(member_key<ShareGroupMemberMetadataKey>(group, member.id), value, ShareGroupMemberMetadataValue::stable);
}

void write_share_target(Writes& writes, std::string_view group, std::string_view member, const SharedPartitions& target) {
  ShareGroupTargetAssignmentMemberValue value;
  to_record(target, value.topic_partitions);
  writes.put(member_key<ShareGroupTargetAssignmentMemberKey>(group, member), value,
             ShareGroupTargetAssignmentMemberValue::stable);
}

void write_share_target_epoch(Writes& writes, std::string_view group, int32_t epoch) {
  ShareGroupTargetAssignmentMetadataKey key;
  key.group_id = group;
  ShareGroupTargetAssignmentMetadataValue value;
  value.assignment_epoch = epoch;
  writes.put(key, value, ShareGroupTargetAssignmentMetadataValue::stable);
}

void write_share_current(Writes& writes, std::string_view group, const ShareMember& member) {
  ShareGroupCurrentMemberAssignmentValue value;
  value.member_epoch = member.epoch;
  value.previous_member_epoch = member.previous_epoch;
  to_record(member.assigned, value.assigned_partitions);
  writes.put(member_key<ShareGroupCurrentMemberAssignmentKey>(group, member.id), value,
             ShareGroupCurrentMemberAssignmentValue::stable);
}

void write_share_states(Writes& writes, std::string_view group, const cluster::Image& image, const ShareStates& states) {
  ShareGroupStatePartitionMetadataKey key;
  key.group_id = group;
  ShareGroupStatePartitionMetadataValue value;
  to_record(states.initializing, value.initializing_topics);
  to_record(states.initialized, value.initialized_topics);
  for (const Uuid& topic : states.deleting) value.deleting_topics.emplace_back().topic_id = topic;
  const auto name = [&](auto& topics) {
    for (auto& topic : topics)
      if (const auto* known = image.topic(topic.topic_id)) topic.topic_name = known->name;
  };
  name(value.initializing_topics);
  name(value.initialized_topics);
  name(value.deleting_topics);
  writes.put(key, value, ShareGroupStatePartitionMetadataValue::stable);
}

void remove_share_member(Writes& writes, std::string_view group, std::string_view member) {
  writes.remove(member_key<ShareGroupCurrentMemberAssignmentKey>(group, member));
  writes.remove(member_key<ShareGroupTargetAssignmentMemberKey>(group, member));
  writes.remove(member_key<ShareGroupMemberMetadataKey>(group, member));
}

void ShareGroup::remove(Writes& writes) const {
  for (const auto& [member, state] : members_) remove_share_member(writes, id, member);
  ShareGroupTargetAssignmentMetadataKey target;
  target.group_id = id;
  writes.remove(target);
  ShareGroupStatePartitionMetadataKey partitions;
  partitions.group_id = id;
  writes.remove(partitions);
  ShareGroupMetadataKey group;
  group.group_id = id;
  writes.remove(group);
}

}  // namespace kq::group
