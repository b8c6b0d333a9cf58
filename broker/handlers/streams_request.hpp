// What requests of streams groups have in common.
#pragma once

#include <algorithm>
#include <string_view>

#include "broker/broker.hpp"

namespace kq::broker {

constexpr std::string_view streams_version_feature = "streams.version";

// Are there streams groups in this cluster, and at this broker?
inline bool streams_enabled(const Broker& broker, const Call& call) {
  const auto& protocols = broker.config.group_coordinator_rebalance_protocols;
  return call.image->feature(streams_version_feature) >= 1 && std::ranges::find(protocols, "streams") != protocols.end();
}

}  // namespace kq::broker
