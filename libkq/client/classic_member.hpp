// ClassicMember: group.protocol=classic, in which a member, the leader, finds the assignment (JoinGroup, SyncGroup, Heartbeat).
#pragma once

#include "libkq/client/group_member.hpp"
#include "libkq/client/group_protocol.hpp"

namespace kq::client {

// The eager protocol gives up everything before each JoinGroup; the cooperative one (every assignor of the list has to be cooperative)
// keeps what stays, gives up what moves after SyncGroup, and joins once more.
class ClassicMember final : public GroupMember {
 public:
  ClassicMember(GroupOptions, uint64_t seed);

  std::span<const Action> step(Instant now, const Event&) override;
  std::optional<Instant> deadline() const override;
  bool fill(uint64_t serial, JoinGroupRequest&) override;
  bool fill(uint64_t serial, SyncGroupRequest&) override;
  bool fill(uint64_t serial, HeartbeatRequest&) override;
  bool fill(uint64_t serial, LeaveGroupRequest&) override;
  MemberIdentity identity() const override { return {member_id_, generation_, options_.instance_id}; }
  bool is_member() const override { return generation_ >= 0; }
  std::string protocol() const override { return generation_ >= 0 ? name_of(assignor_) : ""; }

 private:
  enum class State {
    out,        // no subscription; or fenced, overdue
    releasing,  // partitions are being given up; then_ says what follows
    waiting,    // to join, until retry_at_
    joining,
    computing,  // the leader waits for metadata of the group's topics
    syncing,
    stable,
    leaving,
  };
  enum class Then { join, leave };

  void on(const Tick&);
  void on(const Subscribed&);
  void on(const Released&);
  void on(const Overdue&);
  void on(const Polled&);
  void on(const Leave&);
  void on(const Topics&);
  void on(const TopicNames&) {}
  void on(const Answered&);
  void on(const Failed&);
  void answered(const JoinGroupResponse&);
  void answered(const SyncGroupResponse&);
  void answered(const HeartbeatResponse&);
  void answered(const LeaveGroupResponse&) { left(); }
  void answered(const ConsumerGroupHeartbeatResponse&) {}
  void answered(const ShareGroupHeartbeatResponse&) {}

  void rebalance();  // gives up what the protocol wants, then joins
  void give_up(Partitions, Then);
  void join();
  void join_later();
  void begin_leaving();
  void left();
  void become_leader(const JoinGroupResponse&);
  void compute();
  void take(Partitions assignment);
  void lose_everything();
  void forget_membership(bool member_id_too);
  void refused(Code, const char* api);  // an error that no rejoining helps: told, and tried again at leisure
  void fenced();
  void ask(Api, Duration timeout);
  void beat_later() { next_heartbeat_ = now_ + options_.heartbeat_interval; }
  void watch();
  bool heartbeats() const {
    return generation_ >= 0 && (state_ == State::stable || state_ == State::releasing || state_ == State::computing);
  }
  Duration join_timeout() const { return std::max(options_.request_timeout, options_.rebalance_timeout + rebalance_grace); }

  static constexpr Duration rebalance_grace =
      5s;  // a coordinator answers at the rebalance time-out, and the answer takes its time

  const GroupOptions options_;
  const bool cooperative_;
  Random random_;
  Instant now_{};
  State state_ = State::out;
  Then then_ = Then::join;
  std::vector<Action> actions_;
  uint64_t serial_ = 0;       // of the last request
  std::optional<Api> asked_;  // it is under way
  int failures_ = 0;
  std::optional<Instant> retry_at_, next_heartbeat_, release_by_;
  bool again_ = false;  // something has changed meanwhile: rebalance once more
  bool closing_ = false, overdue_ = false, fatal_ = false;
  std::optional<Code> told_;  // the last Trouble, so that it is told once

  std::vector<std::string> topics_;  // subscribed to; sorted
  std::string member_id_;
  int32_t generation_ = -1;
  Assignor assignor_ = Assignor::range;
  Partitions owned_;      // sorted
  Partitions releasing_;  // given up, and not released yet
  LastAssignment last_;

  // The leader's.
  std::vector<AssignorMember> members_;  // empty: not the leader
  AssignorTopics topics_known_;
  AssignorTopics topics_assigned_;  // as the current assignment was made with them
  std::vector<std::string> watched_;
  bool withheld_ = false;  // the assignment leaves out partitions that their owners have to give up first
  std::optional<Instant> complete_by_;

  // What requests point at.
  std::vector<Buffer> metadata_;
  std::vector<std::pair<std::string, Buffer>> assignments_;
};

}  // namespace kq::client
