#include "libkq/client/producer.hpp"

#include "libkq/record/batch_reader.hpp"
#include <cstring>

#include "tests/unit/client/fake_cluster.hpp"
#include "tests/unit/cmocka.hpp"

using namespace kq;
using namespace kq::client;

namespace {

struct Scene : FakeCluster {
  explicit Scene(int brokers = 1, std::vector<Setting> settings = {}) : FakeCluster(brokers) {
    settings.insert(settings.begin(), {"bootstrap.servers", "broker:9001"});
    const auto config = Config::parse(Role::producer, settings);
    assert_true(config.ok());
    producer = std::move(*Producer::make(loop, network, logger, *config));
    topic("t", 2);
  }
  ~Scene() {
    producer.reset();
    pass(1s);
  }

  Sending try_send(std::string_view value, uint64_t tag = 0, int32_t partition = 0) {
    Outbound record;
    record.topic = "t";
    record.partition = partition;
    record.value = as_bytes(value);
    record.key = as_bytes("k");
    record.tag = tag;
    return producer->try_send(record);
  }
  // As an application that waits: lets time pass until there is room.
  void send(std::string_view value, uint64_t tag = 0, int32_t partition = 0) {
    Sending outcome = try_send(value, tag, partition);
    for (int i = 0; i < 1000 && outcome != Sending::sent; ++i) pass(1ms), outcome = try_send(value, tag, partition);
    assert_true(outcome == Sending::sent);
  }
  void flush() {
    const uint64_t ticket = producer->begin_flush();
    assert_true(drive([&] { return producer->flushed(ticket); }));
  }
  // "tag@offset" or "tag!" of all there are.
  std::string poll() {
    std::string text;
    while (const auto deliveries = producer->poll()) {
      for (size_t i = 0; i < deliveries->count(); ++i) {
        const Delivery delivery = deliveries->at(i);
        text += std::to_string(delivery.tag) + (delivery.error ? "!" : "@" + std::to_string(delivery.offset)) + " ";
        if (delivery.error) last_error = delivery.error->message(), last_value = as_text(delivery.value), last_key = as_text(delivery.key);
      }
    }
    return text;
  }
  std::string stored(size_t partition) {
    std::string text;
    BatchReader reader;
    Block plain;
    for (const auto& bytes : topics["t"][partition].batches) {
      if (!reader.open(BatchView(bytes), plain)) return "unreadable";
      for (RecordView record; reader.next(record);) text += std::string(as_text(record.value)) + " ";
    }
    return text;
  }

  std::unique_ptr<Producer> producer;
  std::string last_error, last_value, last_key;
};

}  // namespace

static void records_arrive_and_deliveries_come_back(void**) {
  Scene scene;
  assert_true(scene.try_send("a") == Sending::topic_unknown);
  scene.send("a", 1);
  scene.send("b", 2);
  scene.flush();
  assert_string_equal(scene.poll().c_str(), "1@0 2@1 ");
  assert_string_equal(scene.stored(0).c_str(), "a b ");
  assert_int_equal(scene.producer->pending(), 0);
}

static void every_codec_arrives(void**) {
  for (const char* codec : {"none", "gzip", "snappy", "lz4", "zstd"}) {
    Scene scene(1, {{"compression.type", codec}});
    std::string expected;
    for (int i = 0; i < 300; ++i) {
      const std::string value = "value-" + std::to_string(i) + std::string(30, 'x');
      scene.send(value);
      expected += value + " ";
    }
    scene.flush();
    assert_string_equal(scene.stored(0).c_str(), expected.c_str());
  }
}

static void a_record_can_wait_for_its_topic(void**) {
  Scene scene;
  scene.topics.erase("t");
  assert_true(scene.try_send("a") == Sending::topic_unknown);
  scene.pass(2s);
  assert_true(scene.try_send("a") == Sending::topic_unknown);
  scene.topic("t", 1);
  scene.send("a", 1);
  scene.flush();
  assert_string_equal(scene.poll().c_str(), "1@0 ");
}

static void a_leader_that_moved_is_followed(void**) {
  Scene scene(2);
  scene.send("a", 1);
  scene.flush();
  scene.lead("t", 0, 2);
  scene.send("b", 2);
  scene.flush();
  assert_string_equal(scene.poll().c_str(), "1@0 2@1 ");
  assert_string_equal(scene.stored(0).c_str(), "a b ");
}

