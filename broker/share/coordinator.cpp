#include "broker/share/coordinator.hpp"

#include "broker/broker.hpp"
#include "broker/cluster/topic_name.hpp"
#include "broker/housekeeping.hpp"

namespace kq::share {
namespace {

// The records below are deleted in the background.
void prune(broker::Broker& broker, int32_t index, int64_t below) {
  broker.env.io.submit([&broker, index, below] {
    const auto image = broker.image();
    const cluster::TopicImage* topic = image->topic(cluster::share_state_topic);
    const auto partition = topic ? broker.partitions->find(topic->id, index) : nullptr;
    if (!partition || partition->delete_records(below).code != Code::none) return;
    broker.housekeeping().starts_raised();
  });
}

coordinator::Runtime::Options options(broker::Broker& broker) {
  const auto ms = [](int32_t count) -> Duration { return std::chrono::milliseconds(count); };
  const broker::Config& config = broker.config;
  const auto make = [&broker, ms](int32_t index) {
    return std::make_unique<StateShard>(
        StateShard::Settings{.updates_per_snapshot = broker.config.share_coordinator_snapshot_update_records_per_snapshot,
                             .cold_snapshot_interval = ms(broker.config.share_coordinator_cold_partition_snapshot_interval_ms),
                             .prune_interval = ms(broker.config.share_coordinator_state_topic_prune_interval_ms),
                             .prune = [&broker, index](int64_t below) { prune(broker, index, below); }});
  };
  return {.topic = std::string(cluster::share_state_topic),
          .own_id = config.node_id,
          .make = make,
          .write_timeout = ms(config.share_coordinator_write_timeout_ms),
          .load_buffer_bytes = static_cast<size_t>(config.share_coordinator_load_buffer_size),
          .codec = static_cast<Codec>(config.share_coordinator_state_topic_compression_codec),
          .partitions = *broker.partitions,
          .io = broker.env.io,
          .timer_loop = *broker.env.loops.front(),
          .log = broker.env.log};
}

}  // namespace

Coordinator::Coordinator(broker::Broker& broker) : coordinator::Coordinator<StateShard>(options(broker)) {}

}  // namespace kq::share
