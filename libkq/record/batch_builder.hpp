// Builds batches: the producer's open batch, and the batches that a broker writes on its own account.
#pragma once

#include <array>
#include <span>

#include "libkq/base/result.hpp"
#include "libkq/record/batch.hpp"
#include "libkq/record/block.hpp"
#include "libkq/record/record.hpp"
#include "libkq/record/varint.hpp"

namespace kq {

class Compressor;

// What a batch says of itself beyond its records.
struct BatchFields {
  int64_t base_offset = 0;
  int32_t leader_epoch = no_leader_epoch;
  int64_t producer_id = no_producer_id;
  int16_t producer_epoch = no_producer_epoch;
  int32_t base_sequence = no_sequence;
  bool transactional = false;
  bool control = false;
  int64_t log_append_time = no_timestamp;  // unless -1: the timestamp type is log append time, and this is the time
  int32_t last_offset_delta = -1;          // unless -1: past the last record's, as compaction leaves it
  bool delete_horizon = false;             // the base timestamp is one (KIP-534); see set_base_timestamp
};

// Encodes records one behind the other into a block of memory that it is handed: the only copy of a record on its way out.  It
// allocates nothing, reads no clock and owns nothing; the block's owner keeps it until the batch is done with, and may recycle it
// then.  One thread at a time (the producer's partitions have a lock for that).
//
//   builder.append(…) is false when the block may be too small: seal the batch, or move_to() a bigger block, and append again.
//
// A batch is sealed when its header is written.  Sealing leaves the records as they are, so it can be done again with another
// sequence, epoch or codec.
class BatchBuilder {
 public:
  // The most that a record can take, and the smallest block for a batch of that record alone.
  static size_t record_bytes_max(size_t key, size_t value, std::span<const RecordHeader> headers = {});
  static size_t batch_bytes_max(size_t key, size_t value, std::span<const RecordHeader> headers = {}) {
    return batch_header_size + record_bytes_max(key, value, headers);
  }

  explicit BatchBuilder(MutableBytes block);  // at least batch_header_size bytes

  // A key or value whose data() is null is null.  The offset delta is the count so far, or what append_at is given: larger than
  // the one before.  False: no room, and nothing has changed.
  bool append(int64_t timestamp, Bytes key, Bytes value, std::span<const RecordHeader> headers = {});
  bool append_at(int32_t offset_delta, int64_t timestamp, Bytes key, Bytes value, std::span<const RecordHeader> headers = {});

  // Of an empty batch: the time that its records count from, where that is not the first one's.
  void set_base_timestamp(int64_t ms) {
    base_timestamp_ = ms;
    base_is_set_ = true;
  }

  // The check sum of an uncompressed batch can be taken as it grows, while its bytes are still in the cache.
  size_t unsummed() const { return size() - summed_; }
  void sum();

  size_t size() const { return static_cast<size_t>(at_ - block_); }  // header and records, uncompressed
  size_t room() const { return static_cast<size_t>(end_ - at_); }
  int32_t count() const { return count_; }
  bool empty() const { return count_ == 0; }
  int64_t base_timestamp() const { return base_timestamp_; }
  int64_t max_timestamp() const { return max_timestamp_; }
  int32_t last_offset_delta() const { return next_offset_delta_ - 1; }

  void move_to(MutableBytes bigger);  // copies what there is; the old block is free afterwards
  void clear();                       // a new batch in the same block

  // In place: the block's first size() bytes.  The view holds until the block goes.
  Bytes seal(const BatchFields&);
  // Compressed into `into`, whose content it replaces; the block is free afterwards.
  Result<Bytes> seal(const BatchFields&, Codec, int level, Compressor&, Block& into);

 private:
  void write_header(std::byte* header, size_t size, const BatchFields&, Codec) const;
  bool put(int32_t offset_delta, int64_t timestamp, Bytes key, Bytes value, std::span<const RecordHeader> headers);
  static std::byte* copy(std::byte* to, Bytes);
  static std::byte* write_bytes(std::byte* to, Bytes);
  static std::byte* write_headers(std::byte* to, std::span<const RecordHeader>);

