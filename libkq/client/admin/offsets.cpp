#include "libkq/client/admin/offsets.hpp"

#include "libkq/client/admin/leaders.hpp"
#include "libkq/protocol/messages/list_offsets.hpp"

namespace kq::client {
namespace {

void take_answer(OffsetQuery& query, const ListOffsetsResponse& response) {
  for (const auto& topic : response.topics) {
    if (topic.name != query.topic) continue;
    for (const auto& answer : topic.partitions) {
      if (answer.partition_index != query.partition) continue;
      query.offset = answer.offset;
      query.found_timestamp = answer.timestamp;
      query.leader_epoch = answer.leader_epoch;
      query.error.reset();
      if (answer.error_code != Code::none) query.error = admin::no_to(query.name(), answer.error_code);
    }
  }
}

ListOffsetsRequest message_for(const std::vector<OffsetQuery*>& queries, int8_t isolation_level, Instant deadline) {
  ListOffsetsRequest request;
  request.replica_id = -1;
  request.isolation_level = isolation_level;
  request.timeout_ms = admin::ms_until(deadline);
  for (const OffsetQuery* query : queries) {
    ListOffsetsRequest::ListOffsetsPartition partition;
    partition.partition_index = query->partition;
    partition.timestamp = query->timestamp;
    admin::topic_in(request.topics, query->topic).partitions.push_back(partition);
  }
  return request;
}

}  // namespace

awaitable<Result<bool>> find_offsets(std::shared_ptr<Cluster> cluster, std::vector<OffsetQuery>& queries, int8_t isolation_level,
                                     Instant deadline) {
  const auto ask = [&](int32_t leader, const std::vector<OffsetQuery*>& asked) {
    return admin::ask_leader(cluster, leader, message_for(asked, isolation_level, deadline), asked, take_answer, deadline);
  };
  co_await admin::ask_leaders(cluster, queries, ask, deadline);
  co_return true;
}

awaitable<Result<int32_t>> count_partitions(std::shared_ptr<Cluster> cluster, std::string name, Instant deadline) {
  if (const Topic* topic = cluster->topic(name); topic && topic->usable()) co_return static_cast<int32_t>(topic->partitions.size());
  cluster->want_topic(name);
  Status usable = co_await cluster->topic_usable(name, deadline);
  const Topic* topic = cluster->topic(name);
  Result<int32_t> count = Error(own_code::timed_out, "topic '" + name + "' is not known");
  if (!usable) count = std::move(usable.error());
  else if (topic) count = static_cast<int32_t>(topic->partitions.size());
  cluster->unwant_topic(name);
  co_return count;
}

namespace admin {
namespace {

awaitable<Result<Rows>> tell_list_offsets(std::shared_ptr<Cluster> cluster, const Request& request, Instant deadline) {
  const std::string_view isolation = request.string("isolation");
  if (isolation != "read_uncommitted" && isolation != "read_committed")
    co_return Error(own_code::argument, "list_offsets: isolation is read_uncommitted or read_committed, and not '" +
                                            std::string(isolation) + "'");
  std::vector<OffsetQuery> queries;
  for (size_t item = 0; item < request.count(); ++item)
    queries.push_back({{std::string(request.string(item, "topic")), static_cast<int32_t>(request.int64(item, "partition"))},
                       request.int64(item, "timestamp")});
  const auto asked = co_await find_offsets(cluster, queries, isolation == "read_committed", deadline);
  if (!asked) co_return asked.error();
  Rows rows = make_rows(list_offsets);
  for (const OffsetQuery& query : queries) {
    auto& row = rows->add().set("topic", query.topic).set("partition", query.partition).set("offset", query.offset);
    row.set("timestamp", query.found_timestamp).set("leader_epoch", query.leader_epoch);
    if (query.error) row.fail(*query.error);
  }
  co_return rows;
}

constexpr kq_field list_offsets_in[] = {
    parameter("isolation", 's', "read_uncommitted, or read_committed: the end is then that of the last finished transaction.",
              "read_uncommitted"),
    item("topic", 's', "The topic's name."),
    item("partition", 'i', "The partition's number."),
    item("timestamp", 'i', "The first offset at or after this time is wanted, in ms since 1970; or -1 latest, -2 earliest, -3 that of "
                           "the largest timestamp, -4 earliest local, -5 latest tiered."),
};
constexpr kq_field list_offsets_out[] = {
    column("topic", 's', "As asked for."),
    column("partition", 'i', "As asked for."),
    column("offset", 'i', "-1: there is none."),
    column("timestamp", 'i', "Of the record at that offset; -1: not told."),
    column("leader_epoch", 'i', "Of that record; -1: not told."),
};

}  // namespace

constinit const Operation list_offsets{"list_offsets", "Offsets of partitions: first, last, or by time.", list_offsets_in,
                                       list_offsets_out, false, tell_list_offsets};

}  // namespace admin
}  // namespace kq::client
