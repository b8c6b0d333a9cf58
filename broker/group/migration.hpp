// Groups that move between the two protocols while they have members (KIP-848: online upgrade and downgrade).
#pragma once

#include "broker/group/classic_group.hpp"
#include "broker/group/consumer_group.hpp"

namespace kq::group {

// What a classic member's metadata says, as the consumer protocol has it.
struct Subscription {
  std::set<std::string, std::less<>> topics;
  TopicPartitions owned;
  std::optional<std::string> rack_id;
  int16_t version = 0;
};
// Nothing: it is no consumer's.
std::optional<Subscription> read_subscription(const cluster::Image&, std::string_view metadata);
// An assignment as a classic member that sent such metadata reads it.
std::string write_assignment(const cluster::Image&, const TopicPartitions&, int16_t version);

using Leaving = std::set<std::string, std::less<>>;  // ids of members

// The records that make a consumer group of a classic one, whose members stay what they are.  False: they are not consumers.
bool write_upgrade(const cluster::Image&, const ClassicGroup&, Writes&);
// The other way, without the members that leave; the rest speaks the classic protocol.  Answers the members with all that they
// support.
std::vector<ClassicMember> write_downgrade(const cluster::Image&, const ConsumerGroup&, const Leaving&, int64_t now_ms, Writes&);

}  // namespace kq::group
