// What Metadata and DescribeTopicPartitions say alike: who leads, who follows, who is gone; who may do what.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "broker/cluster/image.hpp"
#include "broker/session.hpp"
#include "libkq/protocol/codes.hpp"

namespace kq::broker {

// A bit for each operation that an object knows, as there is no authorizer to take any away.
constexpr int32_t topic_operations_all = 0x0df8;               // READ WRITE CREATE DELETE ALTER DESCRIBE, DESCRIBE_CONFIGS ALTER_CONFIGS
constexpr int32_t cluster_operations_all = 0x1fa0;             // CREATE ALTER DESCRIBE CLUSTER_ACTION … IDEMPOTENT_WRITE

inline bool alive(const cluster::Image& image, int32_t id) {
  const cluster::BrokerImage* broker = image.broker(id);
  return broker != nullptr && !broker->fenced;
}

// Fills in everything but the replicas that only one of the two messages has.  Where the leader cannot be reached at the listener that
// was asked, the code says so.
template <class Partition>
void describe_partition(const Call& call, const cluster::Image& image, int32_t index, const cluster::PartitionImage& state, Code no_listener,
                        Partition& out) {
  const cluster::BrokerImage* leader = alive(image, state.leader) ? image.broker(state.leader) : nullptr;
  const bool reachable = leader != nullptr && leader->endpoint(call.session.listener) != nullptr;
  if (!reachable) out.error_code = leader ? no_listener : Code::leader_not_available;
  out.partition_index = index;
  out.leader_id = reachable ? state.leader : cluster::no_leader;
  out.leader_epoch = state.leader_epoch;
  out.replica_nodes = state.replicas;
  out.isr_nodes = state.isr;
  for (const int32_t replica : state.replicas)
    if (!alive(image, replica)) out.offline_replicas.push_back(replica);
}

}  // namespace kq::broker
