#include "libkq/client/config.hpp"

#include <algorithm>
#include <charconv>
#include <limits>

#include "libkq/client/offset_reset.hpp"
#include "libkq/record/compression.hpp"

namespace kq::client {
namespace {

constexpr uint8_t P = static_cast<uint8_t>(Role::producer);
constexpr uint8_t C = static_cast<uint8_t>(Role::consumer);
constexpr uint8_t A = static_cast<uint8_t>(Role::admin);

std::string_view or_empty(const char* text) { return text ? std::string_view(text) : std::string_view(); }

std::string range_text(int64_t least, int64_t most) {
  const bool open = most == std::numeric_limits<int64_t>::max() || most == std::numeric_limits<int32_t>::max();
  return std::to_string(least) + " .. " + (open ? "" : std::to_string(most));
}

// The n-th of "a|b|c".
std::string nth(std::string_view choices, size_t n) {
  for (; n > 0; --n) choices.remove_prefix(choices.find('|') + 1);
  return std::string(choices.substr(0, choices.find('|')));
}

std::vector<OptionInfo> make_options() {
  std::vector<OptionInfo> all = {
#define KQ_TIME(roles, name, alias, field, default, least, most, doc) \
  {name, or_empty(alias), "int", std::to_string(to_ms(default)), range_text(to_ms(least), to_ms(most)), doc, roles},
#define KQ_INT(roles, name, alias, field, default, least, most, doc) \
  {name, or_empty(alias), "int", std::to_string(default), range_text(least, most), doc, roles},
#define KQ_BYTES KQ_INT
#define KQ_FLAG(roles, name, alias, field, default, doc) \
  {name, or_empty(alias), "boolean", default ? "true" : "false", "true|false", doc, roles},
#define KQ_TEXT(roles, name, alias, field, default, doc) {name, or_empty(alias), "string", default, "", doc, roles},
#define KQ_LIST(roles, name, alias, field, default, doc) {name, or_empty(alias), "list", default, "", doc, roles},
#define KQ_CHOICE(roles, name, alias, field, type, default, choices, doc) \
  {name, or_empty(alias), "enum", nth(choices, static_cast<size_t>(type::default)), choices, doc, roles},
#include "libkq/client/config.def"
#include "libkq/client/config_undef.hpp"
  };
  std::sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  return all;
}

const std::vector<OptionInfo>& table() {
  static const std::vector<OptionInfo> all = make_options();
  return all;
}

size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = std::exchange(row[0], i);
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t replaced = diagonal + (a[i - 1] != b[j - 1]);
      diagonal = row[j];
      row[j] = std::min({replaced, row[j] + 1, row[j - 1] + 1});
    }
  }
  return row.back();
}

std::string_view nearest(std::string_view key) {
  std::string_view best;
  size_t least = std::numeric_limits<size_t>::max();
  for (const OptionInfo& option : table()) {
    for (const std::string_view name : {option.name, option.alias}) {
      if (name.empty()) continue;
      if (const size_t distance = edit_distance(key, name); distance < least) least = distance, best = name;
    }
  }
  return best;
}

std::string_view trimmed(std::string_view text) {
  const auto blank = [](char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; };
  while (!text.empty() && blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && blank(text.back())) text.remove_suffix(1);
  return text;
}

bool same_letters(std::string_view a, std::string_view b) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [&](char x, char y) { return lower(x) == lower(y); });
}

Error refused(const OptionInfo& option, std::string_view value, std::string_view why) {
  return {own_code::config, std::string(option.name) + "=" + std::string(value) + ": " + std::string(why)};
}

Result<int64_t> read_number(const OptionInfo& option, std::string_view value, int64_t least, int64_t most) {
  int64_t number = 0;
  const auto [end, failure] = std::from_chars(value.data(), value.data() + value.size(), number);
  const bool whole = failure == std::errc{} && end == value.data() + value.size();
  if (!whole || number < least || number > most) return refused(option, value, "a whole number is needed, " + option.allowed);
  return number;
}

Result<bool> read_flag(const OptionInfo& option, std::string_view value) {
  if (same_letters(value, "true") || value == "1") return true;
  if (same_letters(value, "false") || value == "0") return false;
  return refused(option, value, "true or false is needed");
}

Result<size_t> read_choice(const OptionInfo& option, std::string_view value) {
  std::string_view choices = option.allowed;
  for (size_t n = 0;; ++n) {
    const size_t bar = choices.find('|');
    if (same_letters(choices.substr(0, bar), value)) return n;
    if (bar == choices.npos) break;
    choices.remove_prefix(bar + 1);
  }
  if (option.name == "acks" && value == "-1") return size_t{0};
  return refused(option, value, "one of " + option.allowed + " is needed");
}

std::vector<std::string> read_list(std::string_view value) {
  std::vector<std::string> parts;
  while (!value.empty()) {
    const size_t comma = value.find(',');
    if (const auto part = trimmed(value.substr(0, comma)); !part.empty()) parts.emplace_back(part);
    value.remove_prefix(comma == value.npos ? value.size() : comma + 1);
  }
  return parts;
}

}  // namespace

std::span<const OptionInfo> options() { return table(); }

