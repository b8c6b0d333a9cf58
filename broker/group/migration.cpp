#include "broker/group/migration.hpp"

#include <algorithm>

#include "libkq/protocol/messages/consumer_protocol.hpp"

namespace kq::group {
namespace {

TopicPartitions with_ids(const cluster::Image& image, const auto& topics) {
  TopicPartitions all;
  for (const auto& topic : topics)
    if (const auto* known = image.topic(topic.topic)) all[known->id].insert(topic.partitions.begin(), topic.partitions.end());
  return all;
}

std::optional<TopicPartitions> read_assignment(const cluster::Image& image, std::string_view assignment) {
  if (assignment.empty()) return TopicPartitions{};
  const Bytes bytes = as_bytes(assignment);
  if (bytes.size() < sizeof(int16_t)) return std::nullopt;
  const int16_t version = std::min<int16_t>(load_be<int16_t>(bytes.data()), ConsumerProtocolAssignment::newest);
  const auto read = decode<ConsumerProtocolAssignment>(bytes.subspan(sizeof(int16_t)), version);
  if (!read) return std::nullopt;
  return with_ids(image, read->assigned_partitions);
}

}  // namespace

std::optional<Subscription> read_subscription(const cluster::Image& image, std::string_view metadata) {
  const Bytes bytes = as_bytes(metadata);
  if (bytes.size() < sizeof(int16_t)) return std::nullopt;
  Subscription subscription;
  subscription.version = std::min<int16_t>(load_be<int16_t>(bytes.data()), ConsumerProtocolSubscription::newest);
  const auto read = decode<ConsumerProtocolSubscription>(bytes.subspan(sizeof(int16_t)), subscription.version);
  if (!read) return std::nullopt;
  subscription.topics = {read->topics.begin(), read->topics.end()};
  subscription.owned = with_ids(image, read->owned_partitions);
  if (read->rack_id) subscription.rack_id = std::string(*read->rack_id);
  return subscription;
}

std::string write_assignment(const cluster::Image& image, const TopicPartitions& partitions, int16_t version) {
  ConsumerProtocolAssignment assignment;
  for (const auto& [id, indices] : partitions) {
    const auto* topic = image.topic(id);
    if (!topic) continue;
    auto& told = assignment.assigned_partitions.emplace_back();
    told.topic = topic->name;
    told.partitions.assign(indices.begin(), indices.end());
  }
  std::vector<std::byte> bytes(sizeof(int16_t));
  store_be(bytes.data(), version);
  KQ_CHECK(encode(assignment, version, bytes));
  return std::string(as_text(bytes));
}

bool write_upgrade(const cluster::Image& image, const ClassicGroup& group, Writes& writes) {
  std::vector<ConsumerMember> members;
  for (const auto& [id, classic] : group.members()) {
    if (classic.protocols.empty()) return false;
    const auto subscription = read_subscription(image, classic.protocols.front().metadata);
    auto assigned = read_assignment(image, classic.assignment);
    if (!subscription || !assigned) return false;
    ConsumerMember& member = members.emplace_back();
    member.id = id;
    member.instance_id = classic.instance_id;
    member.rack_id = subscription->rack_id;
    member.client_id = classic.client_id;
    member.client_host = classic.client_host;
    member.rebalance_timeout = classic.rebalance_timeout;
    member.topics = subscription->topics;
    member.classic = ClassicSide{classic.session_timeout, classic.protocols};
    member.epoch = member.previous_epoch = group.generation();
    member.assigned = std::move(*assigned);
  }
  group.remove(writes);
  for (const ConsumerMember& member : members) write_subscription(writes, group.id, member);
  write_group_epoch(writes, group.id, group.generation(), 0);
  for (const ConsumerMember& member : members) write_target(writes, group.id, member.id, member.assigned);
  write_target_epoch(writes, group.id, group.generation());
  for (const ConsumerMember& member : members) write_current(writes, group.id, member);
  return true;
}

std::vector<ClassicMember> write_downgrade(const cluster::Image& image, const ConsumerGroup& group, const Leaving& leaving, int64_t now_ms,
                                           Writes& writes) {
  group.remove(writes);
  ClassicGroup classic(group.id, now_ms);
  std::vector<ClassicMember> members;
  for (const auto& [id, member] : group.members()) {
    if (leaving.contains(id) || !member.classic) continue;
    ClassicMember& stays = members.emplace_back();
    stays.id = id;
    stays.instance_id = member.instance_id;
    stays.client_id = member.client_id;
    stays.client_host = member.client_host;
    stays.rebalance_timeout = member.rebalance_timeout;
    stays.session_timeout = member.classic->session_timeout;
    stays.protocols = member.classic->protocols;
    const auto subscription = read_subscription(image, stays.protocols.empty() ? "" : stays.protocols.front().metadata);
    stays.assignment = write_assignment(image, member.assigned, subscription ? subscription->version : int16_t{0});
    classic.add(stays, consumer_protocol_type);
  }
  classic.begin_at(group.epoch(), now_ms);
  classic.write(writes, [](const ClassicMember& member) -> std::string_view { return member.assignment; });
  return members;
}

}  // namespace kq::group
