#include "libkq/client/membership.hpp"

namespace kq::client {

Membership::Membership(std::shared_ptr<Coordinator> coordinator, std::unique_ptr<GroupMember> member, GroupListener& listener)
    : coordinator_(std::move(coordinator)), cluster_(coordinator_->cluster()), member_(std::move(member)), listener_(listener) {}

Membership::~Membership() = default;

void Membership::start() {
  timer_.emplace(cluster_->loop(), [this] { step(GroupMember::Tick{}); });
  cluster_->observe(*this);
}

void Membership::close() {
  closed_ = true;
  ++subscription_;
  cluster_->forget(*this);
  timer_.reset();
  left_told_.notify_all();
}

// ---- subscriptions ------------------------------------------------------------------------------------------------------------

void Membership::subscribe(std::vector<std::string> topics) {
  ++subscription_;
  step(GroupMember::Subscribed{std::move(topics), {}});
}

void Membership::subscribe_pattern(std::string pattern, std::regex compiled, bool by_broker) {
  ++subscription_;
  if (by_broker) return step(GroupMember::Subscribed{{}, std::move(pattern)});
  pattern_ = std::move(compiled);
  matched_.clear();
  cluster_->loop().spawn(keep_matching(shared_from_this(), subscription_));
}

awaitable<void> Membership::keep_matching(std::shared_ptr<Membership> self, uint64_t subscription) {
  bool told = false;
  for (int failures = 0; self->subscription_ == subscription;) {
    auto topics = co_await self->matching_topics(Clock::now() + self->cluster_->options().request_timeout);
    if (self->subscription_ != subscription) co_return;
    const bool again = !topics && topics.error().verdict() == Verdict::retry;
    if (topics && (!told || *topics != self->matched_)) {
      told = true;
      self->matched_ = *topics;
      self->step(GroupMember::Subscribed{std::move(*topics), {}});
    }
    if (!topics && !again) self->listener_.group_trouble(topics.error());
    failures = again ? failures + 1 : 0;
    if (again)
      co_await self->cluster_->back_off(failures, Instant::max());
    else
      co_await self->cluster_->pause(self->cluster_->options().metadata_max_age);
    if (self->cluster_->closed()) co_return;
  }
}

awaitable<Result<std::vector<std::string>>> Membership::matching_topics(Instant deadline) {
  MetadataRequest request;
  request.allow_auto_topic_creation = false;
  request.topics.reset();
  auto reply = co_await cluster_->request(any_node, request, deadline);
  if (!reply) co_return std::move(reply.error());
  std::vector<std::string> topics;
  for (const auto& topic : reply->message.topics) {
    if (!topic.name || topic.is_internal || topic.error_code != Code::none) continue;
    if (std::regex_match(topic.name->begin(), topic.name->end(), pattern_)) topics.emplace_back(*topic.name);
  }
  std::ranges::sort(topics);
  co_return topics;
}

// ---- the machine --------------------------------------------------------------------------------------------------------------

void Membership::step(const GroupMember::Event& event) {
  if (closed_) return;
  former_ = member_->identity();
  const auto answered = member_->step(Clock::now(), event);
  const std::vector<GroupMember::Action> actions(answered.begin(), answered.end());
  if (const auto deadline = member_->deadline())
    timer_->arm(*deadline);
  else
    timer_->disarm();
  for (const GroupMember::Action& action : actions) act(action);
}

void Membership::act(const GroupMember::Action& action) {
  if (const auto* what = std::get_if<GroupMember::Ask>(&action)) ask(*what);
  if (const auto* what = std::get_if<GroupMember::Assigned>(&action)) listener_.group_assigned(what->partitions);
  if (const auto* what = std::get_if<GroupMember::Revoke>(&action)) listener_.group_revoked(what->partitions);
  if (const auto* what = std::get_if<GroupMember::Lost>(&action)) listener_.group_lost(what->partitions, former_);
  if (const auto* what = std::get_if<GroupMember::Watch>(&action)) watch(what->topics);
  if (const auto* what = std::get_if<GroupMember::Resolve>(&action))
    cluster_->loop().spawn(resolve(shared_from_this(), what->topics));
  if (const auto* what = std::get_if<GroupMember::Trouble>(&action)) listener_.group_trouble(what->error);
  if (std::holds_alternative<GroupMember::Left>(action)) {
    left_ = true;
    left_told_.notify_all();
  }
}

void Membership::ask(const GroupMember::Ask& what) {
  Loop& loop = cluster_->loop();
  switch (what.api) {
    case GroupMember::Api::join: return loop.spawn(ask<JoinGroupRequest>(shared_from_this(), what));
    case GroupMember::Api::sync: return loop.spawn(ask<SyncGroupRequest>(shared_from_this(), what));
    case GroupMember::Api::heartbeat: return loop.spawn(ask<HeartbeatRequest>(shared_from_this(), what));
    case GroupMember::Api::leave: return loop.spawn(ask<LeaveGroupRequest>(shared_from_this(), what));
    case GroupMember::Api::consumer_heartbeat: return loop.spawn(ask<ConsumerGroupHeartbeatRequest>(shared_from_this(), what));
    case GroupMember::Api::share_heartbeat: return loop.spawn(ask<ShareGroupHeartbeatRequest>(shared_from_this(), what));
  }
}

template <class Request>
awaitable<void> Membership::ask(std::shared_ptr<Membership> self, GroupMember::Ask what) {
  const Instant deadline = Clock::now() + what.timeout;
  auto node = co_await self->coordinator_->find(deadline);
  if (!node) co_return self->step(GroupMember::Failed{what.serial, std::move(node.error())});
  // A JoinGroup that waits for the other members would hold up the LeaveGroup behind it.
  const Channel channel = what.api == GroupMember::Api::leave && self->unanswered_ > 0 ? Channel::control : Channel::group;
  auto connection = co_await self->cluster_->connect(at_node(*node), channel, deadline);
  if (!connection) {
    self->coordinator_->lost(*node);
    co_return self->step(GroupMember::Failed{what.serial, std::move(connection.error())});
  }
  Request request;
  if (!self->member_->fill(what.serial, request)) co_return;
  const std::shared_ptr<Connection> held = *connection;
  ++self->unanswered_;
  auto reply = co_await held->request(request, deadline);
  --self->unanswered_;
  if (!reply) {
    if (cluster_detail::may_help(reply.error())) self->coordinator_->lost(*node);
    co_return self->step(GroupMember::Failed{what.serial, std::move(reply.error())});
  }
  if (Coordinator::moved(reply->message.error_code)) self->coordinator_->lost(*node);
  const GroupMember::Answered answered{what.serial, &reply->message};
  self->step(answered);
}

awaitable<void> Membership::leave(Instant deadline) {
  const auto self = shared_from_this();
  step(GroupMember::Leave{});
  while (!left_ && !closed_) {
    const bool in_time = co_await left_told_.wait_until(cluster_->loop(), deadline);
    if (!in_time) break;
  }
}

// ---- metadata -----------------------------------------------------------------------------------------------------------------

void Membership::watch(const std::vector<std::string>& topics) {
  std::set<std::string> before = std::exchange(watched_, {topics.begin(), topics.end()});
  for (const std::string& topic : watched_)
    if (before.erase(topic) == 0) cluster_->want_topic(topic);
  for (const std::string& topic : before) cluster_->unwant_topic(topic);
  tell_topics();
}

AssignorTopics Membership::known_topics() const {
  AssignorTopics known;
  for (const std::string& name : watched_) {
    const Topic* topic = cluster_->topic(name);
    if (!topic) continue;  // not answered yet
    AssignorTopic& entry = known[name];
    if (!topic->usable()) continue;
    entry.partitions = static_cast<int32_t>(topic->partitions.size());
    for (const Partition& partition : topic->partitions) {
      auto& racks = entry.racks.emplace_back();
      for (const int32_t replica : partition.replicas)
        if (const Node* node = cluster_->find_node(replica); node && !node->rack.empty()) racks.push_back(node->rack);
    }
  }
  return known;
}

void Membership::tell_topics() {
  if (watched_.empty()) return;
  const AssignorTopics known = known_topics();
  step(GroupMember::Topics{known});
}

awaitable<void> Membership::resolve(std::shared_ptr<Membership> self, std::vector<Uuid> topics) {
  MetadataRequest request;
  request.allow_auto_topic_creation = false;
  request.topics.emplace();
  for (const Uuid& id : topics) request.topics->emplace_back().topic_id = id;
  auto reply = co_await self->cluster_->request(any_node, request, Clock::now() + self->cluster_->options().request_timeout);
  std::map<Uuid, std::string> names;
  if (reply)
    for (const auto& topic : reply->message.topics)
      if (topic.name && topic.error_code == Code::none) names[topic.topic_id] = *topic.name;
  const GroupMember::TopicNames told{names};
  self->step(told);
}

}  // namespace kq::client
