// InitProducerId, key 22, v0-5.  v2: flexible.  v3: the producer's former id and epoch (KIP-360).  v4: PRODUCER_FENCED.
// v5: transactions version 2.
#include "broker/broker.hpp"
#include "broker/handlers/handlers.hpp"
#include "broker/producer_ids.hpp"
#include "broker/txn/transactions.hpp"

namespace kq::broker {
namespace {

constexpr int16_t fenced_from = 4;

void fail(InitProducerIdResponse& response, Code code) {
  response.error_code = code;
  response.producer_id = no_producer_id;
  response.producer_epoch = no_producer_epoch;
}

// Without a transactional id a former id means nothing: the producer gets a new one, whatever it says.
awaitable<void> give_id(Broker& broker, Call& call, InitProducerIdResponse& response) {
  const auto id = co_await broker.producer_ids->next(*broker.controller, call.loop);
  if (id) {
    response.producer_id = *id;
    co_return;
  }
  broker.env.log.error("producer ids", id.error().message());
  fail(response, Code::coordinator_not_available);  // clients try again
}

}  // namespace

awaitable<InitProducerIdResponse> handle(Broker& broker, Call& call, const InitProducerIdRequest& request) {
  InitProducerIdResponse response;
  const bool has_id = request.producer_id != no_producer_id, has_epoch = request.producer_epoch != no_producer_epoch;
  if (has_id != has_epoch || (request.transactional_id && request.transactional_id->empty())) {
    fail(response, Code::invalid_request);
  } else if (!request.transactional_id) {
    co_await give_id(broker, call, response);
  } else {
    std::optional<txn::ProducerIdAndEpoch> expected;
    if (has_id) expected = {request.producer_id, request.producer_epoch};
    const auto answer = co_await broker.transactions->init_producer_id(call.loop, *request.transactional_id,
                                                                       request.transaction_timeout_ms, expected);
    const bool told_otherwise = answer.code == Code::producer_fenced && call.version < fenced_from;
    if (answer.code != Code::none)
      fail(response, told_otherwise ? Code::invalid_producer_epoch : answer.code);
    else
      response.producer_id = answer.producer.id, response.producer_epoch = answer.producer.epoch;
  }
  co_return response;
}

}  // namespace kq::broker
