// New topics: names, settings, placement (ReplicationControlManager and ControllerApis of Kafka).
#include <map>
#include <set>

#include "broker/cluster/decide.hpp"
#include "broker/cluster/topic_name.hpp"
#include "broker/config_view.hpp"
#include "broker/session.hpp"

namespace kq::broker {
namespace {

using cluster::Change;
using cluster::Fault;
using cluster::PartitionImage;
using Request = CreateTopicsRequest;
using Response = CreateTopicsResponse;

Response::CreatableTopicResult refusal(const Deciding& with, std::string_view name, Fault fault) {
  Response::CreatableTopicResult result;
  result.name = name;
  result.error_code = fault.code;
  result.error_message = with.call.keep(std::move(fault.message));
  return result;
}

std::set<std::string_view> names_twice(const Request& request) {
  std::set<std::string_view> seen, twice;
  for (const auto& topic : request.topics)
    if (!seen.insert(topic.name).second) twice.insert(topic.name);
  return twice;
}

int64_t count_partitions(const Config& config, const Request& request) {
  int64_t count = 0;
  for (const auto& topic : request.topics) {
    if (!topic.assignments.empty()) count += static_cast<int64_t>(topic.assignments.size());
    else count += topic.num_partitions > 0 ? topic.num_partitions : topic.num_partitions == -1 ? config.num_partitions : 0;
  }
  return count;
}

std::optional<Fault> check_name(const Deciding& with, const Change& change, std::string_view name) {
  if (auto fault = cluster::topic_name_fault(name)) return Fault{Code::invalid_topic_exception, std::move(*fault)};
  if (change.image().topic(name)) return Fault{Code::topic_already_exists, "Topic '" + std::string(name) + "' already exists."};
  if (const std::string other = with.colliding(name); !other.empty())
    return Fault{Code::invalid_topic_exception, "Topic '" + std::string(name) + "' collides with existing topic: " + other};
  return std::nullopt;
}

using Partitions = std::vector<PartitionImage>;

std::optional<Fault> assigned_partitions(const Change& change, const Request::CreatableTopic& topic, Partitions& out) {
  const auto refused = [](std::string why) { return Fault{Code::invalid_replica_assignment, std::move(why)}; };
  if (topic.replication_factor != -1)
    return Fault{Code::invalid_request, "A manual partition assignment was specified, but replication factor was not set to -1."};
  if (topic.num_partitions != -1)
    return Fault{Code::invalid_request, "A manual partition assignment was specified, but numPartitions was not set to -1."};
  std::map<int32_t, PartitionImage> by_index;
  size_t replication_factor = 0;
  for (const auto& assignment : topic.assignments) {
    const std::string index = std::to_string(assignment.partition_index);
    if (by_index.count(assignment.partition_index)) return refused("Found multiple manual partition assignments for partition " + index);
    if (auto fault = check_assignment(change.image(), assignment.broker_ids, replication_factor)) return fault;
    replication_factor = assignment.broker_ids.size();
    auto partition = new_partition(change.image(), assignment.broker_ids);
    if (!partition)
      return refused("All brokers specified in the manual partition assignment for partition " + index +
                     " are fenced or in controlled shutdown.");
    by_index[assignment.partition_index] = std::move(*partition);
  }
  for (auto& [index, partition] : by_index) {
    if (index != static_cast<int32_t>(out.size())) return refused("partitions should be a consecutive 0-based integer sequence");
    out.push_back(std::move(partition));
  }
  return std::nullopt;
}

std::optional<Fault> placed_partitions(const Config& config, const Change& change, const Request::CreatableTopic& topic, Partitions& out) {
  if (topic.replication_factor < -1 || topic.replication_factor == 0)
    return Fault{Code::invalid_replication_factor, "Replication factor must be larger than 0, or -1 to use the default value."};
  if (topic.num_partitions < -1 || topic.num_partitions == 0)
    return Fault{Code::invalid_partitions, "Number of partitions was set to an invalid non-positive value."};
  const int32_t count = topic.num_partitions == -1 ? config.num_partitions : topic.num_partitions;
  const int32_t factor = topic.replication_factor == -1 ? config.default_replication_factor : topic.replication_factor;
  Placement placement = place(change.image(), 0, count, factor);
  if (placement.fault) return placement.fault;
  for (auto& replicas : placement.partitions) {
    auto partition = new_partition(change.image(), std::move(replicas));
    if (!partition)
      return Fault{Code::invalid_replication_factor,
                   "Unable to replicate the partition " + std::to_string(factor) + " time(s): All brokers are currently fenced or in controlled shutdown."};
    out.push_back(std::move(*partition));
  }
  return std::nullopt;
}

// Settings that are right; of a name that stands twice the last one holds.
std::optional<Fault> collect_configs(const Request::CreatableTopic& topic, std::vector<ConfigEdit>& out) {
  std::map<std::string_view, ConfigEdit> by_name;
  for (const auto& config : topic.configs) {
    if (!config.value)
      return Fault{Code::invalid_config, "Null value not supported for topic configs: " + std::string(config.name)};
    by_name[config.name] = ConfigEdit{config.name, ConfigOperation::set, config.value};
  }
  for (const auto& [name, edit] : by_name) out.push_back(edit);
  return std::nullopt;
}

Response::CreatableTopicResult created(const Deciding& with, const Change& change, std::string_view name) {
  const cluster::TopicImage& topic = *change.image().topic(name);
  Response::CreatableTopicResult result;
  result.name = name;
  result.topic_id = topic.id;
  result.error_message.reset();
  if (with.call.version < 5) return result;             // earlier versions cannot say more
  result.num_partitions = static_cast<int32_t>(topic.partitions.size());
  result.replication_factor = static_cast<int16_t>(topic.partitions[0].replicas.size());
  const auto& set = change.image().config(cluster::ResourceType::topic, name);
  for (ConfigEntry& entry : topic_config_entries(with.config, change.image(), name)) {
    auto& config = result.configs->emplace_back();
    config.name = entry.name;
    const auto own = set.find(entry.name);               // what was asked for is told as it was asked
    if (own != set.end()) config.value = with.call.keep(std::string(own->second));
    else if (entry.value) config.value = with.call.keep(std::move(*entry.value));
    else config.value.reset();
    config.read_only = entry.read_only;
    config.config_source = static_cast<int8_t>(entry.source);
    config.is_sensitive = entry.sensitive;
  }
  return result;
}

std::optional<Fault> create(const Deciding& with, Change& change, const Request::CreatableTopic& topic) {
  if (auto fault = check_name(with, change, topic.name)) return fault;
  std::vector<ConfigEdit> configs;
  if (auto fault = collect_configs(topic, configs)) return fault;
  const cluster::ConfigResource resource{cluster::ResourceType::topic, std::string(topic.name)};
  const ConfigPlan plan = plan_config(with.config, change.image(), resource, configs);
  if (plan.fault) return plan.fault;
  Partitions partitions;
  if (auto fault = topic.assignments.empty() ? placed_partitions(with.config, change, topic, partitions)
                                             : assigned_partitions(change, topic, partitions))
    return fault;

  TopicRecord record;
  record.name = topic.name;
  record.topic_id = Uuid::random();
  change.add(record);
  add_config(change, resource, plan);
  const int16_t version = change.versions().partition;
  for (size_t i = 0; i < partitions.size(); ++i)
    change.add(partition_record(record.topic_id, static_cast<int32_t>(i), partitions[i], version), version);
  return std::nullopt;
}

}  // namespace

Response decide(const Deciding& with, Change& change, const Request& request) {
  Response response;
  const auto twice = names_twice(request);
  const bool too_many = count_partitions(with.config, request) > partitions_per_request_max;
  for (const auto& topic : request.topics) {
    if (twice.count(topic.name)) continue;
    std::optional<Fault> fault;
    if (topic.name == cluster::metadata_topic)
      fault = Fault{Code::invalid_request, "Creation of internal topic " + std::string(topic.name) + " is prohibited."};
    else if (too_many) fault = Fault{Code::policy_violation, "Excessively large number of partitions per request."};
    else fault = create(with, change, topic);
    response.topics.push_back(fault ? refusal(with, topic.name, std::move(*fault)) : created(with, change, topic.name));
  }
  for (const std::string_view name : twice)
    response.topics.push_back(refusal(with, name, {Code::invalid_request, "Duplicate topic name."}));
  return response;
}

}  // namespace kq::broker
