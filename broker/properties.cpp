#include "libkq/base/properties.hpp"

#include "broker/config.hpp"

namespace kq::broker {

Result<Settings> parse_properties(std::string_view text) {
  KQ_TRY_ASSIGN(auto properties, kq::parse_properties(text));
  Settings settings;
  for (auto& [key, value] : properties) settings[std::move(key)] = std::move(value);
  return settings;
}

}  // namespace kq::broker
