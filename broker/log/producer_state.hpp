// What a partition knows about its producers: the last batches of each (to answer repeats and refuse gaps), its epoch, its open
// transaction.  From the open transactions follows the last stable offset.
#pragma once

#include <boost/unordered/unordered_flat_map.hpp>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "libkq/base/bytes.hpp"
#include "libkq/base/result.hpp"
#include "libkq/protocol/codes.hpp"

namespace kq::log {

// Who appends.  A client's sequences are checked; a coordinator's are not; what another broker's log already holds is not refused.
enum class AppendOrigin { client, coordinator, replication, raft_leader };

// The right to begin a transaction in a log, given before its coordinator is asked whether there is one (KIP-890).
using VerificationGuard = uint64_t;
constexpr VerificationGuard no_guard = 0;

struct AppendOptions {
  AppendOrigin origin = AppendOrigin::client;
  bool transactions_v2 = false;                // the request, or the marker, is of transactions version 2
  bool verified_only = false;                  // a transaction begins here under a guard alone
  VerificationGuard guard = no_guard;
};

// What a transaction marker says.
struct EndMarker {
  bool commit = false;
  int32_t coordinator_epoch = -1;
};

// A batch as far as these rules look at it.
struct ProducerBatch {
  int64_t producer_id = -1;
  int16_t epoch = -1;
  int32_t base_sequence = -1, last_sequence = -1;
  int64_t base_offset = -1, last_offset = -1;
  int64_t max_timestamp = -1;                  // of a marker: its record's timestamp
  bool transactional = false;
  bool control = false;
  std::optional<EndMarker> marker;             // of a control batch that ends a transaction and still holds its record
};

struct BatchMetadata {
  int32_t last_sequence = -1;
  int32_t offset_delta = 0;
  int64_t last_offset = -1;
  int64_t timestamp = -1;

  int64_t first_offset() const { return last_offset - offset_delta; }
  int32_t first_sequence() const {
    return static_cast<int32_t>((static_cast<uint32_t>(last_sequence) - static_cast<uint32_t>(offset_delta)) & 0x7fffffff);
  }
};

struct Producer {
  static constexpr size_t batches_max = 5;     // as many as a client may have in flight

  int64_t id = -1;
  int16_t epoch = -1;
  int32_t coordinator_epoch = -1;
  int64_t last_timestamp = -1;
  int64_t transaction_first_offset = -1;       // -1: no open transaction
  uint8_t batch_count = 0;
  BatchMetadata batches[batches_max];          // oldest first

  const BatchMetadata* last_batch() const { return batch_count > 0 ? &batches[batch_count - 1] : nullptr; }
  int32_t last_sequence() const { return batch_count > 0 ? last_batch()->last_sequence : -1; }
  int64_t last_offset() const { return batch_count > 0 ? last_batch()->last_offset : -1; }
};

struct CompletedTransaction {
  int64_t producer_id;
  int64_t first_offset;
  int64_t last_offset;                         // the marker's
  bool aborted;
};

// A batch that would begin a transaction in this log, as its coordinator is about to be asked.
struct VerificationRequest {
  int64_t producer_id = -1;
  int16_t epoch = -1;
  int32_t base_sequence = -1;
  bool transactions_v2 = false;
  int64_t now_ms = 0;
};

// Externally synchronized, like the log that owns it.  Changes only through begin_verification, append, complete, expire and load:
// check has no effect.
class ProducerState {
 public:
  // The remembered batch that `batch` repeats.  Its offsets are the answer; nothing is appended.
  const BatchMetadata* duplicate_of(const ProducerBatch& batch) const;

  // Before the coordinator is asked; no_guard where the transaction is open here already.  Whatever ends the transaction in between
  // takes the guard away, so that an answer which is out of date begins nothing that nobody would end.
  VerificationGuard begin_verification(const VerificationRequest&);

  // May `batch` be appended?  Code::none, or why not (UnifiedLog and ProducerAppendInfo of Kafka 4.2).  In transactions version 2 a
  // producer without state starts at 0, and a marker raises the epoch.
  Code check(const ProducerBatch& batch, const AppendOptions&) const;

  // Takes in a batch that was written.  A marker that ends a transaction with records answers it: index it if it was aborted,
  // with stable_offset_after, then complete it.
  std::optional<CompletedTransaction> append(const ProducerBatch& batch);
  int64_t stable_offset_after(const CompletedTransaction&) const;
  void complete(const CompletedTransaction&);

  // The first offset of the oldest transaction that is open, or ended above the high watermark.
  std::optional<int64_t> first_unstable_offset() const;
  void high_watermark_moved(int64_t high_watermark);
  bool has_open_transaction(int64_t producer_id, int16_t epoch) const;

  // A producer without an open transaction is forgotten `expiration_ms` after its last batch (producer.id.expiration.ms).
  void expire(int64_t now_ms, int64_t expiration_ms);
  void clear();

  // Kafka's .snapshot file.  Decoding checks version, CRC and lengths.
  std::vector<std::byte> encode_snapshot() const;
  static Result<std::vector<Producer>> decode_snapshot(Bytes file);
  void load(const std::vector<Producer>& producers);         // replaces all

  // A snapshot holds a producer's last batch alone.  Who may have written earlier ones, of the last five, after `offset`?
  std::vector<int64_t> forgetful(int64_t offset) const;
  // Puts in front of what is remembered of a producer the batches of `earlier` that come before.
  void recall(const Producer& earlier);

  bool empty() const { return producers_.empty(); }
  size_t size() const { return producers_.size(); }
  const Producer* find(int64_t producer_id) const;
  std::vector<Producer> all() const;                         // by producer id

 private:
  // What is known of a producer between its verification and its first batch.  Most last for milliseconds; those of batches that were
  // refused are let go when there are too many.
  static constexpr size_t verifications_max = 1000;
  static constexpr int64_t verification_ms_max = 60'000;
  struct Verification {
    VerificationGuard guard = no_guard;
    int64_t begun_ms = 0;
    int32_t lowest_sequence = -1;              // several batches may be verified at once, and come in any order
    int16_t epoch = -1;
    bool transactions_v2 = false;
  };

  Code check_marker(const Producer&, const ProducerBatch&, bool transactions_v2) const;
  Code check_verified(const ProducerBatch&, const AppendOptions&) const;
  Code check_sequence(const Producer*, const ProducerBatch&, bool transactions_v2) const;

  boost::unordered_flat_map<int64_t, std::unique_ptr<Producer>> producers_;
  std::map<int64_t, int64_t> open_;                          // first offset → producer id
  std::map<int64_t, int64_t> ended_;                         // first offset → marker's offset, not yet below the high watermark
  boost::unordered_flat_map<int64_t, Verification> verifications_;
  VerificationGuard last_guard_ = no_guard;
};

}  // namespace kq::log
