// The transaction coordinator: what a partition of __transaction_state stands for, and every decision about it.
//
//   Empty → Ongoing → PrepareCommit → CompleteCommit → Ongoing …
//                   ↘ PrepareAbort  → CompleteAbort  ↗
//
// A decision to end a transaction is the record PrepareCommit or PrepareAbort.  Once that is committed, and not before, the partitions
// are told (markers.hpp); once all of them have committed their markers, the record CompleteX follows.  Whatever happens in between
// begins again with what the log says.
#pragma once

#include <functional>
#include <set>
#include <span>
#include <vector>

#include "broker/coordinator/state_machine.hpp"
#include "broker/txn/transaction.hpp"
#include "libkq/protocol/codes.hpp"

namespace kq::txn {

// A producer as a request names it.
struct ProducerIdAndEpoch {
  int64_t id = no_producer_id;
  int16_t epoch = no_producer_epoch;
};

// A transaction that was decided, and of which the partitions have to be told.
struct PreparedEnd {
  std::string transactional_id;
  ProducerIdAndEpoch producer;  // the markers'
  bool commit = false;
  bool transactions_v2 = false;
  Partitions partitions;
};

struct Settings {
  int32_t max_timeout_ms = 900'000;                  // transaction.max.timeout.ms
  int32_t id_expiration_ms = 604'800'000;            // transactional.id.expiration.ms
  Duration expiry_interval = std::chrono::hours(1);  // transaction.remove.expired.transaction.cleanup.interval.ms
  // Of what nobody waits for: a transaction that took too long, or that was found prepared in the log.  Under the runtime's lock.
  std::function<void(int32_t partition)> prepared = [](int32_t) {};
};

// Runs under the runtime (broker/coordinator): one method at a time, no I/O.  Requests look at the state and say what is to be written;
// the state changes by replay() alone.
class TransactionCoordinator final : public coordinator::StateMachine {
 public:
  using Now = coordinator::Now;
  using Writes = coordinator::Writes;

  TransactionCoordinator(int32_t partition, const Settings& settings) : partition_(partition), settings_(settings) {}

  struct Init {
    std::string_view transactional_id;
    int32_t timeout_ms = 0;
    std::optional<ProducerIdAndEpoch> expected{};  // KIP-360: the producer goes on
    std::optional<int64_t> fresh_producer_id{};    // unless none: for a new id, or one whose epochs are used up
  };
  struct InitAnswer {
    Code code = Code::none;
    ProducerIdAndEpoch producer{};
    bool wants_producer_id = false;    // nothing is decided: come again with a fresh id
    std::optional<PreparedEnd> end{};  // an open transaction had to be aborted; with concurrent_transactions
  };
  InitAnswer init(const Now&, const Init&, Writes&);

  struct Add {
    std::string_view transactional_id;
    ProducerIdAndEpoch producer{};
    const Partitions& partitions;
    int16_t client_version = 0;
  };
  Code add_partitions(const Now&, const Add&, Writes&);
  // none: they are in the transaction; transaction_abortable: `missing` are not.
  Code verify_partitions(const Add&, Partitions& missing) const;

  struct End {
    std::string_view transactional_id;
    ProducerIdAndEpoch producer{};
    bool commit = false;
    int16_t client_version = 0;
    std::optional<int64_t> fresh_producer_id{};  // as in Init
  };
  struct EndAnswer {
    Code code = Code::none;
    ProducerIdAndEpoch producer{};  // with which to go on
    bool wants_producer_id = false;
    std::optional<PreparedEnd> end{};  // none: it has ended before
  };
  EndAnswer end(const Now&, const End&, Writes&);

  // Ends that nobody has taken on yet; the caller does.
  std::vector<PreparedEnd> take_prepared();
  // Every partition has committed its marker.
  void completed(const Now&, const PreparedEnd&, Writes&);
  // Whoever took it on gave it up: it is there to be taken again.
  void given_up(const PreparedEnd&);

  const Transaction* find(std::string_view transactional_id) const;
  const std::map<std::string, Transaction, std::less<>>& all() const { return transactions_; }

  void replay(const coordinator::Record&) override;
  void loaded(const Now&, std::shared_ptr<const cluster::Image>) override;
  void metadata_changed(const Now&, std::shared_ptr<const cluster::Image> image, const cluster::Delta&) override {
    image_ = std::move(image);
  }
  std::optional<Instant> deadline() const override;
  void tick(const Now&, Writes&) override;

 private:
  Transaction* find(std::string_view transactional_id);
  int16_t server_version() const;
  void put(std::string_view transactional_id, const Transaction& next, Writes&) const;
  Code may_continue(const Transaction&, const ProducerIdAndEpoch& expected) const;
  InitAnswer next_epoch(const Now&, const Init&, const Transaction&, Writes&);
  PreparedEnd fence(const Now&, const std::string& transactional_id, const Transaction&, Writes&);
  EndAnswer end_v1(const Now&, const End&, const Transaction&, Writes&);
  EndAnswer end_v2(const Now&, const End&, const Transaction&, Writes&);
  EndAnswer prepare(const Now&, const End&, const Transaction&, Writes&);
  void watch(std::string_view transactional_id, Transaction&);
  void expire(const Now&, Writes&);

  const int32_t partition_;
  const Settings& settings_;
  std::shared_ptr<const cluster::Image> image_;
  std::map<std::string, Transaction, std::less<>> transactions_;
  std::set<std::string, std::less<>> prepared_;          // in a prepare state
  std::set<std::pair<Instant, std::string>> deadlines_;  // of ongoing transactions
  Now now_;                                              // of the decision whose records are replayed
  bool loaded_ = false;
  std::optional<Instant> next_expiry_;  // while there are ids
};

}  // namespace kq::txn
