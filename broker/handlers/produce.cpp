// Produce, key 0, v3-13 (listed from 0).  v3: transactional id.  v7: zstd.  v8: errors of records (KIP-467).  v9: flexible.
// v10: the leader's endpoints (KIP-951).  v12: transactions version 2.  v13: topic ids.
//
// A request takes effect, partition by partition, before the connection's next one begins; with acks=all the answer then waits for
// the commits, and later requests do not.
#include <algorithm>

#include "broker/broker.hpp"
#include "broker/handlers/handlers.hpp"
#include "broker/handlers/leader_hint.hpp"
#include "broker/partitions.hpp"
#include "broker/txn/transactions.hpp"
#include "broker/worker.hpp"

namespace kq::broker {
namespace {

using Asked = ProduceRequest::PartitionProduceData;
using Answer = ProduceResponse::PartitionProduceResponse;

constexpr int16_t topic_ids_from = 13, transactions_v2_from = 12, abortable_from = 11, leader_hints_from = 10, messages_from = 8;
constexpr int16_t acks_none = 0, acks_leader = 1, acks_all = -1;
constexpr std::string_view admin_client_id = "__admin_client";      // Kafka's own tools may write to internal topics

bool internal(std::string_view topic) {
  return topic == "__consumer_offsets" || topic == "__transaction_state" || topic == "__share_group_state";
}

// What an acks=all answer waits for.
struct Commit {
  std::shared_ptr<Partition> partition;
  int64_t offset;
  size_t topic, index;                            // of its answer
};

// What the transaction's coordinator says of a partition's batch.
struct Verified {
  Code code = Code::none;
  log::VerificationGuard guard = log::no_guard;
};

// The batch of one partition, as far as it can be told before it is validated; nothing: not of a transaction.
std::optional<BatchView> transactional_batch(const Asked& asked) {
  if (!asked.records || asked.records->bytes.size() < batch_header_size) return std::nullopt;
  const BatchView batch(asked.records->bytes.first(batch_header_size));
  if (batch.legacy() || !batch.transactional()) return std::nullopt;
  return batch;
}

class Produce {
 public:
  Produce(Broker& broker, Call& call, const ProduceRequest& request)
      : broker_(broker), call_(call), request_(request), deadline_(Clock::now() + std::chrono::milliseconds(std::max(request.timeout_ms, 0))) {}

  awaitable<ProduceResponse> run();

 private:
  bool transactional() const;
  awaitable<void> verify();
  awaitable<Verified> begin_verification(const cluster::TopicImage*, std::string_view name, const Asked&, const BatchView&);
  const cluster::TopicImage* topic_of(const ProduceRequest::TopicProduceData&) const;
  awaitable<void> produce(const cluster::TopicImage*, std::string_view name, const Asked&, const Verified&, Answer&);
  Code find(const cluster::TopicImage*, std::string_view name, const Asked&, std::shared_ptr<Partition>&) const;
  awaitable<Validation> validate(const TopicConfig&, Bytes records);
  void tell(Answer&, const Validation&);
  void tell(Answer&, Partition::Appended&, const TopicConfig&, const Validation&);
  void fail(Answer&, Code, std::string message = {});
  awaitable<void> await_commits();

