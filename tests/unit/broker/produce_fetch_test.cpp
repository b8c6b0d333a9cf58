// Produce and Fetch through a whole broker in memory.
#include "tests/unit/broker/bed.hpp"
#include "tests/unit/broker/records.hpp"
#include "tests/unit/cmocka.hpp"

using namespace kq;
using namespace kq::broker;

namespace {

ProduceRequest produce(const Uuid& topic, int32_t partition, Bytes batch, int16_t acks = -1) {
  ProduceRequest request;
  request.acks = acks;
  request.timeout_ms = 30'000;
  auto& data = request.topic_data.emplace_back();
  data.topic_id = topic;
  auto& one = data.partition_data.emplace_back();
  one.index = partition;
  one.records = Records{.bytes = batch};
  return request;
}

const ProduceResponse::PartitionProduceResponse& only(const Received<ProduceResponse>& received) {
  return received.body.responses.at(0).partition_responses.at(0);
}

struct Wanted {
  int32_t partition = 0;
  int64_t offset = 0;
};
FetchRequest fetch(const Uuid& topic, std::vector<Wanted> wanted, int32_t max_wait_ms = 0, int32_t min_bytes = 1) {
  FetchRequest request;
  request.max_wait_ms = max_wait_ms;
  request.min_bytes = min_bytes;
  request.max_bytes = 50 << 20;
  if (wanted.empty()) return request;
  auto& asked = request.topics.emplace_back();
  asked.topic_id = topic;
  for (const Wanted& each : wanted) {
    auto& partition = asked.partitions.emplace_back();
    partition.partition = each.partition;
    partition.fetch_offset = each.offset;
    partition.partition_max_bytes = 1 << 20;
  }
  return request;
}
FetchRequest in_session(FetchRequest request, int32_t id, int32_t epoch) {
  request.session_id = id;
  request.session_epoch = epoch;
  return request;
}

// "p0 0:a 1:b; p1 OFFSET_OUT_OF_RANGE": the partitions of an answer.
std::string told(const Received<FetchResponse>& received) {
  std::string text = received.body.error_code == Code::none ? "" : name_of(received.body.error_code);
  for (const auto& topic : received.body.responses) {
    for (const auto& partition : topic.partitions) {
      if (!text.empty()) text += "; ";
      text += "p" + std::to_string(partition.partition_index);
      if (partition.error_code != Code::none) text += std::string(" ") + name_of(partition.error_code);
      else if (const std::string records = kq::broker::told(partition.records->bytes); !records.empty()) text += " " + records;
    }
  }
  return text;
}

}  // namespace

static void what_is_produced_can_be_fetched(void**) {
  Bed bed;
  const Uuid topic = bed.create_topic("t");
  auto client = bed.connect();
  const auto batch = batch_of({{"a", "b"}});
  for (int16_t acks : {1, -1}) {
    const auto answer = client->ask(produce(topic, 0, batch, acks));
    assert_int_equal(static_cast<int>(only(answer).error_code), 0);
  }
  assert_string_equal(told(client->ask(fetch(topic, {{0, 0}}))).c_str(), "p0 0:a 1:b 2:a 3:b");
  assert_string_equal(told(client->ask(fetch(topic, {{0, 3}}))).c_str(), "p0 2:a 3:b");
  assert_string_equal(told(client->ask(fetch(topic, {{0, 5}}))).c_str(), "p0 OFFSET_OUT_OF_RANGE");
}

static void every_codec_is_taken_and_kept(void**) {
  Bed bed;
  const Uuid topic = bed.create_topic("t");
  auto client = bed.connect();
  for (const Codec codec : {Codec::gzip, Codec::snappy, Codec::lz4, Codec::zstd}) {
    const auto batch = batch_of({{"x"}, {}, codec});
    const auto answer = client->ask(produce(topic, 0, batch));
    assert_int_equal(static_cast<int>(only(answer).error_code), 0);
  }
  assert_string_equal(told(client->ask(fetch(topic, {{0, 0}}))).c_str(), "p0 0:x 1:x 2:x 3:x");
}

