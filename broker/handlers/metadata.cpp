// Metadata, key 3, v0-13.  v1: rack, controller, internal; null for all topics.  v2: cluster id.  v4: may it create?  v5: offline
// replicas.  v7: leader epoch.  v8: operations.  v9: flexible.  v10: topic ids.  v12: topics by id.  v13: error at the top.
#include <set>

#include "broker/broker.hpp"
#include "broker/cluster/auto_topics.hpp"
#include "broker/cluster/controller.hpp"
#include "broker/cluster/topic_name.hpp"
#include "broker/handlers/describe_partition.hpp"
#include "broker/handlers/handlers.hpp"

namespace kq::broker {
namespace {

using Topic = MetadataResponse::MetadataResponseTopic;

constexpr int16_t ids_from = 12;                       // topics are asked for by id from here on
constexpr int16_t listeners_told_from = 6;             // before, a missing listener is no available leader

// What is asked for, each once, in order.
struct Wanted {
  bool all = false;
  std::vector<std::string_view> names;
  std::vector<Uuid> ids;
  Code refused = Code::none;
};

Wanted wanted(const Call& call, const MetadataRequest& request) {
  Wanted out;
  out.all = !request.topics || (call.version == 0 && request.topics->empty());
  if (out.all) return out;
  std::set<std::string_view> names;
  std::set<Uuid> ids;
  for (const auto& topic : *request.topics) {
    const bool by_id = !topic.topic_id.is_zero();
    if (call.version < ids_from ? by_id || !topic.name : !by_id && !topic.name) out.refused = Code::invalid_request;
    if (by_id && ids.insert(topic.topic_id).second) out.ids.push_back(topic.topic_id);
    if (!by_id && topic.name && names.insert(*topic.name).second) out.names.push_back(*topic.name);
  }
  if (!out.ids.empty()) out.names.clear();             // one or the other, and ids go first
  return out;
}

MetadataResponse refusal(const MetadataRequest& request, Code code) {
  MetadataResponse response;
  for (const auto& asked : *request.topics) {
    Topic& topic = response.topics.emplace_back();
    topic.error_code = code;
    topic.name = asked.name.value_or("");
    topic.topic_id = asked.topic_id;
  }
  return response;
}

void add_brokers(const Broker& broker, const Call& call, MetadataResponse& response) {
  for (const auto& [id, state] : call.image->brokers) {
    const cluster::Endpoint* endpoint = state->fenced ? nullptr : state->endpoint(call.session.listener);
    if (!endpoint) continue;
    auto& node = response.brokers.emplace_back();
    node.node_id = id;
    node.host = endpoint->host;
    node.port = endpoint->port;
    if (state->rack) node.rack = *state->rack;
  }
  response.cluster_id = broker.cluster_id;
  // Clients send here what is the controller's, and any broker passes it on.
  response.controller_id = response.brokers.empty() ? -1 : broker.config.node_id;
}

Topic& add_topic(const Call& call, const cluster::TopicImage& state, MetadataResponse& response) {
  Topic& topic = response.topics.emplace_back();
  topic.name = state.name;
  topic.topic_id = state.id;
  topic.is_internal = cluster::is_internal_topic(state.name);
  const Code no_listener = call.version >= listeners_told_from ? Code::listener_not_found : Code::leader_not_available;
  topic.partitions.reserve(state.partitions.size());
  for (size_t i = 0; i < state.partitions.size(); ++i) {
    const auto index = static_cast<int32_t>(i);
    if (const auto* partition = state.partition(index))
      describe_partition(call, *call.image, index, *partition, no_listener, topic.partitions.emplace_back());
  }
  return topic;
}

void add_missing(std::string_view name, Code code, MetadataResponse& response) {
  Topic& topic = response.topics.emplace_back();
  topic.error_code = code;
  topic.name = name;
  topic.is_internal = cluster::is_internal_topic(name);
}

// Creates what may be created.  The image moves on; what could not be created is told by its code.
awaitable<void> create_missing(Broker& broker, Call& call, const std::vector<std::string_view>& names, std::vector<Code>& codes) {
  CreateTopicsRequest request;
  std::vector<size_t> places;
  for (size_t i = 0; i < names.size(); ++i) {
    if (codes[i] != Code::unknown_topic_or_partition || names[i] == cluster::metadata_topic) continue;
    request.topics.push_back(auto_topic(broker.config, *call.image, names[i]));
    places.push_back(i);
  }
  if (places.empty()) co_return;
  const auto response = co_await broker.controller->create_topics(call, request);
  for (size_t i = 0; i < places.size(); ++i) {
    const Code code = response.topics[i].error_code;
    if (code != Code::topic_already_exists) codes[places[i]] = code;   // another request creates it just now: the client asks again
  }
  call.image = broker.image();
}

void add_operations(const MetadataRequest& request, const Call& call, MetadataResponse& response) {
  constexpr int16_t cluster_told_until = 10;
  if (request.include_cluster_authorized_operations && call.version <= cluster_told_until)
    response.cluster_authorized_operations = cluster_operations_all;
  if (!request.include_topic_authorized_operations) return;
  for (Topic& topic : response.topics)
    if (topic.error_code != Code::unknown_topic_id) topic.topic_authorized_operations = topic_operations_all;
}

}  // namespace

awaitable<MetadataResponse> handle(Broker& broker, Call& call, const MetadataRequest& request) {
  const Wanted asked = wanted(call, request);
  if (asked.refused != Code::none) co_return refusal(request, asked.refused);

  std::vector<std::string_view> missing;
  std::vector<Code> codes;
  for (const std::string_view name : asked.names) {
    if (call.image->topic(name)) continue;
    missing.push_back(name);
    codes.push_back(cluster::topic_name_fault(name) ? Code::invalid_topic_exception : Code::unknown_topic_or_partition);
  }
  if (!missing.empty() && request.allow_auto_topic_creation && broker.config.auto_create_topics_enable)
    co_await create_missing(broker, call, missing, codes);

  MetadataResponse response;
  add_brokers(broker, call, response);
  for (const Uuid& id : asked.ids)
    if (!call.image->topic(id)) {
      Topic& topic = response.topics.emplace_back();
      topic.error_code = Code::unknown_topic_id;
      topic.name.reset();
      topic.topic_id = id;
    }
  if (asked.all) call.image->topics.for_each([&](const auto&, const auto& topic) { add_topic(call, *topic, response); });
  for (const Uuid& id : asked.ids)
    if (const auto* topic = call.image->topic(id)) add_topic(call, *topic, response);
  for (const std::string_view name : asked.names)
    if (const auto* topic = call.image->topic(name)) add_topic(call, *topic, response);
  for (size_t i = 0; i < missing.size(); ++i)
    if (!call.image->topic(missing[i])) add_missing(missing[i], codes[i] == Code::none ? Code::unknown_topic_or_partition : codes[i], response);
  add_operations(request, call, response);
  co_return response;
}

}  // namespace kq::broker
