// kq transaction list|describe|abort|producers
#include <fmt/format.h>

#include <chrono>
#include <optional>

#include "cli/command.hpp"
#include "cli/table.hpp"
#include "cli/text.hpp"

namespace kq::cli {
namespace {

struct ListOptions {
  std::vector<std::string> states;
  std::string pattern;
  int64_t running_longer_ms = -1;
};

struct Ids {
  std::vector<std::string> ids;
};

struct AbortOptions {
  std::vector<std::string> ids;
  std::string topic;
  int32_t partition = -1;
  std::optional<int64_t> start_offset;
};

struct ProducersOptions {
  std::string topic;
  std::vector<int32_t> partitions;
};

RowsOwner run_for_ids(const char* operation, const std::vector<std::string>& ids, const Common& common) {
  Request request(operation);
  for (const std::string& id : ids) request.next().set("transactional_id", id);
  return request.run(common.admin().get(), common.timeout_ms);
}

boost::json::value number_or_null(const Rows& rows, size_t row, const char* column) {
  const int64_t number = rows.int64(row, column);
  return number == INT64_MIN ? boost::json::value() : boost::json::value(number);
}

// ---- list, describe ----------------------------------------------------------------------------------------------------------

int list(const Common& common, const ListOptions& options) {
  Request request("list_transactions");
  for (const std::string& state : options.states) request.set("state", state);
  if (!options.pattern.empty()) request.set("pattern", options.pattern);
  request.set("running_longer_ms", options.running_longer_ms);
  const RowsOwner answer = request.run(common.admin().get(), common.timeout_ms);
  const Rows rows(answer.get());
  Table table({{"transactional_id"}, {"state"}, {"producer_id", true}, {"coordinator", true}});
  for (size_t i = 0; i < rows.size(); ++i)
    table.add({rows.string(i, "transactional_id").c_str(), rows.string(i, "state").c_str(), rows.int64(i, "producer_id"),
               rows.int64(i, "coordinator")});
  table.print(common.output);
  return report(rows, "transaction list");
}

int describe_transactions(const Common& common, const Ids& options) {
  const RowsOwner answer = run_for_ids("describe_transactions", options.ids, common);
  const Rows rows(answer.get());
  Table table({{"transactional_id"}, {"state"}, {"producer_id", true}, {"producer_epoch", true}, {"timeout_ms", true}, {"started"},
               {"coordinator", true}, {"partitions"}});
  for (size_t i = 0; i < rows.size(); ++i) {
    if (rows.error(i)) continue;
    boost::json::array partitions;
    const Rows nested = rows.nested(i, "partitions");
    for (size_t k = 0; k < nested.size(); ++k) partitions.emplace_back(fmt::format("{}-{}", nested.string(k, "topic"), nested.int64(k, "partition")));
    const int64_t started = rows.int64(i, "start_time");
    table.add({rows.string(i, "transactional_id").c_str(), rows.string(i, "state").c_str(), rows.int64(i, "producer_id"),
               rows.int64(i, "producer_epoch"), rows.int64(i, "timeout_ms"), started == INT64_MIN ? "" : iso_time(started).c_str(),
               rows.int64(i, "coordinator"), partitions});
  }
  table.print(common.output);
  return report(rows, "transaction describe");
}

// ---- abort -------------------------------------------------------------------------------------------------------------------

// One that hangs: no coordinator knows of it, so its abort is written into the partition.
int abort_hanging(const Common& common, const AbortOptions& options) {
  if (options.partition < 0 || !options.start_offset) throw Failure{exit_usage, "--topic needs --partition and --start-offset, as 'kq transaction producers' shows them"};
  const Admin admin = common.admin();
  const RowsOwner told =
      Request("describe_producers").set("topic", options.topic).set("partition", options.partition).run(admin.get(), common.timeout_ms);
  const Rows rows(told.get());
  if (const kq_error* error = rows.error(0)) throw Failure{exit_status(error), describe(error)};
  const Rows producers = rows.nested(0, "producers");
  for (size_t i = 0; i < producers.size(); ++i) {
    if (producers.int64(i, "transaction_start_offset") != *options.start_offset) continue;
    Request request("abort_transactions");
    request.set("topic", options.topic).set("partition", options.partition).set("producer_id", producers.int64(i, "producer_id"));
    request.set("producer_epoch", producers.int64(i, "producer_epoch"));
    request.set("coordinator_epoch", std::max<int64_t>(0, producers.int64(i, "coordinator_epoch")));
    const RowsOwner answer = request.run(admin.get(), common.timeout_ms);
    return report(Rows(answer.get()), "transaction abort");
  }
  throw Failure{exit_refused, fmt::format("no transaction that is open in {}-{} begins at offset {}", options.topic, options.partition, *options.start_offset)};
}

int abort_transactions(const Common& common, const AbortOptions& options) {
  if (!options.topic.empty()) return abort_hanging(common, options);
  if (options.ids.empty()) throw Failure{exit_usage, "which one?  A transactional id, or --topic, --partition and --start-offset"};
  const RowsOwner known = run_for_ids("describe_transactions", options.ids, common);
  if (const int status = report(Rows(known.get()), "transaction abort")) return status;  // an id that nobody has would be made
  const RowsOwner answer = run_for_ids("fence_producers", options.ids, common);
  return report(Rows(answer.get()), "transaction abort");
}

// ---- producers ---------------------------------------------------------------------------------------------------------------

std::vector<int32_t> partitions_of(const Common& common, kq_admin* admin, const ProducersOptions& options) {
  if (!options.partitions.empty()) return options.partitions;
  const RowsOwner answer = Request("describe_topics").set("topic", options.topic).run(admin, common.timeout_ms);
  const Rows topics(answer.get());
  if (const kq_error* error = topics.error(0)) throw Failure{exit_status(error), describe(error)};
  std::vector<int32_t> partitions;
  for (size_t i = 0; i < topics.nested(0, "partitions").size(); ++i) partitions.push_back(static_cast<int32_t>(i));
  return partitions;
}

int producers(const Common& common, const ProducersOptions& options) {
  const Admin admin = common.admin();
  Request request("describe_producers");
  for (const int32_t partition : partitions_of(common, admin.get(), options)) request.next().set("topic", options.topic).set("partition", partition);
  const RowsOwner answer = request.run(admin.get(), common.timeout_ms);
  const Rows rows(answer.get());
  Table table({{"partition", true}, {"producer_id", true}, {"producer_epoch", true}, {"last_sequence", true}, {"last_write"}, {"start_offset", true}});
  for (size_t i = 0; i < rows.size(); ++i) {
    const Rows nested = rows.nested(i, "producers");
    for (size_t k = 0; k < nested.size(); ++k)
      table.add({rows.int64(i, "partition"), nested.int64(k, "producer_id"), nested.int64(k, "producer_epoch"), nested.int64(k, "last_sequence"),
                 iso_time(nested.int64(k, "last_timestamp")).c_str(), number_or_null(nested, k, "transaction_start_offset")});
  }
  table.print(common.output);
  return report(rows, "transaction producers");
}

}  // namespace

void add_transaction(const Commands& commands) {
  CLI::App* noun =
      commands.root.add_subcommand("transaction", "List, describe and abort transactions")->fallthrough()->require_subcommand(1);

  auto listing = std::make_shared<ListOptions>();
  CLI::App* app = verb(commands, noun, "list", "List transactional ids and their states", list, listing);
  app->add_option("--state", listing->states, "Only those in this state: Ongoing, Empty, CompleteCommit, ...; may be given again")
      ->allow_extra_args(false);
  app->add_option("--pattern", listing->pattern, "Only ids that match this regular expression");
  app->add_option("--running-longer", listing->running_longer_ms, "Only those that are open for more than so many milliseconds");
  app->footer("Example:\n  kq transaction list --state Ongoing --running-longer 60000");

  auto description = std::make_shared<Ids>();
  app = verb(commands, noun, "describe", "Show producers, times and partitions of transactions", describe_transactions, description);
  app->add_option("id", description->ids, "The transactional ids")->required();

  auto abortion = std::make_shared<AbortOptions>();
  app = verb(commands, noun, "abort", "Abort what a transactional id has open, and shut its producer out", abort_transactions, abortion);
  app->add_option("id", abortion->ids, "The transactional ids");
  app->add_option("--topic", abortion->topic, "One that hangs, without an id: in this topic,");
  app->add_option("--partition", abortion->partition, "in this partition,");
  app->add_option("--start-offset", abortion->start_offset, "beginning here");
  app->footer(
      "A producer that was shut out learns it by its next request, and cannot go on.\n\n"
      "Examples:\n"
      "  kq transaction abort payments-7\n"
      "  kq transaction producers orders\n"
      "  kq transaction abort --topic orders --partition 0 --start-offset 1042");

  auto writing = std::make_shared<ProducersOptions>();
  app = verb(commands, noun, "producers", "Show who has written to a topic, and what is open there", producers, writing);
  app->add_option("topic", writing->topic, "The topic")->required();
  app->add_option("-p,--partition", writing->partitions, "Only these partitions, with commas")->delimiter(',')->allow_extra_args(false);
}

}  // namespace kq::cli
