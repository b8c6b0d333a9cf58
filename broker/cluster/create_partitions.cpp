// More partitions for topics that there are.
#include <map>

#include "broker/cluster/decide.hpp"
#include "broker/session.hpp"

namespace kq::broker {
namespace {

using cluster::Change;
using cluster::Fault;
using Topic = CreatePartitionsRequest::CreatePartitionsTopic;

// Replicas of the new partitions: as they were assigned, or placed.
std::optional<Fault> choose(const Change& change, const Topic& request, const cluster::TopicImage& topic, int32_t additional,
                            std::vector<std::vector<int32_t>>& out) {
  const size_t factor = topic.partitions[0].replicas.size();
  if (!request.assignments) {
    Placement placement = place(change.image(), static_cast<int32_t>(topic.partitions.size()), additional, static_cast<int32_t>(factor));
    out = std::move(placement.partitions);
    return placement.fault;
  }
  if (static_cast<size_t>(additional) != request.assignments->size())
    return Fault{Code::invalid_replica_assignment, "Attempted to add " + std::to_string(additional) + " additional partition(s), but only " +
                                                       std::to_string(request.assignments->size()) + " assignment(s) were specified."};
  for (const auto& assignment : *request.assignments) {
    if (auto fault = check_assignment(change.image(), assignment.broker_ids, factor)) return fault;
    out.push_back(assignment.broker_ids);
  }
  return std::nullopt;
}

std::optional<Fault> add_partitions(Change& change, const Topic& request) {
  const cluster::TopicImage* topic = change.image().topic(request.name);
  if (!topic) return Fault{Code::unknown_topic_or_partition, {}};
  const auto existing = static_cast<int32_t>(topic->partitions.size());
  if (request.count == existing)
    return Fault{Code::invalid_partitions, "Topic already has " + std::to_string(existing) + " partition(s)."};
  if (request.count < existing)
    return Fault{Code::invalid_partitions, "The topic " + std::string(request.name) + " currently has " + std::to_string(existing) +
                                               " partition(s); " + std::to_string(request.count) + " would not be an increase."};
  const int32_t additional = request.count - existing;
  if (additional > partitions_per_request_max)
    return Fault{Code::policy_violation, "Excessively large number of partitions per request."};
  std::vector<std::vector<int32_t>> replicas;
  if (auto fault = choose(change, request, *topic, additional, replicas)) return fault;
  std::vector<cluster::PartitionImage> partitions;
  for (size_t i = 0; i < replicas.size(); ++i) {
    auto partition = cluster::PartitionImage{};
    if (auto made = new_partition(change.image(), std::move(replicas[i]))) partition = std::move(*made);
    else
      return Fault{Code::invalid_replica_assignment, "All brokers specified in the manual partition assignment for partition " +
                                                         std::to_string(static_cast<size_t>(existing) + i) +
                                                         " are fenced or in controlled shutdown."};
    partitions.push_back(std::move(partition));
  }
  const Uuid id = topic->id;
  const int16_t version = change.versions().partition;
  for (size_t i = 0; i < partitions.size(); ++i)
    change.add(partition_record(id, existing + static_cast<int32_t>(i), partitions[i], version), version);
  return std::nullopt;
}

}  // namespace

CreatePartitionsResponse decide(const Deciding& with, Change& change, const CreatePartitionsRequest& request) {
  CreatePartitionsResponse response;
  std::map<std::string_view, int> names;
  for (const Topic& topic : request.topics) ++names[topic.name];
  const auto answer = [&](std::string_view name, std::optional<Fault> fault) {
    auto& result = response.results.emplace_back();
    result.name = name;
    if (!fault) return;
    result.error_code = fault->code;
    if (!fault->message.empty()) result.error_message = with.call.keep(std::move(fault->message));
  };
  for (const Topic& topic : request.topics)
    if (names[topic.name] == 1) answer(topic.name, add_partitions(change, topic));
  for (const auto& [name, count] : names)
    if (count > 1) answer(name, Fault{Code::invalid_request, "Duplicate topic name."});
  return response;
}

}  // namespace kq::broker
