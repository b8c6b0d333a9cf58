#include "libkq/client/group_protocol.hpp"

#include "libkq/base/check.hpp"
#include "libkq/protocol/messages/consumer_protocol.hpp"
#include "libkq/protocol/wire.hpp"

namespace kq::client {
namespace {

constexpr int16_t newest_version = 3;  // what Java writes; a higher one is read as this one

// The user data of `sticky`: bytes without a version, so readers try the newer form first.
struct StickyUserData {
  static constexpr int16_t oldest = 0, newest = 1, flexible = 32767;
  using TopicPartition = ConsumerProtocolSubscription::TopicPartition;

  std::vector<TopicPartition> partitions{};
  int32_t generation = -1;
  static void fields(auto& message, auto& wire) {
    wire("partitions", message.partitions);
    if (wire.version >= 1) wire("generation", message.generation);
  }
};

struct CooperativeUserData {
  static constexpr int16_t oldest = 0, newest = 0, flexible = 32767;

  int32_t generation = -1;
  static void fields(auto& message, auto& wire) { wire("generation", message.generation); }
};

// Sorted partitions as one entry a topic, whose name points into them.
template <class Entry>
void group_by_topic(const Partitions& partitions, std::vector<Entry>& to) {
  for (const TopicPartition& each : partitions) {
    if (to.empty() || to.back().topic != each.topic) to.emplace_back().topic = each.topic;
    to.back().partitions.push_back(each.partition);
  }
}

template <class Entry>
Partitions flat(const std::vector<Entry>& topics) {
  Partitions partitions;
  for (const Entry& topic : topics)
    for (const int32_t partition : topic.partitions) partitions.push_back({std::string(topic.topic), partition});
  std::ranges::sort(partitions);
  return partitions;
}

template <class Message>
Buffer encode_versioned(const Message& message) {
  Buffer bytes(sizeof(int16_t));
  store_be(bytes.data(), newest_version);
  KQ_CHECK(encode(message, newest_version, bytes));
  return bytes;
}

template <class Message>
std::optional<Message> decode_versioned(Bytes bytes) {
  if (bytes.size() < sizeof(int16_t)) return std::nullopt;
  const auto version = load_be<int16_t>(bytes.data());
  if (version < 0) return std::nullopt;
  return decode<Message>(bytes.subspan(sizeof version), std::min(version, newest_version));
}

std::optional<Buffer> user_data(Assignor assignor, const LastAssignment& last) {
  Buffer bytes;
  if (assignor == Assignor::sticky && last.partitions) {
    StickyUserData data{.generation = last.generation};
    group_by_topic(*last.partitions, data.partitions);
    KQ_CHECK(encode(data, StickyUserData::newest, bytes));
    return bytes;
  }
  if (assignor == Assignor::cooperative_sticky) {
    const CooperativeUserData data{last.generation};
    KQ_CHECK(encode(data, CooperativeUserData::newest, bytes));
    return bytes;
  }
  return std::nullopt;
}

void read_sticky_user_data(Bytes bytes, AssignorMember& member) {
  member.owned.clear();
  member.generation = -1;
  auto data = decode<StickyUserData>(bytes, 1);
  if (!data) data = decode<StickyUserData>(bytes, 0);
  if (!data) return;
  member.owned = flat(data->partitions);
  member.generation = data->generation;
}

}  // namespace

Buffer encode_subscription(Assignor assignor, const AssignorMember& self, const LastAssignment& last) {
  ConsumerProtocolSubscription subscription;
  std::vector<std::string_view> topics(self.topics.begin(), self.topics.end());
  std::ranges::sort(topics);
  subscription.topics = std::move(topics);
  const auto data = user_data(assignor, last);
  if (data) subscription.user_data = Bytes(*data);
  if (is_cooperative(assignor)) group_by_topic(self.owned, subscription.owned_partitions);
  subscription.generation_id = self.generation;
  if (!self.rack.empty()) subscription.rack_id = self.rack;
  return encode_versioned(subscription);
}

std::optional<AssignorMember> decode_subscription(Assignor assignor, Bytes bytes) {
  const auto subscription = decode_versioned<ConsumerProtocolSubscription>(bytes);
  if (!subscription) return std::nullopt;
  AssignorMember member;
  member.topics.assign(subscription->topics.begin(), subscription->topics.end());
  member.rack = subscription->rack_id.value_or("");
  member.owned = flat(subscription->owned_partitions);
  member.generation = subscription->generation_id;
  const Bytes data = subscription->user_data.value_or(Bytes{});
  if (assignor == Assignor::sticky) read_sticky_user_data(data, member);
  if (assignor == Assignor::cooperative_sticky && member.generation < 0)
    if (const auto generation = decode<CooperativeUserData>(data, 0)) member.generation = generation->generation;
  return member;
}

Buffer encode_assignment(const Partitions& partitions) {
  ConsumerProtocolAssignment assignment;
  group_by_topic(partitions, assignment.assigned_partitions);
  return encode_versioned(assignment);
}

std::optional<Partitions> decode_assignment(Bytes bytes) {
  if (bytes.empty()) return Partitions{};
  const auto assignment = decode_versioned<ConsumerProtocolAssignment>(bytes);
  if (!assignment) return std::nullopt;
  return flat(assignment->assigned_partitions);
}

std::optional<std::vector<std::string>> subscribed_topics(Bytes bytes) {
  const auto subscription = decode_versioned<ConsumerProtocolSubscription>(bytes);
  if (!subscription) return std::nullopt;
  return std::vector<std::string>(subscription->topics.begin(), subscription->topics.end());
}

}  // namespace kq::client
