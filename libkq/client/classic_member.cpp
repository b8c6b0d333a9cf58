#include "libkq/client/classic_member.hpp"

#include <set>

namespace kq::client {

static constexpr const char* protocol_type = "consumer";

ClassicMember::ClassicMember(GroupOptions options, uint64_t seed)
    : options_(std::move(options)), cooperative_(std::ranges::all_of(options_.assignors, is_cooperative)), random_(seed) {}

// ---- step ---------------------------------------------------------------------------------------------------------------------

std::span<const GroupMember::Action> ClassicMember::step(Instant now, const Event& event) {
  now_ = now;
  actions_.clear();
  std::visit([this](const auto& what) { on(what); }, event);
  return actions_;
}

std::optional<Instant> ClassicMember::deadline() const {
  std::optional<Instant> first = state_ == State::waiting ? retry_at_ : std::nullopt;
  if (state_ == State::releasing && (!first || *release_by_ < *first)) first = release_by_;
  if (state_ == State::stable && complete_by_ && (!first || *complete_by_ < *first)) first = complete_by_;
  if (heartbeats() && !asked_ && next_heartbeat_ && (!first || *next_heartbeat_ < *first)) first = next_heartbeat_;
  return first;
}

void ClassicMember::on(const Tick&) {
  if (state_ == State::waiting && *retry_at_ <= now_) return join();
  if (state_ == State::releasing && *release_by_ <= now_) {
    // The coordinator has given up on this member by now, and others may read the partitions.
    lose_everything();
    forget_membership(true);
    return then_ == Then::leave ? begin_leaving() : join();
  }
  if (state_ == State::stable && complete_by_ && *complete_by_ <= now_) return rebalance();
  if (heartbeats() && !asked_ && next_heartbeat_ && *next_heartbeat_ <= now_) ask(Api::heartbeat, options_.session_timeout);
}

void ClassicMember::ask(Api api, Duration timeout) {
  ++serial_;
  asked_ = api;
  actions_.push_back(Ask{api, serial_, timeout});
}

void ClassicMember::on(const Answered& event) {
  if (event.serial != serial_ || !asked_) return;
  asked_.reset();
  std::visit([this](const auto* response) { answered(*response); }, event.response);
}

void ClassicMember::on(const Failed& event) {
  if (event.serial != serial_ || !asked_) return;
  const Api api = *std::exchange(asked_, std::nullopt);
  if (api == Api::leave) return left();
  if (event.error.verdict() != Verdict::retry) {
    if (told_ != static_cast<Code>(event.error.code())) actions_.push_back(Trouble{event.error});
    told_ = static_cast<Code>(event.error.code());
  }
  if (api == Api::heartbeat) {
    next_heartbeat_ = now_ + options_.backoff.after(++failures_, random_);
    return;
  }
  join_later();
}

// ---- the application's side ---------------------------------------------------------------------------------------------------

void ClassicMember::on(const Subscribed& event) {
  std::vector<std::string> topics = event.topics;
  std::ranges::sort(topics);
  topics.erase(std::unique(topics.begin(), topics.end()), topics.end());
  if (fatal_ || closing_) return;
  const bool same = topics == topics_;
  topics_ = std::move(topics);
  if (topics_.empty()) {
    watch();
    if (state_ == State::out) return;
    if (state_ == State::releasing)
      then_ = Then::leave;
    else
      give_up(std::exchange(owned_, {}), Then::leave);
    return;
  }
  watch();
  if (state_ == State::out) {
    if (!overdue_) join();
  } else if (state_ == State::releasing) {
    then_ = Then::join;
  } else if (state_ == State::stable && !same) {
    rebalance();
  } else if (!same) {
    again_ = true;
  }
}

void ClassicMember::on(const Released&) {
  if (state_ != State::releasing) return;
  releasing_.clear();
  release_by_.reset();
  if (then_ == Then::leave)
    begin_leaving();
  else
    join();
}

void ClassicMember::on(const Overdue&) {
  if (state_ == State::out || closing_ || fatal_) return;
  overdue_ = true;
  lose_everything();
  begin_leaving();
}

void ClassicMember::on(const Polled&) {
  if (!std::exchange(overdue_, false) || closing_) return;
  if (state_ == State::out && !topics_.empty()) join();
}

void ClassicMember::on(const Leave&) {
  closing_ = true;
  owned_.clear();
  releasing_.clear();
  if (state_ != State::leaving) begin_leaving();
}

// ---- giving up and joining ----------------------------------------------------------------------------------------------------

void ClassicMember::rebalance() {
  again_ = false;
  Partitions going;
  if (cooperative_) {
    for (const TopicPartition& each : owned_)
      if (!std::ranges::binary_search(topics_, each.topic)) going.push_back(each);
  } else {
    going = owned_;
  }
  owned_ = without(owned_, going);
  give_up(std::move(going), Then::join);
}

void ClassicMember::give_up(Partitions going, Then then) {
  then_ = then;
  if (going.empty()) return then == Then::leave ? begin_leaving() : join();
  state_ = State::releasing;
  release_by_ = now_ + options_.rebalance_timeout;
  releasing_ = std::move(going);
  actions_.push_back(Revoke{releasing_});
}

void ClassicMember::join() {
  again_ = false;
  members_.clear();
  withheld_ = false;
  complete_by_.reset();
  retry_at_.reset();
  state_ = State::joining;
  ask(Api::join, join_timeout());
}

void ClassicMember::join_later() {
  asked_.reset();
  ++serial_;
  state_ = State::waiting;
  retry_at_ = now_ + options_.backoff.after(++failures_, random_);
}

void ClassicMember::lose_everything() {
  Partitions gone = std::exchange(owned_, {});
  gone.insert(gone.end(), releasing_.begin(), releasing_.end());
  releasing_.clear();
  release_by_.reset();
  std::ranges::sort(gone);
  if (!gone.empty()) actions_.push_back(Lost{std::move(gone)});
}

void ClassicMember::forget_membership(bool member_id_too) {
  generation_ = -1;
  members_.clear();
  if (member_id_too) member_id_.clear();
}

void ClassicMember::begin_leaving() {
  state_ = State::leaving;
  // A static member keeps its place until its session ends: so it may be restarted without a rebalance.
  const bool tell = !member_id_.empty() && !options_.instance_id;
  if (tell)
    ask(Api::leave, options_.request_timeout);
  else
    left();
}

void ClassicMember::left() {
  asked_.reset();
  ++serial_;
  forget_membership(true);
  state_ = State::out;
  if (closing_)
    actions_.push_back(Left{});
  else if (!overdue_ && !fatal_ && !topics_.empty())
    join();
}

// ---- answers ------------------------------------------------------------------------------------------------------------------

void ClassicMember::refused(Code code, const char* api) {
  Error error(static_cast<int32_t>(code),
              "group " + options_.group_id + ": " + api + " was answered with " + name_of(code) + ", " + meaning_of(code));
  if (told_ != code) actions_.push_back(Trouble{std::move(error)});
  told_ = code;
}

void ClassicMember::fenced() {
  lose_everything();
  forget_membership(true);
  fatal_ = true;
  state_ = State::out;
  actions_.push_back(Trouble{Error(static_cast<int32_t>(Code::fenced_instance_id),
                                   "group " + options_.group_id + ": another consumer has joined as group.instance.id " +
                                       options_.instance_id.value_or("") + ": only one may be there at a time",
                                   Verdict::fatal)});
}

void ClassicMember::answered(const JoinGroupResponse& response) {
  switch (response.error_code) {
    case Code::none: break;
    case Code::member_id_required: member_id_ = response.member_id; return join();
    case Code::unknown_member_id:
    case Code::illegal_generation: {
      const bool had_one = !member_id_.empty();
      lose_everything();
      forget_membership(response.error_code == Code::unknown_member_id);
      return had_one ? join() : join_later();
    }
    case Code::fenced_instance_id: return fenced();
    default:
      if (remedy_of(response.error_code) == Remedy::none && response.error_code != Code::rebalance_in_progress)
        refused(response.error_code, "JoinGroup");
      return join_later();
  }
  const auto assignor = find_assignor(response.protocol_name.value_or(""));
  if (!assignor) {
    refused(Code::inconsistent_group_protocol, "JoinGroup");
    return join_later();
  }
  failures_ = 0;
  told_.reset();
  assignor_ = *assignor;
  member_id_ = response.member_id;
  generation_ = response.generation_id;
  assignments_.clear();
  if (response.leader == response.member_id && !response.members.empty()) return become_leader(response);
  state_ = State::syncing;
  ask(Api::sync, join_timeout());
}

void ClassicMember::become_leader(const JoinGroupResponse& response) {
  members_.clear();
  for (const auto& each : response.members) {
    // Whose subscription cannot be read gets nothing.
    AssignorMember member = decode_subscription(assignor_, each.metadata).value_or(AssignorMember{});
    member.id = each.member_id;
    if (each.group_instance_id) member.instance_id = *each.group_instance_id;
    members_.push_back(std::move(member));
  }
  watch();
  if (response.skip_assignment) {  // a static leader that came back: the old assignment stays
    topics_assigned_ = topics_known_;
    state_ = State::syncing;
    return ask(Api::sync, join_timeout());
  }
  state_ = State::computing;
  beat_later();
  compute();
}

void ClassicMember::compute() {
  std::set<std::string> wanted;
  for (const AssignorMember& member : members_) wanted.insert(member.topics.begin(), member.topics.end());
  AssignorTopics topics;
  for (const std::string& topic : wanted) {
    const auto known = topics_known_.find(topic);
    if (known == topics_known_.end()) return;  // Topics will tell
    if (known->second.partitions > 0) topics.insert(*known);
  }
  topics_assigned_ = topics_known_;
  size_t unassigned = 0;
  for (const auto& [name, topic] : topics) unassigned += static_cast<size_t>(topic.partitions);
  for (const auto& [member, partitions] : assign(assignor_, members_, topics)) {
    unassigned -= partitions.size();
    assignments_.emplace_back(member, encode_assignment(partitions));
  }
  withheld_ = unassigned > 0;
  state_ = State::syncing;
  ask(Api::sync, join_timeout());
}

void ClassicMember::on(const Topics& event) {
  topics_known_ = event.known;
  if (state_ == State::computing) return compute();
  if (members_.empty()) return;
  const auto counts_differ = [&](const std::string& topic) {
    const auto now = topics_known_.find(topic), then = topics_assigned_.find(topic);
    return now != topics_known_.end() && now->second.partitions != (then == topics_assigned_.end() ? 0 : then->second.partitions);
  };
  if (std::ranges::none_of(watched_, counts_differ)) return;
  if (state_ == State::stable)
    rebalance();
  else
    again_ = true;
}

void ClassicMember::watch() {
  std::set<std::string> topics(topics_.begin(), topics_.end());
  for (const AssignorMember& member : members_) topics.insert(member.topics.begin(), member.topics.end());
  std::vector<std::string> all(topics.begin(), topics.end());
  if (all == watched_) return;
  watched_ = std::move(all);
  actions_.push_back(Watch{watched_});
}

void ClassicMember::answered(const SyncGroupResponse& response) {
  switch (response.error_code) {
    case Code::none: break;
    case Code::rebalance_in_progress: return rebalance();
    case Code::unknown_member_id:
    case Code::illegal_generation:
      lose_everything();
      forget_membership(response.error_code == Code::unknown_member_id);
      return join();
    case Code::fenced_instance_id: return fenced();
    default:
      if (remedy_of(response.error_code) == Remedy::none) refused(response.error_code, "SyncGroup");
      return join_later();
  }
  auto assignment = decode_assignment(response.assignment);
  if (!assignment) {
    refused(Code::inconsistent_group_protocol, "SyncGroup");
    return join_later();
  }
  take(std::move(*assignment));
}

void ClassicMember::take(Partitions assignment) {
  state_ = State::stable;
  failures_ = 0;
  beat_later();
  Partitions added = without(assignment, owned_), going = without(owned_, assignment);
  last_ = {assignment, generation_};
  owned_ = std::move(assignment);
  // Who gives up what is withheld joins again, and so it finds its next owner.  A static member that is restarted in between does
  // not: it gets the assignment as it is, and nobody gets the partition.
  if (std::exchange(withheld_, false)) complete_by_ = now_ + options_.rebalance_timeout;
  if (members_.empty()) watch();
  if (!going.empty()) give_up(std::move(going), Then::join);
  if (!added.empty()) actions_.push_back(Assigned{std::move(added)});
  if (state_ == State::stable && again_) rebalance();
}

void ClassicMember::answered(const HeartbeatResponse& response) {
  beat_later();
  switch (response.error_code) {
    case Code::none: failures_ = 0; return;
    case Code::rebalance_in_progress:
      if (state_ == State::stable)
        rebalance();
      else if (state_ == State::computing)
        join();
      return;
    case Code::unknown_member_id:
    case Code::illegal_generation:
      lose_everything();
      forget_membership(response.error_code == Code::unknown_member_id);
      return state_ == State::releasing && then_ == Then::leave ? begin_leaving() : join();
    case Code::fenced_instance_id: return fenced();
    default:
      if (remedy_of(response.error_code) == Remedy::none) refused(response.error_code, "Heartbeat");
      next_heartbeat_ = now_ + options_.backoff.after(++failures_, random_);
  }
}

// ---- requests -----------------------------------------------------------------------------------------------------------------

bool ClassicMember::fill(uint64_t serial, JoinGroupRequest& request) {
  if (serial != serial_ || asked_ != Api::join) return false;
  request.group_id = options_.group_id;
  request.session_timeout_ms = static_cast<int32_t>(to_ms(options_.session_timeout));
  request.rebalance_timeout_ms = static_cast<int32_t>(to_ms(options_.rebalance_timeout));
  request.member_id = member_id_;
  if (options_.instance_id) request.group_instance_id = *options_.instance_id;
  request.protocol_type = protocol_type;
  AssignorMember self{.topics = topics_, .generation = generation_, .rack = options_.rack};
  if (cooperative_) self.owned = owned_;
  metadata_.clear();
  metadata_.reserve(options_.assignors.size());
  for (const Assignor assignor : options_.assignors) {
    metadata_.push_back(encode_subscription(assignor, self, last_));
    request.protocols.push_back({name_of(assignor), metadata_.back()});
  }
  return true;
}

bool ClassicMember::fill(uint64_t serial, SyncGroupRequest& request) {
  if (serial != serial_ || asked_ != Api::sync) return false;
  request.group_id = options_.group_id;
  request.generation_id = generation_;
  request.member_id = member_id_;
  if (options_.instance_id) request.group_instance_id = *options_.instance_id;
  request.protocol_type = protocol_type;
  request.protocol_name = name_of(assignor_);
  for (const auto& [member, bytes] : assignments_) request.assignments.push_back({member, bytes});
  return true;
}

bool ClassicMember::fill(uint64_t serial, HeartbeatRequest& request) {
  if (serial != serial_ || asked_ != Api::heartbeat) return false;
  request.group_id = options_.group_id;
  request.generation_id = generation_;
  request.member_id = member_id_;
  if (options_.instance_id) request.group_instance_id = *options_.instance_id;
  return true;
}

bool ClassicMember::fill(uint64_t serial, LeaveGroupRequest& request) {
  if (serial != serial_ || asked_ != Api::leave) return false;
  request.group_id = options_.group_id;
  auto& member = request.members.emplace_back();
  member.member_id = member_id_;
  return true;
}

}  // namespace kq::client
