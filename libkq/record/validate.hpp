// What a leader does with the batch of a client before it appends it: everything but offsets, sequences and rights.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "libkq/record/batch_builder.hpp"
#include "libkq/record/compression.hpp"

namespace kq {

// The settings of a topic that decide about a batch, under Kafka's names and with its defaults.
struct BatchRules {
  int32_t max_message_bytes = 1048588;
  TimestampType message_timestamp_type = TimestampType::create;
  int64_t message_timestamp_before_max_ms = std::numeric_limits<int64_t>::max();
  int64_t message_timestamp_after_max_ms = 3'600'000;
  std::optional<Codec> compression_type{};  // nothing: `producer`, as the batch comes
  int compression_level = 0;                // of that codec; codec_levels() has the standard one
  bool compacted = false;                   // cleanup.policy has compact: every record needs a key
  bool validate_compressed = true;          // log.validate.compressed, kq's addition: false trusts the crc
  size_t decompressed_bytes_max = decompressed_bytes_max_default;
};

struct RefusedRecord {
  int32_t batch_index;
  std::string message;
};

constexpr size_t refused_records_max = 1000;  // of which an answer speaks; the batch is refused all the same

struct Validation {
  int16_t code = record_code::none;  // Kafka's
  std::string message{};
  std::vector<RefusedRecord> refused{};  // the records that are the reason, where records are

  bool deferred = false;  // too much work for here: ask again with Effort::full, on the I/O pool
  MutableBytes batch{};   // what to append: inside the request's bytes, or the block `rebuilt`
  int32_t count = 0;
  int64_t max_timestamp = no_timestamp;
  int32_t max_timestamp_delta = 0;  // offset of the first record that has it, less the batch's; the last's for append time

  bool ok() const { return code == record_code::none && !deferred; }
};

enum class Effort {
  quick,  // gives up, changing nothing, before it builds a batch anew or decompresses more than decompressed_inline_bytes_max
  full,
};
constexpr size_t decompressed_inline_bytes_max = 64 * 1024;

// Checks in the order of Kafka 4.2 and refuses with its codes (wire.md, 3).  A batch that passes has been changed in place as a
// leader changes it: maximum timestamp and timestamp type, with a new crc where they differ; base offset and leader epoch are left
// to the log.  Uncompressed records are walked where they lie; compressed ones are streamed through their codec once; only where
// compression.type asks for another codec is a batch built anew.
//
// Reusable, and worth keeping for its decompression contexts.  One thread at a time.
class BatchValidator {
 public:
  // `records`: one partition's field of a Produce request of version `produce_version`.  `now_ms`: wall time.  `rebuilt` is written
  // to only where the batch is built anew, and belongs to the caller, as `records` does, for as long as the answer's batch is used.
  Validation validate(MutableBytes records, const BatchRules&, int16_t produce_version, int64_t now_ms, Block& rebuilt,
                      Effort effort = Effort::full);

 private:
  Validation rebuild(const BatchView&, const BatchRules&, class RecordChecks&, Block& rebuilt);

  Decompressor decompressor_;
  Compressor compressor_;
  Block plain_;
  std::vector<RecordHeader> headers_;
};

}  // namespace kq
