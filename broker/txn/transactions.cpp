#include "broker/txn/transactions.hpp"

#include "broker/broker.hpp"
#include "broker/cluster/topic_name.hpp"
#include "broker/producer_ids.hpp"

namespace kq::txn {

using broker::Broker;

Transactions::Transactions(Broker& broker)
    : broker_(broker),
      loop_(*broker.env.loops.front()),
      markers_(std::make_unique<LocalMarkers>(broker)),
      life_(std::make_shared<Life>(Life{this})),
      idle_(loop_.context()) {
  const broker::Config& config = broker.config;
  settings_.max_timeout_ms = config.transaction_max_timeout_ms;
  settings_.id_expiration_ms = config.transactional_id_expiration_ms;
  settings_.expiry_interval = std::chrono::milliseconds(config.transaction_remove_expired_transaction_cleanup_interval_ms);
  settings_.prepared = [this](int32_t index) { look_for_prepared(index); };
}

Transactions::~Transactions() = default;

std::unique_ptr<Transactions::Runtime> Transactions::make_runtime() {
  auto runtime = std::make_unique<Runtime>(coordinator::Runtime::Options{
      .topic = std::string(cluster::transactions_topic),
      .own_id = broker_.config.node_id,
      .make = [this](int32_t index) { return std::make_unique<TransactionCoordinator>(index, settings_); },
      .partitions = *broker_.partitions,
      .io = broker_.env.io,
      .timer_loop = loop_,
      .log = broker_.env.log});
  runtime_ = runtime.get();
  return runtime;
}

// ---- Requests --------------------------------------------------------------------------------------------------------------------

awaitable<Transactions::Initialized> Transactions::init_producer_id(Loop& loop, std::string_view transactional_id,
                                                                    int32_t timeout_ms,
                                                                    std::optional<ProducerIdAndEpoch> expected) {
  TransactionCoordinator::Init request{.transactional_id = transactional_id, .timeout_ms = timeout_ms, .expected = expected};
  for (;;) {
    TransactionCoordinator::InitAnswer answer;
    const Code code = co_await runtime_->run(loop, transactional_id, [&](auto& machine, const auto& now, auto& writes) {
      answer = machine.init(now, request, writes);
    });
    if (answer.end) co_await follow(loop, transactional_id, code, *answer.end);
    if (code != Code::none) co_return Initialized{code};
    if (!answer.wants_producer_id) co_return Initialized{answer.code, answer.producer};
    const auto id = co_await broker_.producer_ids->next(*broker_.controller, loop);
    if (!id) co_return Initialized{Code::coordinator_not_available};
    request.fresh_producer_id = *id;
  }
}

awaitable<Code> Transactions::add_partitions(Loop& loop, const Add& request) {
  Code decided = Code::none;
  const Code code = co_await runtime_->run(loop, request.transactional_id, [&](auto& machine, const auto& now, auto& writes) {
    decided = machine.add_partitions(now, request, writes);
  });
  co_return code == Code::none ? decided : code;
}

awaitable<Code> Transactions::verify_partitions(Loop& loop, const Add& request, Partitions& missing) {
  Code decided = Code::none;
  const Code code = co_await runtime_->run(loop, request.transactional_id, [&](auto& machine, const auto&, auto&) {
    decided = machine.verify_partitions(request, missing);
  });
  co_return code == Code::none ? decided : code;
}

awaitable<Transactions::Ended> Transactions::end(Loop& loop, TransactionCoordinator::End request) {
  for (;;) {
    TransactionCoordinator::EndAnswer answer;
    const Code code = co_await runtime_->run(loop, request.transactional_id, [&](auto& machine, const auto& now, auto& writes) {
      answer = machine.end(now, request, writes);
    });
    if (answer.end) co_await follow(loop, request.transactional_id, code, *answer.end);
    if (code != Code::none) co_return Ended{code};
    if (!answer.wants_producer_id) co_return Ended{answer.code, answer.producer};
    const auto id = co_await broker_.producer_ids->next(*broker_.controller, loop);
    if (!id) co_return Ended{Code::coordinator_not_available};
    request.fresh_producer_id = *id;
  }
}

awaitable<Transactions::Described> Transactions::describe(Loop& loop, std::string_view transactional_id) {
  Described described;
  const Code code = co_await runtime_->run(loop, transactional_id, [&](auto& machine, const auto&, auto&) {
    const Transaction* held = std::as_const(machine).find(transactional_id);
    described.code = held ? Code::none : Code::transactional_id_not_found;
    if (held) described.transaction = *held;
  });
  if (code != Code::none) described.code = code;
  co_return described;
}

awaitable<Code> Transactions::visit(Loop& loop, const std::function<void(const std::string&, const Transaction&)>& visit) {
  for (const int32_t index : runtime_->led()) {
    const Code code = co_await runtime_->at(loop, index, [&](auto& machine, const auto&, auto&) {
      for (const auto& [id, transaction] : machine.all()) visit(id, transaction);
    });
    if (code == Code::coordinator_load_in_progress) co_return code;
  }
  co_return Code::none;
}

// ---- Verification (KIP-890) ------------------------------------------------------------------------------------------------------

namespace {

// As AddPartitionsToTxnManager and ReplicaManager of Kafka 4.2 say it to a producer.  Older clients do not take the coordinator's own
// errors from a partition; NOT_ENOUGH_REPLICAS makes them come again without asking for metadata first.
Code told(Code code, const Transactions::Enlist& request) {
  switch (code) {
    case Code::producer_fenced: return Code::invalid_producer_epoch;
    case Code::transaction_abortable: return request.knows_abortable ? code : Code::invalid_txn_state;
    case Code::concurrent_transactions: return request.joins ? code : Code::not_enough_replicas;
    case Code::coordinator_load_in_progress:
    case Code::coordinator_not_available:
    case Code::not_coordinator: return Code::not_enough_replicas;
    default: return code;
  }
}

}  // namespace

awaitable<Code> Transactions::enlist(Loop& loop, const Enlist& request, Partitions& missing) {
  const Add add{.transactional_id = request.transactional_id,
                .producer = request.producer,
                .partitions = request.partitions,
                .client_version = epoch_bump_from};
  if (!request.joins) {
    const Code code = co_await verify_partitions(loop, add, missing);
    co_return told(code, request);
  }
  const auto pause = std::chrono::milliseconds(broker_.config.add_partitions_to_txn_retry_backoff_ms);
  const Instant wait_max = Clock::now() + std::chrono::milliseconds(broker_.config.add_partitions_to_txn_retry_backoff_max_ms);
  const Instant deadline = std::min(request.deadline, wait_max);
  for (;;) {
    const Code code = co_await add_partitions(loop, add);
    // The end of the transaction before this one is still under way.
    if (code != Code::concurrent_transactions || Clock::now() + pause > deadline) co_return told(code, request);
    co_await loop.sleep_until(Clock::now() + pause);
  }
}

// ---- What was decided ------------------------------------------------------------------------------------------------------------

int32_t Transactions::coordinator_epoch(int32_t index) const {
  const auto image = broker_.image();
  const cluster::TopicImage* topic = image->topic(runtime_->topic());
  const cluster::PartitionImage* partition = topic ? topic->partition(index) : nullptr;
  return partition ? partition->leader_epoch : 0;
}

// False: there is more to do.
awaitable<bool> Transactions::carry_out(Loop& loop, int32_t index, const PreparedEnd& end, Partitions& left, Instant deadline) {
  const auto outcome = co_await markers_->write(loop, end, coordinator_epoch(index), left, deadline);
  if (outcome == Markers::Outcome::fenced)
    broker_.env.log.error("transactions",
                          "another coordinator has ended transactions of " + end.transactional_id + ": this one leaves it");
  if (outcome != Markers::Outcome::done) co_return outcome == Markers::Outcome::fenced;
  const Code code = co_await runtime_->at(
      loop, index, [&](auto& machine, const auto& now, auto& writes) { machine.completed(now, end, writes); });
  co_return code == Code::none || code == Code::not_coordinator;
}

// Of a decision that was just made: `code` tells whether it is committed.  Partitions are told nothing before.
awaitable<void> Transactions::follow(Loop& loop, std::string_view transactional_id, Code code, const PreparedEnd& end) {
  const int32_t index = runtime_->partition_of(transactional_id);
  if (code != Code::none) {
    co_await runtime_->at(loop, index, [&](auto& machine, const auto&, auto&) { machine.given_up(end); });
    look_for_prepared(index);
    co_return;
  }
  Partitions left = end.partitions;
  const bool done = co_await carry_out(loop, index, end, left, Clock::now() + answer_wait_max);
  if (!done) finish_later(index, end, std::move(left));
}

template <class Call>
void Transactions::post(Call call) {
  loop_.post([life = life_, call = std::move(call)]() mutable {
    if (life->self) call(*life->self);
  });
}

void Transactions::finish_later(int32_t index, PreparedEnd end, Partitions left) {
  post([index, end = std::move(end), left = std::move(left)](Transactions& self) mutable {
    self.begin(self.finish(index, std::move(end), std::move(left)));
  });
}

awaitable<void> Transactions::finish(int32_t index, PreparedEnd end, Partitions left) {
  while (!stopped_) {
    const bool done = co_await carry_out(loop_, index, end, left, Clock::now() + retry_pause);
    if (done) co_return;
    co_await loop_.sleep_until(Clock::now() + retry_pause);
  }
}

void Transactions::look_for_prepared(int32_t index) {
  post([index](Transactions& self) { self.begin(self.take_prepared(index)); });
}

awaitable<void> Transactions::take_prepared(int32_t index) {
  std::vector<PreparedEnd> taken;
  while (!stopped_) {
    const Code code = co_await runtime_->at(loop_, index, [&](auto& machine, const auto&, auto&) {
      for (PreparedEnd& end : machine.take_prepared()) taken.push_back(std::move(end));
    });
    if (code == Code::none) break;
    if (code == Code::not_coordinator) co_return;
    co_await loop_.sleep_until(Clock::now() + retry_pause);
  }
  for (PreparedEnd& end : taken) {
    Partitions left = end.partitions;
    begin(finish(index, std::move(end), std::move(left)));
  }
}

void Transactions::begin(awaitable<void> work) {
  if (stopped_) return;
  ++running_;
  loop_.spawn(counted(std::move(work)));
}

awaitable<void> Transactions::counted(awaitable<void> work) {
  co_await std::move(work);
  if (--running_ == 0) idle_.notify();
}

awaitable<void> Transactions::stop() {
  stopped_ = true;
  while (running_ > 0) co_await idle_.wait();
  life_->self = nullptr;
}

}  // namespace kq::txn
