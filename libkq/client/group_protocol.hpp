// What members of a classic group tell each other through JoinGroup and SyncGroup: subscriptions and assignments, in Kafka's bytes.
#pragma once

#include "libkq/base/bytes.hpp"
#include "libkq/client/assignors.hpp"

namespace kq::client {

using Buffer = std::vector<std::byte>;

// What a member held after its last rebalance, whatever it has given up since: the sticky assignors go by it.
struct LastAssignment {
  std::optional<Partitions> partitions{};  // nothing: there was none yet
  int32_t generation = -1;
};

// The metadata of one protocol of JoinGroup.  `self.owned` is left out where the assignor is eager: it has been given up by then.
Buffer encode_subscription(Assignor, const AssignorMember& self, const LastAssignment&);
// The member's id and instance id are not in there.  What it owned is taken from where the assignor looks for it.
std::optional<AssignorMember> decode_subscription(Assignor, Bytes);

Buffer encode_assignment(const Partitions&);
std::optional<Partitions> decode_assignment(Bytes);  // sorted; no bytes: no partitions
// The topics of a subscription, whatever assignor it is for: for who describes a group.
std::optional<std::vector<std::string>> subscribed_topics(Bytes subscription);

}  // namespace kq::client
