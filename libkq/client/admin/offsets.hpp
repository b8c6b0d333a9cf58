// Offsets of partitions, by position or by time: asked of their leaders.
#pragma once

#include "libkq/client/cluster.hpp"

namespace kq::client {

struct OffsetQuery {
  std::string topic;
  int32_t partition;
  int64_t timestamp;                       // or one of kq.h's kq_offset
  // The answer.
  int64_t offset = -1;                     // -1: there is none
  int64_t found_timestamp = -1;
  int32_t leader_epoch = -1;
  std::optional<Error> error{};
};

// Fills in the answers: one request to each leader, again where leaders have moved, until the deadline.  `queries` must outlive it.
// The queries have the errors, each its own; the answer is always true.
awaitable<Result<bool>> find_offsets(std::shared_ptr<Cluster>, std::vector<OffsetQuery>& queries, int8_t isolation_level,
                                     Instant deadline);

// How many partitions a topic has; asks for as long as it may still appear.
awaitable<Result<int32_t>> count_partitions(std::shared_ptr<Cluster>, std::string topic, Instant deadline);

}  // namespace kq::client