const OptionInfo* find_option(std::string_view key) {
  for (const OptionInfo& option : table())
    if (option.name == key || (!option.alias.empty() && option.alias == key)) return &option;
  return nullptr;
}

bool Config::was_set(std::string_view name) const { return std::find(set_.begin(), set_.end(), name) != set_.end(); }

Status Config::set(std::string_view key, std::string_view text) {
  const OptionInfo* option = find_option(key);
  if (!option) {
    return Error{own_code::config, "no option is called '" + std::string(key) + "'; the nearest is '" + std::string(nearest(key)) + "'"};
  }
  const std::string_view value = trimmed(text);
#define KQ_TIME(roles, key, alias, field, default, least, most, doc)                           \
  if (option->name == key) {                                                                   \
    KQ_TRY_ASSIGN(const int64_t number, read_number(*option, value, to_ms(least), to_ms(most))); \
    field = std::chrono::milliseconds(number);                                                 \
  }
#define KQ_INT(roles, key, alias, field, default, least, most, doc)                            \
  if (option->name == key) {                                                                   \
    KQ_TRY_ASSIGN(const int64_t number, read_number(*option, value, least, most));             \
    field = static_cast<decltype(field)>(number);                                              \
  }
#define KQ_BYTES KQ_INT
#define KQ_FLAG(roles, key, alias, field, default, doc)                 \
  if (option->name == key) {                                            \
    KQ_TRY_ASSIGN(const bool flag, read_flag(*option, value));          \
    field = flag;                                                       \
  }
#define KQ_TEXT(roles, key, alias, field, default, doc) if (option->name == key) field = value;
#define KQ_LIST(roles, key, alias, field, default, doc) if (option->name == key) field = read_list(value);
#define KQ_CHOICE(roles, key, alias, field, type, default, choices, doc)  \
  if (option->name == key) {                                              \
    KQ_TRY_ASSIGN(const size_t n, read_choice(*option, value));           \
    field = static_cast<type>(n);                                         \
  }
#include "libkq/client/config.def"
#include "libkq/client/config_undef.hpp"
  set_.push_back(option->name);
  return {};
}

Status Config::settle(Role role) {
  const auto clash = [](std::string text) { return Error{own_code::config, std::move(text)}; };
  if (bootstrap_servers.empty()) return clash("bootstrap.servers is not set: it names a broker to begin with, as in localhost:9092");
  if (security != Security::plaintext)
    return clash("security.protocol: this version of kq speaks PLAINTEXT alone; TLS and SASL are not there yet");
  if (reconnect_backoff > reconnect_backoff_max) reconnect_backoff_max = reconnect_backoff;
  if (retry_backoff > retry_backoff_max) retry_backoff_max = retry_backoff;
  if (recovery == Recovery::none) rebootstrap_after = Duration::max();
  if (role == Role::consumer) return settle_consumer();
  if (role != Role::producer) return {};

  // As with Java: what conflicts with idempotence turns it off, unless it was asked for.
  const bool conflict = acks != Acks::all || in_flight_max > 5 || retries == 0;
  if (idempotence && conflict) {
    if (was_set("enable.idempotence"))
      return clash("enable.idempotence=true needs acks=all, retries above 0, and max.in.flight.requests.per.connection of at most 5");
    idempotence = false;
  }
  if (!transactional_id.empty() && !idempotence)
    return clash("transactional.id needs enable.idempotence=true: acks=all, retries, and at most 5 requests in flight");
  if (delivery_timeout < linger + request_timeout) {
    if (was_set("delivery.timeout.ms") && (was_set("linger.ms") || was_set("request.timeout.ms")))
      return clash("delivery.timeout.ms has to be at least linger.ms + request.timeout.ms");
    // Whichever was left to us gives way.
    if (was_set("delivery.timeout.ms")) linger = std::min(linger, delivery_timeout / 2), request_timeout = delivery_timeout - linger;
    else delivery_timeout = linger + request_timeout;
  }
  if (!codec_levels(Codec::gzip).has(gzip_level))
    return clash("compression.gzip.level=" + std::to_string(gzip_level) + ": -1 or 1 .. 9 is needed");
  if (batch_bytes > buffer_memory) return clash("batch.size is larger than buffer.memory");
  return {};
}

Status Config::settle_consumer() const {
  KQ_TRY(OffsetReset::parse(offset_reset));
  for (const std::string& name : assignors)
    if (!configured_assignor(name))
      return Error{own_code::config, "partition.assignment.strategy: there is no '" + name +
                                         "'; known are range, roundrobin, sticky and cooperative-sticky"};
  if (group_protocol == GroupProtocol::consumer && was_set("partition.assignment.strategy"))
    return Error{own_code::config,
                 "partition.assignment.strategy is for group.protocol=classic; with consumer it is group.remote.assignor"};
  if (group_protocol == GroupProtocol::classic && heartbeat_interval >= session_timeout)
    return Error{own_code::config, "heartbeat.interval.ms has to be below session.timeout.ms; a third of it is usual"};
  return {};
}

Result<Config> Config::parse(Role role, std::span<const Setting> settings) {
  Config config;
  for (const auto& [key, value] : settings) KQ_TRY(config.set(key, value));
  KQ_TRY(config.settle(role));
  return config;
}

}  // namespace kq::client
