// A transactional producer that speaks to a Bed frame by frame, and a reader of committed records.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "libkq/protocol/messages/add_partitions_to_txn.hpp"
#include "libkq/protocol/messages/end_txn.hpp"
#include "libkq/protocol/messages/find_coordinator.hpp"
#include "libkq/protocol/messages/init_producer_id.hpp"
#include "tests/unit/broker/bed.hpp"
#include "tests/unit/broker/records.hpp"

namespace kq::broker {

class TransactionalProducer {
 public:
  TransactionalProducer(Bed& bed, std::string id, Uuid topic, bool v2 = true)
      : bed_(bed), id_(std::move(id)), topic_(topic), v2_(v2) {
    connect();
  }

  void connect() { client_ = bed_.connect(); }
  Client& client() { return *client_; }

  Code find() {
    FindCoordinatorRequest request;
    request.key_type = 1;
    request.coordinator_keys = {id_};
    return client_->ask(request).body.coordinators.at(0).error_code;
  }
  // Goes on while another transaction of the id is being ended.
  Code init(bool patiently = true, int32_t timeout_ms = 60'000) {
    if (const Code found = find(); found != Code::none) return found;
    for (int attempt = 0;; ++attempt) {
      InitProducerIdRequest request;
      request.transactional_id = id_;
      request.transaction_timeout_ms = timeout_ms;
      const auto answer = client_->ask(request);
      const Code code = answer.body.error_code;
      if (patiently && attempt < 50 && (code == Code::concurrent_transactions || code == Code::coordinator_load_in_progress)) {
        bed_.run_for(100ms);
        continue;
      }
      if (code == Code::none) producer_id = answer.body.producer_id, epoch = answer.body.producer_epoch;
      sequences_.clear();
      joined_.clear();
      return code;
    }
  }
  Code add(int32_t partition) {
    AddPartitionsToTxnRequest request;
    request.v3_and_below_transactional_id = id_;
    request.v3_and_below_producer_id = producer_id;
    request.v3_and_below_producer_epoch = epoch;
    auto& topic = request.v3_and_below_topics.emplace_back();
    topic.name = "t";
    topic.partitions = {partition};
    const auto answer = client_->ask(request, 3);
    return answer.body.results_by_topic_v3_and_below.at(0).results_by_partition.at(0).partition_error_code;
  }
  Code write(int32_t partition, const std::string& value) {
    if (!v2_ && !joined_.contains(partition)) {
      if (const Code added = add(partition); added != Code::none) return added;
      joined_.insert(partition);
    }
    return produce(partition, value);
  }
  Code produce(int32_t partition, const std::string& value) {
    const auto batch = batch_of({.values = {value},
                                 .fields = {.producer_id = producer_id,
                                            .producer_epoch = epoch,
                                            .base_sequence = sequences_[partition],
                                            .transactional = true}});
    ProduceRequest request;
    request.transactional_id = id_;
    request.acks = -1;
    request.timeout_ms = 30'000;
    auto& data = request.topic_data.emplace_back();
    data.topic_id = topic_;
    data.name = "t";
    auto& one = data.partition_data.emplace_back();
    one.index = partition;
    one.records = Records{.bytes = batch};
    const auto answer = client_->ask(request, v2_ ? ProduceRequest::stable : int16_t{11});
    const Code code = answer.body.responses.at(0).partition_responses.at(0).error_code;
    if (code == Code::none) ++sequences_[partition];
    return code;
  }
  Code end(bool commit) {
    EndTxnRequest request;
    request.transactional_id = id_;
    request.producer_id = producer_id;
    request.producer_epoch = epoch;
    request.committed = commit;
    const auto answer = client_->ask(request, v2_ ? EndTxnRequest::stable : int16_t{4});
    const Code code = answer.body.error_code;
    joined_.clear();
    if (code == Code::none && v2_) {
      producer_id = answer.body.producer_id, epoch = answer.body.producer_epoch;
      sequences_.clear();
    }
    return code;
  }

  int64_t producer_id = -1;
  int16_t epoch = -1;

 private:
  Bed& bed_;
  const std::string id_;
  const Uuid topic_;
  const bool v2_;
  std::unique_ptr<Client> client_;
  std::map<int32_t, int32_t> sequences_;
  std::set<int32_t> joined_;
};

struct CommittedRead {
  std::vector<std::string> values;
  int64_t stable_offset = -1, high_watermark = -1;
};

// What a reader of committed records sees of a partition, and leaves out as Kafka's consumer does.
inline CommittedRead read_committed(Client& client, const Uuid& topic_id, int32_t index) {
  CommittedRead read;
  for (int64_t offset = 0;;) {
    FetchRequest request;
    request.isolation_level = 1;
    request.max_bytes = 1 << 20;
    request.session_epoch = -1;
    auto& topic = request.topics.emplace_back();
    topic.topic_id = topic_id;
    auto& partition = topic.partitions.emplace_back();
    partition.partition = index;
    partition.fetch_offset = offset;
    partition.partition_max_bytes = 1 << 20;
    const auto answer = client.ask(request);
    const auto& data = answer.body.responses.at(0).partitions.at(0);
    KQ_CHECK(data.error_code == Code::none);
    read.stable_offset = data.last_stable_offset;
    read.high_watermark = data.high_watermark;
    if (!data.records || data.records->bytes.empty()) return read;
    auto aborted = *data.aborted_transactions;
    std::set<int64_t> skipped;
    BatchReader reader;
    Block block;
    Bytes rest = data.records->bytes;
    for (BatchView batch; next_batch(rest, batch) == Step::batch;) {
      while (!aborted.empty() && aborted.front().first_offset <= batch.last_offset()) {
        skipped.insert(aborted.front().producer_id);
        aborted.erase(aborted.begin());
      }
      offset = batch.next_offset();
      KQ_CHECK(reader.open(batch, block));
      for (RecordView record; reader.next(record);) {
        if (batch.control()) {
          if (control_type(record.key) == static_cast<int16_t>(ControlType::abort)) skipped.erase(batch.producer_id());
        } else if (!batch.transactional() || !skipped.contains(batch.producer_id())) {
          read.values.emplace_back(as_text(record.value));
        }
      }
    }
  }
}

}  // namespace kq::broker
