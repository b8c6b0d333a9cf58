// Takes records out of a batch (MemoryRecords.filterTo of Kafka 4.2).
#pragma once

#include <functional>

#include "libkq/record/batch_builder.hpp"
#include "libkq/record/batch_reader.hpp"

namespace kq::log {

// What becomes of a batch, whatever is in it.
struct BatchFate {
  bool drop = false;                            // it goes, unread
  bool keep_empty = false;                      // its header stays when no record does: its producer's last sequence, or an offset, hangs on it
  bool spent_marker = false;                    // a marker that may go once its delete horizon has passed
};

// Reusable, and worth keeping for its contexts.  One thread at a time.
class BatchRewriter {
 public:
  using Retain = std::function<bool(const RecordView&)>;
  struct Counts {
    int32_t read = 0, kept = 0;                 // records
  };

  // Appends to `out` what is left of the batch: itself where nothing goes, a new one, its header, or nothing.  A batch that keeps
  // tombstones, or a spent marker, and has no delete horizon yet gets this one.
  Result<Counts> rewrite(const BatchView& batch, const BatchFate& fate, const Retain& retain, int64_t delete_horizon_ms, Block& out);

 private:
  Result<Counts> rewrite_legacy(const BatchView& batch, const Retain& retain, Block& out);
  Status build(const BatchView& batch, int64_t horizon_ms, Block& out);
  static void append_header(const BatchView& batch, Block& out);

  BatchReader reader_;
  Compressor compressor_;
  Block plain_, sealed_;
  std::vector<RecordView> kept_;
  std::vector<RecordHeader> headers_;
  OwnedBatchBuilder builder_;
};

}  // namespace kq::log
