// The few bytes that tell which message a record of an internal topic holds (wire.md, 3 and 8).
//
//   metadata, remote log    value: uvarint 1, uvarint type, uvarint version, message; no key
//   coordinators            key: int16 type, the key message in version 0; value: int16 version, message; null: a tombstone
//   control batches         key: int16 version 0, int16 type; value: of abort and commit int16 version and message, of KRaft's the
//                           message alone
#pragma once

#include "libkq/protocol/wire.hpp"

namespace kq {

// A record's type and version, and the bytes of its message.
struct RecordFrame {
  uint32_t type;
  int16_t version;
  Bytes message;
};

// __cluster_metadata and __remote_log_metadata.  Nothing: another frame version, or cut off.
std::optional<RecordFrame> read_metadata_frame(Bytes value);

// Coordinators: the type in front of a key, the version in front of a value.  Nothing: cut off, or negative.
std::optional<RecordFrame> read_key_frame(Bytes key);              // version is 0
std::optional<RecordFrame> read_value_frame(Bytes value, uint32_t type);

// The key of a control record.  Nothing: cut off, or a version that is not 0.
std::optional<int16_t> read_control_type(Bytes key);
void write_control_key(int16_t type, std::vector<std::byte>& to);

// Each appends the frame and the message.  False: the message cannot be said in this version; `to` is as it was.
template <class Record>
[[nodiscard]] bool write_metadata_record(const Record& record, int16_t version, std::vector<std::byte>& to) {
  const size_t before = to.size();
  Writer frame{&to, nullptr, 0, true};
  for (const auto number : {1, int{Record::type}, int{version}}) frame.uvarint(static_cast<uint32_t>(number));
  if (encode(record, version, to)) return true;
  return to.resize(before), false;
}
template <class Key>
[[nodiscard]] bool write_key(const Key& key, std::vector<std::byte>& to) {
  const size_t before = to.size();
  Writer{&to, nullptr, 0, false}.put_be(Key::type);
  if (encode(key, 0, to)) return true;
  return to.resize(before), false;
}
template <class Value>
[[nodiscard]] bool write_value(const Value& value, int16_t version, std::vector<std::byte>& to) {
  const size_t before = to.size();
  Writer{&to, nullptr, 0, false}.put_be(version);
  if (encode(value, version, to)) return true;
  return to.resize(before), false;
}

}  // namespace kq
