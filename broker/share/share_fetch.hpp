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
  int64_t next_offset = 0;                      // that the next fetch begins at
};

// Under the share partition's lock.  What is read are headers, from the page cache.
Taken take(Held&, const Take&, Instant now);

// What there is for a fetch that wants min_bytes.
struct Waiting {
  size_t bytes = 0;             // from next_offset to the end, or bytes_max
  bool urgent = false;          // there is something to tell at once, or more than a segment's rest
  int64_t next_offset = 0;      // that a fetch would begin at
  uint64_t generation = 0;      // of the partition, for its watch
  std::optional<Instant> next;  // when a lock ends
};
// Under the share partition's lock; reads nothing but indexes.
Waiting waiting(Held&, broker::Isolation, size_t bytes_max, Instant now, std::vector<SharePartition::Change>& changes);

}  // namespace kq::share
