// What a transactional id stands for: its producer, and the transaction that this producer has open.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "libkq/base/clock.hpp"
#include "libkq/protocol/messages/txn_records.hpp"
#include "libkq/record/batch.hpp"

namespace kq::txn {

// As they stand in the log; names as DescribeTransactions tells them.
enum class State : int8_t {
  empty = 0,  // no transaction since the id was initialized
  ongoing = 1,
  prepare_commit = 2,  // decided; the partitions are being told
  prepare_abort = 3,
  complete_commit = 4,  // all of them know
  complete_abort = 5,
  dead = 6,  // these two are never written by 4.2
  prepare_epoch_fence = 7,
};
const char* name_of(State);
std::optional<State> state_of(std::string_view name);
std::optional<State> state_of(int8_t status);

constexpr bool preparing(State state) { return state == State::prepare_commit || state == State::prepare_abort; }
constexpr bool complete(State state) { return state == State::complete_commit || state == State::complete_abort; }

// Levels of the feature transaction.version, and what a client speaks.  2: every transaction has an epoch of its own (KIP-890).
constexpr int16_t flexible_records_from = 1, epoch_bump_from = 2;

// The last that a producer is given: one more is left, to fence it.
constexpr int16_t last_epoch = 32766;
constexpr bool exhausted(int16_t epoch) { return epoch >= last_epoch; }

using Partitions = std::map<std::string, std::set<int32_t>, std::less<>>;
bool contains(const Partitions& all, const Partitions& some);

struct Transaction {
  int64_t producer_id = no_producer_id;
  int64_t previous_producer_id = no_producer_id;  // unless -1: the one before, whose epochs were used up
  int64_t next_producer_id = no_producer_id;      // unless -1: takes over when the transaction is complete
  int16_t producer_epoch = no_producer_epoch;
  int32_t timeout_ms = 0;
  State state = State::empty;
  Partitions partitions;
  int64_t start_ms = -1;
  int64_t update_ms = -1;
  int16_t client_version = 0;  // of whoever wrote the state last

  // What the log does not hold.
  int16_t previous_epoch = no_producer_epoch;  // with which the producer may come again, not having heard the answer
  bool finishing = false;                      // somebody tells the partitions
  std::optional<Instant> deadline;             // of an ongoing transaction

  bool operator==(const Transaction&) const;  // by what the log holds
};

// Nothing: of a version or in a state that nobody knows.
std::optional<Transaction> read_transaction(Bytes value);
// `to` borrows from the transaction.
void fill(const Transaction&, TransactionLogValue& to);

}  // namespace kq::txn