  Broker& broker_;
  Call& call_;
  const ProduceRequest& request_;
  const Instant deadline_;
  ProduceResponse response_;
  Code refused_ = Code::none;                     // the request as a whole
  std::vector<Verified> verified_;                // of every partition, where any is of a transaction
  std::vector<Commit> commits_;
  Block rebuilt_;
  std::shared_ptr<Partition> partition_;          // the one that was last appended to
  int64_t committed_at_ = -1;                     // what acks=all awaits there
};

awaitable<ProduceResponse> Produce::run() {
  if (transactional()) co_await verify();
  size_t nth = 0;
  response_.responses.reserve(request_.topic_data.size());
  for (const auto& asked_topic : request_.topic_data) {
    const cluster::TopicImage* topic = topic_of(asked_topic);
    const std::string_view name = topic ? std::string_view(topic->name) : asked_topic.name;
    auto& topic_answer = response_.responses.emplace_back();
    topic_answer.name = asked_topic.name;
    topic_answer.topic_id = asked_topic.topic_id;
    topic_answer.partition_responses.reserve(asked_topic.partition_data.size());
    for (const Asked& asked : asked_topic.partition_data) {
      Answer& answer = topic_answer.partition_responses.emplace_back();
      answer.index = asked.index;
      answer.base_offset = -1;
      committed_at_ = -1;
      const Verified verified = nth < verified_.size() ? verified_[nth] : Verified{};      // a refused request has not come to all
      ++nth;
      co_await produce(topic, name, asked, verified, answer);
      if (tells_leader(answer.error_code) && call_.version >= leader_hints_from)
        add_leader_hint(call_, topic ? topic->partition(asked.index) : nullptr, answer.current_leader, response_.node_endpoints);
      if (request_.acks == acks_all && committed_at_ >= 0)
        commits_.push_back({std::move(partition_), committed_at_, response_.responses.size() - 1, topic_answer.partition_responses.size() - 1});
    }
  }
  call_.took_effect();
  if (request_.acks == acks_none) {
    call_.answer = false;
  } else {
    co_await await_commits();
  }
  co_return std::move(response_);
}

const cluster::TopicImage* Produce::topic_of(const ProduceRequest::TopicProduceData& asked) const {
  return call_.version >= topic_ids_from ? call_.image->topic(asked.topic_id) : call_.image->topic(asked.name);
}

bool Produce::transactional() const {
  return std::ranges::any_of(request_.topic_data, [](const auto& topic) {
    return std::ranges::any_of(topic.partition_data, [](const Asked& asked) { return transactional_batch(asked).has_value(); });
  });
}

// Asks the coordinator about the partitions in which the transaction has nothing yet (KIP-890).
awaitable<void> Produce::verify() {
  if (!request_.transactional_id) co_return void(refused_ = Code::transactional_id_authorization_failed);
  txn::Partitions wanted;
  std::optional<txn::ProducerIdAndEpoch> producer;
  for (const auto& asked_topic : request_.topic_data) {
    const cluster::TopicImage* topic = topic_of(asked_topic);
    for (const Asked& asked : asked_topic.partition_data) {
      Verified& verified = verified_.emplace_back();
      const auto batch = transactional_batch(asked);
      if (!batch || !batch->has_producer_id() || !topic) continue;
      if (producer && producer->id != batch->producer_id()) co_return void(refused_ = Code::invalid_producer_id_mapping);
      producer = {batch->producer_id(), batch->producer_epoch()};
      verified = co_await begin_verification(topic, topic->name, asked, *batch);
      if (verified.guard != log::no_guard) wanted[topic->name].insert(asked.index);
    }
  }
  if (wanted.empty()) co_return;
  const txn::Transactions::Enlist request{.transactional_id = *request_.transactional_id,
                                          .producer = *producer,
                                          .partitions = wanted,
                                          .joins = call_.version >= transactions_v2_from,
                                          .knows_abortable = call_.version >= abortable_from,
                                          .deadline = deadline_};
  txn::Partitions missing;
  const Code code = co_await broker_.transactions->enlist(call_.loop, request, missing);
  if (code == Code::none) co_return;
  size_t nth = 0;
  for (const auto& asked_topic : request_.topic_data) {
    const cluster::TopicImage* topic = topic_of(asked_topic);
    const auto held = topic ? missing.find(topic->name) : missing.end();
    for (const Asked& asked : asked_topic.partition_data) {
      Verified& verified = verified_[nth++];
      const bool concerned = missing.empty() || (held != missing.end() && held->second.contains(asked.index));
      if (verified.guard != log::no_guard && concerned) verified.code = code;
    }
  }
}

// A partition that refuses the batch anyhow says so when it comes to that.
awaitable<Verified> Produce::begin_verification(const cluster::TopicImage* topic, std::string_view name, const Asked& asked,
                                                const BatchView& batch) {
  const bool joins = call_.version >= transactions_v2_from;
  std::shared_ptr<Partition> partition;
  if (!joins && !broker_.config.transaction_partition_verification_enable) co_return Verified{};
  if (find(topic, name, asked, partition) != Code::none) co_return Verified{};
  const Code opened = co_await partition->opened(call_.loop);
  if (opened != Code::none) co_return Verified{};
  const auto begun = partition->begin_verification({.producer_id = batch.producer_id(),
                                                    .epoch = batch.producer_epoch(),
                                                    .base_sequence = batch.base_sequence(),
                                                    .transactions_v2 = joins,
                                                    .now_ms = wall_clock_ms()});
  co_return Verified{Code::none, begun.guard};
}

awaitable<void> Produce::produce(const cluster::TopicImage* topic, std::string_view name, const Asked& asked, const Verified& verified,
                                 Answer& answer) {
  if (refused_ != Code::none) co_return fail(answer, refused_);
  Code code = find(topic, name, asked, partition_);
  if (code == Code::none && !partition_->is_open()) code = co_await partition_->opened(call_.loop);
  if (code != Code::none) co_return fail(answer, code);
  if (verified.code != Code::none) co_return fail(answer, verified.code, "the transaction's coordinator has not confirmed this partition");
  if (!asked.records || asked.records->empty()) co_return fail(answer, Code::invalid_record, "there is no batch for this partition");
  const auto config = partition_->config();
  const auto validation = co_await validate(*config, asked.records->bytes);
  if (!validation.ok()) co_return tell(answer, validation);
  const log::AppendOptions how{.transactions_v2 = call_.version >= transactions_v2_from,
                               .verified_only = broker_.config.transaction_partition_verification_enable,
                               .guard = verified.guard};
  auto appended = partition_->append(validation.batch, request_.acks == acks_all, how);
  tell(answer, appended, *config, validation);
}

Code Produce::find(const cluster::TopicImage* topic, std::string_view name, const Asked& asked, std::shared_ptr<Partition>& partition) const {
  if (request_.acks != acks_none && request_.acks != acks_leader && request_.acks != acks_all) return Code::invalid_required_acks;
  if (internal(name) && call_.client_id != admin_client_id) return Code::invalid_topic_exception;
  if (!topic) return call_.version >= topic_ids_from ? Code::unknown_topic_id : Code::unknown_topic_or_partition;
  partition = broker_.partitions->find(topic->id, asked.index);
  if (partition) return Code::none;
  return topic->partition(asked.index) ? Code::not_leader_or_follower : Code::unknown_topic_or_partition;
}

BatchRules rules_of(const TopicConfig& config, bool validate_compressed) {
  BatchRules rules;
  rules.max_message_bytes = config.max_message_bytes;
  rules.message_timestamp_type = config.message_timestamp_type;
  rules.message_timestamp_before_max_ms = config.message_timestamp_before_max_ms;
  rules.message_timestamp_after_max_ms = config.message_timestamp_after_max_ms;
  rules.compression_type = config.compression_type;
  switch (config.compression_type.value_or(Codec::none)) {
    case Codec::gzip: rules.compression_level = config.compression_gzip_level; break;
    case Codec::lz4: rules.compression_level = config.compression_lz4_level; break;
    case Codec::zstd: rules.compression_level = config.compression_zstd_level; break;
    default: break;
  }
  rules.compacted = config.compact;
  rules.validate_compressed = validate_compressed;
  return rules;
}

// Here where it is quick; what decompresses much, or compresses anew, goes to the pool while the connection's next request waits.
awaitable<Validation> Produce::validate(const TopicConfig& config, Bytes records) {
  const BatchRules rules = rules_of(config, broker_.config.log_validate_compressed);
  const MutableBytes batch{const_cast<std::byte*>(records.data()), records.size()};      // the frame is this call's own
  const int64_t now_ms = wall_clock_ms();
  auto validation = call_.worker.validator.validate(batch, rules, call_.version, now_ms, rebuilt_, Effort::quick);
  if (validation.deferred) {
    co_await broker_.env.io.run(call_.loop, [&] {
      BatchValidator validator;
      validation = validator.validate(batch, rules, call_.version, now_ms, rebuilt_, Effort::full);
    });
  }
  co_return validation;
}

void Produce::fail(Answer& answer, Code code, std::string message) {
  answer.error_code = code;
  if (!message.empty() && call_.version >= messages_from) answer.error_message = call_.keep(std::move(message));
  if (request_.acks != acks_none || call_.close_after) return;
  call_.close_after = true;                       // the only way to tell a producer that wants no answers
  call_.close_reason = std::string("Produce with acks=0 failed: ") + name_of(code);
}

void Produce::tell(Answer& answer, const Validation& validation) {
  fail(answer, Code{validation.code}, validation.message);
  if (call_.version < messages_from) return;
  for (const RefusedRecord& refused : validation.refused) {
    auto& record = answer.record_errors.emplace_back();
    record.batch_index = refused.batch_index;
    record.batch_index_error_message = call_.keep(refused.message);
  }
}

void Produce::tell(Answer& answer, Partition::Appended& appended, const TopicConfig& config, const Validation& validation) {
  if (appended.code != Code::none) return fail(answer, appended.code, std::move(appended.message));
  answer.base_offset = appended.first_offset;
  answer.log_start_offset = appended.log_start_offset;
  if (appended.duplicate) answer.log_append_time_ms = appended.timestamp;
  else if (config.message_timestamp_type == TimestampType::log_append) answer.log_append_time_ms = validation.max_timestamp;
  committed_at_ = appended.end_offset;
}

awaitable<void> Produce::await_commits() {
  for (const Commit& commit : commits_) {
    const Code code = co_await commit.partition->committed(call_.loop, commit.offset, deadline_);
    if (code == Code::none) continue;
    Answer& answer = response_.responses[commit.topic].partition_responses[commit.index];
    answer.error_code = code;
    answer.base_offset = answer.log_append_time_ms = answer.log_start_offset = -1;
  }
}

}  // namespace

awaitable<ProduceResponse> handle(Broker& broker, Call& call, const ProduceRequest& request) {
  Produce produce(broker, call, request);
  auto response = co_await produce.run();
  co_return response;
}

}  // namespace kq::broker
