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
// The first refusal that leaves a state behind: a topic that is gone takes its states along.
awaitable<Code> remove_states(Broker&, Call&, std::string_view group, const group::SharedPartitions&);
// All that may have a state, or half of one.
group::SharedPartitions states_to_remove(const group::ShareGroup&, const cluster::Image&);

}  // namespace kq::broker
