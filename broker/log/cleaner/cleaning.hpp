// One pass of the cleaner over one log: the newest offset of every key in the dirty part, then every segment up to there without what
// has a newer one (Cleaner of Kafka 4.2).
#pragma once

#include <functional>
#include <memory>
#include <optional>

#include "broker/log/cleaner/offset_map.hpp"
#include "broker/log/cleaner/plan.hpp"
#include "broker/log/cleaner/rewrite.hpp"
#include "broker/log/cleaner/transactions.hpp"
#include "broker/log/log.hpp"

namespace kq::log {

struct CleaningStats {
  uint64_t bytes_mapped = 0, bytes_read = 0, bytes_written = 0;
  uint64_t records_mapped = 0, records_read = 0, records_kept = 0;
  uint64_t keyless_records = 0;
};

// A machine in steps: step() does a bounded piece of work, most of it without the log's lock, and is called until it says done.  The log
// goes on meanwhile; where it is cut, cleaning gives up and nothing has changed.  Destroyed before its end, or after an error, it leaves
// no files behind.  One thread at a time; blocks.
class Cleaning {
 public:
  // Runs a call on the log under the log's lock; false, and not called: the log is no longer there.
  using OnLog = std::function<bool(const std::function<void(Log&)>&)>;
  struct Options {
    FileCache& cache;
    OnLog on_log;
    CleaningPlan plan;
    size_t key_memory_bytes = size_t{128} << 20;         // log.cleaner.dedupe.buffer.size, this one's share
    double key_load_factor = 0.9;
    size_t buffer_bytes = size_t{512} << 10;             // read and written at a time
  };
  explicit Cleaning(Options);
  ~Cleaning();

  enum class State { more, done, given_up };
  struct Progress {
    State state = State::more;
    uint64_t bytes = 0;                                  // read and written by this step
  };
  Result<Progress> step(int64_t now_ms);

  // Once done: all below is clean.
  int64_t end_offset() const { return end_offset_; }
  const CleaningPlan& plan() const { return options_.plan; }
  const CleaningStats& stats() const { return stats_; }
  double map_used() const { return static_cast<double>(map_.size()) / static_cast<double>(map_.size_max()); }

 private:
  enum class Phase { begin, map, plan_runs, open_run, copy, finish_run, done };
  struct LastRecord {                                    // of an active producer
    int64_t last_offset;
    int16_t epoch;
  };
  // The batches of a segment, pinned.
  struct Source {
    Slice slice;
    std::unique_ptr<BatchScanner> scanner;
    int64_t modified_ms = 0;
  };

  Status work(int64_t now_ms);
  Status begin();
  Status map_piece();
  Status map_batch(const BatchView&);
  Status plan_runs();
  Status open_run();
  Status copy_piece(int64_t now_ms);
  Status copy_batch(const BatchView&, int64_t now_ms);
  Status write_out();
  Status finish_run(int64_t now_ms);
  void remove_cleaned();
  Status open_source(int64_t base_offset, int64_t from_offset);
  Result<std::optional<Bytes>> next_batch();
  Result<std::optional<int16_t>> control_type_of(const BatchView&);
  BatchFate fate_of(const BatchView&, std::optional<int16_t> control_type, int64_t now_ms);
  bool retains(const BatchView&, const RecordView&, int64_t now_ms);
  Status on_log(const std::function<Status(Log&)>&);
  void give_up() { given_up_ = true; }

  const Options options_;
  OffsetMap map_;
  Phase phase_ = Phase::begin;
  bool given_up_ = false;
  uint64_t truncations_ = 0;
  LogFacts facts_;
  std::vector<size_t> dirty_;                            // segments still to be mapped: indexes into facts_
  size_t dirty_at_ = 0;
  std::vector<SegmentRun> runs_;
  size_t run_at_ = 0, source_at_ = 0;
  Source source_;
  std::optional<CleanedTransactions> transactions_;
  boost::unordered_flat_map<int64_t, LastRecord> last_records_;
  SegmentHome home_;                                     // of what is being written
  std::unique_ptr<Segment> cleaned_;
  BatchReader reader_;
  Block plain_, out_;
  BatchRewriter rewriter_;
  bool discards_records_ = false;                        // of the batch that is being copied
  int64_t legacy_horizon_ms_ = 0;
  int64_t end_offset_ = 0;
  uint64_t step_bytes_ = 0;
  CleaningStats stats_;
};

}  // namespace kq::log
