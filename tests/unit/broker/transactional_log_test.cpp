// What transactions do to a partition as clients see it: the last stable offset, aborted ranges, markers, producers.
#include "libkq/protocol/messages/describe_producers.hpp"
#include "libkq/protocol/messages/list_offsets.hpp"
#include "libkq/protocol/messages/write_txn_markers.hpp"
#include "tests/unit/broker/bed.hpp"
#include "tests/unit/broker/records.hpp"
#include "tests/unit/cmocka.hpp"

using namespace kq;
using namespace kq::broker;

namespace {

struct Written {
  int64_t producer_id;
  int32_t sequence;
  std::vector<std::string> values;
};

// Markers are among the records, and their values are not text.
bool says(const std::string& fetched, const char* text) { return fetched.find(text) != std::string::npos; }

// A topic "t" of one partition, whose transactions somebody else coordinates.
struct Topic {
  explicit Topic(Bed& bed) : bed(bed), id(bed.create_topic("t")), client(bed.connect()) {}

  void write(const Written& written, int16_t epoch = 0) {
    auto batch = batch_of({.values = written.values,
                           .fields = {.producer_id = written.producer_id,
                                      .producer_epoch = epoch,
                                      .base_sequence = written.sequence,
                                      .transactional = true}});
    const auto partition = bed.broker->partitions->find(id, 0);
    assert_true(partition->open_now().ok());
    const auto appended = partition->append(batch, true, {});
    assert_true(appended.code == Code::none);
  }

  Code end(int64_t producer_id, bool commit, int16_t epoch = 0, int32_t coordinator_epoch = 0, int8_t version = 1) {
    WriteTxnMarkersRequest request;
    auto& marker = request.markers.emplace_back();
    marker.producer_id = producer_id;
    marker.producer_epoch = epoch;
    marker.transaction_result = commit;
    marker.coordinator_epoch = coordinator_epoch;
    marker.transaction_version = version;
    auto& topic = marker.topics.emplace_back();
    topic.name = "t";
    topic.partition_indexes = {0};
    return Code{client->ask(request).body.markers.at(0).topics.at(0).partitions.at(0).error_code};
  }

  // "records | aborted producer@first offset…, lso"
  std::string fetched(int8_t isolation, int64_t offset = 0) {
    FetchRequest request;
    request.isolation_level = isolation;
    request.max_bytes = 1 << 20;
    request.session_epoch = -1;
    auto& topic = request.topics.emplace_back();
    topic.topic_id = id;
    auto& partition = topic.partitions.emplace_back();
    partition.fetch_offset = offset;
    partition.partition_max_bytes = 1 << 20;
    const auto answer = client->ask(request);
    const auto& data = answer.body.responses.at(0).partitions.at(0);
    std::string text = data.records ? told(data.records->bytes) : "";
    text += " |";
    if (data.aborted_transactions)
      for (const auto& aborted : *data.aborted_transactions)
        text += " " + std::to_string(aborted.producer_id) + "@" + std::to_string(aborted.first_offset);
    return text + " lso " + std::to_string(data.last_stable_offset);
  }

  int64_t latest(int8_t isolation) {
    ListOffsetsRequest request;
    request.replica_id = -1;
    request.isolation_level = isolation;
    auto& topic = request.topics.emplace_back();
    topic.name = "t";
    topic.partitions.emplace_back().timestamp = -1;
    return client->ask(request).body.topics.at(0).partitions.at(0).offset;
  }

