// Every vector of a message, a record or a frame, both ways.
#include <map>
#include <set>

#include "libkq/protocol/messages/headers.hpp"
#include "libkq/protocol/record_frame.hpp"
#include "tests/wire/vectors.hpp"

#include "tests/unit/cmocka.hpp"                       // last: it has a macro called fail

namespace kq {
namespace {

std::string hex(Bytes bytes) {
  std::string out;
  for (const std::byte b : bytes) {
    constexpr char digits[] = "0123456789abcdef";
    out += digits[static_cast<int>(b) >> 4];
    out += digits[static_cast<int>(b) & 15];
  }
  return out;
}

void fail_at(const Vector& vector, const std::string& why) { fail_msg("%s: %s", vector.where.c_str(), why.c_str()); }

// Reads, prints and writes the bytes of one message.
void check_both_ways(const Vector& vector, Bytes bytes, const boost::json::value& body) {
  if (vector.entry == nullptr) return fail_at(vector, "no such message in the schema");
  const Walked walked = vector.entry->walk(bytes, vector.version);
  if (!walked.ok) return fail_at(vector, "cannot be read");
  if (walked.left != 0) return fail_at(vector, std::to_string(walked.left) + " bytes are left");
  if (!same(boost::json::parse(walked.json), body))
    return fail_at(vector, "reads as " + walked.json + "\nnot as " + boost::json::serialize(body));
  if (!walked.written) return fail_at(vector, "cannot be written");
  if (walked.bytes != walked.gathered) return fail_at(vector, "is written otherwise when records are left out of the buffer");
  if (walked.size != walked.bytes.size()) return fail_at(vector, "is sized wrongly");
  if (hex(walked.bytes) != hex(bytes)) return fail_at(vector, "is written as " + hex(walked.bytes) + "\nnot as " + hex(bytes));
}

void each_message_reads_prints_and_writes_as_kafka_does(void**) {
  for (const Vector& vector : message_vectors()) check_both_ways(vector, vector.bytes, vector.line.at("body"));
}

void each_version_of_each_message_has_a_vector(void**) {
  std::map<const Entry*, std::set<int16_t>> seen;
  for (const Vector& vector : message_vectors()) seen[vector.entry].insert(vector.version);
  for (const Entry& entry : all_messages()) {
    const Entry* row = find_message(entry.name, entry.kind);
    assert_ptr_equal(row, &entry);                       // names are unique
    for (int version = entry.oldest; version <= entry.newest; ++version) {
      if (!seen[row].contains(static_cast<int16_t>(version)))
        fail_msg("no vector of %s %s version %d", std::string{entry.name}.c_str(), std::string{entry.kind}.c_str(), version);
    }
  }
}

void each_frame_has_the_header_of_its_version(void**) {
  for (const Vector& vector : frame_vectors()) {
    const auto header_version = vector.line.at("header_version").to_number<int16_t>();
    assert_non_null(vector.entry);
    assert_int_equal(vector.entry->header_version(vector.version), header_version);
    std::string header_json;
    std::vector<std::byte> header_bytes;
    Bytes body;
    if (vector.entry->kind == "request") {
      const auto frame = read_request(vector.bytes);
      if (!frame) return fail_at(vector, "header cannot be read");
      assert_int_equal(frame->version(), vector.version);
      assert_ptr_equal(find_api(static_cast<int16_t>(frame->api()), "request"), vector.entry);
      header_json = to_json(frame->header, header_version);
      assert_true(encode(frame->header, header_version, header_bytes));
      body = frame->body;
    } else {
      const auto frame = read_response(vector.bytes, header_version);
      if (!frame) return fail_at(vector, "header cannot be read");
      ResponseHeader header;
      header.correlation_id = frame->correlation_id;
      header_json = to_json(header, header_version);
      assert_true(encode(header, header_version, header_bytes));
      body = frame->body;
    }
    if (!same(boost::json::parse(header_json), vector.line.at("header"))) fail_at(vector, "header reads as " + header_json);
    assert_string_equal(hex(header_bytes).c_str(), hex(Bytes{vector.bytes}.first(header_bytes.size())).c_str());
    assert_int_equal(header_bytes.size() + body.size(), vector.bytes.size());
    check_both_ways(vector, body, vector.line.at("body"));
  }
}

void each_record_has_the_frame_of_its_log(void**) {
  int framed_records = 0;
  for (const Vector& vector : message_vectors()) {
    if (!vector.line.contains("framed")) continue;
    ++framed_records;
    const auto framed = from_hex(text_at(vector.line, "framed"));
    const auto type = static_cast<uint32_t>(vector.entry->number);
    const bool metadata = vector.entry->file == "metadata_records" || vector.entry->file == "remote_log_records";
    const auto frame = metadata                       ? read_metadata_frame(framed)
                       : vector.entry->kind == "key" ? read_key_frame(framed)
                                                     : read_value_frame(framed, type);
    if (!frame) return fail_at(vector, "its frame cannot be read");
    assert_int_equal(frame->type, type);
    assert_int_equal(frame->version, vector.version);
    assert_string_equal(hex(frame->message).c_str(), hex(vector.bytes).c_str());
  }
  assert_true(framed_records > 500);
}

void the_table_of_apis_agrees_with_the_messages(void**) {
  size_t requests = 0;
  for (const Entry& entry : all_messages()) requests += entry.kind == "request";
  assert_int_equal(requests, std::size(api_table));
  for (const ApiInfo& api : api_table) {
    const Entry* request = find_api(static_cast<int16_t>(api.key), "request");
    const Entry* response = find_api(static_cast<int16_t>(api.key), "response");
    assert_non_null(request);
    assert_non_null(response);
    assert_int_equal(request->oldest, api.oldest);
    assert_int_equal(request->newest, api.newest);
    assert_int_equal(request->flexible, api.flexible);
    assert_int_equal(response->flexible, api.flexible);
  }
}

}  // namespace
}  // namespace kq

int main() {
  using namespace kq;
  const CMUnitTest tests[] = {
      cmocka_unit_test(each_message_reads_prints_and_writes_as_kafka_does),
      cmocka_unit_test(each_version_of_each_message_has_a_vector),
      cmocka_unit_test(each_frame_has_the_header_of_its_version),
      cmocka_unit_test(each_record_has_the_frame_of_its_log),
      cmocka_unit_test(the_table_of_apis_agrees_with_the_messages),
  };
  return cmocka_run_group_tests_name("wire.messages", tests, nullptr, nullptr);
}
