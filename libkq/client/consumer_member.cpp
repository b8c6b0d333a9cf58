#include "libkq/client/consumer_member.hpp"

namespace kq::client {
namespace {

constexpr int32_t leaving_epoch = -1;
constexpr int32_t away_epoch = -2;                   // of a static member that may come back

}  // namespace

ConsumerMember::ConsumerMember(GroupOptions options, std::string member_id, uint64_t seed)
    : options_(std::move(options)), member_id_(std::move(member_id)), random_(seed), interval_(options_.heartbeat_interval) {}

// ---- step ---------------------------------------------------------------------------------------------------------------------

std::span<const GroupMember::Action> ConsumerMember::step(Instant now, const Event& event) {
  now_ = now;
  actions_.clear();
  std::visit([this](const auto& what) { on(what); }, event);
  return actions_;
}

std::optional<Instant> ConsumerMember::deadline() const {
  std::optional<Instant> first = state_ == State::member && !asked_ ? next_beat_ : std::nullopt;
  if (release_by_ && (!first || *release_by_ < *first)) first = release_by_;
  return first;
}

void ConsumerMember::on(const Tick&) {
  if (release_by_ && *release_by_ <= now_) {
    // The coordinator has given up on this member by now, and others may read the partitions.
    lose_everything();
    if (leave_after_release_) return begin_leaving();
    return join();
  }
  if (state_ == State::member && !asked_ && next_beat_ && *next_beat_ <= now_) {
    if (target_) reconcile();                        // a topic's name may still be missing
    beat();
  }
}

void ConsumerMember::beat() {
  if (asked_) {
    hurry_ = true;
    return;
  }
  hurry_ = false;
  next_beat_.reset();
  asked_ = true;
  ++serial_;
  actions_.push_back(Ask{Api::consumer_heartbeat, serial_, state_ == State::leaving ? options_.request_timeout : options_.session_timeout});
}

bool ConsumerMember::fill(uint64_t serial, ConsumerGroupHeartbeatRequest& request) {
  if (serial != serial_ || !asked_) return false;
  request.group_id = options_.group_id;
  request.member_id = member_id_;
  if (options_.instance_id) request.instance_id = *options_.instance_id;
  if (state_ == State::leaving) {
    request.member_epoch = options_.instance_id && !overdue_ ? away_epoch : leaving_epoch;
    return true;
  }
  request.member_epoch = epoch_;
  if (full()) {
    if (!options_.rack.empty()) request.rack_id = options_.rack;
    request.rebalance_timeout_ms = static_cast<int32_t>(to_ms(options_.rebalance_timeout));
    if (!options_.remote_assignor.empty()) request.server_assignor = options_.remote_assignor;
  }
  if (full() || tell_subscription_) {
    request.subscribed_topic_names.emplace(topics_.begin(), topics_.end());
    if (!pattern_.empty() || pattern_told_) request.subscribed_topic_regex = pattern_;
    pattern_told_ = !pattern_.empty();
  }
  Parts held = owned_;                               // what is not released yet counts
  held.insert(releasing_.begin(), releasing_.end());
  if (full() || (releasing_.empty() && told_owned_ != held)) {
    request.topic_partitions.emplace();
    for (const auto& [topic, partition] : held) {
      if (request.topic_partitions->empty() || request.topic_partitions->back().topic_id != topic)
        request.topic_partitions->emplace_back().topic_id = topic;
      request.topic_partitions->back().partitions.push_back(partition);
    }
    told_owned_ = std::move(held);
  }
  tell_subscription_ = tell_all_ = false;
  return true;
}

// ---- the application's side ---------------------------------------------------------------------------------------------------

void ConsumerMember::on(const Subscribed& event) {
  if (fatal_ || closing_) return;
  topics_ = event.topics;
  std::ranges::sort(topics_);
  topics_.erase(std::unique(topics_.begin(), topics_.end()), topics_.end());
  pattern_ = event.pattern;
  tell_subscription_ = true;
  if (!subscribed()) {
    if (state_ != State::member) return;
    target_.reset();
    leave_after_release_ = true;
    if (releasing_.empty()) give_up(owned_);
    return;
  }
  leave_after_release_ = false;
  if (state_ == State::out && !overdue_) join();
  else if (state_ == State::member && epoch_ > 0) beat();
}

void ConsumerMember::on(const Released&) {
  if (!release_by_) return;
  release_by_.reset();
  releasing_.clear();
  if (leave_after_release_) return owned_.empty() ? begin_leaving() : give_up(owned_);
  beat();
}

void ConsumerMember::on(const Overdue&) {
  if (state_ != State::member || closing_ || fatal_) return;
  overdue_ = true;
  lose_everything();
  begin_leaving();
}

void ConsumerMember::on(const Polled&) {
  if (!std::exchange(overdue_, false) || closing_) return;
  if (state_ == State::out && subscribed()) join();
}

void ConsumerMember::on(const Leave&) {
  closing_ = true;
  owned_.clear();
  releasing_.clear();
  release_by_.reset();
  if (state_ == State::out) return left();
  if (state_ != State::leaving) begin_leaving();
}

// ---- joining and leaving ------------------------------------------------------------------------------------------------------

void ConsumerMember::join() {
  state_ = State::member;
  epoch_ = 0;
  target_.reset();
  told_owned_.reset();
  asked_ = false;                                    // the answer to what is under way is about another life
  beat();
}

void ConsumerMember::begin_leaving() {
  leave_after_release_ = false;
  state_ = State::leaving;
  asked_ = false;
  beat();
}

void ConsumerMember::left() {
  state_ = State::out;
  epoch_ = 0;
  asked_ = false;
  ++serial_;
  next_beat_.reset();
  if (closing_) actions_.push_back(Left{});
  else if (!overdue_ && !fatal_ && subscribed()) join();
}

void ConsumerMember::lose_everything() {
  Parts gone = std::exchange(owned_, {});
  gone.merge(releasing_);
  releasing_.clear();
  release_by_.reset();
  target_.reset();
  if (!gone.empty()) actions_.push_back(Lost{by_name(gone)});
}

// ---- answers ------------------------------------------------------------------------------------------------------------------

void ConsumerMember::on(const Failed& event) {
  if (event.serial != serial_ || !asked_) return;
  asked_ = false;
  if (state_ == State::leaving) return left();
  if (event.error.verdict() != Verdict::retry) {
    const auto code = static_cast<Code>(event.error.code());
    if (told_ != code) actions_.push_back(Trouble{event.error});
    told_ = code;
  }
  tell_all_ = true;                                  // the coordinator may not have heard the last one
  beat_later(options_.backoff.after(++failures_, random_));
}

void ConsumerMember::refused(Code code, std::string_view said) {
  const bool for_good = code == Code::fenced_instance_id || code == Code::unreleased_instance_id;
  std::string text = "group " + options_.group_id + ": ConsumerGroupHeartbeat was answered with " + name_of(code) + ", " + meaning_of(code);
  if (!said.empty()) text += " (" + std::string(said) + ")";
  if (told_ != code) actions_.push_back(Trouble{Error(static_cast<int32_t>(code), text, for_good ? Verdict::fatal : Verdict::refused)});
  told_ = code;
  if (!for_good) return;
  lose_everything();
  fatal_ = true;
  state_ = State::out;
  epoch_ = 0;
}

void ConsumerMember::on(const Answered& event) {
  if (event.serial != serial_ || !asked_) return;
  const auto* const* heartbeat = std::get_if<const ConsumerGroupHeartbeatResponse*>(&event.response);
  if (!heartbeat) return;
  const ConsumerGroupHeartbeatResponse& response = **heartbeat;
  asked_ = false;
  if (state_ == State::leaving) return left();
  // The group is one of the classic protocol by now, or another one: either way without this member.
  const bool gone = response.error_code == Code::group_id_not_found && epoch_ > 0;
  switch (gone ? Code::unknown_member_id : response.error_code) {
    case Code::none: break;
    case Code::unknown_member_id:
    case Code::fenced_member_epoch:
      lose_everything();
      return leave_after_release_ ? begin_leaving() : join();
    default:
      if (remedy_of(response.error_code) == Remedy::none) refused(response.error_code, response.error_message.value_or(""));
      tell_all_ = true;
      return beat_later(options_.backoff.after(++failures_, random_));
  }
  failures_ = 0;
  told_.reset();
  epoch_ = response.member_epoch;
  interval_ = std::chrono::milliseconds(std::max(1, response.heartbeat_interval_ms));
  beat_later(interval_);
  take_target(response);
  reconcile();
  if (hurry_ || tell_subscription_) beat();
}

void ConsumerMember::take_target(const ConsumerGroupHeartbeatResponse& response) {
  if (!response.assignment) return;
  target_.emplace();
  for (const auto& topic : response.assignment->topic_partitions)
    for (const int32_t partition : topic.partitions) target_->insert({topic.topic_id, partition});
}

// ---- reconciling --------------------------------------------------------------------------------------------------------------

void ConsumerMember::on(const TopicNames& event) {
  resolving_ = false;
  for (const auto& [id, name] : event.names) names_[id] = name;
  if (!event.names.empty()) reconcile();
}

// One change at a time: a newer target waits until what the last one took away was released.
void ConsumerMember::reconcile() {
  if (!target_ || release_by_ || state_ != State::member || leave_after_release_) return;
  std::set<Uuid> nameless;
  for (const auto& [id, partition] : *target_)
    if (!names_.contains(id)) nameless.insert(id);
  if (!nameless.empty()) {
    if (!std::exchange(resolving_, true)) actions_.push_back(Resolve{{nameless.begin(), nameless.end()}});
    return;
  }
  const Parts target = *std::exchange(target_, std::nullopt);
  Parts added, going;
  std::ranges::set_difference(target, owned_, std::inserter(added, added.end()));
  std::ranges::set_difference(owned_, target, std::inserter(going, going.end()));
  owned_.insert(added.begin(), added.end());
  if (!going.empty()) give_up(std::move(going));
  if (!added.empty()) actions_.push_back(Assigned{by_name(added)});
  if (!release_by_) beat();                          // says that this is what is owned now
}

void ConsumerMember::give_up(Parts going) {
  if (going.empty()) return leave_after_release_ ? begin_leaving() : void();
  for (const Part& part : going) owned_.erase(part);
  release_by_ = now_ + options_.rebalance_timeout;
  actions_.push_back(Revoke{by_name(going)});
  releasing_ = std::move(going);
}

Partitions ConsumerMember::by_name(const Parts& parts) const {
  Partitions partitions;
  for (const auto& [id, partition] : parts) partitions.push_back({names_.at(id), partition});
  std::ranges::sort(partitions);
  return partitions;
}

}  // namespace kq::client
