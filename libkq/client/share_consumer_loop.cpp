// A share consumer on the loop: what the group and the cluster tell, requests and their answers, and what it tells of itself.
#include "libkq/client/share_consumer.hpp"

namespace kq::client {

// ---- what Membership and Cluster tell -----------------------------------------------------------------------------------------

void ShareConsumer::group_assigned(const Partitions& partitions) {
  {
    std::lock_guard lock(mutex_);
    if (closed_) return;
    fetcher_.add(partitions);
  }
  topics_changed();
}

void ShareConsumer::gone(const Partitions& partitions) {
  {
    std::lock_guard lock(mutex_);
    if (closed_) return;
    fetcher_.drop(partitions);
  }
  topics_changed();
}

void ShareConsumer::group_trouble(const Error& error) {
  cluster_->logger().warning("group", error.message());
  std::lock_guard lock(mutex_);
  if (closed_) return;
  trouble_ = error;
  after_change();
}

void ShareConsumer::topics_changed() {
  std::vector<std::string> now;
  {
    std::lock_guard lock(mutex_);
    if (closed_) return;
    now = fetcher_.topics();
  }
  std::set<std::string> before = std::exchange(topics_, {now.begin(), now.end()});
  for (const std::string& topic : topics_)
    if (before.erase(topic) == 0) cluster_->want_topic(topic);
  for (const std::string& topic : before) cluster_->unwant_topic(topic);
  look_up_leaders();
}

void ShareConsumer::metadata_changed() {
  {
    std::lock_guard lock(mutex_);
    if (std::exchange(in_trouble_, false)) trouble_.reset();
  }
  look_up_leaders();
}

void ShareConsumer::metadata_failed(const Error& error) {
  std::lock_guard lock(mutex_);
  if (closed_ || std::exchange(in_trouble_, true)) return;
  trouble_ = error;
  after_change();
}

void ShareConsumer::look_up_leaders() {
  std::vector<ShareFetcher::Leader> leaders;
  for (const std::string& name : topics_) {
    const Topic* topic = cluster_->topic(name);
    if (!topic || topic->error != Code::none) continue;
    for (size_t i = 0; i < topic->partitions.size(); ++i)
      leaders.push_back(
          {topic->name, static_cast<int32_t>(i), topic->partitions[i].leader, topic->partitions[i].leader_epoch, topic->id});
  }
  const ShareFetcher::Metadata metadata{leaders};
  step(metadata);
}

// ---- on the loop --------------------------------------------------------------------------------------------------------------

void ShareConsumer::tick() { step(ShareFetcher::Tick{}); }

void ShareConsumer::step(const ShareFetcher::Event& event) {
  std::vector<ShareFetcher::Wish> wishes;
  {
    std::lock_guard lock(mutex_);
    if (closed_) return;
    tick_posted_ = true;  // what changes in here needs no other turn
    const auto wished = fetcher_.step(Clock::now(), event);
    wishes.assign(wished.begin(), wished.end());
    if (auto refusal = fetcher_.take_refusal()) trouble_ = std::move(refusal);
    look_at_commits();
    take_failures();
    after_change();
    tick_posted_ = false;
  }
  for (const ShareFetcher::Wish& wish : wishes) {
    switch (wish.kind) {
      case ShareFetcher::Wish::Kind::metadata: cluster_->refresh(); break;
      case ShareFetcher::Wish::Kind::fetch: driver_->loop().spawn(fetch(shared_from_this(), wish.node)); break;
      case ShareFetcher::Wish::Kind::acknowledge:
        driver_->loop().spawn(acknowledge(shared_from_this(), wish.node, Channel::data));
        break;
      case ShareFetcher::Wish::Kind::end:
        driver_->loop().spawn(acknowledge(shared_from_this(), wish.node, Channel::control));
        break;
    }
  }
  plan();
  progress_.notify_all();
}

void ShareConsumer::plan() {
  std::lock_guard lock(mutex_);
  if (!timer_) return;
  if (const auto deadline = fetcher_.deadline())
    timer_->arm(*deadline);
  else
    timer_->disarm();
  if (!fetcher_.starved()) return;
  memory_->on_freed([weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->post(&ShareConsumer::tick);
  });
}

awaitable<void> ShareConsumer::fetch(std::shared_ptr<ShareConsumer> self, int32_t node) {
  constexpr auto of = ShareFetcher::Request::fetch;
  const Instant connect_by = Clock::now() + self->group_.request_timeout;
  auto connection = co_await self->cluster_->connect(at_node(node), Channel::data, connect_by);
  if (!connection) co_return self->step(ShareFetcher::Failed{node, std::move(connection.error()), of});
  ShareFetchRequest request;
  {
    std::lock_guard lock(self->mutex_);
    if (!self->fetcher_.fill(node, request)) co_return;
  }
  const std::shared_ptr<Connection> held = *connection;
  const Instant begun = Clock::now();
  self->nodes_traffic_[node].began();
  auto reply = co_await held->request(request, begun + self->fetch_timeout_);
  self->nodes_traffic_[node].ended(begun, reply.ok());
  if (!reply) co_return self->step(ShareFetcher::Failed{node, std::move(reply.error()), of});
  self->nodes_traffic_[node].bytes += reply->frame.bytes().size();
  const size_t cost = reply->frame.memory_bytes();
  const ShareFetcher::Fetched fetched{node, reply->message, charge(self->memory_, std::move(reply->frame), cost)};
  self->step(fetched);
}

awaitable<void> ShareConsumer::acknowledge(std::shared_ptr<ShareConsumer> self, int32_t node, Channel channel) {
  const Instant deadline = Clock::now() + self->group_.request_timeout;
  auto connection = co_await self->cluster_->connect(at_node(node), channel, deadline);
  if (!connection) co_return self->step(ShareFetcher::Failed{node, std::move(connection.error())});
  ShareAcknowledgeRequest request;
  {
    std::lock_guard lock(self->mutex_);
    self->fetcher_.fill(node, request);
  }
  const std::shared_ptr<Connection> held = *connection;
  const Instant begun = Clock::now();
  self->nodes_traffic_[node].began();
  auto reply = co_await held->request(request, deadline);
  self->nodes_traffic_[node].ended(begun, reply.ok());
  if (!reply) co_return self->step(ShareFetcher::Failed{node, std::move(reply.error())});
  const ShareFetcher::Acknowledged acknowledged{node, reply->message};
  self->step(acknowledged);
}

// ---- patience -----------------------------------------------------------------------------------------------------------------

// Whoever neither polls nor waits for records gives way to other members; who waits is never late.
void ShareConsumer::look_at_patience() {
  bool late = false;
  {
    std::lock_guard lock(mutex_);
    if (!subscribed_ || closed_) return;
    const Instant now = Clock::now();
    late = idle_since_ && now - *idle_since_ >= poll_interval_max_ && !overdue_;
    overdue_ |= late;
    patience_->arm((idle_since_ && !overdue_ ? *idle_since_ : now) + poll_interval_max_);
  }
  if (!late) return;
  cluster_->logger().warning("group", "nobody has polled for max.poll.interval.ms: the partitions go to other members");
  membership_->overdue();
}

void ShareConsumer::poll_resumed() {
  if (membership_) membership_->polled();
}

// ---- telemetry ----------------------------------------------------------------------------------------------------------------

void ShareConsumer::start_telemetry() {
  std::vector<Label> resource{{"group_id", group_.group_id}};
  if (!group_.rack.empty()) resource.push_back({"client_rack", group_.rack});
  telemetry_ = std::make_shared<Telemetry>(cluster_, "org.apache.kafka.consumer.", std::move(resource),
                                           measured_by(weak_from_this(), &ShareConsumer::measure));
  telemetry_->start();
}

Measurements ShareConsumer::measure() const {
  const Statistics now = statistics();
  Measurements seen;
  uint64_t acknowledged = 0;
  for (const uint64_t each : now.counts.confirmed) acknowledged += each;
  seen.counts = {{"connection.creation", cluster_->connections_made()},
                 {"share.fetch.manager.records.consumed", now.records},
                 {"share.fetch.manager.bytes.consumed", now.bytes},
                 {"share.fetch.manager.acknowledgements.send", acknowledged},
                 {"share.fetch.manager.acknowledgements.error", now.counts.failed}};
  seen.times = {{"share.fetch.manager.fetch.latency", latency_of_all(now.nodes)}};
  seen.nodes = now.nodes;
  return seen;
}

}  // namespace kq::client
