// How a member moves from the partitions that it has to those that it is to have.
#include <algorithm>

#include "broker/group/consumer_coordinator.hpp"

namespace kq::group {
namespace {

bool owns_any(const std::optional<TopicPartitions>& owned, const TopicPartitions& of) {
  if (!owned) return true;  // it does not say
  return std::ranges::any_of(*owned, [&](const auto& entry) {
    const auto found = of.find(entry.first);
    return found != of.end() &&
           std::ranges::any_of(entry.second, [&](int32_t partition) { return found->second.contains(partition); });
  });
}

void move_to(ConsumerMember& member, int32_t epoch) {
  member.previous_epoch = member.epoch;
  member.epoch = epoch;
}

// What it keeps, what it gives up, what it is to get and can, and whether something that it is to get is still another's.
struct Difference {
  TopicPartitions kept, revoked, added;
  bool unreleased = false;
};

Difference difference(const ConsumerMember& member, const TopicPartitions& target, const ConsumerGroup& group) {
  Difference out;
  for (const auto& [topic, partitions] : member.assigned) {
    const auto wanted = target.find(topic);
    for (const int32_t partition : partitions) {
      const bool stays = wanted != target.end() && wanted->second.contains(partition);
      (stays ? out.kept : out.revoked)[topic].insert(partition);
    }
  }
  for (const auto& [topic, partitions] : target) {
    const auto has = member.assigned.find(topic);
    for (const int32_t partition : partitions) {
      if (has != member.assigned.end() && has->second.contains(partition)) continue;
      if (group.holder_epoch(topic, partition) >= 0)
        out.unreleased = true;
      else
        out.added[topic].insert(partition);
    }
  }
  return out;
}

ConsumerMember towards(ConsumerMember member, int32_t epoch_now, int32_t target_epoch, const TopicPartitions& target,
                       const std::optional<TopicPartitions>& owned, const ConsumerGroup& group) {
  Difference step = difference(member, target, group);
  if (!step.revoked.empty() && owns_any(owned, step.revoked)) {
    member.state = MemberState::unrevoked_partitions;
    move_to(member, epoch_now);
    member.assigned = std::move(step.kept);
    member.pending_revocation = std::move(step.revoked);
    return member;
  }
  member.state = step.unreleased ? MemberState::unreleased_partitions : MemberState::stable;
  move_to(member, target_epoch);
  member.assigned = std::move(step.kept);
  for (const auto& [topic, partitions] : step.added) member.assigned[topic].insert(partitions.begin(), partitions.end());
  member.pending_revocation.clear();
  return member;
}

}  // namespace

ConsumerMember next_assignment(const ConsumerMember& member, int32_t target_epoch, const TopicPartitions& target,
                               const std::optional<TopicPartitions>& owned, const ConsumerGroup& group) {
  switch (member.state) {
    case MemberState::stable:
      if (member.epoch == target_epoch) return member;
      return towards(member, member.epoch, target_epoch, target, owned, group);
    case MemberState::unrevoked_partitions:
      if (!owned || owns_any(owned, member.pending_revocation)) return member;
      return towards(member, member.epoch + 1, target_epoch, target, owned, group);
    case MemberState::unreleased_partitions: {
      ConsumerMember next = towards(member, member.epoch, target_epoch, target, owned, group);
      const bool moved = next.assigned != member.assigned || next.state != member.state || next.epoch != member.epoch;
      return moved ? next : member;
    }
    default: return towards(member, member.epoch, target_epoch, target, owned, group);
  }
}

}  // namespace kq::group
