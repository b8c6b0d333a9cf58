// ConsumerGroupHeartbeat, key 68, v0-1 (KIP-848).  v1: subscriptions by pattern, and member ids that clients choose.
#include <algorithm>

#include "broker/handlers/group_request.hpp"

namespace kq::broker {
namespace {

constexpr int16_t own_member_id_from = 1;

struct Fault {
  Code code = Code::none;
  std::string message{};
};

// In Kafka's words.
Fault check(const Broker& broker, const Call& call, const ConsumerGroupHeartbeatRequest& request) {
  const auto invalid = [](const char* why) { return Fault{Code::invalid_request, why}; };
  const auto& protocols = broker.config.group_coordinator_rebalance_protocols;
  if (std::ranges::find(protocols, "consumer") == protocols.end()) return {Code::unsupported_version};
  if (request.member_id.empty() && (call.version >= own_member_id_from || request.member_epoch != group::joining_epoch))
    return invalid("MemberId can't be empty.");
  if (request.group_id.empty()) return invalid("GroupId can't be empty.");
  if (request.instance_id && request.instance_id->empty()) return invalid("InstanceId can't be empty.");
  if (request.rack_id && request.rack_id->empty()) return invalid("RackId can't be empty.");
  if (request.member_epoch == group::joining_epoch) {
    if (request.rebalance_timeout_ms == -1) return invalid("RebalanceTimeoutMs must be provided in first request.");
    if (!request.topic_partitions || !request.topic_partitions->empty())
      return invalid("TopicPartitions must be empty when (re-)joining.");
    if (!request.subscribed_topic_names && !request.subscribed_topic_regex)
      return invalid("Either SubscribedTopicNames or SubscribedTopicRegex must be non-null when (re-)joining.");
  } else if (request.member_epoch == group::static_leaving_epoch && !request.instance_id) {
    return invalid("InstanceId can't be null.");
  } else if (request.member_epoch < group::static_leaving_epoch) {
    return invalid("MemberEpoch is invalid.");
  }
  const auto& assignors = broker.config.group_consumer_assignors;
  if (!request.server_assignor || std::ranges::find(assignors, *request.server_assignor) != assignors.end()) return {};
  std::string names;
  for (const std::string& name : assignors) names += (names.empty() ? "" : ", ") + name;
  return {Code::unsupported_assignor,
          "ServerAssignor " + std::string(*request.server_assignor) + " is not supported. Supported assignors: " + names + "."};
}

}  // namespace

awaitable<ConsumerGroupHeartbeatResponse> handle(Broker& broker, Call& call, const ConsumerGroupHeartbeatRequest& request) {
  ConsumerGroupHeartbeatResponse response;
  Fault fault = check(broker, call, request);
  if (fault.code != Code::none) {
    response.error_code = fault.code;
    if (!fault.message.empty()) response.error_message = call.keep(std::move(fault.message));
    co_return response;
  }
  const group::Caller caller = caller_of(call);
  group::HeartbeatAnswer answer;
  const auto decide = [&](group::GroupShard& shard, const coordinator::Now& now, coordinator::Writes& writes) {
    answer = shard.heartbeat(now, caller, request, writes);
  };
  const Code code = co_await broker.groups().run(call.loop, request.group_id, decide);
  if (code == Code::none)
    response = take(call, std::move(answer));
  else
    response.error_code = code;
  co_return response;
}

}  // namespace kq::broker
