#include "broker/server.hpp"

#include <unistd.h>

#include <algorithm>

#include "broker/broker.hpp"
#include "broker/config_view.hpp"

namespace kq::broker {
namespace {

std::string host_of(std::string_view peer) { return std::string(peer.substr(0, peer.rfind(':'))); }

ConnectionLimits limits_of(const Config& config) {
  ConnectionLimits limits;
  limits.frame_bytes_max = static_cast<size_t>(config.socket_request_max_bytes);
  limits.idle_max = std::chrono::milliseconds(config.connections_max_idle_ms);
  return limits;
}

int64_t large_frame_bytes(const Config& config) {
  if (config.queued_max_request_bytes > 0) return std::max<int64_t>(config.queued_max_request_bytes, config.socket_request_max_bytes);
  const int64_t memory = sysconf(_SC_PHYS_PAGES) * sysconf(_SC_PAGESIZE);
  return std::max<int64_t>(memory / 4, config.socket_request_max_bytes);
}

}  // namespace

Server::Server(Broker& broker)
    : broker_(broker), config_(std::make_shared<const Config>(broker.config)), limits_(limits_of(broker.config)),
      large_frames_(large_frame_bytes(broker.config)), one_left_(std::make_shared<Signal>(broker.env.loops.front()->context())) {
  for (Loop* loop : broker.env.loops) workers_.push_back(std::make_unique<Worker>(*loop));
  to_shut_ = 1 + static_cast<int>(workers_.size());
}

Server::~Server() = default;

Status Server::bind() {
  for (const Listener& wanted : broker_.config.listeners) {
    auto listener = broker_.env.network.listen(*broker_.env.loops.front(), {wanted.host, wanted.port});
    if (!listener) return std::move(listener.error()).in(wanted.text());
    bound_.push_back(wanted);
    bound_.back().port = (*listener)->port();
    listeners_.push_back(std::move(*listener));
  }
  return {};
}

void Server::accept() {
  Loop& loop = *broker_.env.loops.front();
  accepting_ = static_cast<int>(listeners_.size());
  loop.post([this, &loop] {
    for (size_t i = 0; i < listeners_.size(); ++i) loop.spawn(accept_from(*this, *listeners_[i], bound_[i]));
  });
}

// Each value was checked when it was set; together with the file's they may still not fit, and then nothing changes.
void Server::configure(const cluster::Image& image) {
  auto changed = current_config(broker_.config, image);
  if (changed) config_.store(std::make_shared<const Config>(std::move(*changed)));
  else broker_.env.log.error("server", "the brokers' dynamic settings are not taken: " + changed.error().message());
}

Admission::~Admission() { server_.released(address_); }

awaitable<void> Server::accept_from(Server& server, kq::Listener& listener, const Listener& as) {
  Loop& loop = *server.broker_.env.loops.front();
  while (!server.closing_) {
    if (server.open_ >= server.config_.load()->max_connections) {
      server.broker_.peer_log.write("max.connections is reached: new ones wait until others end");
      co_await loop.sleep_until(Clock::now() + accept_pause);
      continue;
    }
    auto pending = co_await listener.accept();
    if (server.closing_) break;
    if (pending) {
      server.deal(std::move(*pending), as.name);
    } else {
      server.broker_.peer_log.write(pending.error().message());
      co_await loop.sleep_until(Clock::now() + accept_pause);
    }
  }
  --server.accepting_;
  server.one_left_->notify();
}

void Server::deal(std::unique_ptr<PendingStream> pending, const std::string& listener) {
  ++open_;
  Worker& worker = *workers_[next_worker_++ % workers_.size()];
  worker.loop.post([this, &worker, &listener, pending = std::shared_ptr<PendingStream>(std::move(pending))] { serve(worker, *pending, listener); });
}

void Server::serve(Worker& worker, PendingStream& pending, const std::string& listener) {
  auto stream = pending.on(worker.loop);
  auto admission = admit(stream->peer());
  if (closing_ || !admission) return;
  Session session;
  session.id = next_id_++;
  session.listener = listener;
  session.peer = stream->peer();
  auto connection =
      std::make_shared<Connection>(broker_, worker, limits_, large_frames_, std::move(stream), std::move(session), std::move(admission));
  worker.connections.push_back(*connection);
  worker.loop.spawn(Connection::run(std::move(connection)));
}

std::unique_ptr<Admission> Server::admit(std::string_view peer) {
  const auto config = config_.load();
  const std::string address = host_of(peer);
  auto admission = std::make_unique<Admission>(*this, address);
  const auto special = config->max_connections_per_ip_overrides.find(address);
  const int limit = special == config->max_connections_per_ip_overrides.end() ? config->max_connections_per_ip : special->second;
  std::lock_guard lock(mutex_);
  if (++by_address_[address] <= limit) return admission;
  broker_.peer_log.write(std::string(peer) + ": refused: max.connections.per.ip allows " + std::to_string(limit));
  return nullptr;
}

void Server::released(const std::string& address) {
  {
    std::lock_guard lock(mutex_);
    if (const auto counted = by_address_.find(address); --counted->second == 0) by_address_.erase(counted);
  }
  if (--open_ == 0 && closing_) broker_.env.loops.front()->post([signal = one_left_] { signal->notify(); });
}

void Server::shut() {
  if (closing_.exchange(true)) return;
  broker_.env.loops.front()->post([this] {
    for (const auto& listener : listeners_) listener->close();
    was_shut();
  });
  for (const auto& worker : workers_) {
    worker->loop.post([this, &worker = *worker] {
      for (Connection& connection : worker.connections) connection.close("");
      was_shut();
    });
  }
}

// The signal is held apart: once the last has been counted, close() may return and the server be gone.
void Server::was_shut() {
  Loop& first = *broker_.env.loops.front();
  const auto signal = one_left_;
  if (--to_shut_ == 0) first.post([signal] { signal->notify(); });
}

awaitable<void> Server::close() {
  shut();
  while (open_ > 0 || accepting_ > 0 || to_shut_ > 0) co_await one_left_->wait();
}

}  // namespace kq::broker
