#include "broker/cluster/image.hpp"

#include <fstream>
#include <iterator>
#include <map>
#include <string>

#include "broker/cluster/record_versions.hpp"
#include "libkq/protocol/record_frame.hpp"
#include "libkq/record/batch_reader.hpp"
#include "tests/unit/cmocka.hpp"
#include "tests/vectors.hpp"

using namespace kq;
using namespace kq::cluster;

namespace {

template <class Record>
std::vector<std::byte> bytes_of(const Record& record, int16_t version = 0) {
  std::vector<std::byte> bytes;
  KQ_CHECK(write_metadata_record(record, version, bytes));
  return bytes;
}

Uuid id_of(uint8_t number) {
  Uuid id;
  id.bytes[0] = std::byte{0xaa};
  id.bytes[15] = std::byte{number};
  return id;
}

std::vector<std::byte> topic(uint8_t id, std::string_view name) {
  TopicRecord record;
  record.topic_id = id_of(id);
  record.name = name;
  return bytes_of(record);
}

std::vector<std::byte> partition(uint8_t topic, int32_t index) {
  PartitionRecord record;
  record.topic_id = id_of(topic);
  record.partition_id = index;
  record.replicas = record.isr = {1};
  record.directories = {id_of(99)};
  record.leader = 1;
  record.leader_epoch = record.partition_epoch = 0;
  return bytes_of(record, 2);
}

std::vector<std::byte> config(std::string_view topic, std::string_view name, std::optional<std::string_view> value) {
  ConfigRecord record;
  record.resource_type = 2;
  record.resource_name = topic;
  record.name = name;
  record.value = value;
  return bytes_of(record);
}

std::vector<std::byte> remove(uint8_t topic) {
  RemoveTopicRecord record;
  record.topic_id = id_of(topic);
  return bytes_of(record);
}

using Change = std::pair<std::shared_ptr<const Image>, Delta>;

Change apply(std::shared_ptr<const Image> base, const std::vector<std::vector<std::byte>>& records) {
  Draft draft(std::move(base));
  for (const auto& record : records) KQ_CHECK(draft.replay(record).ok());
  return draft.finish(static_cast<int64_t>(records.size()) - 1, 1);
}

std::shared_ptr<const Image> nothing() { return std::make_shared<Image>(); }

// Everything that an image holds, as text that can be compared: its snapshot in an order of its own.
std::multimap<std::string, int> content(const Image& image) {
  std::multimap<std::string, int> records;
  for_each_record(image, [&](Bytes record) { records.emplace(std::string(as_text(record)), 0); });
  return records;
}

std::string read_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

// A metadata log as Kafka wrote it.
Change replay_log(const std::string& path) {
  const std::string text = read_file(path);
  KQ_CHECK(!text.empty());
  Draft draft(nothing());
  BatchReader reader;
  Block block;
  Bytes rest = as_bytes(text);
  int64_t last = -1;
  for (BatchView batch; next_batch(rest, batch) == Step::batch;) {
    last = batch.last_offset();
    if (batch.control()) continue;
    KQ_CHECK(reader.open(batch, block).ok());
    for (RecordView record; reader.next(record);) {
      const Status status = draft.replay(record.value);
      if (!status) fail_msg("offset %lld: %s", static_cast<long long>(record.offset), status.error().message().c_str());
    }
    KQ_CHECK(reader.status().ok());
  }
  return draft.finish(last, 2);
}

}  // namespace

static void a_topic_comes_with_its_partitions_and_settings(void**) {
  const auto [image, delta] = apply(nothing(), {topic(1, "a"), partition(1, 0), partition(1, 1), config("a", "retention.ms", "5")});
  assert_int_equal(image->topic("a")->partitions.size(), 2);
  assert_ptr_equal(image->topic("a"), image->topic(id_of(1)));
  assert_int_equal(image->topic("a")->partition(1)->leader, 1);
  assert_null(image->topic("a")->partition(2));
  assert_string_equal(image->config(ResourceType::topic, "a").at("retention.ms").c_str(), "5");
  assert_int_equal(delta.topics.size(), 1);
  assert_ptr_equal(delta.topics[0].before.get(), nullptr);
  assert_ptr_equal(delta.topics[0].after.get(), image->topic("a"));
  assert_int_equal(delta.configs.size(), 1);
}

static void an_image_never_changes_once_it_is_out(void**) {
  const auto first = apply(nothing(), {topic(1, "a"), partition(1, 0), topic(2, "b"), partition(2, 0)}).first;
  const TopicImage* const untouched = first->topic("b");
  PartitionChangeRecord change;
  change.topic_id = id_of(1);
  change.partition_id = 0;
  change.leader = -1;
  change.isr = std::vector<int32_t>{};
  change.eligible_leader_replicas = std::vector<int32_t>{1};
  const auto [second, delta] = apply(first, {bytes_of(change, 2), config("a", "retention.ms", "7")});
  assert_int_equal(first->topic("a")->partition(0)->leader, 1);
  assert_int_equal(second->topic("a")->partition(0)->leader, no_leader);
  assert_int_equal(second->topic("a")->partition(0)->leader_epoch, 1);
  assert_int_equal(second->topic("a")->partition(0)->partition_epoch, 1);
  assert_int_equal(second->topic("a")->partition(0)->eligible_leader_replicas.size(), 1);
  assert_ptr_equal(second->topic("b"), untouched);
  assert_true(first->config(ResourceType::topic, "a").empty());
  assert_int_equal(delta.topics.size(), 1);
  assert_ptr_equal(delta.topics[0].before.get(), first->topic("a"));
}

