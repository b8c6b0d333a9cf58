// A group of the consumer protocol (KIP-848): its members, the target that its coordinator decided on, and how far each member
// has come.
#pragma once

#include <map>
#include <set>
#include <vector>

#include "broker/group/assignor.hpp"
#include "broker/group/classic_group.hpp"
#include "broker/group/group.hpp"

namespace kq::group {

enum class MemberState : int8_t { stable = 0, unrevoked_partitions = 1, unreleased_partitions = 2, unknown = 127 };

constexpr int32_t joining_epoch = 0, leaving_epoch = -1, static_leaving_epoch = -2;

// What a member of the classic protocol has besides, in a group of this one.
struct ClassicSide {
  Duration session_timeout{};
  std::vector<ClassicProtocol> protocols;

  bool operator==(const ClassicSide&) const = default;
};

// A plain value: decisions are made on copies, and the log makes them true.
struct ConsumerMember {
  std::string id;
  std::optional<std::string> instance_id, rack_id;
  std::string client_id, client_host;
  Duration rebalance_timeout{-1ms};
  std::set<std::string, std::less<>> topics;  // by name
  std::optional<std::string> regex;
  std::optional<std::string> server_assignor;
  std::optional<ClassicSide> classic;  // none: it speaks the consumer protocol

  int32_t epoch = joining_epoch, previous_epoch = -1;
  MemberState state = MemberState::stable;
  TopicPartitions assigned, pending_revocation;

  bool reconciled_to(int32_t target_epoch) const { return state == MemberState::stable && epoch == target_epoch; }
  bool operator==(const ConsumerMember&) const = default;
};

struct ResolvedRegex {
  std::set<std::string, std::less<>> topics;
  int64_t version = 0, timestamp_ms = 0;

  bool operator==(const ResolvedRegex&) const = default;
};

class ConsumerGroup final : public Group {
 public:
  explicit ConsumerGroup(std::string id) : Group(std::move(id)) {}

  GroupType type() const override { return GroupType::consumer; }
  std::string_view state_name() const override;
  std::string_view protocol_type() const override { return "consumer"; }
  bool empty() const override { return members_.empty(); }
  bool subscribed_to(std::string_view topic) const override;
  Code check_commit(const OffsetsCaller&) const override;
  Code check_fetch(std::string_view member_id, int32_t epoch) const override;
  Code check_offset_delete() const override { return Code::none; }
  Code check_delete() const override { return members_.empty() ? Code::none : Code::non_empty_group; }
  std::optional<int64_t> expires_from(const Offset& offset) const override { return offset.commit_ms; }
  void remove(Writes&) const override;

  int32_t epoch() const { return epoch_; }
  int64_t metadata_hash() const { return metadata_hash_; }
  bool all_classic_but(const std::set<std::string, std::less<>>& member_ids) const;
  int32_t target_epoch() const { return target_epoch_; }
  const std::map<std::string, ConsumerMember, std::less<>>& members() const { return members_; }
  const ConsumerMember* member(std::string_view id) const;
  const ConsumerMember* static_member(std::string_view instance_id) const;
  const TopicPartitions& target(std::string_view member_id) const;
  const std::map<std::string, TopicPartitions, std::less<>>& targets() const { return targets_; }
  const ResolvedRegex* resolved(std::string_view regex) const;
  const std::map<std::string, ResolvedRegex, std::less<>>& regexes() const { return regexes_; }
  // The member epoch of who has the partition, or is yet to give it up; -1: nobody.
  int32_t holder_epoch(const Uuid& topic, int32_t partition) const;
  // The names that it subscribes to, those of its pattern too.
  std::set<std::string, std::less<>> topics_of(const ConsumerMember&) const;

  // Replay; the log's records, and nothing else.
  void set_epoch(int32_t epoch, int64_t metadata_hash) { epoch_ = epoch, metadata_hash_ = metadata_hash; }
  void set_target_epoch(int32_t epoch) { target_epoch_ = epoch; }
  void set_target(std::string_view member_id, std::optional<TopicPartitions>);
  void subscribe(const ConsumerGroupMemberMetadataKey&, const ConsumerGroupMemberMetadataValue&);
  void unsubscribe(std::string_view member_id);
  void set_current(std::string_view member_id, const ConsumerGroupCurrentMemberAssignmentValue&);
  void drop_current(std::string_view member_id);
  void set_regex(std::string_view regex, std::optional<ResolvedRegex>);

  // Which metadata its epoch takes account of; kept apart from the log.
  std::weak_ptr<const cluster::Image> seen_image;

  // A record of a member, a target, or a pattern; those of the group itself are the shard's.
  void replay(const coordinator::Record&, const RecordFrame& key);
  bool same_state(const ConsumerGroup&) const;

 private:
  ConsumerMember& get_or_create(std::string_view member_id);
  void count(const ConsumerMember&, bool add);

  int32_t epoch_ = 0, target_epoch_ = 0;
  int64_t metadata_hash_ = 0;
  std::map<std::string, ConsumerMember, std::less<>> members_;
  std::map<std::string, std::string, std::less<>> static_members_;
  std::map<std::string, TopicPartitions, std::less<>> targets_;
  std::map<std::string, ResolvedRegex, std::less<>> regexes_;
  std::map<std::pair<Uuid, int32_t>, std::pair<std::string, int32_t>> holders_;  // to a member and its epoch
};

// Records.
void write_group_epoch(Writes&, std::string_view group, int32_t epoch, int64_t metadata_hash);
void write_target_epoch(Writes&, std::string_view group, int32_t epoch);
void write_target(Writes&, std::string_view group, std::string_view member, const TopicPartitions&);
void write_subscription(Writes&, std::string_view group, const ConsumerMember&);
void write_current(Writes&, std::string_view group, const ConsumerMember&);
void write_regex(Writes&, std::string_view group, std::string_view regex, const ResolvedRegex&);
void write_regex_removed(Writes&, std::string_view group, std::string_view regex);
void write_member_removed(Writes&, std::string_view group, std::string_view member);

}  // namespace kq::group
