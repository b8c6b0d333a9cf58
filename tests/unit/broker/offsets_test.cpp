// ListOffsets, OffsetForLeaderEpoch and InitProducerId through a whole broker in memory.
#include "libkq/protocol/messages/init_producer_id.hpp"
#include "libkq/protocol/messages/list_offsets.hpp"
#include "libkq/protocol/messages/offset_for_leader_epoch.hpp"
#include "tests/unit/broker/bed.hpp"
#include "tests/unit/broker/records.hpp"
#include "tests/unit/cmocka.hpp"

using namespace kq;
using namespace kq::broker;

namespace {

constexpr int64_t latest = -1, earliest = -2, largest_timestamp = -3, earliest_local = -4, latest_tiered = -5;

void produce(Client& client, const Uuid& topic, const BatchOf& batch) {
  const auto bytes = batch_of(batch);
  ProduceRequest request;
  request.acks = -1;
  request.timeout_ms = 1000;
  auto& data = request.topic_data.emplace_back();
  data.topic_id = topic;
  data.partition_data.emplace_back().records = Records{.bytes = bytes};
  const auto answer = client.ask(request);
  KQ_CHECK(answer.body.responses.at(0).partition_responses.at(0).error_code == Code::none);
}

// "code offset timestamp epoch" of the only partition.
std::string list(Client& client, std::string_view topic, int64_t timestamp, int16_t version = ListOffsetsRequest::stable,
                 int32_t current_leader_epoch = -1) {
  ListOffsetsRequest request;
  request.replica_id = -1;
  auto& asked_topic = request.topics.emplace_back();
  asked_topic.name = topic;
  auto& asked = asked_topic.partitions.emplace_back();
  asked.timestamp = timestamp;
  asked.current_leader_epoch = current_leader_epoch;
  const auto answer = client.ask(request, version);
  const auto& told = answer.body.topics.at(0).partitions.at(0);
  return std::string(name_of(told.error_code)) + " " + std::to_string(told.offset) + " " + std::to_string(told.timestamp) + " " +
         std::to_string(told.leader_epoch);
}

std::string end_of_epoch(Client& client, std::string_view topic, int32_t epoch, int32_t current_leader_epoch = -1) {
  OffsetForLeaderEpochRequest request;
  auto& asked_topic = request.topics.emplace_back();
  asked_topic.topic = topic;
  auto& asked = asked_topic.partitions.emplace_back();
  asked.leader_epoch = epoch;
  asked.current_leader_epoch = current_leader_epoch;
  const auto answer = client.ask(request);
  const auto& told = answer.body.topics.at(0).partitions.at(0);
  return std::string(name_of(told.error_code)) + " " + std::to_string(told.leader_epoch) + " " + std::to_string(told.end_offset);
}

}  // namespace

static void ends_and_times_are_found(void**) {
  Bed bed;
  const Uuid topic = bed.create_topic("t");
  auto client = bed.connect();
  assert_string_equal(list(*client, "t", largest_timestamp).c_str(), "NONE -1 -1 -1");
  produce(*client, topic, {{"a", "b"}});
  produce(*client, topic, {{"c"}});
  assert_string_equal(list(*client, "t", earliest).c_str(), "NONE 0 -1 0");
  assert_string_equal(list(*client, "t", earliest_local).c_str(), "NONE 0 -1 0");
  assert_string_equal(list(*client, "t", latest).c_str(), "NONE 3 -1 0");
  assert_string_equal(list(*client, "t", latest_tiered).c_str(), "NONE -1 -1 -1");
  assert_string_equal(list(*client, "t", 1'600'000'000'000).c_str(), "NONE 0 1700000000000 0");
  assert_string_equal(list(*client, "t", 1'700'000'000'001).c_str(), "NONE -1 -1 -1");
  assert_string_equal(list(*client, "t", largest_timestamp).c_str(), "NONE 0 1700000000000 0");
}

static void what_a_version_lacks_is_refused(void**) {
  Bed bed;
  bed.create_topic("t");
  auto client = bed.connect();
  assert_string_equal(list(*client, "t", largest_timestamp, 6).c_str(), "UNSUPPORTED_VERSION -1 -1 -1");
  assert_string_equal(list(*client, "t", latest_tiered, 8).c_str(), "UNSUPPORTED_VERSION -1 -1 -1");
  assert_string_equal(list(*client, "t", -7).c_str(), "UNSUPPORTED_VERSION -1 -1 -1");
  assert_string_equal(list(*client, "t", latest, 1).c_str(), "NONE 0 -1 -1");
}

static void who_believes_in_another_leader_is_told(void**) {
  Bed bed;
  bed.create_topic("t");
  auto client = bed.connect();
  assert_string_equal(list(*client, "t", latest, 11, 0).c_str(), "NONE 0 -1 0");
  assert_string_equal(list(*client, "t", latest, 11, 7).c_str(), "UNKNOWN_LEADER_EPOCH -1 -1 -1");
  assert_string_equal(list(*client, "nowhere", latest).c_str(), "UNKNOWN_TOPIC_OR_PARTITION -1 -1 -1");
  assert_string_equal(end_of_epoch(*client, "t", 0, 7).c_str(), "UNKNOWN_LEADER_EPOCH -1 -1");
}

static void epochs_end_where_the_next_begins(void**) {
  Bed bed;
  const Uuid topic = bed.create_topic("t");
  {
    auto client = bed.connect();
    produce(*client, topic, {{"a", "b"}});
    assert_string_equal(end_of_epoch(*client, "t", 0).c_str(), "NONE 0 2");
    assert_string_equal(end_of_epoch(*client, "t", 1).c_str(), "NONE -1 -1");
  }
  assert_true(bed.stop(false).ok());
  bed.files.restart();
  bed.start();                                    // after a crash every leadership begins anew
  auto client = bed.connect();
  assert_string_equal(list(*client, "t", latest, 11, 0).c_str(), "FENCED_LEADER_EPOCH -1 -1 -1");
  produce(*client, topic, {{"c"}});
  assert_string_equal(end_of_epoch(*client, "t", 0).c_str(), "NONE 0 2");
  assert_string_equal(end_of_epoch(*client, "t", 1).c_str(), "NONE 1 3");
}

static void producer_ids_are_never_given_twice(void**) {
  Bed bed;
  InitProducerIdRequest request;
  request.transactional_id = std::nullopt;
  std::vector<int64_t> ids;
  for (int life = 0; life < 2; ++life) {
    auto client = bed.connect();
    for (int i = 0; i < 3; ++i) {
      const auto answer = client->ask(request);
      assert_true(answer.body.error_code == Code::none);
      assert_int_equal(answer.body.producer_epoch, 0);
      ids.push_back(answer.body.producer_id);
    }
    client.reset();
    assert_true(bed.stop(life == 0).ok());
    bed.start();
  }
  std::ranges::sort(ids);
  assert_true(std::ranges::adjacent_find(ids) == ids.end());
}

int main() {
  const CMUnitTest tests[] = {
      cmocka_unit_test(ends_and_times_are_found),
      cmocka_unit_test(what_a_version_lacks_is_refused),
      cmocka_unit_test(who_believes_in_another_leader_is_told),
      cmocka_unit_test(epochs_end_where_the_next_begins),
      cmocka_unit_test(producer_ids_are_never_given_twice),
  };
  return cmocka_run_group_tests_name("broker.offsets", tests, nullptr, nullptr);
}
