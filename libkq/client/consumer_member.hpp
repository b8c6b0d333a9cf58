// ConsumerMember: group.protocol=consumer (KIP-848), in which the broker finds the assignment and heartbeats carry everything.
#pragma once

#include <set>

#include "libkq/client/group_member.hpp"

namespace kq::client {

// A heartbeat tells what has changed since the last one: the subscription, and what is owned.  Its answer may hold a new target.  What the
// target does not have is given up first, what it adds is free already; the next heartbeat tells when both are done.
class ConsumerMember final : public GroupMember {
 public:
  ConsumerMember(GroupOptions, std::string member_id, uint64_t seed);

  std::span<const Action> step(Instant now, const Event&) override;
  std::optional<Instant> deadline() const override;
  bool fill(uint64_t serial, ConsumerGroupHeartbeatRequest&) override;
  MemberIdentity identity() const override { return {member_id_, epoch_, options_.instance_id}; }
  bool is_member() const override { return epoch_ > 0; }
  std::string protocol() const override { return options_.remote_assignor; }

 private:
  enum class State { out, member, leaving };
  using Part = std::pair<Uuid, int32_t>;
  using Parts = std::set<Part>;

  void on(const Tick&);
  void on(const Subscribed&);
  void on(const Released&);
  void on(const Overdue&);
  void on(const Polled&);
  void on(const Leave&);
  void on(const Topics&) {}
  void on(const TopicNames&);
  void on(const Answered&);
  void on(const Failed&);

  bool subscribed() const { return !topics_.empty() || !pattern_.empty(); }
  void join();
  void begin_leaving();
  void left();
  void refused(Code, std::string_view said);
  void take_target(const ConsumerGroupHeartbeatResponse&);
  void reconcile();
  void give_up(Parts going);
  void lose_everything();
  void beat();                                       // as soon as may be
  void beat_later(Duration wait) { next_beat_ = now_ + wait; }
  bool full() const { return epoch_ == 0 || tell_all_; }
  Partitions by_name(const Parts&) const;

  const GroupOptions options_;
  const std::string member_id_;
  Random random_;
  Instant now_{};
  State state_ = State::out;
  std::vector<Action> actions_;
  uint64_t serial_ = 0;
  bool asked_ = false;
  bool hurry_ = false;                               // another heartbeat is to follow the one under way
  int failures_ = 0;
  int32_t epoch_ = 0;
  Duration interval_;
  std::optional<Instant> next_beat_, release_by_;
  bool closing_ = false, overdue_ = false, fatal_ = false;
  std::optional<Code> told_;

  std::vector<std::string> topics_;                  // subscribed to; sorted
  std::string pattern_;
  bool tell_subscription_ = false, tell_all_ = false, pattern_told_ = false;
  std::optional<Parts> target_;                      // to be reconciled with
  Parts owned_, releasing_;
  std::optional<Parts> told_owned_;                  // what the coordinator has heard
  std::map<Uuid, std::string> names_;
  bool resolving_ = false;
  bool leave_after_release_ = false;
};

}  // namespace kq::client
