// What the controller refuses, in the codes and words of Apache Kafka 4.2, and what it writes where it does not.
#include "tests/sim/memory_file_system.hpp"
#include "tests/unit/broker/cluster/node.hpp"
#include "tests/unit/cmocka.hpp"

using namespace kq;
using namespace kq::broker;
using sim::MemoryFileSystem;

namespace {

struct Fixture {
  MemoryFileSystem disk;
  Node node{disk};
  Fixture() { KQ_CHECK(node.start().ok()); }
};

using Topic = CreateTopicsRequest::CreatableTopic;

Topic topic(std::string_view name, int32_t partitions = 1, int16_t replicas = 1) {
  Topic out;
  out.name = name;
  out.num_partitions = partitions;
  out.replication_factor = replicas;
  return out;
}

Topic with(Topic base, std::string_view key, std::optional<std::string_view> value) {
  auto& config = base.configs.emplace_back();
  config.name = key;
  config.value = value;
  return base;
}

Topic assigned(std::string_view name, const std::vector<std::pair<int32_t, std::vector<int32_t>>>& partitions) {
  Topic out = topic(name, -1, -1);
  for (const auto& [index, brokers] : partitions) {
    auto& assignment = out.assignments.emplace_back();
    assignment.partition_index = index;
    assignment.broker_ids = brokers;
  }
  return out;
}

// Code and message of each topic, in the order of the answer.
std::vector<std::pair<int, std::string>> created(Fixture& f, std::vector<Topic> topics) {
  CreateTopicsRequest request;
  request.topics = std::move(topics);
  std::vector<std::pair<int, std::string>> out;
  for (const auto& result : f.node.ask(request).topics)
    out.emplace_back(static_cast<int>(result.error_code), std::string(result.error_message.value_or("")));
  return out;
}

void expect_created(Fixture& f, Topic topic, int code, const char* message) {
  const auto result = created(f, {std::move(topic)});
  assert_int_equal(result.size(), 1);
  assert_int_equal(result[0].first, code);
  assert_string_equal(result[0].second.c_str(), message);
}

using Edit = IncrementalAlterConfigsRequest::AlterableConfig;

Edit edit(std::string_view name, int8_t operation, std::optional<std::string_view> value) {
  Edit out;
  out.name = name;
  out.config_operation = operation;
  out.value = value;
  return out;
}

void expect_altered(Fixture& f, int8_t type, std::string_view resource, std::vector<Edit> edits, int code, const char* message) {
  IncrementalAlterConfigsRequest request;
  auto& to = request.resources.emplace_back();
  to.resource_type = type;
  to.resource_name = resource;
  to.configs = std::move(edits);
  const auto response = f.node.ask(request);
  assert_int_equal(static_cast<int>(response.responses.at(0).error_code), code);
  assert_string_equal(std::string(response.responses[0].error_message.value_or("")).c_str(), message);
}

std::string config_of(Fixture& f, std::string_view topic, std::string_view key) {
  const auto image = f.node.image();
  const auto& configs = image->config(cluster::ResourceType::topic, topic);
  const auto at = configs.find(key);
  return at == configs.end() ? "(unset)" : at->second;
}

void expect_more(Fixture& f, std::string_view name, int32_t count, std::optional<std::vector<std::vector<int32_t>>> assignments, int code,
                 const char* message) {
  CreatePartitionsRequest request;
  auto& topic = request.topics.emplace_back();
  topic.name = name;
  topic.count = count;
  topic.assignments.reset();
  if (assignments) {
    topic.assignments.emplace();
    for (auto& brokers : *assignments) topic.assignments->emplace_back().broker_ids = std::move(brokers);
  }
  const auto response = f.node.ask(request);
  assert_int_equal(static_cast<int>(response.results.at(0).error_code), code);
  assert_string_equal(std::string(response.results[0].error_message.value_or("")).c_str(), message);
}

constexpr int8_t set = 0, remove_it = 1, append = 2, subtract = 3;
constexpr int8_t of_topic = 2, of_broker = 4, of_logger = 8, of_metrics = 16, of_group = 32;

}  // namespace

static void topic_names_follow_kafkas_rules(void**) {
  Fixture f;
  const std::string longest(249, 'x'), longer(250, 'x');
  expect_created(f, topic(""), 17, "Topic name is invalid: the empty string is not allowed");
  expect_created(f, topic("."), 17, "Topic name is invalid: '.' is not allowed");
  expect_created(f, topic("a b"), 17,
                 "Topic name is invalid: 'a b' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'");
  expect_created(f, topic(longer), 17,
                 ("Topic name is invalid: the length of '" + longer + "' is longer than the max allowed length 249").c_str());
  expect_created(f, topic(longest), 0, "");
  expect_created(f, topic("__cluster_metadata"), 42, "Creation of internal topic __cluster_metadata is prohibited.");
}

