// A batch of one partition on its way: built by the application's threads, sent by the sender, and handed back as deliveries.
#pragma once

#include <boost/intrusive/list.hpp>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "libkq/base/clock.hpp"
#include "libkq/client/bell.hpp"
#include "libkq/client/budget.hpp"
#include "libkq/record/batch_builder.hpp"

namespace kq::client {

struct Lane;

// The memory of a producer.  Held by every batch, since the application may keep failed ones for longer than the handle.
struct SendMemory {
  SendMemory(size_t buffer_bytes_max, size_t delivery_bytes_max)
      : records(buffer_bytes_max), blocks(records), deliveries(delivery_bytes_max) {}

  Budget records;                                    // buffer.memory
  BlockStore blocks;
  Budget deliveries;                                 // delivery.memory: what waits for a poll
  Bell room;                                         // rung when either has room again
};

// A record to be sent: views that live for the call.
struct Outbound {
  const char* topic = "";
  int32_t partition = -1;                            // -1: by the key
  int64_t timestamp_ms = -1;                         // -1: now
  Bytes key{};                                       // data() null: none
  Bytes value{};                                     // data() null: a tombstone
  std::span<const RecordHeader> headers{};
  uint64_t tag = 0;
};

// What a record was given besides its place in the batch: 8 bytes for each tag, none while all are zero; timestamps as runs, since
// most of a batch share theirs.
class BatchNotes {
 public:
  [[gnu::always_inline]] void add(int32_t index, uint64_t tag, int64_t timestamp) {
    if (timestamp != last_timestamp_ || index == 0) [[unlikely]] add_run(index, timestamp);
    if (tag != 0 || !tags_.empty()) add_tag(index, tag);
  }
  uint64_t tag(int32_t index) const { return static_cast<size_t>(index) < tags_.size() ? tags_[static_cast<size_t>(index)] : 0; }
  int64_t timestamp(int32_t index) const;
  size_t memory_bytes() const { return tags_.capacity() * sizeof(uint64_t) + runs_.capacity() * sizeof(Run); }
  void reserve(size_t records) { records_expected_ = records; }

 private:
  struct Run {
    int32_t first;
    int64_t timestamp;
  };
  void add_run(int32_t index, int64_t timestamp) {
    runs_.push_back({index, timestamp});
    last_timestamp_ = timestamp;
  }
  void add_tag(int32_t index, uint64_t tag) {
    if (tags_.empty()) tags_.reserve(std::max(records_expected_, static_cast<size_t>(index) + 1));
    tags_.resize(static_cast<size_t>(index));        // those before the first tag have none
    tags_.push_back(tag);
  }

  std::vector<uint64_t> tags_;
  std::vector<Run> runs_;
  int64_t last_timestamp_ = 0;
  size_t records_expected_ = 0;
};

using SenderHook = boost::intrusive::list_base_hook<boost::intrusive::link_mode<boost::intrusive::safe_link>>;

// Who may touch it: while it is open, the thread that holds its partition's lock; once taken from there, the loop; once finished,
// the thread that polled it.  Held by shared_ptr: an unanswered request may still have to read the bytes of a batch that has
// been given up.
struct ProducerBatch : SenderHook {
  ProducerBatch(std::shared_ptr<SendMemory> send_memory, MemoryBlock first_block, size_t bytes_max, Instant now)
      : memory(std::move(send_memory)), block(std::move(first_block)),
        builder(block.bytes().first(std::min(block.bytes().size(), bytes_max))), opened(now) {}

  int32_t count() const { return builder.count(); }
  // Moves to a block that holds `bytes`, and as much beyond as may soon be needed.  False: the budget is full.
  bool grow(size_t bytes, size_t bytes_max);
  // The bytes to send, with this producer and sequence in them.  Compressed at the first time.
  Bytes seal(const BatchFields&, Codec, int level, Compressor&, Block& scratch);
  Bytes sealed() const { return sealed_; }
  // The records again, of a batch that failed or is to be split.
  MutableBytes readable();
  size_t delivery_bytes() const { return sizeof *this + notes.memory_bytes() + (block ? block.bytes().size() : 0); }

  const std::shared_ptr<SendMemory> memory;
  MemoryBlock block;
  BatchBuilder builder;
  BatchNotes notes;
  Instant opened;
  uint64_t generation = 0;                           // of flush: see Accumulator
  std::shared_ptr<const std::string> topic;
  int32_t partition = -1;
  int64_t last_timestamp = no_timestamp;             // of the last record appended
  int64_t clock_ms = -1;                             // when it was last looked at

  // ---- the sender's ----
  Lane* lane = nullptr;
  uint64_t serial = 0;                               // its place among the lane's batches
  uint64_t serial_span = 0;                          // numbers from there that its parts may have, were it split
  int attempts = 0;
  bool in_flight = false;
  bool outcome_unknown = false;                      // an attempt ended without an answer
  int64_t producer_id = no_producer_id;              // the numbering it is to be sent with next; -1: none yet
  int16_t producer_epoch = no_producer_epoch;
  int32_t sequence = no_sequence;
  bool renumbered = false;                           // since it was last sent
  std::optional<Error> last_error;                   // of the last attempt

  // ---- the outcome ----
  bool finished = false;
  int64_t base_offset = -1;
  int64_t log_append_time = -1;
  std::optional<Error> error;                        // nothing: delivered
  struct RecordError {
    int32_t index;
    Error error;
  };
  std::vector<RecordError> record_errors;            // of those records whose own fault it was

 private:
  MutableBytes sealed_;
  BatchFields sealed_fields_;
};

using BatchRef = std::shared_ptr<ProducerBatch>;

}  // namespace kq::client
