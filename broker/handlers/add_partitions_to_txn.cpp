// AddPartitionsToTxn, key 24, v0-5.  v2: PRODUCER_FENCED.  v3: flexible.  v4: several transactions, verification alone (KIP-890); from
// here on brokers ask, no clients.  v5: TRANSACTION_ABORTABLE.
#include <algorithm>

#include "broker/broker.hpp"
#include "broker/cluster/image.hpp"
#include "broker/handlers/handlers.hpp"
#include "broker/txn/transactions.hpp"

namespace kq::broker {
namespace {

using Topics = std::vector<AddPartitionsToTxnRequest::AddPartitionsToTxnTopic>;
using TopicAnswers = std::vector<AddPartitionsToTxnResponse::AddPartitionsToTxnTopicResult>;

constexpr int16_t fenced_from = 2, batched_from = 4;

struct Asked {
  std::string_view transactional_id;
  txn::ProducerIdAndEpoch producer;
  bool verify_only = false;
  const Topics& topics;
};

template <class CodeOf>  // Code(std::string_view topic, int32_t index)
void fill(TopicAnswers& answers, const Topics& topics, const CodeOf& code_of) {
  for (const auto& topic : topics) {
    auto& answer = answers.emplace_back();
    answer.name = topic.name;
    for (const int32_t index : topic.partitions) {
      auto& partition = answer.results_by_partition.emplace_back();
      partition.partition_index = index;
      partition.partition_error_code = code_of(topic.name, index);
    }
  }
}

awaitable<void> add(Broker& broker, Call& call, const Asked& asked, TopicAnswers& answers) {
  const auto exists = [&](std::string_view topic, int32_t index) {
    const cluster::TopicImage* image = call.image->topic(topic);
    return image && image->partition(index);
  };
  txn::Partitions partitions;
  bool all_there = true;
  for (const auto& topic : asked.topics) {
    auto& indices = partitions[std::string(topic.name)];
    for (const int32_t index : topic.partitions) {
      indices.insert(index);
      all_there = all_there && exists(topic.name, index);
    }
  }
  if (!all_there) {
    fill(answers, asked.topics, [&](std::string_view topic, int32_t index) {
      return exists(topic, index) ? Code::operation_not_attempted : Code::unknown_topic_or_partition;
    });
    co_return;
  }
  const txn::Transactions::Add request{.transactional_id = asked.transactional_id,
                                       .producer = asked.producer,
                                       .partitions = partitions,
                                       .client_version = call.version >= batched_from ? txn::epoch_bump_from : int16_t{0}};
  txn::Partitions missing;
  Code code = Code::none;
  if (asked.transactional_id.empty()) {
    code = Code::invalid_request;
  } else if (asked.verify_only) {
    code = co_await broker.transactions->verify_partitions(call.loop, request, missing);
  } else {
    code = co_await broker.transactions->add_partitions(call.loop, request);
  }
  if (code == Code::producer_fenced && call.version < fenced_from) code = Code::invalid_producer_epoch;
  fill(answers, asked.topics, [&](std::string_view topic, int32_t index) {
    if (missing.empty()) return code;
    const auto held = missing.find(topic);
    return held != missing.end() && held->second.contains(index) ? code : Code::none;
  });
}

}  // namespace

awaitable<AddPartitionsToTxnResponse> handle(Broker& broker, Call& call, const AddPartitionsToTxnRequest& request) {
  AddPartitionsToTxnResponse response;
  if (call.version < batched_from) {
    const Asked asked{.transactional_id = request.v3_and_below_transactional_id,
                      .producer = {request.v3_and_below_producer_id, request.v3_and_below_producer_epoch},
                      .topics = request.v3_and_below_topics};
    co_await add(broker, call, asked, response.results_by_topic_v3_and_below);
    co_return response;
  }
  for (const auto& transaction : request.transactions) {
    auto& answer = response.results_by_transaction.emplace_back();
    answer.transactional_id = transaction.transactional_id;
    const Asked asked{.transactional_id = transaction.transactional_id,
                      .producer = {transaction.producer_id, transaction.producer_epoch},
                      .verify_only = transaction.verify_only,
                      .topics = transaction.topics};
    co_await add(broker, call, asked, answer.topic_results);
  }
  co_return response;
}

}  // namespace kq::broker
