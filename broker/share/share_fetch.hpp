// One look at a share partition for a ShareFetch: reads the log, and acquires what there is.
#pragma once

#include "broker/share/share_partitions.hpp"

namespace kq::share {

struct Take {
  std::string_view member;
  AcquireMode mode{};
  int32_t batch_size = 0, records_max = 0;
  size_t bytes_max = 0;
  GroupSettings settings;
  bool hot_only = true;  // where the disk would have to be asked: nothing, but `cold`
};

struct Taken {
  Refusal refusal;
  std::vector<Acquired> acquired;
  log::Slice slice;                             // from the first batch that has something of them to the last
  std::optional<log::Slice> cold;               // to be touched on the pool; then taken again with hot_only off
  std::vector<SharePartition::Change> changes;  // to be written by and by: locks that have ended
  std::optional<Instant> next;                  // when a lock ends
  uint64_t generation = 0;                      // of the partition, for its watch
};

// Under the share partition's lock.  What is read are headers, from the page cache.
Taken take(Held&, const Take&, Instant now);

}  // namespace kq::share
