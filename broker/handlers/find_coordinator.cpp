// FindCoordinator, key 10, v0-6.  v1: key type.  v3: flexible.  v4: several keys (KIP-699).  v6: share coordinators (KIP-932).
#include "broker/broker.hpp"
#include "broker/cluster/auto_topics.hpp"
#include "broker/cluster/controller.hpp"
#include "broker/coordinator/runtime.hpp"
#include "broker/handlers/handlers.hpp"
#include "broker/handlers/share_states.hpp"

namespace kq::broker {
namespace {

constexpr int16_t batched_from = 4, share_from = 6;

struct Found {
  Code code = Code::none;
  int32_t node_id = -1;
  std::string_view host{};
  int32_t port = -1;
};

// `group:topicId:partition`
bool is_share_key(std::string_view key) {
  const size_t last = key.rfind(':');
  if (last == std::string_view::npos || last == 0) return false;
  const size_t middle = key.rfind(':', last - 1);
  if (middle == std::string_view::npos || middle == 0) return false;
  const std::string_view partition = key.substr(last + 1);
  return Uuid::parse(key.substr(middle + 1, last - middle - 1)) && !partition.empty() && partition.size() <= 10 &&
         partition.find_first_not_of("0123456789") == std::string_view::npos;
}

// One that exists and that kqd does not have is not there now: a client that only wants its own partitions goes on without it.
bool known(CoordinatorType type) { return type >= CoordinatorType::group && type <= CoordinatorType::share; }

Code check(const Call& call, CoordinatorType type, std::string_view key) {
  if (type != CoordinatorType::share) return Code::none;
  return call.version >= share_from && is_share_key(key) ? Code::none : Code::invalid_request;
}

Found look_up(const Call& call, const coordinator::Runtime& runtime, std::string_view key) {
  const Found nobody{.code = Code::coordinator_not_available};
  const cluster::TopicImage* topic = call.image->topic(runtime.topic());
  if (!topic || topic->partitions.empty()) return nobody;
  const auto* partition = topic->partition(coordinator::partition_of(key, static_cast<int32_t>(topic->partitions.size())));
  const cluster::BrokerImage* leader = partition ? call.image->broker(partition->leader) : nullptr;
  const cluster::Endpoint* endpoint = leader && !leader->fenced ? leader->endpoint(call.session.listener) : nullptr;
  if (!endpoint) return nobody;
  return {.node_id = leader->id, .host = endpoint->host, .port = endpoint->port};
}

}  // namespace

// Made when it is first wanted.  The image moves on.
awaitable<void> ensure_topic(Broker& broker, Call& call, std::string_view name) {
  if (call.image->topic(name)) co_return;
  CreateTopicsRequest request;
  request.topics.push_back(auto_topic(broker.config, *call.image, name));
  const auto created = co_await broker.controller->create_topics(call, request);
  const Code code = created.topics.at(0).error_code;
  if (code != Code::none && code != Code::topic_already_exists)
    broker.peer_log.write("cannot create " + std::string(name) + ": " + name_of(code));
  call.image = broker.image();
}

awaitable<FindCoordinatorResponse> handle(Broker& broker, Call& call, const FindCoordinatorRequest& request) {
  FindCoordinatorResponse response;
  const auto type = CoordinatorType{request.key_type};
  const coordinator::Runtime* runtime = broker.coordinator(type);
  if (runtime) co_await ensure_topic(broker, call, runtime->topic());
  const auto find = [&](std::string_view key) -> Found {
    if (!runtime) return {.code = known(type) ? Code::coordinator_not_available : Code::invalid_request};
    const Code code = check(call, type, key);
    return code == Code::none ? look_up(call, *runtime, key) : Found{.code = code};
  };
  if (call.version < batched_from) {
    const Found found = find(request.key_);
    response.error_code = found.code;
    response.error_message = name_of(found.code);
    response.node_id = found.node_id;
    response.host = found.host;
    response.port = found.port;
    co_return response;
  }
  for (const std::string_view key : request.coordinator_keys) {
    const Found found = find(key);
    auto& coordinator = response.coordinators.emplace_back();
    coordinator.key = key;
    coordinator.error_code = found.code;
    coordinator.node_id = found.node_id;
    coordinator.host = found.host;
    coordinator.port = found.port;
  }
  co_return response;
}

}  // namespace kq::broker
