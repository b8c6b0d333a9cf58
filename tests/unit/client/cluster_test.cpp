#include "libkq/client/cluster.hpp"

#include "libkq/protocol/messages/create_topics.hpp"
#include <cstring>

#include "tests/unit/client/fake_cluster.hpp"
#include "tests/unit/cmocka.hpp"

using namespace kq;
using namespace kq::client;

namespace {

struct Scene : FakeCluster {
  explicit Scene(int brokers, std::vector<Address> bootstrap = {{"broker", 9001}}, ClusterOptions options = {}) : FakeCluster(brokers) {
    options.bootstrap = std::move(bootstrap);
    if (!options.seed) options.seed = 3;
    cluster = Cluster::make(loop, attempts, logger, options);
    cluster->start();
  }
  ~Scene() {
    cluster->close();
    pass(1s);
  }
  // A broker outside of the cluster that tells of these nodes, or gives this error.
  void tells_of(FakeBroker& front) {
    front.on<MetadataRequest>([this](const MetadataRequest&) {
      static const std::string host = "broker";
      MetadataResponse response;
      response.error_code = std::exchange(error_told, Code::none);
      for (const int32_t id : told) {
        auto& node = response.brokers.emplace_back();
        node.node_id = id;
        node.host = host;
        node.port = 9000 + id;
      }
      return response;
    });
  }

  struct Attempts final : Network, Names {
    explicit Attempts(Scene& of) : scene(of) {}
    Result<std::unique_ptr<Listener>> listen(Loop& on, const Address& at) override { return scene.network.listen(on, at); }
    awaitable<Result<std::unique_ptr<Stream>>> connect(Loop& on, const Address& to, Instant deadline) override {
      times[to.port].push_back(Clock::now());
      return scene.network.connect(on, to, deadline);
    }
    awaitable<Result<std::vector<Address>>> addresses_of(Loop&, const Address& name, Instant) override {
      ++looked_up[name.text()];
      const auto found = addresses.find(name.text());
      co_return found == addresses.end() ? std::vector{name} : found->second;
    }
    awaitable<Result<std::vector<Address>>> canonical_names_of(Loop&, const Address& name, Instant) override {
      ++looked_up["canonical " + name.text()];
      const auto found = canonical.find(name.text());
      if (found == canonical.end()) co_return Error(own_code::resolve, "no such name", Verdict::retry);
      co_return found->second;
    }
    Scene& scene;
    std::map<uint16_t, std::vector<Instant>> times{};
    std::map<std::string, std::vector<Address>> addresses{}, canonical{};
    std::map<std::string, int> looked_up{};
  } attempts{*this};
  std::vector<int32_t> told;
  Code error_told = Code::none;
  std::shared_ptr<Cluster> cluster;
};

awaitable<void> note(awaitable<Status> story, std::string& outcome) {
  const Status status = co_await std::move(story);
  outcome = status ? "well" : status.error().message();
}

template <class Request>
awaitable<void> ask(std::shared_ptr<Cluster> cluster, Target target, Duration within, std::string& outcome) {
  Request request;
  if constexpr (requires { request.topics.emplace(); }) request.topics.emplace();
  const auto reply = co_await cluster->request(target, request, Clock::now() + within);
  outcome = reply ? "well" : reply.error().message();
}

awaitable<void> reach(std::shared_ptr<Cluster> cluster, bool then_close, std::string& outcome) {
  const auto made = co_await cluster->connect(at_node(1), Channel::data, Clock::now() + 5s);
  outcome = made ? "well" : made.error().message();
  if (made && then_close) (*made)->close(Error(own_code::transport, "closed by its first user"));
}

}  // namespace

