// AddOffsetsToTxn, key 25, v0-4.  v2: PRODUCER_FENCED.  v3: flexible.  v4: TRANSACTION_ABORTABLE.
#include "broker/broker.hpp"
#include "broker/cluster/topic_name.hpp"
#include "broker/coordinator/runtime.hpp"
#include "broker/handlers/handlers.hpp"
#include "broker/txn/transactions.hpp"

namespace kq::broker {
namespace {

constexpr int16_t fenced_from = 2;

}  // namespace

awaitable<AddOffsetsToTxnResponse> handle(Broker& broker, Call& call, const AddOffsetsToTxnRequest& request) {
  AddOffsetsToTxnResponse response;
  // The topic may not be there yet: the group's coordinator is looked for afterwards, and that makes it.
  const coordinator::Runtime* groups = broker.coordinator(CoordinatorType::group);
  int32_t index = groups ? groups->partition_of(request.group_id) : -1;
  if (index < 0) index = coordinator::partition_of(request.group_id, broker.config.offsets_topic_num_partitions);
  if (request.transactional_id.empty()) {
    response.error_code = Code::invalid_request;
  } else {
    const txn::Partitions partitions{{std::string(cluster::offsets_topic), {index}}};
    const txn::Transactions::Add add{.transactional_id = request.transactional_id,
                                     .producer = {request.producer_id, request.producer_epoch},
                                     .partitions = partitions};
    const Code code = co_await broker.transactions->add_partitions(call.loop, add);
    response.error_code = code == Code::producer_fenced && call.version < fenced_from ? Code::invalid_producer_epoch : code;
  }
  co_return response;
}

}  // namespace kq::broker
