// TxnOffsetCommit, key 28, v0-5.  v2: leader epoch.  v3: flexible; member and generation (KIP-447).  v4: TRANSACTION_ABORTABLE.  v5: the partition of
// __consumer_offsets joins the transaction by this alone (KIP-890).
#include "broker/handlers/group_request.hpp"
#include "broker/partitions.hpp"
#include "broker/txn/transactions.hpp"

namespace kq::broker {
namespace {

constexpr int16_t abortable_from = 4, transactions_v2_from = 5;
using Topic = TxnOffsetCommitRequest::TxnOffsetCommitRequestTopic;

// A topic of the request with the partitions that exist; the others are answered.
Topic existing(const Call& call, const Topic& asked, TxnOffsetCommitResponse::TxnOffsetCommitResponseTopic& answer) {
  const cluster::TopicImage* image = call.image->topic(asked.name);
  answer.name = asked.name;
  Topic topic;
  topic.name = asked.name;
  keep_existing(asked, image, Code::unknown_topic_or_partition, topic, answer);
  return topic;
}

// Makes sure that the transaction will end in this group's partition too (KIP-890).
awaitable<Code> enlist(Broker& broker, Call& call, const TxnOffsetCommitRequest& request, std::optional<uint64_t>& guard) {
  const bool joins = call.version >= transactions_v2_from;
  if (!joins && !broker.config.transaction_partition_verification_enable) co_return Code::none;
  const std::string& topic = broker.groups().topic();
  const int32_t index = broker.groups().partition_of(request.group_id);
  const cluster::TopicImage* image = call.image->topic(topic);
  const auto partition = image ? broker.partitions->find(image->id, index) : nullptr;
  if (!partition) co_return Code::not_coordinator;
  const Code opened = co_await partition->opened(call.loop);
  if (opened != Code::none) co_return coordinator::Runtime::told(opened);
  const log::VerificationRequest asking{.producer_id = request.producer_id,
                                        .epoch = request.producer_epoch,
                                        .base_sequence = no_sequence,
                                        .transactions_v2 = joins,
                                        .now_ms = wall_clock_ms()};
  const auto begun = partition->begin_verification(asking);
  if (begun.code != Code::none) co_return coordinator::Runtime::told(begun.code);
  guard = begun.guard;
  if (begun.guard == log::no_guard) co_return Code::none;  // the transaction is open here already
  const txn::Partitions partitions{{topic, {index}}};
  const txn::Transactions::Enlist enlisting{
      .transactional_id = request.transactional_id,
      .producer = {request.producer_id, request.producer_epoch},
      .partitions = partitions,
      .joins = joins,
      .knows_abortable = call.version >= abortable_from,
      .deadline = Clock::now() + std::chrono::milliseconds(broker.config.request_timeout_ms)};
  txn::Partitions missing;
  const Code code = co_await broker.transactions->enlist(call.loop, enlisting, missing);
  // A client that is told this tries again without looking for another coordinator.
  co_return code == Code::network_exception ? Code::coordinator_load_in_progress : coordinator::Runtime::told(code);
}

awaitable<Code> commit(Broker& broker, Call& call, const TxnOffsetCommitRequest& request, TxnOffsetCommitResponse& decided) {
  if (request.group_id.empty()) co_return Code::invalid_group_id;
  std::optional<uint64_t> guard;
  const Code enlisted = co_await enlist(broker, call, request, guard);
  if (enlisted != Code::none) co_return enlisted;
  Code refused = Code::none;
  const auto decide = [&](group::GroupShard& shard, const coordinator::Now& now, coordinator::Writes& writes) {
    refused = shard.offsets().commit(now, call.version, request, decided, writes);
    if (guard) writes.guarded(*guard);
  };
  const Code code = co_await broker.groups().run(call.loop, request.group_id, decide);
  co_return code != Code::none ? code : refused;
}

}  // namespace

awaitable<TxnOffsetCommitResponse> handle(Broker& broker, Call& call, const TxnOffsetCommitRequest& request) {
  TxnOffsetCommitResponse response, decided;
  TxnOffsetCommitRequest valid = request;
  valid.topics.clear();
  for (const Topic& asked : request.topics) {
    Topic topic = existing(call, asked, response.topics.emplace_back());
    if (!topic.partitions.empty()) valid.topics.push_back(std::move(topic));
  }
  if (valid.topics.empty()) co_return response;
  const Code of_all = co_await commit(broker, call, valid, decided);
  tell_outcome(response, of_all, decided);
  co_return response;
}

}  // namespace kq::broker
