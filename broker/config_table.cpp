#include "broker/config_table.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <numeric>

namespace kq::broker {
namespace {

namespace table {
using enum ConfigType;
using enum Update;
constexpr bool listed = true, unlisted = false;

constexpr ValidValues any() { return {}; }
constexpr ValidValues not_empty() { return {.kind = ValidValues::Kind::not_empty}; }
constexpr ValidValues at_least(double low) { return {.kind = ValidValues::Kind::at_least, .low = low}; }
constexpr ValidValues between(double low, double high) { return {.kind = ValidValues::Kind::between, .low = low, .high = high}; }
constexpr ValidValues between_or(double low, double high, double or_else) {
  return {.kind = ValidValues::Kind::between_or, .low = low, .high = high, .or_else = or_else};
}
constexpr ValidValues one_of(const char* words) { return {.kind = ValidValues::Kind::one_of, .words = words}; }
constexpr ValidValues one_of_any_case(const char* words) { return {.kind = ValidValues::Kind::one_of_any_case, .words = words}; }
constexpr ValidValues list_of(const char* words) { return {.kind = ValidValues::Kind::list_of, .words = words}; }
constexpr ValidValues replicas() { return {.kind = ValidValues::Kind::replicas}; }
constexpr ValidValues offset_reset() { return {.kind = ValidValues::Kind::offset_reset}; }

#define KQ_TOPIC(...)
#define KQ_GROUP(...)
#define KQ_CLIENT_METRICS(...)
#define KQ_BROKER(name, type, value, valid, update, listed, what) {name, type, value, valid, update, "", listed, what},
constexpr ConfigKey broker[] = {
#include "broker/config.def"
};
#undef KQ_BROKER
#define KQ_BROKER(...)
#undef KQ_TOPIC
#define KQ_TOPIC(name, type, value, valid, stand_ins, listed, what) {name, type, value, valid, everywhere, stand_ins, listed, what},
constexpr ConfigKey topic[] = {
#include "broker/config.def"
};
#undef KQ_TOPIC
#define KQ_TOPIC(...)
#undef KQ_GROUP
#define KQ_GROUP(name, type, value, valid, what) {name, type, value, valid, everywhere, "", listed, what},
constexpr ConfigKey group[] = {
#include "broker/config.def"
};
#undef KQ_GROUP
#define KQ_GROUP(...)
#undef KQ_CLIENT_METRICS
#define KQ_CLIENT_METRICS(name, type, value, valid, what) {name, type, value, valid, everywhere, "", listed, what},
constexpr ConfigKey client_metrics[] = {
#include "broker/config.def"
};
#undef KQ_BROKER
#undef KQ_TOPIC
#undef KQ_GROUP
#undef KQ_CLIENT_METRICS
}  // namespace table

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c; }

bool same_but_case(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](char x, char y) { return lower(x) == lower(y); });
}

// Levenshtein's distance.
size_t distance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 0; i < a.size(); ++i) {
    size_t diagonal = std::exchange(row[0], i + 1);
    for (size_t j = 0; j < b.size(); ++j) {
      const size_t replaced = diagonal + (lower(a[i]) != lower(b[j]));
      diagonal = row[j + 1];
      row[j + 1] = std::min({replaced, row[j] + 1, diagonal + 1});
    }
  }
  return row.back();
}

Error invalid(const ConfigKey& key, std::string_view value, std::string why) {
  const std::string shown = key.sensitive() ? "[hidden]" : std::string(value);
  return {own_code::config, "Invalid value " + shown + " for configuration " + key.name + ": " + std::move(why)};
}

std::string plain(double number) {
  std::array<char, 32> text;
  return {text.data(), static_cast<size_t>(std::snprintf(text.data(), text.size(), "%.15g", number))};
}

// As Java prints a double: 2.0, 0.5, 1.0E7.
std::string java_double(double number) {
  constexpr double scientific_from = 1e7, scientific_below = 1e-3;
  const double size = number < 0 ? -number : number;
  const bool scientific = size >= scientific_from || (size < scientific_below && size > 0);
  std::array<char, 400> text;
  const auto end = std::to_chars(text.data(), text.data() + text.size(), number,
                                 scientific ? std::chars_format::scientific : std::chars_format::fixed).ptr;
  std::string mantissa(text.data(), end), exponent;
  if (const size_t e = mantissa.find('e'); e != mantissa.npos) {
    exponent = "E" + std::to_string(std::atoi(mantissa.c_str() + e + 1));
    mantissa.resize(e);
  }
  if (mantissa.find('.') == mantissa.npos) mantissa += ".0";
  return mantissa + exponent;
}

