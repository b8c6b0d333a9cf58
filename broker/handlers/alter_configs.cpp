// AlterConfigs, key 33, v0-2.  v2: flexible.  Replaces all settings of a resource; IncrementalAlterConfigs has taken its place.
#include "broker/broker.hpp"
#include "broker/cluster/controller.hpp"
#include "broker/handlers/handlers.hpp"

namespace kq::broker {

awaitable<AlterConfigsResponse> handle(Broker& broker, Call& call, const AlterConfigsRequest& request) {
  return broker.controller->alter_configs(call, request);
}

}  // namespace kq::broker
