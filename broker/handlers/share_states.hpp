// What handlers of share groups ask the share coordinator for many partitions.
#pragma once

#include <set>

#include "broker/broker.hpp"
#include "broker/group/share_group.hpp"
#include "broker/share/coordinator.hpp"

namespace kq::broker {

// Made when it is first wanted; the call's image moves on (find_coordinator.cpp).
awaitable<void> ensure_topic(Broker&, Call&, std::string_view name);

// Gives each partition a state that starts at `start` (share::uninitialized_offset: where the group's reset says).
struct StatesMade {
  group::SharedPartitions done, failed;
};
awaitable<StatesMade> make_states(Broker&, Call&, std::string_view group, const group::SharedPartitions&, int32_t state_epoch);
awaitable<void> remove_states(Broker&, Call&, std::string_view group, const group::SharedPartitions&);

}  // namespace kq::broker
