// A share group (KIP-932): its members, what each of them fetches, and which
// partitions have a state with the share coordinator.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "broker/group/group.hpp"
#include "libkq/protocol/record_frame.hpp"

namespace kq::group {

using SharedPartitions = std::map<Uuid, std::set<int32_t>>;  // by topic

// Which partitions have a state with the share coordinator.
struct ShareStates {
  SharedPartitions initializing;  // it was asked to make one, and has not said yet that it did
  SharedPartitions initialized;
  std::set<Uuid> deleting;        // topics whose states an operator wants gone: some may be gone already

  bool operator==(const ShareStates&) const = default;
};

struct ShareMember {
  std::string id, client_id, client_host;
  std::optional<std::string> rack_id;
  std::set<std::string, std::less<>> topics;
  int32_t epoch = 0, previous_epoch = 0;
  SharedPartitions assigned;

  bool operator==(const ShareMember&) const = default;
};

// Replayed from records.  Nothing else changes it.
class ShareGroup final : public Group {
 public:
  using Members = std::map<std::string, ShareMember, std::less<>>;
  using Targets = std::map<std::string, SharedPartitions, std::less<>>;

  explicit ShareGroup(std::string id) : Group(std::move(id)) {}

  GroupType type() const override { return GroupType::share; }
  std::string_view state_name() const override { return members_.empty() ? "Empty" : "Stable"; }
  std::string_view protocol_type() const override { return "share"; }
  bool empty() const override { return members_.empty(); }
  bool subscribed_to(std::string_view topic) const override;
  Code check_commit(const OffsetsCaller&) const override { return Code::group_id_not_found; }
  Code check_fetch(std::string_view, int32_t) const override { return Code::group_id_not_found; }
  Code check_offset_delete() const override { return Code::group_id_not_found; }
  Code check_delete() const override { return members_.empty() ? Code::none : Code::non_empty_group; }
  bool expires() const override { return false; }           // where it stands is in __share_group_state
  std::optional<int64_t> expires_from(const Offset&) const override { return std::nullopt; }
  void remove(Writes&) const override;

  // False: not a record of share groups.
  static bool is_of(uint32_t record_type);
  void replay(const RecordFrame& key, const std::optional<Bytes>& value);
  bool gone() const { return gone_; }  // its last record was a tombstone

  int32_t epoch() const { return epoch_; }
  int32_t target_epoch() const { return target_epoch_; }
  int64_t metadata_hash() const { return metadata_hash_; }
  const Members& members() const { return members_; }
  const Targets& targets() const { return targets_; }
  const ShareStates& states() const { return states_; }
  const SharedPartitions& initializing() const { return states_.initializing; }
  const SharedPartitions& initialized() const { return states_.initialized; }
  std::set<std::string, std::less<>> topics() const;  // of all members

  // Not in the log: when the share coordinator was last asked to make a state.
  Instant initialize_asked{};

  bool operator==(const ShareGroup& other) const;

 private:
  void replay_states(const std::optional<ShareGroupStatePartitionMetadataValue>&);

  int32_t epoch_ = 0, target_epoch_ = 0;
  int64_t metadata_hash_ = 0;
  Members members_;
  Targets targets_;
  ShareStates states_;
  bool gone_ = false;
};

void write_share_epoch(Writes&, std::string_view group, int32_t epoch, int64_t metadata_hash);
void write_share_member(Writes&, std::string_view group, const ShareMember&);
void write_share_target(Writes&, std::string_view group, std::string_view member, const SharedPartitions&);
void write_share_target_epoch(Writes&, std::string_view group, int32_t epoch);
void write_share_current(Writes&, std::string_view group, const ShareMember&);
void write_share_states(Writes&, std::string_view group, const cluster::Image&, const ShareStates&);
void remove_share_member(Writes&, std::string_view group, std::string_view member);

}  // namespace kq::group