static void a_large_slice_goes_from_the_file(void**) {
  Bed bed;
  const Uuid topic = bed.create_topic("t");
  auto client = bed.connect();
  const std::string large(20'000, 'v');
  const auto batch = batch_of({{large, large}});
  client->ask(produce(topic, 0, batch));
  const auto answer = client->ask(fetch(topic, {{0, 0}}));
  assert_true(told(answer) == "p0 0:" + large + " 1:" + large);
}

static void unknown_topics_and_partitions_are_named_as_such(void**) {
  Bed bed;
  const Uuid topic = bed.create_topic("t");
  auto client = bed.connect();
  const auto batch = batch_of({{"a"}});
  assert_true(only(client->ask(produce(Uuid::random(), 0, batch))).error_code == Code::unknown_topic_id);
  assert_true(only(client->ask(produce(topic, 9, batch))).error_code == Code::unknown_topic_or_partition);
  assert_string_equal(told(client->ask(fetch(Uuid::random(), {{0, 0}}))).c_str(), "p0 UNKNOWN_TOPIC_ID");
  assert_string_equal(told(client->ask(fetch(topic, {{9, 0}}))).c_str(), "p9 UNKNOWN_TOPIC_OR_PARTITION");
}

static void an_acks_value_that_nobody_knows_is_refused(void**) {
  Bed bed;
  const Uuid topic = bed.create_topic("t");
  const auto batch = batch_of({{"a"}});
  assert_true(only(bed.connect()->ask(produce(topic, 0, batch, 2))).error_code == Code::invalid_required_acks);
}

static void acks_none_is_answered_by_silence_or_by_the_end(void**) {
  Bed bed;
  const Uuid topic = bed.create_topic("t");
  auto client = bed.connect();
  const auto batch = batch_of({{"a"}});
  client->send(produce(topic, 0, batch, 0));
  assert_string_equal(told(client->ask(fetch(topic, {{0, 0}}))).c_str(), "p0 0:a");
  client->send(produce(topic, 7, batch, 0));
  assert_true(client->closed());
}

static void a_damaged_batch_is_refused_and_nothing_is_kept(void**) {
  Bed bed;
  const Uuid topic = bed.create_topic("t");
  auto client = bed.connect();
  auto batch = batch_of({{"a"}});
  batch.back() ^= std::byte{1};
  assert_true(only(client->ask(produce(topic, 0, batch))).error_code == Code::corrupt_message);
  assert_string_equal(told(client->ask(fetch(topic, {{0, 0}}))).c_str(), "p0");
}

static void a_repeated_batch_is_answered_with_its_offset_and_a_gap_is_refused(void**) {
  Bed bed;
  const Uuid topic = bed.create_topic("t");
  auto client = bed.connect();
  BatchFields fields;
  fields.producer_id = 1;
  fields.producer_epoch = 0;
  fields.base_sequence = 0;
  const auto first = batch_of({{"a", "b"}, fields});
  client->ask(produce(topic, 0, first));
  const auto again = client->ask(produce(topic, 0, first));
  assert_true(only(again).error_code == Code::none);
  assert_int_equal(only(again).base_offset, 0);
  fields.base_sequence = 3;
  const auto gap = batch_of({{"d"}, fields});
  assert_true(only(client->ask(produce(topic, 0, gap))).error_code == Code::out_of_order_sequence_number);
  assert_string_equal(told(client->ask(fetch(topic, {{0, 0}}))).c_str(), "p0 0:a 1:b");
}

static void transactions_are_refused_with_words(void**) {
  Bed bed;
  const Uuid topic = bed.create_topic("t");
  auto client = bed.connect();
  BatchFields fields;
  fields.producer_id = 1;
  fields.producer_epoch = 0;
  fields.base_sequence = 0;
  fields.transactional = true;
  const auto batch = batch_of({{"a"}, fields});
  assert_true(only(client->ask(produce(topic, 0, batch))).error_code == Code::transactional_id_authorization_failed);
  auto request = produce(topic, 0, batch);
  request.transactional_id = "tx";
  const auto answer = client->ask(request);      // nobody coordinates that transaction: to be tried again
  assert_true(only(answer).error_code == Code::not_enough_replicas);
  assert_true(only(answer).error_message->find("coordinator") != std::string_view::npos);
}

static void a_fetch_waits_for_records_no_longer_than_it_may(void**) {
  Bed bed;
  const Uuid topic = bed.create_topic("t");
  auto reader = bed.connect();
  auto writer = bed.connect();
  const auto batch = batch_of({{"a"}});

  reader->send(fetch(topic, {{0, 0}}, 500));
  bed.run_for(499ms);
  assert_false(reader->receive<FetchResponse>().has_value());
  bed.run_for(1ms);
  assert_string_equal(told(reader->receive<FetchResponse>().value()).c_str(), "p0");

  reader->send(fetch(topic, {{0, 0}}, 500));
  bed.run_for(100ms);
  writer->ask(produce(topic, 0, batch));
  assert_string_equal(told(reader->receive<FetchResponse>().value()).c_str(), "p0 0:a");
}

static void a_fetch_waits_for_as_many_bytes_as_it_wants(void**) {
  Bed bed;
  const Uuid topic = bed.create_topic("t");
  auto reader = bed.connect();
  auto writer = bed.connect();
  const auto batch = batch_of({{"a"}});
  reader->send(fetch(topic, {{0, 0}}, 500, static_cast<int32_t>(2 * batch.size())));
  writer->ask(produce(topic, 0, batch));
  assert_false(reader->receive<FetchResponse>().has_value());
  writer->ask(produce(topic, 0, batch));
  assert_string_equal(told(reader->receive<FetchResponse>().value()).c_str(), "p0 0:a 1:a");
}

static void the_first_batch_comes_whole_and_the_next_ones_as_they_fit(void**) {
  Bed bed;
  const Uuid topic = bed.create_topic("t", 2);
  auto client = bed.connect();
  const auto batch = batch_of({{std::string(1000, 'v')}});
  for (int32_t partition : {0, 1}) client->ask(produce(topic, partition, batch));
  auto request = fetch(topic, {{0, 0}, {1, 0}});
  request.max_bytes = 100;
  const auto answer = client->ask(request);
  assert_int_equal(answer.body.responses.at(0).partitions.at(0).records->size(), batch.size());
  assert_int_equal(answer.body.responses.at(0).partitions.at(1).records->size(), 0);
}

static void a_session_is_told_only_what_has_changed(void**) {
  Bed bed;
  const Uuid topic = bed.create_topic("t", 3);
  auto client = bed.connect();
  const auto batch = batch_of({{"a"}});
  const auto first = client->ask(in_session(fetch(topic, {{0, 0}, {1, 0}, {2, 0}}), 0, 0));
  const int32_t session = first.body.session_id;
  assert_int_not_equal(session, 0);
  assert_string_equal(told(first).c_str(), "p0; p1; p2");

  assert_string_equal(told(client->ask(in_session(fetch(topic, {}), session, 1))).c_str(), "");
  client->ask(produce(topic, 1, batch));
  assert_string_equal(told(client->ask(in_session(fetch(topic, {}), session, 2))).c_str(), "p1 0:a");
  // The reader has not moved on, so the same comes again; then it has.
  assert_string_equal(told(client->ask(in_session(fetch(topic, {}), session, 3))).c_str(), "p1 0:a");
  assert_string_equal(told(client->ask(in_session(fetch(topic, {{1, 1}}), session, 4))).c_str(), "");

  client->send(in_session(fetch(topic, {}, 500), session, 5));
  bed.connect()->ask(produce(topic, 2, batch));
  assert_string_equal(told(client->receive<FetchResponse>().value()).c_str(), "p2 0:a");

  auto forgetting = in_session(fetch(topic, {}), session, 6);
  auto& forgotten = forgetting.forgotten_topics_data.emplace_back();
  forgotten.topic_id = topic;
  forgotten.partitions = {2};
  assert_string_equal(told(client->ask(forgetting)).c_str(), "");
}

static void a_session_that_is_gone_or_out_of_step_is_refused(void**) {
  Bed bed;
  const Uuid topic = bed.create_topic("t");
  auto client = bed.connect();
  const int32_t session = client->ask(in_session(fetch(topic, {{0, 0}}), 0, 0)).body.session_id;
  assert_string_equal(told(client->ask(in_session(fetch(topic, {}), session, 7))).c_str(), "INVALID_FETCH_SESSION_EPOCH");
  assert_string_equal(told(client->ask(in_session(fetch(topic, {}), session + 1, 1))).c_str(), "FETCH_SESSION_ID_NOT_FOUND");
  client->ask(in_session(fetch(topic, {{0, 0}}), session, -1));
  assert_string_equal(told(client->ask(in_session(fetch(topic, {}), session, 1))).c_str(), "FETCH_SESSION_ID_NOT_FOUND");
}

static void partitions_take_turns_where_one_has_more_than_fits(void**) {
  Bed bed;
  const Uuid topic = bed.create_topic("t", 2);
  auto client = bed.connect();
  const auto batch = batch_of({{"a"}});
  for (int32_t partition : {0, 1}) client->ask(produce(topic, partition, batch));
  auto request = fetch(topic, {{0, 0}, {1, 0}});
  request.max_bytes = 1;
  const auto first = client->ask(in_session(request, 0, 0));
  auto next = fetch(topic, {});
  next.max_bytes = 1;
  const auto second = client->ask(in_session(next, first.body.session_id, 1));
  assert_string_equal(told(second).c_str(), "p1 0:a");
}

static void with_log_flush_acks_nothing_is_seen_before_it_is_synced(void**) {
  Bed bed(Settings{{"log.flush.acks", "all"}});
  const Uuid topic = bed.create_topic("t");
  auto client = bed.connect();
  const auto batch = batch_of({{"a"}});
  const auto answer = client->ask(produce(topic, 0, batch));
  assert_true(only(answer).error_code == Code::none);
  assert_string_equal(told(client->ask(fetch(topic, {{0, 0}}))).c_str(), "p0 0:a");
  assert_true(bed.stop(false).ok());
  bed.files.crash(bed.random);
  bed.start();
  assert_string_equal(told(bed.connect()->ask(fetch(topic, {{0, 0}}))).c_str(), "p0 0:a");
}

static void records_survive_a_stop_and_a_kill(void**) {
  Bed bed;
  const Uuid topic = bed.create_topic("t");
  const auto batch = batch_of({{"a"}});
  bed.connect()->ask(produce(topic, 0, batch));
  assert_true(bed.stop().ok());
  bed.start();
  assert_string_equal(told(bed.connect()->ask(fetch(topic, {{0, 0}}))).c_str(), "p0 0:a");
  bed.connect()->ask(produce(topic, 0, batch));
  assert_true(bed.stop(false).ok());
  bed.files.restart();
  bed.start();
  assert_string_equal(told(bed.connect()->ask(fetch(topic, {{0, 0}}))).c_str(), "p0 0:a 1:a");
}

int main() {
  const CMUnitTest tests[] = {
      cmocka_unit_test(what_is_produced_can_be_fetched),
      cmocka_unit_test(every_codec_is_taken_and_kept),
      cmocka_unit_test(a_large_slice_goes_from_the_file),
      cmocka_unit_test(unknown_topics_and_partitions_are_named_as_such),
      cmocka_unit_test(an_acks_value_that_nobody_knows_is_refused),
      cmocka_unit_test(acks_none_is_answered_by_silence_or_by_the_end),
      cmocka_unit_test(a_damaged_batch_is_refused_and_nothing_is_kept),
      cmocka_unit_test(a_repeated_batch_is_answered_with_its_offset_and_a_gap_is_refused),
      cmocka_unit_test(transactions_are_refused_with_words),
      cmocka_unit_test(a_fetch_waits_for_records_no_longer_than_it_may),
      cmocka_unit_test(a_fetch_waits_for_as_many_bytes_as_it_wants),
      cmocka_unit_test(the_first_batch_comes_whole_and_the_next_ones_as_they_fit),
      cmocka_unit_test(a_session_is_told_only_what_has_changed),
      cmocka_unit_test(a_session_that_is_gone_or_out_of_step_is_refused),
      cmocka_unit_test(partitions_take_turns_where_one_has_more_than_fits),
      cmocka_unit_test(with_log_flush_acks_nothing_is_seen_before_it_is_synced),
      cmocka_unit_test(records_survive_a_stop_and_a_kill),
  };
  return cmocka_run_group_tests_name("broker.produce_fetch", tests, nullptr, nullptr);
}