static void it_learns_nodes_and_wanted_topics(void**) {
  Scene scene(3);
  scene.topic("t", 2);
  scene.lead("t", 1, 3);
  scene.cluster->want_topic("t");
  scene.pass(1s);
  assert_int_equal(scene.cluster->nodes().size(), 3);
  assert_string_equal(scene.cluster->cluster_id().c_str(), "a-cluster");
  const Topic* topic = scene.cluster->topic("t");
  assert_true(topic && topic->usable());
  assert_true(scene.cluster->topic(topic->id) == topic);
  assert_int_equal(scene.cluster->partition("t", 1)->leader, 3);
  assert_null(scene.cluster->partition("t", 2));
  scene.cluster->unwant_topic("t");
  assert_null(scene.cluster->topic("t"));
}

static void one_connection_serves_bootstrap_and_node(void**) {
  Scene scene(1);
  scene.pass(1s);
  assert_non_null(scene.cluster->connection(1, Channel::control));
  assert_int_equal(scene.broker(1).connections, 1);
}

static void a_dead_bootstrap_server_is_passed_over(void**) {
  Scene scene(2, {{"broker", 7777}, {"broker", 9002}});
  scene.pass(1s);
  assert_int_equal(scene.cluster->nodes().size(), 2);
}

static void metadata_grows_old(void**) {
  Scene scene(1);
  scene.pass(1s);
  const size_t asked = scene.broker(1).requests(MetadataRequest::key);
  scene.pass(4min);
  assert_int_equal(scene.broker(1).requests(MetadataRequest::key), asked);
  scene.pass(2min);
  assert_int_equal(scene.broker(1).requests(MetadataRequest::key), asked + 1);
}

static void refreshes_asked_for_together_are_one_and_keep_a_distance(void**) {
  Scene scene(1);
  scene.pass(1s);
  const size_t asked = scene.broker(1).requests(MetadataRequest::key);
  for (int i = 0; i < 10; ++i) scene.cluster->refresh();
  scene.pass(10ms);
  for (int i = 0; i < 10; ++i) scene.cluster->refresh();
  scene.pass(50ms);
  assert_int_equal(scene.broker(1).requests(MetadataRequest::key), asked + 1);
  scene.pass(100ms);
  assert_int_equal(scene.broker(1).requests(MetadataRequest::key), asked + 2);
}

static void it_waits_for_a_topic_that_is_to_come(void**) {
  Scene scene(1);
  std::string outcome;
  scene.loop.spawn(note(scene.cluster->topic_usable("late", Clock::now() + 30s), outcome));
  scene.pass(3s);
  assert_string_equal(outcome.c_str(), "");
  scene.topic("late", 1);
  scene.pass(3s);
  assert_string_equal(outcome.c_str(), "well");
}

static void a_topic_that_never_comes_is_an_error_with_its_code(void**) {
  Scene scene(1);
  std::string outcome;
  scene.loop.spawn(note(scene.cluster->topic_usable("never", Clock::now() + 5s), outcome));
  scene.pass(6s);
  assert_non_null(strstr(outcome.c_str(), "topic 'never': UNKNOWN_TOPIC_OR_PARTITION"));
}

static void a_request_goes_to_the_controller_and_again_where_that_may_help(void**) {
  Scene scene(2);
  scene.pass(1s);
  int answers = 0;
  scene.broker(1).on<MetadataRequest>([&](const MetadataRequest&) {
    MetadataResponse response;
    response.error_code = ++answers < 3 ? Code::not_controller : Code::none;
    return response;
  });
  std::string outcome;
  scene.loop.spawn(ask<MetadataRequest>(scene.cluster, controller_node, 30s, outcome));
  scene.drive([&] { return !outcome.empty(); });
  assert_string_equal(outcome.c_str(), "well");
  assert_true(answers >= 3);
}

static void the_error_in_the_end_is_the_last_real_one(void**) {
  Scene scene(1);
  scene.pass(1s);
  scene.broker(1).stop();
  std::string outcome;
  scene.loop.spawn(ask<MetadataRequest>(scene.cluster, at_node(1), 3s, outcome));
  scene.drive([&] { return !outcome.empty(); });
  assert_non_null(strstr(outcome.c_str(), "9001"));
}

