// ListConfigResources, key 74, v0-1.  v0: client metrics alone.  v1: of every type (KIP-1142).
#include <algorithm>
#include <set>

#include "broker/broker.hpp"
#include "broker/cluster/image.hpp"
#include "broker/handlers/handlers.hpp"

namespace kq::broker {
namespace {

using cluster::ResourceType;

constexpr ResourceType every_type[] = {ResourceType::topic, ResourceType::broker, ResourceType::broker_logger,
                                       ResourceType::client_metrics, ResourceType::group};

std::set<ResourceType> wanted_types(const Call& call, const ListConfigResourcesRequest& request) {
  if (call.version == 0) return {ResourceType::client_metrics};
  std::set<ResourceType> types;
  for (const int8_t type : request.resource_types) types.insert(static_cast<ResourceType>(type));
  if (types.empty()) types.insert(std::begin(every_type), std::end(every_type));
  return types;
}

// Topics and brokers whether anything is set for them or not; of the others, those for which something is.
std::vector<std::string> names_of(const Call& call, ResourceType type) {
  const cluster::Image& image = *call.image;
  std::vector<std::string> names;
  if (type == ResourceType::topic) {
    image.topics.for_each([&](const std::string& name, const auto&) { names.push_back(name); });
  } else if (type == ResourceType::broker || type == ResourceType::broker_logger) {
    for (const auto& [id, state] : image.brokers)
      if (!state->fenced && state->endpoint(call.session.listener)) names.push_back(std::to_string(id));
  } else {
    image.configs.for_each([&](const cluster::ConfigResource& resource, const auto&) {
      if (resource.type == type) names.push_back(resource.name);
    });
  }
  return names;
}

}  // namespace

awaitable<ListConfigResourcesResponse> handle(Broker&, Call& call, const ListConfigResourcesRequest& request) {
  ListConfigResourcesResponse response;
  for (const ResourceType type : wanted_types(call, request)) {
    if (std::find(std::begin(every_type), std::end(every_type), type) == std::end(every_type)) {
      response = {};
      response.error_code = Code::unsupported_version;
      co_return response;
    }
    for (std::string& name : names_of(call, type)) {
      auto& told = response.config_resources.emplace_back();
      told.resource_name = call.keep(std::move(name));
      told.resource_type = static_cast<int8_t>(type);
    }
  }
  co_return response;
}

}  // namespace kq::broker
