// What the controller decides: from a request and the image, records and an answer.  No file, no clock, no thread.
#pragma once

#include <functional>

#include "broker/cluster/change.hpp"
#include "broker/config.hpp"
#include "libkq/protocol/messages/alter_configs.hpp"
#include "libkq/protocol/messages/create_partitions.hpp"
#include "libkq/protocol/messages/create_topics.hpp"
#include "libkq/protocol/messages/delete_topics.hpp"
#include "libkq/protocol/messages/incremental_alter_configs.hpp"

namespace kq::broker {

struct Call;

// In one request: more would not fit one batch of the metadata log.
constexpr int32_t partitions_per_request_max = 10'000;

// What decisions need beside the request and the image.  All of it outlives the decision.
struct Deciding {
  const Config& config;
  Call& call;                                        // keeps what the answer's views point to
  // The other topic whose name this one would collide with; empty: none.
  std::function<std::string(std::string_view name)> colliding;
};

CreateTopicsResponse decide(const Deciding&, cluster::Change&, const CreateTopicsRequest&);
DeleteTopicsResponse decide(const Deciding&, cluster::Change&, const DeleteTopicsRequest&);
CreatePartitionsResponse decide(const Deciding&, cluster::Change&, const CreatePartitionsRequest&);
IncrementalAlterConfigsResponse decide(const Deciding&, cluster::Change&, const IncrementalAlterConfigsRequest&);
AlterConfigsResponse decide(const Deciding&, cluster::Change&, const AlterConfigsRequest&);

// Parts that several of them share.

// Replicas that are spread over the brokers in turn, or a fault in Kafka's words.
struct Placement {
  std::vector<std::vector<int32_t>> partitions;
  std::optional<cluster::Fault> fault;
};
Placement place(const cluster::Image&, int32_t first_partition, int32_t partitions, int32_t replication_factor);
// May these brokers hold a partition together?  `replication_factor` of 0: any number of them.
std::optional<cluster::Fault> check_assignment(const cluster::Image&, std::span<const int32_t> replicas, size_t replication_factor);
// Led by the first replica that is alive, every one that is alive in the ISR; nothing where none is.
std::optional<cluster::PartitionImage> new_partition(const cluster::Image&, std::vector<int32_t> replicas);

enum class ConfigOperation : int8_t { set = 0, remove = 1, append = 2, subtract = 3 };
struct ConfigEdit {
  std::string_view name;
  ConfigOperation operation = ConfigOperation::set;
  std::optional<std::string_view> value;
};
// What the edits come to, or why they cannot be made.
struct ConfigPlan {
  std::vector<std::pair<std::string, std::optional<std::string>>> values;       // no value: removed
  std::optional<cluster::Fault> fault;
};
ConfigPlan plan_config(const Config&, const cluster::Image&, const cluster::ConfigResource&, std::span<const ConfigEdit>);
void add_config(cluster::Change&, const cluster::ConfigResource&, const ConfigPlan&);

}  // namespace kq::broker
