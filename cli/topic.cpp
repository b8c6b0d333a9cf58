// kq topic create|list|describe|delete|add-partitions
#include <fmt/format.h>

#include <chrono>
#include <map>
#include <optional>

#include "cli/command.hpp"
#include "cli/table.hpp"
#include "cli/text.hpp"

namespace kq::cli {
namespace {

struct CreateOptions {
  std::vector<std::string> topics;
  int32_t partitions = -1, replication_factor = -1;
  std::vector<std::string> configs;
  bool if_not_exists = false, validate_only = false;
};

struct Names {
  std::vector<std::string> topics;
  bool flag = false;  // --internal, --if-exists
};

struct DeleteRecordsOptions {
  std::string topic;
  std::vector<int32_t> partitions;
  std::optional<int64_t> before;
  std::string before_time;
};

struct GrowOptions {
  std::string topic;
  int32_t total = 0;
};

int create(const Common& common, const CreateOptions& options) {
  Request request("create_topics");
  request.set("validate_only", options.validate_only);
  bool first = true;
  for (const std::string& topic : options.topics) {
    if (!first) request.item();
    first = false;
    request.set("topic", topic).set("partitions", options.partitions).set("replication_factor", options.replication_factor);
    for (const std::string& config : options.configs) request.set("config", config);
  }
  const RowsOwner answer = request.run(common.admin().get(), common.timeout_ms);
  const Rows rows(answer.get());
  Table table({{"topic"}, {"partitions", true}, {"replication_factor", true}, {"topic_id"}});
  for (size_t i = 0; i < rows.size(); ++i)
    if (!rows.error(i))
      table.add({rows.string(i, "topic").c_str(), rows.int64(i, "partitions"), rows.int64(i, "replication_factor"),
                 rows.string(i, "topic_id").c_str()});
  if (!common.quiet) table.print(common.output);
  return report(rows, "topic create", options.if_not_exists ? KQ_ERR_TOPIC_ALREADY_EXISTS : KQ_ERR_NONE);
}

int list(const Common& common, const Names& names) {
  const RowsOwner answer = Request("list_topics").set("internal", names.flag).run(common.admin().get(), common.timeout_ms);
  const Rows rows(answer.get());
  std::map<std::string, size_t> sorted;
  for (size_t i = 0; i < rows.size(); ++i) sorted[rows.string(i, "topic")] = i;
  Table table({{"topic"}, {"partitions", true}, {"topic_id"}});
  for (const auto& [topic, i] : sorted)
    table.add({topic.c_str(), rows.int64(i, "partitions"), rows.string(i, "topic_id").c_str()});
  table.print(common.output);
  return report(rows, "topic list");
}

boost::json::array node_list(const Rows& nodes) {
  boost::json::array list;
  for (size_t i = 0; i < nodes.size(); ++i) list.emplace_back(nodes.int64(i, "node"));
  return list;
}

// Offsets of all partitions of some topics at one of kq_offset, by topic and partition.
using Offsets = std::map<std::pair<std::string, int64_t>, int64_t>;

Offsets offsets_at(const Common& common, kq_admin* admin, const Rows& topics, int64_t timestamp) {
  Request request("list_offsets");
  bool first = true;
  for (size_t i = 0; i < topics.size(); ++i) {
    const Rows partitions = topics.nested(i, "partitions");
    for (size_t k = 0; k < partitions.size(); ++k) {
      if (!first) request.item();
      first = false;
      request.set("topic", topics.string(i, "topic"))
          .set("partition", partitions.int64(k, "partition"))
          .set("timestamp", timestamp);
    }
  }
  Offsets offsets;
  if (first) return offsets;
  const RowsOwner answer = request.run(admin, common.timeout_ms);
  const Rows rows(answer.get());
  for (size_t i = 0; i < rows.size(); ++i)
    if (!rows.error(i)) offsets[{rows.string(i, "topic"), rows.int64(i, "partition")}] = rows.int64(i, "offset");
  return offsets;
}

// The configuration that was set on each topic itself.
std::map<std::string, boost::json::object> own_configs(const Common& common, kq_admin* admin, const Rows& topics) {
  Request request("describe_configs");
  for (size_t i = 0; i < topics.size(); ++i) {
    if (i) request.item();
    request.set("resource_type", "topic").set("resource", topics.string(i, "topic"));
  }
  std::map<std::string, boost::json::object> configs;
  const RowsOwner answer = request.run(admin, common.timeout_ms);
  const Rows rows(answer.get());
  for (size_t i = 0; i < rows.size(); ++i) {
    const Rows entries = rows.nested(i, "configs");
    for (size_t k = 0; k < entries.size(); ++k)
      if (entries.string(k, "source").find("topic") != std::string::npos)
        configs[rows.string(i, "resource")][entries.string(k, "config")] = entries.string(k, "value");
  }
  return configs;
}

Table partition_table(const Rows& topics, size_t row, const Offsets& first, const Offsets& last) {
  Table table({{"partition", true},
               {"leader", true},
               {"replicas"},
               {"isr"},
               {"first_offset", true},
               {"end_offset", true},
               {"records", true}});
  const Rows partitions = topics.nested(row, "partitions");
  for (size_t k = 0; k < partitions.size(); ++k) {
    const std::pair key(topics.string(row, "topic"), partitions.int64(k, "partition"));
    boost::json::value begin, end, count;
    if (first.contains(key)) begin = first.at(key);
    if (last.contains(key)) end = last.at(key);
    if (first.contains(key) && last.contains(key)) count = last.at(key) - first.at(key);
    table.add({partitions.int64(k, "partition"), partitions.int64(k, "leader"), node_list(partitions.nested(k, "replicas")),
               node_list(partitions.nested(k, "isr")), begin, end, count});
  }
  return table;
}

int describe_topics(const Common& common, const Names& names) {
  Request request("describe_topics");
  for (size_t i = 0; i < names.topics.size(); ++i) {
    if (i) request.item();
    request.set("topic", names.topics[i]);
  }
  const Admin admin = common.admin();
  const RowsOwner answer = request.run(admin.get(), common.timeout_ms);
  const Rows topics(answer.get());
  const Offsets first = offsets_at(common, admin.get(), topics, KQ_EARLIEST);
  const Offsets last = offsets_at(common, admin.get(), topics, KQ_LATEST);
  auto configs = topics.size() ? own_configs(common, admin.get(), topics) : std::map<std::string, boost::json::object>();

  boost::json::array all;
  for (size_t i = 0; i < topics.size(); ++i) {
    if (topics.error(i)) continue;
    const std::string topic = topics.string(i, "topic");
    const Table table = partition_table(topics, i, first, last);
    if (for_json(common.output)) {
      all.push_back({{"topic", topic},
                     {"topic_id", topics.string(i, "topic_id")},
                     {"internal", topics.int64(i, "internal") == 1},
                     {"configs", configs[topic]},
                     {"partitions", table.json()}});
      continue;
    }
    if (for_terminal(common.output)) {
      print(fmt::format("{}{}  id {}\n", i ? "\n" : "", topic, topics.string(i, "topic_id")));
      for (const auto& [key, value] : configs[topic])
        print(fmt::format("  {} = {}\n", std::string(key), std::string(value.as_string())));
    }
    table.print(common.output);
  }
  if (for_json(common.output)) print_json(all);
  return report(topics, "topic describe");
}

int delete_topics(const Common& common, const Names& names) {
  Request request("delete_topics");
  for (size_t i = 0; i < names.topics.size(); ++i) {
    if (i) request.item();
    request.set("topic", names.topics[i]);
  }
  const RowsOwner answer = request.run(common.admin().get(), common.timeout_ms);
  return report(Rows(answer.get()), "topic delete", names.flag ? KQ_ERR_UNKNOWN_TOPIC_OR_PARTITION : KQ_ERR_NONE);
}

// The offsets below which records go, one for each of the topic's partitions that were asked for: -1, all.
Offsets ends_of_deletion(const Common& common, kq_admin* admin, const DeleteRecordsOptions& options) {
  const RowsOwner described = Request("describe_topics").set("topic", options.topic).run(admin, common.timeout_ms);
  const Rows topics(described.get());
  if (const kq_error* error = topics.error(0)) throw Failure{exit_status(error), describe(error)};
  Offsets timed;
  if (!options.before_time.empty()) {
    const auto now = std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::system_clock::now().time_since_epoch());
    const auto time = parse_time(options.before_time, now.count());
    if (!time) throw Failure{exit_usage, "--before-time takes 2024-05-01T10:00:00Z, milliseconds since 1970, or how long ago (15m, 2h, 1d); not '" + options.before_time + "'"};
    timed = offsets_at(common, admin, topics, *time);
  }
  Offsets ends;
  const Rows partitions = topics.nested(0, "partitions");
  for (size_t i = 0; i < partitions.size(); ++i) {
    const std::pair place(options.topic, partitions.int64(i, "partition"));
    if (options.partitions.empty() || std::ranges::find(options.partitions, place.second) != options.partitions.end())
      ends[place] = options.before_time.empty() ? options.before.value_or(-1) : timed.contains(place) ? timed.at(place) : -1;
  }
  return ends;
}

int delete_records(const Common& common, const DeleteRecordsOptions& options) {
  const Admin admin = common.admin();
  Request request("delete_records");
  for (const auto& [place, offset] : ends_of_deletion(common, admin.get(), options))
    request.next().set("topic", place.first).set("partition", place.second).set("offset", offset);
  const RowsOwner answer = request.run(admin.get(), common.timeout_ms);
  const Rows rows(answer.get());
  Table table({{"topic"}, {"partition", true}, {"first_offset", true}});
  for (size_t i = 0; i < rows.size(); ++i)
    if (!rows.error(i)) table.add({rows.string(i, "topic").c_str(), rows.int64(i, "partition"), rows.int64(i, "low_watermark")});
  if (!common.quiet) table.print(common.output);
  return report(rows, "topic delete-records");
}

int add_partitions(const Common& common, const GrowOptions& options) {
  const RowsOwner answer = Request("create_partitions")
                               .set("topic", options.topic)
                               .set("partitions", options.total)
                               .run(common.admin().get(), common.timeout_ms);
  return report(Rows(answer.get()), "topic add-partitions");
}

}  // namespace

