// kq quota list|set|delete: limits of users, clients and addresses.
#include <fmt/format.h>

#include <array>

#include "cli/command.hpp"
#include "cli/table.hpp"

namespace kq::cli {
namespace {

struct Part {
  const char* parameter;  // of the operation
  const char* option;
  const char* what;
};
constexpr std::array parts = {Part{"user", "user", "users"}, Part{"client_id", "client-id", "client ids"}, Part{"ip", "ip", "addresses"}};

struct QuotaOptions {
  std::array<std::string, parts.size()> names;
  std::array<bool, parts.size()> defaults{};
  std::vector<std::string> words;
  bool validate_only = false;

  bool named(size_t part) const { return defaults[part] || !names[part].empty(); }
};

// "alice", "(default)", or nothing.
boost::json::value name_shown(const Rows& rows, size_t row, const char* column) {
  const char* name = rows.text(row, column);
  if (!name) return {};
  return *name ? name : "(default)";
}

int list(const Common& common, const QuotaOptions& options) {
  Request request("describe_client_quotas");
  for (size_t i = 0; i < parts.size(); ++i) {
    if (!options.named(i)) continue;
    request.next().set("entity", parts[i].parameter).set("match", options.defaults[i] ? "default" : "exact");
    if (!options.defaults[i]) request.set("name", options.names[i]);
  }
  const RowsOwner answer = request.run(common.admin().get(), common.timeout_ms);
  const Rows rows(answer.get());
  Table table({{"user"}, {"client_id"}, {"ip"}, {"quota"}, {"value", true}});
  for (size_t i = 0; i < rows.size(); ++i) {
    const Rows quotas = rows.nested(i, "quotas");
    for (size_t k = 0; k < quotas.size(); ++k)
      table.add({name_shown(rows, i, "user"), name_shown(rows, i, "client_id"), name_shown(rows, i, "ip"), quotas.string(k, "quota").c_str(),
                 quotas.string(k, "value").c_str()});
  }
  table.print(common.output);
  return report(rows, "quota list");
}

int change(const Common& common, const QuotaOptions& options, bool sets) {
  Request request("alter_client_quotas");
  request.set("validate_only", options.validate_only);
  bool anybody = false;
  for (const std::string& word : options.words) {
    const size_t equals = word.find('=');
    if (sets && equals == std::string::npos) throw Failure{exit_usage, "a limit is quota=number, not '" + word + "'"};
    request.next().set("quota", word.substr(0, equals));
    if (sets) request.set("value", word.substr(equals + 1));
    for (size_t i = 0; i < parts.size(); ++i) {
      anybody = anybody || options.named(i);
      if (options.named(i)) request.set(parts[i].parameter, options.defaults[i] ? "" : options.names[i]);
    }
  }
  if (!anybody) throw Failure{exit_usage, "whose?  --user, --client-id, --ip, or --user-default and its kin"};
  const RowsOwner answer = request.run(common.admin().get(), common.timeout_ms);
  return report(Rows(answer.get()), sets ? "quota set" : "quota delete");
}

int set(const Common& common, const QuotaOptions& options) { return change(common, options, true); }
int remove(const Common& common, const QuotaOptions& options) { return change(common, options, false); }

void add_entity(CLI::App* app, QuotaOptions& options) {
  for (size_t i = 0; i < parts.size(); ++i) {
    auto* one = app->add_option(fmt::format("--{}", parts[i].option), options.names[i], fmt::format("Of this {}", parts[i].option));
    app->add_flag(fmt::format("--{}-default", parts[i].option), options.defaults[i], fmt::format("Of {} that have none of their own", parts[i].what))
        ->excludes(one);
  }
}

}  // namespace

void add_quota(const Commands& commands) {
  CLI::App* noun =
      commands.root.add_subcommand("quota", "List, set and delete limits of users, clients and addresses")->fallthrough()->require_subcommand(1);

  auto listing = std::make_shared<QuotaOptions>();
  CLI::App* app = verb(commands, noun, "list", "List the limits, or those of somebody", list, listing);
  add_entity(app, *listing);

  auto setting = std::make_shared<QuotaOptions>();
  app = verb(commands, noun, "set", "Set limits", set, setting);
  app->add_option("limit", setting->words, "quota=number")->required();
  add_entity(app, *setting);
  app->add_flag("--validate-only", setting->validate_only, "Ask whether it would work, and change nothing");
  app->footer(
      "Quotas: producer_byte_rate, consumer_byte_rate (bytes a second), request_percentage, controller_mutation_rate (partitions a\n"
      "second); connection_creation_rate (a second) of an ip.\n\n"
      "Examples:\n"
      "  kq quota set --user alice producer_byte_rate=1048576\n"
      "  kq quota set --user alice --client-id-default consumer_byte_rate=2e6\n"
      "  kq quota set --ip-default connection_creation_rate=10");

  auto deletion = std::make_shared<QuotaOptions>();
  app = verb(commands, noun, "delete", "Take limits away", remove, deletion);
  app->add_option("quota", deletion->words, "Names of the quotas")->required();
  add_entity(app, *deletion);
  app->add_flag("--validate-only", deletion->validate_only, "Ask whether it would work, and change nothing");
  app->footer("Example:\n  kq quota delete --user alice producer_byte_rate");
}

}  // namespace kq::cli
