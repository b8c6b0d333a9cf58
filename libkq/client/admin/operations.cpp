#include <array>

#include "libkq/client/admin/operation.hpp"

namespace kq::client::admin {

// In the order of kq.h's table.
std::span<const Operation> operations() {
  static const std::array all{
      list_topics, describe_topics, create_topics, delete_topics, create_partitions, delete_records, describe_cluster,
      describe_configs, alter_configs, list_config_resources, list_offsets, list_groups, describe_groups,
      delete_groups, list_group_offsets, alter_group_offsets, delete_group_offsets, list_share_group_offsets,
      alter_share_group_offsets, delete_share_group_offsets, describe_producers, list_transactions,
      describe_transactions, abort_transactions, fence_producers, describe_acls, create_acls, delete_acls,
      describe_user_scram_credentials, alter_user_scram_credentials, describe_client_quotas, alter_client_quotas,
      elect_leaders, alter_partition_reassignments, list_partition_reassignments, describe_log_dirs,
      alter_replica_log_dirs, describe_features, update_features, describe_quorum};
  return all;
}

const Operation* find_operation(std::string_view name) {
  for (const Operation& operation : operations())
    if (name == operation.name) return &operation;
  return nullptr;
}

}  // namespace kq::client::admin