  std::byte* block_;
  std::byte* at_;
  std::byte* end_;
  int32_t count_ = 0;
  int32_t next_offset_delta_ = 0;
  int64_t base_timestamp_ = no_timestamp;
  int64_t max_timestamp_ = no_timestamp;
  bool base_is_set_ = false;
  size_t summed_ = batch_header_size;  // up to here records_sum_ covers the records
  uint32_t records_sum_ = 0;
};

// ---- the way of every record -----------------------------------------------------------------------------------------------
//
// Inlined into whoever appends: spans that are handed over in memory are read back as one piece before their halves have arrived there,
// which stalls for longer than the rest takes.

[[gnu::always_inline]] inline size_t BatchBuilder::record_bytes_max(size_t key, size_t value, std::span<const RecordHeader> headers) {
  // length, attributes, timestamp delta, offset delta, key length, value length, header count
  size_t size = 5 * varint_bytes_max + varlong_bytes_max + 1 + key + value;
  for (const RecordHeader& header : headers) size += 2 * varint_bytes_max + header.key.size() + header.value.size();
  return size;
}

// A call of memcpy costs as much as copying this little.
[[gnu::always_inline]] inline std::byte* BatchBuilder::copy(std::byte* to, Bytes from) {
  constexpr size_t piece = 16, most = 256;
  const size_t size = from.size();
  if (size >= piece && size <= most) [[likely]] {
    for (size_t at = 0; at + piece < size; at += piece) std::memcpy(to + at, from.data() + at, piece);
    std::memcpy(to + size - piece, from.data() + size - piece, piece);
  } else if (size > 0) {
    std::memcpy(to, from.data(), size);
  }
  return to + size;
}

[[gnu::always_inline]] inline std::byte* BatchBuilder::write_bytes(std::byte* to, Bytes bytes) {
  constexpr int32_t null_size = -1;
  return copy(write_varint(to, bytes.data() == nullptr ? null_size : static_cast<int32_t>(bytes.size())), bytes);
}

[[gnu::always_inline]] inline bool BatchBuilder::put(int32_t offset_delta, int64_t timestamp, Bytes key, Bytes value,
                                                     std::span<const RecordHeader> headers) {
  const size_t size_max = record_bytes_max(key.size(), value.size(), headers);
  if (size_max > room()) [[unlikely]] return false;
  if (count_ == 0) [[unlikely]] {
    if (!base_is_set_) base_timestamp_ = timestamp;
    max_timestamp_ = timestamp;
  }
  // The length stands in front and is known behind.  It nearly always takes as many bytes as the longest that it could be; where it
  // does not, the record moves up.
  const size_t length_size = varint_size(static_cast<int32_t>(size_max));
  std::byte* const body = at_ + length_size;
  std::byte* at = body;
  *at++ = std::byte{0};  // attributes: unused
  at = write_varlong(at, static_cast<int64_t>(static_cast<uint64_t>(timestamp) - static_cast<uint64_t>(base_timestamp_)));
  at = write_varint(at, offset_delta);
  at = write_bytes(at, key);
  at = write_bytes(at, value);
  at = write_varint(at, static_cast<int32_t>(headers.size()));
  if (!headers.empty()) [[unlikely]] at = write_headers(at, headers);
  const auto length = static_cast<int32_t>(at - body);
  if (varint_size(length) != length_size) [[unlikely]] {
    const size_t spare = length_size - varint_size(length);
    std::memmove(body - spare, body, static_cast<size_t>(length));
    at -= spare;
  }
  write_varint(at_, length);
  at_ = at;

  if (timestamp > max_timestamp_) max_timestamp_ = timestamp;
  next_offset_delta_ = offset_delta + 1;
  ++count_;
  return true;
}

[[gnu::always_inline]] inline bool BatchBuilder::append(int64_t timestamp, Bytes key, Bytes value,
                                                        std::span<const RecordHeader> headers) {
  return put(next_offset_delta_, timestamp, key, value, headers);
}

// The same with memory of its own that grows as it must: for what a broker writes itself (metadata, offsets, transactions,
// markers), where a batch has to hold what it has to hold.  Reusable: clear() keeps the memory.
class OwnedBatchBuilder {
 public:
  OwnedBatchBuilder() : block_(first_capacity), builder_(block_.memory()) {}
  OwnedBatchBuilder(OwnedBatchBuilder&&) = default;  // the memory stays where it is
  OwnedBatchBuilder& operator=(OwnedBatchBuilder&&) = default;

  void append(int64_t timestamp, Bytes key, Bytes value, std::span<const RecordHeader> headers = {}) {
    append_at(builder_.last_offset_delta() + 1, timestamp, key, value, headers);
  }
  void append_at(int32_t offset_delta, int64_t timestamp, Bytes key, Bytes value, std::span<const RecordHeader> headers = {});

  void set_base_timestamp(int64_t ms) { builder_.set_base_timestamp(ms); }

  size_t size() const { return builder_.size(); }
  int32_t count() const { return builder_.count(); }
  bool empty() const { return builder_.empty(); }
  void clear() { builder_.clear(); }
  Bytes seal(const BatchFields& fields) { return builder_.seal(fields); }  // holds until the next append
  MutableBytes sealed() { return block_.memory().first(builder_.size()); }
  Result<Bytes> seal(const BatchFields& fields, Codec codec, int level, Compressor& compressor, Block& into) {
    return builder_.seal(fields, codec, level, compressor, into);
  }

 private:
  static constexpr size_t first_capacity = 1024;

  Block block_;
  BatchBuilder builder_;
};

// ---- control batches -------------------------------------------------------------------------------------------------------

enum class ControlType : int16_t {
  abort = 0,
  commit = 1,
  leader_change = 2,
  snapshot_header = 3,
  snapshot_footer = 4,
  kraft_version = 5,
  kraft_voters = 6,
};

// The key of a control record, and the type in one.  Types may be met that no name is known for; -1: not a control record's key.
std::array<std::byte, 4> control_key(ControlType);
int16_t control_type(Bytes key);

// The end of a transaction in a partition: the batch that WriteTxnMarkers appends.  `control` and `transactional` are set here.
struct TransactionMarker {
  bool commit = false;
  int64_t producer_id = no_producer_id;
  int16_t producer_epoch = no_producer_epoch;
  int32_t coordinator_epoch = 0;
};
constexpr size_t marker_batch_size = 78;
std::array<std::byte, marker_batch_size> marker_batch(const TransactionMarker&, int64_t timestamp, int64_t base_offset = 0,
                                                      int32_t leader_epoch = no_leader_epoch);
int32_t marker_coordinator_epoch(Bytes value);  // -1 where the value is not a marker's

}  // namespace kq
