// The metadata handlers over a broker that has no connection: what each version says.
#include <fstream>

#include "broker/broker.hpp"
#include "broker/dispatch.hpp"
#include "broker/handlers/handlers.hpp"
#include "libkq/net/memory.hpp"
#include "tests/sim/memory_file_system.hpp"
#include "tests/unit/broker/cluster/node.hpp"
#include "tests/unit/cmocka.hpp"

using namespace kq;
using namespace kq::broker;

namespace {

// One broker that leads what it is asked to create.
struct Fixture {
  sim::MemoryFileSystem disk;
  Node node{disk};
  Random random{1};
  Loop loop{Loop::Kind::simulated};
  MemoryNetwork network{loop, random};
  InlinePool pool;
  Logger logger{-1, LogLevel::error};
  Worker worker{loop};
  Session session;
  std::deque<Call> calls;
  Broker broker;

  Fixture() : broker(node.config(), Environment{.files = disk, .network = network, .loops = {&loop}, .io = pool, .log = logger}) {
    KQ_CHECK(node.start().ok());
    broker.publish(node.image(), {});
    node.follow([this](auto image, const auto& delta) { broker.publish(std::move(image), delta); });
    broker.cluster_id = node.cluster_id();
    broker.controller = node.give_controller();
    session.listener = "PLAINTEXT";
  }

  template <class Request>
  typename Request::Response ask(const Request& request, int16_t version = Request::newest) {
    Call& call = calls.emplace_back(session, worker, loop, broker.image(), version);
    std::optional<typename Request::Response> answer;
    loop.spawn(carry(call, request, answer));
    for (int i = 0; i < 1000 && !answer; ++i) loop.step();
    KQ_CHECK(answer.has_value());
    return std::move(*answer);
  }
  template <class Request>
  awaitable<void> carry(Call& call, const Request& request, std::optional<typename Request::Response>& answer) {
    answer = co_await handle(broker, call, request);
  }

  void create(std::string_view name, int32_t partitions) {
    CreateTopicsRequest request;
    auto& topic = request.topics.emplace_back();
    topic.name = name;
    topic.num_partitions = partitions;
    topic.replication_factor = 1;
    KQ_CHECK(ask(request).topics[0].error_code == Code::none);
  }
};

MetadataRequest about(std::vector<std::optional<std::string_view>> names, bool may_create = false) {
  MetadataRequest request;
  request.topics.emplace();
  for (const auto& name : names) request.topics->emplace_back().name = name;
  request.allow_auto_topic_creation = may_create;
  return request;
}

DescribeTopicPartitionsRequest page(std::vector<std::string_view> names, int32_t limit) {
  DescribeTopicPartitionsRequest request;
  for (const auto name : names) request.topics.emplace_back().name = name;
  request.response_partition_limit = limit;
  return request;
}

DescribeConfigsRequest describe(int8_t type, std::string_view name, std::vector<std::string_view> keys = {}) {
  DescribeConfigsRequest request;
  auto& resource = request.resources.emplace_back();
  resource.resource_type = type;
  resource.resource_name = name;
  resource.configuration_keys = std::move(keys);
  request.include_synonyms = true;
  return request;
}

}  // namespace

static void metadata_tells_the_broker_and_the_topics(void**) {
  Fixture f;
  f.create("t", 2);
  const auto response = f.ask(about({"t", "t"}));
  assert_int_equal(response.brokers.size(), 1);
  assert_true(response.brokers[0].host == "127.0.0.1");
  assert_int_equal(response.brokers[0].port, 9092);
  assert_int_equal(response.controller_id, 1);
  assert_true(response.cluster_id == f.broker.cluster_id);
  assert_int_equal(response.topics.size(), 1);
  assert_int_equal(response.topics[0].partitions.size(), 2);
  assert_int_equal(response.topics[0].partitions[1].leader_id, 1);
  assert_int_equal(response.topics[0].topic_authorized_operations, INT32_MIN);
  assert_int_equal(response.cluster_authorized_operations, INT32_MIN);
}

static void no_topics_and_all_topics_are_said_by_version(void**) {
  Fixture f;
  f.create("t", 1);
  MetadataRequest empty = about({});
  assert_int_equal(f.ask(empty, 0).topics.size(), 1);
  assert_int_equal(f.ask(empty, 1).topics.size(), 0);
  MetadataRequest null;
  null.topics.reset();
  assert_int_equal(f.ask(null, 1).topics.size(), 1);
}

