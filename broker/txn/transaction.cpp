#include "broker/txn/transaction.hpp"

#include "libkq/protocol/record_frame.hpp"

namespace kq::txn {
namespace {

constexpr const char* names[] = {"Empty",          "Ongoing",       "PrepareCommit", "PrepareAbort",
                                 "CompleteCommit", "CompleteAbort", "Dead",          "PrepareEpochFence"};

}  // namespace

const char* name_of(State state) { return names[static_cast<size_t>(state)]; }

std::optional<State> state_of(std::string_view name) {
  const auto found = std::ranges::find(names, name);
  if (found == std::end(names)) return std::nullopt;
  return static_cast<State>(found - std::begin(names));
}

std::optional<State> state_of(int8_t status) {
  if (status < 0 || static_cast<size_t>(status) >= std::size(names)) return std::nullopt;
  return static_cast<State>(status);
}

bool contains(const Partitions& all, const Partitions& some) {
  return std::ranges::all_of(some, [&](const auto& topic) {
    const auto held = all.find(topic.first);
    return held != all.end() && std::ranges::includes(held->second, topic.second);
  });
}

bool Transaction::operator==(const Transaction& other) const {
  const auto held = [](const Transaction& t) {
    return std::tie(t.producer_id, t.previous_producer_id, t.next_producer_id, t.producer_epoch, t.timeout_ms, t.state,
                    t.partitions, t.start_ms, t.update_ms, t.client_version);
  };
  return held(*this) == held(other);
}

std::optional<Transaction> read_transaction(Bytes bytes) {
  const auto frame = read_value_frame(bytes, TransactionLogKey::type);
  if (!frame || frame->version > TransactionLogValue::newest) return std::nullopt;
  const auto value = decode<TransactionLogValue>(frame->message, frame->version);
  if (!value) return std::nullopt;
  const auto state = state_of(value->transaction_status);
  if (!state) return std::nullopt;
  Transaction transaction;
  transaction.producer_id = value->producer_id;
  transaction.previous_producer_id = value->previous_producer_id;
  transaction.next_producer_id = value->next_producer_id;
  transaction.producer_epoch = value->producer_epoch;
  transaction.timeout_ms = value->transaction_timeout_ms;
  transaction.state = *state;
  if (value->transaction_partitions && *state != State::empty) {
    for (const auto& topic : *value->transaction_partitions)
      transaction.partitions[std::string(topic.topic)].insert(topic.partition_ids.begin(), topic.partition_ids.end());
  }
  transaction.start_ms = value->transaction_start_timestamp_ms;
  transaction.update_ms = value->transaction_last_update_timestamp_ms;
  transaction.client_version = value->client_transaction_version;
  return transaction;
}

void fill(const Transaction& transaction, TransactionLogValue& to) {
  to.producer_id = transaction.producer_id;
  to.previous_producer_id = transaction.previous_producer_id;
  to.next_producer_id = transaction.next_producer_id;
  to.producer_epoch = transaction.producer_epoch;
  to.transaction_timeout_ms = transaction.timeout_ms;
  to.transaction_status = static_cast<int8_t>(transaction.state);
  if (transaction.state == State::empty) {
    to.transaction_partitions.reset();
  } else {
    auto& topics = to.transaction_partitions.emplace();
    for (const auto& [topic, indices] : transaction.partitions) {
      auto& entry = topics.emplace_back();
      entry.topic = topic;
      entry.partition_ids.assign(indices.begin(), indices.end());
    }
  }
  to.transaction_last_update_timestamp_ms = transaction.update_ms;
  to.transaction_start_timestamp_ms = transaction.start_ms;
  to.client_transaction_version = transaction.client_version;
}

}  // namespace kq::txn
