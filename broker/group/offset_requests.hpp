// OffsetCommit, TxnOffsetCommit, OffsetFetch, OffsetDelete, and the expiry of offsets.
#pragma once

#include "broker/group/classic_coordinator.hpp"
#include "broker/group/offset_store.hpp"
#include "libkq/protocol/messages/offset_commit.hpp"
#include "libkq/protocol/messages/offset_delete.hpp"
#include "libkq/protocol/messages/offset_fetch.hpp"
#include "libkq/protocol/messages/txn_offset_commit.hpp"

namespace kq::group {

// The groups' rules over the shard's offsets; one call at a time, under the shard's lock.
class OffsetRequests {
 public:
  OffsetRequests(Groups& groups, const OffsetStore& store, ClassicCoordinator& classic)
      : groups_(groups), store_(store), classic_(classic) {}

  // Of topics and partitions that exist, with their names.  The code refuses the whole.
  Code commit(const Now&, int16_t version, const OffsetCommitRequest&, OffsetCommitResponse&, Writes&);
  Code commit(const Now&, int16_t version, const TxnOffsetCommitRequest&, TxnOffsetCommitResponse&, Writes&);

  // `topics` with names; none: all there are.
  using FetchGroup = OffsetFetchRequest::OffsetFetchRequestGroup;
  Answer<OffsetFetchResponse::OffsetFetchResponseGroup> fetch(const FetchGroup&, bool require_stable) const;

  Code remove(const OffsetDeleteRequest&, OffsetDeleteResponse&, Writes&) const;
  // All offsets of a group: it is deleted.
  void remove_all(std::string_view group, Writes&) const;
  void remove_topic(std::string_view topic, Writes&) const;
  // What is old, and groups that nothing is left of.
  void expire(const Now&, Writes&) const;

 private:
  template <class Request>
  Code check_commit(const Request&, const OffsetsCaller&) const;
  template <class Partition, class PartitionAnswer>
  bool accepts(const Partition& asked, PartitionAnswer& answer) const;
  bool expire_group(const Now&, const Group&, Writes&) const;

  Groups& groups_;
  const OffsetStore& store_;
  ClassicCoordinator& classic_;
};

}  // namespace kq::group
