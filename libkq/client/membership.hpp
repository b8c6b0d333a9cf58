// Membership: carries out what a GroupMember decides.
#pragma once

#include <memory>
#include <regex>
#include <set>

#include "libkq/client/coordinator.hpp"
#include "libkq/client/group_member.hpp"

namespace kq::client {

// Who reads the partitions: told on the loop.
class GroupListener {
 public:
  virtual ~GroupListener() = default;
  virtual void group_assigned(const Partitions&) = 0;
  virtual void group_revoked(const Partitions&) = 0;  // Membership::released() has to follow
  virtual void group_lost(const Partitions&, const MemberIdentity& former) = 0;  // and as whom it had them
  virtual void group_trouble(const Error&) = 0;
};

// Belongs to its loop's thread; held by shared_ptr, as its coroutines hold it.  After close() the listener is not called any more.
class Membership final : public ClusterObserver, public std::enable_shared_from_this<Membership> {
 public:
  Membership(std::shared_ptr<Coordinator>, std::unique_ptr<GroupMember>, GroupListener&);
  ~Membership() override;

  void start();
  void close();
  void subscribe(std::vector<std::string> topics);  // none: unsubscribe
  // Topics whose whole name matches, now and later; `by_broker`: the broker finds them (KIP-848).
  void subscribe_pattern(std::string pattern, std::regex compiled, bool by_broker);
  void released() { step(GroupMember::Released{}); }
  void overdue() { step(GroupMember::Overdue{}); }
  void polled() { step(GroupMember::Polled{}); }
  // Leaves, and waits until the coordinator knows, or the deadline has come.
  awaitable<void> leave(Instant deadline);

  MemberIdentity identity() const { return member_->identity(); }
  bool is_member() const { return member_->is_member(); }

 private:
  void metadata_changed() override { tell_topics(); }

  void step(const GroupMember::Event&);
  void act(const GroupMember::Action&);
  void ask(const GroupMember::Ask&);
  template <class Request>
  static awaitable<void> ask(std::shared_ptr<Membership>, GroupMember::Ask);
  void watch(const std::vector<std::string>& topics);
  void tell_topics();
  AssignorTopics known_topics() const;
  static awaitable<void> resolve(std::shared_ptr<Membership>, std::vector<Uuid> topics);
  static awaitable<void> keep_matching(std::shared_ptr<Membership>, uint64_t subscription);
  awaitable<Result<std::vector<std::string>>> matching_topics(Instant deadline);

  const std::shared_ptr<Coordinator> coordinator_;
  const std::shared_ptr<Cluster> cluster_;
  const std::unique_ptr<GroupMember> member_;
  GroupListener& listener_;
  std::optional<Timer> timer_;
  std::set<std::string> watched_;
  std::regex pattern_;
  MemberIdentity former_;      // before the latest step
  uint64_t subscription_ = 0;  // counts them: keep_matching ends with its own
  std::vector<std::string> matched_;
  bool left_ = false, closed_ = false;
  int unanswered_ = 0;                               // requests on the group channel
  Broadcast left_told_;
};

}  // namespace kq::client
