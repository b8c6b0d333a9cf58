// StreamsGroupHeartbeat, key 88, v0 (KIP-1071).
#include <algorithm>
#include <set>

#include "broker/cluster/controller.hpp"
#include "broker/cluster/topic_name.hpp"
#include "broker/handlers/group_request.hpp"
#include "broker/handlers/streams_request.hpp"

namespace kq::broker {
namespace {

using group::StreamsCoordinator;
using Request = StreamsGroupHeartbeatRequest;
using Response = StreamsGroupHeartbeatResponse;

struct Fault {
  Code code = Code::none;
  std::string message{};
};

Fault invalid(std::string why) { return {Code::invalid_request, std::move(why)}; }

// What Kafka 4.2 has a place for, and does not do.
Fault check_supported(const Request& request) {
  if (request.instance_id) return invalid("Static membership is not yet supported.");
  if (request.task_offsets) return invalid("TaskOffsets are not supported yet.");
  if (request.task_end_offsets) return invalid("TaskEndOffsets are not supported yet.");
  if (request.warmup_tasks && !request.warmup_tasks->empty()) return invalid("WarmupTasks are not supported yet.");
  if (!request.topology) return {};
  for (const auto& subtopology : request.topology->subtopologies)
    if (!subtopology.source_topic_regex.empty()) return invalid("Regular expressions for source topics are not supported yet.");
  return {};
}

Fault check_joining(const Request& request) {
  if (request.rebalance_timeout_ms == -1) return invalid("RebalanceTimeoutMs must be provided in first request.");
  const auto empty = [](const auto& tasks) { return tasks && tasks->empty(); };
  if (!empty(request.active_tasks)) return invalid("ActiveTasks must be empty when (re-)joining.");
  if (!empty(request.standby_tasks)) return invalid("StandbyTasks must be empty when (re-)joining.");
  if (!empty(request.warmup_tasks)) return invalid("WarmupTasks must be empty when (re-)joining.");
  if (!request.topology) return invalid("Topology must be non-null when (re-)joining.");
  for (const auto& subtopology : request.topology->subtopologies)
    for (const auto& topic : subtopology.state_changelog_topics)
      if (topic.partitions != 0)
        return {Code::streams_invalid_topology, "Changelog topic " + std::string(topic.name) +
                                                    " must have an undefined partition count, but it is set to " +
                                                    std::to_string(topic.partitions) + "."};
  return {};
}

// In Kafka's words.
Fault check(const Request& request) {
  constexpr int32_t static_leaving_epoch = -2;
  if (Fault fault = check_supported(request); fault.code != Code::none) return fault;
  if (request.member_id.empty()) return invalid("MemberId can't be empty.");
  if (request.group_id.empty()) return invalid("GroupId can't be empty.");
  if (request.rack_id && request.rack_id->empty()) return invalid("RackId can't be empty.");
  if (request.member_epoch == StreamsCoordinator::joining_epoch) {
    if (Fault fault = check_joining(request); fault.code != Code::none) return fault;
  } else if (request.member_epoch == static_leaving_epoch) {
    return invalid("InstanceId can't be null.");
  } else if (request.member_epoch < static_leaving_epoch) {
    return invalid("MemberEpoch is " + std::to_string(request.member_epoch) + ", but must be greater than or equal to -2.");
  }
  const int told = (request.active_tasks ? 1 : 0) + (request.standby_tasks ? 1 : 0) + (request.warmup_tasks ? 1 : 0);
  if (told != 0 && told != 3) return invalid("If one task-type is non-null, all must be non-null.");
  if (request.member_epoch != StreamsCoordinator::joining_epoch && request.topology)
    return invalid("Topology can only be provided when (re-)joining.");
  return {};
}

std::string joined(const std::vector<std::string_view>& names) {
  std::string text;
  for (const std::string_view name : names) text += (text.empty() ? "" : ",") + std::string(name);
  return text;
}

// An application may not work on brokers' own topics, and what it wants made must have a name.
Fault check_topics(const Request& request) {
  if (!request.topology) return {};
  std::vector<std::string_view> names;
  std::set<std::string_view> seen;
  const auto add = [&](std::string_view name) {
    if (seen.insert(name).second) names.push_back(name);
  };
  for (const auto& subtopology : request.topology->subtopologies) {
    for (const auto name : subtopology.source_topics) add(name);
    for (const auto name : subtopology.repartition_sink_topics) add(name);
    for (const auto& topic : subtopology.repartition_source_topics) add(topic.name);
    for (const auto& topic : subtopology.state_changelog_topics) add(topic.name);
  }
  std::vector<std::string_view> internal, illegal;
  for (const auto name : names) {
    if (cluster::is_internal_topic(name)) internal.push_back(name);
    if (cluster::topic_name_fault(name)) illegal.push_back(name);
  }
  if (!internal.empty())
    return {Code::streams_invalid_topology,
            "Use of Kafka internal topics " + joined(internal) + " in a Kafka Streams topology is prohibited."};
  if (!illegal.empty()) return {Code::streams_invalid_topology, "Topic names " + joined(illegal) + " are not valid topic names."};
  return {};
}

// Makes the topics that the application needs; the answer tells of those that could not be made.  That they are there the next heartbeat
// finds, as with Kafka.
awaitable<void> create_topics(Broker& broker, Call& call, const std::vector<group::InternalTopic>& topics, Response& response) {
  constexpr size_t told_max = 3;
  CreateTopicsRequest create;
  for (const group::InternalTopic& topic : topics) {
    auto& to = create.topics.emplace_back();
    to.name = topic.name;
    to.num_partitions = topic.partitions;
    to.replication_factor = topic.replication_factor != 0 ? topic.replication_factor : int16_t{-1};
    for (const auto& [key, value] : topic.configs) {
      auto& config = to.configs.emplace_back();
      config.name = key;
      config.value = value;
    }
  }
  const auto created = co_await broker.controller->create_topics(call, create);
  std::string why;
  size_t failed = 0;
  for (const auto& topic : created.topics) {
    if (topic.error_code == Code::none || topic.error_code == Code::topic_already_exists) continue;
    if (failed++ >= told_max) continue;
    why += (why.empty() ? "" : ", ") + std::string(topic.name) + " (" +
           std::string(topic.error_message.value_or(name_of(topic.error_code))) + ")";
  }
  if (failed > told_max) why += " and " + std::to_string(failed - told_max) + " more";
  if (failed == 0) co_return;
  for (auto& status : *response.status)
    if (status.status_code == static_cast<int8_t>(group::StreamsStatus::missing_internal_topics))
      status.status_detail = call.keep(std::string(status.status_detail) + "; Creation failed: " + why + ".");
}

}  // namespace

#if defined(__GNUC__) && !defined(__clang__)  // g++ 12 inlines half of the pair with which Asio keeps coroutine frames, and warns
#pragma GCC diagnostic ignored "-Wmismatched-new-delete"
#endif
awaitable<Response> handle(Broker& broker, Call& call, const Request& request) {
  Response response;
  Fault fault = check_topics(request);
  if (fault.code == Code::none) fault = check(request);
  if (!streams_enabled(broker, call)) fault = {Code::unsupported_version, "The version of API is not supported."};
  if (fault.code != Code::none) {
    response.error_code = fault.code;
    response.error_message = call.keep(std::move(fault.message));
    co_return response;
  }
  const group::Caller caller = caller_of(call);
  group::StreamsHeartbeatAnswer answer;
  const auto decide = [&](group::GroupShard& shard, const coordinator::Now& now, coordinator::Writes& writes) {
    answer = shard.streams().heartbeat(now, caller, request, writes);
  };
  const Code code = co_await broker.groups().run(call.loop, request.group_id, decide);
  if (code != Code::none) {
    response.error_code = code;
    co_return response;
  }
  const auto missing = std::move(answer.create);
  response = take(call, std::move(answer));
  if (!missing.empty()) co_await create_topics(broker, call, missing, response);
  co_return response;
}

}  // namespace kq::broker
