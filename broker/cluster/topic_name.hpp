// Which names a topic may have.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace kq::cluster {

constexpr size_t topic_name_bytes_max = 249;
constexpr std::string_view metadata_topic = "__cluster_metadata";
constexpr std::string_view offsets_topic = "__consumer_offsets";
constexpr std::string_view transactions_topic = "__transaction_state";
constexpr std::string_view share_state_topic = "__share_group_state";

// What is wrong with the name, in Kafka's words; nothing: it is legal.
std::optional<std::string> topic_name_fault(std::string_view name);

// '.' and '_' are the same in names of metrics, so topics that differ in nothing else are not created.
bool may_collide(std::string_view name);
std::string unified_name(std::string_view name);

// Topics that brokers keep for themselves.
inline bool is_internal_topic(std::string_view name) {
  return name == offsets_topic || name == transactions_topic || name == share_state_topic;
}

}  // namespace kq::cluster
