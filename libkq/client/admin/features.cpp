// Operations on what the cluster as a whole has agreed on: features, the controllers' quorum.
#include <map>

#include "libkq/client/admin/names.hpp"
#include "libkq/client/admin/story.hpp"
#include "libkq/protocol/messages/api_versions.hpp"
#include "libkq/protocol/messages/describe_quorum.hpp"
#include "libkq/protocol/messages/update_features.hpp"

namespace kq::client::admin {
namespace {

// ---- describe_features ---------------------------------------------------------------------------------------------------------

awaitable<Result<Rows>> tell_describe_features(std::shared_ptr<Cluster> cluster, const Request&, Instant deadline) {
  ApiVersionsRequest message;
  message.client_software_name = cluster->options().connection.software_name;
  message.client_software_version = cluster->options().connection.software_version;
  auto reply = co_await cluster->request(any_node, message, deadline);
  if (!reply) co_return std::move(reply.error());
  const auto& response = reply->message;
  if (response.error_code != Code::none) co_return no_to("describe_features", response.error_code);
  Rows rows = make_rows(describe_features);
  std::map<std::string_view, int64_t> finalized;
  for (const auto& feature : response.finalized_features) finalized[feature.name] = feature.max_version_level;
  for (const auto& feature : response.supported_features) {
    auto& row = rows->add().set("feature", feature.name).set("min_version", feature.min_version).set("max_version", feature.max_version);
    if (const auto found = finalized.find(feature.name); found != finalized.end()) row.set("version", found->second);
  }
  co_return rows;
}

// ---- update_features -----------------------------------------------------------------------------------------------------------

constexpr Named changes[] = {{1, "upgrade"}, {2, "safe_downgrade"}, {3, "unsafe_downgrade"}};

std::vector<Code> codes_of_update(const UpdateFeaturesResponse& response) { return {response.error_code}; }

awaitable<Result<Rows>> tell_update_features(std::shared_ptr<Cluster> cluster, const Request& request, Instant deadline) {
  UpdateFeaturesRequest message;
  message.timeout_ms = ms_until(deadline);
  message.validate_only = request.int64("validate_only") != 0;
  Rows rows = make_rows(update_features);
  for (size_t item = 0; item < request.count(); ++item) {
    const auto change = number_in(changes, request.string(item, "change"), "change");
    if (!change) co_return change.error();
    auto& update = message.feature_updates.emplace_back();
    update.feature = request.string(item, "feature");
    update.max_version_level = static_cast<int16_t>(request.int64(item, "version"));
    update.upgrade_type = *change;
    rows->add().set("feature", update.feature);
  }
  auto reply = co_await ask_controller(cluster, message, deadline, codes_of_update);
  if (!reply) co_return std::move(reply.error());
  const auto& response = reply->message;                            // all or nothing, since version 2
  for (size_t item = 0; item < request.count(); ++item) {
    const std::string_view feature = request.string(item, "feature");
    if (response.error_code != Code::none) rows->at(item).fail(no_to(feature, response.error_code, response.error_message));
    for (const auto& result : response.results)
      if (result.feature == feature && result.error_code != Code::none)
        rows->at(item).fail(no_to(feature, result.error_code, result.error_message));
  }
  co_return rows;
}

// ---- describe_quorum -----------------------------------------------------------------------------------------------------------

void describe(kq_rows& rows, const std::vector<DescribeQuorumResponse::ReplicaState>& replicas) {
  for (const auto& replica : replicas) {
    auto& row = rows.add().set("node", replica.replica_id).set("directory", replica.replica_directory_id.text());
    row.set("end_offset", replica.log_end_offset);
    if (replica.last_fetch_timestamp >= 0) row.set("last_fetch", replica.last_fetch_timestamp);
    if (replica.last_caught_up_timestamp >= 0) row.set("last_caught_up", replica.last_caught_up_timestamp);
  }
}

awaitable<Result<Rows>> tell_describe_quorum(std::shared_ptr<Cluster> cluster, const Request&, Instant deadline) {
  DescribeQuorumRequest message;
  auto& topic = message.topics.emplace_back();
  topic.topic_name = "__cluster_metadata";
  topic.partitions.emplace_back().partition_index = 0;
  auto reply = co_await cluster->request(any_node, message, deadline);
  if (!reply) co_return std::move(reply.error());
  const auto& response = reply->message;
  if (response.error_code != Code::none) co_return no_to("describe_quorum", response.error_code, response.error_message);
  if (response.topics.empty() || response.topics.front().partitions.empty()) co_return unmentioned("__cluster_metadata");
  const auto& partition = response.topics.front().partitions.front();
  if (partition.error_code != Code::none) co_return no_to("describe_quorum", partition.error_code, partition.error_message);
  Rows rows = make_rows(describe_quorum);
  auto& row = rows->add().set("leader", partition.leader_id).set("leader_epoch", partition.leader_epoch);
  row.set("high_watermark", partition.high_watermark);
  describe(row.nested("voters"), partition.current_voters);
  describe(row.nested("observers"), partition.observers);
  co_return rows;
}

// ---- tables --------------------------------------------------------------------------------------------------------------------

constexpr kq_field feature_column = column("feature", 's', "Its name, as in metadata.version.");
constexpr kq_field describe_features_out[] = {
    feature_column,
    column("min_version", 'i', "The lowest that the broker can do."),
    column("max_version", 'i', "The highest that the broker can do."),
    nullable(column("version", 'i', "What the cluster has agreed on; null: it does not use it.")),
};
constexpr kq_field update_features_in[] = {
    parameter("validate_only", 'i', "1: check, and change nothing.", "0"),
    item("feature", 's', "Its name, as in metadata.version."),
    item("version", 'i', "The new version; 0: use it no more."),
    item("change", 's', "upgrade, safe_downgrade, or unsafe_downgrade, which may lose metadata.", "upgrade"),
};
constexpr kq_field update_features_out[] = {feature_column};
constexpr kq_field describe_quorum_out[] = {
    column("leader", 'i', "The controller that is active; -1: none at the moment."),
    column("leader_epoch", 'i', "How often that has changed."),
    column("high_watermark", 'i', "Up to where the metadata log is agreed on."),
    column("voters", 'r', "The controllers that agree."),
    column("voters.node", 'i', "The controller's id."),
    column("voters.directory", 's', "The id of its directory."),
    column("voters.end_offset", 'i', "The end of its log."),
    nullable(column("voters.last_fetch", 'i', "When it last asked, in ms since 1970; null: not told.")),
    nullable(column("voters.last_caught_up", 'i', "When it last had everything; null: not told.")),
    column("observers", 'r', "Who follows without a vote: brokers."),
    column("observers.node", 'i', "The node's id."),
    column("observers.directory", 's', "The id of its directory."),
    column("observers.end_offset", 'i', "The end of its log."),
    nullable(column("observers.last_fetch", 'i', "When it last asked, in ms since 1970; null: not told.")),
    nullable(column("observers.last_caught_up", 'i', "When it last had everything; null: not told.")),
};

}  // namespace

constinit const Operation describe_features{"describe_features", "Versions of what the cluster has agreed on.", {}, describe_features_out, true,
                                            tell_describe_features};
constinit const Operation update_features{"update_features", "Has the cluster agree on other versions.", update_features_in,
                                          update_features_out, false, tell_update_features};
constinit const Operation describe_quorum{"describe_quorum", "The controllers, and how far each is.", {}, describe_quorum_out, true,
                                          tell_describe_quorum};

}  // namespace kq::client::admin
