// When metrics are pushed, and how, against a broker in memory.
#include "libkq/client/telemetry.hpp"

#include "libkq/protocol/messages/get_telemetry_subscriptions.hpp"
#include "libkq/protocol/messages/push_telemetry.hpp"
#include "tests/unit/client/fake_cluster.hpp"
#include "tests/unit/cmocka.hpp"

using namespace kq;
using namespace kq::client;

namespace {

// A broker that asks for metrics each 10 s, unless a test has it otherwise, and remembers what it gets.
struct Scene : FakeCluster {
  explicit Scene(uint64_t seed = 3) : FakeCluster(1) {
    broker(1).on<ApiVersionsRequest>([this](const ApiVersionsRequest&) {
      ApiVersionsResponse response;
      for (const ApiInfo& api : api_table)
        if (api.broker && (advertised || !FakeBroker::of_telemetry(static_cast<int16_t>(api.key))))
          response.api_keys.push_back({static_cast<int16_t>(api.key), api.oldest, api.stable});
      return response;
    });
    broker(1).on<GetTelemetrySubscriptionsRequest>([this](const GetTelemetrySubscriptionsRequest& request) {
      GetTelemetrySubscriptionsResponse response;
      asked_as.push_back(request.client_instance_id);
      response.client_instance_id = instance;
      response.subscription_id = subscription;
      response.accepted_compression_types = accepted;
      response.push_interval_ms = 10000;
      response.telemetry_max_bytes = bytes_max;
      response.delta_temporality = true;
      for (const std::string& each : metrics) response.requested_metrics.push_back(each);
      return response;
    });
    broker(1).on<PushTelemetryRequest>([this](const PushTelemetryRequest& request) {
      pushes.push_back({Clock::now(), request.subscription_id, request.terminating, request.compression_type, plain(request)});
      assert_true(request.client_instance_id == instance);
      PushTelemetryResponse response;
      response.error_code = std::exchange(push_code, Code::none);
      return response;
    });
    ClusterOptions options;
    options.bootstrap = {{"broker", 9001}};
    options.seed = seed;
    cluster = Cluster::make(loop, network, logger, options);
  }
  ~Scene() {
    if (telemetry) telemetry->stop();
    cluster->close();
    pass(1s);
  }
  void start() {
    telemetry =
        std::make_shared<Telemetry>(cluster, "org.apache.kafka.producer.", std::vector<Label>{{"transactional_id", "x"}}, [this] {
          Measurements seen;
          seen.counts = {{"record.send", sent}};
          return seen;
        });
    cluster->start();
    telemetry->start();
  }
  bool terminate() {
    std::optional<bool> ended;
    loop.spawn([](std::shared_ptr<Telemetry> of, std::optional<bool>& into) -> awaitable<void> {
      co_await of->terminate(Clock::now() + 30s);
      into = true;
    }(telemetry, ended));
    return drive([&] { return ended.has_value(); });
  }
  size_t subscriptions() { return broker(1).requests(GetTelemetrySubscriptionsRequest::key); }

  struct Push {
    Instant at;
    int32_t subscription;
    bool terminating;
    int8_t compression;
    std::string text;
  };
  std::vector<Push> pushes;
  std::vector<Uuid> asked_as;
  const Uuid instance = Uuid::random();
  bool advertised = true;
  int32_t subscription = 7;
  std::vector<int8_t> accepted{};
  std::vector<std::string> metrics{""};
  int32_t bytes_max = 1 << 20;
  Code push_code = Code::none;
  uint64_t sent = 0;
  std::shared_ptr<Cluster> cluster;
  std::shared_ptr<Telemetry> telemetry;

 private:
  static std::string plain(const PushTelemetryRequest& request) {
    if (request.compression_type == 0) return std::string(as_text(request.metrics));
    Decompressor decompressor;
    Block into;
    if (!decompressor.decompress(static_cast<Codec>(request.compression_type), request.metrics, into)) return "";
    return std::string(as_text(into.bytes()));
  }
};

}  // namespace

static void a_broker_without_telemetry_is_asked_for_nothing(void**) {
  Scene scene;
  scene.advertised = false;
  scene.start();
  scene.pass(20min);
  assert_int_equal(scene.subscriptions(), 0);
  assert_int_equal(scene.pushes.size(), 0);
}

