#include "libkq/protocol/wire.hpp"

#include <memory>

#include "libkq/protocol/apis.hpp"
#include "libkq/protocol/messages/api_versions.hpp"
#include "libkq/protocol/messages/fetch.hpp"
#include "libkq/protocol/messages/find_coordinator.hpp"
#include "libkq/protocol/messages/group_records.hpp"
#include "libkq/protocol/messages/join_group.hpp"
#include "libkq/protocol/messages/metadata.hpp"
#include "tests/unit/cmocka.hpp"

using namespace kq;

namespace {

template <class Message>
std::vector<std::byte> written(const Message& message, int16_t version) {
  std::vector<std::byte> bytes;
  assert_true(encode(message, version, bytes));
  return bytes;
}

// Written and read again; the bytes live as long as the answer.
template <class Message>
struct Again {
  Again(const Message& message, int16_t version) : bytes(written(message, version)), message(decode<Message>(bytes, version)) {
    assert_true(this->message.has_value());
  }
  const Message* operator->() const { return &*message; }
  std::vector<std::byte> bytes;
  std::optional<Message> message;
};

template <class Message>
std::string refused(const Message& message, int16_t version) {
  std::vector<std::byte> bytes;
  Writer wire{&bytes, nullptr, version, version >= Message::flexible};
  Message::fields(message, wire);
  return wire.ok() ? "" : wire.refused();
}

void a_value_that_the_version_lacks_is_refused_by_name(void**) {
  FetchRequest request;
  request.replica_id = 5;
  assert_string_equal(refused(request, 14).c_str(), "");
  assert_string_equal(refused(request, 15).c_str(), "replica_id");
  request.replica_id = -1;
  request.replica_state.replica_epoch = 9;
  assert_string_equal(refused(request, 15).c_str(), "");
  assert_string_equal(refused(request, 14).c_str(), "replica_state");
}

void an_ignorable_value_is_dropped(void**) {
  FetchRequest request;
  request.rack_id = "here";
  assert_true(Again(request, 4)->rack_id.empty());
  assert_true(Again(request, 11)->rack_id == "here");
}

void null_and_empty_are_not_the_same(void**) {
  MetadataRequest request;
  assert_true(request.topics && request.topics->empty());
  for (const int16_t version : {8, 9}) {
    request.topics.reset();
    assert_false(Again(request, version)->topics.has_value());
    request.topics.emplace();
    assert_true(Again(request, version)->topics.has_value());
  }
  request.topics.reset();
  assert_string_equal(refused(request, 0).c_str(), "topics");      // null came with version 1
  const std::byte null_array[] = {std::byte{0xff}, std::byte{0xff}, std::byte{0xff}, std::byte{0xff}};
  assert_false(decode<MetadataRequest>(Bytes{null_array}, 0).has_value());
  assert_true(decode<MetadataRequest>(Bytes{null_array}, 1).has_value());
}

void a_version_that_is_not_there_is_neither_read_nor_written(void**) {
  std::vector<std::byte> bytes(64);
  for (const int16_t version : {-1, 3, 19}) {
    assert_false(decode<FetchRequest>(bytes, version).has_value());
    assert_false(encode(FetchRequest{}, version, bytes));
    assert_false(encoded_size(FetchRequest{}, version).has_value());
  }
  assert_int_equal(bytes.size(), 64);
}

void bytes_after_the_end_are_ignored(void**) {
  auto bytes = written(FetchRequest{}, 12);
  bytes.push_back(std::byte{1});
  assert_true(decode<FetchRequest>(bytes, 12).has_value());
}

void unknown_tags_are_kept_between_the_known_ones(void**) {
  // Tag 1 became known in version 15; tag 0 is known throughout.
  FetchRequest request;
  request.cluster_id = "c";
  request.unknown_tags = {{1, as_bytes("one")}, {200, as_bytes("")}};
  const Again older{request, 14};
  assert_true(older->cluster_id == "c");
  assert_int_equal(older->unknown_tags.size(), 2);
  assert_true(as_text(older->unknown_tags[0].value) == "one");
  assert_int_equal(older->unknown_tags[1].tag, 200);

  request.unknown_tags = {{200, as_bytes("far")}};
  request.replica_state.replica_id = 4;
  const Again newer{request, 15};
  assert_int_equal(newer->replica_state.replica_id, 4);
  assert_true(newer->cluster_id == "c" && as_text(newer->unknown_tags[0].value) == "far");
}

void a_tagged_value_fills_its_size_exactly(void**) {
  ApiVersionsResponse response;
  response.finalized_features_epoch = 1;
  auto bytes = written(response, 3);
  // …, count 1, tag 1, size 8, int64
  const size_t size_at = bytes.size() - 9;
  assert_int_equal(static_cast<int>(bytes[size_at]), 8);
  bytes.resize(64);
  assert_true(decode<ApiVersionsResponse>(bytes, 3).has_value());
  for (const int wrong : {0, 7, 9, 200}) {
    bytes[size_at] = static_cast<std::byte>(wrong);
    assert_false(decode<ApiVersionsResponse>(bytes, 3).has_value());
  }
}

void a_tagged_null_is_told_by_a_varint(void**) {
  ConsumerGroupMemberMetadataValue value;
  assert_true(value.classic_member_metadata.has_value());          // the default, which is not sent
  const size_t default_bytes = written(value, 0).size();
  value.classic_member_metadata.reset();
  const auto bytes = written(value, 0);
  assert_int_equal(bytes.size(), default_bytes + 3);
  assert_false(decode<ConsumerGroupMemberMetadataValue>(bytes, 0)->classic_member_metadata.has_value());
}

void numbers_of_seven_bits_end_after_five(void**) {
  const auto read = [](std::initializer_list<int> numbers) {
    std::vector<std::byte> bytes;
    for (const int number : numbers) bytes.push_back(static_cast<std::byte>(number));
    Reader wire{bytes, 0, true};
    const uint32_t value = wire.uvarint();
    return wire.ok() ? std::optional{value} : std::nullopt;
  };
  assert_true(read({0x00}) == 0u);
  assert_true(read({0xac, 0x02}) == 300u);
  assert_true(read({0xff, 0xff, 0xff, 0xff, 0x0f}) == 0xffffffffu);
  assert_false(read({0xff, 0xff, 0xff, 0xff, 0x8f}).has_value());
  assert_false(read({0x80}).has_value());
  assert_false(read({}).has_value());
}

void a_field_named_like_a_constant_keeps_its_wire_name(void**) {
  FindCoordinatorRequest request;
  request.key_ = "group";
  assert_true(Again(request, 3)->key_ == "group");
  assert_string_equal(refused(request, 4).c_str(), "key");
}

void any_byte_but_zero_is_true(void**) {
  MetadataRequest request;
  auto bytes = written(request, 4);
  bytes.back() = std::byte{0x40};
  assert_true(decode<MetadataRequest>(bytes, 4)->allow_auto_topic_creation);
  bytes.back() = std::byte{0};
  assert_false(decode<MetadataRequest>(bytes, 4)->allow_auto_topic_creation);
}

void codes_know_their_names_and_what_may_help(void**) {
  assert_string_equal(name_of(Code::not_leader_or_follower), "NOT_LEADER_OR_FOLLOWER");
  assert_true(remedy_of(Code::not_leader_or_follower) == Remedy::refresh);
  assert_true(remedy_of(Code::corrupt_message) == Remedy::retry);
  assert_true(remedy_of(Code::none) == Remedy::none);
  assert_string_equal(name_of(Code{12345}), "UNKNOWN_SERVER_ERROR");
  for (const CodeInfo& row : code_table) assert_ptr_equal(&info(row.code), &row);
}

void apis_know_their_versions(void**) {
  assert_null(api_info(ApiKey::leader_and_isr));
  assert_null(api_info(ApiKey{500}));
  assert_int_equal(api_info(ApiKey::fetch)->newest, FetchRequest::newest);
  assert_true(api_info(ApiKey::create_topics)->forward && api_info(ApiKey::create_topics)->controller);
  for (const ApiInfo& row : api_table) assert_ptr_equal(api_info(row.key), &row);
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {
      cmocka_unit_test(a_value_that_the_version_lacks_is_refused_by_name),
      cmocka_unit_test(an_ignorable_value_is_dropped),
      cmocka_unit_test(null_and_empty_are_not_the_same),
      cmocka_unit_test(a_version_that_is_not_there_is_neither_read_nor_written),
      cmocka_unit_test(bytes_after_the_end_are_ignored),
      cmocka_unit_test(unknown_tags_are_kept_between_the_known_ones),
      cmocka_unit_test(a_tagged_value_fills_its_size_exactly),
      cmocka_unit_test(a_tagged_null_is_told_by_a_varint),
      cmocka_unit_test(numbers_of_seven_bits_end_after_five),
      cmocka_unit_test(a_field_named_like_a_constant_keeps_its_wire_name),
      cmocka_unit_test(any_byte_but_zero_is_true),
      cmocka_unit_test(codes_know_their_names_and_what_may_help),
      cmocka_unit_test(apis_know_their_versions),
  };
  return cmocka_run_group_tests_name("protocol.wire", tests, nullptr, nullptr);
}
