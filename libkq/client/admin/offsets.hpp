// Offsets of partitions, by position or by time: asked of their leaders.
#pragma once

#include "libkq/client/admin/leaders.hpp"

namespace kq::client {

struct OffsetQuery : admin::AtLeader {
  int64_t timestamp = -1;                  // or one of kq.h's kq_offset
  // The answer.
  int64_t offset = -1;                     // -1: there is none
  int64_t found_timestamp = -1;
  int32_t leader_epoch = -1;
};

// Fills in the answers: one request to each leader, again where leaders have moved, until the deadline.  `queries` must outlive it.
// The queries have the errors, each its own; the answer is always true.
awaitable<Result<bool>> find_offsets(std::shared_ptr<Cluster>, std::vector<OffsetQuery>& queries, int8_t isolation_level,
                                     Instant deadline);

// How many partitions a topic has; asks for as long as it may still appear.
awaitable<Result<int32_t>> count_partitions(std::shared_ptr<Cluster>, std::string topic, Instant deadline);

}  // namespace kq::client
