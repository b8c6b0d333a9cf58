// InitProducerId, key 22, v0-5.  v2: flexible.  v3: the producer's former id and epoch (KIP-360).  v4: PRODUCER_FENCED.
// v5: transactions version 2.
//
// kqd has no transaction coordinator yet.  A transactional id is refused as Kafka refuses what it does not speak, which clients
// take as final; they do not come this far as a rule, as FindCoordinator is not listed.
#include "broker/broker.hpp"
#include "broker/handlers/handlers.hpp"
#include "broker/producer_ids.hpp"

namespace kq::broker {

awaitable<InitProducerIdResponse> handle(Broker& broker, Call& call, const InitProducerIdRequest& request) {
  InitProducerIdResponse response;
  if (request.transactional_id) {
    response.error_code = request.transactional_id->empty() ? Code::invalid_request : Code::unsupported_version;
    broker.peer_log.write(call.session.peer + ": refused transactional id '" + std::string(*request.transactional_id) +
                          "': kqd does not have transactions yet");
    co_return response;
  }
  // Without a transactional id a former id means nothing: the producer gets a new one, whatever it says.
  const auto id = co_await broker.producer_ids->next(*broker.controller, call.loop);
  if (id) {
    response.producer_id = *id;
  } else {
    broker.env.log.error("producer ids", id.error().message());
    response.error_code = Code::coordinator_not_available;        // clients try again
  }
  co_return response;
}

}  // namespace kq::broker
