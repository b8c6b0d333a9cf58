// Operations on access rules: describe, create, delete.
#include "libkq/client/admin/names.hpp"
#include "libkq/client/admin/story.hpp"
#include "libkq/protocol/messages/create_acls.hpp"
#include "libkq/protocol/messages/delete_acls.hpp"
#include "libkq/protocol/messages/describe_acls.hpp"

namespace kq::client::admin {
namespace {

constexpr Named resource_types[] = {{1, "any"},     {2, "topic"},            {3, "group"},
                                    {4, "cluster"}, {5, "transactional_id"}, {6, "delegation_token"}, {7, "user"}};
constexpr Named pattern_types[] = {{1, "any"}, {2, "match"}, {3, "literal"}, {4, "prefixed"}};
constexpr Named permissions[] = {{1, "any"}, {2, "deny"}, {3, "allow"}};
constexpr Named acl_operations[] = {
    {1, "any"},           {2, "all"},           {3, "read"},           {4, "write"},          {5, "create"},
    {6, "delete"},        {7, "alter"},         {8, "describe"},       {9, "cluster_action"}, {10, "describe_configs"},
    {11, "alter_configs"}, {12, "idempotent_write"}, {13, "create_tokens"}, {14, "describe_tokens"}, {15, "two_phase_commit"}};

// The four that are told by names.
struct Kinds {
  int8_t resource_type, pattern_type, operation, permission;
};

// `text(name)` gives the request's parameter of that name.
template <class Text>
Result<Kinds> kinds_of(Text text) {
  KQ_TRY_ASSIGN(const int8_t resource_type, number_in(resource_types, text("resource_type"), "resource_type"));
  KQ_TRY_ASSIGN(const int8_t pattern_type, number_in(pattern_types, text("pattern_type"), "pattern_type"));
  KQ_TRY_ASSIGN(const int8_t operation, number_in(acl_operations, text("operation"), "operation"));
  KQ_TRY_ASSIGN(const int8_t permission, number_in(permissions, text("permission"), "permission"));
  return Kinds{resource_type, pattern_type, operation, permission};
}

// Fills in a filter: of DescribeAcls the request itself, of DeleteAcls one of its list.
template <class Filter, class Text, class TextOrNull>
Status fill_filter(Filter& filter, Text text, TextOrNull text_or_null) {
  KQ_TRY_ASSIGN(const Kinds kinds, kinds_of(text));
  filter.resource_type_filter = kinds.resource_type;
  filter.pattern_type_filter = kinds.pattern_type;
  filter.operation = kinds.operation;
  filter.permission_type = kinds.permission;
  filter.resource_name_filter = text_or_null("resource");
  filter.principal_filter = text_or_null("principal");
  filter.host_filter = text_or_null("host");
  return {};
}

kq_rows::Row& add_rule(kq_rows& rows, int8_t resource_type, std::string_view resource, int8_t pattern_type, const auto& rule) {
  auto& row = rows.add().set("resource_type", name_in(resource_types, resource_type)).set("resource", resource);
  row.set("pattern_type", name_in(pattern_types, pattern_type)).set("principal", rule.principal).set("host", rule.host);
  return row.set("operation", name_in(acl_operations, rule.operation)).set("permission", name_in(permissions, rule.permission_type));
}

// ---- describe_acls -------------------------------------------------------------------------------------------------------------

awaitable<Result<Rows>> tell_describe_acls(std::shared_ptr<Cluster> cluster, const Request& request, Instant deadline) {
  DescribeAclsRequest message;
  Status filled = fill_filter(message, [&](const char* name) { return request.string(name); },
                              [&](const char* name) { return request.string_or_null(name); });
  if (!filled) co_return std::move(filled.error());
  auto reply = co_await cluster->request(any_node, message, deadline);
  if (!reply) co_return std::move(reply.error());
  const auto& response = reply->message;
  if (response.error_code != Code::none) co_return no_to("describe_acls", response.error_code, response.error_message);
  Rows rows = make_rows(describe_acls);
  for (const auto& resource : response.resources)
    for (const auto& rule : resource.acls) add_rule(*rows, resource.resource_type, resource.resource_name, resource.pattern_type, rule);
  co_return rows;
}

// ---- create_acls ---------------------------------------------------------------------------------------------------------------

awaitable<Result<Rows>> tell_create_acls(std::shared_ptr<Cluster> cluster, const Request& request, Instant deadline) {
  CreateAclsRequest message;
  Rows rows = make_rows(create_acls);
  for (size_t item = 0; item < request.count(); ++item) {
    const auto kinds = kinds_of([&](const char* name) { return request.string(item, name); });
    if (!kinds) co_return kinds.error();
    auto& rule = message.creations.emplace_back();
    rule.resource_type = kinds->resource_type;
    rule.resource_name = request.string(item, "resource");
    rule.resource_pattern_type = kinds->pattern_type;
    rule.principal = request.string(item, "principal");
    rule.host = request.string(item, "host");
    rule.operation = kinds->operation;
    rule.permission_type = kinds->permission;
    add_rule(*rows, rule.resource_type, rule.resource_name, rule.resource_pattern_type, rule);
  }
  auto reply = co_await ask_controller(cluster, message, deadline, [](const CreateAclsResponse& r) { return codes_of(r.results); });
  if (!reply) co_return std::move(reply.error());
  const auto& results = reply->message.results;                    // in the order of the items
  for (size_t item = 0; item < rows->count(); ++item) {
    const std::string_view resource = request.string(item, "resource");
    if (item >= results.size()) rows->at(item).fail(unmentioned(resource));
    else if (results[item].error_code != Code::none)
      rows->at(item).fail(no_to(resource, results[item].error_code, results[item].error_message));
  }
  co_return rows;
}

// ---- delete_acls ---------------------------------------------------------------------------------------------------------------

void take_deleted(kq_rows::Row& row, const DeleteAclsResponse::DeleteAclsFilterResult& result) {
  kq_rows& rules = row.nested("acls");
  for (const auto& rule : result.matching_acls) {
    auto& deleted = add_rule(rules, rule.resource_type, rule.resource_name, rule.pattern_type, rule);
    if (rule.error_code != Code::none) deleted.fail(no_to(rule.resource_name, rule.error_code, rule.error_message));
  }
}

awaitable<Result<Rows>> tell_delete_acls(std::shared_ptr<Cluster> cluster, const Request& request, Instant deadline) {
  if (request.count() == 0) co_return Error(own_code::argument, "delete_acls: there is no filter; resource_type=any is all rules");
  DeleteAclsRequest message;
  for (size_t item = 0; item < request.count(); ++item) {
    Status filled = fill_filter(message.filters.emplace_back(), [&](const char* name) { return request.string(item, name); },
                                [&](const char* name) { return request.string_or_null(item, name); });
    if (!filled) co_return std::move(filled.error());
  }
  auto reply = co_await ask_controller(cluster, message, deadline, [](const DeleteAclsResponse& r) { return codes_of(r.filter_results); });
  if (!reply) co_return std::move(reply.error());
  Rows rows = make_rows(delete_acls);
  const auto& results = reply->message.filter_results;             // in the order of the items
  for (size_t item = 0; item < request.count(); ++item) {
    auto& row = rows->add().set("filter", static_cast<int64_t>(item));
    row.nested("acls");
    if (item >= results.size()) row.fail(unmentioned("filter " + std::to_string(item)));
    else if (results[item].error_code != Code::none) row.fail(no_to("delete_acls", results[item].error_code, results[item].error_message));
    else take_deleted(row, results[item]);
  }
  co_return rows;
}

// ---- tables --------------------------------------------------------------------------------------------------------------------

constexpr const char* type_doc = "topic, group, cluster, transactional_id, delegation_token or user.";
constexpr const char* type_filter_doc = "topic, group, cluster, transactional_id, delegation_token, user or any.";
constexpr const char* operation_doc =
    "all, read, write, create, delete, alter, describe, cluster_action, describe_configs, alter_configs, idempotent_write, "
    "create_tokens, describe_tokens or two_phase_commit.";
constexpr const char* operation_filter_doc = "As for create_acls, or any.";
constexpr const char* pattern_filter_doc = "literal, prefixed, any, or match: all rules that apply to a resource of that name.";

constexpr kq_field describe_acls_in[] = {
    parameter("resource_type", 's', type_filter_doc, "any"),
    nullable(parameter("resource", 's', "Its name; unset: any.")),
    parameter("pattern_type", 's', pattern_filter_doc, "any"),
    nullable(parameter("principal", 's', "As in User:alice; unset: any.")),
    nullable(parameter("host", 's', "Unset: any.")),
    parameter("operation", 's', operation_filter_doc, "any"),
    parameter("permission", 's', "allow, deny or any.", "any"),
};
constexpr kq_field delete_acls_in[] = {
    item("resource_type", 's', type_filter_doc, "any"),
    nullable(item("resource", 's', "Its name; unset: any.")),
    item("pattern_type", 's', pattern_filter_doc, "any"),
    nullable(item("principal", 's', "As in User:alice; unset: any.")),
    nullable(item("host", 's', "Unset: any.")),
    item("operation", 's', operation_filter_doc, "any"),
    item("permission", 's', "allow, deny or any.", "any"),
};
constexpr kq_field create_acls_in[] = {
    item("resource_type", 's', type_doc),
    item("resource", 's', "Its name; kafka-cluster for the cluster; * for all of that type."),
    item("pattern_type", 's', "literal, or prefixed: all whose name begins with it.", "literal"),
    item("principal", 's', "Who, as in User:alice; User:* for everybody."),
    item("host", 's', "From which address; * for any.", "*"),
    item("operation", 's', operation_doc),
    item("permission", 's', "allow or deny.", "allow"),
};
constexpr kq_field rule_columns[] = {
    column("resource_type", 's', type_doc), column("resource", 's', "Its name."), column("pattern_type", 's', "literal or prefixed."),
    column("principal", 's', "Who."),       column("host", 's', "From where."),  column("operation", 's', operation_doc),
    column("permission", 's', "allow or deny."),
};
constexpr kq_field delete_acls_out[] = {
    column("filter", 'i', "Which of the items it is, from 0."),
    column("acls", 'r', "The rules that are gone."),
    column("acls.resource_type", 's', type_doc),
    column("acls.resource", 's', "Its name."),
    column("acls.pattern_type", 's', "literal or prefixed."),
    column("acls.principal", 's', "Who."),
    column("acls.host", 's', "From where."),
    column("acls.operation", 's', operation_doc),
    column("acls.permission", 's', "allow or deny."),
};

}  // namespace

constinit const Operation describe_acls{"describe_acls", "Rules of who may do what.", describe_acls_in, rule_columns, true, tell_describe_acls};
constinit const Operation create_acls{"create_acls", "Adds rules of who may do what.", create_acls_in, rule_columns, false, tell_create_acls};
constinit const Operation delete_acls{"delete_acls", "Removes the rules that match.", delete_acls_in, delete_acls_out, false, tell_delete_acls};

}  // namespace kq::client::admin
