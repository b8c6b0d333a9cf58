// Operations on quotas of users, clients and addresses: describe, alter.
#include <array>
#include <charconv>
#include <map>

#include "libkq/client/admin/names.hpp"
#include "libkq/client/admin/story.hpp"
#include "libkq/protocol/messages/alter_client_quotas.hpp"
#include "libkq/protocol/messages/describe_client_quotas.hpp"

namespace kq::client::admin {
namespace {

// What a quota is for: the column's name, and the protocol's.  An empty name is the default of the kind, which the protocol says by null.
struct Kind {
  const char* column;
  std::string_view entity_type;
};
constexpr Kind kinds[] = {{"user", "user"}, {"client_id", "client-id"}, {"ip", "ip"}};

std::string shortest(double value) {
  std::array<char, 32> digits;
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr;
  return {digits.data(), end};
}

void set_entity(kq_rows::Row& row, const auto& entity) {
  for (const auto& part : entity)
    for (const Kind& kind : kinds)
      if (part.entity_type == kind.entity_type) row.set(kind.column, part.entity_name.value_or(""));
}

// ---- describe_client_quotas ----------------------------------------------------------------------------------------------------

constexpr Named match_types[] = {{0, "exact"}, {1, "default"}, {2, "any"}};

Result<DescribeClientQuotasRequest> filter_of(const Request& request) {
  DescribeClientQuotasRequest message;
  message.strict = request.int64("strict") != 0;
  for (size_t item = 0; item < request.count(); ++item) {
    const std::string_view type = request.string(item, "entity");
    const auto* kind = std::ranges::find(kinds, type, [](const Kind& each) { return std::string_view(each.column); });
    if (kind == std::end(kinds))
      return Error(own_code::argument, "describe_client_quotas: entity is user, client_id or ip, and not '" + std::string(type) + "'");
    KQ_TRY_ASSIGN(const int8_t match, number_in(match_types, request.string(item, "match"), "match"));
    auto& component = message.components.emplace_back();
    component.entity_type = kind->entity_type;
    component.match_type = match;
    component.match = match == 0 ? request.string_or_null(item, "name") : std::nullopt;
    if (match == 0 && !component.match) return Error(own_code::argument, "describe_client_quotas: match=exact needs a name");
  }
  return message;
}

awaitable<Result<Rows>> tell_describe_quotas(std::shared_ptr<Cluster> cluster, const Request& request, Instant deadline) {
  const auto message = filter_of(request);
  if (!message) co_return message.error();
  auto reply = co_await cluster->request(any_node, *message, deadline);
  if (!reply) co_return std::move(reply.error());
  const auto& response = reply->message;
  if (response.error_code != Code::none) co_return no_to("describe_client_quotas", response.error_code, response.error_message);
  Rows rows = make_rows(describe_client_quotas);
  if (!response.entries) co_return rows;
  for (const auto& entry : *response.entries) {
    auto& row = rows->add();
    set_entity(row, entry.entity);
    kq_rows& quotas = row.nested("quotas");
    for (const auto& quota : entry.values) quotas.add().set("quota", quota.key).set("value", shortest(quota.value));
  }
  co_return rows;
}

// ---- alter_client_quotas -------------------------------------------------------------------------------------------------------

using Entity = std::vector<AlterClientQuotasRequest::EntityData>;

Entity entity_of(const Request& request, size_t item) {
  Entity entity;
  for (const Kind& kind : kinds) {
    const auto name = request.string_or_null(item, kind.column);
    if (!name) continue;
    auto& part = entity.emplace_back();
    part.entity_type = kind.entity_type;
    if (name->empty()) part.entity_name.reset();
    else part.entity_name = *name;
  }
  return entity;
}

std::string text_of(const auto& entity) {
  std::string text;
  for (const auto& part : entity)
    text += (text.empty() ? "" : ", ") + std::string(part.entity_type) + " " + std::string(part.entity_name.value_or("(default)"));
  return text;
}

// One entry for each entity, which is changed as a whole; `entry_of` tells each item's.
Result<AlterClientQuotasRequest> changes_of(const Request& request, std::vector<std::string>& entity_of_item) {
  AlterClientQuotasRequest message;
  message.validate_only = request.int64("validate_only") != 0;
  std::map<std::string, size_t> entries;
  for (size_t item = 0; item < request.count(); ++item) {
    Entity entity = entity_of(request, item);
    const std::string text = text_of(entity);
    if (entity.empty()) return Error(own_code::argument, "alter_client_quotas: an item names a user, a client_id or an ip");
    entity_of_item.push_back(text);
    const auto [at, is_new] = entries.try_emplace(text, message.entries.size());
    if (is_new) message.entries.emplace_back().entity = std::move(entity);
    auto& change = message.entries[at->second].ops.emplace_back();
    change.key = request.string(item, "quota");
    const auto value = request.string_or_null(item, "value");
    change.remove = !value;
    if (!value) continue;
    const auto [end, failure] = std::from_chars(value->data(), value->data() + value->size(), change.value);
    if (failure != std::errc{} || end != value->data() + value->size())
      return Error(own_code::argument, "alter_client_quotas: a value is a number, and not '" + std::string(*value) + "'");
  }
  return message;
}

awaitable<Result<Rows>> tell_alter_quotas(std::shared_ptr<Cluster> cluster, const Request& request, Instant deadline) {
  std::vector<std::string> entities;
  const auto message = changes_of(request, entities);
  if (!message) co_return message.error();
  auto reply = co_await ask_controller(cluster, *message, deadline, [](const AlterClientQuotasResponse& r) { return codes_of(r.entries); });
  if (!reply) co_return std::move(reply.error());
  Rows rows = make_rows(alter_client_quotas);
  for (size_t item = 0; item < request.count(); ++item) {
    auto& row = rows->add().set("quota", request.string(item, "quota"));
    set_entity(row, entity_of(request, item));
    const auto& entries = reply->message.entries;
    const auto answer = std::ranges::find(entries, entities[item], [](const auto& entry) {
      Entity in_order;                                               // the broker may name user and client the other way round
      for (const Kind& kind : kinds)
        for (const auto& part : entry.entity)
          if (part.entity_type == kind.entity_type) in_order.emplace_back().entity_type = part.entity_type, in_order.back().entity_name = part.entity_name;
      return text_of(in_order);
    });
    if (answer == entries.end()) row.fail(unmentioned(entities[item]));
    else if (answer->error_code != Code::none) row.fail(no_to(entities[item], answer->error_code, answer->error_message));
  }
  co_return rows;
}

// ---- tables --------------------------------------------------------------------------------------------------------------------

constexpr kq_field describe_in[] = {
    parameter("strict", 'i', "1: only what has these entities and no others.", "0"),
    item("entity", 's', "user, client_id or ip."),
    item("match", 's', "exact, default or any.", "any"),
    nullable(item("name", 's', "For exact.")),
};
constexpr kq_field user_column = nullable(column("user", 's', "Whom it is for; empty: users without one of their own; null: whoever."));
constexpr kq_field client_column = nullable(column("client_id", 's', "Likewise, by client.id."));
constexpr kq_field ip_column = nullable(column("ip", 's', "Likewise, by address."));
constexpr kq_field describe_out[] = {
    user_column, client_column, ip_column,
    column("quotas", 'r', "Each limit."),
    column("quotas.quota", 's', "producer_byte_rate, consumer_byte_rate, request_percentage, controller_mutation_rate or connection_creation_rate."),
    column("quotas.value", 's', "A decimal number."),
};
constexpr kq_field alter_in[] = {
    parameter("validate_only", 'i', "1: check, and change nothing.", "0"),
    nullable(item("user", 's', "Whom it is for; empty: the default of users.")),
    nullable(item("client_id", 's', "Likewise, by client.id.")),
    nullable(item("ip", 's', "Likewise, by address; alone.")),
    item("quota", 's', "producer_byte_rate, consumer_byte_rate, request_percentage, controller_mutation_rate, or connection_creation_rate (of an ip)."),
    nullable(item("value", 's', "A decimal number; unset: the limit goes.")),
};
constexpr kq_field alter_out[] = {user_column, client_column, ip_column, column("quota", 's', "As asked for.")};

}  // namespace

constinit const Operation describe_client_quotas{"describe_client_quotas", "Limits of users, clients and addresses.", describe_in, describe_out,
                                                 true, tell_describe_quotas};
constinit const Operation alter_client_quotas{"alter_client_quotas", "Sets and removes limits of users, clients and addresses.", alter_in,
                                              alter_out, false, tell_alter_quotas};

}  // namespace kq::client::admin