static void it_finds_its_way_back_when_all_brokers_were_away(void**) {
  Scene scene(1);
  scene.pass(1s);
  scene.broker(1).stop();
  scene.pass(30s);
  assert_null(scene.cluster->connection(1, Channel::data));
  scene.broker(1).start();
  scene.pass(5s);
  (void)scene.cluster->connection(1, Channel::data);
  scene.pass(2s);
  assert_non_null(scene.cluster->connection(1, Channel::data));
}

/* KIP-1102: where no broker that is known answers for long, bootstrap.servers are tried again. */
static void after_long_silence_bootstrap_servers_are_tried_again(void**) {
  Scene scene(2);
  scene.pass(1s);
  scene.broker(1).stop();
  scene.broker(2).stop();
  scene.pass(4min);
  assert_int_equal(scene.cluster->nodes().size(), 2);
  scene.pass(2min);
  assert_int_equal(scene.cluster->nodes().size(), 0);
  scene.broker(1).start();
  scene.pass(5s);
  assert_int_equal(scene.cluster->nodes().size(), 2);
}

/* KIP-899: at once, where no known broker can be reached. */
static void where_no_known_broker_is_reached_bootstrap_servers_are_tried(void**) {
  Scene scene(3, {{"broker", 9009}});
  FakeBroker front(scene, 9009);
  scene.tells_of(front);
  scene.told = {1, 2};
  scene.pass(1s);
  assert_int_equal(scene.cluster->nodes().size(), 2);
  front.stop();
  front.start();                                           // its connection is gone: from now on the nodes are asked
  scene.broker(1).stop();
  scene.broker(2).stop();
  scene.told = {3};
  scene.pass(1s);
  scene.cluster->refresh();
  scene.pass(10s);
  assert_non_null(scene.cluster->find_node(3));
  assert_null(scene.cluster->find_node(1));
}

static void without_recovery_only_known_brokers_are_tried(void**) {
  ClusterOptions options;
  options.rebootstrap_after = Duration::max();
  Scene scene(3, {{"broker", 9009}}, options);
  FakeBroker front(scene, 9009);
  scene.tells_of(front);
  scene.told = {1};
  scene.pass(1s);
  front.stop();
  front.start();
  scene.broker(1).stop();
  scene.told = {3};
  scene.cluster->refresh();
  scene.pass(10min);
  assert_non_null(scene.cluster->find_node(1));
  assert_null(scene.cluster->find_node(3));
}

/* KIP-1102: a broker that finds itself outside of the cluster sends the client back to bootstrap.servers. */
static void a_broker_may_ask_to_begin_from_bootstrap_servers(void**) {
  Scene scene(2, {{"broker", 9009}});
  FakeBroker front(scene, 9009);
  scene.tells_of(front);
  scene.tells_of(scene.broker(1));
  scene.told = {1};
  scene.pass(1s);
  front.stop();
  front.start();
  std::string outcome;
  scene.loop.spawn(note(scene.cluster->refreshed(Clock::now() + 30s), outcome));
  scene.pass(1s);
  assert_string_equal(outcome.c_str(), "well");
  const size_t connected = front.connections;
  scene.error_told = Code::rebootstrap_required;
  scene.cluster->refresh();
  scene.pass(5s);
  assert_int_equal(front.connections, connected + 1);
  assert_int_equal(scene.cluster->nodes().size(), 1);
}

// When broker 1, which is gone, was tried, from the first failure on.
static std::vector<Duration> waits_between_attempts(uint64_t seed) {
  ClusterOptions options;
  options.seed = seed;
  Scene scene(2, {{"broker", 9002}}, options);
  scene.pass(1s);
  scene.broker(1).stop();
  scene.attempts.times.clear();
  for (int i = 0; i < 5000; ++i) {
    (void)scene.cluster->connection(1, Channel::data);
    scene.pass(1ms);
  }
  const auto& times = scene.attempts.times[9001];
  std::vector<Duration> waits;
  for (size_t i = 1; i < times.size(); ++i) waits.push_back(times[i] - times[i - 1]);
  return waits;
}

