// IncrementalAlterConfigs (KIP-339) and the older AlterConfigs: which resources may be altered here, and their edits.
#include <algorithm>
#include <map>
#include <set>

#include "broker/cluster/decide.hpp"
#include "broker/config_table.hpp"
#include "broker/session.hpp"

namespace kq::broker {
namespace {

using cluster::Change;
using cluster::ConfigMap;
using cluster::ConfigResource;
using cluster::Fault;
using cluster::ResourceType;

Fault refused(std::string why) { return {Code::invalid_request, std::move(why)}; }

ConfigOperation operation_of(const IncrementalAlterConfigsRequest::AlterableConfig& config) {
  return static_cast<ConfigOperation>(config.config_operation);
}
ConfigOperation operation_of(const AlterConfigsRequest::AlterableConfig&) { return ConfigOperation::set; }

// AlterConfigs names all that shall be set from now on.
void take_away_others(const ConfigMap&, const IncrementalAlterConfigsRequest::AlterConfigsResource&, std::vector<ConfigEdit>&) {}
void take_away_others(const ConfigMap& before, const AlterConfigsRequest::AlterConfigsResource&, std::vector<ConfigEdit>& edits) {
  const size_t named = edits.size();
  for (const auto& [name, value] : before) {
    const auto same = [&](const ConfigEdit& edit) { return edit.name == name; };
    if (std::none_of(edits.begin(), edits.begin() + static_cast<ptrdiff_t>(named), same))
      edits.push_back({name, ConfigOperation::remove, std::nullopt});
  }
}

template <class Resource>
std::optional<Fault> collect(const Resource& resource, std::vector<ConfigEdit>& edits) {
  std::set<std::string_view> names;
  std::string nulls;
  for (const auto& config : resource.configs) {
    if (!names.insert(config.name).second) return refused("Error due to duplicate config keys");
    const auto operation = operation_of(config);
    if (!config.value && operation != ConfigOperation::remove) nulls += (nulls.empty() ? "" : ", ") + std::string(config.name);
    if (operation < ConfigOperation::set || operation > ConfigOperation::subtract)
      return refused("Unknown operation type " + std::to_string(static_cast<int>(operation)));
    edits.push_back({config.name, operation, config.value});
  }
  if (!nulls.empty()) return refused("Null value not supported for : " + nulls);
  return std::nullopt;
}

// A broker alters itself, or all brokers at once.
std::optional<Fault> check_node(const Config& config, std::string_view name, const char* what) {
  const ConfigKey& node_id = *find_key(broker_keys(), "broker.id");                // an int of any sign
  if (!check_value(node_id, name)) return refused("Node id must be an integer, but it is: " + std::string(name));
  if (to_int(name) == config.node_id) return std::nullopt;
  return refused(std::string("Unexpected ") + what + std::to_string(config.node_id) + ", but received " + std::string(name));
}

template <class Resource>
std::optional<Fault> alter(const Deciding& with, Change& change, const Resource& resource) {
  std::vector<ConfigEdit> edits;
  if (auto fault = collect(resource, edits)) return fault;
  const ConfigResource target{static_cast<ResourceType>(resource.resource_type), std::string(resource.resource_name)};
  switch (target.type) {
    case ResourceType::broker_logger:
      if (auto fault = check_node(with.config, target.name, "node id. Expected ")) return fault;
      return Fault{Code::invalid_config, "kqd has no loggers whose levels could be set; start it with another log level instead."};
    case ResourceType::broker:
      if (target.name.empty()) break;
      if (auto fault = check_node(with.config, target.name, "broker id, expected ")) return fault;
      break;
    case ResourceType::topic:
    case ResourceType::client_metrics:
    case ResourceType::group: break;
    default: return refused("Unknown resource type " + std::to_string(resource.resource_type));
  }
  take_away_others(change.image().config(target.type, target.name), resource, edits);
  ConfigPlan plan = plan_config(with.config, change.image(), target, edits);
  if (plan.fault) return plan.fault;
  if (target.type == ResourceType::topic && !change.image().topic(target.name))
    return Fault{Code::unknown_topic_or_partition, "The topic '" + target.name + "' does not exist."};
  add_config(change, target, plan);
  return std::nullopt;
}

template <class Request>
typename Request::Response alter_all(const Deciding& with, Change& change, const Request& request) {
  typename Request::Response response;
  std::map<std::pair<int8_t, std::string_view>, int> counts;
  for (const auto& resource : request.resources) ++counts[{resource.resource_type, resource.resource_name}];
  for (const auto& resource : request.resources) {
    auto& answer = response.responses.emplace_back();
    answer.resource_type = resource.resource_type;
    answer.resource_name = resource.resource_name;
    std::optional<Fault> fault;
    if (counts[{resource.resource_type, resource.resource_name}] > 1) fault = refused("Each resource must appear at most once.");
    else fault = alter(with, change, resource);
    if (!fault) {
      answer.error_message.reset();
      continue;
    }
    answer.error_code = fault->code;
    answer.error_message = with.call.keep(std::move(fault->message));
  }
  return response;
}

}  // namespace

IncrementalAlterConfigsResponse decide(const Deciding& with, Change& change, const IncrementalAlterConfigsRequest& request) {
  return alter_all(with, change, request);
}
AlterConfigsResponse decide(const Deciding& with, Change& change, const AlterConfigsRequest& request) {
  return alter_all(with, change, request);
}

}  // namespace kq::broker
