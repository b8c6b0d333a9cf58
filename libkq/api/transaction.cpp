// The transactional calls of kq.h.
#include "libkq/api/array.hpp"
#include "libkq/api/producer.hpp"
#include "libkq/client/transaction_engine.hpp"

using namespace kq;
using namespace kq::api;
using Operation = client::Transaction::Operation;

namespace {

const char* name_of(Operation what) {
  switch (what) {
    case Operation::begin: return "begin";
    case Operation::send_offsets: return "send_offsets";
    case Operation::commit: return "commit";
    case Operation::abort: return "abort";
  }
  return "";
}

// Asks, and waits for the outcome.  What is late goes on, and the same call again takes it up.
Status transact(kq_producer* producer, Operation what, Instant deadline, std::shared_ptr<const client::TransactionOffsets> offsets = nullptr) {
  client::TransactionEngine* const transaction = producer->producer->transaction();
  if (!transaction) return Error(own_code::config, "transactional.id is not set: this producer has no transactions");
  const uint64_t call = transaction->call(what, std::move(offsets));
  std::optional<Status> outcome;
  const bool ended = producer->driver()->wait(producer->producer->progress(), deadline, [&] {
    outcome = transaction->outcome(call);
    return outcome.has_value();
  });
  if (ended) return std::move(*outcome);
  transaction->give_up(call);
  return Error(own_code::timed_out, std::string(name_of(what)) + " has not ended in time: make the same call again", Verdict::retry);
}

Result<std::shared_ptr<client::TransactionOffsets>> read_offsets(const kq_topic_partition* offsets, size_t count, const kq_group_metadata* group) {
  auto read = std::make_shared<client::TransactionOffsets>();
  read->group_id = kq_group_metadata_group_id(group);
  read->member_id = kq_group_metadata_member_id(group);
  read->generation = kq_group_metadata_generation(group);
  if (const char* instance = kq_group_metadata_group_instance_id(group)) read->instance_id = instance;
  KQ_TRY_ASSIGN(const auto given, read_array(offsets, count, KQ_TOPIC_PARTITION_INIT));
  for (const kq_topic_partition& each : given) {
    if (!each.topic) return null_argument("topic");
    if (each.partition < 0 || each.offset < 0) return Error(own_code::argument, "there is no partition, or offset, below 0");
    read->offsets.push_back({each.topic, each.partition, each.offset, each.leader_epoch, each.metadata ? each.metadata : ""});
  }
  return read;
}

}  // namespace

void kq::api::abort_open_transaction(kq_producer* producer, Instant deadline) {
  if (producer->producer->transaction()) (void)transact(producer, Operation::abort, deadline);
}

kq_error* kq_producer_begin(kq_producer* producer, int32_t timeout_ms) {
  return guard_handle(producer, [&] { return transact(producer, Operation::begin, client::deadline_after(timeout_ms)); });
}

kq_error* kq_producer_send_offsets(kq_producer* producer, const kq_topic_partition* offsets, size_t offsets_len,
                                   const kq_group_metadata* group, int32_t timeout_ms) {
  return guard_handle(producer, [&]() -> Status {
    KQ_API_ARGUMENT(group);
    if (offsets_len == 0) return {};
    KQ_TRY_ASSIGN(auto read, read_offsets(offsets, offsets_len, group));
    return transact(producer, Operation::send_offsets, client::deadline_after(timeout_ms), std::move(read));
  });
}

kq_error* kq_producer_commit(kq_producer* producer, int32_t timeout_ms) {
  return guard_handle(producer, [&] { return transact(producer, Operation::commit, client::deadline_after(timeout_ms)); });
}

kq_error* kq_producer_abort(kq_producer* producer, int32_t timeout_ms) {
  return guard_handle(producer, [&] { return transact(producer, Operation::abort, client::deadline_after(timeout_ms)); });
}
