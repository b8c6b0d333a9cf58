// Kafka's numbers for kinds of things, and the names that kq.h gives them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "libkq/base/result.hpp"

namespace kq::client::admin {

struct Named {
  int8_t number;
  std::string_view name;
};

template <size_t N>
std::string_view name_in(const Named (&table)[N], int8_t number) {
  for (const Named& each : table)
    if (each.number == number) return each.name;
  return "unknown";
}

// `what` is the parameter's name, for the error.
template <size_t N>
Result<int8_t> number_in(const Named (&table)[N], std::string_view name, const char* what) {
  std::string all;
  for (const Named& each : table) {
    if (each.name == name) return each.number;
    all += (all.empty() ? "" : ", ") + std::string(each.name);
  }
  return Error(own_code::argument, std::string(what) + " is one of " + all + ", and not '" + std::string(name) + "'");
}

inline constexpr Named config_resource_types[] = {{2, "topic"}, {4, "broker"}, {8, "broker_logger"}, {16, "client_metrics"}, {32, "group"}};

}  // namespace kq::client::admin
