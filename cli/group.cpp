// kq group list|describe|reset|delete|delete-offsets
#include <fmt/format.h>

#include <chrono>
#include <map>
#include <optional>

#include "cli/command.hpp"
#include "cli/table.hpp"
#include "cli/text.hpp"

namespace kq::cli {
namespace {

using Place = std::pair<std::string, int64_t>;  // a topic and a partition
using Offsets = std::map<Place, int64_t>;

struct ListOptions {
  std::string state, type;
};

struct Groups {
  std::vector<std::string> groups;
  bool flag = false;  // --members, --if-exists
};

struct ResetOptions {
  std::string group;
  std::vector<std::string> topics;
  std::vector<int32_t> partitions;
  bool to_earliest = false, to_latest = false, dry_run = false;
  std::optional<int64_t> to_offset, shift_by;
  std::string to_time;
};

RowsOwner run_for_groups(const char* operation, const std::vector<std::string>& groups, const Common& common, kq_admin* admin) {
  Request request(operation);
  for (size_t i = 0; i < groups.size(); ++i) {
    if (i) request.item();
    request.set("group", groups[i]);
  }
  return request.run(admin, common.timeout_ms);
}

// ---- list --------------------------------------------------------------------------------------------------------------------

int list(const Common& common, const ListOptions& options) {
  const RowsOwner answer =
      Request("list_groups").set("state", options.state).set("type", options.type).run(common.admin().get(), common.timeout_ms);
  const Rows rows(answer.get());
  std::map<std::string, size_t> sorted;
  for (size_t i = 0; i < rows.size(); ++i) sorted[rows.string(i, "group")] = i;
  Table table({{"group"}, {"type"}, {"state"}, {"protocol_type"}, {"coordinator", true}});
  for (const auto& [group, i] : sorted)
    table.add({group.c_str(), rows.string(i, "type").c_str(), rows.string(i, "state").c_str(), rows.string(i, "protocol_type").c_str(),
               rows.int64(i, "coordinator")});
  table.print(common.output);
  return report(rows, "group list");
}

// ---- describe ----------------------------------------------------------------------------------------------------------------

// Offsets of partitions at a time, or at one of kq_offset; those that have none are left out.
Offsets offsets_at(const Common& common, kq_admin* admin, const Offsets& places, int64_t timestamp) {
  Request request("list_offsets");
  bool first = true;
  for (const auto& [place, offset] : places) {
    if (!first) request.item();
    first = false;
    request.set("topic", place.first).set("partition", place.second).set("timestamp", timestamp);
  }
  Offsets found;
  if (first) return found;
  const RowsOwner answer = request.run(admin, common.timeout_ms);
  const Rows rows(answer.get());
  for (size_t i = 0; i < rows.size(); ++i)
    if (!rows.error(i) && rows.int64(i, "offset") >= 0) found[{rows.string(i, "topic"), rows.int64(i, "partition")}] = rows.int64(i, "offset");
  return found;
}

Offsets committed_by(const Rows& groups, size_t row) {
  Offsets offsets;
  const Rows rows = groups.nested(row, "offsets");
  for (size_t i = 0; i < rows.size(); ++i) offsets[{rows.string(i, "topic"), rows.int64(i, "partition")}] = rows.int64(i, "offset");
  return offsets;
}

struct Reader {
  std::string member, instance, client, host;
};

std::map<Place, Reader> readers_of(const Rows& members) {
  std::map<Place, Reader> readers;
  for (size_t i = 0; i < members.size(); ++i) {
    const Reader reader{members.string(i, "member"), members.string(i, "instance"), members.string(i, "client"), members.string(i, "host")};
    const Rows assignment = members.nested(i, "assignment");
    for (size_t k = 0; k < assignment.size(); ++k) readers[{assignment.string(k, "topic"), assignment.int64(k, "partition")}] = reader;
  }
  return readers;
}

Table offset_table(const Offsets& committed, const Offsets& ends, const std::map<Place, Reader>& readers) {
  Table table({{"topic"}, {"partition", true}, {"committed", true}, {"end_offset", true}, {"lag", true}, {"member"}, {"client"}, {"host"}});
  Offsets places = committed;
  for (const auto& [place, reader] : readers) places.try_emplace(place, -1);
  for (const auto& [place, offset] : places) {
    boost::json::value at, end, lag;
    if (offset >= 0) at = offset;
    if (ends.contains(place)) end = ends.at(place);
    if (offset >= 0 && ends.contains(place)) lag = std::max<int64_t>(0, ends.at(place) - offset);
    const Reader reader = readers.contains(place) ? readers.at(place) : Reader{};
    table.add({place.first.c_str(), place.second, at, end, lag, reader.member.c_str(), reader.client.c_str(), reader.host.c_str()});
  }
  return table;
}

Table member_table(const Rows& members) {
  Table table({{"member"}, {"instance"}, {"client"}, {"host"}, {"epoch", true}, {"partitions"}});
  for (size_t i = 0; i < members.size(); ++i) {
    boost::json::array partitions;
    const Rows assignment = members.nested(i, "assignment");
    for (size_t k = 0; k < assignment.size(); ++k)
      partitions.emplace_back(fmt::format("{}-{}", assignment.string(k, "topic"), assignment.int64(k, "partition")));
    boost::json::value epoch;
    if (members.int64(i, "epoch") >= 0) epoch = members.int64(i, "epoch");
    table.add({members.string(i, "member").c_str(), members.string(i, "instance").c_str(), members.string(i, "client").c_str(),
               members.string(i, "host").c_str(), epoch, partitions});
  }
  return table;
}

// A share group commits no offsets: below its start everything is done with, and lag counts what is not, behind it.
Table share_table(const Common& common, kq_admin* admin, const std::string& group) {
  const RowsOwner listed = run_for_groups("list_share_group_offsets", {group}, common, admin);
  const Rows groups(listed.get());
  if (const kq_error* error = groups.error(0)) throw Failure{exit_status(error), describe(error)};
  Table table({{"topic"}, {"partition", true}, {"start_offset", true}, {"lag", true}});
  const Rows rows = groups.nested(0, "offsets");
  const auto known = [&](size_t row, const char* column) {
    const int64_t value = rows.int64(row, column);
    return value < 0 ? boost::json::value() : boost::json::value(value);
  };
  for (size_t i = 0; i < rows.size(); ++i)
    table.add({rows.string(i, "topic").c_str(), rows.int64(i, "partition"), known(i, "offset"), known(i, "lag")});
  return table;
}

int describe_groups(const Common& common, const Groups& options) {
  const Admin admin = common.admin();
  const RowsOwner described = run_for_groups("describe_groups", options.groups, common, admin.get());
  const RowsOwner listed = run_for_groups("list_group_offsets", options.groups, common, admin.get());
  const Rows groups(described.get()), offsets(listed.get());
  boost::json::array all;
  for (size_t i = 0; i < groups.size(); ++i) {
    if (groups.error(i)) continue;
    const Offsets committed = committed_by(offsets, i);
    const auto readers = readers_of(groups.nested(i, "members"));
    Offsets places = committed;
    for (const auto& [place, reader] : readers) places.try_emplace(place, -1);
    const Table table = groups.string(i, "type") == "share"
                            ? share_table(common, admin.get(), groups.string(i, "group"))
                            : offset_table(committed, offsets_at(common, admin.get(), places, KQ_LATEST), readers);
    const Table members = member_table(groups.nested(i, "members"));
    if (for_json(common.output)) {
      all.push_back({{"group", groups.string(i, "group")},
                     {"type", groups.string(i, "type")},
                     {"state", groups.string(i, "state")},
                     {"assignor", groups.string(i, "assignor")},
                     {"coordinator", groups.int64(i, "coordinator")},
                     {"members", members.json()},
                     {"offsets", table.json()}});
      continue;
    }
    if (for_terminal(common.output))
      print(fmt::format("{}{}  {}, {}, coordinator {}, {}\n", i ? "\n" : "", groups.string(i, "group"), groups.string(i, "type"),
                        groups.string(i, "state"), groups.int64(i, "coordinator"), counted(groups.nested(i, "members").size(), "member")));
    (options.flag ? members : table).print(common.output);
  }
  if (for_json(common.output)) print_json(all);
  const int status = report(groups, "group describe");
  return status != exit_done ? status : report(offsets, "group describe");
}

// ---- reset -------------------------------------------------------------------------------------------------------------------

// What is to be reset, with what is committed now (-1: nothing): the partitions of the topics named, or all that have been committed.
Offsets places_to_reset(const Common& common, kq_admin* admin, const ResetOptions& options) {
  const RowsOwner listed = run_for_groups("list_group_offsets", {options.group}, common, admin);
  const Rows groups(listed.get());
  if (const kq_error* error = groups.error(0)) throw Failure{exit_status(error), describe(error)};
  const Offsets committed = committed_by(groups, 0);
  const auto wanted = [&](int64_t partition) { return options.partitions.empty() || std::ranges::find(options.partitions, partition) != options.partitions.end(); };
  Offsets places;
  if (options.topics.empty()) {
    for (const auto& [place, offset] : committed)
      if (wanted(place.second)) places[place] = offset;
    return places;
  }
  Request request("describe_topics");
  for (size_t i = 0; i < options.topics.size(); ++i) {
    if (i) request.item();
    request.set("topic", options.topics[i]);
  }
  const RowsOwner answer = request.run(admin, common.timeout_ms);
  const Rows topics(answer.get());
  for (size_t i = 0; i < topics.size(); ++i) {
    if (const kq_error* error = topics.error(i)) throw Failure{exit_status(error), describe(error)};
    const Rows partitions = topics.nested(i, "partitions");
    for (size_t k = 0; k < partitions.size(); ++k) {
      const Place place(topics.string(i, "topic"), partitions.int64(k, "partition"));
      if (wanted(place.second)) places[place] = committed.contains(place) ? committed.at(place) : -1;
    }
  }
  return places;
}

// Never outside of what is there.
Offsets targets(const Common& common, kq_admin* admin, const ResetOptions& options, const Offsets& places) {
  const Offsets first = offsets_at(common, admin, places, KQ_EARLIEST), last = offsets_at(common, admin, places, KQ_LATEST);
  Offsets timed;
  if (!options.to_time.empty()) {
    const int64_t now = std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::system_clock::now().time_since_epoch()).count();
    const auto time = parse_time(options.to_time, now);
    if (!time) throw Failure{exit_usage, "--to-time takes 2024-05-01T10:00:00Z, milliseconds since 1970, or how long ago (15m, 2h, 1d); not '" + options.to_time + "'"};
    timed = offsets_at(common, admin, places, *time);
  }
  Offsets to;
  for (const auto& [place, committed] : places) {
    if (!first.contains(place) || !last.contains(place))
      throw Failure{exit_refused, fmt::format("{}-{} has no leader that tells its offsets", place.first, place.second)};
    int64_t target = last.at(place);
    if (options.to_earliest) target = first.at(place);
    if (options.to_offset) target = *options.to_offset;
    if (options.shift_by) target = (committed >= 0 ? committed : last.at(place)) + *options.shift_by;
    if (!options.to_time.empty() && timed.contains(place)) target = timed.at(place);
    to[place] = std::clamp(target, first.at(place), last.at(place));
  }
  return to;
}

int reset(const Common& common, const ResetOptions& options) {
  const int ways = options.to_earliest + options.to_latest + options.to_offset.has_value() + options.shift_by.has_value() + !options.to_time.empty();
  if (ways != 1) throw Failure{exit_usage, "one of --to-earliest, --to-latest, --to-offset, --to-time and --shift-by says where to"};
  const Admin admin = common.admin();
  const Offsets places = places_to_reset(common, admin.get(), options);
  if (places.empty()) throw Failure{exit_refused, "group " + options.group + " has committed nothing: name the topics"};
  const Offsets to = targets(common, admin.get(), options, places);
  Request request("alter_group_offsets");
  request.set("group", options.group);
  Table table({{"topic"}, {"partition", true}, {"was", true}, {"offset", true}});
  bool first = true;
  for (const auto& [place, offset] : to) {
    if (!first) request.item();
    first = false;
    request.set("topic", place.first).set("partition", place.second).set("offset", offset);
    boost::json::value was;
    if (places.at(place) >= 0) was = places.at(place);
    table.add({place.first.c_str(), place.second, was, offset});
  }
  int status = exit_done;
  if (!options.dry_run) {
    const RowsOwner answer = request.run(admin.get(), common.timeout_ms);
    status = report(Rows(answer.get()), "group reset");
  }
  if (status == exit_done && !common.quiet) table.print(common.output);
  return status;
}

// ---- delete ------------------------------------------------------------------------------------------------------------------

int delete_groups(const Common& common, const Groups& options) {
  const RowsOwner answer = run_for_groups("delete_groups", options.groups, common, common.admin().get());
  return report(Rows(answer.get()), "group delete", options.flag ? KQ_ERR_GROUP_ID_NOT_FOUND : KQ_ERR_NONE);
}

void add_reset(const Commands& commands, CLI::App* noun) {
  auto options = std::make_shared<ResetOptions>();
  CLI::App* app = verb(commands, noun, "reset", "Commit other offsets for a group without members", reset, options);
  app->add_option("group", options->group, "The group's id")->required();
  app->add_option("topic", options->topics, "Topics (default: all that the group has committed)");
  app->add_option("-p,--partition", options->partitions, "Only these partitions, with commas")->delimiter(',')->allow_extra_args(false);
  app->add_flag("--to-earliest", options->to_earliest, "To the first record that is still there");
  app->add_flag("--to-latest", options->to_latest, "To the end");
  app->add_option("--to-offset", options->to_offset, "To this offset");
  app->add_option("--to-time", options->to_time, "To the first record since: 2024-05-01T10:00:00Z, milliseconds since 1970, or how long ago (2h)");
  app->add_option("--shift-by", options->shift_by, "So many records on, or back where it is negative");
  app->add_flag("--dry-run", options->dry_run, "Show what would be committed, and commit nothing");
  app->footer(
      "Offsets stay within what is there.\n\n"
      "Examples:\n"
      "  kq group reset readers orders --to-earliest\n"
      "  kq group reset readers --to-time 2h --dry-run\n"
      "  kq group reset readers orders -p 0,3 --shift-by -100");
}

}  // namespace

