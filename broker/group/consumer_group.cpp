#include "broker/group/consumer_group.hpp"

#include <algorithm>

namespace kq::group {
namespace {

const TopicPartitions no_partitions;

template <class Records>
TopicPartitions from_records(const Records& records) {
  TopicPartitions all;
  for (const auto& topic : records) all[topic.topic_id].insert(topic.partitions.begin(), topic.partitions.end());
  return all;
}

template <class Records>
void to_records(const TopicPartitions& all, Records& records) {
  for (const auto& [id, partitions] : all) {
    auto& topic = records.emplace_back();
    topic.topic_id = id;
    topic.partitions.assign(partitions.begin(), partitions.end());
  }
}

std::optional<std::string> owned(const std::optional<std::string_view>& text) {
  if (!text) return std::nullopt;
  return std::string(*text);
}

std::optional<std::string_view> view(const std::optional<std::string>& text) {
  if (!text) return std::nullopt;
  return std::string_view(*text);
}

template <class Key>
Key key_of(std::string_view group, std::string_view member) {
  Key key;
  key.group_id = group;
  key.member_id = member;
  return key;
}

template <class Key>
Key key_of(std::string_view group) {
  Key key;
  key.group_id = group;
  return key;
}

}  // namespace

// ---- Asking
// ----------------------------------------------------------------------------------------------------------------------

std::string_view ConsumerGroup::state_name() const {
  if (members_.empty()) return "Empty";
  if (epoch_ > target_epoch_) return "Assigning";
  const bool all = std::ranges::all_of(members_, [this](const auto& entry) { return entry.second.reconciled_to(target_epoch_); });
  return all ? "Stable" : "Reconciling";
}

bool ConsumerGroup::subscribed_to(std::string_view topic) const {
  return std::ranges::any_of(members_, [&](const auto& entry) {
    const ResolvedRegex* regex = entry.second.regex ? resolved(*entry.second.regex) : nullptr;
    return entry.second.topics.contains(topic) || (regex && regex->topics.contains(topic));
  });
}

Code ConsumerGroup::check_commit(const OffsetsCaller& caller) const {
  if (caller.generation_or_epoch < 0 && members_.empty()) return Code::none;
  // TxnOffsetCommit need not say who asks.
  if (caller.transactional && caller.generation_or_epoch == -1 && caller.member_id.empty() && !caller.group_instance_id)
    return Code::none;
  const ConsumerMember* asking = member(caller.member_id);
  if (!asking) return Code::unknown_member_id;
  constexpr int16_t epochs_from = 9;
  if (!caller.transactional && !asking->classic && caller.version < epochs_from) return Code::unsupported_version;
  if (caller.generation_or_epoch == asking->epoch) return Code::none;
  return caller.transactional || asking->classic ? Code::illegal_generation : Code::stale_member_epoch;
}

Code ConsumerGroup::check_fetch(std::string_view member_id, int32_t epoch) const {
  if (member_id.empty() && epoch < 0) return Code::none;  // an administrator, or a client that does not say
  const ConsumerMember* asking = member(member_id);
  if (!asking) return Code::unknown_member_id;
  return epoch == asking->epoch ? Code::none : Code::stale_member_epoch;
}

bool ConsumerGroup::all_classic_but(const std::set<std::string, std::less<>>& ids) const {
  return std::ranges::all_of(members_, [&](const auto& entry) { return ids.contains(entry.first) || entry.second.classic; });
}

const ConsumerMember* ConsumerGroup::member(std::string_view id) const {
  const auto found = members_.find(id);
  return found == members_.end() ? nullptr : &found->second;
}

const ConsumerMember* ConsumerGroup::static_member(std::string_view instance_id) const {
  const auto found = static_members_.find(instance_id);
  return found == static_members_.end() ? nullptr : member(found->second);
}

const TopicPartitions& ConsumerGroup::target(std::string_view member_id) const {
  const auto found = targets_.find(member_id);
  return found == targets_.end() ? no_partitions : found->second;
}

const ResolvedRegex* ConsumerGroup::resolved(std::string_view regex) const {
  const auto found = regexes_.find(regex);
  return found == regexes_.end() ? nullptr : &found->second;
}

int32_t ConsumerGroup::holder_epoch(const Uuid& topic, int32_t partition) const {
  const auto found = holders_.find({topic, partition});
  return found == holders_.end() ? -1 : found->second.second;
}

std::set<std::string, std::less<>> ConsumerGroup::topics_of(const ConsumerMember& of) const {
  auto topics = of.topics;
  if (const ResolvedRegex* regex = of.regex ? resolved(*of.regex) : nullptr)
    topics.insert(regex->topics.begin(), regex->topics.end());
  return topics;
}

bool ConsumerGroup::same_state(const ConsumerGroup& other) const {
  return epoch_ == other.epoch_ && target_epoch_ == other.target_epoch_ && metadata_hash_ == other.metadata_hash_ &&
         members_ == other.members_ && static_members_ == other.static_members_ && targets_ == other.targets_ &&
         regexes_ == other.regexes_ && holders_ == other.holders_;
}

// ---- Replay
// ----------------------------------------------------------------------------------------------------------------------

ConsumerMember& ConsumerGroup::get_or_create(std::string_view id) {
  auto found = members_.find(id);
  if (found == members_.end()) {
    found = members_.try_emplace(std::string(id)).first;
    found->second.id = id;
  }
  return found->second;
}

// Of two that hold a partition for a moment the later one counts.
void ConsumerGroup::count(const ConsumerMember& of, bool add) {
  for (const TopicPartitions* held : {&of.assigned, &of.pending_revocation})
    for (const auto& [topic, partitions] : *held)
      for (const int32_t partition : partitions) {
        const std::pair place{topic, partition};
        const auto found = holders_.find(place);
        if (add)
          holders_[place] = {of.id, of.epoch};
        else if (found != holders_.end() && found->second.first == of.id)
          holders_.erase(found);
      }
}

void ConsumerGroup::set_target(std::string_view id, std::optional<TopicPartitions> target) {
  if (target)
    targets_.insert_or_assign(std::string(id), std::move(*target));
  else if (const auto found = targets_.find(id); found != targets_.end())
    targets_.erase(found);
}

void ConsumerGroup::subscribe(const ConsumerGroupMemberMetadataKey& key, const ConsumerGroupMemberMetadataValue& value) {
  ConsumerMember& of = get_or_create(key.member_id);
  if (of.instance_id && (!value.instance_id || *of.instance_id != *value.instance_id)) static_members_.erase(*of.instance_id);
  of.instance_id = owned(value.instance_id);
  if (of.instance_id) static_members_[*of.instance_id] = of.id;
  of.rack_id = owned(value.rack_id);
  of.client_id = value.client_id;
  of.client_host = value.client_host;
  of.topics = {value.subscribed_topic_names.begin(), value.subscribed_topic_names.end()};
  of.regex = owned(value.subscribed_topic_regex);
  if (of.regex && of.regex->empty()) of.regex.reset();
  of.rebalance_timeout = std::chrono::milliseconds(value.rebalance_timeout_ms);
  of.server_assignor = owned(value.server_assignor);
  of.classic.reset();
  if (!value.classic_member_metadata) return;
  of.classic.emplace().session_timeout = std::chrono::milliseconds(value.classic_member_metadata->session_timeout_ms);
  for (const auto& protocol : value.classic_member_metadata->supported_protocols)
    of.classic->protocols.push_back({std::string(protocol.name), std::string(as_text(protocol.metadata))});
}

void ConsumerGroup::unsubscribe(std::string_view id) {
  const auto found = members_.find(id);
  if (found == members_.end()) return;
  count(found->second, false);
  if (const auto& instance = found->second.instance_id) {
    const auto of_instance = static_members_.find(*instance);
    if (of_instance != static_members_.end() && of_instance->second == id) static_members_.erase(of_instance);
  }
  members_.erase(found);
}

void ConsumerGroup::set_current(std::string_view id, const ConsumerGroupCurrentMemberAssignmentValue& value) {
  ConsumerMember& of = get_or_create(id);
  count(of, false);
  of.epoch = value.member_epoch;
  of.previous_epoch = value.previous_member_epoch;
  of.state = MemberState{value.state};
  of.assigned = from_records(value.assigned_partitions);
  of.pending_revocation = from_records(value.partitions_pending_revocation);
  count(of, true);
}

void ConsumerGroup::drop_current(std::string_view id) {
  const auto found = members_.find(id);
  if (found == members_.end()) return;
  ConsumerMember& of = found->second;
  count(of, false);
  of.epoch = leaving_epoch;
  of.previous_epoch = leaving_epoch;
  of.state = MemberState::stable;
  of.assigned.clear();
  of.pending_revocation.clear();
}

void ConsumerGroup::set_regex(std::string_view regex, std::optional<ResolvedRegex> resolved) {
  if (resolved)
    regexes_.insert_or_assign(std::string(regex), std::move(*resolved));
  else if (const auto found = regexes_.find(regex); found != regexes_.end())
    regexes_.erase(found);
}

// ---- Records
// ---------------------------------------------------------------------------------------------------------------------

void write_group_epoch(Writes& writes, std::string_view group, int32_t epoch, int64_t metadata_hash) {
  ConsumerGroupMetadataValue value;
  value.epoch = epoch;
  value.metadata_hash = metadata_hash;
  writes.put(key_of<ConsumerGroupMetadataKey>(group), value, 0);
}

void write_target_epoch(Writes& writes, std::string_view group, int32_t epoch) {
  ConsumerGroupTargetAssignmentMetadataValue value;
  value.assignment_epoch = epoch;
  writes.put(key_of<ConsumerGroupTargetAssignmentMetadataKey>(group), value, 0);
}

void write_target(Writes& writes, std::string_view group, std::string_view member, const TopicPartitions& target) {
  ConsumerGroupTargetAssignmentMemberValue value;
  to_records(target, value.topic_partitions);
  writes.put(key_of<ConsumerGroupTargetAssignmentMemberKey>(group, member), value, 0);
}

void write_subscription(Writes& writes, std::string_view group, const ConsumerMember& member) {
  ConsumerGroupMemberMetadataValue value;
  value.instance_id = view(member.instance_id);
  value.rack_id = view(member.rack_id);
  value.client_id = member.client_id;
  value.client_host = member.client_host;
  value.subscribed_topic_names.assign(member.topics.begin(), member.topics.end());
  value.subscribed_topic_regex = view(member.regex);
  value.rebalance_timeout_ms = static_cast<int32_t>(to_ms(member.rebalance_timeout));
  value.server_assignor = view(member.server_assignor);
  value.classic_member_metadata.reset();
  if (member.classic) {
    auto& classic = value.classic_member_metadata.emplace();
    classic.session_timeout_ms = static_cast<int32_t>(to_ms(member.classic->session_timeout));
    for (const ClassicProtocol& protocol : member.classic->protocols) {
      auto& told = classic.supported_protocols.emplace_back();
      told.name = protocol.name;
      told.metadata = as_bytes(protocol.metadata);
    }
  }
  writes.put(key_of<ConsumerGroupMemberMetadataKey>(group, member.id), value, 0);
}

void write_current(Writes& writes, std::string_view group, const ConsumerMember& member) {
  ConsumerGroupCurrentMemberAssignmentValue value;
  value.member_epoch = member.epoch;
  value.previous_member_epoch = member.previous_epoch;
  value.state = static_cast<int8_t>(member.state);
  to_records(member.assigned, value.assigned_partitions);
  to_records(member.pending_revocation, value.partitions_pending_revocation);
  writes.put(key_of<ConsumerGroupCurrentMemberAssignmentKey>(group, member.id), value, 0);
}

void write_regex(Writes& writes, std::string_view group, std::string_view regex, const ResolvedRegex& resolved) {
  ConsumerGroupRegularExpressionKey key;
  key.group_id = group;
  key.regular_expression = regex;
  ConsumerGroupRegularExpressionValue value;
  value.topics.assign(resolved.topics.begin(), resolved.topics.end());
  value.version = resolved.version;
  value.timestamp = resolved.timestamp_ms;
  writes.put(key, value, 0);
}

void write_regex_removed(Writes& writes, std::string_view group, std::string_view regex) {
  ConsumerGroupRegularExpressionKey key;
  key.group_id = group;
  key.regular_expression = regex;
  writes.remove(key);
}

void write_member_removed(Writes& writes, std::string_view group, std::string_view member) {
  writes.remove(key_of<ConsumerGroupCurrentMemberAssignmentKey>(group, member));
  writes.remove(key_of<ConsumerGroupTargetAssignmentMemberKey>(group, member));
  writes.remove(key_of<ConsumerGroupMemberMetadataKey>(group, member));
}

void ConsumerGroup::remove(Writes& writes) const {
  for (const auto& [member_id, member] : members_) write_member_removed(writes, id, member_id);
  writes.remove(key_of<ConsumerGroupTargetAssignmentMetadataKey>(id));
  for (const auto& [regex, resolved] : regexes_) write_regex_removed(writes, id, regex);
  writes.remove(key_of<ConsumerGroupMetadataKey>(id));
}

}  // namespace kq::group
