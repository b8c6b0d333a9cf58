// Retention, DeleteRecords and the removal of topics, through a whole broker in memory.
#include "broker/housekeeping.hpp"

#include "libkq/protocol/messages/delete_records.hpp"
#include "libkq/protocol/messages/delete_topics.hpp"
#include "libkq/protocol/messages/list_offsets.hpp"
#include "tests/unit/broker/bed.hpp"
#include "tests/unit/broker/records.hpp"
#include "tests/unit/cmocka.hpp"

using namespace kq;
using namespace kq::broker;

namespace {

constexpr const char* minute = "60000";
constexpr const char* hour = "3600000";

Settings often() { return {{"log.retention.check.interval.ms", minute}, {"log.initial.task.delay.ms", minute}}; }

void produce(Client& client, const Uuid& topic, const std::string& value, int32_t partition = 0) {
  const auto batch = batch_of({{value}});
  ProduceRequest request;
  request.acks = -1;
  request.timeout_ms = 30'000;
  auto& data = request.topic_data.emplace_back();
  data.topic_id = topic;
  auto& one = data.partition_data.emplace_back();
  one.index = partition;
  one.records = Records{.bytes = batch};
  const auto answer = client.ask(request);
  assert_int_equal(static_cast<int>(answer.body.responses.at(0).partition_responses.at(0).error_code), 0);
}

int64_t start_of(Client& client, const std::string& topic) {
  ListOffsetsRequest request;
  request.replica_id = -1;
  auto& asked = request.topics.emplace_back();
  asked.name = topic;
  auto& partition = asked.partitions.emplace_back();
  partition.partition_index = 0;
  partition.timestamp = -2;
  const auto answer = client.ask(request);
  return answer.body.topics.at(0).partitions.at(0).offset;
}

// "0" or a code's name, and the low watermark.
std::string delete_records(Client& client, const std::string& topic, int64_t offset, int32_t partition = 0, int16_t version = 2) {
  DeleteRecordsRequest request;
  request.timeout_ms = 30'000;
  auto& asked = request.topics.emplace_back();
  asked.name = topic;
  auto& one = asked.partitions.emplace_back();
  one.partition_index = partition;
  one.offset = offset;
  client.send(request, version);
  std::optional<Received<DeleteRecordsResponse>> answer;
  while (!answer) answer = client.receive<DeleteRecordsResponse>(version);
  const auto& result = answer->body.topics.at(0).partitions.at(0);
  return (result.error_code == Code::none ? "" : std::string(name_of(result.error_code)) + " ") + std::to_string(result.low_watermark);
}

size_t files_in(Bed& bed, const std::string& directory, std::string_view end) {
  size_t count = 0;
  const auto entries = bed.files.list(directory);
  for (const auto& entry : *entries) count += entry.name.ends_with(end);
  return count;
}

void what_is_too_old_goes_while_nobody_writes(void**) {
  Bed bed{often()};
  const Uuid topic = bed.create_topic("t", 1, {{"retention.ms", hour}});
  produce(*bed.connect(), topic, "old");
  bed.run_for(50min);
  assert_int_equal(start_of(*bed.connect(), "t"), 0);
  bed.run_for(12min);
  assert_int_equal(start_of(*bed.connect(), "t"), 1);
  assert_true(files_in(bed, "/data/t-0", ".deleted") <= 3);
  bed.run_for(3min);
  assert_int_equal(files_in(bed, "/data/t-0", ".deleted"), 0);
  produce(*bed.connect(), topic, "new");
}

void a_log_that_nobody_opened_is_opened_when_it_is_due(void**) {
  Bed bed{often()};
  const Uuid topic = bed.create_topic("t", 1, {{"retention.ms", hour}});
  produce(*bed.connect(), topic, "old");
  assert_true(bed.stop().ok());
  bed.start();
  bed.run_for(30min);
  const auto partition = bed.broker->partitions->find(topic, 0);
  assert_false(partition->is_open());
  const uint64_t operations = bed.files.operations();
  bed.run_for(20min);
  assert_int_equal(bed.files.operations(), operations);
  bed.run_for(15min);
  assert_true(partition->is_open());
  assert_int_equal(partition->offsets().start, 1);
}

void records_are_deleted_up_to_where_it_is_asked(void**) {
  Bed bed;
  const Uuid topic = bed.create_topic("t");
  auto client = bed.connect();
  for (int i = 0; i < 5; ++i) produce(*client, topic, "x");
  assert_string_equal(delete_records(*client, "t", 3).c_str(), "3");
  assert_string_equal(delete_records(*client, "t", 1, 0, 0).c_str(), "3");
  assert_string_equal(delete_records(*client, "t", 6, 0, 1).c_str(), "OFFSET_OUT_OF_RANGE -1");
  assert_string_equal(delete_records(*client, "t", -2).c_str(), "OFFSET_OUT_OF_RANGE -1");
  assert_string_equal(delete_records(*client, "t", -1).c_str(), "5");
  assert_string_equal(delete_records(*client, "t", 0, 7).c_str(), "UNKNOWN_TOPIC_OR_PARTITION -1");
  assert_string_equal(delete_records(*client, "none", 0).c_str(), "UNKNOWN_TOPIC_OR_PARTITION -1");
  assert_int_equal(start_of(*client, "t"), 5);
}

void deleted_records_stay_deleted_over_a_kill(void**) {
  Bed bed;
  const Uuid topic = bed.create_topic("t");
  auto client = bed.connect();
  for (int i = 0; i < 5; ++i) produce(*client, topic, "x");
  assert_string_equal(delete_records(*client, "t", 3).c_str(), "3");
  assert_true(bed.stop(false).ok());
  bed.files.restart();
  bed.start();
  assert_int_equal(start_of(*bed.connect(), "t"), 3);
}

void a_topic_that_is_only_compacted_keeps_its_records(void**) {
  Bed bed;
  bed.create_topic("compacted", 1, {{"cleanup.policy", "compact"}});
  bed.create_topic("both", 1, {{"cleanup.policy", "compact,delete"}});
  auto client = bed.connect();
  assert_string_equal(delete_records(*client, "compacted", 0).c_str(), "POLICY_VIOLATION -1");
  assert_string_equal(delete_records(*client, "both", 0).c_str(), "0");
}

void a_deleted_topic_leaves_the_disk_after_its_delay(void**) {
  Bed bed;
  const Uuid topic = bed.create_topic("t", 3);
  auto client = bed.connect();
  for (int32_t i = 0; i < 3; ++i) produce(*client, topic, "x", i);
  DeleteTopicsRequest request;
  request.timeout_ms = 30'000;
  auto& named = request.topics.emplace_back();
  named.name = "t";
  const auto answer = client->ask(request);
  assert_int_equal(static_cast<int>(answer.body.responses.at(0).error_code), 0);
  assert_false(bed.files.exists("/data/t-0"));
  assert_int_equal(files_in(bed, "/data", "-delete"), 3);
  const Uuid again = bed.create_topic("t", 3);
  produce(*client, again, "y");
  bed.run_for(2min);
  assert_int_equal(files_in(bed, "/data", "-delete"), 0);
  assert_true(bed.files.exists("/data/t-0"));
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {
      cmocka_unit_test(what_is_too_old_goes_while_nobody_writes),
      cmocka_unit_test(a_log_that_nobody_opened_is_opened_when_it_is_due),
      cmocka_unit_test(records_are_deleted_up_to_where_it_is_asked),
      cmocka_unit_test(deleted_records_stay_deleted_over_a_kill),
      cmocka_unit_test(a_topic_that_is_only_compacted_keeps_its_records),
      cmocka_unit_test(a_deleted_topic_leaves_the_disk_after_its_delay),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
