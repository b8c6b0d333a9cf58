// Operations on transactions: list, describe, abort, and fencing their producers.
#include "libkq/client/admin/leaders.hpp"
#include "libkq/client/coordinator.hpp"
#include "libkq/protocol/messages/describe_transactions.hpp"
#include "libkq/protocol/messages/init_producer_id.hpp"
#include "libkq/protocol/messages/list_transactions.hpp"
#include "libkq/protocol/messages/write_txn_markers.hpp"

namespace kq::client::admin {
namespace {

std::shared_ptr<Coordinator> coordinator_of(const std::shared_ptr<Cluster>& cluster, std::string_view transactional_id) {
  return std::make_shared<Coordinator>(cluster, std::string(transactional_id), Coordinator::Kind::transaction);
}

// ---- list_transactions ---------------------------------------------------------------------------------------------------------

void list(kq_rows& rows, const ListTransactionsResponse& response, int32_t node) {
  for (const auto& each : response.transaction_states)
    rows.add().set("transactional_id", each.transactional_id).set("state", each.transaction_state).set("producer_id", each.producer_id)
        .set("coordinator", node);
}

// Each broker tells of the transactions that it coordinates.
awaitable<Result<Rows>> tell_list_transactions(std::shared_ptr<Cluster> cluster, const Request& request, Instant deadline) {
  ListTransactionsRequest message;
  message.state_filters = request.strings("state");
  message.producer_id_filters = request.int64s("producer_id");
  message.duration_filter = request.int64("running_longer_ms");
  message.transactional_id_pattern = request.string_or_null("pattern");
  auto nodes = co_await all_brokers(cluster, deadline);
  if (!nodes) co_return std::move(nodes.error());
  Rows rows = make_rows(list_transactions);
  for (const int32_t node : *nodes) {
    auto reply = co_await cluster->request(at_node(node), message, deadline);
    if (!reply) co_return std::move(reply.error());
    if (reply->message.error_code != Code::none) co_return no_to("list_transactions", reply->message.error_code);
    if (const auto& unknown = reply->message.unknown_state_filters; !unknown.empty())
      co_return Error(own_code::argument, "list_transactions: the broker knows no state '" + std::string(unknown.front()) + "'");
    list(*rows, reply->message, node);
  }
  co_return rows;
}

// ---- describe_transactions -----------------------------------------------------------------------------------------------------

Code code_of_description(const DescribeTransactionsResponse& response) {
  return response.transaction_states.empty() ? Code::none : response.transaction_states.front().error_code;
}

void describe(kq_rows::Row& row, const DescribeTransactionsResponse::TransactionState& transaction) {
  row.set("state", transaction.transaction_state).set("producer_id", transaction.producer_id);
  row.set("producer_epoch", transaction.producer_epoch).set("timeout_ms", transaction.transaction_timeout_ms);
  if (transaction.transaction_start_time_ms >= 0) row.set("start_time", transaction.transaction_start_time_ms);
  kq_rows& partitions = row.nested("partitions");
  for (const auto& topic : transaction.topics)
    for (const int32_t partition : topic.partitions) partitions.add().set("topic", topic.topic).set("partition", partition);
}

awaitable<Result<Rows>> tell_describe_transactions(std::shared_ptr<Cluster> cluster, const Request& request, Instant deadline) {
  Rows rows = make_rows(describe_transactions);
  for (size_t item = 0; item < request.count(); ++item) {
    const std::string_view id = request.string(item, "transactional_id");
    auto& row = rows->add().set("transactional_id", id);
    const auto coordinator = coordinator_of(cluster, id);
    auto node = co_await coordinator->find(deadline);
    if (node) row.set("coordinator", *node);
    DescribeTransactionsRequest message;
    message.transactional_ids.push_back(id);
    auto reply = co_await coordinator->request(message, deadline, code_of_description);
    if (!reply) row.fail(std::move(reply.error()).in(id));
    else if (reply->message.transaction_states.empty()) row.fail(unmentioned(id));
    else if (const Code code = code_of_description(reply->message); code != Code::none) row.fail(no_to(id, code));
    else describe(row, reply->message.transaction_states.front());
  }
  co_return rows;
}

// ---- abort_transactions --------------------------------------------------------------------------------------------------------

struct Abort : AtLeader {
  int64_t producer_id = -1;
  int16_t producer_epoch = -1;
  int32_t coordinator_epoch = 0;
};

WriteTxnMarkersRequest message_for(const std::vector<Abort*>& aborts) {
  WriteTxnMarkersRequest message;
  for (const Abort* abort : aborts) {
    auto& marker = message.markers.emplace_back();
    marker.producer_id = abort->producer_id;
    marker.producer_epoch = abort->producer_epoch;
    marker.coordinator_epoch = abort->coordinator_epoch;
    marker.transaction_result = false;
    auto& topic = marker.topics.emplace_back();
    topic.name = abort->topic;
    topic.partition_indexes.push_back(abort->partition);
  }
  return message;
}

void take_abort(Abort& abort, const WriteTxnMarkersResponse& response) {
  for (const auto& marker : response.markers) {
    if (marker.producer_id != abort.producer_id) continue;
    for (const auto& topic : marker.topics) {
      if (topic.name != abort.topic) continue;
      for (const auto& answer : topic.partitions) {
        if (answer.partition_index != abort.partition) continue;
        abort.error.reset();
        if (answer.error_code != Code::none) abort.error = no_to(abort.name(), answer.error_code);
      }
    }
  }
}

awaitable<Result<Rows>> tell_abort_transactions(std::shared_ptr<Cluster> cluster, const Request& request, Instant deadline) {
  std::vector<Abort> aborts;
  for (size_t item = 0; item < request.count(); ++item)
    aborts.push_back({{std::string(request.string(item, "topic")), static_cast<int32_t>(request.int64(item, "partition"))},
                      request.int64(item, "producer_id"), static_cast<int16_t>(request.int64(item, "producer_epoch")),
                      static_cast<int32_t>(request.int64(item, "coordinator_epoch"))});
  const auto ask = [&](int32_t leader, const std::vector<Abort*>& asked) {
    return ask_leader(cluster, leader, message_for(asked), asked, take_abort, deadline);
  };
  co_await ask_leaders(cluster, aborts, ask, deadline);
  Rows rows = make_rows(abort_transactions);
  for (const Abort& abort : aborts) {
    auto& row = rows->add().set("topic", abort.topic).set("partition", abort.partition).set("producer_id", abort.producer_id);
    if (abort.error) row.fail(*abort.error);
  }
  co_return rows;
}

// ---- fence_producers -----------------------------------------------------------------------------------------------------------

// What a producer that starts with this transactional.id would do: the coordinator aborts what is open, and raises the epoch.  While it
// does, it says CONCURRENT_TRANSACTIONS, and is asked again.
Code code_of_fencing(const InitProducerIdResponse& response) { return response.error_code; }

awaitable<Result<Rows>> tell_fence_producers(std::shared_ptr<Cluster> cluster, const Request& request, Instant deadline) {
  Rows rows = make_rows(fence_producers);
  for (size_t item = 0; item < request.count(); ++item) {
    const std::string_view id = request.string(item, "transactional_id");
    auto& row = rows->add().set("transactional_id", id);
    InitProducerIdRequest message;
    message.transactional_id = id;
    message.transaction_timeout_ms = 1;              // it writes nothing, so that its own transaction need not live
    message.producer_id = -1;
    message.producer_epoch = -1;
    const auto coordinator = coordinator_of(cluster, id);
    auto reply = co_await coordinator->request(message, deadline, code_of_fencing);
    if (!reply) row.fail(std::move(reply.error()).in(id));
    else if (reply->message.error_code != Code::none) row.fail(no_to(id, reply->message.error_code));
    else row.set("producer_id", reply->message.producer_id).set("producer_epoch", reply->message.producer_epoch);
  }
  co_return rows;
}

// ---- tables --------------------------------------------------------------------------------------------------------------------

constexpr kq_field id_item = item("transactional_id", 's', "The producer's transactional.id.");
constexpr kq_field id_column = column("transactional_id", 's', "The producer's transactional.id.");
constexpr kq_field state_column =
    column("state", 's', "Empty, Ongoing, PrepareCommit, PrepareAbort, CompleteCommit, CompleteAbort, PrepareEpochFence or Dead.");
constexpr kq_field producer_id_column = column("producer_id", 'i', "The id that the coordinator has given it.");
constexpr kq_field coordinator_column = column("coordinator", 'i', "The broker that looks after it.");

constexpr kq_field list_transactions_in[] = {
    repeated(parameter("state", 's', "Only those in these states; none: in any.")),
    repeated(parameter("producer_id", 'i', "Only those of these producer ids; none: of any.")),
    parameter("running_longer_ms", 'i', "Only those that are open for longer; -1: all.", "-1"),
    nullable(parameter("pattern", 's', "Only ids that match this regular expression, as the broker has it.")),
};
constexpr kq_field list_transactions_out[] = {id_column, state_column, producer_id_column, coordinator_column};

constexpr kq_field describe_transactions_in[] = {id_item};
constexpr kq_field describe_transactions_out[] = {
    id_column, state_column, producer_id_column,
    column("producer_epoch", 'i', "Its epoch: who has a lower one is fenced."),
    column("timeout_ms", 'i', "After which the coordinator aborts an open one."),
    nullable(column("start_time", 'i', "Since when it is open, in ms since 1970; null: it is not.")), coordinator_column,
    column("partitions", 'r', "The partitions that are part of it."),
    column("partitions.topic", 's', "The topic's name."),
    column("partitions.partition", 'i', "The partition's number."),
};

constexpr kq_field abort_transactions_in[] = {
    item("topic", 's', "The topic's name."), item("partition", 'i', "The partition's number."),
    item("producer_id", 'i', "As describe_producers tells."), item("producer_epoch", 'i', "Likewise."),
    item("coordinator_epoch", 'i', "Likewise; 0 where it tells none.", "0"),
};
constexpr kq_field abort_transactions_out[] = {
    column("topic", 's', "As asked for."), column("partition", 'i', "As asked for."), column("producer_id", 'i', "As asked for."),
};

constexpr kq_field fence_producers_in[] = {id_item};
constexpr kq_field fence_producers_out[] = {
    id_column, nullable(column("producer_id", 'i', "The id that the next producer will have; null: it failed.")),
    nullable(column("producer_epoch", 'i', "The epoch below which all are fenced now.")),
};

}  // namespace

constinit const Operation list_transactions{"list_transactions", "Transactional ids, and what state they are in.", list_transactions_in,
                                            list_transactions_out, true, tell_list_transactions};
constinit const Operation describe_transactions{"describe_transactions", "Producers, times and partitions of transactions.",
                                                describe_transactions_in, describe_transactions_out, false, tell_describe_transactions};
constinit const Operation abort_transactions{"abort_transactions", "Writes an abort to a partition where a transaction hangs.",
                                             abort_transactions_in, abort_transactions_out, false, tell_abort_transactions};
constinit const Operation fence_producers{"fence_producers", "Shuts out the producers with these ids, and aborts what they have open.",
                                          fence_producers_in, fence_producers_out, false, tell_fence_producers};

}  // namespace kq::client::admin
