// The one table of configuration keys (config.def), and what a value of each may be.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "broker/config.hpp"
#include "libkq/base/result.hpp"

namespace kq::broker {

// The numbers of DescribeConfigs.
enum class ConfigType : int8_t { boolean = 1, string = 2, int32 = 3, int16 = 4, int64 = 5, float64 = 6, list = 7, clazz = 8, password = 9 };

// Which values of its type a key takes.
struct ValidValues {
  enum class Kind : uint8_t { any, at_least, between, between_or, one_of, one_of_any_case, list_of, not_empty, replicas, offset_reset };

  Kind kind = Kind::any;
  double low = 0, high = 0, or_else = 0;
  const char* words = "";                         // separated by ", "
};

// Who may be given another value while the broker runs.
enum class Update : uint8_t {
  never,
  everywhere,                                     // one broker, or all of them at once
  each,                                           // one broker only
};

struct ConfigKey {
  const char* name;
  ConfigType type;
  const char* default_value;                      // nullptr: null
  ValidValues valid;
  Update update;                                  // topics, groups and client metrics: everywhere
  const char* stand_ins;                          // of a topic's key: the broker's keys in order, separated by spaces
  bool listed;                                    // by DescribeConfigs
  const char* what;                               // one sentence

  bool sensitive() const { return type == ConfigType::password; }
  std::vector<std::string_view> stand_in_names() const;
};

// Each in the order of the names, kq's own last.
std::span<const ConfigKey> broker_keys();
std::span<const ConfigKey> topic_keys();
std::span<const ConfigKey> group_keys();
std::span<const ConfigKey> client_metrics_keys();

const ConfigKey* find_key(std::span<const ConfigKey>, std::string_view name);
// The key whose name is the fewest letters away; for "did you mean".
const ConfigKey& nearest_key(std::span<const ConfigKey>, std::string_view name);

// Is this a value of that key?  The error is worded as Kafka words it.
Status check_value(const ConfigKey&, std::string_view value);

// A value as Kafka writes it back: without blanks around it, lists without blanks, false for FALSE.  It has been checked.
std::string normal_value(const ConfigKey&, std::string_view value);

// Of a topic's key: what holds where the topic says nothing.  The layers are the broker's settings, the stronger first.
std::string topic_default(const ConfigKey&, std::span<const Settings* const> layers);

// The parts of a list, without blanks around them; an empty value has none.
std::vector<std::string_view> split_list(std::string_view value);
std::string_view trimmed(std::string_view text);

// Values that have been checked.
int64_t to_int(std::string_view value);
double to_double(std::string_view value);
bool to_bool(std::string_view value);

}  // namespace kq::broker
