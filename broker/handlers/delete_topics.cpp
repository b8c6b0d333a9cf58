// DeleteTopics, key 20, v1-6.  v4: flexible.  v5: error messages.  v6: by topic id.
#include "broker/broker.hpp"
#include "broker/cluster/controller.hpp"
#include "broker/handlers/handlers.hpp"

namespace kq::broker {

awaitable<DeleteTopicsResponse> handle(Broker& broker, Call& call, const DeleteTopicsRequest& request) {
  return broker.controller->delete_topics(call, request);
}

}  // namespace kq::broker
