// DescribeConfigs, key 32, v1-4.  v3: types and documentation.  v4: flexible.
#include <algorithm>

#include "broker/broker.hpp"
#include "broker/cluster/topic_name.hpp"
#include "broker/config_table.hpp"
#include "broker/config_view.hpp"
#include "broker/handlers/handlers.hpp"

namespace kq::broker {
namespace {

using cluster::ResourceType;
using Result = DescribeConfigsResponse::DescribeConfigsResult;
using Resource = DescribeConfigsRequest::DescribeConfigsResource;

struct Answer {
  std::vector<ConfigEntry> entries;
  Code code = Code::none;
  std::string message;
};

Answer refused(Code code, std::string message = {}) { return {{}, code, std::move(message)}; }
Answer told(std::vector<ConfigEntry> entries) { return {std::move(entries), Code::none, {}}; }

// Brokers know themselves, and what was set for all of them at once.
std::optional<Answer> check_node(const Config& config, std::string_view name, std::string_view expected) {
  if (!check_value(*find_key(broker_keys(), "broker.id"), name))
    return refused(Code::invalid_request, "Broker id must be an integer, but it is: " + std::string(name));
  if (to_int(name) == config.node_id) return std::nullopt;
  return refused(Code::invalid_request, "Unexpected broker id, expected " + std::to_string(config.node_id) + std::string(expected) +
                                            " received " + std::string(name));
}

Answer describe(const Config& config, const cluster::Image& image, const Resource& resource) {
  const std::string_view name = resource.resource_name;
  switch (static_cast<ResourceType>(resource.resource_type)) {
    case ResourceType::topic:
      if (auto fault = cluster::topic_name_fault(name)) return refused(Code::invalid_topic_exception, std::move(*fault));
      if (!image.topic(name)) return refused(Code::unknown_topic_or_partition);
      return told(topic_config_entries(config, image, name));
    case ResourceType::broker:
      if (name.empty()) return told(broker_default_entries(config, image));
      if (auto answer = check_node(config, name, " or empty string, but")) return std::move(*answer);
      return told(broker_config_entries(config, image));
    case ResourceType::broker_logger:
      if (name.empty()) return refused(Code::invalid_request, "Broker id must not be empty");
      if (auto answer = check_node(config, name, " but")) return std::move(*answer);
      return told({});                                   // kqd has no loggers of its own
    case ResourceType::client_metrics:
      if (name.empty()) return refused(Code::invalid_request, "Client metrics subscription name must not be empty");
      return told(client_metrics_entries(image, name));
    case ResourceType::group:
      if (name.empty()) return refused(Code::invalid_request, "Group name must not be empty");
      return told(group_config_entries(config, image, name));
    default: return refused(Code::invalid_request, "Unsupported resource type: " + std::to_string(resource.resource_type));
  }
}

void add_entry(Call& call, const DescribeConfigsRequest& request, ConfigEntry& entry, Result& result) {
  auto& out = result.configs.emplace_back();
  const auto keep = [&](std::optional<std::string>& value, std::optional<std::string_view>& to) {
    if (value) to = call.keep(std::move(*value));
    else to.reset();
  };
  out.name = call.keep(std::string(entry.name));         // it may be the image's
  keep(entry.value, out.value);
  out.read_only = entry.read_only;
  out.config_source = static_cast<int8_t>(entry.source);
  out.is_sensitive = entry.sensitive;
  if (request.include_synonyms)
    for (ConfigSynonym& synonym : entry.synonyms) {
      auto& to = out.synonyms.emplace_back();
      to.name = call.keep(std::move(synonym.name));
      keep(synonym.value, to.value);
      to.source = static_cast<int8_t>(synonym.source);
    }
  if (call.version < 3) return;
  out.config_type = entry.type;
  if (request.include_documentation && !entry.what.empty()) out.documentation = entry.what;
  else out.documentation.reset();
}

}  // namespace

awaitable<DescribeConfigsResponse> handle(Broker& broker, Call& call, const DescribeConfigsRequest& request) {
  DescribeConfigsResponse response;
  for (const Resource& resource : request.resources) {
    Answer answer = describe(broker.config, *call.image, resource);
    Result& result = response.results.emplace_back();
    result.error_code = answer.code;
    result.error_message = call.keep(std::move(answer.message));
    result.resource_type = resource.resource_type;
    result.resource_name = resource.resource_name;
    const auto& keys = resource.configuration_keys;
    const bool all = !keys || keys->empty();
    for (ConfigEntry& entry : answer.entries)
      if (all || std::ranges::find(*keys, entry.name) != keys->end()) add_entry(call, request, entry, result);
  }
  co_return response;
}

}  // namespace kq::broker
