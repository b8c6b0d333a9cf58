// What the log's tests share: batches in a line, and a place for logs.
#pragma once

#include <string>
#include <vector>

#include "broker/log/log_directory.hpp"
#include "tests/sim/memory_file_system.hpp"

namespace kq::test {

using Memory = std::vector<std::byte>;

struct BatchSpec {
  int records = 1;
  size_t value_bytes = 10;
  int64_t timestamp = 1000;                 // of the first record; the others follow by a millisecond
  int64_t base_offset = 0;
  int32_t leader_epoch = -1;
  int64_t producer_id = -1;
  int16_t producer_epoch = -1;
  int32_t sequence = -1;
  bool transactional = false;
  uint64_t seed = 0;                        // of the values
};

Memory make_batch(const BatchSpec&);

struct MarkerSpec {
  int64_t producer_id;
  int16_t producer_epoch;
  bool commit;
  int32_t coordinator_epoch = 0;
  int64_t timestamp = 1000;
  int64_t base_offset = 0;
  int32_t leader_epoch = -1;
};

Memory make_marker(const MarkerSpec&);

// Writes nothing anywhere.
Logger& quiet_logger();

// A log in memory, opened and opened again.
struct LogBed {
  explicit LogBed(log::LogConfig config = {});

  log::Log& open(bool clean, int64_t recovery_point = 0);
  Status try_open(bool clean, int64_t recovery_point = 0);
  Memory read_all();                        // the log's bytes from start to end
  Status flush(log::FlushKind);
  // One record, or more, from the leader in epoch 0.
  int64_t append(const BatchSpec& = {});    // the first offset

  sim::MemoryFileSystem files;
  log::FileCache cache{files, 4};
  log::LogConfig config;
  std::optional<int64_t> start_offset;
  int64_t now_ms = 1'700'000'000'000;
  std::unique_ptr<log::Log> log;
};

Memory read_slice(const log::Slice& slice);

uint64_t env_or(const char* name, uint64_t otherwise);

}  // namespace kq::test
