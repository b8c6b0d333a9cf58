// Operations on brokers' directories: describe, move replicas between those of a broker.
#include <map>

#include "libkq/client/admin/leaders.hpp"
#include "libkq/protocol/messages/alter_replica_log_dirs.hpp"
#include "libkq/protocol/messages/describe_log_dirs.hpp"

namespace kq::client::admin {
namespace {

// ---- describe_log_dirs ---------------------------------------------------------------------------------------------------------

void describe(kq_rows& dirs, const DescribeLogDirsResponse::DescribeLogDirsResult& dir, const std::vector<std::string_view>& wanted) {
  auto& row = dirs.add().set("path", dir.log_dir);
  if (dir.total_bytes >= 0) row.set("total_bytes", dir.total_bytes);
  if (dir.usable_bytes >= 0) row.set("usable_bytes", dir.usable_bytes);
  if (dir.error_code != Code::none) row.fail(no_to(dir.log_dir, dir.error_code));
  kq_rows& partitions = row.nested("partitions");
  for (const auto& topic : dir.topics) {
    if (!wanted.empty() && std::ranges::find(wanted, topic.name) == wanted.end()) continue;
    for (const auto& partition : topic.partitions) {
      auto& at = partitions.add().set("topic", topic.name).set("partition", partition.partition_index);
      at.set("bytes", partition.partition_size).set("offset_lag", partition.offset_lag).set("future", partition.is_future_key);
    }
  }
}

// The protocol asks for partitions by number, and who names a topic means all: so everything is asked for, and the rest left out.
awaitable<Result<Rows>> tell_describe_log_dirs(std::shared_ptr<Cluster> cluster, const Request& request, Instant deadline) {
  std::vector<int32_t> brokers;
  for (size_t item = 0; item < request.count(); ++item) brokers.push_back(static_cast<int32_t>(request.int64(item, "broker")));
  auto all = co_await all_brokers(cluster, deadline);
  if (!all) co_return std::move(all.error());
  if (brokers.empty()) brokers = *all;
  DescribeLogDirsRequest message;
  message.topics.reset();
  Rows rows = make_rows(describe_log_dirs);
  for (const int32_t broker : brokers) {
    auto& row = rows->add().set("broker", broker);
    kq_rows& dirs = row.nested("dirs");
    if (!cluster->find_node(broker)) {
      row.fail(no_to("broker " + std::to_string(broker), Code::broker_not_available));
      continue;
    }
    auto reply = co_await cluster->request(at_node(broker), message, deadline);
    if (!reply) row.fail(reply.error());
    else if (reply->message.error_code != Code::none) row.fail(no_to("broker " + std::to_string(broker), reply->message.error_code));
    else for (const auto& dir : reply->message.results) describe(dirs, dir, request.strings("topic"));
  }
  co_return rows;
}

// ---- alter_replica_log_dirs ----------------------------------------------------------------------------------------------------

using ByBroker = std::map<int32_t, AlterReplicaLogDirsRequest>;

ByBroker messages_of(const Request& request) {
  ByBroker messages;
  for (size_t item = 0; item < request.count(); ++item) {
    auto& dirs = messages[static_cast<int32_t>(request.int64(item, "broker"))].dirs;
    const std::string_view path = request.string(item, "path");
    auto dir = std::ranges::find(dirs, path, [](const auto& each) { return each.path; });
    if (dir == dirs.end()) {
      dir = dirs.emplace(dirs.end());
      dir->path = path;
    }
    topic_in(dir->topics, request.string(item, "topic")).partitions.push_back(static_cast<int32_t>(request.int64(item, "partition")));
  }
  return messages;
}

std::optional<Code> code_in(const AlterReplicaLogDirsResponse& response, std::string_view topic, int64_t partition) {
  for (const auto& result : response.results)
    for (const auto& each : result.partitions)
      if (result.topic_name == topic && each.partition_index == partition) return each.error_code;
  return std::nullopt;
}

awaitable<Result<Rows>> tell_alter_replica_log_dirs(std::shared_ptr<Cluster> cluster, const Request& request, Instant deadline) {
  Rows rows = make_rows(alter_replica_log_dirs);
  for (size_t item = 0; item < request.count(); ++item)
    rows->add().set("broker", request.int64(item, "broker")).set("topic", request.string(item, "topic"))
        .set("partition", request.int64(item, "partition"));
  const ByBroker messages = messages_of(request);
  for (const auto& [broker, message] : messages) {
    auto reply = co_await cluster->request(at_node(broker), message, deadline);
    for (size_t item = 0; item < request.count(); ++item) {
      if (request.int64(item, "broker") != broker) continue;
      const std::string_view topic = request.string(item, "topic");
      const int64_t partition = request.int64(item, "partition");
      const std::string name = std::string(topic) + "-" + std::to_string(partition);
      const auto code = reply ? code_in(reply->message, topic, partition) : std::nullopt;
      if (!reply) rows->at(item).fail(reply.error());
      else if (!code) rows->at(item).fail(unmentioned(name));
      else if (*code != Code::none) rows->at(item).fail(no_to(name, *code));
    }
  }
  co_return rows;
}

// ---- tables --------------------------------------------------------------------------------------------------------------------

constexpr kq_field describe_in[] = {
    repeated(parameter("topic", 's', "Only partitions of these topics; none: of all.")),
    item("broker", 'i', "The broker's id."),
};
constexpr kq_field describe_out[] = {
    column("broker", 'i', "The broker's id."),
    column("dirs", 'r', "Each of its directories."),
    column("dirs.path", 's', "Where it is on that machine."),
    nullable(column("dirs.total_bytes", 'i', "Size of its file system; null: not told.")),
    nullable(column("dirs.usable_bytes", 'i', "What is free of it; null: not told.")),
    column("dirs.partitions", 'r', "What lies in it."),
    column("dirs.partitions.topic", 's', "The topic's name."),
    column("dirs.partitions.partition", 'i', "The partition's number."),
    column("dirs.partitions.bytes", 'i', "How large it is."),
    column("dirs.partitions.offset_lag", 'i', "How many records it lacks of the high watermark, or of the replica that it will replace."),
    column("dirs.partitions.future", 'i', "1: a copy on its way here from another directory."),
};
constexpr kq_field alter_in[] = {
    item("broker", 'i', "The broker's id."), item("topic", 's', "The topic's name."), item("partition", 'i', "The partition's number."),
    item("path", 's', "The directory, as describe_log_dirs tells it."),
};
constexpr kq_field alter_out[] = {
    column("broker", 'i', "As asked for."), column("topic", 's', "As asked for."), column("partition", 'i', "As asked for."),
};

}  // namespace

constinit const Operation describe_log_dirs{"describe_log_dirs", "Directories of brokers, and the partitions in them.", describe_in,
                                            describe_out, true, tell_describe_log_dirs};
constinit const Operation alter_replica_log_dirs{"alter_replica_log_dirs", "Moves replicas to another directory of their broker.", alter_in,
                                                 alter_out, false, tell_alter_replica_log_dirs};

}  // namespace kq::client::admin
