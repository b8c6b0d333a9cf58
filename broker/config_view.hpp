// Configuration as DescribeConfigs tells it: what holds, where it comes from, and what stands behind it.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "broker/cluster/image.hpp"
#include "broker/config.hpp"

namespace kq::broker {

// The numbers of DescribeConfigs.
enum class ConfigSource : int8_t {
  topic = 1,
  dynamic_broker = 2,
  dynamic_default_broker = 3,
  static_broker = 4,
  default_value = 5,
  broker_logger = 6,
  client_metrics = 7,
  group = 8,
};

struct ConfigSynonym {
  std::string name;
  std::optional<std::string> value;
  ConfigSource source;
};

struct ConfigEntry {
  std::string_view name;                                 // the table's, or the image's
  std::optional<std::string> value;                      // null as well where it is sensitive
  bool read_only = false;
  ConfigSource source = ConfigSource::default_value;
  bool sensitive = false;
  std::vector<ConfigSynonym> synonyms;                   // what would hold, the strongest first
  int8_t type = 0;                                       // a ConfigType; 0: unknown
  std::string_view what;
};

// By name.  A topic, group or subscription without settings of its own is told what holds for it all the same.
std::vector<ConfigEntry> topic_config_entries(const Config&, const cluster::Image&, std::string_view topic);
std::vector<ConfigEntry> broker_config_entries(const Config&, const cluster::Image&);              // of this broker
std::vector<ConfigEntry> broker_default_entries(const Config&, const cluster::Image&);             // set for all brokers while running
std::vector<ConfigEntry> group_config_entries(const Config&, const cluster::Image&, std::string_view group);
std::vector<ConfigEntry> client_metrics_entries(const cluster::Image&, std::string_view subscription);

// The layers of a broker's settings, the strongest first: its own dynamic ones, those of all brokers, its file.
struct BrokerLayers {
  const Settings& of_broker;
  const Settings& of_all_brokers;
  const Settings& of_file;
};
BrokerLayers broker_layers(const Config&, const cluster::Image&);
// The configuration as it was changed while the broker runs, as far as it may change.
Result<Config> current_config(const Config&, const cluster::Image&);

// What holds for topics and for one of them.
TopicConfig topic_defaults(const Config&, const cluster::Image&);
TopicConfig topic_config(const Config&, const cluster::Image&, std::string_view topic);

}  // namespace kq::broker
