// Inside ConsumerCoordinator: one member's request while it is decided.
#pragma once

#include "broker/group/consumer_coordinator.hpp"

namespace kq::group {

// What is being decided: the group as it is, the member as it will be.
struct ConsumerCoordinator::Beat {
  const Now& now;
  const Caller& caller;
  const ConsumerGroupHeartbeatRequest& request;
  const ConsumerGroup& group;
  Writes& writes;

  std::optional<ClassicSide> classic{};  // it speaks the classic protocol

  bool joins() const { return request.member_epoch == joining_epoch; }
  const ConsumerMember* before = nullptr;  // null: it is new
  ConsumerMember member{};
  std::optional<std::string> replaced{};                        // the id that a static member had
  std::map<std::string, ResolvedRegex, std::less<>> regexes{};  // that this heartbeat resolved
  bool bump = false;                                            // the group's epoch rises
  int32_t epoch = 0, target_epoch = 0;
  TopicPartitions target{};

  // The others, and the member as it will be.
  template <class Visit>
  void each_member(const Visit& visit) const {
    bool seen = false;
    for (const auto& [id, other] : group.members()) {
      if (replaced == id) continue;
      if (id == member.id) seen = true;
      visit(id == member.id ? member : other);
    }
    if (!seen) visit(member);
  }
  std::set<std::string, std::less<>> topics_of(const ConsumerMember& of) const {
    const auto found = of.regex ? regexes.find(*of.regex) : regexes.end();
    if (found == regexes.end()) return group.topics_of(of);
    auto topics = of.topics;
    topics.insert(found->second.topics.begin(), found->second.topics.end());
    return topics;
  }
};

}  // namespace kq::group
