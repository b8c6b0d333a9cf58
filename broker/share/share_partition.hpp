// A topic's partition as a share group sees it (KIP-932): which records are free, which are somebody's, which are done.
#pragma once

#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "broker/share/state_shard.hpp"
#include "libkq/base/clock.hpp"

namespace kq::share {

// ShareFetch's share_acquire_mode.
enum class AcquireMode : int8_t { batch_optimized = 0, record_limit = 1 };

// ShareFetch's and ShareAcknowledge's acknowledge_types.
enum class AckType : int8_t { gap = 0, accept = 1, release = 2, reject = 3, renew = 4 };

// From `first` to `last`: one type for all, or one for each.
struct AckBatch {
  int64_t first = 0, last = 0;
  std::span<const int8_t> types;
};

struct OffsetRange {
  int64_t first = 0, last = 0;  // both within

  bool operator==(const OffsetRange&) const = default;
};

struct Acquired {
  int64_t first = 0, last = 0;
  int16_t delivery_count = 0;

  bool operator==(const Acquired&) const = default;
};

// A plain state machine: no I/O, externally synchronized.
//
//   available → acquired, by a member, until its lock ends → acknowledged, archived, or available again
//
// What changes has to be written by the share coordinator before it holds: acknowledge(), release() and tick() answer with a Change, whose
// end written() tells.  Until then its records are nobody's to acquire or acknowledge; if it was refused they are again what they were.
// (A lock that has ended holds at once: if that cannot be written, another leader counts one delivery less.)
//
// Offsets from the start to the end are in ranges_, without a hole.
class SharePartition {
 public:
  struct Limits {
    int32_t delivery_count_max = 5;
    int32_t in_flight_max = 2000;  // offsets from the start to the end
  };
  struct Change {
    uint64_t id = 0;  // for written(); 0: nobody waits for it
    StateShard::Write write;
  };
  struct Decision {
    Refusal refusal;
    std::optional<Change> change;  // none: nothing has to be written
  };

  // As the coordinator has it.  `start` is where it begins: the state's, or what the group's reset strategy said.
  SharePartition(const Limits&, const StateShard::State&, int64_t start, int32_t leader_epoch);

  int64_t start() const { return start_; }
  int64_t end() const { return end_; }  // the last offset that was ever acquired; before the start: none
  int32_t leader_epoch() const { return leader_epoch_; }
  // What to fetch next.
  int64_t next_fetch_offset() const;
  // May anything be acquired?
  bool can_acquire() const;

  struct Fetched {
    int64_t offset = 0;                    // that was asked for
    std::span<const OffsetRange> batches;  // the offsets of the record batches that came, in order
    std::span<const OffsetRange> skipped;  // of those: nobody is to see them (aborted transactions, markers), in order
  };
  struct Acquire {
    std::string_view member;
    AcquireMode mode{};
    int32_t batch_size = 0;   // of an Acquired, at least, where there is as much
    int32_t records_max = 0;  // a hint, unless the mode makes it a limit
    Instant lock_until{};
  };
  std::vector<Acquired> acquire(const Acquire&, const Fetched&);

  Decision acknowledge(std::string_view member, std::span<const AckBatch>, Instant renewed_until);
  // The member is gone: what it holds is free again.
  Decision release(std::string_view member);
  void written(uint64_t change, bool done);
  // The log begins at `offset` now.
  void log_starts_at(int64_t offset);

  std::optional<Instant> deadline() const { return first_lock_end_; }
  std::optional<Change> tick(Instant now);

  // Done, of those from the start.
  int32_t delivery_complete_count() const;
  size_t ranges() const { return ranges_.size(); }
  // Holds, or kq has a fault.
  void check() const;

  struct Range {
    int64_t last = 0;
    RecordState state = RecordState::available;
    int16_t delivery_count = 0;
    std::string member;  // who holds it
    Instant lock_until{};

    bool operator==(const Range&) const = default;
  };
  // What is known of an offset; nullptr: nothing.
  const Range* at(int64_t offset) const;

 private:
  struct Slot : Range {
    uint64_t change = 0;                      // is being written, and
    std::optional<RecordState> state_before;  // what it was: acquired
  };
  using Ranges = std::map<int64_t, Slot>;  // by first offset

  void cut(int64_t offset);
  Ranges::iterator holding(int64_t offset);
  bool is_free(const Slot& slot) const { return slot.state == RecordState::available && slot.change == 0; }
  void put(int64_t first, int64_t last, RecordState, int16_t delivery_count);
  void skip_hole(const Fetched&);
  void archive(const OffsetRange&);
  OffsetRange free_piece(int64_t offset, int64_t last, std::span<const OffsetRange> skipped);
  int64_t room_at(int64_t offset);
  void hold(const OffsetRange&, const Acquire&, std::vector<Acquired>&);
  void take_from(const OffsetRange& batch, const Acquire&, std::span<const OffsetRange> skipped, int64_t& left,
                 std::vector<Acquired>&);
  Refusal check_ack(std::string_view member, const AckBatch&);
  void finish(Slot&, RecordState, uint64_t change);
  void tell(Acquired, int32_t batch_size, std::vector<Acquired>&) const;
  Change change_of(uint64_t id) const;
  void join_and_advance();
  void note_lock(Instant until) { first_lock_end_ = first_lock_end_ ? std::min(*first_lock_end_, until) : until; }
  void find_first_lock();

  const Limits limits_;
  const int32_t state_epoch_;
  const int32_t leader_epoch_;
  int64_t start_;
  int64_t end_;
  Ranges ranges_;
  uint64_t last_change_ = 0;
  std::optional<Instant> first_lock_end_;  // or earlier
};

}  // namespace kq::share
