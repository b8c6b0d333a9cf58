#include "libkq/client/transaction_engine.hpp"

#include "libkq/protocol/messages/add_offsets_to_txn.hpp"
#include "libkq/protocol/messages/add_partitions_to_txn.hpp"
#include "libkq/protocol/messages/end_txn.hpp"
#include "libkq/protocol/messages/init_producer_id.hpp"
#include "libkq/protocol/messages/txn_offset_commit.hpp"

namespace kq::client {
namespace {

// The newest versions that mean transactions of version 1 (KIP-890), and the newest of AddPartitionsToTxn that is for clients.
constexpr int16_t end_newest_v1 = 4, commit_offsets_newest_v1 = 4, add_partitions_newest = 3;

}  // namespace

TransactionEngine::TransactionEngine(std::shared_ptr<Cluster> cluster, TransactionHost& host, TransactionConfig config)
    : cluster_(std::move(cluster)), host_(&host), config_(std::move(config)), transaction_(config_.options),
      coordinator_(std::make_shared<Coordinator>(cluster_, config_.id, Coordinator::Kind::transaction)),
      timer_(cluster_->loop(), [this] { run(Transaction::Tick{}); }) {}

// ---- any thread -------------------------------------------------------------------------------------------------------------

uint64_t TransactionEngine::call(Operation what, std::shared_ptr<const TransactionOffsets> offsets) {
  uint64_t number = 0;
  {
    std::lock_guard hold(lock_);
    number = ++last_call_;
    Call& call = calls_.emplace(number, Call{what}).first->second;
    if (auto unclaimed = unclaimed_.extract(what)) {
      call.outcome = std::move(unclaimed.mapped());
      return number;
    }
  }
  cluster_->loop().post([self = shared_from_this(), what, offsets = std::move(offsets)] {
    self->run(Transaction::Asked{what, offsets});
  });
  return number;
}

std::optional<Status> TransactionEngine::outcome(uint64_t number) {
  std::lock_guard hold(lock_);
  const auto found = calls_.find(number);
  if (found == calls_.end() || !found->second.outcome) return std::nullopt;
  std::optional<Status> outcome = std::move(found->second.outcome);
  calls_.erase(found);
  return outcome;
}

void TransactionEngine::give_up(uint64_t number) {
  std::lock_guard hold(lock_);
  calls_.erase(number);
}

std::optional<Error> TransactionEngine::trouble() const {
  std::lock_guard hold(lock_);
  return trouble_;
}

// ---- the loop ---------------------------------------------------------------------------------------------------------------

void TransactionEngine::run(Transaction::Event event) {
  events_.push_back(std::move(event));
  if (std::exchange(running_, true)) return;           // a step is under way: what it brings about follows it
  while (!events_.empty()) {
    const Transaction::Event next = std::move(events_.front());
    events_.pop_front();
    const auto actions = transaction_.step(Clock::now(), next);
    const std::vector<Transaction::Action> kept(actions.begin(), actions.end());
    admit();
    for (const auto& action : kept)
      if (host_) std::visit([this](const auto& each) { act(each); }, action);
  }
  running_ = false;
  if (const auto deadline = transaction_.deadline(); deadline && host_) timer_.arm(*deadline);
  else timer_.disarm();
}

void TransactionEngine::admit() {
  {
    std::lock_guard hold(lock_);
    trouble_ = transaction_.trouble();
  }
  if (!host_) return;
  host_->admit(transaction_.trouble() ? Sending::aborting : transaction_.takes_records() ? Sending::sent : Sending::no_transaction);
}

void TransactionEngine::wrote() {
  if (!std::exchange(wrote_, true)) run(Transaction::Wrote{});
}

void TransactionEngine::act(const Transaction::Open& action) {
  version_2_ = action.version_2;
  wrote_ = false;
  {
    std::lock_guard hold(lock_);
    unclaimed_.clear();                                // nobody asks for those of the last transaction any more
  }
  host_->transaction_opened(!action.version_2);
}

void TransactionEngine::act(const Transaction::Done& action) {
  {
    std::lock_guard hold(lock_);
    bool claimed = false;
    for (auto& [number, call] : calls_) {
      if (call.what != action.what || call.outcome) continue;
      call.outcome = action.error ? Status(*action.error) : Status();
      claimed = true;
    }
    if (!claimed) unclaimed_.insert_or_assign(action.what, action.error ? Status(*action.error) : Status());
  }
  host_->transaction_told();
}

void TransactionEngine::stop() {
  host_ = nullptr;
  timer_.disarm();
  std::lock_guard hold(lock_);
  for (auto& [number, call] : calls_)
    if (!call.outcome) call.outcome = Status(Error(own_code::closed, "the producer is closed"));
}

// ---- requests ---------------------------------------------------------------------------------------------------------------

template <class Request>
awaitable<Result<Reply<typename Request::Response>>> TransactionEngine::ask(Self self, std::shared_ptr<Coordinator> coordinator,
                                                                           const Request& request, int16_t newest) {
  const Instant deadline = Clock::now() + self->config_.request_timeout;
  auto node = co_await coordinator->find(deadline);
  if (!node) co_return std::move(node.error());
  auto connection = co_await self->cluster_->connect(at_node(*node), Channel::control, deadline);
  if (connection) {
    const std::shared_ptr<Connection> held = *connection;
    self->run(Transaction::Version{held->apis().transaction_version()});
    auto reply = co_await held->request(request, deadline, newest);
    if (reply || !cluster_detail::may_help(reply.error())) co_return reply;
    connection = std::move(reply.error());
  }
  coordinator->lost(*node);
  const bool retry = cluster_detail::may_help(connection.error());
  co_return Error(connection.error().code(), connection.error().message(), retry ? Verdict::retry : Verdict::fatal);
}

std::shared_ptr<Coordinator> TransactionEngine::group_coordinator(const std::string& group_id) {
  auto& coordinator = group_coordinators_[group_id];
  if (!coordinator) coordinator = std::make_shared<Coordinator>(cluster_, group_id, Coordinator::Kind::group);
  return coordinator;
}

awaitable<void> TransactionEngine::init_id(Self self, Transaction::InitId action) {
  InitProducerIdRequest request;
  request.transactional_id = self->config_.id;
  request.transaction_timeout_ms = static_cast<int32_t>(to_ms(self->config_.timeout));
  request.producer_id = action.producer_id;
  request.producer_epoch = action.producer_epoch;
  const auto reply = co_await ask(self, self->coordinator_, request, InitProducerIdRequest::stable);
  if (!reply) co_return self->run(Transaction::Unanswered{reply.error()});
  const auto& response = reply->message;
  self->coordinator_->moved_by(response.error_code);
  Transaction::Answered answer;
  answer.code = response.error_code;
  answer.producer_id = response.producer_id;
  answer.producer_epoch = response.producer_epoch;
  self->answered(std::move(answer));
}

awaitable<void> TransactionEngine::add_partitions(Self self, Transaction::AddPartitions action) {
  AddPartitionsToTxnRequest request;
  request.v3_and_below_transactional_id = self->config_.id;
  request.v3_and_below_producer_id = action.producer_id;
  request.v3_and_below_producer_epoch = action.producer_epoch;
  for (const Lane* lane : action.lanes) {
    auto& topics = request.v3_and_below_topics;
    auto topic = std::find_if(topics.begin(), topics.end(), [&](const auto& each) { return each.name == *lane->topic; });
    if (topic == topics.end()) {
      topics.emplace_back().name = *lane->topic;
      topic = std::prev(topics.end());
    }
    topic->partitions.push_back(lane->partition);
  }
  const auto reply = co_await ask(self, self->coordinator_, request, add_partitions_newest);
  if (!reply) co_return self->run(Transaction::Unanswered{reply.error()});
  Transaction::Answered answer;
  answer.each.assign(action.lanes.size(), Code::unknown_server_error);
  for (const auto& topic : reply->message.results_by_topic_v3_and_below) {
    for (const auto& partition : topic.results_by_partition) {
      self->coordinator_->moved_by(partition.partition_error_code);
      for (size_t i = 0; i < action.lanes.size(); ++i)
        if (*action.lanes[i]->topic == topic.name && action.lanes[i]->partition == partition.partition_index)
          answer.each[i] = partition.partition_error_code;
    }
  }
  self->answered(std::move(answer));
}

awaitable<void> TransactionEngine::add_offsets(Self self, Transaction::AddOffsets action) {
  AddOffsetsToTxnRequest request;
  request.transactional_id = self->config_.id;
  request.producer_id = action.producer_id;
  request.producer_epoch = action.producer_epoch;
  request.group_id = action.group_id;
  const auto reply = co_await ask(self, self->coordinator_, request, AddOffsetsToTxnRequest::stable);
  if (!reply) co_return self->run(Transaction::Unanswered{reply.error()});
  self->coordinator_->moved_by(reply->message.error_code);
  Transaction::Answered answer;
  answer.code = reply->message.error_code;
  self->answered(std::move(answer));
}

awaitable<void> TransactionEngine::commit_offsets(Self self, Transaction::CommitOffsets action) {
  const TransactionOffsets& of = *action.offsets;
  TxnOffsetCommitRequest request;
  request.transactional_id = self->config_.id;
  request.group_id = of.group_id;
  request.producer_id = action.producer_id;
  request.producer_epoch = action.producer_epoch;
  request.generation_id = of.generation;
  request.member_id = of.member_id;
  if (of.instance_id) request.group_instance_id = *of.instance_id;
  for (const auto& offset : of.offsets) {
    auto topic = std::find_if(request.topics.begin(), request.topics.end(), [&](const auto& each) { return each.name == offset.topic; });
    if (topic == request.topics.end()) {
      request.topics.emplace_back().name = offset.topic;
      topic = std::prev(request.topics.end());
    }
    auto& partition = topic->partitions.emplace_back();
    partition.partition_index = offset.partition;
    partition.committed_offset = offset.offset;
    partition.committed_leader_epoch = offset.leader_epoch;
    partition.committed_metadata = offset.metadata;
  }
  const auto coordinator = self->group_coordinator(of.group_id);
  const int16_t newest = action.version_2 ? TxnOffsetCommitRequest::stable : commit_offsets_newest_v1;
  const auto reply = co_await ask(self, coordinator, request, newest);
  if (!reply) co_return self->run(Transaction::Unanswered{reply.error()});
  Transaction::Answered answer;
  for (const auto& topic : reply->message.topics) {
    for (const auto& partition : topic.partitions) {
      coordinator->moved_by(partition.error_code);
      answer.each.push_back(partition.error_code);
    }
  }
  self->answered(std::move(answer));
}

awaitable<void> TransactionEngine::end(Self self, Transaction::End action) {
  EndTxnRequest request;
  request.transactional_id = self->config_.id;
  request.producer_id = action.producer_id;
  request.producer_epoch = action.producer_epoch;
  request.committed = action.commit;
  const int16_t newest = action.version_2 ? EndTxnRequest::stable : end_newest_v1;
  const auto reply = co_await ask(self, self->coordinator_, request, newest);
  if (!reply) co_return self->run(Transaction::Unanswered{reply.error()});
  self->coordinator_->moved_by(reply->message.error_code);
  Transaction::Answered answer;
  answer.code = reply->message.error_code;
  answer.producer_id = reply->message.producer_id;
  answer.producer_epoch = reply->message.producer_epoch;
  self->answered(std::move(answer));
}

}  // namespace kq::client
