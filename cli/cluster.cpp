// kq cluster
#include <fmt/format.h>

#include "cli/command.hpp"
#include "cli/table.hpp"
#include "cli/text.hpp"

namespace kq::cli {
namespace {

int show(const Common& common) {
  const Admin admin = common.admin();
  const RowsOwner answer = Request("describe_cluster").run(admin.get(), common.timeout_ms);
  const Rows cluster(answer.get());
  if (cluster.size() == 0) throw Failure{exit_refused, "the cluster says nothing about itself"};
  if (cluster.error(0)) throw Failure{exit_status(cluster.error(0)), describe(cluster.error(0))};
  const RowsOwner topics_answer = Request("list_topics").run(admin.get(), common.timeout_ms);
  const Rows topics(topics_answer.get());
  int64_t partitions = 0;
  for (size_t i = 0; i < topics.size(); ++i) partitions += topics.int64(i, "partitions");

  Table table({{"node", true}, {"address"}, {"rack"}, {"state"}, {"controller"}});
  const Rows nodes = cluster.nested(0, "nodes");
  for (size_t i = 0; i < nodes.size(); ++i)
    table.add({nodes.int64(i, "node"), fmt::format("{}:{}", nodes.string(i, "host"), nodes.int64(i, "port")).c_str(),
               nodes.string(i, "rack").c_str(), nodes.int64(i, "fenced") == 1 ? "fenced" : "running",
               nodes.int64(i, "node") == cluster.int64(0, "controller") ? "yes" : ""});
  if (for_json(common.output)) {
    print_json({{"cluster_id", cluster.string(0, "cluster_id")},
                {"controller", cluster.int64(0, "controller")},
                {"topics", topics.size()},
                {"partitions", partitions},
                {"nodes", table.json()}});
    return exit_done;
  }
  if (for_terminal(common.output))
    print(fmt::format("cluster {}  {}, {}\n", cluster.string(0, "cluster_id"), counted(topics.size(), "topic"),
                      counted(static_cast<uint64_t>(partitions), "partition")));
  table.print(common.output);
  return exit_done;
}

}  // namespace

void add_cluster(const Commands& commands) {
  CLI::App* app = commands.root.add_subcommand("cluster", "Show the cluster: its brokers, controller and size")->fallthrough();
  app->callback([&common = commands.common, &action = commands.action] { action = [&common] { return show(common); }; });
}

}  // namespace kq::cli
