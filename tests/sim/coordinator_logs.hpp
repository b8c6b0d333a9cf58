// What the logs of the coordinators say, read beside the broker.
#pragma once

#include <map>
#include <memory>
#include <set>

#include "broker/group/coordinator.hpp"
#include "broker/txn/coordinator.hpp"
#include "tests/sim/world.hpp"

namespace kq::sim {

// A committed offset has become visible, in the order of the log.
struct CommittedOffset {
  std::string group, topic;
  int32_t partition;
  int64_t offset;
};

// Reads __consumer_offsets, __transaction_state and __share_group_state up to their high watermarks, over all restarts of the broker.  What
// was read once has to be there for good: an exception tells of what is not so.
class CoordinatorLogs {
 public:
  CoordinatorLogs(World& world, std::set<std::string> groups);
  ~CoordinatorLogs();

  std::vector<CommittedOffset> follow();         // since the last call
  // Up to where a share group is done with a partition, as its coordinator knows; nothing: it does not know.
  std::optional<int64_t> share_start(const std::string& group, const std::string& topic, int32_t partition);
  // The states of the coordinators, as they are now, are what a replay of their logs makes of them.  Nothing may be under way.
  void compare();

 private:
  struct Follower {
    std::unique_ptr<group::GroupShard> machine;
    int64_t offset = 0;
    std::map<std::tuple<std::string, std::string, int32_t>, int64_t> seen{};
  };

  void compare_groups(int32_t index);
  void compare_transactions(int32_t index);
  void compare_share_states(int32_t index);
  void note_changes(Follower&, std::vector<CommittedOffset>& into) const;
  std::shared_ptr<broker::Partition> partition(std::string_view topic, int32_t index);
  // The offset of the next batch that is committed.
  int64_t replay(broker::Partition&, int64_t from, coordinator::StateMachine& into, const std::function<void()>& after_each);
  template <class Look>
  void look_at(broker::CoordinatorType, int32_t index, const Look& look);
  std::unique_ptr<group::GroupShard> fresh_groups() const;

  World& world_;
  const std::set<std::string> groups_;
  std::map<int32_t, Follower> followers_;
};

}  // namespace kq::sim
