#include "broker/group/classic_group.hpp"

#include <algorithm>

#include "libkq/protocol/messages/consumer_protocol.hpp"

namespace kq::group {
namespace {

constexpr int16_t group_metadata_version = 3;  // as 4.2 writes it

// The topics in a consumer's metadata; nothing: it is no consumer's.
std::optional<std::vector<std::string_view>> topics_of(std::string_view metadata) {
  const Bytes bytes = as_bytes(metadata);
  if (bytes.size() < sizeof(int16_t)) return std::nullopt;
  const int16_t version = std::min<int16_t>(load_be<int16_t>(bytes.data()), ConsumerProtocolSubscription::newest);
  const auto subscription = decode<ConsumerProtocolSubscription>(bytes.subspan(sizeof(int16_t)), version);
  if (!subscription) return std::nullopt;
  return subscription->topics;
}

int32_t ms(Duration duration) { return static_cast<int32_t>(to_ms(duration)); }

}  // namespace

JoinAnswer refused_join(Code code, std::string_view member_id) {
  JoinAnswer answer;
  answer.body.error_code = code;
  answer.body.protocol_name.reset();
  answer.body.member_id = answer.texts->keep(member_id);
  return answer;
}

SyncAnswer refused_sync(Code code) {
  SyncAnswer answer;
  answer.body.error_code = code;
  return answer;
}

const char* name_of(GroupType type) {
  switch (type) {
    case GroupType::classic: return "classic";
    case GroupType::consumer: return "consumer";
    case GroupType::share: return "share";
    case GroupType::streams: return "streams";
  }
  return "";
}

std::vector<ClassicProtocol> owned(std::span<const JoinGroupRequest::JoinGroupRequestProtocol> protocols) {
  std::vector<ClassicProtocol> all;
  for (const auto& protocol : protocols) all.push_back({std::string(protocol.name), std::string(as_text(protocol.metadata))});
  return all;
}

std::string_view ClassicMember::metadata(std::string_view protocol) const {
  const auto found = std::ranges::find(protocols, protocol, &ClassicProtocol::name);
  return found == protocols.end() ? std::string_view{} : std::string_view(found->metadata);
}

std::string_view ClassicGroup::state_name() const {
  switch (state_) {
    case ClassicState::empty: return "Empty";
    case ClassicState::preparing_rebalance: return "PreparingRebalance";
    case ClassicState::completing_rebalance: return "CompletingRebalance";
    case ClassicState::stable: return "Stable";
  }
  return "Dead";
}

void ClassicGroup::become(ClassicState state, int64_t now_ms) {
  previous_ = state_;
  state_ = state;
  state_ms_ = now_ms;
}

// ---- Rules of offsets
// ------------------------------------------------------------------------------------------------------------

bool ClassicGroup::subscribed_to(std::string_view topic) const {
  return subscribed_ ? subscribed_->contains(topic) : protocol_type_ == consumer_protocol_type;
}

Code ClassicGroup::check_commit(const OffsetsCaller& caller) const {
  const bool is_empty = state_ == ClassicState::empty;
  if (caller.generation_or_epoch < 0 && is_empty) return Code::none;
  if (caller.generation_or_epoch >= 0 || !caller.member_id.empty() || caller.group_instance_id) {
    if (const Code code = check_member(caller.member_id, caller.group_instance_id); code != Code::none) return code;
    if (caller.generation_or_epoch != generation_) return Code::illegal_generation;
  } else if (!caller.transactional && !is_empty) {
    return Code::unknown_member_id;  // only members commit to a group that has
                                     // some
  }
  // Its generation is right, so it knows of the rebalance: it is to rejoin.
  if (!caller.transactional && state_ == ClassicState::completing_rebalance) return Code::rebalance_in_progress;
  return Code::none;
}

Code ClassicGroup::check_offset_delete() const {
  return state_ != ClassicState::empty && protocol_type_ != consumer_protocol_type ? Code::non_empty_group : Code::none;
}

std::optional<int64_t> ClassicGroup::expires_from(const Offset& offset) const {
  if (!protocol_type_) return offset.commit_ms;
  if (state_ == ClassicState::empty) return state_ms_ >= 0 ? state_ms_ : offset.commit_ms;
  if (state_ == ClassicState::stable && protocol_type_ == consumer_protocol_type && subscribed_) return offset.commit_ms;
  return std::nullopt;
}

void ClassicGroup::find_subscriptions() {
  subscribed_.reset();
  if (protocol_type_ != consumer_protocol_type) return;
  if (members_.empty()) return void(subscribed_.emplace());
  if (!protocol_) return;
  std::set<std::string, std::less<>> topics;
  for (const auto& [id, member] : members_) {
    const auto of_member = topics_of(member.metadata(*protocol_));
    if (!of_member) return;
    topics.insert(of_member->begin(), of_member->end());
  }
  subscribed_ = std::move(topics);
}

// ---- Members
// ---------------------------------------------------------------------------------------------------------------------

ClassicMember* ClassicGroup::member(std::string_view id) {
  const auto found = members_.find(id);
  return found == members_.end() ? nullptr : &found->second;
}

const std::string* ClassicGroup::static_member(std::string_view instance_id) const {
  const auto found = static_members_.find(instance_id);
  return found == static_members_.end() ? nullptr : &found->second;
}

Code ClassicGroup::check_member(std::string_view member_id, std::optional<std::string_view> instance_id) const {
  if (instance_id) {
    const std::string* known = static_member(*instance_id);
    if (!known) return Code::unknown_member_id;
    if (*known != member_id) return Code::fenced_instance_id;
  }
  return has(member_id) ? Code::none : Code::unknown_member_id;
}

bool ClassicGroup::supports(std::string_view type, std::span<const ClassicProtocol> protocols) const {
  if (state_ == ClassicState::empty) return !type.empty() && !protocols.empty();
  if (protocol_type_ != type) return false;
  return std::ranges::any_of(protocols, [&](const ClassicProtocol& protocol) {
    return std::ranges::all_of(members_, [&](const auto& entry) {
      return std::ranges::find(entry.second.protocols, protocol.name, &ClassicProtocol::name) != entry.second.protocols.end();
    });
  });
}

ClassicMember& ClassicGroup::add(ClassicMember member, std::string_view type) {
  if (members_.empty()) protocol_type_ = std::string(type);
  if (!leader_) leader_ = member.id;
  if (member.instance_id) static_members_[*member.instance_id] = member.id;
  pending.erase(member.id);
  std::string id = member.id;
  return members_[std::move(id)] = std::move(member);
}

void ClassicGroup::remove(std::string_view member_id) {
  if (const auto found = members_.find(member_id); found != members_.end()) {
    if (found->second.instance_id) static_members_.erase(*found->second.instance_id);
    members_.erase(found);
  }
  if (leads(member_id)) {
    leader_.reset();
    if (!members_.empty()) leader_ = members_.begin()->first;
  }
  if (const auto found = pending.find(member_id); found != pending.end()) pending.erase(found);
  if (const auto found = pending_sync.find(member_id); found != pending_sync.end()) pending_sync.erase(found);
}

void ClassicGroup::update(ClassicMember& member, std::vector<ClassicProtocol> protocols, Duration rebalance_timeout,
                          Duration session_timeout) {
  member.protocols = std::move(protocols);
  member.rebalance_timeout = rebalance_timeout;
  member.session_timeout = session_timeout;
}

ClassicMember& ClassicGroup::replace_static(const std::string& instance_id, const std::string& old_id,
                                            const std::string& new_id) {
  auto node = members_.extract(old_id);
  ClassicMember& member = node.mapped();
  if (auto resolve = std::exchange(member.joining, nullptr)) {
    JoinAnswer fenced;
    fenced.body.member_id = fenced.texts->keep(old_id);
    fenced.body.protocol_name.reset();
    fenced.body.error_code = Code::fenced_instance_id;
    resolve(std::move(fenced));
  }
  if (auto resolve = std::exchange(member.syncing, nullptr)) {
    SyncAnswer fenced;
    fenced.body.error_code = Code::fenced_instance_id;
    resolve(std::move(fenced));
  }
  member.id = new_id;
  node.key() = new_id;
  if (leads(old_id)) leader_ = new_id;
  static_members_[instance_id] = new_id;
  pending_sync.erase(old_id);
  return members_.insert(std::move(node)).position->second;
}

// ---- Generations
// -----------------------------------------------------------------------------------------------------------------

size_t ClassicGroup::waiting_to_join() const {
  return static_cast<size_t>(std::ranges::count_if(members_, [](const auto& entry) { return entry.second.joining != nullptr; }));
}

Duration ClassicGroup::rebalance_timeout() const {
  Duration longest{0};
  for (const auto& [id, member] : members_) longest = std::max(longest, member.rebalance_timeout);
  return longest;
}

bool ClassicGroup::elect_joined_leader() {
  if (!leader_) return false;
  if (const ClassicMember* current = member(*leader_); current && current->joining) return true;
  for (const auto& [id, member] : members_)
    if (member.joining) return leader_ = id, true;
  return false;
}

void ClassicGroup::next_generation(int64_t now_ms) {
  ++generation_;
  if (members_.empty()) {
    protocol_.reset();
    become(ClassicState::empty, now_ms);
  } else {
    protocol_ = select_protocol();
    become(ClassicState::completing_rebalance, now_ms);
  }
  find_subscriptions();
  pending_sync.clear();
}

void ClassicGroup::begin_at(int32_t generation, int64_t now_ms) {
  generation_ = generation;
  protocol_ = select_protocol();
  become(ClassicState::stable, now_ms);
  find_subscriptions();
}

// Each member votes for the first of its protocols that all support; of equals the one that was voted for first.
std::string ClassicGroup::select_protocol() const {
  std::map<std::string_view, size_t> supporters;
  for (const auto& [id, member] : members_) {
    std::set<std::string_view> of_member;
    for (const ClassicProtocol& protocol : member.protocols) of_member.insert(protocol.name);
    for (const std::string_view name : of_member) ++supporters[name];
  }
  std::vector<std::pair<std::string_view, size_t>> votes;
  for (const auto& [id, member] : members_)
    for (const ClassicProtocol& protocol : member.protocols) {
      if (supporters[protocol.name] != members_.size()) continue;
      const auto vote = std::ranges::find(votes, std::string_view(protocol.name), &std::pair<std::string_view, size_t>::first);
      if (vote == votes.end())
        votes.emplace_back(protocol.name, 1);
      else
        ++vote->second;
      break;
    }
  const auto most = std::ranges::max_element(votes, {}, &std::pair<std::string_view, size_t>::second);
  return most == votes.end() ? std::string{} : std::string(most->first);
}

// ---- Records
// ---------------------------------------------------------------------------------------------------------------------

void ClassicGroup::write_empty(Writes& writes) const {
  GroupMetadataKey key;
  key.group = id;
  GroupMetadataValue value;
  value.protocol.reset();
  value.leader.reset();
  value.current_state_timestamp = state_ms_;
  writes.put(key, value, group_metadata_version);
}

void ClassicGroup::write(Writes& writes, const AssignmentOf& assignment_of) const {
  GroupMetadataKey key;
  key.group = id;
  GroupMetadataValue value;
  value.protocol_type = protocol_type();
  value.generation = generation_;
  value.protocol = protocol_;
  value.leader = leader_;
  value.current_state_timestamp = state_ms_;
  for (const auto& [member_id, member] : members_) {
    auto& told = value.members.emplace_back();
    told.member_id = member_id;
    if (member.instance_id) told.group_instance_id = *member.instance_id;
    told.client_id = member.client_id;
    told.client_host = member.client_host;
    told.rebalance_timeout = ms(member.rebalance_timeout);
    told.session_timeout = ms(member.session_timeout);
    told.subscription = as_bytes(member.metadata(protocol_.value_or("")));
    told.assignment = as_bytes(assignment_of(member));
  }
  writes.put(key, value, group_metadata_version);
}

void ClassicGroup::remove(Writes& writes) const {
  GroupMetadataKey key;
  key.group = id;
  writes.remove(key);
}

void ClassicGroup::load(const GroupMetadataValue& value) {
  members_.clear();
  static_members_.clear();
  protocol_type_.reset();
  if (!value.protocol_type.empty()) protocol_type_ = std::string(value.protocol_type);
  generation_ = value.generation;
  protocol_.reset();
  if (value.protocol) protocol_ = std::string(*value.protocol);
  leader_.reset();
  if (value.leader) leader_ = std::string(*value.leader);
  state_ms_ = value.current_state_timestamp;
  state_ = value.members.empty() ? ClassicState::empty : ClassicState::stable;
  for (const auto& told : value.members) {
    ClassicMember& member = members_[std::string(told.member_id)];
    member.id = told.member_id;
    if (told.group_instance_id) static_members_[member.instance_id.emplace(*told.group_instance_id)] = member.id;
    member.client_id = told.client_id;
    member.client_host = told.client_host;
    member.session_timeout = std::chrono::milliseconds(told.session_timeout);
    member.rebalance_timeout =
        told.rebalance_timeout < 0 ? member.session_timeout : std::chrono::milliseconds(told.rebalance_timeout);
    member.protocols = {{protocol_.value_or(""), std::string(as_text(told.subscription))}};
    member.assignment = as_text(told.assignment);
  }
  find_subscriptions();
}

void ClassicGroup::written(const GroupMetadataValue& value) {
  for (const auto& told : value.members)
    if (ClassicMember* held = member(told.member_id)) held->assignment = as_text(told.assignment);
}

}  // namespace kq::group
