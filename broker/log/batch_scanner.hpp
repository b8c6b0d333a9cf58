// Walks the batches of a segment's file by their headers, through a bounded buffer.
#pragma once

#include <optional>
#include <vector>

#include "broker/log/file.hpp"
#include "broker/log/producer_state.hpp"
#include "libkq/record/batch.hpp"

namespace kq::log {

// One batch of a file, without its bytes.
struct BatchPlace {
  int64_t position = 0;
  int64_t size = 0;
  int64_t base_offset = -1;
  int64_t last_offset = -1;
  int64_t max_timestamp = -1;
  int32_t leader_epoch = -1;
};

BatchPlace place_of(const BatchView& batch, int64_t position);

// The producers' view of a batch.  A marker is read from the records, so a control batch must be there as a whole.
ProducerBatch producer_batch(const BatchView& batch);

// Of the range [from, to).  Reads no more than the headers where batches are larger than the buffer.
class BatchScanner {
 public:
  static constexpr size_t look_up_buffer = 4 << 10;        // for a few batches from an index entry on
  static constexpr size_t scan_buffer = 256 << 10;         // for a whole segment

  BatchScanner(const File& file, int64_t from, int64_t to, size_t buffer_size) : file_(file), next_(from), end_(to), size_(buffer_size) {}

  // Moves to the next batch; incomplete and corrupt are told at the position where it would begin.
  Result<Step> next();
  const BatchPlace& batch() const { return batch_; }
  int64_t position() const { return next_; }               // where the next batch begins: the end of the last good one
  // The header's fields; its bytes() are not all there.
  BatchView header() const { return header_; }
  Result<bool> check_crc();                                // reads the rest of the batch, in pieces
  Result<Bytes> whole();                                   // the batch in memory; until next()

 private:
  Result<Bytes> window(int64_t position, size_t wanted);   // at least that many bytes, fewer at the end

  const File& file_;
  int64_t next_;
  const int64_t end_;
  const size_t size_;
  std::vector<std::byte> buffer_, whole_;
  int64_t buffer_at_ = 0;
  BatchPlace batch_;
  BatchView header_;
};

}  // namespace kq::log