void add_group(const Commands& commands) {
  CLI::App* noun = commands.root.add_subcommand("group", "List, describe, reset and delete consumer groups")->fallthrough()->require_subcommand(1);

  auto listing = std::make_shared<ListOptions>();
  CLI::App* app = verb(commands, noun, "list", "List the groups", list, listing);
  app->add_option("--state", listing->state, "Only those in this state: Stable, Empty, ...");
  app->add_option("--type", listing->type, "Only those of this type: classic, consumer, share or streams");

  auto description = std::make_shared<Groups>();
  app = verb(commands, noun, "describe", "Show a group's members, committed offsets and lag", describe_groups, description);
  app->add_option("group", description->groups, "Ids of the groups")->required();
  app->add_flag("--members", description->flag, "The members, and what each of them reads");
  app->footer("Examples:\n  kq group describe readers\n  kq group describe readers -o json | jq '.[0].offsets | map(.lag) | add'");

  add_reset(commands, noun);

  auto deletion = std::make_shared<Groups>();
  app = verb(commands, noun, "delete", "Delete groups without members, and what they have committed", delete_groups, deletion);
  app->add_option("group", deletion->groups, "Ids of the groups")->required();
  app->add_flag("--if-exists", deletion->flag, "A group that is not there is no error");
}

}  // namespace kq::cli
