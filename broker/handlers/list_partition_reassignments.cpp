// ListPartitionReassignments, key 46, v0 (KIP-455).
#include "broker/broker.hpp"
#include "broker/cluster/image.hpp"
#include "broker/handlers/handlers.hpp"

namespace kq::broker {
namespace {

using Topic = ListPartitionReassignmentsResponse::OngoingTopicReassignment;

void add_ongoing(Topic& told, const cluster::TopicImage& topic, int32_t index) {
  const cluster::PartitionImage* partition = topic.partition(index);
  if (!partition || (partition->adding_replicas.empty() && partition->removing_replicas.empty())) return;
  auto& ongoing = told.partitions.emplace_back();
  ongoing.partition_index = index;
  ongoing.replicas = partition->replicas;
  ongoing.adding_replicas = partition->adding_replicas;
  ongoing.removing_replicas = partition->removing_replicas;
}

void keep(ListPartitionReassignmentsResponse& response, std::string_view name, Topic&& told) {
  if (told.partitions.empty()) return;
  told.name = name;
  response.topics.push_back(std::move(told));
}

}  // namespace

awaitable<ListPartitionReassignmentsResponse> handle(Broker&, Call& call, const ListPartitionReassignmentsRequest& request) {
  ListPartitionReassignmentsResponse response;
  response.error_message.reset();
  if (!request.topics) {
    call.image->topics.for_each([&](const std::string& name, const auto& topic) {
      Topic told;
      for (size_t index = 0; index < topic->partitions.size(); ++index) add_ongoing(told, *topic, static_cast<int32_t>(index));
      keep(response, name, std::move(told));
    });
    co_return response;
  }
  for (const auto& asked : *request.topics) {
    const cluster::TopicImage* topic = call.image->topic(asked.name);
    if (!topic) continue;
    Topic told;
    for (const int32_t index : asked.partition_indexes) add_ongoing(told, *topic, index);
    keep(response, topic->name, std::move(told));
  }
  co_return response;
}

}  // namespace kq::broker
