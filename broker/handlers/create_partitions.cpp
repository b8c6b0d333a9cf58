// CreatePartitions, key 37, v0-3.  v2: flexible.
#include "broker/broker.hpp"
#include "broker/cluster/controller.hpp"
#include "broker/handlers/handlers.hpp"

namespace kq::broker {

awaitable<CreatePartitionsResponse> handle(Broker& broker, Call& call, const CreatePartitionsRequest& request) {
  return broker.controller->create_partitions(call, request);
}

}  // namespace kq::broker