  Bed& bed;
  Uuid id;
  std::unique_ptr<Client> client;
};

void an_open_transaction_ends_what_committed_readers_see(void**) {
  Bed bed;
  Topic topic(bed);
  topic.write({7, 0, {"a", "b"}});
  topic.write({8, 0, {"c"}});
  assert_string_equal(topic.fetched(1).c_str(), " | lso 0");
  assert_string_equal(topic.fetched(0).c_str(), "0:a 1:b 2:c | lso 0");
  assert_int_equal(topic.latest(1), 0);
  assert_int_equal(topic.latest(0), 3);
  assert_true(topic.end(7, true) == Code::none);
  assert_int_equal(topic.latest(1), 2);
  assert_string_equal(topic.fetched(1).c_str(), "0:a 1:b | lso 2");
  assert_true(topic.end(8, true) == Code::none);
  assert_int_equal(topic.latest(1), 5);
}

void aborted_transactions_are_told_in_the_order_in_which_they_began(void**) {
  Bed bed;
  Topic topic(bed);
  topic.write({7, 0, {"a"}});
  topic.write({8, 0, {"b"}});
  assert_true(topic.end(8, false) == Code::none);
  assert_true(topic.end(7, false) == Code::none);
  const std::string all = topic.fetched(1);
  assert_true(says(all, "| 7@0 8@1 lso 4"));
  assert_true(says(topic.fetched(1, 3), "| 7@0 lso 4"));  // 8's marker is behind the reader
  assert_true(says(topic.fetched(0), "| lso 4"));
}

void both_outlive_a_kill(void**) {
  Bed bed;
  auto topic = std::make_unique<Topic>(bed);
  topic->write({7, 0, {"a"}});
  assert_true(topic->end(7, false) == Code::none);
  topic->write({8, 0, {"b"}});
  topic->client.reset();
  assert_true(bed.stop(false).ok());
  bed.start();
  topic->client = bed.connect();
  assert_true(says(topic->fetched(1), "| 7@0 lso 2"));
  assert_true(topic->end(8, true) == Code::none);
  assert_int_equal(topic->latest(1), 4);
}

void markers_of_older_coordinators_and_epochs_are_refused(void**) {
  Bed bed;
  Topic topic(bed);
  topic.write({7, 0, {"a"}}, 3);
  assert_true(topic.end(7, true, 2) == Code::invalid_producer_epoch);
  assert_true(topic.end(7, true, 3, 5) == Code::none);
  assert_true(topic.end(7, true, 3, 4) == Code::transaction_coordinator_fenced);
  topic.write({7, 1, {"b"}}, 3);
  assert_true(topic.end(7, true, 3, 5, 2) == Code::invalid_producer_epoch);  // of version 2: must raise it
  assert_true(topic.end(7, true, 4, 5, 2) == Code::none);
  assert_true(topic.end(7, true, 4, 5, 2) == Code::none);  // again
}

void producers_are_described(void**) {
  Bed bed;
  Topic topic(bed);
  topic.write({7, 0, {"a"}});
  topic.write({8, 0, {"b", "c"}}, 2);
  assert_true(topic.end(7, true, 0, 9) == Code::none);
  DescribeProducersRequest request;
  auto& asked = request.topics.emplace_back();
  asked.name = "t";
  asked.partition_indexes = {0, 1};
  const auto answer = topic.client->ask(request);
  const auto& partitions = answer.body.topics.at(0).partitions;
  assert_true(partitions.at(1).error_code == Code::unknown_topic_or_partition);
  assert_int_equal(partitions.at(0).active_producers.size(), 2);
  const auto& ended = partitions.at(0).active_producers.at(0);
  assert_int_equal(ended.producer_id, 7);
  assert_int_equal(ended.coordinator_epoch, 9);
  assert_int_equal(ended.current_txn_start_offset, -1);
  const auto& open = partitions.at(0).active_producers.at(1);
  assert_int_equal(open.producer_epoch, 2);
  assert_int_equal(open.last_sequence, 1);
  assert_int_equal(open.coordinator_epoch, -1);
  assert_int_equal(open.current_txn_start_offset, 1);
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {
      cmocka_unit_test(an_open_transaction_ends_what_committed_readers_see),
      cmocka_unit_test(aborted_transactions_are_told_in_the_order_in_which_they_began),
      cmocka_unit_test(both_outlive_a_kill),
      cmocka_unit_test(markers_of_older_coordinators_and_epochs_are_refused),
      cmocka_unit_test(producers_are_described),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
