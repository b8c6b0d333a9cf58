// The records of consumer groups, on their way into the state.
#include "broker/group/group_shard.hpp"

namespace kq::group {
namespace {

template <class Key, class Value>
struct Read {
  Key key;
  std::optional<Value> value;  // none: a tombstone
};

// Nothing: it cannot be read.
template <class Key, class Value>
std::optional<Read<Key, Value>> read(const coordinator::Record& record, Bytes key_bytes) {
  auto key = decode<Key>(key_bytes, 0);
  if (!key) return std::nullopt;
  Read<Key, Value> out{std::move(*key), std::nullopt};
  if (!record.value) return out;
  const auto frame = read_value_frame(*record.value, Key::type);
  if (frame) out.value = decode<Value>(frame->message, frame->version);
  if (!out.value) return std::nullopt;
  return out;
}

TopicPartitions partitions_of(const ConsumerGroupTargetAssignmentMemberValue& value) {
  TopicPartitions all;
  for (const auto& topic : value.topic_partitions) all[topic.topic_id].insert(topic.partitions.begin(), topic.partitions.end());
  return all;
}

// Every key of these records begins with the group's id.
std::optional<std::string_view> group_id_of(Bytes key) {
  const auto read = decode<ConsumerGroupMetadataKey>(key, 0);
  if (!read) return std::nullopt;
  return read->group_id;
}

}  // namespace

void ConsumerGroup::replay(const coordinator::Record& record, const RecordFrame& frame) {
  switch (frame.type) {
    case ConsumerGroupMetadataKey::type:
      if (const auto found = read<ConsumerGroupMetadataKey, ConsumerGroupMetadataValue>(record, frame.message);
          found && found->value)
        set_epoch(found->value->epoch, found->value->metadata_hash);
      return;
    case ConsumerGroupMemberMetadataKey::type:
      if (const auto found = read<ConsumerGroupMemberMetadataKey, ConsumerGroupMemberMetadataValue>(record, frame.message))
        found->value ? subscribe(found->key, *found->value) : unsubscribe(found->key.member_id);
      return;
    case ConsumerGroupTargetAssignmentMetadataKey::type:
      if (const auto found =
              read<ConsumerGroupTargetAssignmentMetadataKey, ConsumerGroupTargetAssignmentMetadataValue>(record, frame.message))
        set_target_epoch(found->value ? found->value->assignment_epoch : -1);
      return;
    case ConsumerGroupTargetAssignmentMemberKey::type:
      if (const auto found =
              read<ConsumerGroupTargetAssignmentMemberKey, ConsumerGroupTargetAssignmentMemberValue>(record, frame.message)) {
        if (found->value)
          set_target(found->key.member_id, partitions_of(*found->value));
        else
          set_target(found->key.member_id, std::nullopt);
      }
      return;
    case ConsumerGroupCurrentMemberAssignmentKey::type:
      if (const auto found =
              read<ConsumerGroupCurrentMemberAssignmentKey, ConsumerGroupCurrentMemberAssignmentValue>(record, frame.message))
        found->value ? set_current(found->key.member_id, *found->value) : drop_current(found->key.member_id);
      return;
    case ConsumerGroupRegularExpressionKey::type:
      if (const auto found =
              read<ConsumerGroupRegularExpressionKey, ConsumerGroupRegularExpressionValue>(record, frame.message)) {
        std::optional<ResolvedRegex> resolved;
        if (found->value)
          resolved = ResolvedRegex{
              {found->value->topics.begin(), found->value->topics.end()}, found->value->version, found->value->timestamp};
        set_regex(found->key.regular_expression, std::move(resolved));
      }
      return;
    default: return;
  }
}

// The first record of a group makes it; a classic one that only offsets had made gives way.  A tombstone makes none.
void GroupShard::replay_consumer(const coordinator::Record& record, const RecordFrame& frame) {
  const auto id = group_id_of(frame.message);
  if (!id) return;
  auto* group = groups_.find<ConsumerGroup>(*id);
  if (!record.value && (!group || frame.type == ConsumerGroupMetadataKey::type)) {
    if (group) groups_.erase(*id);
    return;
  }
  if (!group) group = static_cast<ConsumerGroup*>(&groups_.put(std::make_unique<ConsumerGroup>(std::string(*id))));
  group->replay(record, frame);
}

}  // namespace kq::group
