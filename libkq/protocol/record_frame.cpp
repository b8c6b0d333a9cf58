#include "libkq/protocol/record_frame.hpp"

namespace kq {
namespace {

constexpr uint32_t metadata_frame_version = 1;

// The non-negative int16 in front of `bytes`.
std::optional<int16_t> leading(Bytes bytes) {
  if (bytes.size() < 2) return std::nullopt;
  const auto number = load_be<int16_t>(bytes.data());
  return number < 0 ? std::nullopt : std::optional{number};
}

}  // namespace

std::optional<RecordFrame> read_metadata_frame(Bytes value) {
  Reader wire{value, 0, true};
  if (wire.uvarint() != metadata_frame_version) return std::nullopt;
  const uint32_t type = wire.uvarint(), version = wire.uvarint();
  if (!wire.ok() || version > static_cast<uint32_t>(std::numeric_limits<int16_t>::max())) return std::nullopt;
  return RecordFrame{type, static_cast<int16_t>(version), wire.rest()};
}

std::optional<RecordFrame> read_key_frame(Bytes key) {
  const auto type = leading(key);
  if (!type) return std::nullopt;
  return RecordFrame{static_cast<uint32_t>(*type), 0, key.subspan(2)};
}

std::optional<RecordFrame> read_value_frame(Bytes value, uint32_t type) {
  const auto version = leading(value);
  if (!version) return std::nullopt;
  return RecordFrame{type, *version, value.subspan(2)};
}

std::optional<int16_t> read_control_type(Bytes key) {
  if (key.size() < 4 || leading(key) != 0) return std::nullopt;
  return leading(key.subspan(2));
}

void write_control_key(int16_t type, std::vector<std::byte>& to) {
  Writer key{&to, nullptr, 0, false};
  key.put_be(int16_t{0});
  key.put_be(type);
}

}  // namespace kq
