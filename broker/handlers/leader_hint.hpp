// Who leads instead: what an answer adds to NOT_LEADER_OR_FOLLOWER and FENCED_LEADER_EPOCH, so that a client need not ask (KIP-951).
#pragma once

#include <algorithm>

#include "broker/cluster/image.hpp"
#include "broker/session.hpp"
#include "libkq/protocol/codes.hpp"

namespace kq::broker {

inline bool tells_leader(Code code) { return code == Code::not_leader_or_follower || code == Code::fenced_leader_epoch; }

// Fills `current_leader` of a partition, and adds that node to `endpoints` unless it is there, at the listener that was asked.
template <class LeaderIdAndEpoch, class NodeEndpoint>
void add_leader_hint(const Call& call, const cluster::PartitionImage* partition, LeaderIdAndEpoch& current_leader,
                     std::vector<NodeEndpoint>& endpoints) {
  if (!partition) return;
  current_leader.leader_id = partition->leader;
  current_leader.leader_epoch = partition->leader_epoch;
  const cluster::BrokerImage* leader = call.image->broker(partition->leader);
  const cluster::Endpoint* endpoint = leader ? leader->endpoint(call.session.listener) : nullptr;
  if (!endpoint || std::ranges::any_of(endpoints, [&](const auto& known) { return known.node_id == leader->id; })) return;
  auto& added = endpoints.emplace_back();
  added.node_id = leader->id;
  added.host = endpoint->host;
  added.port = endpoint->port;
  if (leader->rack) added.rack = *leader->rack;
}

}  // namespace kq::broker