template <class Int>
std::optional<int64_t> parse_int(std::string_view text) {
  if (text.starts_with('+') && !text.starts_with("+-")) text.remove_prefix(1);
  Int value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::optional<double> parse_double(std::string_view text) {
  if (text.starts_with('+')) text.remove_prefix(1);
  double value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

Status check_range(const ConfigKey& key, double number, const std::string& shown) {
  using enum ValidValues::Kind;
  const ValidValues& valid = key.valid;
  switch (valid.kind) {
    case between_or:
      if ((number < valid.low || number > valid.high) && number != valid.or_else)
        return invalid(key, shown, "Value must be between " + plain(valid.low) + " and " + plain(valid.high) + " or equal to " +
                                       plain(valid.or_else));
      return {};
    case between:
      if (number > valid.high) return invalid(key, shown, "Value must be no more than " + plain(valid.high));
      [[fallthrough]];
    case at_least:
      if (number < valid.low) return invalid(key, shown, "Value must be at least " + plain(valid.low));
      return {};
    default: return {};
  }
}

template <class Int>
Status check_int(const ConfigKey& key, std::string_view value, const char* type) {
  const auto number = parse_int<Int>(value);
  if (!number) return invalid(key, value, std::string("Not a number of type ") + type);
  return check_range(key, static_cast<double>(*number), std::to_string(*number));
}

bool among(const char* words, std::string_view value, bool any_case) {
  for (const std::string_view word : split_list(words))
    if (any_case ? same_but_case(word, value) : word == value) return true;
  return false;
}

// "*", or partition:broker, …
bool names_replicas(const std::vector<std::string_view>& parts) {
  if (parts.size() == 1 && parts[0] == "*") return true;
  return std::all_of(parts.begin(), parts.end(), [](std::string_view part) {
    const size_t colon = part.find(':');
    return colon != part.npos && parse_int<int32_t>(part.substr(0, colon)) && parse_int<int32_t>(part.substr(colon + 1));
  });
}

Status check_list(const ConfigKey& key, std::string_view value) {
  const auto parts = split_list(value);
  if (key.valid.kind == ValidValues::Kind::replicas) {
    if (names_replicas(parts)) return {};
    return invalid(key, "[" + std::string(value) + "]",
                   std::string(key.name) + " must be the literal '*' or a list of replicas in the following format: "
                                           "[partitionId]:[brokerId],[partitionId]:[brokerId],...");
  }
  if (parts.empty() && key.valid.kind == ValidValues::Kind::not_empty)
    return Error(own_code::config,
                 std::string("Configuration '") + key.name + "' must not be empty. Valid values include: any non-empty value");
  for (const std::string_view part : parts) {
    if (part.empty()) return Error(own_code::config, std::string("Configuration '") + key.name + "' values must not be empty.");
    if (key.valid.kind == ValidValues::Kind::list_of && !among(key.valid.words, part, false))
      return invalid(key, part, std::string("String must be one of: ") + key.valid.words);
  }
  return {};
}

// by_duration:PnDTnHnMn.nS, at least one of the parts, in this order.
bool is_duration(std::string_view text) {
  constexpr std::string_view prefix = "by_duration:P", units = "DTHMS";
  if (!text.starts_with(prefix)) return false;
  text.remove_prefix(prefix.size());
  bool any = false;
  size_t from = 0;
  while (!text.empty()) {
    const size_t digits = std::min(text.find_first_not_of("0123456789."), text.size());
    if (digits == text.size()) return false;
    const size_t unit = units.find(text[digits], from);
    if (unit == units.npos || (units[unit] == 'T') != (digits == 0)) return false;
    if (unit > 1 && from < 2) return false;                       // hours and below come behind the T
    any |= digits > 0;
    from = unit + 1;
    text.remove_prefix(digits + 1);
  }
  return any;
}

Status check_string(const ConfigKey& key, std::string_view value) {
  using enum ValidValues::Kind;
  switch (key.valid.kind) {
    case one_of:
      if (!among(key.valid.words, value, false)) return invalid(key, value, std::string("String must be one of: ") + key.valid.words);
      return {};
    case one_of_any_case:
      if (!among(key.valid.words, value, true))
        return invalid(key, value, std::string("String must be one of (case insensitive): ") + key.valid.words);
      return {};
    case not_empty:
      if (value.empty()) return invalid(key, value, "String must be non-empty");
      return {};
    case offset_reset:
      if (value == "latest" || value == "earliest" || is_duration(value)) return {};
      return invalid(key, value, "Invalid value `" + std::string(value) + "` for configuration " + key.name +
                                     ". The value must be either 'earliest', 'latest' or of the format 'by_duration:<PnDTnHnMn.nS>'.");
    default: return {};
  }
}

}  // namespace

std::span<const ConfigKey> broker_keys() { return table::broker; }
std::span<const ConfigKey> topic_keys() { return table::topic; }
std::span<const ConfigKey> group_keys() { return table::group; }
std::span<const ConfigKey> client_metrics_keys() { return table::client_metrics; }

std::vector<std::string_view> ConfigKey::stand_in_names() const {
  std::vector<std::string_view> names;
  for (std::string_view left = stand_ins; !left.empty();) {
    const size_t blank = left.find(' ');
    names.push_back(left.substr(0, blank));
    left.remove_prefix(blank == left.npos ? left.size() : blank + 1);
  }
  return names;
}

const ConfigKey* find_key(std::span<const ConfigKey> keys, std::string_view name) {
  const auto at = std::find_if(keys.begin(), keys.end(), [&](const ConfigKey& key) { return name == key.name; });
  return at == keys.end() ? nullptr : &*at;
}

const ConfigKey& nearest_key(std::span<const ConfigKey> keys, std::string_view name) {
  const auto at = std::min_element(keys.begin(), keys.end(), [name](const ConfigKey& a, const ConfigKey& b) {
    return distance(a.name, name) < distance(b.name, name);
  });
  return *at;
}

Status check_value(const ConfigKey& key, std::string_view value) {
  const std::string_view text = trimmed(value);
  switch (key.type) {
    case ConfigType::boolean:
      if (same_but_case(text, "true") || same_but_case(text, "false")) return {};
      return invalid(key, value, "Expected value to be either true or false");
    case ConfigType::int32: return check_int<int32_t>(key, text, "INT");
    case ConfigType::int16: return check_int<int16_t>(key, text, "SHORT");
    case ConfigType::int64: return check_int<int64_t>(key, text, "LONG");
    case ConfigType::float64: {
      const auto number = parse_double(text);
      if (!number) return invalid(key, value, "Not a number of type DOUBLE");
      return check_range(key, *number, java_double(*number));
    }
    case ConfigType::list: return check_list(key, text);
    case ConfigType::string:
    case ConfigType::clazz:
    case ConfigType::password: return check_string(key, text);
  }
  return {};
}

std::string normal_value(const ConfigKey& key, std::string_view value) {
  const std::string_view text = trimmed(value);
  switch (key.type) {
    case ConfigType::boolean: return to_bool(text) ? "true" : "false";
    case ConfigType::int16:
    case ConfigType::int32:
    case ConfigType::int64: return std::to_string(to_int(text));
    case ConfigType::float64: return java_double(to_double(text));
    case ConfigType::list: {
      std::string joined;
      for (const std::string_view part : split_list(text)) joined += (joined.empty() ? "" : ",") + std::string(part);
      return joined;
    }
    default: return std::string(text);
  }
}

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view blanks = " \t\r\n\f\v";
  const size_t first = text.find_first_not_of(blanks);
  if (first == text.npos) return {};
  return text.substr(first, text.find_last_not_of(blanks) - first + 1);
}

std::vector<std::string_view> split_list(std::string_view value) {
  std::vector<std::string_view> parts;
  value = trimmed(value);
  while (!value.empty()) {
    const size_t comma = value.find(',');
    parts.push_back(trimmed(value.substr(0, comma)));
    if (comma == value.npos) break;
    value.remove_prefix(comma + 1);
    if (value.empty()) parts.emplace_back();             // a comma at the end: an empty part
  }
  return parts;
}

int64_t to_int(std::string_view value) { return parse_int<int64_t>(trimmed(value)).value_or(0); }
double to_double(std::string_view value) { return parse_double(trimmed(value)).value_or(0); }
bool to_bool(std::string_view value) { return same_but_case(trimmed(value), "true"); }

}  // namespace kq::broker
