#include "broker/config.hpp"

#include <climits>
#include <string>

#include "broker/config_table.hpp"
#include "tests/unit/cmocka.hpp"

using namespace kq;
using namespace kq::broker;

static std::string refusal(const Settings& settings) {
  const auto config = Config::from(settings);
  return config ? "" : config.error().message();
}

static void assert_refused(const Settings& settings, const char* words) {
  const std::string message = refusal(settings);
  if (message.find(words) == message.npos) fail_msg("expected '%s' in '%s'", words, message.c_str());
}

static void without_settings_it_is_this_machines_own_broker(void**) {
  const auto config = Config::from({});
  assert_true(config.ok());
  assert_int_equal(config->node_id, 1);
  assert_string_equal(config->log_dirs.at(0).c_str(), "./kq-data");
  assert_string_equal(config->metadata_log_dir.c_str(), "./kq-data");
  assert_int_equal(config->listeners.size(), 1);
  assert_string_equal(config->listeners[0].text().c_str(), "PLAINTEXT://127.0.0.1:9092");
  assert_string_equal(config->listener("PLAINTEXT")->host.c_str(), "127.0.0.1");
  assert_int_equal(config->socket_request_max_bytes, 104857600);
  assert_int_equal(config->metadata_log_max_record_bytes_between_snapshots, 20971520);
  assert_true(config->log_flush_acks == FlushAcks::none);
  assert_true(config->ignored().empty());
}

static void every_default_is_a_valid_value(void**) {
  for (const auto keys : {broker_keys(), topic_keys(), group_keys(), client_metrics_keys()})
    for (const ConfigKey& key : keys)
      if (key.default_value) {
        const Status status = check_value(key, key.default_value);
        if (!status) fail_msg("%s: %s", key.name, status.error().message().c_str());
        assert_string_equal(normal_value(key, key.default_value).c_str(), key.default_value);
      }
}

static void keys_stand_once_and_say_what_they_are(void**) {
  for (const auto keys : {broker_keys(), topic_keys(), group_keys(), client_metrics_keys()})
    for (size_t i = 0; i < keys.size(); ++i) {
      assert_true(std::string(keys[i].what).ends_with('.'));
      assert_ptr_equal(find_key(keys, keys[i].name), &keys[i]);
      for (const auto stand_in : keys[i].stand_in_names()) assert_non_null(find_key(broker_keys(), stand_in));
    }
}

static void an_unknown_key_names_the_nearest_known_one(void**) {
  assert_refused({{"num.partition", "3"}}, "did you mean 'num.partitions'?");
  assert_refused({{"logs.dir", "/x"}}, "did you mean 'log.dir");
  assert_refused({{"max.message.bytes", "3"}}, "brokers' default for it is 'message.max.bytes'");
}

static void keys_that_kqd_does_not_use_are_ignored_by_name(void**) {
  const auto config = Config::from({{"metrics.num.samples", "3"},
                                    {"num.partitions", "3"},
                                    {"log.retention.hours", "1"},
                                    {"listener.name.plaintext.ssl.keystore.location", "x"},
                                    {"super.users", "User:a"}});
  assert_true(config.ok());
  const auto ignored = config->ignored();
  assert_int_equal(ignored.size(), 3);
  assert_string_equal(ignored[0].c_str(), "listener.name.plaintext.ssl.keystore.location");
  assert_string_equal(ignored[1].c_str(), "metrics.num.samples");
}

static void values_are_checked_in_kafkas_words(void**) {
  assert_refused({{"num.partitions", "0"}}, "Invalid value 0 for configuration num.partitions: Value must be at least 1");
  assert_refused({{"num.partitions", "x"}}, "Invalid value x for configuration num.partitions: Not a number of type INT");
  assert_refused({{"num.partitions", "99999999999"}}, "Not a number of type INT");
  assert_refused({{"log.cleaner.min.cleanable.ratio", "2"}},
                 "Invalid value 2.0 for configuration log.cleaner.min.cleanable.ratio: Value must be no more than 1");
  assert_refused({{"compression.type", "GZIP"}}, "String must be one of: uncompressed, zstd, lz4, snappy, gzip, producer");
  assert_refused({{"compression.gzip.level", "0"}}, "Value must be between 1 and 9 or equal to -1");
  assert_refused({{"log.cleanup.policy", "compact,foo"}}, "Invalid value foo for configuration log.cleanup.policy");
  assert_refused({{"log.cleanup.policy", ","}}, "Configuration 'log.cleanup.policy' values must not be empty.");
  assert_refused({{"auto.create.topics.enable", "yes"}}, "Expected value to be either true or false");
  assert_refused({{"log.retention.ms", "0"}}, "log.retention.ms must be unlimited (-1) or");
  assert_refused({{"ssl.key.password", "secret"}, {"num.partitions", "0"}}, "num.partitions");
}

