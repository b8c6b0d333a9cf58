// Operations on topics: list, describe, create, delete, and adding partitions.
#include <map>

#include "libkq/client/admin/story.hpp"
#include "libkq/protocol/messages/create_partitions.hpp"
#include "libkq/protocol/messages/create_topics.hpp"
#include "libkq/protocol/messages/delete_topics.hpp"

namespace kq::client::admin {

namespace {

using Item = size_t;

// Metadata of the items' topics, or of all; never creates one.
awaitable<Result<Reply<MetadataResponse>>> ask_metadata(std::shared_ptr<Cluster> cluster, const Request& request, bool all,
                                                        Instant deadline) {
  MetadataRequest message;
  message.allow_auto_topic_creation = false;
  if (all) message.topics.reset();
  else message.topics.emplace();
  for (Item item = 0; !all && item < request.count(); ++item) message.topics->emplace_back().name = request.string(item, "topic");
  co_return co_await cluster->request(any_node, message, deadline);
}

std::vector<const MetadataResponse::MetadataResponseTopic*> by_name(const MetadataResponse& metadata) {
  std::vector<const MetadataResponse::MetadataResponseTopic*> topics;
  for (const auto& topic : metadata.topics) topics.push_back(&topic);
  std::ranges::sort(topics, {}, [](const auto* topic) { return topic->name; });
  return topics;
}

void add_nodes(kq_rows& rows, const std::vector<int32_t>& nodes) {
  for (const int32_t node : nodes) rows.add().set("node", node);
}

// ---- list_topics ---------------------------------------------------------------------------------------------------------------

awaitable<Result<Rows>> tell_list_topics(std::shared_ptr<Cluster> cluster, const Request& request, Instant deadline) {
  auto reply = co_await ask_metadata(cluster, request, true, deadline);
  if (!reply) co_return std::move(reply.error());
  Rows rows = make_rows(list_topics);
  for (const auto* topic : by_name(reply->message)) {
    if (topic->is_internal && request.int64("internal") == 0) continue;
    auto& row = rows->add().set("topic", topic->name).set("topic_id", topic->topic_id.text()).set("internal", topic->is_internal);
    row.set("partitions", static_cast<int64_t>(topic->partitions.size()));
    if (topic->error_code != Code::none) row.fail(no_to(topic->name.value_or(""), topic->error_code));
  }
  co_return rows;
}

// ---- describe_topics -----------------------------------------------------------------------------------------------------------

void describe(kq_rows::Row& row, const MetadataResponse::MetadataResponseTopic& topic) {
  row.set("topic", topic.name).set("topic_id", topic.topic_id.text()).set("internal", topic.is_internal);
  if (topic.error_code != Code::none) row.fail(no_to(topic.name.value_or(""), topic.error_code));
  kq_rows& partitions = row.nested("partitions");
  std::vector<const MetadataResponse::MetadataResponsePartition*> in_order;
  for (const auto& partition : topic.partitions) in_order.push_back(&partition);
  std::ranges::sort(in_order, {}, [](const auto* partition) { return partition->partition_index; });
  for (const auto* partition : in_order) {
    auto& at = partitions.add().set("partition", partition->partition_index).set("leader", partition->leader_id);
    at.set("leader_epoch", partition->leader_epoch);
    add_nodes(at.nested("replicas"), partition->replica_nodes);
    add_nodes(at.nested("isr"), partition->isr_nodes);
    add_nodes(at.nested("offline"), partition->offline_replicas);
  }
}

awaitable<Result<Rows>> tell_describe_topics(std::shared_ptr<Cluster> cluster, const Request& request, Instant deadline) {
  const bool all = request.count() == 0;
  auto reply = co_await ask_metadata(cluster, request, all, deadline);
  if (!reply) co_return std::move(reply.error());
  Rows rows = make_rows(describe_topics);
  const auto topics = by_name(reply->message);
  if (all)
    for (const auto* topic : topics) describe(rows->add(), *topic);
  for (Item item = 0; item < request.count(); ++item) {
    const std::string_view name = request.string(item, "topic");
    const auto found = std::ranges::find(topics, std::optional(name), [](const auto* topic) { return topic->name; });
    if (found != topics.end()) describe(rows->add(), **found);
    else rows->add().set("topic", name).fail(no_to(name, Code::unknown_topic_or_partition));
  }
  co_return rows;
}

// ---- create_topics -------------------------------------------------------------------------------------------------------------

Result<CreateTopicsRequest::CreatableTopic> creatable(const Request& request, Item item) {
  CreateTopicsRequest::CreatableTopic topic;
  topic.name = request.string(item, "topic");
  topic.num_partitions = static_cast<int32_t>(request.int64(item, "partitions"));
  topic.replication_factor = static_cast<int16_t>(request.int64(item, "replication_factor"));
  for (const std::string_view assignment : request.strings(item, "assignment")) {
    KQ_TRY_ASSIGN(auto brokers, read_brokers(assignment));
    auto& partition = topic.assignments.emplace_back();
    partition.partition_index = static_cast<int32_t>(topic.assignments.size()) - 1;
    partition.broker_ids = std::move(brokers);
  }
  for (const std::string_view config : request.strings(item, "config")) {
    const size_t equals = config.find('=');
    if (equals == config.npos) return Error(own_code::argument, "a config is key=value, and not '" + std::string(config) + "'");
    auto& entry = topic.configs.emplace_back();
    entry.name = config.substr(0, equals);
    entry.value = config.substr(equals + 1);
  }
  return topic;
}

// Gives each item the answer of its name.  An answer that is missing is a broker's fault.
template <class Answers, class NameOf, class Fill>
void fill_by_name(kq_rows& rows, const Request& request, const Answers& answers, NameOf name_of_answer, Fill fill) {
  for (Item item = 0; item < request.count(); ++item) {
    const std::string_view name = request.string(item, "topic");
    auto& row = rows.add().set("topic", name);
    bool found = false;
    for (const auto& answer : answers) {
      if (name_of_answer(answer) != name) continue;
      found = true;
      fill(row, answer);
      if (answer.error_code != Code::none) row.fail(no_to(name, answer.error_code, answer.error_message));
    }
    if (!found) row.fail(Error(own_code::protocol, "the broker's answer does not mention topic '" + std::string(name) + "'"));
  }
}

awaitable<Result<Rows>> tell_create_topics(std::shared_ptr<Cluster> cluster, const Request& request, Instant deadline) {
  CreateTopicsRequest message;
  message.timeout_ms = ms_until(deadline);
  message.validate_only = request.int64("validate_only") != 0;
  for (Item item = 0; item < request.count(); ++item) {
    auto topic = creatable(request, item);
    if (!topic) co_return std::move(topic.error());
    message.topics.push_back(std::move(*topic));
  }
  auto reply = co_await ask_controller(cluster, message, deadline, [](const CreateTopicsResponse& r) { return codes_of(r.topics); });
  if (!reply) co_return std::move(reply.error());
  Rows rows = make_rows(create_topics);
  fill_by_name(*rows, request, reply->message.topics, [](const auto& topic) { return topic.name; }, [](auto& row, const auto& topic) {
    row.set("topic_id", topic.topic_id.text()).set("partitions", topic.num_partitions);
    row.set("replication_factor", topic.replication_factor);
  });
  co_return rows;
}

// ---- delete_topics -------------------------------------------------------------------------------------------------------------

awaitable<Result<Rows>> tell_delete_topics(std::shared_ptr<Cluster> cluster, const Request& request, Instant deadline) {
  DeleteTopicsRequest message;
  message.timeout_ms = ms_until(deadline);
  for (Item item = 0; item < request.count(); ++item) {
    const std::string_view name = request.string(item, "topic");
    message.topics.emplace_back().name = name;           // version 6; older ones take the names alone
    message.topic_names.push_back(name);
  }
  auto reply = co_await ask_controller(cluster, message, deadline, [](const DeleteTopicsResponse& r) { return codes_of(r.responses); });
  if (!reply) co_return std::move(reply.error());
  Rows rows = make_rows(delete_topics);
  fill_by_name(*rows, request, reply->message.responses, [](const auto& topic) { return topic.name.value_or(""); },
               [](auto& row, const auto& topic) { row.set("topic_id", topic.topic_id.text()); });
  co_return rows;
}

// ---- create_partitions ---------------------------------------------------------------------------------------------------------

awaitable<Result<Rows>> tell_create_partitions(std::shared_ptr<Cluster> cluster, const Request& request, Instant deadline) {
  CreatePartitionsRequest message;
  message.timeout_ms = ms_until(deadline);
  message.validate_only = request.int64("validate_only") != 0;
  for (Item item = 0; item < request.count(); ++item) {
    auto& topic = message.topics.emplace_back();
    topic.name = request.string(item, "topic");
    topic.count = static_cast<int32_t>(request.int64(item, "partitions"));
    topic.assignments.reset();
    for (const std::string_view assignment : request.strings(item, "assignment")) {
      auto brokers = read_brokers(assignment);
      if (!brokers) co_return std::move(brokers.error());
      if (!topic.assignments) topic.assignments.emplace();
      topic.assignments->emplace_back().broker_ids = std::move(*brokers);
    }
  }
  auto reply = co_await ask_controller(cluster, message, deadline, [](const CreatePartitionsResponse& r) { return codes_of(r.results); });
  if (!reply) co_return std::move(reply.error());
  Rows rows = make_rows(create_partitions);
  fill_by_name(*rows, request, reply->message.results, [](const auto& topic) { return topic.name; }, [](auto&, const auto&) {});
  for (Item item = 0; item < request.count(); ++item) rows->at(item).set("partitions", request.int64(item, "partitions"));
  co_return rows;
}

// ---- tables --------------------------------------------------------------------------------------------------------------------

constexpr kq_field validate_only = parameter("validate_only", 'i', "1: check, and change nothing.", "0");
constexpr kq_field topic_item = item("topic", 's', "The topic's name.");
constexpr kq_field topic_column = column("topic", 's', "The topic's name.");
constexpr kq_field id_column = column("topic_id", 's', "The topic's id, as Kafka writes it.");
constexpr kq_field internal_column = column("internal", 'i', "1: the cluster's own topic.");
constexpr kq_field assignment_item =
    repeated(item("assignment", 's', "The brokers of the next partition, as in 1,2,3; the first is preferred as leader."));

constexpr kq_field list_topics_in[] = {parameter("internal", 'i', "1: the cluster's own topics as well.", "0")};
constexpr kq_field list_topics_out[] = {topic_column, id_column, internal_column, column("partitions", 'i', "How many there are.")};

constexpr kq_field describe_topics_in[] = {topic_item};
constexpr kq_field describe_topics_out[] = {
    topic_column, id_column, internal_column,
    column("partitions", 'r', "Each partition."),
    column("partitions.partition", 'i', "Its number."),
    column("partitions.leader", 'i', "The broker that leads it; -1: none at the moment."),
    column("partitions.leader_epoch", 'i', "How often leadership has changed; -1: not known."),
    column("partitions.replicas", 'r', "The brokers that keep it."),
    column("partitions.replicas.node", 'i', "A broker's id."),
    column("partitions.isr", 'r', "Those of them that are in sync."),
    column("partitions.isr.node", 'i', "A broker's id."),
    column("partitions.offline", 'r', "Those of them that cannot be reached."),
    column("partitions.offline.node", 'i', "A broker's id."),
};

constexpr kq_field create_topics_in[] = {
    validate_only, topic_item,
    item("partitions", 'i', "How many; -1: as the broker is set.", "-1"),
    item("replication_factor", 'i', "How many brokers keep each; -1: as the broker is set.", "-1"),
    repeated(item("config", 's', "A setting of the topic, key=value.")), assignment_item,
};
constexpr kq_field create_topics_out[] = {
    topic_column, id_column, column("partitions", 'i', "How many it has now; -1: the broker does not tell."),
    column("replication_factor", 'i', "How many brokers keep each; -1: the broker does not tell."),
};

constexpr kq_field delete_topics_in[] = {topic_item};
constexpr kq_field delete_topics_out[] = {topic_column, id_column};

constexpr kq_field create_partitions_in[] = {validate_only, topic_item, item("partitions", 'i', "How many there shall be in all."),
                                             assignment_item};
constexpr kq_field create_partitions_out[] = {topic_column, column("partitions", 'i', "How many were asked for.")};

}  // namespace

constinit const Operation list_topics{"list_topics", "Names and ids of all topics.", list_topics_in, list_topics_out, true,
                                      tell_list_topics};
constinit const Operation describe_topics{"describe_topics", "Partitions, leaders and replicas of topics.", describe_topics_in,
                                          describe_topics_out, true, tell_describe_topics};
constinit const Operation create_topics{"create_topics", "Makes topics.", create_topics_in, create_topics_out, false,
                                        tell_create_topics};
constinit const Operation delete_topics{"delete_topics", "Deletes topics with all that is in them.", delete_topics_in,
                                        delete_topics_out, false, tell_delete_topics};
constinit const Operation create_partitions{"create_partitions", "Adds partitions to topics.", create_partitions_in,
                                            create_partitions_out, false, tell_create_partitions};

}  // namespace kq::client::admin
