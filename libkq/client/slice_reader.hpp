// Turns fetched bytes into records: check sums, decompression, and what read_committed may not see.
#pragma once

#include "libkq/client/batch.hpp"
#include "libkq/client/fetcher.hpp"
#include "libkq/record/batch_reader.hpp"

namespace kq::client {

// Runs on the application's thread, one at a time.  It keeps decompression contexts, and its place in the slice it read last; a slice
// that was read in part before another one is entered again from the start of its current batch.
class SliceReader {
 public:
  SliceReader(ReadOptions options, bool committed, std::shared_ptr<FetchMemory> memory)
      : reader_(options), committed_(committed), memory_(std::move(memory)) {}

  // Adds up to `records_max` records to `into` and moves slice.position behind them.  True: the slice is done with.  An error: the next
  // batch cannot be read; the records before it were added.
  Result<bool> read(Slice&, size_t records_max, Batch& into);

 private:
  enum class Next { batch, skipped, end };
  static constexpr size_t believed_records_max = 4096;

  Result<Next> enter(Slice&);
  void make_room(size_t full, Batch& into) const;
  Result<Next> skip_control(Slice&, const BatchView&, Bytes rest);
  Next skip(Slice&, int64_t next_offset, Bytes rest);
  bool is_aborted(Slice&, const BatchView&) const;
  void add(const Slice&, const RecordView&, Batch& into) const;
  void leave(Slice&);

  BatchReader reader_;
  const bool committed_;
  const std::shared_ptr<FetchMemory> memory_;

  uint64_t serial_ = 0;                              // of the slice that reader_ is inside of; 0: of none
  Bytes rest_{};                                     // what comes after the current batch
  int64_t next_offset_ = 0;                          // likewise
  Held block_{};                                     // what the current batch was decompressed to
  bool legacy_ = false;
  int32_t leader_epoch_ = -1;
  int8_t timestamp_type_ = KQ_CREATE_TIME;
};

}  // namespace kq::client
