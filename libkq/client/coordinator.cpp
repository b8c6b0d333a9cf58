#include "libkq/client/coordinator.hpp"

namespace kq::client {

void Coordinator::lost(int32_t node) {
  if (node_ == node) node_ = -1;
}

awaitable<Result<int32_t>> Coordinator::find(Instant deadline) {
  const auto self = shared_from_this();
  while (asking_) {
    const bool in_time = co_await found_.wait_until(cluster_->loop(), deadline);
    if (!in_time) break;
  }
  if (cluster_->closed()) co_return Error{own_code::closed, "the handle is closed"};
  if (node_ >= 0) co_return node_;
  asking_ = true;
  Result<int32_t> found = Error{own_code::timed_out, "the coordinator of " + key_ + " was not found in time", Verdict::retry};
  for (int failures = 1;; ++failures) {
    found = co_await ask(deadline);
    const bool retry = !found && found.error().verdict() == Verdict::retry;
    if (!retry) break;
    const bool in_time = co_await cluster_->back_off(failures, deadline);
    if (!in_time || cluster_->closed()) break;
  }
  asking_ = false;
  found_.notify_all();
  co_return found;
}

awaitable<Result<int32_t>> Coordinator::ask(Instant deadline) {
  auto connection = co_await cluster_->connect(any_node, Channel::control, deadline);
  if (!connection) co_return std::move(connection.error());
  const std::shared_ptr<Connection> held = *connection;
  auto version = held->apis().choose<FindCoordinatorRequest>();
  if (!version) co_return std::move(version.error());
  constexpr int16_t first_with_list = 4;
  FindCoordinatorRequest request;
  request.key_type = static_cast<int8_t>(kind_);
  if (*version >= first_with_list)
    request.coordinator_keys.push_back(key_);
  else
    request.key_ = key_;
  auto reply = co_await held->request(request, std::min(deadline, Clock::now() + cluster_->options().request_timeout));
  if (!reply) {
    if (cluster_detail::may_help(reply.error())) co_return Error{reply.error().code(), reply.error().message(), Verdict::retry};
    co_return std::move(reply.error());
  }
  co_return adopt(reply->message);
}

Result<int32_t> Coordinator::adopt(const FindCoordinatorResponse& response) {
  Code code = response.error_code;
  Node node{response.node_id, {std::string(response.host), static_cast<uint16_t>(response.port)}, ""};
  std::string said(response.error_message.value_or(""));
  for (const auto& each : response.coordinators) {
    if (each.key != key_) continue;
    code = each.error_code;
    node = {each.node_id, {std::string(each.host), static_cast<uint16_t>(each.port)}, ""};
    said = each.error_message.value_or("");
  }
  if (code != Code::none || node.id < 0) {
    if (code == Code::none) code = Code::coordinator_not_available;
    std::string text = "the coordinator of " + key_ + " cannot be found: " + name_of(code) + ", " + meaning_of(code);
    if (!said.empty()) text += " (" + said + ")";
    return Error{static_cast<int32_t>(code), std::move(text),
                 remedy_of(code) == Remedy::none ? Verdict::refused : Verdict::retry};
  }
  node_ = node.id;
  // A broker that metadata has not told of yet; where it has, that is as good, and knows the rack.
  if (!cluster_->find_node(node.id)) cluster_->learn_node(std::move(node));
  return node_;
}

}  // namespace kq::client
