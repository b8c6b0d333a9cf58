// What administration there is: each operation's parameters, columns and story, in one table.
#pragma once

#include <memory>
#include <span>
#include <string_view>

#include "include/kq/kq.h"
#include "libkq/client/admin/request.hpp"
#include "libkq/client/admin/rows.hpp"
#include "libkq/client/cluster.hpp"

namespace kq::client::admin {

// A request is borrowed: whoever runs a story keeps it until the story has ended.
using Story = awaitable<Result<std::unique_ptr<kq_rows>>> (*)(std::shared_ptr<Cluster>, const Request&, Instant deadline);

// kq.h's table says the same; tests/abi compares them.
struct Operation {
  const char* name;
  const char* doc;
  std::span<const kq_field> parameters;
  std::span<const kq_field> columns;
  bool items_optional;                     // a request without items is about everything
  Story story;
};

std::span<const Operation> operations();
const Operation* find_operation(std::string_view name);

// How tables are written.
constexpr kq_field parameter(const char* name, char type, const char* doc, const char* default_value = nullptr) {
  return {sizeof(kq_field), name, type, 0, 0, 0, default_value, doc};
}
constexpr kq_field item(const char* name, char type, const char* doc, const char* default_value = nullptr) {
  return {sizeof(kq_field), name, type, 0, 0, 1, default_value, doc};
}
constexpr kq_field nullable(kq_field field) { return field.nullable = 1, field; }
constexpr kq_field repeated(kq_field field) { return field.repeated = 1, field; }
constexpr kq_field column(const char* name, char type, const char* doc) {
  return {sizeof(kq_field), name, type, 0, 0, 0, nullptr, doc};
}

// The operations, each beside its story.
extern const Operation list_topics, describe_topics, create_topics, delete_topics, create_partitions, describe_cluster,
    describe_configs, alter_configs, list_offsets, list_groups, describe_groups, delete_groups, list_group_offsets, alter_group_offsets,
    delete_group_offsets, list_share_group_offsets, alter_share_group_offsets, delete_share_group_offsets, delete_records,
    describe_producers, list_transactions, describe_transactions, abort_transactions, fence_producers, describe_acls, create_acls,
    delete_acls, describe_client_quotas, alter_client_quotas, describe_user_scram_credentials, alter_user_scram_credentials,
    list_config_resources, describe_log_dirs, alter_replica_log_dirs, elect_leaders, alter_partition_reassignments,
    list_partition_reassignments, describe_features, update_features, describe_quorum;

}  // namespace kq::client::admin
