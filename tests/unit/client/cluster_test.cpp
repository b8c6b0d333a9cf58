#include "libkq/client/cluster.hpp"

#include "libkq/protocol/messages/create_topics.hpp"
#include <cstring>

#include "tests/unit/client/fake_cluster.hpp"
#include "tests/unit/cmocka.hpp"

using namespace kq;
using namespace kq::client;

namespace {

struct Scene : FakeCluster {
  explicit Scene(int brokers, std::vector<Address> bootstrap = {{"broker", 9001}}) : FakeCluster(brokers) {
    ClusterOptions options;
    options.bootstrap = std::move(bootstrap);
    options.seed = 3;
    cluster = Cluster::make(loop, network, logger, options);
    cluster->start();
  }
  ~Scene() {
    cluster->close();
    pass(1s);
  }
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
      cmocka_unit_test(only_a_newer_leader_is_believed),
      cmocka_unit_test(closing_ends_every_wait),
  };
  return cmocka_run_group_tests_name("client.cluster", tests, nullptr, nullptr);
}
