// Compaction through a whole broker in memory: when it begins, how fast it goes, what it leaves.
#include "broker/cleaner.hpp"

#include "tests/unit/broker/bed.hpp"
#include "tests/unit/broker/records.hpp"
#include "tests/unit/cmocka.hpp"

using namespace kq;
using namespace kq::broker;

namespace {

// A batch that fills a good part of a segment: every third begins a new one.
std::vector<std::byte> large(const std::string& key, char value) {
  OwnedBatchBuilder builder;
  const std::string text(400'000, value);
  builder.append(1'700'000'000'000, as_bytes(key), as_bytes(text));
  const Bytes sealed = builder.seal({});
  return {sealed.begin(), sealed.end()};
}

void produce(Client& client, const Uuid& topic, Bytes batch, Code wanted = Code::none) {
  ProduceRequest request;
  request.acks = -1;
  request.timeout_ms = 30'000;
  auto& data = request.topic_data.emplace_back();
  data.topic_id = topic;
  auto& one = data.partition_data.emplace_back();
  one.index = 0;
  one.records = Records{.bytes = batch};
  const auto answer = client.ask(request);
  assert_int_equal(static_cast<int>(answer.body.responses.at(0).partition_responses.at(0).error_code), static_cast<int>(wanted));
}

void fill(Bed& bed, const Uuid& topic) {
  auto client = bed.connect();
  for (const char value : {'a', 'b', 'c', 'd', 'e', 'f', 'g'}) produce(*client, topic, large("key", value));
}

// Offsets of what a consumer gets, with the first letter of each value.
std::string all(Bed& bed, const Uuid& topic) {
  auto client = bed.connect();
  std::string text;
  for (int64_t offset = 0;;) {
    FetchRequest request;
    request.max_bytes = 50 << 20;
    auto& asked = request.topics.emplace_back();
    asked.topic_id = topic;
    auto& partition = asked.partitions.emplace_back();
    partition.fetch_offset = offset;
    partition.partition_max_bytes = 50 << 20;
    const auto answer = client->ask(request);
    Bytes rest = answer.body.responses.empty() ? Bytes{} : answer.body.responses.at(0).partitions.at(0).records->bytes;
    if (rest.empty()) return text;
    BatchReader reader;
    Block block;
    for (BatchView batch; next_batch(rest, batch) == Step::batch; offset = batch.next_offset()) {
      assert_true(reader.open(batch, block).ok());
      for (RecordView record; reader.next(record);) text += std::to_string(record.offset) + static_cast<char>(record.value[0]) + " ";
    }
  }
}

const Settings compacted{{"cleanup.policy", "compact"}, {"segment.bytes", "1048576"}};

void a_compacted_topic_is_compacted(void**) {
  Bed bed;
  const Uuid topic = bed.create_topic("t", 1, compacted);
  fill(bed, topic);
  assert_string_equal(all(bed, topic).c_str(), "0a 1b 2c 3d 4e 5f 6g ");
  bed.run_for(1min);
  assert_string_equal(all(bed, topic).c_str(), "5f 6g ");
  const auto checkpoint = bed.files.open("/data/cleaner-offset-checkpoint", log::OpenMode::read);
  assert_true(checkpoint.ok());
}

void nothing_runs_where_nothing_is_compacted(void**) {
  Bed bed;
  const Uuid topic = bed.create_topic("t", 1, {{"segment.bytes", "1048576"}});
  fill(bed, topic);
  bed.run_for(5min);
  assert_string_equal(all(bed, topic).c_str(), "0a 1b 2c 3d 4e 5f 6g ");
  const uint64_t operations = bed.files.operations();
  bed.run_for(1h);
  assert_int_equal(bed.files.operations(), operations);
}

void what_was_dirty_before_a_start_is_cleaned_after_it(void**) {
  Bed bed;
  const Uuid topic = bed.create_topic("t", 1, compacted);
  fill(bed, topic);
  assert_true(bed.stop().ok());
  bed.start();
  bed.run_for(2min);
  assert_string_equal(all(bed, topic).c_str(), "5f 6g ");
}

void the_cleaner_keeps_to_its_speed(void**) {
  Bed bed{{{"log.cleaner.io.max.bytes.per.second", "10000"}}};
  const Uuid topic = bed.create_topic("t", 1, compacted);
  fill(bed, topic);
  bed.run_for(2min);
  assert_string_equal(all(bed, topic).c_str(), "0a 1b 2c 3d 4e 5f 6g ");       // 4.8 MB to be read: eight minutes
  bed.run_for(8min);
  assert_string_equal(all(bed, topic).c_str(), "5f 6g ");
}

void a_broker_that_stops_while_it_cleans_leaves_nothing_behind(void**) {
  Bed bed{{{"log.cleaner.io.max.bytes.per.second", "10000"}}};
  const Uuid topic = bed.create_topic("t", 1, compacted);
  fill(bed, topic);
  bed.run_for(5min);
  assert_true(bed.stop().ok());
  const auto entries = bed.files.list("/data/t-0");
  for (const auto& entry : *entries) assert_false(entry.name.ends_with(".cleaned"));
  bed.start();
  assert_string_equal(all(bed, topic).c_str(), "0a 1b 2c 3d 4e 5f 6g ");
}

void a_topic_that_becomes_compacted_is_looked_at(void**) {
  Bed bed;
  const Uuid topic = bed.create_topic("t", 1, {{"segment.bytes", "1048576"}});
  fill(bed, topic);
  bed.run_for(1min);
  const auto partition = bed.broker->partitions->find(topic, 0);
  auto config = std::make_shared<TopicConfig>(*partition->config());
  config->compact = true;
  partition->set_config(config);
  bed.run_for(1min);
  assert_string_equal(all(bed, topic).c_str(), "5f 6g ");
}

void a_damaged_log_is_left_as_it_is(void**) {
  Bed bed;
  const Uuid topic = bed.create_topic("t", 1, compacted);
  fill(bed, topic);
  const auto file = bed.files.open("/data/t-0/00000000000000000000.log", log::OpenMode::write);
  assert_true((*file)->write_at(1000, as_bytes("damage")).ok());
  bed.run_for(2min);
  auto client = bed.connect();
  produce(*client, topic, large("key", 'h'));              // it goes on, though
  const auto size = bed.files.size("/data/t-0/00000000000000000000.log");
  assert_true(*size > 400'000);
}

void keyless_records_are_refused(void**) {
  Bed bed;
  const Uuid topic = bed.create_topic("t", 1, compacted);
  OwnedBatchBuilder builder;
  builder.append(1'700'000'000'000, Bytes{}, as_bytes("value"));
  const Bytes sealed = builder.seal({});
  produce(*bed.connect(), topic, sealed, Code::invalid_record);
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {
      cmocka_unit_test(a_compacted_topic_is_compacted),
      cmocka_unit_test(nothing_runs_where_nothing_is_compacted),
      cmocka_unit_test(what_was_dirty_before_a_start_is_cleaned_after_it),
      cmocka_unit_test(the_cleaner_keeps_to_its_speed),
      cmocka_unit_test(a_broker_that_stops_while_it_cleans_leaves_nothing_behind),
      cmocka_unit_test(a_topic_that_becomes_compacted_is_looked_at),
      cmocka_unit_test(a_damaged_log_is_left_as_it_is),
      cmocka_unit_test(keyless_records_are_refused),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
