// Operations on who keeps and leads partitions: elections and reassignments.
#include "libkq/client/admin/leaders.hpp"
#include "libkq/client/admin/names.hpp"
#include "libkq/protocol/messages/alter_partition_reassignments.hpp"
#include "libkq/protocol/messages/elect_leaders.hpp"
#include "libkq/protocol/messages/list_partition_reassignments.hpp"

namespace kq::client::admin {
namespace {

std::string name_of_partition(std::string_view topic, int64_t partition) { return std::string(topic) + "-" + std::to_string(partition); }

// ---- elect_leaders -------------------------------------------------------------------------------------------------------------

constexpr Named elections[] = {{0, "preferred"}, {1, "unclean"}};

std::vector<Code> codes_of_election(const ElectLeadersResponse& response) {
  std::vector<Code> codes{response.error_code};
  for (const auto& topic : response.replica_election_results)
    for (const auto& partition : topic.partition_result) codes.push_back(partition.error_code);
  return codes;
}

void fill(kq_rows::Row& row, std::string_view topic, const ElectLeadersResponse::PartitionResult& result) {
  row.set("topic", topic).set("partition", result.partition_id);
  if (result.error_code != Code::none) row.fail(no_to(name_of_partition(topic, result.partition_id), result.error_code, result.error_message));
}

// Of all partitions, those are told that had an election; of those asked for, each.
Rows election_rows(const Request& request, const ElectLeadersResponse& response) {
  Rows rows = make_rows(elect_leaders);
  for (size_t item = 0; item < request.count(); ++item)
    rows->add().set("topic", request.string(item, "topic")).set("partition", request.int64(item, "partition"))
        .fail(unmentioned(name_of_partition(request.string(item, "topic"), request.int64(item, "partition"))));
  for (const auto& topic : response.replica_election_results) {
    for (const auto& result : topic.partition_result) {
      if (request.count() == 0) fill(rows->add(), topic.topic, result);
      for (size_t item = 0; item < request.count(); ++item) {
        if (request.string(item, "topic") != topic.topic || request.int64(item, "partition") != result.partition_id) continue;
        fill(rows->at(item).succeed(), topic.topic, result);
      }
    }
  }
  return rows;
}

awaitable<Result<Rows>> tell_elect_leaders(std::shared_ptr<Cluster> cluster, const Request& request, Instant deadline) {
  const auto election = number_in(elections, request.string("election"), "election");
  if (!election) co_return election.error();
  ElectLeadersRequest message;
  message.election_type = *election;
  message.timeout_ms = ms_until(deadline);
  message.topic_partitions.reset();
  if (request.count() > 0) message.topic_partitions.emplace();
  for (size_t item = 0; item < request.count(); ++item) {
    const std::string_view name = request.string(item, "topic");
    auto& topics = *message.topic_partitions;
    auto topic = std::ranges::find(topics, name, [](const auto& each) { return each.topic; });
    if (topic == topics.end()) {
      topic = topics.emplace(topics.end());
      topic->topic = name;
    }
    topic->partitions.push_back(static_cast<int32_t>(request.int64(item, "partition")));
  }
  auto reply = co_await ask_controller(cluster, message, deadline, codes_of_election);
  if (!reply) co_return std::move(reply.error());
  if (reply->message.error_code != Code::none) co_return no_to("elect_leaders", reply->message.error_code);
  co_return election_rows(request, reply->message);
}

// ---- alter_partition_reassignments ---------------------------------------------------------------------------------------------

Result<AlterPartitionReassignmentsRequest> reassignments_of(const Request& request, Instant deadline) {
  AlterPartitionReassignmentsRequest message;
  message.timeout_ms = ms_until(deadline);
  message.allow_replication_factor_change = request.int64("allow_replication_factor_change") != 0;
  for (size_t item = 0; item < request.count(); ++item) {
    auto& partition = topic_in(message.topics, request.string(item, "topic")).partitions.emplace_back();
    partition.partition_index = static_cast<int32_t>(request.int64(item, "partition"));
    partition.replicas.reset();
    const auto replicas = request.string_or_null(item, "replicas");
    if (!replicas) continue;
    KQ_TRY_ASSIGN(auto brokers, read_brokers(*replicas));
    partition.replicas = std::move(brokers);
  }
  return message;
}

std::vector<Code> codes_of_reassignment(const AlterPartitionReassignmentsResponse& response) { return {response.error_code}; }

awaitable<Result<Rows>> tell_alter_reassignments(std::shared_ptr<Cluster> cluster, const Request& request, Instant deadline) {
  const auto message = reassignments_of(request, deadline);
  if (!message) co_return message.error();
  auto reply = co_await ask_controller(cluster, *message, deadline, codes_of_reassignment);
  if (!reply) co_return std::move(reply.error());
  const auto& response = reply->message;
  if (response.error_code != Code::none) co_return no_to("alter_partition_reassignments", response.error_code, response.error_message);
  Rows rows = make_rows(alter_partition_reassignments);
  for (size_t item = 0; item < request.count(); ++item) {
    const std::string_view name = request.string(item, "topic");
    const int64_t number = request.int64(item, "partition");
    auto& row = rows->add().set("topic", name).set("partition", number).fail(unmentioned(name_of_partition(name, number)));
    for (const auto& topic : response.responses) {
      if (topic.name != name) continue;
      for (const auto& partition : topic.partitions) {
        if (partition.partition_index != number) continue;
        row.succeed();
        if (partition.error_code != Code::none)
          row.fail(no_to(name_of_partition(name, number), partition.error_code, partition.error_message));
      }
    }
  }
  co_return rows;
}

// ---- list_partition_reassignments ----------------------------------------------------------------------------------------------

void add_brokers(kq_rows& rows, const std::vector<int32_t>& brokers) {
  for (const int32_t broker : brokers) rows.add().set("node", broker);
}

awaitable<Result<Rows>> tell_list_reassignments(std::shared_ptr<Cluster> cluster, const Request& request, Instant deadline) {
  ListPartitionReassignmentsRequest message;
  message.timeout_ms = ms_until(deadline);
  message.topics.reset();
  if (request.count() > 0) message.topics.emplace();
  for (size_t item = 0; item < request.count(); ++item)
    topic_in(*message.topics, request.string(item, "topic")).partition_indexes.push_back(static_cast<int32_t>(request.int64(item, "partition")));
  auto reply = co_await cluster->request(controller_node, message, deadline);
  if (!reply) co_return std::move(reply.error());
  const auto& response = reply->message;
  if (response.error_code != Code::none) co_return no_to("list_partition_reassignments", response.error_code, response.error_message);
  Rows rows = make_rows(list_partition_reassignments);
  for (const auto& topic : response.topics) {
    for (const auto& partition : topic.partitions) {
      auto& row = rows->add().set("topic", topic.name).set("partition", partition.partition_index);
      add_brokers(row.nested("replicas"), partition.replicas);
      add_brokers(row.nested("adding"), partition.adding_replicas);
      add_brokers(row.nested("removing"), partition.removing_replicas);
    }
  }
  co_return rows;
}

// ---- tables --------------------------------------------------------------------------------------------------------------------

constexpr kq_field topic_item = item("topic", 's', "The topic's name.");
constexpr kq_field partition_item = item("partition", 'i', "The partition's number.");
constexpr kq_field topic_column = column("topic", 's', "The topic's name.");
constexpr kq_field partition_column = column("partition", 'i', "The partition's number.");

constexpr kq_field elect_in[] = {
    parameter("election", 's', "preferred: the first replica leads again; unclean: whoever is alive, even where records are lost by it.", "preferred"),
    topic_item, partition_item,
};
constexpr kq_field elect_out[] = {topic_column, partition_column};

constexpr kq_field alter_in[] = {
    parameter("allow_replication_factor_change", 'i', "0: refuse another number of replicas.", "1"), topic_item, partition_item,
    nullable(item("replicas", 's', "The brokers that shall keep it, as in 1,2,3; unset: give up the one under way.")),
};
constexpr kq_field alter_out[] = {topic_column, partition_column};

constexpr kq_field list_in[] = {topic_item, partition_item};
constexpr kq_field list_out[] = {
    topic_column, partition_column,
    column("replicas", 'r', "The brokers that keep it at the moment."),
    column("replicas.node", 'i', "A broker's id."),
    column("adding", 'r', "Those that are to."),
    column("adding.node", 'i', "A broker's id."),
    column("removing", 'r', "Those that are no longer to."),
    column("removing.node", 'i', "A broker's id."),
};

}  // namespace

constinit const Operation elect_leaders{"elect_leaders", "Has partitions led by another replica.", elect_in, elect_out, true, tell_elect_leaders};
constinit const Operation alter_partition_reassignments{"alter_partition_reassignments", "Has other brokers keep partitions.", alter_in,
                                                        alter_out, false, tell_alter_reassignments};
constinit const Operation list_partition_reassignments{"list_partition_reassignments", "Partitions that are on their way to other brokers.",
                                                       list_in, list_out, true, tell_list_reassignments};

}  // namespace kq::client::admin
