// Kafka's 16-byte ids: topics, clusters, directories.
#pragma once

#include <array>
#include <compare>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "libkq/base/bytes.hpp"

namespace kq {

struct Uuid {
  std::array<std::byte, 16> bytes{};                          // all zero: none

  auto operator<=>(const Uuid&) const = default;
  bool is_zero() const { return *this == Uuid{}; }
  std::string text() const;                                   // base64 with - and _, 22 characters, no padding
  static std::optional<Uuid> parse(std::string_view text);
  // Version 4, never one of the reserved (the first 100), never with a leading '-' in its text, as Kafka makes them.
  static Uuid random();
};

// The id of __cluster_metadata.
constexpr Uuid metadata_topic_id = [] { Uuid id; id.bytes[15] = std::byte{1}; return id; }();

}  // namespace kq

template <>
struct std::hash<kq::Uuid> {
  size_t operator()(const kq::Uuid& id) const noexcept {
    return kq::load_be<uint64_t>(id.bytes.data()) ^ (kq::load_be<uint64_t>(id.bytes.data() + 8) * 0x9e3779b97f4a7c15);
  }
};
