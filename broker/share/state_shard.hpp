// The share coordinator (KIP-932): the states of the share partitions of one partition of __share_group_state.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <unordered_map>

#include "broker/coordinator/state_machine.hpp"
#include "broker/share/state.hpp"
#include "libkq/protocol/messages/share_records.hpp"

namespace kq::share {

using coordinator::Now;
using coordinator::Writes;

// A state machine for the coordinators' runtime (coordinator/state_machine.hpp).
//
// A state is a snapshot and updates laid over it.  Every so many updates there is another snapshot, and what lies before the oldest of
// the latest snapshots is of no use any more: prune() says so.  The topic is not compacted.
class StateShard final : public coordinator::StateMachine {
 public:
  struct Settings {
    int32_t updates_per_snapshot = 500;
    Duration cold_snapshot_interval = 5min;  // a state that nobody changes holds back no pruning for longer
    Duration prune_interval = 5min;
    std::function<void(int64_t below)> prune = [](int64_t) {
    };  // deletes records of this partition; on any thread, must not block
  };
  struct State {
    int32_t snapshot_epoch = 0, state_epoch = 0, leader_epoch = 0;
    int64_t start_offset = uninitialized_offset;
    int32_t delivery_complete_count = -1;  // -1: not known
    int64_t create_ms = 0, write_ms = 0;   // of the snapshot
    StateBatches batches;

    bool operator==(const State&) const = default;
  };
  struct Write {
    int32_t state_epoch = -1, leader_epoch = -1;  // -1: as it is
    int64_t start_offset = uninitialized_offset;  // likewise
    int32_t delivery_complete_count = -1;
    StateBatches batches;
  };

  explicit StateShard(Settings settings) : settings_(std::move(settings)) {}

  Refusal initialize(const Now&, const Key&, int32_t state_epoch, int64_t start_offset, Writes&) const;
  Refusal write(const Now&, const Key&, const Write&, Writes&) const;
  // A leader's first look at it, under its epoch: an earlier leader cannot write any more.
  Refusal read(const Now&, const Key&, int32_t leader_epoch, State&, Writes&) const;
  // Nobody's in particular.  What is not there has the state of its default.
  Refusal summary(const Key&, State&) const;
  Refusal remove(const Key&, Writes&) const;

  void replay(const coordinator::Record&) override;
  void loaded(const Now&, std::shared_ptr<const cluster::Image>) override;
  void metadata_changed(const Now&, std::shared_ptr<const cluster::Image>, const cluster::Delta&) override;
  std::optional<Instant> deadline() const override { return deadline_; }
  void tick(const Now&, Writes&) override;

  const State* find(const Key& key) const;
  size_t size() const { return states_.size(); }
  bool same_states(const StateShard& other) const { return states_ == other.states_; }
  // Records below are of no use.
  int64_t redundant_below() const { return snapshots_.empty() ? last_offset_ : *snapshots_.begin(); }

 private:
  struct Entry {
    State state;
    int32_t leader_epoch_max = 0, state_epoch_max = 0;  // who is below is fenced
    int32_t updates = 0;                                // since the snapshot
    int64_t snapshot_offset = -1;                       // where that stands

    bool operator==(const Entry&) const = default;
  };

  Refusal check_topic(const Key&) const;
  void put_snapshot(const Key&, const State&, Writes&) const;
  void put(const Now&, const Key&, const Entry&, const Write&, Writes&) const;
  void replay_snapshot(const Key&, const std::optional<ShareSnapshotValue>&, int64_t offset);
  void replay_update(const Key&, const ShareUpdateValue&);
  void forget_deleted_topics(Writes&);
  void snapshot_cold(const Now&, Writes&) const;
  void prune();
  void wait(Instant until) { deadline_ = deadline_ ? std::min(*deadline_, until) : until; }

  const Settings settings_;
  std::unordered_map<Key, Entry, KeyHash> states_;
  std::multiset<int64_t> snapshots_;  // offsets of the latest, in order
  int64_t last_offset_ = 0;           // of a snapshot or its removal
  int64_t pruned_below_ = 0;
  std::shared_ptr<const cluster::Image> image_ = std::make_shared<const cluster::Image>();
  bool topics_deleted_ = false;
  Instant cold_due_{}, prune_due_{};
  std::optional<Instant> deadline_;
};

}  // namespace kq::share
