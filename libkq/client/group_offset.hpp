// What a group has committed, or is to commit, of a partition.
#pragma once

#include <optional>
#include <string>

#include "libkq/base/result.hpp"
#include "libkq/client/topic_partition.hpp"

namespace kq::client {

struct GroupOffset {
  TopicPartition at{};
  int64_t offset = -1;        // of the next record to read; -1: nothing is committed
  int32_t leader_epoch = -1;  // of the record before it; -1: not known
  std::string metadata{};
  std::optional<Error> error{};  // this one's
};

}  // namespace kq::client
