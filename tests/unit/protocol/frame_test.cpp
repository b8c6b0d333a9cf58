#include "libkq/protocol/frame.hpp"

#include "libkq/protocol/messages/api_versions.hpp"
#include "libkq/protocol/messages/fetch.hpp"
#include "libkq/protocol/messages/heartbeat.hpp"
#include "libkq/protocol/messages/metadata.hpp"
#include "libkq/protocol/messages/produce.hpp"
#include "tests/unit/cmocka.hpp"

using namespace kq;

namespace {

void append(std::vector<std::byte>& to, Bytes bytes) { to.insert(to.end(), bytes.begin(), bytes.end()); }

std::vector<std::byte> framed(std::string_view text) {
  std::vector<std::byte> bytes(frame_size_bytes);
  store_be(bytes.data(), static_cast<int32_t>(text.size()));
  append(bytes, as_bytes(text));
  return bytes;
}

// The next frame as text; "" where there is none yet.
std::string next_text(FrameBuffer& buffer) {
  auto frame = buffer.next();
  assert_true(frame.ok());
  return *frame ? std::string{as_text(**frame)} : "";
}

void frames_come_out_whole_however_their_bytes_come_in(void**) {
  std::vector<std::byte> stream;
  const std::string texts[] = {"a", "two frames", std::string(100000, 'x'), "last"};
  for (const std::string& text : texts) append(stream, framed(text));
  for (const size_t step : {size_t{1}, size_t{3}, size_t{4096}, stream.size()}) {
    FrameBuffer buffer;
    std::vector<std::string> got;
    for (size_t at = 0; at < stream.size(); at += step) {
      buffer.append(Bytes{stream}.subspan(at, std::min(step, stream.size() - at)));
      for (std::string text = next_text(buffer); !text.empty(); text = next_text(buffer)) got.push_back(text);
    }
    assert_true(std::equal(got.begin(), got.end(), std::begin(texts), std::end(texts)));
    assert_int_equal(buffer.buffered_bytes(), 0);
  }
}

void a_size_that_cannot_be_is_refused_before_its_bytes_come(void**) {
  for (const int32_t size : {0, -1, std::numeric_limits<int32_t>::min(), 1001, std::numeric_limits<int32_t>::max()}) {
    FrameBuffer buffer{1000};
    std::byte length[frame_size_bytes];
    store_be(length, size);
    buffer.append(Bytes{length});
    const auto frame = buffer.next();
    assert_false(frame.ok());
    assert_int_equal(frame.error().code(), own_code::protocol);
  }
}

void memory_follows_what_has_arrived(void**) {
  FrameBuffer buffer;
  std::byte length[frame_size_bytes];
  store_be(length, int32_t{100 << 20});
  buffer.append(Bytes{length});
  assert_in_range(buffer.space().size(), 1, 2 << 20);
  std::vector<std::byte> some(2 << 20);
  buffer.append(some);
  buffer.space();
  assert_in_range(buffer.capacity_bytes(), 2 << 20, 6 << 20);
}

void an_idle_buffer_gives_its_memory_back(void**) {
  FrameBuffer buffer;
  buffer.append(framed("whole"));
  buffer.append(Bytes{framed("cut off")}.first(6));
  assert_string_equal(next_text(buffer).c_str(), "whole");
  buffer.release();
  assert_int_equal(buffer.buffered_bytes(), 6);        // part of a frame is held
  buffer.append(Bytes{framed("cut off")}.subspan(6));
  assert_string_equal(next_text(buffer).c_str(), "cut off");
  buffer.release();
  assert_int_equal(buffer.capacity_bytes(), 0);
}

void shared_frames_outlive_what_comes_after_them(void**) {
  FrameBuffer buffer;
  buffer.append(framed("kept"));
  buffer.append(Bytes{framed("next")}.first(5));
  const Bytes kept = **buffer.next();
  const auto owner = buffer.share();
  buffer.append(Bytes{framed("next")}.subspan(5));
  for (int i = 0; i < 10000; ++i) {
    buffer.append(framed("noise"));
    next_text(buffer);
  }
  buffer.release();
  assert_true(as_text(kept) == "kept");
}

void requests_carry_the_header_of_their_version(void**) {
  HeartbeatRequest heartbeat{.group_id = "g", .generation_id = 3, .member_id = "m"};
  for (int16_t version = HeartbeatRequest::oldest; version <= HeartbeatRequest::newest; ++version) {
    Encoded out;
    assert_true(encode_request(heartbeat, version, 42, "client", out));
    assert_int_equal(load_be<int32_t>(out.bytes.data()), out.bytes.size() - frame_size_bytes);
    const auto frame = read_request(Bytes{out.bytes}.subspan(frame_size_bytes));
    assert_true(frame && frame->api() == ApiKey::heartbeat);
    assert_int_equal(frame->version(), version);
    assert_int_equal(frame->header.correlation_id, 42);
    assert_true(frame->header.client_id == "client");
    const auto request = decode<HeartbeatRequest>(frame->body, version);
    assert_true(request && request->group_id == "g" && request->member_id == "m" && request->generation_id == 3);
  }
}

void unknown_apis_and_cut_headers_are_no_requests(void**) {
  Encoded out;
  assert_true(encode_request(HeartbeatRequest{}, 4, 1, "client", out));
  const Bytes frame = Bytes{out.bytes}.subspan(frame_size_bytes);
  const size_t header_bytes = 2 + 2 + 4 + 2 + 6 + 1;
  for (size_t size = 0; size < header_bytes; ++size) assert_false(read_request(frame.first(size)).has_value());
  assert_true(read_request(frame.first(header_bytes)).has_value());
  for (const int16_t key : {-1, 4, 93, 1000}) {        // 4 was LeaderAndIsr
    store_be(out.bytes.data() + frame_size_bytes, key);
    assert_false(read_request(frame).has_value());
  }
}

void api_versions_answers_in_the_oldest_header(void**) {
  assert_int_equal(response_header_version<ApiVersionsResponse>(4), 0);
  assert_int_equal(request_header_version<ApiVersionsRequest>(4), 2);
  assert_int_equal(response_header_version<MetadataResponse>(9), 1);
  assert_int_equal(response_header_version<MetadataResponse>(8), 0);
}

void records_from_elsewhere_count_in_the_frame_and_stay_out_of_it(void**) {
  const std::string large(copied_records_bytes_max + 1, 'r');
  FetchResponse response;
  auto& partitions = response.responses.emplace_back().partitions;
  partitions.resize(3);
  partitions[0].records = Records{.external_size = 5000, .external_id = 7};
  partitions[1].records = Records{.bytes = as_bytes("small")};
  partitions[2].records = Records{.bytes = as_bytes(large)};
  Encoded out;
  assert_true(encode_response(response, 16, 9, out));
  assert_int_equal(out.splices.size(), 2);
  assert_int_equal(out.splices[0].external_id, 7);
  assert_int_equal(out.splices[0].size(), 5000);
  assert_ptr_equal(out.splices[1].bytes.data(), large.data());
  assert_int_equal(out.size(), out.bytes.size() + 5000 + large.size());
  assert_int_equal(load_be<int32_t>(out.bytes.data()), out.size() - frame_size_bytes);
  assert_int_equal(encoded_size(response, 16).value(), out.size() - frame_size_bytes - 5);

  std::vector<std::byte> whole;                          // put together as it would arrive
  size_t at = 0;
  for (const Splice& splice : out.splices) {
    append(whole, Bytes{out.bytes}.subspan(at, splice.at - at));
    if (splice.external_size > 0) whole.resize(whole.size() + splice.external_size, std::byte{'e'});
    else append(whole, splice.bytes);
    at = splice.at;
  }
  append(whole, Bytes{out.bytes}.subspan(at));
  const auto back = decode<FetchResponse>(read_response(Bytes{whole}.subspan(frame_size_bytes), 1)->body, 16);
  assert_true(back.has_value());
  const auto& got = back->responses[0].partitions;
  assert_true(as_text(got[0].records->bytes) == std::string(5000, 'e'));
  assert_true(as_text(got[1].records->bytes) == "small");
  assert_true(as_text(got[2].records->bytes) == large);
}

void what_cannot_be_said_leaves_no_trace(void**) {
  Encoded out;
  assert_true(encode_response(HeartbeatResponse{}, 4, 1, out));
  const auto before = out.bytes;
  HeartbeatRequest request;
  const std::string endless(string_bytes_max + 1, 'g');
  request.group_id = endless;
  assert_false(encode_request(request, 4, 1, "c", out));
  assert_false(encode_request(HeartbeatRequest{}, 5, 1, "c", out));            // no such version
  assert_false(encode_request(HeartbeatRequest{}, 4, 1, endless, out));
  assert_true(out.bytes == before && out.splices.empty());
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {
      cmocka_unit_test(frames_come_out_whole_however_their_bytes_come_in),
      cmocka_unit_test(a_size_that_cannot_be_is_refused_before_its_bytes_come),
      cmocka_unit_test(memory_follows_what_has_arrived),
      cmocka_unit_test(an_idle_buffer_gives_its_memory_back),
      cmocka_unit_test(shared_frames_outlive_what_comes_after_them),
      cmocka_unit_test(requests_carry_the_header_of_their_version),
      cmocka_unit_test(unknown_apis_and_cut_headers_are_no_requests),
      cmocka_unit_test(api_versions_answers_in_the_oldest_header),
      cmocka_unit_test(records_from_elsewhere_count_in_the_frame_and_stay_out_of_it),
      cmocka_unit_test(what_cannot_be_said_leaves_no_trace),
  };
  return cmocka_run_group_tests_name("protocol.frame", tests, nullptr, nullptr);
}
