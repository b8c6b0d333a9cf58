#include <array>

#include "libkq/client/admin/operation.hpp"

namespace kq::client::admin {

// In the order of kq.h's table.
std::span<const Operation> operations() {
  static const std::array all{list_topics,      describe_topics,  create_topics, delete_topics, create_partitions,
                              describe_cluster, describe_configs, alter_configs, list_offsets,
                              list_groups,      describe_groups,  delete_groups, list_group_offsets, alter_group_offsets, delete_group_offsets};
  return all;
}

const Operation* find_operation(std::string_view name) {
  for (const Operation& operation : operations())
    if (name == operation.name) return &operation;
  return nullptr;
}

}  // namespace kq::client::admin