static void attempts_to_connect_back_off_with_jitter(void**) {
  const auto waits = waits_between_attempts(3);
  assert_in_range(waits.size(), 7, 10);
  constexpr Duration call = 3ms;                           // a refused attempt takes a moment, and is asked for each millisecond
  for (size_t i = 0; i < waits.size(); ++i) {
    const Duration plain = std::min<Duration>(50ms * (1 << i), 1s);
    assert_true(waits[i] >= plain * 8 / 10 && waits[i] <= std::min<Duration>(plain * 12 / 10, 1s) + call);
  }
  assert_true(waits != waits_between_attempts(4));
}

static void an_attempt_that_succeeds_ends_the_back_off(void**) {
  Scene scene(2, {{"broker", 9002}});
  scene.pass(1s);
  scene.broker(1).stop();
  for (int i = 0; i < 3000; ++i) (void)scene.cluster->connection(1, Channel::data), scene.pass(1ms);
  scene.broker(1).start();
  for (int i = 0; i < 2000; ++i) (void)scene.cluster->connection(1, Channel::data), scene.pass(1ms);
  assert_non_null(scene.cluster->connection(1, Channel::data));
  scene.broker(1).stop();
  scene.pass(1ms);
  scene.broker(1).start();
  (void)scene.cluster->connection(1, Channel::data);
  scene.pass(70ms);                                        // the first wait again
  assert_non_null(scene.cluster->connection(1, Channel::data));
}

static void a_connection_that_somebody_ends_as_it_is_made_is_an_error_to_others(void**) {
  Scene scene(1);
  scene.pass(1s);
  std::string first, second;
  scene.loop.spawn(reach(scene.cluster, true, first));
  scene.loop.spawn(reach(scene.cluster, false, second));
  scene.pass(1s);
  assert_string_equal(first.c_str(), "well");
  assert_string_equal(second.c_str(), "the connection ended as soon as it was made");
}

static void all_addresses_of_a_name_are_tried_in_turn(void**) {
  ClusterOptions options;
  options.setup_timeout = 5s;
  Scene scene(2, {{"kafka", 9092}}, options);
  FakeBroker mute(scene, 9008);
  mute.hold(ApiVersionsRequest::key);                      // somebody listens there, and says nothing
  scene.attempts.addresses["kafka:9092"] = {{"broker", 7777}, {"broker", 9008}, {"broker", 9002}};
  scene.pass(4s);
  assert_int_equal(scene.cluster->nodes().size(), 0);
  scene.pass(2s);
  assert_int_equal(scene.cluster->nodes().size(), 2);
  assert_int_equal(scene.attempts.times[7777].size(), 1);
  assert_int_equal(mute.connections, 1);
  assert_int_equal(scene.attempts.looked_up["kafka:9092"], 1);
}

static void a_name_is_resolved_anew_when_its_addresses_have_failed_or_its_connection_has_ended(void**) {
  Scene scene(2, {{"kafka", 9092}});
  scene.attempts.addresses["kafka:9092"] = {{"broker", 7777}, {"broker", 7778}};
  scene.pass(1s);
  assert_true(scene.attempts.looked_up["kafka:9092"] > 1);
  scene.attempts.addresses["kafka:9092"] = {{"broker", 9002}};      // the name leads elsewhere now
  scene.pass(2s);
  assert_int_equal(scene.cluster->nodes().size(), 2);
  (void)scene.cluster->connection(1, Channel::data);
  scene.pass(1s);
  assert_int_equal(scene.attempts.looked_up["broker:9001"], 1);
  scene.broker(1).stop();
  scene.pass(1ms);
  scene.attempts.addresses["broker:9001"] = {{"broker", 9011}};     // the broker has moved, and kept its name
  FakeBroker moved(scene, 9011);
  (void)scene.cluster->connection(1, Channel::data);
  scene.pass(1s);
  assert_non_null(scene.cluster->connection(1, Channel::data));
  assert_int_equal(moved.connections, 1);
}