static void values_are_written_back_as_java_does(void**) {
  const auto normal = [](const char* key, const char* value) { return normal_value(*find_key(topic_keys(), key), value); };
  assert_string_equal(normal("preallocate", " TRUE ").c_str(), "true");
  assert_string_equal(normal("cleanup.policy", "delete , compact").c_str(), "delete,compact");
  assert_string_equal(normal("min.cleanable.dirty.ratio", "1").c_str(), "1.0");
  assert_string_equal(normal("segment.bytes", "+2000000").c_str(), "2000000");
}

static void durations_are_told_from_other_words(void**) {
  const auto ok = [](const char* value) { return check_value(*find_key(group_keys(), "share.auto.offset.reset"), value).ok(); };
  for (const char* good : {"latest", "earliest", "by_duration:PT1H", "by_duration:P2DT3H4M5.5S", "by_duration:P1D"})
    if (!ok(good)) fail_msg("%s", good);
  for (const char* bad : {"", "none", "by_duration:", "by_duration:P", "by_duration:PT", "by_duration:P1H", "by_duration:PT1D", "by_duration:PT5"})
    if (ok(bad)) fail_msg("%s", bad);
}

static void only_the_roles_of_a_single_node_are_taken(void**) {
  assert_refused({{"process.roles", "broker"}}, "cannot join a cluster yet");
  assert_refused({{"process.roles", "controller"}}, "cannot join a cluster yet");
  assert_refused({{"process.roles", "foo"}}, "String must be one of: broker, controller");
  assert_true(Config::from({{"process.roles", "controller, broker"}}).ok());
  assert_refused({{"controller.quorum.voters", "2@localhost:9093"}}, "names node 2, and this is node 1");
  assert_refused({{"controller.quorum.voters", "1@a:1,2@b:1"}}, "names node 2");
  assert_refused({{"controller.quorum.voters", "localhost:9093"}}, "{id}@{host}:{port}");
  assert_true(Config::from({{"node.id", "7"}, {"controller.quorum.voters", "7@localhost:9093"}}).ok());
  assert_refused({{"controller.quorum.bootstrap.servers", "a:1,b:1"}}, "several controllers");
  assert_refused({{"node.id", "2"}, {"broker.id", "3"}}, "same value");
  assert_int_equal(Config::from({{"broker.id", "3"}})->node_id, 3);
}

static void the_usual_server_properties_are_read(void**) {
  const auto settings = parse_properties(
      "process.roles=broker,controller\nnode.id=1\ncontroller.quorum.bootstrap.servers=localhost:9093\n"
      "listeners=PLAINTEXT://:9092,CONTROLLER://:9093\ninter.broker.listener.name=PLAINTEXT\n"
      "advertised.listeners=PLAINTEXT://localhost:9092,CONTROLLER://localhost:9093\ncontroller.listener.names=CONTROLLER\n"
      "listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SSL:SSL\nnum.network.threads=3\nnum.io.threads=8\n"
      "socket.send.buffer.bytes=102400\nlog.dirs=/tmp/a,/tmp/b\nnum.partitions=1\nlog.retention.hours=168\n");
  const auto config = Config::from(*settings);
  assert_true(config.ok());
  assert_int_equal(config->listeners.size(), 1);
  assert_string_equal(config->listeners[0].host.c_str(), "");
  assert_int_equal(config->controller_listeners.size(), 1);
  assert_int_equal(config->controller_listeners[0].port, 9093);
  assert_int_equal(config->advertised_listeners.size(), 1);
  assert_string_equal(config->listener("PLAINTEXT")->host.c_str(), "localhost");
  assert_int_equal(config->log_dirs.size(), 2);
  assert_true(config->ignored().empty());
}

static void listeners_have_names_protocols_and_addresses(void**) {
  const auto config = Config::from({{"listeners", "inside://[::1]:9092,OUTSIDE://127.0.0.1:9092"},
                                    {"advertised.listeners", "INSIDE://[::1]:9092,OUTSIDE://kafka.example.org:19092"},
                                    {"listener.security.protocol.map", "INSIDE:PLAINTEXT,OUTSIDE:PLAINTEXT"},
                                    {"inter.broker.listener.name", "INSIDE"}});
  assert_true(config.ok());
  assert_string_equal(config->listeners[0].text().c_str(), "INSIDE://[::1]:9092");
  assert_string_equal(config->listener("OUTSIDE")->text().c_str(), "OUTSIDE://kafka.example.org:19092");
  assert_string_equal(config->inter_broker_listener_name.c_str(), "INSIDE");
}