/* KIP-951: who refuses says who leads now and where that is, so neither metadata nor a back-off stands between. */
static void a_refusal_that_names_the_new_leader_leads_there_at_once(void**) {
  Scene scene;
  FakeBroker other(scene, 9002);                     // no metadata has told of it
  std::string heard;
  other.on<ProduceRequest>([&](const ProduceRequest& request) {
    ProduceResponse response;
    auto& topic = response.responses.emplace_back();
    topic.topic_id = request.topic_data.front().topic_id;
    topic.partition_responses.emplace_back().base_offset = 7;
    BatchReader reader;
    Block plain;
    if (reader.open(BatchView(request.topic_data.front().partition_data.front().records->bytes), plain))
      for (RecordView record; reader.next(record);) heard += as_text(record.value);
    return response;
  });
  scene.send("a", 1);
  scene.flush();
  assert_string_equal(scene.poll().c_str(), "1@0 ");
  scene.broker(1).on<ProduceRequest>([&](const ProduceRequest& request) {
    static const std::string host = "broker";
    ProduceResponse response;
    auto& topic = response.responses.emplace_back();
    topic.topic_id = request.topic_data.front().topic_id;
    auto& partition = topic.partition_responses.emplace_back();
    partition.error_code = Code::not_leader_or_follower;
    partition.current_leader.leader_id = 2;
    partition.current_leader.leader_epoch = 5;
    auto& node = response.node_endpoints.emplace_back();
    node.node_id = 2;
    node.host = host;
    node.port = 9002;
    return response;
  });
  const size_t asked = scene.broker(1).requests(MetadataRequest::key);
  const Instant begun = Clock::now();
  scene.send("b", 2);
  scene.flush();
  assert_string_equal(scene.poll().c_str(), "2@7 ");
  assert_string_equal(heard.c_str(), "b");
  assert_int_equal(scene.broker(1).requests(MetadataRequest::key), asked);
  assert_true(Clock::now() - begun < 100ms);         // simulated: no back-off
}

static void a_batch_that_the_broker_finds_too_large_arrives_in_parts(void**) {
  Scene scene;
  scene.send("first");
  scene.flush();
  scene.poll();
  size_t refused = 0;
  scene.broker(1).on_frame(ProduceRequest::key, [&](const RequestFrame& frame) {
    const auto request = decode<ProduceRequest>(frame.body, frame.version());
    const auto& topic = request->topic_data.front();
    const auto& data = topic.partition_data.front();
    ProduceResponse response;
    auto& answers = response.responses.emplace_back();
    answers.topic_id = topic.topic_id;
    auto& answer = answers.partition_responses.emplace_back();
    answer.index = data.index;
    auto& part = scene.topics["t"].front();
    if (BatchView(data.records->bytes).count() > 3) {
      ++refused;
      answer.error_code = Code::message_too_large;
    } else {
      answer.base_offset = part.end;
      part.end += BatchView(data.records->bytes).count();
      part.batches.emplace_back(data.records->bytes.begin(), data.records->bytes.end());
    }
    return FakeBroker::framed(response, frame.version(), frame.header.correlation_id);
  });
  for (uint64_t tag = 1; tag <= 10; ++tag) scene.send(std::to_string(tag), tag);
  scene.flush();
  assert_string_equal(scene.poll().c_str(), "1@1 2@2 3@3 4@4 5@5 6@6 7@7 8@8 9@9 10@10 ");
  assert_string_equal(scene.stored(0).c_str(), "first 1 2 3 4 5 6 7 8 9 10 ");
  assert_int_equal(refused, 3);                      // ten, and twice five
}

/* Connections break all the time; every record is there once, in order. */
static void broken_connections_lose_and_repeat_nothing(void**) {
  Scene scene(2, {{"linger.ms", "1"}});
  scene.send("0");
  scene.flush();
  std::string expected = "0 ";
  scene.network.set_faults({.delay_min = 100us, .delay_max = 3ms, .cut_one_in = 15});
  for (int i = 1; i <= 300; ++i) {
    scene.send(std::to_string(i), static_cast<uint64_t>(i));
    expected += std::to_string(i) + " ";
    scene.pass(2ms);
  }
  scene.network.set_faults({});
  scene.flush();
  assert_string_equal(scene.stored(0).c_str(), expected.c_str());
  assert_null(strchr(scene.poll().c_str(), '!'));
}

