// What the Fetcher knows of a partition and of a node.  For its own sources.
#pragma once

#include "libkq/client/fetcher.hpp"

namespace kq::client {

struct Fetcher::Partition {
  enum class State { awaiting, resolving, fetching, resting };

  uint64_t id;                                     // also its key in sessions
  std::shared_ptr<const std::string> topic;
  int32_t index;
  Uuid topic_id{};
  int32_t leader = -1;
  int32_t leader_epoch = -1;
  int32_t replica = -1;                            // fetched from instead of the leader (KIP-392)
  Instant replica_until{};
  int32_t session_node = -1;                       // whose session wants it

  State state = State::resolving;
  int64_t spec = offset_spec::by_policy;           // while resolving
  bool asked = false;                              // a ListOffsets, or the committed offset, is under way
  uint64_t generation = 1;
  int64_t fetch_offset = 0;
  int32_t last_epoch = -1;                         // of the record before fetch_offset: a leader that knows it otherwise says so (KIP-320)
  int64_t position = offset_spec::by_policy;
  int64_t end_offset = -1;
  int64_t end_reported = -1;                       // the end that the reader was told of last

  bool paused = false;
  bool is_ready = false;                           // in ready_
  bool being_read = false;                         // a slice of this generation was taken and not given back
  int failures = 0;
  std::optional<Instant> retry_at{};               // in backing_off_ until then
  std::optional<Instant> missing_since{};
  std::deque<Fetched> fetched{};
  size_t waiting_bytes = 0;

  std::string text() const { return *topic + "-" + std::to_string(index); }
};

struct Fetcher::Node {
  int32_t id;
  FetchSession session{};
  bool connected = true;                           // false: a connection is being made
  bool fetching = false;
  size_t reserved_bytes = 0;                       // of memory, for the fetch under way
  bool listing = false;
  bool ask_offsets = false;                        // some partition of it may be resolving
  int failures = 0;
  std::optional<Instant> retry_at{};
  std::vector<PartitionPtr> listed{};              // what the ListOffsets under way asks for
  std::vector<std::shared_ptr<const std::string>> listed_topics{};     // keeps the names alive that its request points at
};

}  // namespace kq::client
