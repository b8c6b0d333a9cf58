#include "broker/broker.hpp"

#include <algorithm>
#include <future>

#include "broker/cluster/local_controller.hpp"
#include "broker/coordinator/runtime.hpp"
#include "broker/format.hpp"
#include "broker/group/coordinator.hpp"
#include "broker/handlers/fetch_session.hpp"
#include "broker/producer_ids.hpp"
#include "broker/server.hpp"
#include "broker/share/coordinator.hpp"
#include "broker/share/share_partitions.hpp"
#include "broker/storage.hpp"
#include "broker/txn/transactions.hpp"

namespace kq::broker {

Broker::Broker(Config its_config, Environment environment)
    : config(std::move(its_config)), env(std::move(environment)), partitions(std::make_unique<Partitions>()),
      fetch_sessions(std::make_unique<FetchSessions>(static_cast<size_t>(config.max_incremental_fetch_session_cache_slots))),
      producer_ids(std::make_unique<ProducerIds>()), peer_log(env.log, LogLevel::warning, "connection"),
      image_(std::make_shared<const cluster::Image>()) {
  share_partitions = std::make_unique<share::SharePartitions>(*this);
  add(CoordinatorType::share, std::make_unique<share::Coordinator>(*this));
  add(CoordinatorType::group, std::make_unique<group::Coordinator>(*this));
}

// The controller's log and the partitions' stand on the storage.
Broker::~Broker() {
  server_.reset();
  coordinators_.clear();
  transactions.reset();
  controller.reset();
  share_partitions.reset();
  partitions.reset();
}

Status Broker::start() {
  KQ_TRY_ASSIGN(storage_, Storage::open(config, env, *partitions));
  KQ_TRY_ASSIGN(cluster_id, storage_->own({.config = config, .files = env.files, .cluster_id = std::nullopt, .now_ms = wall_clock_ms()}));
  server_ = std::make_unique<Server>(*this);
  KQ_TRY(server_->bind());                       // before the registration, which names the ports
  KQ_TRY_ASSIGN(auto local, LocalController::open({.config = config,
                                                   .directory = storage_->metadata_directory(),
                                                   .log_dirs = storage_->directory_ids(),
                                                   .files = env.files,
                                                   .io = env.io,
                                                   .logger = env.log,
                                                   .publish = [this](auto next, const cluster::Delta& delta) { publish(std::move(next), delta); }}));
  KQ_TRY(local->start(advertised()));
  image_.store(local->image(), std::memory_order_release);
  server_->configure(*image());
  storage_->apply(*image(), nullptr);
  storage_->recover_in_background();
  local_controller_ = local.get();
  controller = std::move(local);
  transactions = std::make_unique<txn::Transactions>(*this);
  add(CoordinatorType::transaction, transactions->make_runtime());
  for (const auto& [type, runtime] : coordinators_) runtime->metadata_changed(image(), nullptr);
  server_->accept();
  env.log.info("broker", "node " + std::to_string(config.node_id) + " of cluster " + cluster_id + " serves " +
                             std::to_string(image()->topics.size()) + " topics, " + std::to_string(partitions->size()) + " partitions");
  return {};
}

// What clients are told: as configured, but with the ports that were taken where any would do.
std::vector<Listener> Broker::advertised() const {
  std::vector<Listener> told = config.advertised_listeners;
  for (Listener& listener : told) {
    const auto bound = std::ranges::find(server_->bound(), listener.name, &Listener::name);
    if (listener.port == 0 && bound != server_->bound().end()) listener.port = bound->port;
  }
  return told;
}

void Broker::publish(std::shared_ptr<const cluster::Image> next, const cluster::Delta& delta) {
  const auto of_broker = [](const auto& changed) { return changed.type == cluster::ResourceType::broker; };
  if (server_ && std::ranges::any_of(delta.configs, of_broker)) server_->configure(*next);
  if (storage_) storage_->apply(*next, &delta);
  image_.store(next, std::memory_order_release);
  for (const auto& [type, runtime] : coordinators_) runtime->metadata_changed(next, &delta);
}

void Broker::add(CoordinatorType type, std::unique_ptr<coordinator::Runtime> runtime) { coordinators_[type] = std::move(runtime); }

group::Coordinator& Broker::groups() const { return static_cast<group::Coordinator&>(*coordinator(CoordinatorType::group)); }

coordinator::Runtime* Broker::coordinator(CoordinatorType type) const {
  const auto found = coordinators_.find(type);
  return found == coordinators_.end() ? nullptr : found->second.get();
}

share::Coordinator& Broker::share_states() const { return static_cast<share::Coordinator&>(*coordinator(CoordinatorType::share)); }

Housekeeping& Broker::housekeeping() const { return storage_->housekeeping(); }

std::vector<Listener> Broker::listening() const { return server_ ? server_->bound() : std::vector<Listener>{}; }

void Broker::refuse() { server_->shut(); }

awaitable<void> Broker::disconnect() {
  if (server_) co_await server_->close();
  if (transactions) co_await transactions->stop();
  for (const auto& [type, runtime] : coordinators_) runtime->stop();
  if (storage_) storage_->stop_background();
}

Status Broker::close() {
  env.io.drain();
  if (!local_controller_) return {};             // it never came to serve
  KQ_TRY(local_controller_->stop());
  return storage_->close(local_controller_->broker_epoch());
}

void Broker::abandon() {
  std::promise<void> disconnected;
  Loop& loop = *env.loops.front();
  loop.post([this, &loop, &disconnected] {
    loop.spawn([](Broker& broker, std::promise<void>& done) -> awaitable<void> {
      co_await broker.disconnect();
      done.set_value();
    }(*this, disconnected));
  });
  disconnected.get_future().wait();
  env.io.drain();
}

Status Broker::stop() {
  abandon();
  return close();
}

}  // namespace kq::broker