static void missing_topics_are_told_by_name_and_by_id(void**) {
  Fixture f;
  f.create("t", 1);
  const auto names = f.ask(about({"nope", "a b", "t"}));
  assert_int_equal(names.topics.size(), 3);
  assert_true(names.topics[0].name == "t");
  assert_int_equal(static_cast<int>(names.topics[1].error_code), 3);
  assert_int_equal(static_cast<int>(names.topics[2].error_code), 17);

  MetadataRequest ids = about({std::nullopt, std::nullopt});
  (*ids.topics)[0].topic_id = f.broker.image()->topic("t")->id;
  (*ids.topics)[1].topic_id = Uuid::random();
  const auto by_id = f.ask(ids);
  assert_int_equal(by_id.topics.size(), 2);
  assert_int_equal(static_cast<int>(by_id.topics[0].error_code), 100);
  assert_false(by_id.topics[0].name.has_value());
  assert_true(by_id.topics[1].name == "t");
  assert_int_equal(static_cast<int>(f.ask(ids, 11).topics[0].error_code), 42);
}

static void a_missing_topic_is_created_where_that_is_allowed(void**) {
  Fixture f;
  const auto response = f.ask(about({"fresh", "__consumer_offsets", "__cluster_metadata"}, true));
  assert_int_equal(static_cast<int>(response.topics.at(0).error_code), 0);
  assert_int_equal(response.topics[0].partitions.size(), 1);
  assert_int_equal(response.topics[1].partitions.size(), 50);
  assert_true(response.topics[1].is_internal);
  assert_int_equal(static_cast<int>(response.topics[2].error_code), 3);
  const auto image = f.broker.image();
  assert_string_equal(image->config(cluster::ResourceType::topic, "__consumer_offsets").at("cleanup.policy").c_str(), "compact");
  assert_int_equal(image->topic("__consumer_offsets")->partition(0)->replicas.size(), 1);
  assert_int_equal(static_cast<int>(f.ask(about({"other"}, false)).topics[0].error_code), 3);
  assert_null(f.broker.image()->topic("other"));
}

static void partitions_without_a_leader_say_so(void**) {
  Fixture f;
  f.create("t", 1);
  f.session.listener = "OTHER";
  assert_int_equal(static_cast<int>(f.ask(about({"t"}), 5).topics[0].partitions[0].error_code), 5);
  assert_int_equal(static_cast<int>(f.ask(about({"t"}), 6).topics[0].partitions[0].error_code), 72);
  assert_int_equal(f.ask(about({"t"})).brokers.size(), 0);
}

static void pages_of_partitions_follow_one_another(void**) {
  Fixture f;
  f.create("b", 3);
  f.create("a", 1);
  DescribeTopicPartitionsRequest request = page({}, 2);
  std::string seen;
  for (int i = 0; i < 5; ++i) {
    const auto response = f.ask(request);
    for (const auto& topic : response.topics)
      for (const auto& partition : topic.partitions) seen += std::string(*topic.name) + std::to_string(partition.partition_index) + " ";
    seen += "| ";
    if (!response.next_cursor) break;
    auto& cursor = request.cursor.emplace();
    cursor.topic_name = response.next_cursor->topic_name;
    cursor.partition_index = response.next_cursor->partition_index;
  }
  assert_string_equal(seen.c_str(), "a0 b0 | b1 b2 | ");
  const auto missing = f.ask(page({"b", "nope", "a b"}, 0));
  assert_int_equal(missing.topics.size(), 2);                      // one partition at least, then the cursor
  assert_int_equal(static_cast<int>(missing.topics[0].error_code), 17);
  assert_int_equal(missing.next_cursor->partition_index, 1);
  request = page({"a"}, 10);
  request.cursor.emplace().topic_name = "b";
  assert_int_equal(static_cast<int>(f.ask(request).topics[0].error_code), 42);
}

static void the_cluster_is_described_to_brokers_clients_alone(void**) {
  Fixture f;
  DescribeClusterRequest request;
  request.include_cluster_authorized_operations = true;
  const auto response = f.ask(request);
  assert_int_equal(response.brokers.size(), 1);
  assert_int_equal(response.cluster_authorized_operations, 8096);
  request.endpoint_type = 2;
  assert_int_equal(static_cast<int>(f.ask(request).error_code), 114);
  request.endpoint_type = 3;
  assert_true(f.ask(request).error_message == "Unsupported endpoint type 3");
}

