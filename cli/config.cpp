// kq config list|describe|set|delete: the client's own settings, and those that the cluster keeps.
#include <fmt/format.h>

#include "cli/command.hpp"
#include "cli/table.hpp"

namespace kq::cli {
namespace {

struct ListOptions {
  std::string word;
};

struct DescribeOptions {
  std::string type;
  std::vector<std::string> names;
  bool all = false;
};

struct ChangeOptions {
  std::string type, name;
  std::vector<std::string> words;  // key=value, or keys alone to delete
  bool append = false, subtract = false, validate_only = false;
};

boost::json::value text_or_null(const char* text) { return text ? boost::json::value(text) : boost::json::value(); }

int list(const Common& common, const ListOptions& options) {
  Table table({{"name"}, {"type"}, {"default"}, {"allowed"}, {"alias"}, {"meaning"}});
  for (size_t i = 0; const kq_option* option = kq_option_at(i); ++i) {
    if (std::string_view(option->name).find(options.word) == std::string_view::npos) continue;
    table.add({option->name, option->type, text_or_null(option->default_value), text_or_null(option->allowed), text_or_null(option->alias),
               option->doc});
  }
  table.print(common.output);
  return exit_done;
}

// The settings of all brokers together have no name in the protocol.
std::string resource_of(const std::string& type, const std::string& name) { return type == "broker" && name == "all" ? "" : name; }

int describe_configs(const Common& common, const DescribeOptions& options) {
  Request request("describe_configs");
  for (const std::string& name : options.names)
    request.next().set("resource_type", options.type).set("resource", resource_of(options.type, name));
  const RowsOwner answer = request.run(common.admin().get(), common.timeout_ms);
  const Rows rows(answer.get());
  Table table({{options.type}, {"config"}, {"value"}, {"source"}, {"type"}, {"read_only"}});
  for (size_t i = 0; i < rows.size(); ++i) {
    const Rows configs = rows.nested(i, "configs");
    for (size_t k = 0; k < configs.size(); ++k) {
      const std::string source = configs.string(k, "source");
      const bool own = source == "dynamic_" + options.type || (options.type == "broker" && source == "dynamic_default_broker");
      if (!options.all && !own) continue;
      table.add({rows.string(i, "resource").c_str(), configs.string(k, "config").c_str(), text_or_null(configs.text(k, "value")), source.c_str(),
                 configs.string(k, "type").c_str(), configs.int64(k, "read_only") == 1 ? "yes" : ""});
    }
  }
  table.print(common.output);
  return report(rows, "config describe");
}

int change(const Common& common, const ChangeOptions& options, const char* operation, const std::string& what) {
  Request request("alter_configs");
  request.set("validate_only", options.validate_only);
  for (const std::string& word : options.words) {
    const size_t equals = word.find('=');
    const bool deletes = std::string_view(operation) == "delete";
    if (!deletes && equals == std::string::npos) throw Failure{exit_usage, "a setting is key=value, not '" + word + "'"};
    request.next().set("resource_type", options.type).set("resource", resource_of(options.type, options.name));
    request.set("operation", operation).set("config", deletes ? word : word.substr(0, equals));
    if (!deletes) request.set("value", word.substr(equals + 1));
  }
  const RowsOwner answer = request.run(common.admin().get(), common.timeout_ms);
  return report(Rows(answer.get()), what);
}

int set(const Common& common, const ChangeOptions& options) {
  return change(common, options, options.append ? "append" : options.subtract ? "subtract" : "set", "config set");
}

int remove(const Common& common, const ChangeOptions& options) { return change(common, options, "delete", "config delete"); }

void add_resource(CLI::App* app, std::string& type) {
  app->add_option("type", type, "topic, broker, group, client_metrics or broker_logger")
      ->required()
      ->check(CLI::IsMember({"topic", "broker", "group", "client_metrics", "broker_logger"}));
}

}  // namespace

void add_config(const Commands& commands) {
  CLI::App* noun = commands.root.add_subcommand("config", "List the client's settings; describe, set and delete the cluster's")
                       ->fallthrough()
                       ->require_subcommand(1);

  auto listing = std::make_shared<ListOptions>();
  CLI::App* app = verb(commands, noun, "list", "List what -X and the configuration file can set", list, listing);
  app->add_option("word", listing->word, "Only names with this in them");
  app->footer("Examples:\n  kq config list linger\n  kq config list -o json | jq -r '.[].name'");

  auto description = std::make_shared<DescribeOptions>();
  app = verb(commands, noun, "describe", "Show the settings of topics, brokers or groups", describe_configs, description);
  add_resource(app, description->type);
  app->add_option("name", description->names, "Names of topics or groups, ids of brokers; 'all' is what all brokers share")->required();
  app->add_flag("-a,--all", description->all, "Also what was not set there: defaults, and what brokers say");
  app->footer("Examples:\n  kq config describe topic orders payments\n  kq config describe broker 1 --all");

  auto setting = std::make_shared<ChangeOptions>();
  app = verb(commands, noun, "set", "Set them", set, setting);
  add_resource(app, setting->type);
  app->add_option("name", setting->name, "The topic, broker ('all': all of them) or group")->required();
  app->add_option("setting", setting->words, "key=value")->required();
  auto* append = app->add_flag("--append", setting->append, "Add the value to a list");
  app->add_flag("--subtract", setting->subtract, "Take the value out of a list")->excludes(append);
  app->add_flag("--validate-only", setting->validate_only, "Ask whether it would work, and change nothing");
  app->footer("Examples:\n  kq config set topic orders retention.ms=86400000\n  kq config set broker all log.cleaner.threads=2");

  auto deletion = std::make_shared<ChangeOptions>();
  app = verb(commands, noun, "delete", "Go back to their defaults", remove, deletion);
  add_resource(app, deletion->type);
  app->add_option("name", deletion->name, "The topic, broker ('all': all of them) or group")->required();
  app->add_option("setting", deletion->words, "The keys")->required();
  app->add_flag("--validate-only", deletion->validate_only, "Ask whether it would work, and change nothing");
  app->footer("Example:\n  kq config delete topic orders retention.ms");
}

}  // namespace kq::cli
