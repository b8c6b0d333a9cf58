#include "libkq/api/config.hpp"

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <sstream>

#include "libkq/base/properties.hpp"

using namespace kq;
using namespace kq::api;

namespace kq::api {

Result<client::Config> parse_config(client::Role role, const kq_config* config) {
  if (!config) return null_argument("config");
  return client::Config::parse(role, config->settings);
}

namespace {

bool same_key(std::string_view a, std::string_view b) {
  if (a == b) return true;
  const client::OptionInfo* option = client::find_option(a);
  return option && option == client::find_option(b);
}

auto find(auto& settings, std::string_view key) {
  return std::ranges::find_if(settings, [&](const client::Setting& setting) { return same_key(setting.first, key); });
}

void set(kq_config& config, std::string_view key, const char* value) {
  const auto known = find(config.settings, key);
  if (known != config.settings.end()) config.settings.erase(known);
  if (value) config.settings.emplace_back(key, value);
}

Result<std::string> read_file(const char* path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  if (!file || !(text << file.rdbuf() || file.eof())) return system_error(std::string("cannot read ") + path, errno);
  return std::move(text).str();
}

// Options as C sees them, made once.
const std::vector<kq_option>& option_table() {
  static const std::vector<kq_option> table = [] {
    const auto text = [](std::string_view view) { return view.empty() ? nullptr : view.data(); };       // literals: zero-terminated
    std::vector<kq_option> options;
    for (const client::OptionInfo& info : client::options())
      options.push_back({sizeof(kq_option), info.name.data(), text(info.alias), info.type.data(),
                         info.default_value.empty() ? nullptr : info.default_value.c_str(),
                         info.allowed.empty() ? nullptr : info.allowed.c_str(), info.doc.data()});
    return options;
  }();
  return table;
}

}  // namespace
}  // namespace kq::api

kq_error* kq_config_new(kq_config** out) {
  return guard([&]() -> Status {
    KQ_API_ARGUMENT(out);
    *out = new kq_config;
    return {};
  });
}

void kq_config_free(kq_config* config) { delete config; }

kq_error* kq_config_set(kq_config* config, const char* key, const char* value) {
  return guard([&]() -> Status {
    KQ_API_ARGUMENT(config);
    KQ_API_ARGUMENT(key);
    set(*config, key, value);
    return {};
  });
}

kq_error* kq_config_load(kq_config* config, const char* path) {
  return guard([&]() -> Status {
    KQ_API_ARGUMENT(config);
    KQ_API_ARGUMENT(path);
    KQ_TRY_ASSIGN(const std::string text, read_file(path));
    auto properties = parse_properties(text);
    if (!properties) return std::move(properties.error()).in(path);
    for (const auto& [key, value] : *properties) set(*config, key, value.c_str());
    return {};
  });
}

const char* kq_config_get(const kq_config* config, const char* key) {
  if (!config || !key) return nullptr;
  const auto found = find(config->settings, key);
  return found != config->settings.end() ? found->second.c_str() : nullptr;
}

size_t kq_config_count(const kq_config* config) { return config ? config->settings.size() : 0; }

const char* kq_config_key_at(const kq_config* config, size_t index) {
  return config && index < config->settings.size() ? config->settings[index].first.c_str() : nullptr;
}

const char* kq_config_value_at(const kq_config* config, size_t index) {
  return config && index < config->settings.size() ? config->settings[index].second.c_str() : nullptr;
}

size_t kq_option_count() { return option_table().size(); }
const kq_option* kq_option_at(size_t index) { return index < option_table().size() ? &option_table()[index] : nullptr; }
