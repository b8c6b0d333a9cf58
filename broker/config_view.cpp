#include "broker/config_view.hpp"

#include <algorithm>

#include "broker/config_table.hpp"

namespace kq::broker {
namespace {

using cluster::Image;
using cluster::ResourceType;

// Keys of which the stronger hides the weaker: Kafka's names for one setting in several units.
constexpr const char* families[][3] = {
    {"log.retention.ms", "log.retention.minutes", "log.retention.hours"},
    {"log.roll.ms", "log.roll.hours", nullptr},
    {"log.roll.jitter.ms", "log.roll.jitter.hours", nullptr},
    {"log.flush.interval.ms", "log.flush.scheduler.interval.ms", nullptr},
};

std::vector<std::string_view> family_of(std::string_view name) {
  for (const auto& family : families) {
    const bool in = std::any_of(std::begin(family), std::end(family), [&](const char* member) { return member && name == member; });
    // Only what leads to the scheduler's interval asks for it, not the other way round.
    if (!in || name == "log.flush.scheduler.interval.ms") continue;
    std::vector<std::string_view> names;
    for (const char* member : family)
      if (member) names.emplace_back(member);
    return names;
  }
  return {name};
}

std::optional<std::string> shown(const ConfigKey& key, std::string_view value) {
  if (key.sensitive()) return std::nullopt;
  return std::string(trimmed(value));
}

// Everything that is set for the broker's key or one of its family, by layer; the list starts at the key itself, as Kafka's does.
std::vector<ConfigSynonym> broker_synonyms(const BrokerLayers& layers, std::string_view name) {
  std::vector<ConfigSynonym> out;
  const auto names = family_of(name);
  const auto add = [&](const Settings& layer, ConfigSource source) {
    for (const auto member : names)
      if (const auto at = layer.find(member); at != layer.end())
        out.push_back({std::string(member), shown(*find_key(broker_keys(), member), at->second), source});
  };
  add(layers.of_broker, ConfigSource::dynamic_broker);
  add(layers.of_all_brokers, ConfigSource::dynamic_default_broker);
  add(layers.of_file, ConfigSource::static_broker);
  for (const auto member : names) {
    const ConfigKey* key = find_key(broker_keys(), member);
    if (key->default_value) out.push_back({std::string(member), shown(*key, key->default_value), ConfigSource::default_value});
  }
  const auto first = std::find_if(out.begin(), out.end(), [&](const ConfigSynonym& s) { return s.name == name; });
  out.erase(out.begin(), first);
  return out;
}

ConfigEntry entry_of(const ConfigKey& key) {
  ConfigEntry entry;
  entry.name = key.name;
  entry.sensitive = key.sensitive();
  entry.type = static_cast<int8_t>(key.type);
  entry.what = key.what;
  return entry;
}

std::optional<std::string> default_of(const ConfigKey& key) {
  if (!key.default_value) return std::nullopt;
  return key.default_value;
}

// A setting that no table knows: Kafka keeps what somebody gives a broker for a plugin, and shows none of it.
ConfigEntry unknown_entry(const std::string& name, ConfigSource source) {
  ConfigEntry entry;
  entry.name = name;
  entry.read_only = entry.sensitive = true;
  entry.source = source;
  entry.synonyms.push_back({name, std::nullopt, source});
  return entry;
}

void add_unknown(const Settings& layer, ConfigSource source, std::vector<ConfigEntry>& out) {
  for (const auto& [name, value] : layer)
    if (!find_key(broker_keys(), name)) out.push_back(unknown_entry(name, source));
}

// Of groups and subscriptions: their own value over `fallback`.
ConfigEntry own_entry(const ConfigKey& key, const Settings& own, ConfigSource source, std::optional<std::string> fallback) {
  ConfigEntry entry = entry_of(key);
  entry.value = std::move(fallback);
  if (const auto at = own.find(key.name); at != own.end()) {
    entry.value = at->second;
    entry.source = source;
    entry.synonyms.push_back({key.name, at->second, source});
  }
  return entry;
}

}  // namespace

BrokerLayers broker_layers(const Config& config, const Image& image) {
  return {image.config(ResourceType::broker, std::to_string(config.node_id)), image.config(ResourceType::broker, ""), config.settings};
}

Result<Config> current_config(const Config& config, const Image& image) {
  const BrokerLayers layers = broker_layers(config, image);
  Settings merged = layers.of_file;
  for (const Settings* layer : {&layers.of_all_brokers, &layers.of_broker})
    for (const auto& [name, value] : *layer)
      if (const ConfigKey* key = find_key(broker_keys(), name); key && key->update != Update::never) merged[name] = value;
  return Config::from(std::move(merged));
}

TopicConfig topic_defaults(const Config& config, const Image& image) {
  const BrokerLayers layers = broker_layers(config, image);
  return config.topic_defaults(layers.of_broker, layers.of_all_brokers);
}

TopicConfig topic_config(const Config& config, const Image& image, std::string_view topic) {
  return topic_defaults(config, image).with(image.config(ResourceType::topic, topic));
}

std::vector<ConfigEntry> topic_config_entries(const Config& config, const Image& image, std::string_view topic) {
  const BrokerLayers layers = broker_layers(config, image);
  const Settings* const stack[] = {&layers.of_broker, &layers.of_all_brokers, &layers.of_file};
  const Settings& own = image.config(ResourceType::topic, topic);
  std::vector<ConfigEntry> out;
  for (const ConfigKey& key : topic_keys()) {
    const auto at = own.find(key.name);
    if (!key.listed && at == own.end()) continue;
    ConfigEntry entry = entry_of(key);
    entry.value = at != own.end() ? normal_value(key, at->second) : topic_default(key, stack);
    const auto stand_ins = key.stand_in_names();
    if (!stand_ins.empty()) entry.synonyms = broker_synonyms(layers, stand_ins[0]);
    if (at != own.end()) entry.synonyms.insert(entry.synonyms.begin(), {key.name, entry.value, ConfigSource::topic});
    if (!entry.synonyms.empty()) entry.source = entry.synonyms[0].source;
    out.push_back(std::move(entry));
  }
  return out;
}

std::vector<ConfigEntry> broker_config_entries(const Config& config, const Image& image) {
  const BrokerLayers layers = broker_layers(config, image);
  std::vector<ConfigEntry> out;
  for (const ConfigKey& key : broker_keys()) {
    if (!key.listed) continue;
    ConfigEntry entry = entry_of(key);
    entry.read_only = key.update == Update::never;
    entry.synonyms = broker_synonyms(layers, key.name);
    if (!entry.synonyms.empty()) {
      entry.value = entry.synonyms[0].value;
      entry.source = entry.synonyms[0].source;
      if (entry.value && !entry.sensitive) entry.value = normal_value(key, *entry.value);
    }
    out.push_back(std::move(entry));
  }
  add_unknown(layers.of_broker, ConfigSource::dynamic_broker, out);
  add_unknown(layers.of_all_brokers, ConfigSource::dynamic_default_broker, out);
  add_unknown(layers.of_file, ConfigSource::static_broker, out);
  return out;
}

std::vector<ConfigEntry> broker_default_entries(const Config& config, const Image& image) {
  const BrokerLayers layers = broker_layers(config, image);
  std::vector<ConfigEntry> out;
  for (const auto& [name, value] : layers.of_all_brokers) {
    const ConfigKey* key = find_key(broker_keys(), name);
    if (!key) {
      out.push_back(unknown_entry(name, ConfigSource::dynamic_default_broker));
      continue;
    }
    ConfigEntry entry = entry_of(*key);
    entry.read_only = key->update == Update::never;
    entry.value = shown(*key, value);
    entry.source = ConfigSource::dynamic_default_broker;
    entry.synonyms.push_back({name, entry.value, entry.source});
    out.push_back(std::move(entry));
  }
  return out;
}

std::vector<ConfigEntry> group_config_entries(const Config& config, const Image& image, std::string_view group) {
  const BrokerLayers layers = broker_layers(config, image);
  std::vector<ConfigEntry> out;
  for (const ConfigKey& key : group_keys()) {
    auto fallback = default_of(key);
    const std::string of_broker = "group." + std::string(key.name);
    if (find_key(broker_keys(), of_broker)) {
      const auto synonyms = broker_synonyms(layers, of_broker);
      if (!synonyms.empty()) fallback = synonyms[0].value;
    }
    ConfigEntry entry = own_entry(key, image.config(ResourceType::group, group), ConfigSource::group, fallback);
    if (entry.synonyms.empty()) entry.synonyms.push_back({key.name, std::move(fallback), ConfigSource::default_value});
    out.push_back(std::move(entry));
  }
  return out;
}

std::vector<ConfigEntry> client_metrics_entries(const Image& image, std::string_view subscription) {
  std::vector<ConfigEntry> out;
  for (const ConfigKey& key : client_metrics_keys())
    out.push_back(own_entry(key, image.config(ResourceType::client_metrics, subscription), ConfigSource::client_metrics, default_of(key)));
  return out;
}

}  // namespace kq::broker
