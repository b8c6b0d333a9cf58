// The records of streams groups, on their way into the log and into the state.
#include "broker/group/streams_group.hpp"

namespace kq::group {
namespace {

std::optional<std::string> owned(const std::optional<std::string_view>& text) {
  return text ? std::optional<std::string>(*text) : std::nullopt;
}

std::optional<std::string_view> view(const std::optional<std::string>& text) {
  return text ? std::optional<std::string_view>(*text) : std::nullopt;
}

template <class Value>
std::optional<Value> read(const std::optional<Bytes>& bytes) {
  const auto frame = bytes ? read_value_frame(*bytes, Value::type) : std::nullopt;
  return frame ? decode<Value>(frame->message, frame->version) : std::nullopt;
}

Tasks tasks_from(const auto& records) {
  Tasks tasks;
  for (const auto& record : records)
    tasks[std::string(record.subtopology_id)].insert(record.partitions.begin(), record.partitions.end());
  return tasks;
}

// What was written before tasks had epochs has the member's.
EpochTasks epoch_tasks_from(const auto& records, int32_t member_epoch) {
  EpochTasks tasks;
  for (const auto& record : records) {
    const bool told = record.assignment_epochs && record.assignment_epochs->size() == record.partitions.size();
    auto& partitions = tasks[std::string(record.subtopology_id)];
    for (size_t i = 0; i < record.partitions.size(); ++i)
      partitions[record.partitions[i]] = told ? (*record.assignment_epochs)[i] : member_epoch;
  }
  return tasks;
}

void to_records(const Tasks& tasks, auto& records) {
  for (const auto& [subtopology, partitions] : tasks) {
    auto& record = records.emplace_back();
    record.subtopology_id = subtopology;
    record.partitions.assign(partitions.begin(), partitions.end());
  }
}

void to_records(const EpochTasks& tasks, auto& records) {
  for (const auto& [subtopology, partitions] : tasks) {
    auto& record = records.emplace_back();
    record.subtopology_id = subtopology;
    auto& epochs = record.assignment_epochs.emplace();
    for (const auto& [partition, epoch] : partitions) {
      record.partitions.push_back(partition);
      epochs.push_back(epoch);
    }
  }
}

template <class Key>
Key key_of(std::string_view group) {
  Key key;
  key.group_id = group;
  return key;
}

template <class Key>
Key key_of(std::string_view group, std::string_view member) {
  Key key;
  key.group_id = group;
  key.member_id = member;
  return key;
}

}  // namespace

// ---- Replay -------------------------------------------------------------------------------------------------------------------

bool StreamsGroup::is_of(uint32_t type) {
  constexpr uint32_t partition_metadata = 18;  // which no released Kafka writes
  return type >= StreamsGroupMetadataKey::type && type <= StreamsGroupTopologyKey::type && type != partition_metadata;
}

void StreamsGroup::replay(const RecordFrame& frame, const std::optional<Bytes>& bytes) {
  gone_ = false;
  if (frame.type == StreamsGroupMetadataKey::type) return replay_epoch(bytes);
  if (frame.type == StreamsGroupTopologyKey::type) return replay_topology(bytes);
  if (frame.type == StreamsGroupTargetAssignmentMetadataKey::type) {
    const auto value = read<StreamsGroupTargetAssignmentMetadataValue>(bytes);
    target_epoch_ = value ? value->assignment_epoch : 0;
    return;
  }
  const auto key = decode<StreamsGroupMemberMetadataKey>(frame.message, 0);  // the three that name a member are alike
  if (!key) return;
  switch (frame.type) {
    case StreamsGroupMemberMetadataKey::type: return replay_member(key->member_id, bytes);
    case StreamsGroupTargetAssignmentMemberKey::type: return replay_target(key->member_id, bytes);
    case StreamsGroupCurrentMemberAssignmentKey::type: return replay_current(key->member_id, bytes);
    default: return;
  }
}

void StreamsGroup::replay_epoch(const std::optional<Bytes>& bytes) {
  gone_ = !bytes;
  const auto value = read<StreamsGroupMetadataValue>(bytes);
  if (!value) return;
  epoch_ = {value->epoch, value->metadata_hash, value->validated_topology_epoch, {}};
  if (!value->last_assignment_configs) return;
  for (const auto& config : *value->last_assignment_configs) epoch_.assignment_configs[std::string(config.key)] = config.value;
}

void StreamsGroup::replay_topology(const std::optional<Bytes>& bytes) {
  const auto value = read<StreamsGroupTopologyValue>(bytes);
  configured_on_.reset();
  if (!bytes)
    topology_.reset();
  else if (value)
    topology_ = StreamsTopology::from(*value);
}

void StreamsGroup::replay_member(std::string_view member_id, const std::optional<Bytes>& bytes) {
  const auto found = members_.find(member_id);
  if (!bytes) {
    if (found == members_.end()) return;
    count(found->second, false);
    members_.erase(found);
    if (members_.empty()) shutdown_by.reset();
    return;
  }
  const auto value = read<StreamsGroupMemberMetadataValue>(bytes);
  if (!value) return;
  StreamsMember& of = members_[std::string(member_id)];
  count(of, false);
  of.id = member_id;
  of.instance_id = owned(value->instance_id);
  of.rack_id = owned(value->rack_id);
  of.client_id = value->client_id;
  of.client_host = value->client_host;
  of.rebalance_timeout = std::chrono::milliseconds(value->rebalance_timeout_ms);
  of.topology_epoch = value->topology_epoch;
  of.process_id = value->process_id;
  of.user_endpoint.reset();
  if (value->user_endpoint)
    of.user_endpoint = StreamsEndpoint{std::string(value->user_endpoint->host), value->user_endpoint->port};
  of.client_tags.clear();
  for (const auto& tag : value->client_tags) of.client_tags[std::string(tag.key)] = tag.value;
  count(of, true);
}

void StreamsGroup::replay_target(std::string_view member_id, const std::optional<Bytes>& bytes) {
  if (!bytes) {
    if (const auto found = targets_.find(member_id); found != targets_.end()) targets_.erase(found);
    return;
  }
  const auto value = read<StreamsGroupTargetAssignmentMemberValue>(bytes);
  if (!value) return;
  targets_[std::string(member_id)] = {tasks_from(value->active_tasks), tasks_from(value->standby_tasks),
                                      tasks_from(value->warmup_tasks)};
}

void StreamsGroup::replay_current(std::string_view member_id, const std::optional<Bytes>& bytes) {
  constexpr int32_t left = -1;
  const auto value = read<StreamsGroupCurrentMemberAssignmentValue>(bytes);
  auto found = members_.find(member_id);
  if (bytes && !value) return;
  if (found == members_.end()) {
    if (!bytes) return;
    found = members_.try_emplace(std::string(member_id)).first;
    found->second.id = member_id;
  }
  StreamsMember& of = found->second;
  count(of, false);
  of.epoch = value ? value->member_epoch : left;
  of.previous_epoch = value ? value->previous_member_epoch : left;
  of.state = value ? StreamsMemberState{value->state} : StreamsMemberState::stable;
  of.assigned = of.pending_revocation = {};
  if (!value) return;
  of.assigned = {epoch_tasks_from(value->active_tasks, value->member_epoch), tasks_from(value->standby_tasks),
                 tasks_from(value->warmup_tasks)};
  of.pending_revocation = {epoch_tasks_from(value->active_tasks_pending_revocation, value->member_epoch),
                           tasks_from(value->standby_tasks_pending_revocation),
                           tasks_from(value->warmup_tasks_pending_revocation)};
  count(of, true);
}

// ---- Records ------------------------------------------------------------------------------------------------------------------

void write_streams_epoch(Writes& writes, std::string_view group, const StreamsEpoch& epoch) {
  StreamsGroupMetadataValue value;
  value.epoch = epoch.epoch;
  value.metadata_hash = epoch.metadata_hash;
  value.validated_topology_epoch = epoch.validated_topology_epoch;
  for (const auto& [key, setting] : epoch.assignment_configs) {
    auto& config = value.last_assignment_configs->emplace_back();
    config.key = key;
    config.value = setting;
  }
  writes.put(key_of<StreamsGroupMetadataKey>(group), value, 0);
}

void write_streams_topology(Writes& writes, std::string_view group, const StreamsTopology& topology) {
  writes.put(key_of<StreamsGroupTopologyKey>(group), topology.to_record(), 0);
}

void write_streams_member(Writes& writes, std::string_view group, const StreamsMember& member) {
  StreamsGroupMemberMetadataValue value;
  value.instance_id = view(member.instance_id);
  value.rack_id = view(member.rack_id);
  value.client_id = member.client_id;
  value.client_host = member.client_host;
  value.rebalance_timeout_ms = static_cast<int32_t>(to_ms(member.rebalance_timeout));
  value.topology_epoch = member.topology_epoch;
  value.process_id = member.process_id;
  if (member.user_endpoint) {
    auto& endpoint = value.user_endpoint.emplace();
    endpoint.host = member.user_endpoint->host;
    endpoint.port = member.user_endpoint->port;
  }
  for (const auto& [key, tag] : member.client_tags) {
    auto& told = value.client_tags.emplace_back();
    told.key = key;
    told.value = tag;
  }
  writes.put(key_of<StreamsGroupMemberMetadataKey>(group, member.id), value, 0);
}

void write_streams_target(Writes& writes, std::string_view group, std::string_view member, const TaskSets& target) {
  StreamsGroupTargetAssignmentMemberValue value;
  to_records(target.active, value.active_tasks);
  to_records(target.standby, value.standby_tasks);
  to_records(target.warmup, value.warmup_tasks);
  writes.put(key_of<StreamsGroupTargetAssignmentMemberKey>(group, member), value, 0);
}

void write_streams_target_epoch(Writes& writes, std::string_view group, int32_t epoch) {
  StreamsGroupTargetAssignmentMetadataValue value;
  value.assignment_epoch = epoch;
  writes.put(key_of<StreamsGroupTargetAssignmentMetadataKey>(group), value, 0);
}

void write_streams_current(Writes& writes, std::string_view group, const StreamsMember& member) {
  StreamsGroupCurrentMemberAssignmentValue value;
  value.member_epoch = member.epoch;
  value.previous_member_epoch = member.previous_epoch;
  value.state = static_cast<int8_t>(member.state);
  to_records(member.assigned.active, value.active_tasks);
  to_records(member.assigned.standby, value.standby_tasks);
  to_records(member.assigned.warmup, value.warmup_tasks);
  to_records(member.pending_revocation.active, value.active_tasks_pending_revocation);
  to_records(member.pending_revocation.standby, value.standby_tasks_pending_revocation);
  to_records(member.pending_revocation.warmup, value.warmup_tasks_pending_revocation);
  writes.put(key_of<StreamsGroupCurrentMemberAssignmentKey>(group, member.id), value, 0);
}

void remove_streams_member(Writes& writes, std::string_view group, std::string_view member) {
  writes.remove(key_of<StreamsGroupCurrentMemberAssignmentKey>(group, member));
  writes.remove(key_of<StreamsGroupTargetAssignmentMemberKey>(group, member));
  writes.remove(key_of<StreamsGroupMemberMetadataKey>(group, member));
}

void StreamsGroup::remove(Writes& writes) const {
  for (const auto& [member_id, member] : members_) remove_streams_member(writes, id, member_id);
  writes.remove(key_of<StreamsGroupTargetAssignmentMetadataKey>(id));
  writes.remove(key_of<StreamsGroupTopologyKey>(id));
  writes.remove(key_of<StreamsGroupMetadataKey>(id));
}

}  // namespace kq::group