static void versions_are_those_of_the_table_and_features_those_of_the_image(void**) {
  Fixture f;
  ApiVersionsRequest request;
  request.client_software_name = "probe";
  request.client_software_version = "1.0";
  const auto v3 = f.ask(request, 3), v4 = f.ask(request, 4);
  assert_int_equal(v3.api_keys.size(), apis().size());
  assert_int_equal(v3.api_keys[0].min_version, 0);                 // Produce, for older libraries
  assert_int_equal(v3.supported_features.size(), 1);
  assert_int_equal(v4.supported_features.size(), 7);
  assert_int_equal(v4.finalized_features.size(), 7);
  assert_int_equal(v4.finalized_features_epoch, f.broker.image()->offset);
  assert_string_equal(f.session.client_software_name.c_str(), "probe");
  for (const char* wrong : {"", "a b", "-a", "a."}) {
    request.client_software_name = wrong;
    const auto refused = f.ask(request, 3);
    assert_int_equal(static_cast<int>(refused.error_code), 42);
    assert_true(refused.api_keys.empty());
  }
  assert_int_equal(f.ask(request, 0).api_keys.size(), apis().size());
}

static void configs_tell_where_they_come_from(void**) {
  Fixture f;
  f.create("t", 1);
  IncrementalAlterConfigsRequest alter;
  for (const auto& [type, name, key, value] : {std::tuple{2, "t", "cleanup.policy", "compact, delete"}, std::tuple{4, "", "log.retention.ms", "99"}}) {
    auto& resource = alter.resources.emplace_back();
    resource.resource_type = static_cast<int8_t>(type);
    resource.resource_name = name;
    auto& config = resource.configs.emplace_back();
    config.name = key;
    config.value = value;
  }
  assert_int_equal(static_cast<int>(f.ask(alter).responses[1].error_code), 0);

  const auto response = f.ask(describe(2, "t", {"cleanup.policy", "retention.ms", "segment.ms", "nope"}));
  const auto& configs = response.results.at(0).configs;
  assert_int_equal(configs.size(), 3);
  assert_true(configs[0].value == "compact,delete");
  assert_int_equal(configs[0].config_source, 1);
  assert_int_equal(configs[0].synonyms.size(), 2);
  assert_true(configs[0].synonyms[1].name == "log.cleanup.policy");
  assert_true(configs[1].value == "99");
  assert_int_equal(configs[1].config_source, 3);
  assert_true(configs[1].synonyms[1].name == "log.retention.hours");
  assert_true(configs[2].value == "604800000");
  assert_int_equal(configs[2].config_source, 5);
  assert_true(configs[2].synonyms.empty());
}

static void a_broker_hides_what_is_secret(void**) {
  Fixture f;
  const auto all = f.ask(describe(4, "1"));
  assert_true(all.results[0].configs.size() > 300);
  for (const auto& config : all.results[0].configs)
    if (config.is_sensitive) assert_false(config.value.has_value());
  const auto node = f.ask(describe(4, "1", {"node.id"}));
  assert_true(node.results[0].configs.at(0).read_only);
  assert_int_equal(static_cast<int>(f.ask(describe(4, "2")).results[0].error_code), 42);
  assert_int_equal(static_cast<int>(f.ask(describe(2, "nope")).results[0].error_code), 3);
  assert_int_equal(f.ask(describe(32, "g")).results[0].configs.size(), 11);
  assert_int_equal(f.ask(describe(16, "s")).results[0].configs.size(), 3);
}

int main() {
  const CMUnitTest tests[] = {
      cmocka_unit_test(metadata_tells_the_broker_and_the_topics),
      cmocka_unit_test(no_topics_and_all_topics_are_said_by_version),
      cmocka_unit_test(missing_topics_are_told_by_name_and_by_id),
      cmocka_unit_test(a_missing_topic_is_created_where_that_is_allowed),
      cmocka_unit_test(partitions_without_a_leader_say_so),
      cmocka_unit_test(pages_of_partitions_follow_one_another),
      cmocka_unit_test(the_cluster_is_described_to_brokers_clients_alone),
      cmocka_unit_test(versions_are_those_of_the_table_and_features_those_of_the_image),
      cmocka_unit_test(configs_tell_where_they_come_from),
      cmocka_unit_test(a_broker_hides_what_is_secret),
  };
  return cmocka_run_group_tests_name("handlers.metadata", tests, nullptr, nullptr);
}
