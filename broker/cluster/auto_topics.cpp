#include "broker/cluster/auto_topics.hpp"

#include <algorithm>

#include "broker/cluster/topic_name.hpp"
#include "broker/config_table.hpp"

namespace kq::broker {
namespace {

using Topic = CreateTopicsRequest::CreatableTopic;

void set(Topic& topic, std::string_view name, std::string_view value) {
  auto& config = topic.configs.emplace_back();
  config.name = name;
  config.value = value;
}

// As it stands in the file, or the default.
std::string_view text_of(const Config& config, const char* key) {
  const auto at = config.settings.find(key);
  return at != config.settings.end() ? trimmed(at->second) : find_key(broker_keys(), key)->default_value;
}

// The bound that fits the brokers there are: a number below ten, as text.
std::string_view small_number(int32_t number) {
  constexpr std::string_view digits = "0123456789";
  return digits.substr(static_cast<size_t>(std::clamp(number, 0, 9)), 1);
}

}  // namespace

Topic auto_topic(const Config& config, const cluster::Image& image, std::string_view name) {
  const auto alive = static_cast<int32_t>(std::count_if(image.brokers.begin(), image.brokers.end(), [](const auto& b) { return !b.second->fenced; }));
  Topic topic;
  topic.name = name;
  topic.num_partitions = -1;
  topic.replication_factor = -1;
  const auto sized = [&](int32_t partitions, int32_t replicas, const char* segment_bytes) {
    topic.num_partitions = partitions;
    topic.replication_factor = static_cast<int16_t>(std::clamp(alive, 1, replicas));
    set(topic, "segment.bytes", text_of(config, segment_bytes));
  };
  if (name == cluster::offsets_topic) {
    set(topic, "compression.type", "producer");
    set(topic, "cleanup.policy", "compact");
    sized(config.offsets_topic_num_partitions, config.offsets_topic_replication_factor, "offsets.topic.segment.bytes");
  } else if (name == cluster::transactions_topic) {
    set(topic, "compression.type", "uncompressed");
    set(topic, "cleanup.policy", "compact");
    set(topic, "min.insync.replicas", small_number(std::min(alive, config.transaction_state_log_min_isr)));
    set(topic, "unclean.leader.election.enable", "false");
    sized(config.transaction_state_log_num_partitions, config.transaction_state_log_replication_factor, "transaction.state.log.segment.bytes");
  } else if (name == cluster::share_state_topic) {
    set(topic, "compression.type", "producer");
    set(topic, "cleanup.policy", "delete");
    set(topic, "retention.ms", "-1");
    set(topic, "min.insync.replicas", small_number(std::min(alive, config.share_coordinator_state_topic_min_isr)));
    sized(config.share_coordinator_state_topic_num_partitions, config.share_coordinator_state_topic_replication_factor,
          "share.coordinator.state.topic.segment.bytes");
  }
  return topic;
}

}  // namespace kq::broker