static void listeners_that_cannot_work_are_refused(void**) {
  assert_refused({{"listeners", "PLAINTEXT:9092"}}, "is not NAME://host:port");
  assert_refused({{"listeners", "PLAINTEXT://:99999"}}, "is not NAME://host:port");
  assert_refused({{"listeners", ""}}, "must not be empty");
  assert_refused({{"listeners", "FOO://127.0.0.1:1"}}, "no security protocol is defined for listener FOO");
  assert_refused({{"listeners", "PLAINTEXT://a:1,PLAINTEXT://a:2"}}, "different name");
  assert_refused({{"listeners", "PLAINTEXT://127.0.0.1:1,CONTROLLER://127.0.0.1:1"}}, "same port 1");
  assert_refused({{"listeners", "CONTROLLER://127.0.0.1:1"}}, "no client could connect");
  assert_refused({{"listeners", "PLAINTEXT://0.0.0.0:9092"}}, "nonroutable meta-address");
  assert_refused({{"listeners", "SSL://127.0.0.1:9092"}}, "only PLAINTEXT can be served");
  assert_refused({{"advertised.listeners", "CONTROLLER://x:1"}}, "at least one broker advertised listener");
  assert_refused({{"advertised.listeners", "SSL://x:1"}}, "is not in advertised.listeners");
  assert_refused({{"inter.broker.listener.name", "FOO"}}, "not found in listener.security.protocol.map");
  assert_refused({{"inter.broker.listener.name", "PLAINTEXT"}, {"security.inter.broker.protocol", "PLAINTEXT"}}, "Only one of");
  assert_refused({{"listener.security.protocol.map", "PLAINTEXT:FOO"}}, "Invalid security protocol `FOO`");
  assert_refused({{"listeners", "EXTERNAL://127.0.0.1:1"}, {"listener.security.protocol.map", "EXTERNAL:PLAINTEXT"}},
                 "valid options based on currently configured listeners are EXTERNAL");
}

static void a_topic_without_settings_has_kafkas_defaults(void**) {
  const TopicConfig topic = Config::from({})->topic_defaults({}, {});
  assert_true(topic.remove && !topic.compact);
  assert_int_equal(topic.retention_ms, 604800000);
  assert_int_equal(topic.segment_ms, 604800000);
  assert_int_equal(topic.segment_bytes, 1 << 30);
  assert_int_equal(topic.max_message_bytes, 1048588);
  assert_int_equal(topic.flush_ms, INT64_MAX);
  assert_int_equal(topic.segment_jitter_ms, 0);
  assert_false(topic.compression_type.has_value());
  assert_true(topic.min_cleanable_dirty_ratio == 0.5);
}

static void a_topics_own_settings_go_before_the_brokers(void**) {
  const auto config = Config::from({{"log.retention.minutes", "10"}, {"log.roll.hours", "2"}, {"message.max.bytes", "2000000"},
                                    {"log.cleanup.policy", "compact,delete"}, {"compression.type", "lz4"}});
  const TopicConfig defaults = config->topic_defaults({{"message.max.bytes", "3000000"}}, {{"log.retention.ms", "-1"}, {"message.max.bytes", "9"}});
  assert_int_equal(defaults.retention_ms, -1);
  assert_int_equal(defaults.segment_ms, 7200000);
  assert_int_equal(defaults.max_message_bytes, 3000000);
  assert_true(defaults.remove && defaults.compact);
  assert_true(defaults.compression_type == Codec::lz4);
  assert_int_equal(config->topic_defaults({}, {}).retention_ms, 600000);

  const TopicConfig topic = defaults.with({{"retention.ms", "5"}, {"compression.type", "producer"}, {"cleanup.policy", ""},
                                           {"message.timestamp.type", "LogAppendTime"}, {"internal.segment.bytes", "100"}});
  assert_int_equal(topic.retention_ms, 5);
  assert_false(topic.compression_type.has_value());
  assert_true(!topic.remove && !topic.compact);
  assert_true(topic.message_timestamp_type == TimestampType::log_append);
  assert_int_equal(topic.segment_bytes, 100);
  assert_int_equal(topic.max_message_bytes, 3000000);
}

int main() {
  const CMUnitTest tests[] = {
      cmocka_unit_test(without_settings_it_is_this_machines_own_broker),
      cmocka_unit_test(every_default_is_a_valid_value),
      cmocka_unit_test(keys_stand_once_and_say_what_they_are),
      cmocka_unit_test(an_unknown_key_names_the_nearest_known_one),
      cmocka_unit_test(keys_that_kqd_does_not_use_are_ignored_by_name),
      cmocka_unit_test(values_are_checked_in_kafkas_words),
      cmocka_unit_test(values_are_written_back_as_java_does),
      cmocka_unit_test(durations_are_told_from_other_words),
      cmocka_unit_test(only_the_roles_of_a_single_node_are_taken),
      cmocka_unit_test(the_usual_server_properties_are_read),
      cmocka_unit_test(listeners_have_names_protocols_and_addresses),
      cmocka_unit_test(listeners_that_cannot_work_are_refused),
      cmocka_unit_test(a_topic_without_settings_has_kafkas_defaults),
      cmocka_unit_test(a_topics_own_settings_go_before_the_brokers),
  };
  return cmocka_run_group_tests_name("broker.config", tests, nullptr, nullptr);
}