void add_topic(const Commands& commands) {
  CLI::App* noun = commands.root.add_subcommand("topic", "Create, list, describe, delete and grow topics")
                       ->fallthrough()
                       ->require_subcommand(1);

  auto creation = std::make_shared<CreateOptions>();
  CLI::App* app = verb(commands, noun, "create", "Create topics", create, creation);
  app->add_option("topic", creation->topics, "Names of the topics")->required();
  app->add_option("-p,--partitions", creation->partitions,
                  "How many partitions each gets (default: the broker's num.partitions)");
  app->add_option("-r,--replication-factor", creation->replication_factor,
                  "On how many brokers each is kept (default: the broker's)");
  app->add_option("-c,--topic-config", creation->configs, "A configuration of the topic, key=value; may be given again")
      ->allow_extra_args(false);
  app->add_flag("--if-not-exists", creation->if_not_exists, "A topic that is there already is no error");
  app->add_flag("--validate-only", creation->validate_only, "Ask whether it would work, and create nothing");
  app->footer("Examples:\n  kq topic create orders -p 6\n  kq topic create audit -c retention.ms=-1 -c cleanup.policy=compact");

  auto listing = std::make_shared<Names>();
  app = verb(commands, noun, "list", "List the topics", list, listing);
  app->add_flag("--internal", listing->flag, "Also those that brokers keep for themselves");

  auto description = std::make_shared<Names>();
  app = verb(commands, noun, "describe", "Show partitions, leaders, offsets and configuration", describe_topics, description);
  app->add_option("topic", description->topics, "Names of the topics (default: all)");
  app->footer("Examples:\n  kq topic describe orders\n  kq topic describe orders -o json | jq '.[0].partitions'");

  auto deletion = std::make_shared<Names>();
  app = verb(commands, noun, "delete", "Delete topics and all their records", delete_topics, deletion);
  app->add_option("topic", deletion->topics, "Names of the topics")->required();
  app->add_flag("--if-exists", deletion->flag, "A topic that is not there is no error");

  auto emptying = std::make_shared<DeleteRecordsOptions>();
  app = verb(commands, noun, "delete-records", "Delete the oldest records of a topic", delete_records, emptying);
  app->add_option("topic", emptying->topic, "Name of the topic")->required();
  app->add_option("-p,--partition", emptying->partitions, "Only of these partitions, with commas")->delimiter(',')->allow_extra_args(false);
  auto* before = app->add_option("--before", emptying->before, "Those below this offset; -1: all that there are now");
  auto* time = app->add_option("--before-time", emptying->before_time, "Those from before a time, or from longer ago (2h)")->excludes(before);
  app->callback([=, &common = commands.common, &action = commands.action] {
    if (before->count() + time->count() == 0) throw CLI::RequiredError("--before or --before-time");
    action = [=, &common] { return delete_records(common, *emptying); };
  });
  app->footer("Examples:\n  kq topic delete-records orders -p 0 --before 1000\n  kq topic delete-records orders --before-time 7d");

  auto growth = std::make_shared<GrowOptions>();
  app = verb(commands, noun, "add-partitions", "Give a topic more partitions", add_partitions, growth);
  app->add_option("topic", growth->topic, "Name of the topic")->required();
  app->add_option("--to", growth->total, "How many partitions it shall have in all")->required();
  app->footer(
      "Keys go to other partitions afterwards: records of one key are no longer in one order.\n\nExample:\n  kq topic "
      "add-partitions orders --to 12");
}

}  // namespace kq::cli
