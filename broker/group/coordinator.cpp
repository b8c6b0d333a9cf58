#include "broker/group/coordinator.hpp"

#include "broker/broker.hpp"
#include "broker/cluster/topic_name.hpp"

namespace kq::group {
namespace {

// A UUID as Java writes it.
std::string new_id() {
  constexpr std::string_view digits = "0123456789abcdef";
  const Uuid id = Uuid::random();
  std::string text;
  for (size_t i = 0; i < id.bytes.size(); ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) text += '-';
    const auto byte = static_cast<uint8_t>(id.bytes[i]);
    text += digits[byte >> 4];
    text += digits[byte & 15];
  }
  return text;
}

coordinator::Runtime::Options options(broker::Broker& broker) {
  const auto config = std::make_shared<const GroupConfig>(GroupConfig::from(broker.config));
  return {.topic = std::string(cluster::offsets_topic),
          .own_id = broker.config.node_id,
          .make = [config](int32_t) { return std::make_unique<GroupShard>(*config, new_id); },
          .write_timeout = std::chrono::milliseconds(broker.config.offsets_commit_timeout_ms),
          .load_buffer_bytes = static_cast<size_t>(broker.config.offsets_load_buffer_size),
          .codec = static_cast<Codec>(broker.config.offsets_topic_compression_codec),
          .partitions = *broker.partitions,
          .io = broker.env.io,
          .timer_loop = *broker.env.loops.front(),
          .log = broker.env.log};
}

}  // namespace

Coordinator::Coordinator(broker::Broker& broker) : coordinator::Coordinator<GroupShard>(options(broker)) {}

}  // namespace kq::group
