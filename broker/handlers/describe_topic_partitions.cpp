// DescribeTopicPartitions, key 75, v0 (KIP-966): topics in order of their names, a page at a time.
#include <algorithm>
#include <set>

#include "broker/broker.hpp"
#include "broker/cluster/topic_name.hpp"
#include "broker/handlers/describe_partition.hpp"
#include "broker/handlers/handlers.hpp"

namespace kq::broker {
namespace {

using Request = DescribeTopicPartitionsRequest;
using Response = DescribeTopicPartitionsResponse;
using Topic = Response::DescribeTopicPartitionsResponseTopic;

// The topics from the cursor on, by name.  Nothing: the cursor's topic is not among those that were asked for.
std::optional<std::vector<std::string_view>> names_from_cursor(const Call& call, const Request& request) {
  const std::string_view from = request.cursor ? request.cursor->topic_name : std::string_view{};
  std::set<std::string_view> names;
  if (request.topics.empty()) {
    call.image->topics.for_each([&](const std::string& name, const auto&) {
      if (name >= from) names.insert(name);
    });
    return std::vector(names.begin(), names.end());
  }
  for (const auto& topic : request.topics)
    if (topic.name >= from) names.insert(topic.name);
  if (request.cursor && names.count(from) == 0) return std::nullopt;
  return std::vector(names.begin(), names.end());
}

Response refusal(const Request& request) {
  Response response;
  for (const auto& asked : request.topics) {
    Topic& topic = response.topics.emplace_back();
    topic.error_code = Code::invalid_request;
    topic.name = asked.name;
  }
  return response;
}

void set_cursor(Response& response, std::string_view topic, int32_t partition) {
  auto& cursor = response.next_cursor.emplace();
  cursor.topic_name = topic;
  cursor.partition_index = partition;
}

void add_missing(std::string_view name, Response& response) {
  Topic& topic = response.topics.emplace_back();
  topic.error_code = cluster::topic_name_fault(name) ? Code::invalid_topic_exception : Code::unknown_topic_or_partition;
  topic.name = name;
  topic.is_internal = cluster::is_internal_topic(name);
  topic.topic_authorized_operations = topic_operations_all;
}

// At most `limit` partitions from `first` on; answers the one that comes next, or none where that was the end.
std::optional<int32_t> add_topic(const Call& call, const cluster::TopicImage& state, int32_t first, int32_t limit, Response& response) {
  Topic& topic = response.topics.emplace_back();
  topic.name = state.name;
  topic.topic_id = state.id;
  topic.is_internal = cluster::is_internal_topic(state.name);
  topic.topic_authorized_operations = topic_operations_all;
  const auto count = static_cast<int32_t>(state.partitions.size());
  const auto end = static_cast<int32_t>(std::min<int64_t>(count, int64_t{first} + limit));
  for (int32_t index = first; index < end; ++index) {
    const cluster::PartitionImage* partition = state.partition(index);
    if (!partition) continue;
    auto& out = topic.partitions.emplace_back();
    describe_partition(call, *call.image, index, *partition, Code::listener_not_found, out);
    out.eligible_leader_replicas = partition->eligible_leader_replicas;
    out.last_known_elr = partition->last_known_elr;
  }
  if (end < count) return end;
  return std::nullopt;
}

}  // namespace

awaitable<Response> handle(Broker& broker, Call& call, const Request& request) {
  if (request.cursor && request.cursor->partition_index < 0) co_return refusal(request);
  const auto names = names_from_cursor(call, request);
  if (!names) co_return refusal(request);
  Response response;
  int32_t left = std::max(1, std::min(broker.config.max_request_partition_size_limit, request.response_partition_limit));
  for (const std::string_view name : *names) {
    if (left == 0) {
      set_cursor(response, name, 0);
      break;
    }
    const cluster::TopicImage* topic = call.image->topic(name);
    if (!topic) {
      add_missing(name, response);
      continue;
    }
    const int32_t first = request.cursor && request.cursor->topic_name == name ? request.cursor->partition_index : 0;
    if (const auto next = add_topic(call, *topic, first, left, response)) {
      set_cursor(response, name, *next);
      break;
    }
    left -= static_cast<int32_t>(response.topics.back().partitions.size());
  }
  co_return response;
}

}  // namespace kq::broker
