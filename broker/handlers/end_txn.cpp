// EndTxn, key 26, v0-5.  v2: PRODUCER_FENCED.  v3: flexible.  v4: TRANSACTION_ABORTABLE.  v5: transactions version 2, with the producer id
// and epoch to go on with (KIP-890).
#include "broker/broker.hpp"
#include "broker/handlers/handlers.hpp"
#include "broker/txn/transactions.hpp"

namespace kq::broker {
namespace {

constexpr int16_t fenced_from = 2, version_2_from = 5;

}  // namespace

awaitable<EndTxnResponse> handle(Broker& broker, Call& call, const EndTxnRequest& request) {
  EndTxnResponse response;
  if (request.transactional_id.empty()) {
    response.error_code = Code::invalid_request;
    co_return response;
  }
  const txn::TransactionCoordinator::End end{
      .transactional_id = request.transactional_id,
      .producer = {request.producer_id, request.producer_epoch},
      .commit = request.committed,
      .client_version = call.version >= version_2_from ? txn::epoch_bump_from : int16_t{0}};
  const auto ended = co_await broker.transactions->end(call.loop, end);
  response.error_code =
      ended.code == Code::producer_fenced && call.version < fenced_from ? Code::invalid_producer_epoch : ended.code;
  if (ended.code == Code::none && call.version >= version_2_from) {
    response.producer_id = ended.producer.id;
    response.producer_epoch = ended.producer.epoch;
  } else {
    response.producer_id = no_producer_id;
    response.producer_epoch = no_producer_epoch;
  }
  co_return response;
}

}  // namespace kq::broker
