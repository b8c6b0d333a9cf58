// What Cluster's sources share: a node's connection on one channel, or the making of it, and how observers are told.
#pragma once

#include <algorithm>

#include "libkq/client/cluster.hpp"

namespace kq::client {

// Bootstrap servers have connections before their node ids are known: under numbers that no node has.
constexpr int32_t bootstrap_id(size_t index) { return -2 - static_cast<int32_t>(index); }
constexpr bool is_bootstrap(int32_t id) { return id <= -2; }
constexpr size_t bootstrap_index(int32_t id) { return static_cast<size_t>(-2 - id); }

struct Cluster::Link {
  int32_t node;
  Channel channel;
  std::shared_ptr<Connection> connection{};
  bool making = false;
  uint64_t attempts_ended = 0;
  int failures = 0;
  Instant not_before{};
  std::optional<Error> failure{};

  bool usable() const { return connection && connection->usable(); }
};

template <class Call>
void Cluster::tell(Call call) {
  const auto observers = observers_;
  for (ClusterObserver* observer : observers)
    if (std::find(observers_.begin(), observers_.end(), observer) != observers_.end()) call(*observer);
}

}  // namespace kq::client
