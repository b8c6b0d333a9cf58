#include "broker/broker.hpp"

#include <future>

#include "broker/cluster/image.hpp"
#include "broker/handlers/fetch_session.hpp"
#include "broker/producer_ids.hpp"
#include "broker/server.hpp"
#include "broker/storage.hpp"

namespace kq::broker {

Broker::Broker(Config its_config, Environment environment)
    : config(std::move(its_config)), env(std::move(environment)), partitions(std::make_unique<Partitions>()),
      fetch_sessions(std::make_unique<FetchSessions>(static_cast<size_t>(config.max_incremental_fetch_session_cache_slots))),
      producer_ids(std::make_unique<ProducerIds>()), peer_log(env.log, LogLevel::warning, "connection"),
      image_(std::make_shared<const cluster::Image>()) {}

Broker::~Broker() = default;

Status Broker::start() {
  KQ_TRY_ASSIGN(storage_, Storage::open(config, env, *partitions));
  server_ = std::make_unique<Server>(*this);
  KQ_TRY(server_->bind());                       // the ports have to be known before they are registered
  // CONTROLLER
  storage_->apply(*image(), nullptr);
  storage_->recover_in_background();
  server_->accept();
  return {};
}

void Broker::publish(std::shared_ptr<const cluster::Image> next, const cluster::Delta& delta) {
  if (storage_) storage_->apply(*next, &delta);
  image_.store(std::move(next), std::memory_order_release);
}

std::vector<Listener> Broker::listening() const { return server_ ? server_->bound() : std::vector<Listener>{}; }

awaitable<void> Broker::disconnect() {
  if (server_) co_await server_->close();
  if (storage_) storage_->stop_background();
}

Status Broker::close() {
  env.io.drain();
  return storage_ ? storage_->close(0) : Status{};
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
