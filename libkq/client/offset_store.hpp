// OffsetStore: how far each partition has been handed out, what of that may be committed, and what has been.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <vector>

#include "libkq/client/group_offset.hpp"

namespace kq::client {

// Not thread-safe: its owner has the lock.  A partition's offset goes from handed out (by the latest poll) to stored (a later poll has begun, its
// batch was released, or the application stored it) to committed.  Auto-commit commits what is stored.
class OffsetStore {
 public:
  explicit OffsetStore(bool stores_by_itself) : stores_by_itself_(stores_by_itself) {}  // enable.auto.offset.store

  // Everything before `next` was handed out by the latest poll.
  void handed_out(std::string_view topic, int32_t partition, int64_t next, int32_t leader_epoch);
  // A poll begins: what the ones before it have handed out is stored.  False: that was nothing.
  bool poll_begins();
  // The application is done with what it was handed up to there.
  void done_with(std::string_view topic, int32_t partition, int64_t next);
  void store(const TopicPartition&, int64_t offset, int32_t leader_epoch, std::string metadata);
  // The application reads on elsewhere: what it was handed before does not count any more, unless it is stored.
  void moved(std::string_view topic, int32_t partition);
  void committed(const TopicPartition&, int64_t offset);
  void forget(const Partitions&);
  void forget_all() { entries_.clear(), fresh_.clear(); }

  // Stored and not committed; of all, or of some partitions.
  std::vector<GroupOffset> to_commit() const;
  std::vector<GroupOffset> to_commit(const Partitions&) const;
  // The same with what was handed out by the latest poll: the application says itself that it is done.
  std::vector<GroupOffset> all() const;
  bool anything_to_commit() const;

 private:
  struct Offset {
    int64_t offset;
    int32_t leader_epoch;
    std::string metadata{};
  };
  struct Entry {
    std::optional<Offset> handed{}, stored{};
    int64_t committed = -1;
  };
  struct ByName {
    using is_transparent = void;
    using Name = std::pair<std::string_view, int32_t>;
    static Name name(const TopicPartition& at) { return {at.topic, at.partition}; }
    static Name name(const Name& at) { return at; }
    bool operator()(const auto& a, const auto& b) const { return name(a) < name(b); }
  };
  using Entries = std::map<TopicPartition, Entry, ByName>;

  void store_handed(Entries::value_type&);
  static bool dirty(const Entry& entry) { return entry.stored && entry.stored->offset != entry.committed; }
  static GroupOffset outward(const TopicPartition&, const Offset&);

  const bool stores_by_itself_;
  Entries entries_;
  std::vector<Entries::value_type*> fresh_;  // with something handed out by the latest poll
};

}  // namespace kq::client
