#include "libkq/client/cluster.hpp"

#include <algorithm>

#include "libkq/client/cluster_link.hpp"
#include "libkq/client/config.hpp"

namespace kq::client {

// ---- options and errors -----------------------------------------------------------------------------------------------------

Result<ClusterOptions> ClusterOptions::from(const Config& config) {
  ClusterOptions options;
  for (const std::string& server : config.bootstrap_servers) {
    auto address = Address::parse(server);
    if (!address) return Error{own_code::config, "bootstrap.servers: " + address.error().message()};
    options.bootstrap.push_back(std::move(*address));
  }
  options.connection.client_id = config.client_id;
  options.canonical_bootstrap = config.dns_lookup == DnsLookup::resolve_canonical_bootstrap_servers_only;
  options.setup_timeout = config.setup_timeout;
  options.request_timeout = config.request_timeout;
  options.metadata_max_age = config.metadata_max_age;
  options.rebootstrap_after = config.rebootstrap_after;
  options.retry = {config.retry_backoff, config.retry_backoff_max};
  options.reconnect = {config.reconnect_backoff, config.reconnect_backoff_max};
  options.create_topics = config.create_topics;
  return options;
}

bool cluster_detail::may_help(const Error& error) {
  switch (error.code()) {
    case own_code::transport: case own_code::resolve: return true;
    case own_code::closed: return false;
    default: return error.verdict() == Verdict::retry;
  }
}

Error cluster_detail::told(std::string_view api, Code code, const Address& by) {
  const Verdict verdict = remedy_of(code) == Remedy::none ? Verdict::refused : Verdict::retry;
  return {static_cast<int32_t>(code),
          std::string(api) + " refused by " + by.text() + ": " + name_of(code) + ", " + meaning_of(code), verdict};
}

Error Cluster::closed_error() const { return {own_code::closed, "the handle is closed"}; }

// ---- life -------------------------------------------------------------------------------------------------------------------

Cluster::Cluster(Loop& loop, Network& network, Logger& logger, ClusterOptions options)
    : loop_(loop), network_(network), names_(dynamic_cast<Names*>(&network)), logger_(logger), options_(std::move(options)),
      random_(options_.seed ? options_.seed : system_random_u64()), bootstrap_(options_.bootstrap),
      bootstrap_resolved_(!options_.canonical_bootstrap || !names_), work_(loop.context()) {}

Cluster::~Cluster() = default;

std::shared_ptr<Cluster> Cluster::make(Loop& loop, Network& network, Logger& logger, ClusterOptions options) {
  return std::shared_ptr<Cluster>(new Cluster(loop, network, logger, std::move(options)));
}

void Cluster::start() {
  last_success_ = Clock::now();
  next_bootstrap_ = random_.below(std::max<size_t>(1, bootstrap_.size()));
  refresh_asked_ = true;
  loop_.spawn(keep_metadata(shared_from_this()));
}

void Cluster::close() {
  if (std::exchange(closed_, true)) return;
  observers_.clear();
  for (auto& [key, link] : std::exchange(links_, {}))
    if (link->connection) link->connection->close(closed_error());
  work_.notify();
  changed_.notify_all();
  closing_.notify_all();
}

void Cluster::observe(ClusterObserver& observer) { observers_.push_back(&observer); }
void Cluster::forget(ClusterObserver& observer) { std::erase(observers_, &observer); }

// ---- what is known ----------------------------------------------------------------------------------------------------------

const Node* Cluster::find_node(int32_t id) const {
  const auto found = nodes_.find(id);
  return found == nodes_.end() ? nullptr : &found->second;
}

const Topic* Cluster::topic(std::string_view name) const {
  const auto found = topics_.find(name);
  return found == topics_.end() ? nullptr : &found->second;
}

const Topic* Cluster::topic(const Uuid& id) const {
  const auto found = topic_names_.find(id);
  return found == topic_names_.end() ? nullptr : topic(found->second);
}

const Partition* Cluster::partition(std::string_view name, int32_t index) const {
  const Topic* const found = topic(name);
  if (!found || index < 0 || static_cast<size_t>(index) >= found->partitions.size()) return nullptr;
  return &found->partitions[static_cast<size_t>(index)];
}

void Cluster::want_topic(std::string_view name) {
  auto wanted = wanted_.find(name);
  if (wanted == wanted_.end()) wanted = wanted_.emplace(name, 0).first;
  if (++wanted->second == 1 && !topic(name)) hurry_ = true, refresh();
}

void Cluster::unwant_topic(std::string_view name) {
  const auto wanted = wanted_.find(name);
  if (wanted == wanted_.end() || --wanted->second > 0) return;
  wanted_.erase(wanted);
  if (const auto known = topics_.find(name); known != topics_.end()) {
    topic_names_.erase(known->second.id);
    topics_.erase(known);
  }
}

bool Cluster::learn_leader(std::string_view name, int32_t index, int32_t leader, int32_t leader_epoch) {
  const auto found = topics_.find(name);
  if (found == topics_.end() || index < 0 || static_cast<size_t>(index) >= found->second.partitions.size()) return false;
  Partition& partition = found->second.partitions[static_cast<size_t>(index)];
  if (leader < 0 || leader_epoch <= partition.leader_epoch || !find_node(leader)) return false;
  partition.leader = leader;
  partition.leader_epoch = leader_epoch;
  return true;
}

void Cluster::learn_node(Node node) {
  Node& known = nodes_[node.id];
  const bool moved = known.id >= 0 && known.address != node.address;
  const int32_t id = node.id;
  known = std::move(node);
  if (moved) drop_links(id, "the broker has another address now");
}

void Cluster::drop_links(int32_t node, std::string_view why) {
  for (const Channel channel : {Channel::control, Channel::data, Channel::group}) {
    const auto found = links_.find({node, channel});
    if (found == links_.end()) continue;
    if (found->second->connection) found->second->connection->close({own_code::transport, std::string(why), Verdict::retry});
    links_.erase(found);
  }
}

// ---- refreshing -------------------------------------------------------------------------------------------------------------

void Cluster::refresh() {
  if (std::exchange(refresh_asked_, true)) return;
  work_.notify();
}

awaitable<Status> Cluster::refreshed(Instant deadline) {
  const auto self = shared_from_this();
  const uint64_t wanted = refreshes_started_ + 1;
  refresh();
  while (refreshes_done_ < wanted) {
    if (closed_) co_return closed_error();
    const bool in_time = co_await changed_.wait_until(loop_, deadline);
    if (!in_time) co_return late("metadata was not answered in time");
  }
  co_return Status{};
}

awaitable<Status> Cluster::topic_usable(std::string_view asked, Instant deadline) {
  const auto self = shared_from_this();
  const std::string name(asked);
  want_topic(name);
  Status outcome = co_await topic_usable_while_wanted(name, deadline);
  unwant_topic(name);
  co_return outcome;
}

awaitable<Status> Cluster::topic_usable_while_wanted(const std::string& name, Instant deadline) {
  for (int failures = 1;; ++failures) {
    if (const Topic* known = topic(name); known && known->usable()) co_return Status{};
    Status refresh = co_await refreshed(deadline);
    if (!refresh) co_return refresh;
    const Topic* known = topic(name);
    if (known && known->usable()) co_return Status{};
    const Code code = known ? known->error : Code::unknown_topic_or_partition;
    Error error = topic_error(name, code == Code::none ? Code::leader_not_available : code);
    if (error.verdict() != Verdict::retry) co_return error;
    const bool again = co_await back_off(failures, deadline);
    if (!again) co_return error;
  }
}

Error Cluster::topic_error(std::string_view name, Code code) {
  const Verdict verdict = remedy_of(code) == Remedy::none ? Verdict::refused : Verdict::retry;
  return {static_cast<int32_t>(code), "topic '" + std::string(name) + "': " + name_of(code) + ", " + meaning_of(code), verdict};
}

Error Cluster::late(std::string_view what) const {
  std::string text(what);
  if (last_failure_) text += "; the last attempt: " + last_failure_->message();
  return {own_code::timed_out, std::move(text), Verdict::retry};
}

awaitable<void> Cluster::keep_metadata(std::shared_ptr<Cluster> self) {
  int failures = 0;
  Instant started{};
  while (!self->closed_) {
    const Instant earliest = started + self->options_.retry.first;
    const Instant due = self->refresh_asked_ ? (self->hurry_ && !failures ? Instant{} : earliest)
                                             : std::max(earliest, self->last_success_ + self->options_.metadata_max_age);
    if (started != Instant{} && Clock::now() < due) {
      co_await self->loop_.wait_until(self->work_, due);
      continue;
    }
    started = Clock::now();
    self->refresh_asked_ = self->hurry_ = false;
    const uint64_t number = ++self->refreshes_started_;
    Status refreshed = co_await self->refresh_once();
    if (self->closed_) co_return;
    if (refreshed) {
      failures = 0;
      self->refreshes_done_ = number;
      self->last_failure_.reset();
      self->last_success_ = Clock::now();
      self->changed_.notify_all();
      self->tell([](ClusterObserver& observer) { observer.metadata_changed(); });
      continue;
    }
    self->refresh_failed(std::move(refreshed.error()), ++failures);
    co_await self->back_off(failures, Instant::max());
  }
}

void Cluster::refresh_failed(Error error, int failures) {
  refresh_asked_ = true;
  if (!last_failure_ || last_failure_->message() != error.message()) logger_.warning("metadata", error.message());
  last_failure_ = std::move(error);
  const Instant now = Clock::now();
  if (now - last_success_ > options_.rebootstrap_after) {
    rebootstrap("no broker has answered for too long");
    last_success_ = now;
  }
  // A connection that ends is the ordinary course of things; that the next one fails as well is worth telling.
  if (failures > 1) tell([&](ClusterObserver& observer) { observer.metadata_failed(*last_failure_); });
}

awaitable<Status> Cluster::refresh_once() {
  const Instant deadline = Clock::now() + options_.request_timeout;
  if (!bootstrap_resolved_) co_await resolve_bootstrap();
  auto connection = co_await connect(any_node, Channel::control, deadline);
  if (!connection) co_return std::move(connection.error());
  MetadataRequest request;
  request.allow_auto_topic_creation = options_.create_topics;
  request.topics.emplace();
  std::vector<std::string> names;                          // the request's views point here
  for (const auto& [name, count] : wanted_) names.push_back(name);
  for (const std::string& name : names) request.topics->emplace_back().name = name;
  const std::shared_ptr<Connection> held = *connection;
  auto reply = co_await held->request(request, deadline);
  if (!reply) co_return std::move(reply.error());
  if (closed_) co_return closed_error();
  if (reply->message.error_code == Code::rebootstrap_required && options_.rebootstraps()) rebootstrap("the broker asked for it");
  if (reply->message.error_code != Code::none) co_return cluster_detail::told("metadata", reply->message.error_code, held->address());
  if (reply->message.brokers.empty())
    co_return Error{own_code::transport, held->address().text() + " knows of no broker yet", Verdict::retry};
  adopt(reply->message);
  co_return Status{};
}

void Cluster::adopt(const MetadataResponse& metadata) {
  cluster_id_ = metadata.cluster_id.value_or("");
  controller_id_ = metadata.controller_id;
  std::set<int32_t> gone;
  for (const auto& [id, node] : nodes_) gone.insert(id);
  for (const auto& broker : metadata.brokers) {
    gone.erase(broker.node_id);
    Node node{broker.node_id, {std::string(broker.host), static_cast<uint16_t>(broker.port)}, std::string(broker.rack.value_or(""))};
    adopt_bootstrap_link(node);
    learn_node(std::move(node));
  }
  for (const int32_t id : gone) {
    nodes_.erase(id);
    drop_links(id, "the broker has left the cluster");
  }
  for (const auto& topic : metadata.topics)
    if (topic.name && wanted_.count(*topic.name)) adopt_topic(topic);
}

// A connection that was made by a bootstrap address serves as the node's own.
void Cluster::adopt_bootstrap_link(const Node& node) {
  for (size_t i = 0; i < bootstrap_.size(); ++i) {
    const auto found = links_.find({bootstrap_id(i), Channel::control});
    if (found == links_.end() || !found->second->usable() || bootstrap_[i] != node.address) continue;
    auto& own = links_[{node.id, Channel::control}];
    if (own && (own->usable() || own->making)) continue;
    own = found->second;
    own->node = node.id;
    links_.erase(found);
  }
}

void Cluster::adopt_topic(const MetadataResponse::MetadataResponseTopic& news) {
  const auto found = topics_.try_emplace(std::string(*news.name)).first;
  Topic& topic = found->second;
  const bool same = topic.id == news.topic_id;
  topic.name = *news.name;
  topic.error = news.error_code;
  if (news.error_code != Code::none) return;               // what was known of its partitions may still hold
  if (!same) {
    topic_names_.erase(topic.id);
    topic.partitions.clear();
    topic.id = news.topic_id;
    if (!topic.id.is_zero()) topic_names_[topic.id] = topic.name;
  }
  topic.internal = news.is_internal;
  for (const auto& each : news.partitions) {
    if (each.partition_index < 0 || static_cast<size_t>(each.partition_index) >= news.partitions.size()) continue;
    if (topic.partitions.size() < news.partitions.size()) topic.partitions.resize(news.partitions.size());
    Partition& partition = topic.partitions[static_cast<size_t>(each.partition_index)];
    // A broker that lags behind may still tell of an older leader (KIP-320).
    if (same && each.leader_epoch >= 0 && each.leader_epoch < partition.leader_epoch) continue;
    partition = {each.leader_id, each.leader_epoch, each.error_code, each.replica_nodes, each.isr_nodes, each.offline_replicas};
  }
}

void Cluster::rebootstrap(std::string_view why) {
  logger_.info("metadata", "starting again from bootstrap.servers: " + std::string(why));
  for (const auto& [id, node] : std::exchange(nodes_, {})) drop_links(id, "the client starts again from bootstrap.servers");
  bootstrap_resolved_ = !options_.canonical_bootstrap || !names_;
  refresh();
}

// Each server stands for all the hosts that its name leads to.  One whose name is not found stays as it is, and is asked for again.
awaitable<void> Cluster::resolve_bootstrap() {
  std::vector<Address> servers;
  bool complete = true;
  for (const Address& each : options_.bootstrap) {
    auto found = co_await names_->canonical_names_of(loop_, each, Clock::now() + options_.setup_timeout);
    if (closed_) co_return;
    complete &= found.ok();
    if (found) servers.insert(servers.end(), found->begin(), found->end());
    else servers.push_back(each);
  }
  bootstrap_ = std::move(servers);
  bootstrap_resolved_ = complete;
}

awaitable<bool> Cluster::back_off(int failures, Instant deadline) {
  const Duration wait = options_.retry.after(failures, random_);
  if (Clock::now() + wait >= deadline) co_return false;
  co_await pause(wait);
  co_return true;
}

awaitable<bool> Cluster::pause(Duration wait) {
  const auto self = shared_from_this();
  const Instant until = Clock::now() + wait;
  while (!closed_) {
    const bool woken = co_await closing_.wait_until(loop_, until);
    if (!woken) break;
  }
  co_return !closed_;
}

}  // namespace kq::client
