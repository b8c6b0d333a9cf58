#include "libkq/client/share_member.hpp"

namespace kq::client {
namespace {

constexpr int32_t leaving_epoch = -1;

}  // namespace

ShareMember::ShareMember(GroupOptions options, std::string member_id, uint64_t seed)
    : options_(std::move(options)), member_id_(std::move(member_id)), random_(seed), interval_(options_.heartbeat_interval) {}

// ---- step ---------------------------------------------------------------------------------------------------------------------

std::span<const GroupMember::Action> ShareMember::step(Instant now, const Event& event) {
  now_ = now;
  actions_.clear();
  std::visit([this](const auto& what) { on(what); }, event);
  return actions_;
}

std::optional<Instant> ShareMember::deadline() const { return state_ == State::member && !asked_ ? next_beat_ : std::nullopt; }

void ShareMember::on(const Tick&) {
  if (state_ != State::member || asked_ || !next_beat_ || *next_beat_ > now_) return;
  if (target_) reconcile();  // a topic's name may still be missing
  beat();
}

void ShareMember::beat() {
  if (asked_) {
    hurry_ = true;
    return;
  }
  hurry_ = false;
  next_beat_.reset();
  asked_ = true;
  ++serial_;
  const Duration patience = state_ == State::leaving ? options_.request_timeout : options_.session_timeout;
  actions_.push_back(Ask{Api::share_heartbeat, serial_, patience});
}

bool ShareMember::fill(uint64_t serial, ShareGroupHeartbeatRequest& request) {
  if (serial != serial_ || !asked_) return false;
  request.group_id = options_.group_id;
  request.member_id = member_id_;
  if (state_ == State::leaving) {
    request.member_epoch = leaving_epoch;
    return true;
  }
  request.member_epoch = epoch_;
  if (epoch_ == 0 && !options_.rack.empty()) request.rack_id = options_.rack;
  if (epoch_ == 0 || tell_subscription_) request.subscribed_topic_names.emplace(topics_.begin(), topics_.end());
  tell_subscription_ = false;
  return true;
}

// ---- the application's side ---------------------------------------------------------------------------------------------------

void ShareMember::on(const Subscribed& event) {
  if (closing_) return;
  topics_ = event.topics;
  std::ranges::sort(topics_);
  topics_.erase(std::unique(topics_.begin(), topics_.end()), topics_.end());
  tell_subscription_ = true;
  if (topics_.empty()) {
    lose_everything();
    if (state_ == State::member) begin_leaving();
  } else if (state_ == State::out && !overdue_) {
    join();
  } else if (state_ == State::member && epoch_ > 0) {
    beat();
  }
}

void ShareMember::on(const Overdue&) {
  if (state_ != State::member || closing_) return;
  overdue_ = true;
  lose_everything();
  begin_leaving();
}

void ShareMember::on(const Polled&) {
  if (!std::exchange(overdue_, false) || closing_) return;
  if (state_ == State::out && !topics_.empty()) join();
}

void ShareMember::on(const Leave&) {
  closing_ = true;
  owned_.clear();
  if (state_ == State::out) return left();
  if (state_ != State::leaving) begin_leaving();
}

// ---- joining and leaving ------------------------------------------------------------------------------------------------------

void ShareMember::join() {
  state_ = State::member;
  epoch_ = 0;
  target_.reset();
  asked_ = false;  // the answer to what is under way is about another life
  beat();
}

void ShareMember::begin_leaving() {
  state_ = State::leaving;
  asked_ = false;
  beat();
}

void ShareMember::left() {
  state_ = State::out;
  epoch_ = 0;
  asked_ = false;
  ++serial_;
  next_beat_.reset();
  if (closing_)
    actions_.push_back(Left{});
  else if (!overdue_ && !topics_.empty())
    join();
}

void ShareMember::lose_everything() {
  target_.reset();
  if (const Parts gone = std::exchange(owned_, {}); !gone.empty()) actions_.push_back(Lost{by_name(gone)});
}

// ---- answers ------------------------------------------------------------------------------------------------------------------

void ShareMember::on(const Failed& event) {
  if (event.serial != serial_ || !asked_) return;
  asked_ = false;
  if (state_ == State::leaving) return left();
  if (event.error.verdict() != Verdict::retry) {
    const auto code = static_cast<Code>(event.error.code());
    if (told_ != code) actions_.push_back(Trouble{event.error});
    told_ = code;
  }
  tell_subscription_ = true;  // the coordinator may not have heard the last one
  beat_later(options_.backoff.after(++failures_, random_));
}

void ShareMember::refused(Code code, std::string_view said) {
  std::string text =
      "group " + options_.group_id + ": ShareGroupHeartbeat was answered with " + name_of(code) + ", " + meaning_of(code);
  if (!said.empty()) text += " (" + std::string(said) + ")";
  if (told_ != code) actions_.push_back(Trouble{Error(static_cast<int32_t>(code), text, Verdict::refused)});
  told_ = code;
}

void ShareMember::on(const Answered& event) {
  if (event.serial != serial_ || !asked_) return;
  const auto* const* heartbeat = std::get_if<const ShareGroupHeartbeatResponse*>(&event.response);
  if (!heartbeat) return;
  const ShareGroupHeartbeatResponse& response = **heartbeat;
  asked_ = false;
  if (state_ == State::leaving) return left();
  switch (response.error_code) {
    case Code::none: break;
    case Code::unknown_member_id:
    case Code::fenced_member_epoch: lose_everything(); return join();
    default:
      if (remedy_of(response.error_code) == Remedy::none) refused(response.error_code, response.error_message.value_or(""));
      tell_subscription_ = true;
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

void ShareMember::take_target(const ShareGroupHeartbeatResponse& response) {
  if (!response.assignment) return;
  target_.emplace();
  for (const auto& topic : response.assignment->topic_partitions)
    for (const int32_t partition : topic.partitions) target_->insert({topic.topic_id, partition});
}

void ShareMember::on(const TopicNames& event) {
  resolving_ = false;
  for (const auto& [id, name] : event.names) names_[id] = name;
  if (!event.names.empty()) reconcile();
}

void ShareMember::reconcile() {
  if (!target_ || state_ != State::member) return;
  std::set<Uuid> nameless;
  for (const auto& [id, partition] : *target_)
    if (!names_.contains(id)) nameless.insert(id);
  if (!nameless.empty()) {
    if (!std::exchange(resolving_, true)) actions_.push_back(Resolve{{nameless.begin(), nameless.end()}});
    return;
  }
  const Parts target = *std::exchange(target_, std::nullopt);
  Parts added, gone;
  std::ranges::set_difference(target, owned_, std::inserter(added, added.end()));
  std::ranges::set_difference(owned_, target, std::inserter(gone, gone.end()));
  owned_ = target;
  if (!gone.empty()) actions_.push_back(Lost{by_name(gone)});
  if (!added.empty()) actions_.push_back(Assigned{by_name(added)});
}

Partitions ShareMember::by_name(const Parts& parts) const {
  Partitions partitions;
  for (const auto& [id, partition] : parts) partitions.push_back({names_.at(id), partition});
  std::ranges::sort(partitions);
  return partitions;
}

}  // namespace kq::client
