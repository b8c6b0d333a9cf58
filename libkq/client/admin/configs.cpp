// Operations on configurations: describe, alter.
#include <charconv>
#include <map>

#include "libkq/client/admin/names.hpp"
#include "libkq/client/admin/story.hpp"
#include "libkq/protocol/messages/describe_configs.hpp"
#include "libkq/protocol/messages/incremental_alter_configs.hpp"
#include "libkq/protocol/messages/list_config_resources.hpp"

namespace kq::client::admin {
namespace {

constexpr Named alter_operations[] = {{0, "set"}, {1, "delete"}, {2, "append"}, {3, "subtract"}};
constexpr Named sources[] = {{1, "dynamic_topic"},   {2, "dynamic_broker"}, {3, "dynamic_default_broker"}, {4, "static_broker"},
                             {5, "default"},         {6, "dynamic_broker_logger"}, {7, "dynamic_client_metrics"}, {8, "dynamic_group"}};
constexpr Named value_types[] = {{1, "boolean"}, {2, "string"}, {3, "int"},   {4, "short"},   {5, "long"},
                                 {6, "double"},  {7, "list"},   {8, "class"}, {9, "password"}};

struct Resource {
  int8_t type;
  std::string_view name;
  auto operator<=>(const Resource&) const = default;

  // A broker's own configuration is known to that broker alone.
  Target target(Target otherwise) const {
    constexpr int8_t broker = 4, broker_logger = 8;
    int32_t id = -1;
    const auto [end, failure] = std::from_chars(name.data(), name.data() + name.size(), id);
    const bool of_node = (type == broker || type == broker_logger) && failure == std::errc{} && end == name.data() + name.size();
    return of_node ? at_node(id) : otherwise;
  }
};

Result<Resource> resource_of(const Request& request, size_t item) {
  KQ_TRY_ASSIGN(const int8_t type, number_in(config_resource_types, request.string(item, "resource_type"), "resource_type"));
  return Resource{type, request.string(item, "resource")};
}

// One request for each broker that has to be asked.  Fails where an item makes no sense.
template <class Message>
using ByTarget = std::map<int32_t, std::pair<Target, Message>>;

// Whole requests may fail (a broker that is not there): then each of its resources has.
template <class Message, class Refer>
void fail_all(kq_rows& rows, const Message& message, const Refer& row_of, const Error& error) {
  for (const auto& resource : message.resources) row_of(rows, resource.resource_type, resource.resource_name).fail(error);
}

kq_rows::Row& row_of(kq_rows& rows, int8_t type, std::string_view name) {
  for (size_t i = 0; i < rows.count(); ++i)
    if (*rows.string(i, "resource") == name && *rows.string(i, "resource_type") == name_in(config_resource_types, type)) return rows.at(i);
  return rows.add().set("resource_type", name_in(config_resource_types, type)).set("resource", name);
}

// ---- describe_configs ----------------------------------------------------------------------------------------------------------

Result<ByTarget<DescribeConfigsRequest>> describe_messages(const Request& request, kq_rows& rows) {
  ByTarget<DescribeConfigsRequest> messages;
  for (size_t item = 0; item < request.count(); ++item) {
    KQ_TRY_ASSIGN(const Resource resource, resource_of(request, item));
    row_of(rows, resource.type, resource.name);
    const Target target = resource.target(any_node);
    auto& [to, message] = messages[target.id];
    to = target;
    message.include_synonyms = true;
    message.include_documentation = request.int64("documentation") != 0;
    auto& asked = message.resources.emplace_back();
    asked.resource_type = resource.type;
    asked.resource_name = resource.name;
    asked.configuration_keys.reset();
    if (const auto keys = request.strings(item, "config"); !keys.empty()) asked.configuration_keys.emplace(keys.begin(), keys.end());
  }
  return messages;
}

void describe(kq_rows::Row& row, const DescribeConfigsResponse::DescribeConfigsResult& answer) {
  kq_rows& configs = row.nested("configs");
  for (const auto& config : answer.configs) {
    auto& entry = configs.add().set("config", config.name).set("value", config.value);
    entry.set("type", name_in(value_types, config.config_type)).set("source", name_in(sources, config.config_source));
    entry.set("read_only", config.read_only).set("sensitive", config.is_sensitive).set("documentation", config.documentation);
    kq_rows& synonyms = entry.nested("synonyms");
    for (const auto& synonym : config.synonyms)
      synonyms.add().set("config", synonym.name).set("value", synonym.value).set("source", name_in(sources, synonym.source));
  }
}

awaitable<Result<Rows>> tell_describe_configs(std::shared_ptr<Cluster> cluster, const Request& request, Instant deadline) {
  Rows rows = make_rows(describe_configs);
  auto messages = describe_messages(request, *rows);
  if (!messages) co_return std::move(messages.error());
  for (auto& [id, entry] : *messages) {
    auto& [target, message] = entry;
    auto reply = co_await cluster->request(target, message, deadline);
    if (!reply) {
      fail_all(*rows, message, row_of, reply.error());
      continue;
    }
    for (const auto& answer : reply->message.results) {
      auto& row = row_of(*rows, answer.resource_type, answer.resource_name);
      describe(row, answer);
      if (answer.error_code != Code::none) row.fail(no_to(answer.resource_name, answer.error_code, answer.error_message));
    }
  }
  co_return rows;
}

// ---- alter_configs -------------------------------------------------------------------------------------------------------------

Result<ByTarget<IncrementalAlterConfigsRequest>> alter_messages(const Request& request, kq_rows& rows) {
  ByTarget<IncrementalAlterConfigsRequest> messages;
  for (size_t item = 0; item < request.count(); ++item) {
    KQ_TRY_ASSIGN(const Resource resource, resource_of(request, item));
    KQ_TRY_ASSIGN(const int8_t operation, number_in(alter_operations, request.string(item, "operation"), "operation"));
    const auto value = request.string_or_null(item, "value");
    if (!value && request.string(item, "operation") != "delete")
      return Error(own_code::argument, "alter_configs: operation " + std::string(request.string(item, "operation")) + " needs a value");
    row_of(rows, resource.type, resource.name);
    const Target target = resource.target(controller_node);
    auto& [to, message] = messages[target.id];
    to = target;
    message.validate_only = request.int64("validate_only") != 0;
    auto known = std::ranges::find_if(message.resources, [&](const auto& other) {
      return other.resource_type == resource.type && other.resource_name == resource.name;
    });
    if (known == message.resources.end()) {
      known = message.resources.emplace(known);
      known->resource_type = resource.type;
      known->resource_name = resource.name;
    }
    auto& change = known->configs.emplace_back();
    change.name = request.string(item, "config");
    change.config_operation = operation;
    change.value = value;
  }
  return messages;
}

awaitable<Result<Rows>> tell_alter_configs(std::shared_ptr<Cluster> cluster, const Request& request, Instant deadline) {
  Rows rows = make_rows(alter_configs);
  auto messages = alter_messages(request, *rows);
  if (!messages) co_return std::move(messages.error());
  for (auto& [id, entry] : *messages) {
    auto& [target, message] = entry;
    auto reply = co_await cluster->request(target, message, deadline);
    if (!reply) {
      fail_all(*rows, message, row_of, reply.error());
      continue;
    }
    for (const auto& answer : reply->message.responses) {
      auto& row = row_of(*rows, answer.resource_type, answer.resource_name);
      if (answer.error_code != Code::none) row.fail(no_to(answer.resource_name, answer.error_code, answer.error_message));
    }
  }
  co_return rows;
}

// ---- list_config_resources -----------------------------------------------------------------------------------------------------

awaitable<Result<Rows>> tell_list_config_resources(std::shared_ptr<Cluster> cluster, const Request& request, Instant deadline) {
  ListConfigResourcesRequest message;
  for (const std::string_view name : request.strings("resource_type")) {
    const auto type = number_in(config_resource_types, name, "resource_type");
    if (!type) co_return type.error();
    message.resource_types.push_back(*type);
  }
  auto reply = co_await cluster->request(any_node, message, deadline);
  if (!reply) co_return std::move(reply.error());
  if (reply->message.error_code != Code::none) co_return no_to("list_config_resources", reply->message.error_code);
  Rows rows = make_rows(list_config_resources);
  for (const auto& resource : reply->message.config_resources)
    rows->add().set("resource_type", name_in(config_resource_types, resource.resource_type)).set("resource", resource.resource_name);
  co_return rows;
}

// ---- tables --------------------------------------------------------------------------------------------------------------------

constexpr kq_field type_item = item("resource_type", 's', "topic, broker, broker_logger, client_metrics or group.");
constexpr kq_field resource_item = item("resource", 's', "The topic's name, the broker's id (empty: all brokers), and so on.");
constexpr kq_field type_column = column("resource_type", 's', "As asked for.");
constexpr kq_field resource_column = column("resource", 's', "As asked for.");

constexpr kq_field describe_in[] = {
    parameter("documentation", 'i', "1: with the broker's own documentation of each.", "0"), type_item, resource_item,
    repeated(item("config", 's', "The keys wanted; none: all.")),
};
constexpr kq_field describe_out[] = {
    type_column, resource_column,
    column("configs", 'r', "Each key."),
    column("configs.config", 's', "The key."),
    nullable(column("configs.value", 's', "Its value; null where it is secret, or none.")),
    column("configs.type", 's', "boolean, string, int, short, long, double, list, class, password, unknown."),
    column("configs.source", 's', "Where the value comes from: dynamic_topic, dynamic_broker, dynamic_default_broker, static_broker, "
                                  "default, dynamic_broker_logger, dynamic_client_metrics, dynamic_group."),
    column("configs.read_only", 'i', "1: cannot be altered."),
    column("configs.sensitive", 'i', "1: a secret."),
    nullable(column("configs.documentation", 's', "What the broker says of it.")),
    column("configs.synonyms", 'r', "All values that could have applied, the first being the one that does."),
    column("configs.synonyms.config", 's', "The key under which it is set."),
    nullable(column("configs.synonyms.value", 's', "Its value.")),
    column("configs.synonyms.source", 's', "As above."),
};
constexpr kq_field alter_in[] = {
    parameter("validate_only", 'i', "1: check, and change nothing.", "0"), type_item, resource_item,
    item("config", 's', "The key."),
    item("operation", 's', "set, delete (back to the default), append or subtract (of a list).", "set"),
    nullable(item("value", 's', "The value; not for delete.")),
};
constexpr kq_field alter_out[] = {type_column, resource_column};
constexpr kq_field list_in[] = {
    repeated(parameter("resource_type", 's', "topic, broker, broker_logger, client_metrics or group; none: of all types.")),
};
constexpr kq_field list_out[] = {
    column("resource_type", 's', "topic, broker, broker_logger, client_metrics or group."), column("resource", 's', "Its name."),
};

}  // namespace

constinit const Operation describe_configs{"describe_configs", "Settings of topics, brokers and others.", describe_in, describe_out,
                                           false, tell_describe_configs};
constinit const Operation alter_configs{"alter_configs", "Changes settings, each key by itself.", alter_in, alter_out, false,
                                        tell_alter_configs};
constinit const Operation list_config_resources{"list_config_resources", "What there is that can have settings.", list_in, list_out, true,
                                                tell_list_config_resources};

}  // namespace kq::client::admin
