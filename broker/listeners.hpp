// Which addresses a broker binds, which it tells, and by which names (KIP-103, KIP-226).
#pragma once

#include <optional>
#include <string_view>

#include "broker/config.hpp"

namespace kq::broker {

// The keys that concern listeners, as text.
struct ListenerSettings {
  std::string_view listeners;
  std::optional<std::string_view> advertised;
  std::string_view controller_names;
  std::string_view protocols;
  bool protocols_set = false;
  std::optional<std::string_view> inter_broker_name;
  std::string_view inter_broker_protocol;
  bool inter_broker_protocol_set = false;
};

// Fills in the listeners of `config`.  Refused as Kafka refuses, and where kqd cannot serve the protocol.
Status bind_listeners(Config& config, const ListenerSettings&);

}  // namespace kq::broker
