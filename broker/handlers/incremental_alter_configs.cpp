// IncrementalAlterConfigs, key 44, v0-1 (KIP-339).  v1: flexible.
#include "broker/broker.hpp"
#include "broker/cluster/controller.hpp"
#include "broker/handlers/handlers.hpp"

namespace kq::broker {

awaitable<IncrementalAlterConfigsResponse> handle(Broker& broker, Call& call, const IncrementalAlterConfigsRequest& request) {
  return broker.controller->incremental_alter_configs(call, request);
}

}  // namespace kq::broker