static void bootstrap_servers_can_stand_for_the_hosts_behind_their_names(void**) {
  ClusterOptions options;
  options.canonical_bootstrap = true;
  Scene scene(2, {{"alias", 9092}, {"nobody", 9092}}, options);
  scene.attempts.canonical["alias:9092"] = {{"gone", 7777}, {"broker", 9001}};
  scene.pass(3s);
  assert_int_equal(scene.cluster->nodes().size(), 2);
  assert_int_equal(scene.attempts.looked_up["alias:9092"], 0);      // nothing is asked of the alias itself
  assert_true(scene.attempts.looked_up["broker:9001"] > 0);
}

static void only_a_newer_leader_is_believed(void**) {
  Scene scene(2);
  scene.topic("t", 1);
  scene.lead("t", 0, 1);
  scene.cluster->want_topic("t");
  scene.pass(1s);
  assert_false(scene.cluster->learn_leader("t", 0, 2, 1));
  assert_true(scene.cluster->learn_leader("t", 0, 2, 2));
  assert_int_equal(scene.cluster->partition("t", 0)->leader, 2);
  scene.cluster->refresh();                                // whoever answers has not heard of it yet
  scene.pass(1s);
  assert_int_equal(scene.cluster->partition("t", 0)->leader, 2);
}

static void closing_ends_every_wait(void**) {
  Scene scene(1);
  scene.broker(1).forget(MetadataRequest::key);
  std::string topic, request;
  scene.loop.spawn(note(scene.cluster->topic_usable("t", Instant::max()), topic));
  scene.loop.spawn(ask<MetadataRequest>(scene.cluster, at_node(5), 10min, request));
  scene.pass(1s);
  scene.cluster->close();
  scene.pass(1s);
  assert_string_equal(topic.c_str(), "the handle is closed");
  assert_string_equal(request.c_str(), "the handle is closed");
  assert_int_equal(scene.cluster.use_count(), 1);
}

int main() {
  const CMUnitTest tests[] = {
      cmocka_unit_test(it_learns_nodes_and_wanted_topics),
      cmocka_unit_test(one_connection_serves_bootstrap_and_node),
      cmocka_unit_test(a_dead_bootstrap_server_is_passed_over),
      cmocka_unit_test(metadata_grows_old),
      cmocka_unit_test(refreshes_asked_for_together_are_one_and_keep_a_distance),
      cmocka_unit_test(it_waits_for_a_topic_that_is_to_come),
      cmocka_unit_test(a_topic_that_never_comes_is_an_error_with_its_code),
      cmocka_unit_test(a_request_goes_to_the_controller_and_again_where_that_may_help),
      cmocka_unit_test(the_error_in_the_end_is_the_last_real_one),
      cmocka_unit_test(it_finds_its_way_back_when_all_brokers_were_away),
      cmocka_unit_test(after_long_silence_bootstrap_servers_are_tried_again),
      cmocka_unit_test(where_no_known_broker_is_reached_bootstrap_servers_are_tried),
      cmocka_unit_test(without_recovery_only_known_brokers_are_tried),
      cmocka_unit_test(a_broker_may_ask_to_begin_from_bootstrap_servers),
      cmocka_unit_test(attempts_to_connect_back_off_with_jitter),
      cmocka_unit_test(an_attempt_that_succeeds_ends_the_back_off),
    cmocka_unit_test(a_connection_that_somebody_ends_as_it_is_made_is_an_error_to_others),
      cmocka_unit_test(all_addresses_of_a_name_are_tried_in_turn),
      cmocka_unit_test(a_name_is_resolved_anew_when_its_addresses_have_failed_or_its_connection_has_ended),
      cmocka_unit_test(bootstrap_servers_can_stand_for_the_hosts_behind_their_names),
      cmocka_unit_test(only_a_newer_leader_is_believed),
      cmocka_unit_test(closing_ends_every_wait),
  };
  return cmocka_run_group_tests_name("client.cluster", tests, nullptr, nullptr);
}
