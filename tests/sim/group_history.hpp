// What the members of one group were told and handed, what became committed, and whether that may be.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "tests/sim/world.hpp"

namespace kq::sim {

// One topic's partitions, read by one group.  An exception tells of the first thing that may not be.
//
// A partition has one owner, as the members' ASSIGNED, REVOKED and LOST tell.  A member that the coordinator has given up on without
// reaching it may still believe that it owns what another one has been given, until it hears of it.  Where nothing breaks (`calm`) that does not happen, and every record is handed out once.
class GroupHistory {
 public:
  GroupHistory(World& world, std::string group, std::string topic, int32_t partitions, bool calm);

  void poll_begins(const std::string& member);
  void assigned(const std::string& member, int32_t partition);
  void revoked(const std::string& member, int32_t partition);
  void lost(const std::string& member, int32_t partition);
  void gone(const std::string& member);                       // killed, or it has left
  // By the latest poll of a member.
  void handed_out(const std::string& member, int32_t partition, int64_t offset);
  void moved(const std::string& member, int32_t partition, int64_t offset);   // it goes back there; -1: it is to go, and cannot

  void commit_seen(int32_t partition, int64_t offset);        // in the log
  void commit_told(int32_t partition, int64_t offset);        // a client was answered that it holds

  bool every_partition_is_owned() const;
  bool owns(const std::string& member, int32_t partition) const { return at(partition).owners.contains(member); }
  int64_t committed(int32_t partition) const { return at(partition).committed; }
  int64_t handed_out_up_to(int32_t partition) const { return at(partition).handed; }
  const std::string& group() const { return group_; }
  const std::string& topic() const { return topic_; }
  int32_t partitions() const { return static_cast<int32_t>(lanes_.size()); }
  std::string text() const;
  uint64_t losses() const { return losses_; }

  void commit_failed(const std::string& why);                 // of what was to be given up

  // With auto-commit: what the latest poll has returned may not be committed yet.
  bool commits_what_was_polled_before = false;
  // Members commit all that they were handed before they give it up.
  bool nothing_comes_again = false;

 private:
  struct Owner {
    int64_t floor = 0;                            // committed when it was told
    int64_t next = -1;                            // that it is handed next; -1: not known yet
    int64_t fresh = -1;                           // where that begins which its latest poll has returned; -1: nothing
    bool contested = false;                       // others were told that they have it
  };
  struct Lane {
    std::map<std::string, Owner> owners{};
    int64_t handed = 0;                           // everything below was handed out
    int64_t wanted_again = 0;                     // everything below may be handed out once more
    int64_t committed = 0, told = 0;
  };

  [[noreturn]] void fail(const std::string& what) const;
  Lane& at(int32_t partition) { return lanes_.at(static_cast<size_t>(partition)); }
  const Lane& at(int32_t partition) const { return lanes_.at(static_cast<size_t>(partition)); }
  std::string name(int32_t partition) const { return topic_ + "-" + std::to_string(partition); }

  World& world_;
  const std::string group_, topic_;
  const bool calm_;
  std::vector<Lane> lanes_;
  uint64_t losses_ = 0;
};

}  // namespace kq::sim
