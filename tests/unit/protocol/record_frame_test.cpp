#include "libkq/protocol/record_frame.hpp"

#include "libkq/protocol/messages/control_records.hpp"
#include "libkq/protocol/messages/group_records.hpp"
#include "libkq/protocol/messages/metadata_records.hpp"
#include "tests/unit/cmocka.hpp"

using namespace kq;

namespace {

void metadata_records_come_back_with_their_type(void**) {
  TopicRecord topic;
  topic.name = "orders";
  topic.topic_id = metadata_topic_id;
  std::vector<std::byte> value;
  assert_true(write_metadata_record(topic, 0, value));
  const auto frame = read_metadata_frame(value);
  assert_true(frame && frame->type == static_cast<uint32_t>(TopicRecord::type));
  assert_true(decode<TopicRecord>(frame->message, frame->version)->name == "orders");
  for (size_t size = 0; size < 3; ++size) assert_false(read_metadata_frame(Bytes{value}.first(size)).has_value());
  value[0] = std::byte{2};                               // a frame version of the future
  assert_false(read_metadata_frame(value).has_value());
}

void coordinator_records_come_back_with_type_and_version(void**) {
  OffsetCommitKey key;
  key.group = "g";
  key.topic = "t";
  key.partition = 3;
  std::vector<std::byte> key_bytes, value_bytes;
  assert_true(write_key(key, key_bytes));
  const auto key_frame = read_key_frame(key_bytes);
  assert_true(key_frame && key_frame->type == static_cast<uint32_t>(OffsetCommitKey::type));
  assert_int_equal(decode<OffsetCommitKey>(key_frame->message, key_frame->version)->partition, 3);

  OffsetCommitValue value;
  value.offset = 99;
  assert_true(write_value(value, 4, value_bytes));
  const auto value_frame = read_value_frame(value_bytes, key_frame->type);
  assert_true(value_frame && value_frame->version == 4);
  assert_int_equal(decode<OffsetCommitValue>(value_frame->message, value_frame->version)->offset, 99);
  assert_false(read_value_frame(Bytes{value_bytes}.first(1), key_frame->type).has_value());
  assert_false(read_key_frame({}).has_value());
}

void what_cannot_be_written_leaves_no_trace(void**) {
  std::vector<std::byte> bytes(3);
  assert_false(write_metadata_record(TopicRecord{}, 9, bytes));
  assert_false(write_value(OffsetCommitValue{}, 9, bytes));
  assert_int_equal(bytes.size(), 3);
}

void control_keys_hold_version_and_type(void**) {
  std::vector<std::byte> key;
  write_control_key(CommitRecord::type, key);
  assert_int_equal(key.size(), 4);
  assert_true(read_control_type(key) == CommitRecord::type);
  assert_false(read_control_type(Bytes{key}.first(3)).has_value());
  key[1] = std::byte{1};
  assert_false(read_control_type(key).has_value());
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {
      cmocka_unit_test(metadata_records_come_back_with_their_type),
      cmocka_unit_test(coordinator_records_come_back_with_type_and_version),
      cmocka_unit_test(what_cannot_be_written_leaves_no_trace),
      cmocka_unit_test(control_keys_hold_version_and_type),
  };
  return cmocka_run_group_tests_name("protocol.record_frame", tests, nullptr, nullptr);
}
