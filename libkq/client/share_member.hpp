// ShareMember: a member of a share group (KIP-932), for which the broker finds the assignment and heartbeats carry everything.
#pragma once

#include <set>

#include "libkq/client/group_member.hpp"

namespace kq::client {

// Several members may read a partition, so nothing is given up in turns: an assignment holds as soon as it is heard.
class ShareMember final : public GroupMember {
 public:
  ShareMember(GroupOptions, std::string member_id, uint64_t seed);

  std::span<const Action> step(Instant now, const Event&) override;
  std::optional<Instant> deadline() const override;
  bool fill(uint64_t serial, ShareGroupHeartbeatRequest&) override;
  MemberIdentity identity() const override { return {member_id_, epoch_, std::nullopt}; }
  bool is_member() const override { return epoch_ > 0; }
  std::string protocol() const override { return {}; }

 private:
  enum class State { out, member, leaving };
  using Part = std::pair<Uuid, int32_t>;
  using Parts = std::set<Part>;

  void on(const Tick&);
  void on(const Subscribed&);
  void on(const Released&) {}
  void on(const Overdue&);
  void on(const Polled&);
  void on(const Leave&);
  void on(const Topics&) {}
  void on(const TopicNames&);
  void on(const Answered&);
  void on(const Failed&);

  void join();
  void begin_leaving();
  void left();
  void refused(Code, std::string_view said);
  void take_target(const ShareGroupHeartbeatResponse&);
  void reconcile();
  void lose_everything();
  void beat();  // as soon as may be
  void beat_later(Duration wait) { next_beat_ = now_ + wait; }
  Partitions by_name(const Parts&) const;

  const GroupOptions options_;
  const std::string member_id_;
  Random random_;
  Instant now_{};
  State state_ = State::out;
  std::vector<Action> actions_;
  uint64_t serial_ = 0;
  bool asked_ = false;
  bool hurry_ = false;  // another heartbeat is to follow the one under way
  int failures_ = 0;
  int32_t epoch_ = 0;
  Duration interval_;
  std::optional<Instant> next_beat_;
  bool closing_ = false, overdue_ = false;
  std::optional<Code> told_;

  std::vector<std::string> topics_;  // subscribed to; sorted
  bool tell_subscription_ = false;
  std::optional<Parts> target_;  // to be reconciled with
  Parts owned_;
  std::map<Uuid, std::string> names_;
  bool resolving_ = false;
};

}  // namespace kq::client
