#include "libkq/client/config.hpp"

#include <cstring>

#include "tests/unit/cmocka.hpp"

using namespace kq;
using namespace kq::client;

namespace {

Result<Config> parse(Role role, std::vector<Setting> settings) {
  settings.insert(settings.begin(), {"bootstrap.servers", "localhost:9092"});
  return Config::parse(role, settings);
}

std::string refusal(Role role, std::vector<Setting> settings) {
  const auto config = parse(role, std::move(settings));
  return config ? "accepted" : config.error().message();
}

}  // namespace

static void defaults_are_kafkas(void**) {
  const auto config = parse(Role::producer, {});
  assert_true(config->acks == Acks::all);
  assert_true(config->idempotence);
  assert_true(config->linger == 5ms);
  assert_int_equal(config->batch_bytes, 16384);
  assert_int_equal(config->in_flight_max, 5);
  assert_true(config->delivery_timeout == 120s);
}

static void values_are_read_by_their_type(void**) {
  const auto config = parse(Role::producer, {{"linger.ms", " 20 "}, {"acks", "-1"}, {"compression.type", "zstd"}, {"batch.size", "1000000"},
                                             {"bootstrap.servers", "a:1, b:2,"}, {"client.id", "me"}, {"enable.idempotence", "TRUE"}});
  assert_true(config.ok());
  assert_true(config->linger == 20ms);
  assert_true(config->compression == Compression::zstd);
  assert_int_equal(config->batch_bytes, 1000000);
  assert_int_equal(config->bootstrap_servers.size(), 2);
  assert_string_equal(config->bootstrap_servers[1].c_str(), "b:2");
  assert_string_equal(config->client_id.c_str(), "me");
}

static void librdkafkas_names_are_understood(void**) {
  const auto config = parse(Role::producer, {{"queue.buffering.max.ms", "7"}, {"request.required.acks", "1"}, {"message.timeout.ms", "60000"}});
  assert_true(config.ok());
  assert_true(config->linger == 7ms && config->acks == Acks::leader && config->delivery_timeout == 60s);
  assert_true(config->was_set("linger.ms"));
}

static void an_unknown_key_is_answered_with_the_nearest(void**) {
  assert_string_equal(refusal(Role::producer, {{"lingerms", "5"}}).c_str(), "no option is called 'lingerms'; the nearest is 'linger.ms'");
  assert_string_equal(refusal(Role::consumer, {{"fetch.min.byte", "5"}}).c_str(),
                      "no option is called 'fetch.min.byte'; the nearest is 'fetch.min.bytes'");
}

static void a_bad_value_is_answered_with_what_is_allowed(void**) {
  assert_string_equal(refusal(Role::producer, {{"linger.ms", "soon"}}).c_str(), "linger.ms=soon: a whole number is needed, 0 .. 900000");
  assert_string_equal(refusal(Role::producer, {{"linger.ms", "-1"}}).c_str(), "linger.ms=-1: a whole number is needed, 0 .. 900000");
  assert_string_equal(refusal(Role::producer, {{"compression.type", "rar"}}).c_str(),
                      "compression.type=rar: one of none|gzip|snappy|lz4|zstd is needed");
  assert_string_equal(refusal(Role::producer, {{"compression.gzip.level", "0"}}).c_str(), "compression.gzip.level=0: -1 or 1 .. 9 is needed");
}

static void what_is_not_there_yet_is_refused(void**) {
  assert_non_null(strstr(refusal(Role::producer, {{"security.protocol", "SASL_SSL"}}).c_str(), "not there yet"));
  assert_non_null(strstr(Config::parse(Role::admin, {}).error().message().c_str(), "bootstrap.servers is not set"));
}

/* As with Java: acks=1 turns idempotence off, unless both were asked for. */
static void idempotence_gives_way_unless_it_was_asked_for(void**) {
  assert_false(parse(Role::producer, {{"acks", "1"}})->idempotence);
  assert_false(parse(Role::producer, {{"max.in.flight", "6"}})->idempotence);
  assert_non_null(strstr(refusal(Role::producer, {{"acks", "1"}, {"enable.idempotence", "true"}}).c_str(), "needs acks=all"));
  assert_string_equal(refusal(Role::consumer, {{"acks", "1"}, {"enable.idempotence", "true"}}).c_str(), "accepted");
}

static void the_delivery_timeout_holds_linger_and_a_request(void**) {
  assert_non_null(strstr(refusal(Role::producer, {{"delivery.timeout.ms", "1000"}, {"linger.ms", "900"}, {"request.timeout.ms", "900"}}).c_str(), "at least"));
  const auto shorter = parse(Role::producer, {{"delivery.timeout.ms", "1000"}});
  assert_true(shorter->linger + shorter->request_timeout <= shorter->delivery_timeout);
  const auto longer = parse(Role::producer, {{"request.timeout.ms", "200000"}});
  assert_true(longer->delivery_timeout == 200005ms);
}

static void every_option_is_listed_in_order_and_takes_its_own_default(void**) {
  std::string_view last;
  for (const OptionInfo& option : options()) {
    assert_true(last < option.name);
    last = option.name;
    assert_true(option.roles != 0 && !option.doc.empty());
    if (option.type == "list") continue;
    assert_string_equal(refusal(Role::admin, {{std::string(option.name), option.default_value}}).c_str(), "accepted");
  }
  assert_true(options().size() > 30);
}

int main() {
  const CMUnitTest tests[] = {
      cmocka_unit_test(defaults_are_kafkas),
      cmocka_unit_test(values_are_read_by_their_type),
      cmocka_unit_test(librdkafkas_names_are_understood),
      cmocka_unit_test(an_unknown_key_is_answered_with_the_nearest),
      cmocka_unit_test(a_bad_value_is_answered_with_what_is_allowed),
      cmocka_unit_test(what_is_not_there_yet_is_refused),
      cmocka_unit_test(idempotence_gives_way_unless_it_was_asked_for),
      cmocka_unit_test(the_delivery_timeout_holds_linger_and_a_request),
      cmocka_unit_test(every_option_is_listed_in_order_and_takes_its_own_default),
  };
  return cmocka_run_group_tests_name("client.config", tests, nullptr, nullptr);
}
