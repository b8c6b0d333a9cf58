#include "libkq/client/admin/offsets.hpp"

#include <map>
#include <set>

#include "libkq/client/admin/story.hpp"
#include "libkq/protocol/messages/list_offsets.hpp"

namespace kq::client {
namespace {

using Queries = std::vector<OffsetQuery*>;

bool pending(const OffsetQuery& query) { return query.error && query.error->verdict() == Verdict::retry; }

// Each open query under its leader.  One without a leader keeps an error that may pass.
std::map<int32_t, Queries> by_leader(const Cluster& cluster, std::vector<OffsetQuery>& queries) {
  std::map<int32_t, Queries> leaders;
  for (OffsetQuery& query : queries) {
    if (!pending(query)) continue;
    const Topic* topic = cluster.topic(query.topic);
    const Partition* partition = cluster.partition(query.topic, query.partition);
    const std::string name = query.topic + "-" + std::to_string(query.partition);
    if (topic && topic->error != Code::none) {
      query.error = admin::no_to(name, topic->error);
    } else if (topic && topic->usable() && !partition) {
      query.error = Error(static_cast<int32_t>(Code::unknown_topic_or_partition),
                          name + ": the topic has " + std::to_string(topic->partitions.size()) + " partitions");
    } else if (partition && partition->leader >= 0) {
      leaders[partition->leader].push_back(&query);
    }
  }
  return leaders;
}

void take_answers(const Queries& queries, const ListOffsetsResponse& response) {
  for (OffsetQuery* query : queries) {
    for (const auto& topic : response.topics) {
      if (topic.name != query->topic) continue;
      for (const auto& answer : topic.partitions) {
        if (answer.partition_index != query->partition) continue;
        query->offset = answer.offset;
        query->found_timestamp = answer.timestamp;
        query->leader_epoch = answer.leader_epoch;
        query->error.reset();
        if (answer.error_code != Code::none)
          query->error = admin::no_to(query->topic + "-" + std::to_string(query->partition), answer.error_code);
      }
    }
  }
}

awaitable<void> ask(std::shared_ptr<Cluster> cluster, int32_t leader, Queries queries, int8_t isolation_level, Instant deadline) {
  ListOffsetsRequest request;
  request.replica_id = -1;
  request.isolation_level = isolation_level;
  request.timeout_ms = admin::ms_until(deadline);
  for (const OffsetQuery* query : queries) {
    if (request.topics.empty() || request.topics.back().name != query->topic) request.topics.emplace_back().name = query->topic;
    ListOffsetsRequest::ListOffsetsPartition partition;
    partition.partition_index = query->partition;
    partition.timestamp = query->timestamp;
    request.topics.back().partitions.push_back(partition);
  }
  auto reply = co_await cluster->request(at_node(leader), request, deadline);
  if (reply) {
    take_answers(queries, reply->message);
  } else {
    for (OffsetQuery* query : queries) query->error = reply.error();
  }
}

}  // namespace

awaitable<Result<bool>> find_offsets(std::shared_ptr<Cluster> cluster, std::vector<OffsetQuery>& queries, int8_t isolation_level,
                                     Instant deadline) {
  std::set<std::string> topics;
  for (OffsetQuery& query : queries) {
    query.error = Error(own_code::timed_out, query.topic + "-" + std::to_string(query.partition) + ": no leader has answered in time",
                        Verdict::retry);
    topics.insert(query.topic);
  }
  for (const std::string& topic : topics) cluster->want_topic(topic);
  for (;;) {
    for (const auto& [leader, asked] : by_leader(*cluster, queries)) co_await ask(cluster, leader, asked, isolation_level, deadline);
    if (std::ranges::none_of(queries, pending)) break;
    Status refreshed = co_await cluster->refreshed(deadline);           // comes no more often than retry.backoff.ms
    if (!refreshed) {
      for (OffsetQuery& query : queries)
        if (pending(query)) query.error = refreshed.error();
      break;
    }
  }
  for (const std::string& topic : topics) cluster->unwant_topic(topic);
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
    queries.push_back({std::string(request.string(item, "topic")), static_cast<int32_t>(request.int64(item, "partition")),
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
