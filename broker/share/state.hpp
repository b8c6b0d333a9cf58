// What is kept of a share partition: how far it is, and what is known of the records from there on.
#pragma once

#include <compare>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "libkq/base/uuid.hpp"
#include "libkq/protocol/codes.hpp"

namespace kq::share {

// As in ShareSnapshot and ShareUpdate.
enum class RecordState : int8_t { available = 0, acquired = 1, acknowledged = 2, archived = 4 };

constexpr bool is_final(RecordState state) { return state == RecordState::acknowledged || state == RecordState::archived; }

struct StateBatch {
  int64_t first = 0, last = 0;  // offsets, both within
  RecordState state{};
  int16_t delivery_count = 0;

  bool operator==(const StateBatch&) const = default;
};
using StateBatches = std::vector<StateBatch>;

// `known` with `news` laid over it, in order, without overlap, equal neighbours as one; nothing below `start` (-1: from anywhere).  Where
// they contradict each other the more often delivered one holds, then the later state: reports may come out of order.
StateBatches combine(const StateBatches& known, const StateBatches& news, int64_t start);

constexpr int64_t uninitialized_offset = -1;

// A share partition.
struct Key {
  std::string group;
  Uuid topic_id;
  int32_t partition = 0;

  auto operator<=>(const Key&) const = default;
  // As FindCoordinator has it; what places the key in __share_group_state.
  std::string text() const { return group + ':' + topic_id.text() + ':' + std::to_string(partition); }
};

struct KeyHash {
  size_t operator()(const Key& key) const {
    return (std::hash<std::string>{}(key.group) * 31 + std::hash<Uuid>{}(key.topic_id)) * 31 + static_cast<size_t>(key.partition);
  }
};

// Why something is not done.
struct Refusal {
  Code code = Code::none;
  std::string_view message;  // Kafka's words; static
};

}  // namespace kq::share
