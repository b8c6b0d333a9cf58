// Settings of a resource: edits applied and checked (ConfigurationControlManager of Kafka).
#include <algorithm>

#include "broker/cluster/decide.hpp"
#include "broker/cluster/topic_name.hpp"
#include "broker/config_table.hpp"

namespace kq::broker {
namespace {

using cluster::ConfigMap;
using cluster::ConfigResource;
using cluster::Fault;
using cluster::Image;
using cluster::ResourceType;

constexpr std::string_view min_isr = "min.insync.replicas";
constexpr std::string_view elr_feature = "eligible.leader.replicas.version";

std::span<const ConfigKey> keys_of(ResourceType type) {
  switch (type) {
    case ResourceType::topic: return topic_keys();
    case ResourceType::broker: return broker_keys();
    case ResourceType::client_metrics: return client_metrics_keys();
    case ResourceType::group: return group_keys();
    default: return {};
  }
}

// What APPEND and SUBTRACT start from: the parts of what is set, else of the default.
std::vector<std::string> parts_of(const ConfigKey& key, const std::optional<std::string>& value) {
  std::vector<std::string> parts;
  for (const auto part : split_list(value ? std::string_view(*value) : key.default_value ? key.default_value : ""))
    if (!part.empty()) parts.emplace_back(part);
  return parts;
}

std::string joined(const std::vector<std::string>& parts) {
  std::string out;
  for (const auto& part : parts) out += (out.empty() ? "" : ",") + part;
  return out;
}

std::optional<Fault> edit_list(const ConfigResource& resource, const ConfigEdit& edit, std::optional<std::string>& value) {
  const bool append = edit.operation == ConfigOperation::append;
  const ConfigKey* key = find_key(keys_of(resource.type), edit.name);
  if (!key || key->type != ConfigType::list)
    return Fault{Code::invalid_config, std::string("Can't ") + (append ? "APPEND" : "SUBTRACT") + " to key " + std::string(edit.name) +
                                           " because its type is not LIST."};
  auto parts = parts_of(*key, value);
  for (const auto part : split_list(*edit.value)) {
    const auto at = std::find(parts.begin(), parts.end(), part);
    if (append && at == parts.end()) parts.emplace_back(part);
    if (!append && at != parts.end()) parts.erase(at);
  }
  value = joined(parts);
  return std::nullopt;
}

std::optional<Fault> edit(const ConfigResource& resource, const ConfigEdit& edit, std::optional<std::string>& value) {
  switch (edit.operation) {
    case ConfigOperation::set: value = std::string(*edit.value); return std::nullopt;
    case ConfigOperation::remove: value.reset(); return std::nullopt;
    case ConfigOperation::append:
    case ConfigOperation::subtract: return edit_list(resource, edit, value);
  }
  return Fault{Code::invalid_request, "Unknown operation type " + std::to_string(static_cast<int>(edit.operation))};
}

// ---- What a resource's settings may be, all of them together -------------------------------------------------------------

std::optional<Fault> check_values(ResourceType type, const ConfigMap& settings, const char* unknown, Code unknown_code) {
  for (const auto& [name, value] : settings) {
    const ConfigKey* key = find_key(keys_of(type), name);
    if (!key) return Fault{unknown_code, unknown + name};
    if (const Status status = check_value(*key, value); !status) return Fault{Code::invalid_config, status.error().message()};
  }
  return std::nullopt;
}

std::optional<Fault> check_topic(const Config& config, const std::string& name, const ConfigMap& settings) {
  if (name.empty()) return Fault{Code::invalid_request, "Default topic resources are not allowed."};
  if (auto fault = cluster::topic_name_fault(name)) return Fault{Code::invalid_topic_exception, std::move(*fault)};
  if (auto fault = check_values(ResourceType::topic, settings, "Unknown topic config name: ", Code::invalid_config)) return fault;
  const TopicConfig topic = config.topic_defaults({}, {}).with(settings);
  if (topic.min_compaction_lag_ms > topic.max_compaction_lag_ms)
    return Fault{Code::invalid_config, "conflict topic config setting min.compaction.lag.ms (" + std::to_string(topic.min_compaction_lag_ms) +
                                           ") > max.compaction.lag.ms (" + std::to_string(topic.max_compaction_lag_ms) + ")"};
  if (const auto remote = settings.find("remote.storage.enable"); remote != settings.end() && to_bool(remote->second))
    return Fault{Code::invalid_config,
                 "Tiered Storage functionality is disabled in the broker. Topic cannot be configured with remote log storage."};
  return std::nullopt;
}

// A group's setting lies between two of the brokers'.
struct GroupBound {
  const char* key;
  const char* low;
  const char* high;
};
constexpr GroupBound group_bounds[] = {
    {"consumer.heartbeat.interval.ms", "group.consumer.min.heartbeat.interval.ms", "group.consumer.max.heartbeat.interval.ms"},
    {"consumer.session.timeout.ms", "group.consumer.min.session.timeout.ms", "group.consumer.max.session.timeout.ms"},
    {"share.heartbeat.interval.ms", "group.share.min.heartbeat.interval.ms", "group.share.max.heartbeat.interval.ms"},
    {"share.session.timeout.ms", "group.share.min.session.timeout.ms", "group.share.max.session.timeout.ms"},
    {"share.record.lock.duration.ms", "group.share.min.record.lock.duration.ms", "group.share.max.record.lock.duration.ms"},
    {"streams.heartbeat.interval.ms", "group.streams.min.heartbeat.interval.ms", "group.streams.max.heartbeat.interval.ms"},
    {"streams.session.timeout.ms", "group.streams.min.session.timeout.ms", "group.streams.max.session.timeout.ms"},
    {"streams.num.standby.replicas", nullptr, "group.streams.max.standby.replicas"},
};

int64_t broker_value(const Config& config, const char* name) {
  const auto at = config.settings.find(name);
  return to_int(at != config.settings.end() ? std::string_view(at->second) : find_key(broker_keys(), name)->default_value);
}

std::optional<Fault> check_group(const Config& config, const std::string& name, const ConfigMap& settings) {
  if (name.empty()) return Fault{Code::invalid_request, "Default group resources are not allowed."};
  if (auto fault = check_values(ResourceType::group, settings, "Unknown group config name: ", Code::invalid_config)) return fault;
  for (const GroupBound& bound : group_bounds) {
    const auto at = settings.find(bound.key);
    if (at == settings.end()) continue;
    const int64_t value = to_int(at->second);
    if (bound.low && value < broker_value(config, bound.low))
      return Fault{Code::invalid_config, std::string(bound.key) + " must be greater than or equal to " + bound.low};
    if (value > broker_value(config, bound.high))
      return Fault{Code::invalid_config, std::string(bound.key) + " must be less than or equal to " + bound.high};
  }
  for (const std::string kind : {"consumer", "share", "streams"}) {
    const auto value = [&](const std::string& key) {
      const auto at = settings.find(kind + key);
      return at != settings.end() ? to_int(at->second) : broker_value(config, ("group." + kind + key).c_str());
    };
    if (value(".session.timeout.ms") <= value(".heartbeat.interval.ms"))
      return Fault{Code::invalid_config, kind + ".session.timeout.ms must be greater than " + kind + ".heartbeat.interval.ms"};
  }
  return std::nullopt;
}

// selector=pattern, …
constexpr std::string_view selectors[] = {"client_instance_id", "client_id",      "client_software_name", "client_software_version",
                                          "client_source_address", "client_source_port"};

std::optional<Fault> check_client_metrics(const std::string& name, const ConfigMap& settings) {
  if (name.empty()) return Fault{Code::invalid_request, "Subscription name can't be empty"};
  for (const auto& [key, value] : settings) {
    if (!find_key(client_metrics_keys(), key)) return Fault{Code::invalid_request, "Unknown client metrics configuration: " + key};
    if (key == "interval.ms" && !check_value(*find_key(client_metrics_keys(), key), value))
      return Fault{Code::invalid_request,
                   "Invalid value " + value + " for interval.ms, interval must be between 100 and 3600000 (1 hour)"};
    if (key != "match") continue;
    for (const auto pattern : split_list(value)) {
      const size_t equals = pattern.find('=');
      const auto selector = trimmed(pattern.substr(0, equals));
      if (equals == pattern.npos || std::find(std::begin(selectors), std::end(selectors), selector) == std::end(selectors))
        return Fault{Code::invalid_config, "Illegal client matching pattern: " + std::string(pattern)};
    }
  }
  return std::nullopt;
}

// Where eligible leader replicas are kept (KIP-966), the bound that they hang on is one for the whole cluster.
std::optional<Fault> check_min_isr(const Image& image, const ConfigResource& resource, const ConfigPlan& plan) {
  if (resource.type != ResourceType::broker || image.feature(elr_feature) == 0) return std::nullopt;
  for (const auto& [name, value] : plan.values) {
    if (name != min_isr) continue;
    if (!resource.name.empty())
      return Fault{Code::invalid_config, "Broker-level min.insync.replicas cannot be altered while ELR is enabled."};
    if (!value) return Fault{Code::invalid_config, "Cluster-level min.insync.replicas cannot be removed while ELR is enabled."};
  }
  return std::nullopt;
}

// Of brokers, what is set is checked; what is there already may be a newer Kafka's.
std::optional<Fault> check_broker(const ConfigResource& resource, const ConfigPlan& plan) {
  std::string never, each;
  for (const auto& [name, value] : plan.values) {
    const ConfigKey* key = find_key(broker_keys(), name);
    if (!key) continue;
    if (key->update == Update::never) never += (never.empty() ? "" : ", ") + name;
    if (key->update == Update::each && resource.name.empty()) each += (each.empty() ? "" : ", ") + name;
    if (!value) continue;
    if (const Status status = check_value(*key, *value); !status) return Fault{Code::invalid_request, status.error().message()};
  }
  if (!never.empty()) return Fault{Code::invalid_request, "Cannot update these configs dynamically: Set(" + never + ")"};
  if (!each.empty())
    return Fault{Code::invalid_request, "Cannot update these configs at default cluster level, broker id must be specified: Set(" + each + ")"};
  return std::nullopt;
}

std::optional<Fault> check(const Config& config, const Image& image, const ConfigResource& resource, const ConfigPlan& plan,
                           const ConfigMap& after) {
  switch (resource.type) {
    case ResourceType::topic: return check_topic(config, resource.name, after);
    case ResourceType::broker:
      if (auto fault = check_broker(resource, plan)) return fault;
      return check_min_isr(image, resource, plan);
    case ResourceType::client_metrics: return check_client_metrics(resource.name, after);
    case ResourceType::group: return check_group(config, resource.name, after);
    default: return Fault{Code::invalid_request, "Unknown resource type " + std::to_string(static_cast<int>(resource.type))};
  }
}

}  // namespace

ConfigPlan plan_config(const Config& config, const Image& image, const ConfigResource& resource, std::span<const ConfigEdit> edits) {
  ConfigPlan plan;
  const ConfigMap& before = image.config(resource.type, resource.name);
  ConfigMap after = before;
  for (const ConfigEdit& wanted : edits) {
    const auto at = before.find(wanted.name);
    std::optional<std::string> old;
    if (at != before.end()) old = at->second;
    std::optional<std::string> value = old;
    if ((plan.fault = edit(resource, wanted, value))) return plan;
    // A broker is told again what it has: that is how it is made to read a key store anew.
    if (value == old && resource.type != ResourceType::broker) continue;
    if (value) after.insert_or_assign(std::string(wanted.name), *value);
    else after.erase(std::string(wanted.name));
    plan.values.emplace_back(std::string(wanted.name), std::move(value));
  }
  plan.fault = check(config, image, resource, plan, after);
  return plan;
}

void add_config(cluster::Change& change, const ConfigResource& resource, const ConfigPlan& plan) {
  bool min_isr_changed = false;
  for (const auto& [name, value] : plan.values) {
    ConfigRecord record;
    record.resource_type = static_cast<int8_t>(resource.type);
    record.resource_name = resource.name;
    record.name = name;
    if (value) record.value = *value;
    else record.value.reset();
    change.add(record);
    min_isr_changed |= name == min_isr;
  }
  const bool of_topics = resource.type == ResourceType::topic || (resource.type == ResourceType::broker && resource.name.empty());
  if (!min_isr_changed || !of_topics || change.image().feature(elr_feature) == 0) return;
  ClearElrRecord record;                                   // who was eligible under the old bound is not under the new one
  if (resource.type == ResourceType::topic) record.topic_name = resource.name;
  change.add(record);
}

}  // namespace kq::broker
