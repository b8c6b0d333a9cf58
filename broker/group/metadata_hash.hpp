// The topics that a group subscribes to, as they are, in one number: another number means another assignment.  kq's own, not Kafka's.
#pragma once

#include <functional>
#include <optional>
#include <set>
#include <string>

#include "broker/cluster/image.hpp"

namespace kq::group {

constexpr int64_t hash_of_nothing = static_cast<int64_t>(0xcbf29ce484222325);  // FNV-1a's basis

// Nothing: none of the topics is there.
std::optional<int64_t> hash_of(const cluster::Image&, const std::set<std::string, std::less<>>& topics);

}  // namespace kq::group
