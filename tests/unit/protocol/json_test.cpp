#include "libkq/protocol/json.hpp"

#include "libkq/protocol/messages/alter_client_quotas.hpp"
#include "libkq/protocol/messages/fetch.hpp"
#include "libkq/protocol/messages/headers.hpp"
#include "libkq/protocol/messages/principal.hpp"
#include "libkq/protocol/messages/sasl_authenticate.hpp"
#include "tests/unit/cmocka.hpp"

using namespace kq;

namespace {

std::string printed(std::string_view text) {
  RequestHeader header;
  header.client_id = text;
  const std::string json = to_json(header, 1);
  const std::string front = R"({"request_api_key":0,"request_api_version":0,"correlation_id":0,"client_id":)";
  assert_true(json.starts_with(front));
  return json.substr(front.size(), json.size() - front.size() - 1);
}

void secrets_are_hidden_unless_asked_for(void**) {
  SaslAuthenticateRequest request;
  request.auth_bytes = as_bytes("pass");
  assert_string_equal(to_json(request, 2).c_str(), R"({"auth_bytes":"***"})");
  assert_string_equal(to_json(request, 2, Secrets::shown).c_str(), R"({"auth_bytes":"70617373"})");
}

void text_becomes_valid_json(void**) {
  assert_string_equal(printed("plain").c_str(), "\"plain\"");
  assert_string_equal(printed("a\"b\\c\n\x7f").c_str(), R"("a\"b\\c\u000a\u007f")");
  assert_string_equal(printed(std::string_view{"\0", 1}).c_str(), R"("\u0000")");
  assert_string_equal(printed("κόσμος 😀").c_str(), "\"κόσμος 😀\"");
}

void what_is_not_utf8_shows_the_replacement_character(void**) {
  assert_string_equal(printed("a\xff").c_str(), R"("a\ufffd")");
  assert_string_equal(printed("\xc3").c_str(), R"("\ufffd")");              // cut off
  assert_string_equal(printed("\xc0\xaf").c_str(), R"("\ufffd\ufffd")");    // overlong
  assert_string_equal(printed("\xed\xa0\x80").c_str(), R"("\ufffd\ufffd\ufffd")");    // a surrogate
  assert_string_equal(printed("\xf4\x90\x80\x80").c_str(), R"("\ufffd\ufffd\ufffd\ufffd")");
}

void null_tags_and_ids_print_as_kafka_tells_them(void**) {
  RequestHeader header;
  header.client_id.reset();
  header.unknown_tags = {{5, as_bytes("a")}, {7, as_bytes("")}};
  assert_string_equal(to_json(header, 2).c_str(), R"({"request_api_key":0,"request_api_version":0,"correlation_id":0,)"
                                                  R"("client_id":null,"_tags":{"5":"61","7":""}})");
  FetchRequest::FetchTopic topic;
  topic.topic_id = metadata_topic_id;
  FetchRequest request;
  request.topics.push_back(topic);
  assert_true(to_json(request, 17).find(R"([{"topic_id":"AAAAAAAAAAAAAAAAAAAAAQ","partitions":[]}])") != std::string::npos);
}

void records_from_elsewhere_are_told_by_their_size(void**) {
  FetchResponse response;
  response.responses.emplace_back().partitions.emplace_back().records = Records{.external_size = 12, .external_id = 1};
  assert_true(to_json(response, 12).find(R"x("records":"(12 bytes from elsewhere)")x") != std::string::npos);
}

void numbers_keep_their_value(void**) {
  AlterClientQuotasRequest request;
  auto& op = request.entries.emplace_back().ops.emplace_back();
  op.value = 0.1;
  assert_true(to_json(request, 1).find(R"("value":0.1,)") != std::string::npos);
  op.value = std::numeric_limits<double>::infinity();
  assert_true(to_json(request, 1).find(R"("value":"Infinity",)") != std::string::npos);
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {
      cmocka_unit_test(secrets_are_hidden_unless_asked_for),
      cmocka_unit_test(text_becomes_valid_json),
      cmocka_unit_test(what_is_not_utf8_shows_the_replacement_character),
      cmocka_unit_test(null_tags_and_ids_print_as_kafka_tells_them),
      cmocka_unit_test(records_from_elsewhere_are_told_by_their_size),
      cmocka_unit_test(numbers_keep_their_value),
  };
  return cmocka_run_group_tests_name("protocol.json", tests, nullptr, nullptr);
}