static void a_broker_that_is_gone_fails_records_in_time_and_says_why(void**) {
  Scene scene(1, {{"delivery.timeout.ms", "5000"}, {"request.timeout.ms", "1000"}});
  scene.send("a", 1);
  scene.flush();
  scene.poll();
  scene.broker(1).stop();
  scene.send("lost", 7);
  scene.pass(6s);
  assert_string_equal(scene.poll().c_str(), "7! ");
  assert_non_null(strstr(scene.last_error.c_str(), "delivery.timeout.ms=5000"));
  assert_non_null(strstr(scene.last_error.c_str(), "9001"));
  assert_string_equal(scene.last_value.c_str(), "lost");
  assert_string_equal(scene.last_key.c_str(), "k");
}

static void a_full_buffer_frees_itself(void**) {
  Scene scene(1, {{"buffer.memory", "65536"}, {"linger.ms", "60000"}});
  const std::string value(10'000, 'v');
  for (int i = 0; i < 50; ++i) scene.send(value, static_cast<uint64_t>(i), i % 2);
  scene.flush();
  assert_int_equal(scene.topics["t"][0].end + scene.topics["t"][1].end, 50);
}

static void deliveries_that_nobody_polls_stop_the_sending(void**) {
  Scene scene(1, {{"delivery.memory", "65536"}, {"linger.ms", "0"}});
  scene.send("first");
  Sending outcome = Sending::sent;
  for (int i = 0; i < 10'000 && outcome == Sending::sent; ++i) outcome = scene.try_send("v", 1), scene.pass(3ms);
  assert_true(outcome == Sending::deliveries_full);
  scene.flush();                                           // does not wait for a poll
  scene.poll();
  assert_true(scene.try_send("v") == Sending::sent);
}

static void reports_may_be_of_errors_alone(void**) {
  Scene scene(1, {{"delivery.report", "errors"}});
  scene.send("a", 1);
  scene.flush();
  assert_string_equal(scene.poll().c_str(), "");
  scene.broker(1).on<ProduceRequest>([](const ProduceRequest& request) {
    ProduceResponse response;
    auto& topic = response.responses.emplace_back();
    topic.topic_id = request.topic_data[0].topic_id;
    auto& partition = topic.partition_responses.emplace_back();
    partition.error_code = Code::topic_authorization_failed;
    return response;
  });
  scene.send("b", 2);
  scene.flush();
  assert_string_equal(scene.poll().c_str(), "2! ");
  assert_string_equal(scene.last_value.c_str(), "b");
}

static void without_acks_delivery_means_written(void**) {
  Scene scene(1, {{"acks", "0"}});
  scene.broker(1).on_frame(ProduceRequest::key, [](const RequestFrame&) { return std::vector<std::byte>{}; });
  scene.send("a", 1);
  scene.flush();
  assert_string_equal(scene.poll().c_str(), "1@-1 ");
}

static void abandoning_fails_what_is_left(void**) {
  Scene scene;
  scene.send("a", 1);
  scene.broker(1).stop();
  scene.producer->abandon();
  scene.pass(1s);
  assert_true(scene.producer->closed());
  assert_string_equal(scene.poll().c_str(), "1! ");
  assert_true(scene.try_send("b") == Sending::closed);
}

static void failed_records_outlive_the_producer(void**) {
  Scene scene;
  scene.send("kept", 1);
  scene.broker(1).stop();
  scene.producer->abandon();
  scene.pass(1s);
  const auto deliveries = scene.producer->poll();
  scene.producer.reset();
  scene.pass(1s);
  assert_non_null(deliveries.get());
  assert_int_equal(deliveries->count(), 1);
  assert_true(as_text(deliveries->at(0).value) == "kept");
}

int main() {
  const CMUnitTest tests[] = {
      cmocka_unit_test(records_arrive_and_deliveries_come_back),
      cmocka_unit_test(every_codec_arrives),
      cmocka_unit_test(a_record_can_wait_for_its_topic),
      cmocka_unit_test(a_leader_that_moved_is_followed),
      cmocka_unit_test(a_refusal_that_names_the_new_leader_leads_there_at_once),
      cmocka_unit_test(a_batch_that_the_broker_finds_too_large_arrives_in_parts),
      cmocka_unit_test(broken_connections_lose_and_repeat_nothing),
      cmocka_unit_test(a_broker_that_is_gone_fails_records_in_time_and_says_why),
      cmocka_unit_test(a_full_buffer_frees_itself),
      cmocka_unit_test(deliveries_that_nobody_polls_stop_the_sending),
      cmocka_unit_test(reports_may_be_of_errors_alone),
      cmocka_unit_test(without_acks_delivery_means_written),
      cmocka_unit_test(abandoning_fails_what_is_left),
      cmocka_unit_test(failed_records_outlive_the_producer),
  };
  return cmocka_run_group_tests_name("client.producer", tests, nullptr, nullptr);
}