static void names_that_differ_in_dots_alone_collide(void**) {
  Fixture f;
  expect_created(f, topic("a.b"), 0, "");
  expect_created(f, topic("a_b"), 17, "Topic 'a_b' collides with existing topic: a.b");
  DeleteTopicsRequest removal;
  removal.topics.emplace_back().name = "a.b";
  assert_int_equal(static_cast<int>(f.node.ask(removal).responses[0].error_code), 0);
  expect_created(f, topic("a_b"), 0, "");
  expect_created(f, topic("a_b"), 36, "Topic 'a_b' already exists.");
}

static void a_name_that_stands_twice_is_created_by_neither(void**) {
  Fixture f;
  const auto results = created(f, {topic("dup"), topic("other"), topic("dup", 2)});
  assert_int_equal(results.size(), 2);
  assert_int_equal(results[0].first, 0);
  assert_int_equal(results[1].first, 42);
  assert_string_equal(results[1].second.c_str(), "Duplicate topic name.");
  assert_null(f.node.image()->topic("dup"));
}

static void counts_of_partitions_and_replicas_are_checked(void**) {
  Fixture f;
  expect_created(f, topic("t", 1, 3), 38,
                 "Unable to replicate the partition 3 time(s): The target replication factor of 3 cannot be reached because only 1 "
                 "broker(s) are registered.");
  expect_created(f, topic("t", 0, 0), 38, "Replication factor must be larger than 0, or -1 to use the default value.");
  expect_created(f, topic("t", 0), 37, "Number of partitions was set to an invalid non-positive value.");
  expect_created(f, topic("t", 10'001), 44, "Excessively large number of partitions per request.");
  expect_created(f, topic("t", -1, -1), 0, "");
  assert_int_equal(f.node.image()->topic("t")->partitions.size(), 1);
}

static void assignments_by_hand_are_checked(void**) {
  Fixture f;
  const auto refused = [&](Topic t, int code, const char* message) { expect_created(f, std::move(t), code, message); };
  Topic counted = assigned("t", {{0, {1}}});
  counted.num_partitions = 1;
  refused(counted, 42, "A manual partition assignment was specified, but numPartitions was not set to -1.");
  refused(assigned("t", {{0, {}}}), 39, "The manual partition assignment includes an empty replica list.");
  refused(assigned("t", {{0, {2}}}), 39, "The manual partition assignment includes broker 2, but no such broker is registered.");
  refused(assigned("t", {{0, {1, 1}}}), 39, "The manual partition assignment includes the broker 1 more than once.");
  refused(assigned("t", {{1, {1}}}), 39, "partitions should be a consecutive 0-based integer sequence");
  refused(assigned("t", {{0, {1}}, {0, {1}}}), 39, "Found multiple manual partition assignments for partition 0");
  refused(assigned("t", {{1, {1}}, {0, {1}}}), 0, "");
  assert_int_equal(f.node.image()->topic("t")->partitions.size(), 2);
}

static void settings_of_new_topics_are_checked(void**) {
  Fixture f;
  expect_created(f, with(topic("t"), "foo", "1"), 40, "Unknown topic config name: foo");
  expect_created(f, with(topic("t"), "retention.ms", "x"), 40, "Invalid value x for configuration retention.ms: Not a number of type LONG");
  expect_created(f, with(topic("t"), "retention.ms", std::nullopt), 40, "Null value not supported for topic configs: retention.ms");
  expect_created(f, with(with(topic("t"), "min.compaction.lag.ms", "10"), "max.compaction.lag.ms", "5"), 40,
                 "conflict topic config setting min.compaction.lag.ms (10) > max.compaction.lag.ms (5)");
  expect_created(f, with(topic("t"), "remote.storage.enable", "true"), 40,
                 "Tiered Storage functionality is disabled in the broker. Topic cannot be configured with remote log storage.");
  assert_null(f.node.image()->topic("t"));
  expect_created(f, with(with(topic("t"), "retention.ms", "1"), "retention.ms", "2"), 0, "");
  assert_string_equal(config_of(f, "t", "retention.ms").c_str(), "2");
}

static void partitions_are_only_ever_added(void**) {
  Fixture f;
  expect_created(f, topic("t", 3), 0, "");
  expect_more(f, "t", 3, std::nullopt, 37, "Topic already has 3 partition(s).");
  expect_more(f, "t", 2, std::nullopt, 37, "The topic t currently has 3 partition(s); 2 would not be an increase.");
  expect_more(f, "nope", 2, std::nullopt, 3, "");
  expect_more(f, "t", 5, {{{1}}}, 39, "Attempted to add 2 additional partition(s), but only 1 assignment(s) were specified.");
  expect_more(f, "t", 4, {{{2}}}, 39, "The manual partition assignment includes broker 2, but no such broker is registered.");
  expect_more(f, "t", 5, std::nullopt, 0, "");
  expect_more(f, "t", 6, {{{1}}}, 0, "");
  assert_int_equal(f.node.image()->topic("t")->partitions.size(), 6);
  assert_int_equal(f.node.image()->topic("t")->partition(5)->leader, 1);
}

static void topics_are_deleted_by_name_or_by_id(void**) {
  Fixture f;
  expect_created(f, topic("a"), 0, "");
  expect_created(f, topic("b"), 0, "");
  DeleteTopicsRequest request;
  request.topics.resize(5);
  request.topics[0].name = "a";
  request.topics[1].topic_id = f.node.image()->topic("b")->id;
  request.topics[2].name = "nope";
  request.topics[3].name = "a";                                    // twice, so neither
  const auto response = f.node.ask(request);
  assert_int_equal(response.responses.size(), 4);
  assert_int_equal(static_cast<int>(response.responses[0].error_code), 42);
  assert_string_equal(std::string(*response.responses[0].error_message).c_str(), "Duplicate topic name.");
  assert_int_equal(static_cast<int>(response.responses[1].error_code), 0);
  assert_true(response.responses[1].name == "b");
  assert_int_equal(static_cast<int>(response.responses[2].error_code), 3);
  assert_string_equal(std::string(*response.responses[3].error_message).c_str(), "Neither topic name nor id were specified.");
  assert_non_null(f.node.image()->topic("a"));
  assert_null(f.node.image()->topic("b"));

  DeleteTopicsRequest old;
  old.topic_names = {"a", "b"};
  const auto by_name = f.node.ask(old, 5);
  assert_int_equal(static_cast<int>(by_name.responses[0].error_code), 0);
  assert_int_equal(static_cast<int>(by_name.responses[1].error_code), 3);
}

static void deleting_can_be_forbidden(void**) {
  MemoryFileSystem disk;
  Node node(disk, {{"delete.topic.enable", "false"}});
  assert_true(node.start().ok());
  DeleteTopicsRequest request;
  request.topics.emplace_back().name = "a";
  assert_int_equal(static_cast<int>(node.ask(request).responses[0].error_code), static_cast<int>(Code::topic_deletion_disabled));
}

static void lists_are_appended_to_and_subtracted_from(void**) {
  Fixture f;
  expect_created(f, topic("t"), 0, "");
  expect_altered(f, of_topic, "t", {edit("cleanup.policy", append, "compact")}, 0, "");
  assert_string_equal(config_of(f, "t", "cleanup.policy").c_str(), "delete,compact");
  expect_altered(f, of_topic, "t", {edit("cleanup.policy", append, "compact")}, 0, "");
  assert_string_equal(config_of(f, "t", "cleanup.policy").c_str(), "delete,compact");
  expect_altered(f, of_topic, "t", {edit("cleanup.policy", subtract, "delete,compact")}, 0, "");
  assert_string_equal(config_of(f, "t", "cleanup.policy").c_str(), "");
  expect_altered(f, of_topic, "t", {edit("cleanup.policy", remove_it, std::nullopt), edit("segment.ms", remove_it, std::nullopt)}, 0, "");
  assert_string_equal(config_of(f, "t", "cleanup.policy").c_str(), "(unset)");
  expect_altered(f, of_topic, "t", {edit("retention.ms", append, "5")}, 40, "Can't APPEND to key retention.ms because its type is not LIST.");
}

static void edits_of_topics_are_checked(void**) {
  Fixture f;
  expect_created(f, topic("t"), 0, "");
  expect_altered(f, of_topic, "t", {edit("foo", set, "1")}, 40, "Unknown topic config name: foo");
  expect_altered(f, of_topic, "t", {edit("retention.ms", set, std::nullopt)}, 42, "Null value not supported for : retention.ms");
  expect_altered(f, of_topic, "t", {edit("a", set, "1"), edit("a", remove_it, std::nullopt)}, 42, "Error due to duplicate config keys");
  expect_altered(f, of_topic, "nope", {edit("retention.ms", set, "1")}, 3, "The topic 'nope' does not exist.");
  expect_altered(f, of_topic, "", {edit("retention.ms", set, "1")}, 42, "Default topic resources are not allowed.");
  expect_altered(f, 1, "t", {edit("retention.ms", set, "1")}, 42, "Unknown resource type 1");
}

static void edits_of_brokers_are_checked(void**) {
  Fixture f;
  expect_altered(f, of_broker, "1", {edit("node.id", set, "2")}, 42, "Cannot update these configs dynamically: Set(node.id)");
  expect_altered(f, of_broker, "", {edit("listeners", set, "PLAINTEXT://:1")}, 42,
                 "Cannot update these configs at default cluster level, broker id must be specified: Set(listeners)");
  expect_altered(f, of_broker, "", {edit("log.cleaner.threads", set, "x")}, 42,
                 "Invalid value x for configuration log.cleaner.threads: Not a number of type INT");
  expect_altered(f, of_broker, "2", {edit("log.cleaner.threads", set, "1")}, 42, "Unexpected broker id, expected 1, but received 2");
  expect_altered(f, of_broker, "abc", {edit("log.cleaner.threads", set, "1")}, 42, "Node id must be an integer, but it is: abc");
  expect_altered(f, of_broker, "", {edit("min.insync.replicas", remove_it, std::nullopt)}, 40,
                 "Cluster-level min.insync.replicas cannot be removed while ELR is enabled.");
  expect_altered(f, of_broker, "1", {edit("min.insync.replicas", set, "1")}, 40,
                 "Broker-level min.insync.replicas cannot be altered while ELR is enabled.");
  expect_altered(f, of_broker, "", {edit("log.retention.ms", set, "99")}, 0, "");
  assert_string_equal(f.node.image()->config(cluster::ResourceType::broker, "").at("log.retention.ms").c_str(), "99");
  expect_altered(f, of_logger, "2", {edit("x", set, "DEBUG")}, 42, "Unexpected node id. Expected 1, but received 2");
}

static void edits_of_groups_and_subscriptions_are_checked(void**) {
  Fixture f;
  expect_altered(f, of_group, "g", {edit("consumer.session.timeout.ms", set, "50000")}, 0, "");
  expect_altered(f, of_group, "g", {edit("consumer.session.timeout.ms", set, "5")}, 40,
                 "consumer.session.timeout.ms must be greater than or equal to group.consumer.min.session.timeout.ms");
  expect_altered(f, of_group, "g", {edit("foo", set, "5")}, 40, "Unknown group config name: foo");
  expect_altered(f, of_group, "", {edit("consumer.session.timeout.ms", set, "50000")}, 42, "Default group resources are not allowed.");
  expect_altered(f, of_metrics, "s", {edit("interval.ms", set, "5")}, 42,
                 "Invalid value 5 for interval.ms, interval must be between 100 and 3600000 (1 hour)");
  expect_altered(f, of_metrics, "s", {edit("foo", set, "5")}, 42, "Unknown client metrics configuration: foo");
  expect_altered(f, of_metrics, "s", {edit("match", set, "x")}, 40, "Illegal client matching pattern: x");
  expect_altered(f, of_metrics, "", {edit("interval.ms", set, "5000")}, 42, "Subscription name can't be empty");
  expect_altered(f, of_metrics, "s", {edit("match", set, "client_id=a.*"), edit("metrics", set, "a,b")}, 0, "");
}

static void a_resource_that_stands_twice_is_altered_by_neither(void**) {
  Fixture f;
  expect_created(f, topic("t"), 0, "");
  IncrementalAlterConfigsRequest request;
  for (const char* value : {"1", "2"}) {
    auto& resource = request.resources.emplace_back();
    resource.resource_type = of_topic;
    resource.resource_name = "t";
    resource.configs.push_back(edit("retention.ms", set, value));
  }
  const auto response = f.node.ask(request);
  for (const auto& answer : response.responses) assert_string_equal(std::string(*answer.error_message).c_str(), "Each resource must appear at most once.");
  assert_string_equal(config_of(f, "t", "retention.ms").c_str(), "(unset)");
}

int main() {
  const CMUnitTest tests[] = {
      cmocka_unit_test(topic_names_follow_kafkas_rules),
      cmocka_unit_test(names_that_differ_in_dots_alone_collide),
      cmocka_unit_test(a_name_that_stands_twice_is_created_by_neither),
      cmocka_unit_test(counts_of_partitions_and_replicas_are_checked),
      cmocka_unit_test(assignments_by_hand_are_checked),
      cmocka_unit_test(settings_of_new_topics_are_checked),
      cmocka_unit_test(partitions_are_only_ever_added),
      cmocka_unit_test(topics_are_deleted_by_name_or_by_id),
      cmocka_unit_test(deleting_can_be_forbidden),
      cmocka_unit_test(lists_are_appended_to_and_subtracted_from),
      cmocka_unit_test(edits_of_topics_are_checked),
      cmocka_unit_test(edits_of_brokers_are_checked),
      cmocka_unit_test(edits_of_groups_and_subscriptions_are_checked),
      cmocka_unit_test(a_resource_that_stands_twice_is_altered_by_neither),
  };
  return cmocka_run_group_tests_name("cluster.decide", tests, nullptr, nullptr);
}
