// What clients, brokers and controllers said to each other: each request and each answer is read and written again.
#include <map>

#include "tests/wire/vectors.hpp"

#include "tests/unit/cmocka.hpp"                       // last: it has a macro called fail

namespace kq {
namespace {

// Reads `bytes` behind a header and writes both again.
void check(const std::string& where, const Entry* entry, int16_t version, Bytes frame, Bytes body,
           std::vector<std::byte> header) {
  assert_non_null(entry);
  const Walked walked = entry->walk(body, version);
  if (!walked.ok) fail_msg("%s: cannot be read", where.c_str());
  if (walked.left != 0) fail_msg("%s: %zu bytes are left", where.c_str(), walked.left);
  header.insert(header.end(), walked.bytes.begin(), walked.bytes.end());
  if (!std::equal(header.begin(), header.end(), frame.begin(), frame.end()))
    fail_msg("%s: is written otherwise: %s", where.c_str(), walked.json.c_str());
}

void check_exchange(const std::string& where, const boost::json::object& line) {
  const auto request_bytes = from_hex(text_at(line, "request"));
  const auto request = read_request(request_bytes);
  if (!request) fail_msg("%s: the request's header cannot be read", where.c_str());
  const Entry* entry = find_api(static_cast<int16_t>(request->api()), "request");
  const int16_t version = request->version();
  const bool known = entry != nullptr && version >= entry->oldest && version <= entry->newest;
  const int16_t header_version = entry->header_version(version);
  std::vector<std::byte> header;
  if (known) {
    assert_true(encode(request->header, header_version, header));
    check(where + " request", entry, version, request_bytes, request->body, header);
  }
  if (!line.at("response").is_string()) return;          // closed instead, or acks 0
  const auto response_bytes = from_hex(text_at(line, "response"));
  const int16_t answered = known ? version : 0;          // ApiVersions of an unknown version is answered in the oldest form
  const Entry* answer = find_api(static_cast<int16_t>(request->api()), "response");
  const auto response = read_response(response_bytes, answer->header_version(answered));
  if (!response) fail_msg("%s: the answer's header cannot be read", where.c_str());
  assert_int_equal(response->correlation_id, request->header.correlation_id);
  ResponseHeader response_header;
  response_header.correlation_id = response->correlation_id;
  header.clear();
  assert_true(encode(response_header, answer->header_version(answered), header));
  check(where + " answer", answer, answered, response_bytes, response->body, header);
}

void check_file(const std::string& file) {
  size_t number = 0, exchanges = 0;
  for (const boost::json::object& line : lines_of(file)) {
    ++number;
    if (!line.contains("request")) continue;             // SASL's bare tokens
    check_exchange(file + ":" + std::to_string(number), line);
    ++exchanges;
  }
  assert_true(exchanges > 40);
}

void exchanges_with_a_broker_read_and_write_the_same(void**) { check_file("exchanges.jsonl"); }
void traffic_of_a_cluster_reads_and_writes_the_same(void**) { check_file("traffic.jsonl"); }

}  // namespace
}  // namespace kq

int main() {
  using namespace kq;
  const CMUnitTest tests[] = {
      cmocka_unit_test(exchanges_with_a_broker_read_and_write_the_same),
      cmocka_unit_test(traffic_of_a_cluster_reads_and_writes_the_same),
  };
  return cmocka_run_group_tests_name("wire.traffic", tests, nullptr, nullptr);
}
