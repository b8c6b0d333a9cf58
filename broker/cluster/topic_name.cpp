#include "broker/cluster/topic_name.hpp"

#include <algorithm>

namespace kq::cluster {

std::optional<std::string> topic_name_fault(std::string_view name) {
  const std::string prefix = "Topic name is invalid: ";
  if (name.empty()) return prefix + "the empty string is not allowed";
  const std::string quoted = "'" + std::string(name) + "'";
  if (name == "." || name == "..") return prefix + quoted + " is not allowed";
  if (name.size() > topic_name_bytes_max)
    return prefix + "the length of " + quoted + " is longer than the max allowed length " + std::to_string(topic_name_bytes_max);
  const auto legal = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
  };
  if (!std::all_of(name.begin(), name.end(), legal))
    return prefix + quoted + " contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'";
  return std::nullopt;
}

bool may_collide(std::string_view name) { return name.find_first_of("._") != name.npos; }

std::string unified_name(std::string_view name) {
  std::string unified(name);
  std::replace(unified.begin(), unified.end(), '.', '_');
  return unified;
}

}  // namespace kq::cluster
