// kq acl list|add|remove: who may do what.
#include <fmt/format.h>

#include <array>

#include "cli/command.hpp"
#include "cli/table.hpp"

namespace kq::cli {
namespace {

// The words for a resource: --topic NAME and its kin.
constexpr std::array resource_kinds = {"topic", "group", "transactional-id", "user", "delegation-token"};

struct RuleOptions {
  std::array<std::string, resource_kinds.size()> names;
  bool cluster = false, prefixed = false, deny = false, allow = false, match = false, everything = false;
  std::vector<std::string> principals, operations;
  std::string host;
};

std::string with_underscores(std::string word) {
  std::ranges::replace(word, '-', '_');
  return word;
}

// What a rule is about; empty: nothing was named.
std::pair<std::string, std::string> resource_of(const RuleOptions& options) {
  std::pair<std::string, std::string> resource;
  int named = options.cluster;
  if (options.cluster) resource = {"cluster", "kafka-cluster"};
  for (size_t i = 0; i < options.names.size(); ++i) {
    if (options.names[i].empty()) continue;
    ++named;
    resource = {with_underscores(resource_kinds[i]), options.names[i]};
  }
  if (named > 1) throw Failure{exit_usage, "a rule is about one resource: --topic, --group, --cluster, ... exclude each other"};
  return resource;
}

void set_filter(Request& request, const RuleOptions& options) {
  const auto [type, name] = resource_of(options);
  if (!type.empty()) request.set("resource_type", type).set("resource", name);
  request.set("pattern_type", options.match ? "match" : options.prefixed ? "prefixed" : "any");
  request.set("permission", options.deny ? "deny" : options.allow ? "allow" : "any");
  if (!options.principals.empty()) request.set("principal", options.principals.front());
  if (!options.operations.empty()) request.set("operation", with_underscores(options.operations.front()));
  if (!options.host.empty()) request.set("host", options.host);
  if (options.principals.size() > 1 || options.operations.size() > 1)
    throw Failure{exit_usage, "rules are looked for by one principal and one operation"};
}

Table rule_table() { return Table({{"principal"}, {"permission"}, {"operation"}, {"resource_type"}, {"resource"}, {"pattern_type"}, {"host"}}); }

void add_rules(Table& table, const Rows& rows) {
  for (size_t i = 0; i < rows.size(); ++i)
    if (!rows.error(i))
      table.add({rows.string(i, "principal").c_str(), rows.string(i, "permission").c_str(), rows.string(i, "operation").c_str(),
                 rows.string(i, "resource_type").c_str(), rows.string(i, "resource").c_str(), rows.string(i, "pattern_type").c_str(),
                 rows.string(i, "host").c_str()});
}

int list(const Common& common, const RuleOptions& options) {
  Request request("describe_acls");
  set_filter(request, options);
  const RowsOwner answer = request.run(common.admin().get(), common.timeout_ms);
  Table table = rule_table();
  add_rules(table, Rows(answer.get()));
  table.print(common.output);
  return report(Rows(answer.get()), "acl list");
}

int add(const Common& common, const RuleOptions& options) {
  const auto [type, name] = resource_of(options);
  if (type.empty()) throw Failure{exit_usage, "what is it about?  --topic, --group, --transactional-id, --user, --delegation-token or --cluster"};
  if (options.principals.empty() || options.operations.empty()) throw Failure{exit_usage, "who may do what?  --principal User:NAME and --operation"};
  Request request("create_acls");
  for (const std::string& principal : options.principals)
    for (const std::string& operation : options.operations)
      request.next()
          .set("resource_type", type)
          .set("resource", name)
          .set("pattern_type", options.prefixed ? "prefixed" : "literal")
          .set("principal", principal)
          .set("host", options.host.empty() ? "*" : options.host)
          .set("operation", with_underscores(operation))
          .set("permission", options.deny ? "deny" : "allow");
  const RowsOwner answer = request.run(common.admin().get(), common.timeout_ms);
  Table table = rule_table();
  add_rules(table, Rows(answer.get()));
  if (!common.quiet) table.print(common.output);
  return report(Rows(answer.get()), "acl add");
}

int remove(const Common& common, const RuleOptions& options) {
  const bool named = !resource_of(options).first.empty() || !options.principals.empty() || !options.operations.empty() || !options.host.empty();
  if (!named && !options.everything) throw Failure{exit_usage, "which ones?  Name a resource, --principal, --operation or --host; --all removes every rule"};
  Request request("delete_acls");
  set_filter(request, options);
  const RowsOwner answer = request.run(common.admin().get(), common.timeout_ms);
  const Rows rows(answer.get());
  Table table = rule_table();
  int status = report(rows, "acl remove");
  for (size_t i = 0; i < rows.size(); ++i) {
    add_rules(table, rows.nested(i, "acls"));
    status = std::max(status, report(rows.nested(i, "acls"), "acl remove"));
  }
  if (!common.quiet) table.print(common.output);
  return status;
}

void add_resource_options(CLI::App* app, RuleOptions& options) {
  for (size_t i = 0; i < resource_kinds.size(); ++i)
    app->add_option(fmt::format("--{}", resource_kinds[i]), options.names[i], fmt::format("About this {}; * is every one", resource_kinds[i]));
  app->add_flag("--cluster", options.cluster, "About the cluster itself");
  app->add_option("--principal", options.principals, "Who, as in User:alice; User:* is everybody")->allow_extra_args(false);
  app->add_option("--operation", options.operations,
                  "read, write, create, delete, alter, describe, describe-configs, alter-configs, cluster-action, idempotent-write,\n"
                  "create-tokens, describe-tokens, two-phase-commit or all")
      ->delimiter(',')
      ->allow_extra_args(false);
  app->add_option("--host", options.host, "From this address");
  app->add_flag("--deny", options.deny, "A rule that forbids");
}

}  // namespace

void add_acl(const Commands& commands) {
  CLI::App* noun = commands.root.add_subcommand("acl", "List, add and remove rules of who may do what")->fallthrough()->require_subcommand(1);

  auto listing = std::make_shared<RuleOptions>();
  CLI::App* app = verb(commands, noun, "list", "List the rules, or those that are asked for", list, listing);
  add_resource_options(app, *listing);
  app->add_flag("--allow", listing->allow, "Rules that allow");
  app->add_flag("--prefixed", listing->prefixed, "Rules by prefix");
  app->add_flag("--match", listing->match, "All rules that apply to a resource of that name, those by prefix and by * too");
  app->footer("Examples:\n  kq acl list\n  kq acl list --topic orders --match");

  auto addition = std::make_shared<RuleOptions>();
  app = verb(commands, noun, "add", "Add rules", add, addition);
  add_resource_options(app, *addition);
  app->add_flag("--prefixed", addition->prefixed, "About everything whose name begins so");
  app->footer(
      "Examples:\n"
      "  kq acl add --principal User:alice --operation read,describe --topic orders\n"
      "  kq acl add --principal User:alice --operation read --group billing- --prefixed\n"
      "  kq acl add --principal User:mallory --operation all --cluster --deny");

  auto removal = std::make_shared<RuleOptions>();
  app = verb(commands, noun, "remove", "Remove the rules that are asked for, and show them", remove, removal);
  add_resource_options(app, *removal);
  app->add_flag("--allow", removal->allow, "Rules that allow");
  app->add_flag("--prefixed", removal->prefixed, "Rules by prefix");
  app->add_flag("--match", removal->match, "All rules that apply to a resource of that name");
  app->add_flag("--all", removal->everything, "Where nothing is named: every rule there is");
  app->footer("Example:\n  kq acl remove --principal User:alice --topic orders");
}

}  // namespace kq::cli