static void a_deleted_topic_takes_its_settings_along(void**) {
  const auto first = apply(nothing(), {topic(1, "a"), partition(1, 0), config("a", "retention.ms", "5")}).first;
  const auto [second, delta] = apply(first, {remove(1), topic(2, "a"), partition(2, 0)});
  assert_int_equal(second->topics.size(), 1);
  assert_true(second->topic("a")->id == id_of(2));
  assert_null(second->topic(id_of(1)));
  assert_true(second->config(ResourceType::topic, "a").empty());
  assert_int_equal(delta.topics.size(), 2);
  assert_ptr_equal(delta.topics[0].after.get(), nullptr);
  assert_ptr_equal(delta.topics[1].before.get(), nullptr);
}

static void what_came_and_went_in_one_draft_is_no_change(void**) {
  const auto delta = apply(nothing(), {topic(1, "a"), remove(1)}).second;
  assert_true(delta.topics.empty());
}

static void records_of_a_transaction_count_when_it_ends(void**) {
  const auto begin = bytes_of(BeginTransactionRecord{}), end = bytes_of(EndTransactionRecord{}), abort = bytes_of(AbortTransactionRecord{});
  Draft draft(nothing());
  assert_true(draft.replay(begin).ok());
  assert_true(draft.replay(topic(1, "a")).ok());
  assert_true(draft.in_transaction());
  assert_true(draft.image().topics.empty());
  assert_true(draft.replay(abort).ok());
  assert_true(draft.replay(begin).ok());
  assert_true(draft.replay(topic(2, "b")).ok());
  assert_true(draft.replay(end).ok());
  assert_false(draft.in_transaction());
  assert_null(draft.image().topic("a"));
  assert_non_null(draft.image().topic("b"));
  assert_false(draft.replay(end).ok());
}

static void a_log_that_contradicts_itself_is_an_error(void**) {
  const auto fails = [](const std::vector<std::vector<std::byte>>& records) {
    Draft draft(nothing());
    for (size_t i = 0; i + 1 < records.size(); ++i) KQ_CHECK(draft.replay(records[i]).ok());
    return !draft.replay(records.back()).ok();
  };
  assert_true(fails({partition(1, 0)}));
  assert_true(fails({remove(1)}));
  assert_true(fails({topic(1, "a"), topic(1, "b")}));
  assert_true(fails({topic(1, "a"), topic(2, "a")}));
  assert_true(fails({topic(1, "a"), partition(1, 2'000'000)}));
  assert_true(fails({{}}));
  assert_true(fails({{std::byte{1}, std::byte{99}, std::byte{0}}}));
  auto torn = topic(1, "a");
  torn.resize(torn.size() - 5);
  assert_true(fails({torn}));
}

static void the_log_that_kafka_wrote_is_understood(void**) {
  const auto [image, delta] = replay_log(vectors_path("logs/clean/__cluster_metadata-0/00000000000000000000.log"));
  assert_int_equal(image->offset, 160);
  assert_int_equal(image->feature("metadata.version"), 29);
  assert_int_equal(image->feature("transaction.version"), 2);
  assert_int_equal(image->brokers.size(), 1);
  assert_int_equal(image->broker(1)->epoch, 108);
  assert_true(image->broker(1)->fenced);
  assert_true(image->broker(1)->in_controlled_shutdown);
  assert_string_equal(image->broker(1)->endpoint("PLAINTEXT")->host.c_str(), "127.0.0.1");
  assert_int_equal(image->controllers.at(1)->endpoints.size(), 1);
  assert_int_equal(image->topic("group-input")->partitions.size(), 4);
  assert_int_equal(image->topic("plain")->partition(0)->leader, no_leader);
  assert_int_equal(image->topic("plain")->partition(0)->eligible_leader_replicas.size(), 1);
  assert_string_equal(image->config(ResourceType::topic, "plain").at("retention.ms").c_str(), "-1");
  assert_string_equal(image->config(ResourceType::broker, "").at("min.insync.replicas").c_str(), "1");
  assert_string_equal(image->config(ResourceType::group, "group-share").at("share.auto.offset.reset").c_str(), "earliest");
  assert_int_equal(image->next_producer_id, 2000);
  assert_int_equal(image->scram_credentials.size(), 1);
  assert_int_equal(image->client_quotas.size(), 1);
  assert_null(image->topic(*Uuid::parse("N5Wy2msaTnWD3Y1hgHSnzQ")));
}

static void a_snapshot_of_an_image_gives_the_same_image(void**) {
  const auto image = replay_log(vectors_path("logs/clean/__cluster_metadata-0/00000000000000000000.log")).first;
  Draft draft(nothing());
  for_each_record(*image, [&](Bytes record) { KQ_CHECK(draft.replay(record).ok()); });
  const auto again = draft.finish(image->offset, image->epoch).first;
  assert_true(content(*image) == content(*again));
  assert_true(content(*image).size() > 50);
}

int main() {
  const CMUnitTest tests[] = {
      cmocka_unit_test(a_topic_comes_with_its_partitions_and_settings),
      cmocka_unit_test(an_image_never_changes_once_it_is_out),
      cmocka_unit_test(a_deleted_topic_takes_its_settings_along),
      cmocka_unit_test(what_came_and_went_in_one_draft_is_no_change),
      cmocka_unit_test(records_of_a_transaction_count_when_it_ends),
      cmocka_unit_test(a_log_that_contradicts_itself_is_an_error),
      cmocka_unit_test(the_log_that_kafka_wrote_is_understood),
      cmocka_unit_test(a_snapshot_of_an_image_gives_the_same_image),
  };
  return cmocka_run_group_tests_name("cluster.image", tests, nullptr, nullptr);
}
