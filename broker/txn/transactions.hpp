// The transactions that this broker coordinates, for its handlers: decisions go through the runtime, and what they decide is carried
// out.
#pragma once

#include <atomic>
#include <memory>
#include <string>

#include "broker/coordinator/runtime.hpp"
#include "broker/txn/coordinator.hpp"
#include "broker/txn/markers.hpp"

namespace kq::txn {

// One a broker.  Methods may be called on any loop and resume there.
class Transactions {
 public:
  using Runtime = coordinator::Coordinator<TransactionCoordinator>;
  using Add = TransactionCoordinator::Add;

  explicit Transactions(broker::Broker&);
  ~Transactions();
  Transactions(const Transactions&) = delete;

  // What follows the metadata; the broker's to keep, as long as this one lives.
  std::unique_ptr<Runtime> make_runtime();
  // Nothing is carried out any more: what was decided and not finished is in the log.  On the first loop, after connections have closed.
  awaitable<void> stop();

  struct Initialized {
    Code code = Code::none;
    ProducerIdAndEpoch producer{};
  };
  awaitable<Initialized> init_producer_id(Loop&, std::string_view transactional_id, int32_t timeout_ms,
                                          std::optional<ProducerIdAndEpoch> expected);
  awaitable<Code> add_partitions(Loop&, const Add&);
  // As TransactionCoordinator::verify_partitions.
  awaitable<Code> verify_partitions(Loop&, const Add&, Partitions& missing);

  struct Ended {
    Code code = Code::none;
    ProducerIdAndEpoch producer{};  // with which to go on, in version 2
  };
  // Answers once the decision is committed; as a rule the partitions have been told by then.
  awaitable<Ended> end(Loop&, TransactionCoordinator::End);

  struct Described {
    Code code = Code::none;
    Transaction transaction{};
  };
  awaitable<Described> describe(Loop&, std::string_view transactional_id);
  // Calls `visit` for every transaction that is coordinated here, or answers coordinator_load_in_progress.
  awaitable<Code> visit(Loop&, const std::function<void(const std::string& transactional_id, const Transaction&)>& visit);

  // Before the first batch of a transaction in a partition is appended (KIP-890).
  struct Enlist {
    std::string_view transactional_id;
    ProducerIdAndEpoch producer{};
    const Partitions& partitions;
    bool joins = false;            // the client is of version 2: the partitions join, else they have been added before
    bool knows_abortable = false;  // the client knows TRANSACTION_ABORTABLE
    Instant deadline{};
  };
  // none, or what the client is told for every partition, or for those that are `missing` if any are.
  awaitable<Code> enlist(Loop&, const Enlist&, Partitions& missing);

 private:
  static constexpr Duration retry_pause = 100ms;      // before a partition is told again
  static constexpr Duration answer_wait_max = 100ms;  // for markers, before an answer leaves all the same

  int32_t coordinator_epoch(int32_t index) const;
  awaitable<bool> carry_out(Loop&, int32_t index, const PreparedEnd&, Partitions& left, Instant deadline);
  awaitable<void> follow(Loop&, std::string_view transactional_id, Code, const PreparedEnd&);
  void finish_later(int32_t index, PreparedEnd, Partitions left);
  awaitable<void> finish(int32_t index, PreparedEnd, Partitions left);
  void look_for_prepared(int32_t index);
  awaitable<void> take_prepared(int32_t index);
  void begin(awaitable<void>);
  awaitable<void> counted(awaitable<void>);
  template <class Call>
  void post(Call call);

  broker::Broker& broker_;
  Loop& loop_;  // the first one, on which work goes on that nobody waits for
  Runtime* runtime_ = nullptr;
  std::unique_ptr<Markers> markers_;
  Settings settings_;
  struct Life {
    Transactions* self;  // null: stopped
  };
  // The first loop's.
  std::shared_ptr<Life> life_;  // calls that are posted hold it
  size_t running_ = 0;
  bool stopped_ = false;
  Signal idle_;
};

}  // namespace kq::txn
