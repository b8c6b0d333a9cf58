// Coordinator: the broker that looks after a group or a transactional id, found and found again.
#pragma once

#include "libkq/client/cluster.hpp"
#include "libkq/protocol/messages/find_coordinator.hpp"

namespace kq::client {

// Belongs to its loop's thread; held by shared_ptr, as its coroutines hold it.  Ends with its cluster.
class Coordinator : public std::enable_shared_from_this<Coordinator> {
 public:
  enum class Kind : int8_t { group = 0, transaction = 1 };

  Coordinator(std::shared_ptr<Cluster> cluster, std::string key, Kind kind)
      : cluster_(std::move(cluster)), key_(std::move(key)), kind_(kind) {}

  // Its node id, as known or as brokers tell; asked for again, with back-off, while there is none.
  awaitable<Result<int32_t>> find(Instant deadline);
  // This node is it no more, or cannot be reached.
  void lost(int32_t node);
  void moved_by(Code code) {
    if (moved(code)) node_ = -1;
  }
  // Whether an answer says that another broker has to be asked, or this one later.
  static bool moved(Code code) { return code == Code::not_coordinator || code == Code::coordinator_not_available; }

  // One attempt, in a version not above `newest`.
  template <class Request>
  awaitable<Result<Reply<typename Request::Response>>> request_once(const Request&, Instant deadline, int16_t newest);
  // Tried again until the deadline: where the connection broke, where the coordinator moved or is loading.  `code` gives the code of an
  // answer that decides about that.
  template <class Request, class CodeOf>
  awaitable<Result<Reply<typename Request::Response>>> request(const Request&, Instant deadline, CodeOf code,
                                                               int16_t newest = Request::stable);

  // The version that a request would travel in: where its form depends on that.
  template <class Request>
  awaitable<Result<int16_t>> version_of(Instant deadline);

  const std::shared_ptr<Cluster>& cluster() const { return cluster_; }

 private:
  awaitable<Result<int32_t>> ask(Instant deadline);
  Result<int32_t> adopt(const FindCoordinatorResponse&);

  const std::shared_ptr<Cluster> cluster_;
  const std::string key_;
  const Kind kind_;
  int32_t node_ = -1;  // -1: not known
  bool asking_ = false;
  Broadcast found_;  // asking has ended
};

template <class Request>
awaitable<Result<Reply<typename Request::Response>>> Coordinator::request_once(const Request& request, Instant deadline,
                                                                               int16_t newest) {
  const auto self = shared_from_this();
  auto node = co_await find(deadline);
  if (!node) co_return std::move(node.error());
  auto connection = co_await cluster_->connect(at_node(*node), Channel::control, deadline);
  if (!connection) {
    lost(*node);
    co_return std::move(connection.error());
  }
  const std::shared_ptr<Connection> held = *connection;
  auto reply = co_await held->request(request, deadline, newest);
  if (!reply && cluster_detail::may_help(reply.error())) lost(*node);
  co_return reply;
}

template <class Request>
awaitable<Result<int16_t>> Coordinator::version_of(Instant deadline) {
  const auto self = shared_from_this();
  for (int failures = 1;; ++failures) {
    auto node = co_await find(deadline);
    if (!node) co_return std::move(node.error());
    auto connection = co_await cluster_->connect(at_node(*node), Channel::control, deadline);
    if (connection) co_return (*connection)->apis().template choose<Request>();
    lost(*node);
    const bool in_time = co_await cluster_->back_off(failures, deadline);
    if (!in_time) co_return std::move(connection.error());
  }
}

template <class Request, class CodeOf>
awaitable<Result<Reply<typename Request::Response>>> Coordinator::request(const Request& request, Instant deadline, CodeOf code,
                                                                          int16_t newest) {
  const auto self = shared_from_this();
  for (int failures = 1;; ++failures) {
    const Instant attempt = std::min(deadline, Clock::now() + cluster_->options().request_timeout);
    auto reply = co_await request_once(request, attempt, newest);
    const Code answer = reply ? code(reply->message) : Code::none;
    if (moved(answer)) lost(node_);
    const bool retry = reply ? remedy_of(answer) != Remedy::none : cluster_detail::may_help(reply.error());
    if (!retry) co_return reply;
    const bool in_time = co_await cluster_->back_off(failures, deadline);
    if (!in_time) co_return reply;
  }
}

}  // namespace kq::client
