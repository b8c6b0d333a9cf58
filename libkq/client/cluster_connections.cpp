// How a Cluster's connections are made, shared, and made again.
#include <algorithm>

#include "libkq/client/cluster_link.hpp"

namespace kq::client {

// ---- connections ------------------------------------------------------------------------------------------------------------

std::shared_ptr<Cluster::Link> Cluster::link(int32_t node, Channel channel) {
  auto& link = links_[{node, channel}];
  if (!link) link = std::make_shared<Link>(Link{node, channel});
  return link;
}

Connection* Cluster::connection(int32_t node, Channel channel) {
  if (closed_) return nullptr;
  const auto wanted = link(node, channel);
  if (wanted->usable()) return wanted->connection.get();
  begin_connecting(wanted);
  return nullptr;
}

void Cluster::begin_connecting(const std::shared_ptr<Link>& link) {
  if (std::exchange(link->making, true)) return;
  // In a later turn: an attempt may fail at once, and who waits for its end must be waiting by then.
  loop_.post([self = shared_from_this(), link] { self->loop_.spawn(make_connection(self, link)); });
}

Result<Address> Cluster::address_of(int32_t id) const {
  if (is_bootstrap(id)) return bootstrap_[bootstrap_index(id)];
  if (const Node* node = find_node(id)) return node->address;
  return Error{own_code::transport, "broker " + std::to_string(id) + " is not known to the cluster at the moment",
               Verdict::retry};
}

awaitable<void> Cluster::make_connection(std::shared_ptr<Cluster> self, std::shared_ptr<Link> link) {
  while (!self->closed_ && Clock::now() < link->not_before) co_await self->closing_.wait_until(self->loop_, link->not_before);
  Result<std::shared_ptr<Connection>> made = self->closed_error();
  if (!self->closed_) {
    made = co_await self->open_connection(link->node);
  }
  link->making = false;
  ++link->attempts_ended;
  if (self->closed_) {
    if (made) (*made)->close(self->closed_error());
    link->failure = self->closed_error();
  } else if (made) {
    self->connected(link, std::move(*made));
  } else {
    self->not_connected(link, std::move(made.error()));
  }
  self->changed_.notify_all();
}

// The name is resolved anew for each attempt, and its addresses are tried in turn: each has the whole time, and has failed as well where
// somebody listens and does not speak as a broker does.
awaitable<Result<std::shared_ptr<Connection>>> Cluster::open_connection(int32_t node) {
  auto name = address_of(node);
  if (!name) co_return std::move(name.error());
  std::vector<Address> addresses{*name};
  if (names_) {
    auto found = co_await names_->addresses_of(loop_, *name, Clock::now() + options_.setup_timeout);
    if (!found) co_return std::move(found.error());
    addresses = std::move(*found);
  }
  Result<std::shared_ptr<Connection>> made = Error{own_code::resolve, "'" + name->host + "' has no address", Verdict::retry};
  for (const Address& each : addresses) {
    if (closed_) co_return closed_error();
    const Instant deadline = Clock::now() + options_.setup_timeout;
    made = co_await Connection::open(loop_, network_, *name, options_.connection, frames_, deadline, each);
    if (made) break;
  }
  co_return made;
}

void Cluster::connected(const std::shared_ptr<Link>& link, std::shared_ptr<Connection> connection) {
  link->connection = std::move(connection);
  ++connections_made_;
  link->failures = 0;
  link->not_before = {};
  link->failure.reset();
  std::weak_ptr<Cluster> weak = weak_from_this();
  link->connection->on_end([weak, link](const Error& why) {
    link->connection.reset();
    const auto self = weak.lock();
    if (!self || self->closed_) return;
    self->logger_.debug("connection", why.message());
    self->not_connected(link, why);
    self->changed_.notify_all();
  });
  const int32_t node = link->node;
  if (link->channel == Channel::data) tell([&](ClusterObserver& observer) { observer.node_up(node); });
}

void Cluster::not_connected(const std::shared_ptr<Link>& link, Error why) {
  link->not_before = Clock::now() + options_.reconnect.after(++link->failures, random_);
  link->failure = std::move(why);
  if (!is_bootstrap(link->node)) refresh();  // perhaps it has moved, or others lead now
  const int32_t node = link->node;
  const Error& failure = *link->failure;
  if (link->channel == Channel::data) tell([&](ClusterObserver& observer) { observer.node_down(node, failure); });
}

awaitable<Result<std::shared_ptr<Connection>>> Cluster::connect(Target target, Channel channel, Instant deadline) {
  const auto self = shared_from_this();
  if (closed_) co_return closed_error();
  if (target.kind == Target::Kind::controller) target = find_node(controller_id_) ? at_node(controller_id_) : any_node;
  if (target.kind == Target::Kind::any) co_return co_await connect_any(channel, deadline);
  co_return co_await connect_link(link(target.id, channel), deadline);
}

// One attempt, shared with everybody else who wants this connection.
awaitable<Result<std::shared_ptr<Connection>>> Cluster::connect_link(std::shared_ptr<Link> link, Instant deadline) {
  const uint64_t attempts = link->attempts_ended;
  for (;;) {
    if (closed_) co_return closed_error();
    if (link->usable()) co_return link->connection;
    if (link->attempts_ended != attempts) {
      // Without a failure: one that was made has ended already, and on_end() has not yet told it.
      co_return link->failure.value_or(Error{own_code::transport, "the connection ended as soon as it was made", Verdict::retry});
    }
    begin_connecting(link);
    const bool in_time = co_await changed_.wait_until(loop_, deadline);
    if (in_time) continue;
    if (link->failure) co_return Error(*link->failure);
    co_return Error{own_code::timed_out, "no connection could be made in time", Verdict::retry};
  }
}

// What is connected already; else known nodes that do not back off, then bootstrap servers (KIP-899), one after the other.
awaitable<Result<std::shared_ptr<Connection>>> Cluster::connect_any(Channel channel, Instant deadline) {
  for (const auto& [key, link] : links_)
    if (key.second == channel && link->usable()) co_return link->connection;
  Result<std::shared_ptr<Connection>> last = Error{own_code::transport, "no broker is known", Verdict::retry};
  for (const int32_t id : candidates(channel)) {
    last = co_await connect_link(link(id, channel), deadline);
    if (last || closed_ || Clock::now() >= deadline) break;
  }
  co_return last;
}

std::vector<int32_t> Cluster::candidates(Channel channel) {
  std::vector<int32_t> ids;
  for (const auto& [id, node] : nodes_) ids.push_back(id);
  for (size_t i = ids.size(); i > 1; --i) std::swap(ids[i - 1], ids[random_.below(i)]);
  const auto serves = [this](const Address& address) {
    return std::ranges::any_of(nodes_, [&](const auto& each) { return each.second.address == address; });
  };
  const bool any_known = !ids.empty();
  for (size_t i = 0; i < bootstrap_.size() && (!any_known || options_.rebootstraps()); ++i) {
    const size_t index = (next_bootstrap_ + i) % bootstrap_.size();
    if (!serves(bootstrap_[index])) ids.push_back(bootstrap_id(index));
  }
  // Whoever may be tried the soonest comes first.
  std::stable_sort(ids.begin(), ids.end(),
                   [&](int32_t a, int32_t b) { return link(a, channel)->not_before < link(b, channel)->not_before; });
  return ids;
}

}  // namespace kq::client