static void metrics_are_pushed_each_interval_as_they_are_asked_for(void**) {
  Scene scene;
  scene.start();
  scene.pass(61s);
  assert_int_equal(scene.subscriptions(), 1);
  assert_true(scene.asked_as.front().is_zero());
  assert_in_range(scene.pushes.size(), 5, 6);
  for (size_t i = 1; i < scene.pushes.size(); ++i) {
    const Duration between = scene.pushes[i].at - scene.pushes[i - 1].at;
    assert_true(between >= 10s && between < 10100ms);
  }
  const std::string& text = scene.pushes.front().text;
  assert_true(text.find("org.apache.kafka.producer.record.send.total") != text.npos);
  assert_true(text.find("transactional_id") != text.npos);
  assert_int_equal(scene.pushes.front().subscription, 7);
}

static void the_first_push_comes_at_half_to_one_and_a_half_intervals(void**) {
  std::set<Duration> seen;
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    Scene scene(seed);
    const Instant begun = Clock::now();
    scene.start();
    scene.pass(16s);
    const Duration first = scene.pushes.at(0).at - begun;
    assert_true(first >= 5s && first <= 15100ms);
    seen.insert(first);
  }
  assert_true(seen.size() > 15);
}

static void the_codec_is_the_first_that_the_broker_offers(void**) {
  for (const int8_t codec : {1, 2, 3, 4}) {
    Scene scene;
    scene.accepted = {codec, 1};
    scene.start();
    scene.pass(16s);
    assert_int_equal(scene.pushes.at(0).compression, codec);
    assert_true(scene.pushes.at(0).text.find("record.send.total") != std::string::npos);
  }
}

static void where_no_metric_is_asked_for_none_is_pushed(void**) {
  Scene scene;
  scene.metrics.clear();
  scene.start();
  scene.pass(35s);
  assert_int_equal(scene.pushes.size(), 0);
  assert_in_range(scene.subscriptions(), 3, 4);  // each interval it looks again
  scene.metrics = {"org.apache.kafka.producer.record"};
  scene.pass(30s);
  assert_true(scene.pushes.size() >= 1);
}

static void a_subscription_that_has_changed_is_fetched_anew_under_the_same_name(void**) {
  Scene scene;
  scene.start();
  scene.pass(16s);
  scene.push_code = Code::unknown_subscription_id;
  scene.subscription = 8;
  scene.pass(30s);
  assert_int_equal(scene.subscriptions(), 2);
  assert_true(scene.asked_as.back() == scene.instance);
  assert_int_equal(scene.pushes.back().subscription, 8);
}

static void metrics_that_are_too_large_are_not_pushed(void**) {
  Scene scene;
  scene.bytes_max = 10;
  scene.start();
  scene.pass(60s);
  assert_int_equal(scene.pushes.size(), 0);
  assert_int_equal(scene.subscriptions(), 1);
}

static void the_last_push_says_so(void**) {
  Scene scene;
  scene.start();
  scene.pass(1s);  // before the first
  assert_true(scene.terminate());
  assert_int_equal(scene.pushes.size(), 1);
  assert_true(scene.pushes.front().terminating);
  scene.pass(60s);
  assert_int_equal(scene.pushes.size(), 1);
}

static void without_a_subscription_there_is_no_last_push(void**) {
  Scene scene;
  scene.metrics.clear();
  scene.start();
  scene.pass(1s);
  assert_true(scene.terminate());
  assert_int_equal(scene.pushes.size(), 0);
}

static void a_broker_that_does_not_answer_holds_up_closing_for_a_second_at_most(void**) {
  Scene scene;
  scene.start();
  scene.pass(1s);
  scene.broker(1).hold(PushTelemetryRequest::key);
  const Instant begun = Clock::now();
  assert_true(scene.terminate());
  assert_true(Clock::now() - begun <= 1s);  // simulated
}

int main() {
  const CMUnitTest tests[] = {
      cmocka_unit_test(a_broker_without_telemetry_is_asked_for_nothing),
      cmocka_unit_test(metrics_are_pushed_each_interval_as_they_are_asked_for),
      cmocka_unit_test(the_first_push_comes_at_half_to_one_and_a_half_intervals),
      cmocka_unit_test(the_codec_is_the_first_that_the_broker_offers),
      cmocka_unit_test(where_no_metric_is_asked_for_none_is_pushed),
      cmocka_unit_test(a_subscription_that_has_changed_is_fetched_anew_under_the_same_name),
      cmocka_unit_test(metrics_that_are_too_large_are_not_pushed),
      cmocka_unit_test(the_last_push_says_so),
      cmocka_unit_test(without_a_subscription_there_is_no_last_push),
      cmocka_unit_test(a_broker_that_does_not_answer_holds_up_closing_for_a_second_at_most),
  };
  return cmocka_run_group_tests_name("client.telemetry", tests, nullptr, nullptr);
}
