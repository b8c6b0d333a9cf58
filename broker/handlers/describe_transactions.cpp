// DescribeTransactions, key 65, v0 (KIP-664).
#include "broker/broker.hpp"
#include "broker/handlers/handlers.hpp"
#include "broker/txn/transactions.hpp"

namespace kq::broker {

awaitable<DescribeTransactionsResponse> handle(Broker& broker, Call& call, const DescribeTransactionsRequest& request) {
  DescribeTransactionsResponse response;
  for (const std::string_view id : request.transactional_ids) {
    auto& state = response.transaction_states.emplace_back();
    state.transactional_id = id;
    if (id.empty()) {
      state.error_code = Code::invalid_request;
      continue;
    }
    auto described = co_await broker.transactions->describe(call.loop, id);
    state.error_code = described.code;
    if (described.code != Code::none) continue;
    const auto& held = call.keep(std::make_shared<const txn::Transaction>(std::move(described.transaction)));
    state.transaction_state = txn::name_of(held.state);
    state.transaction_timeout_ms = held.timeout_ms;
    state.transaction_start_time_ms = held.start_ms;
    state.producer_id = held.producer_id;
    state.producer_epoch = held.producer_epoch;
    for (const auto& [topic, indices] : held.partitions) {
      auto& data = state.topics.emplace_back();
      data.topic = topic;
      data.partitions.assign(indices.begin(), indices.end());
    }
  }
  co_return response;
}

}  // namespace kq::broker
