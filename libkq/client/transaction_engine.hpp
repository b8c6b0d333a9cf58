// The transactional part of a producer on the loop: carries out what Transaction decides.
#pragma once

#include <functional>
#include <map>
#include <mutex>

#include "libkq/client/accumulator.hpp"
#include "libkq/client/coordinator.hpp"
#include "libkq/client/transaction.hpp"

namespace kq::client {

struct TransactionConfig {
  std::string id;                                      // transactional.id
  Duration timeout{1min};                              // transaction.timeout.ms
  Duration request_timeout{30s};
  TransactionOptions options{};
};

// What the transaction wants of the rest of the producer.
class TransactionHost {
 public:
  virtual ~TransactionHost() = default;
  virtual void admit(Sending) = 0;                     // records, or why not
  virtual void transaction_opened(bool partitions_join) = 0;
  virtual void settle_transaction(bool commit) = 0;    // calls settled() then
  virtual void use_producer_id(int64_t id, int16_t epoch) = 0;
  virtual void partitions_joined(std::span<Lane* const> lanes) = 0;
  virtual void transaction_told() = 0;                 // outcomes are there
};

// Belongs to the loop's thread, apart from what is said to be for any; held by shared_ptr, as its coroutines hold it.
class TransactionEngine : public std::enable_shared_from_this<TransactionEngine> {
 public:
  using Operation = Transaction::Operation;

  TransactionEngine(std::shared_ptr<Cluster>, TransactionHost&, TransactionConfig);

  // ---- any thread ----
  // A call of the application: its number, under which the outcome is kept until it is taken or given up.  What is given up goes on all
  // the same, and its outcome is the next such call's.
  uint64_t call(Operation, std::shared_ptr<const TransactionOffsets> = nullptr);
  std::optional<Status> outcome(uint64_t call);
  void give_up(uint64_t call);
  // Why records are not taken: what has to be aborted, or is fatal.
  std::optional<Error> trouble() const;

  // ---- the loop ----
  void wants(Lane* lane) { run(Transaction::Wants{lane}); }
  void wrote();
  void batch_failed(const Error& why) { run(Transaction::BatchFailed{why}); }
  void settled() { run(Transaction::Settled{}); }
  void stop();                                         // the host is no more; calls end with own_code::closed
  const std::string& id() const { return config_.id; }
  bool version_2() const { return version_2_; }        // of the open transaction

 private:
  struct Call {
    Operation what;
    std::optional<Status> outcome{};
  };

  void run(Transaction::Event);
  void act(const Transaction::InitId& action) { cluster_->loop().spawn(init_id(shared_from_this(), action)); }
  void act(const Transaction::AddPartitions& action) { cluster_->loop().spawn(add_partitions(shared_from_this(), action)); }
  void act(const Transaction::AddOffsets& action) { cluster_->loop().spawn(add_offsets(shared_from_this(), action)); }
  void act(const Transaction::CommitOffsets& action) { cluster_->loop().spawn(commit_offsets(shared_from_this(), action)); }
  void act(const Transaction::End& action) { cluster_->loop().spawn(end(shared_from_this(), action)); }
  void act(const Transaction::Open&);
  void act(const Transaction::Settle& action) { host_->settle_transaction(action.commit); }
  void act(const Transaction::UseId& action) { host_->use_producer_id(action.id, action.epoch); }
  void act(const Transaction::Joined& action) { host_->partitions_joined(action.lanes); }
  void act(const Transaction::Done&);
  void admit();

  using Self = std::shared_ptr<TransactionEngine>;
  static awaitable<void> init_id(Self, Transaction::InitId);
  static awaitable<void> add_partitions(Self, Transaction::AddPartitions);
  static awaitable<void> add_offsets(Self, Transaction::AddOffsets);
  static awaitable<void> commit_offsets(Self, Transaction::CommitOffsets);
  static awaitable<void> end(Self, Transaction::End);
  // One attempt at a coordinator.  An error with Verdict::retry may go away.
  template <class Request>
  static awaitable<Result<Reply<typename Request::Response>>> ask(Self, std::shared_ptr<Coordinator>, const Request&, int16_t newest);
  static void look_after(Coordinator&, int32_t node, Code);
  void answered(Transaction::Answered answer) { run(std::move(answer)); }
  std::shared_ptr<Coordinator> group_coordinator(const std::string& group_id);

  const std::shared_ptr<Cluster> cluster_;
  TransactionHost* host_;
  const TransactionConfig config_;
  Transaction transaction_;
  const std::shared_ptr<Coordinator> coordinator_;
  std::map<std::string, std::shared_ptr<Coordinator>> group_coordinators_;
  std::deque<Transaction::Event> events_;              // to be stepped through
  bool running_ = false;
  bool version_2_ = false;
  bool wrote_ = false;                                 // told of in this transaction
  Timer timer_;

  mutable std::mutex lock_;                            // for the rest
  uint64_t last_call_ = 0;
  std::map<uint64_t, Call> calls_;
  std::map<Operation, Status> unclaimed_;
  std::optional<Error> trouble_;
};

}  // namespace kq::client
