// A batch of records as it lies on the wire and on disk (format 2, KIP-98), and how to walk a run of batches.
#pragma once

#include <limits>
#include <string_view>

#include "libkq/base/bytes.hpp"

namespace kq {

// Kafka's codes that this layer can have a reason for; a plain int16, as the layers above have their own list of all of them.
namespace record_code {
constexpr int16_t unknown_server_error = -1;
constexpr int16_t none = 0;
constexpr int16_t corrupt_message = 2;
constexpr int16_t message_too_large = 10;
constexpr int16_t invalid_timestamp = 32;
constexpr int16_t unsupported_compression_type = 76;
constexpr int16_t invalid_record = 87;
}  // namespace record_code

enum class Codec : int8_t { none = 0, gzip = 1, snappy = 2, lz4 = 3, zstd = 4 };  // 5 to 7 can be met, and are refused
constexpr int8_t codec_max = 4;

enum class TimestampType : int8_t { create = 0, log_append = 1 };

constexpr int64_t no_timestamp = -1;
constexpr int64_t no_producer_id = -1;
constexpr int16_t no_producer_epoch = -1;
constexpr int32_t no_sequence = -1;
constexpr int32_t no_leader_epoch = -1;

// Where the fields of a batch begin.
namespace batch_at {
constexpr size_t base_offset = 0;              // int64
constexpr size_t batch_length = 8;             // int32, of all that follows it
constexpr size_t partition_leader_epoch = 12;  // int32
constexpr size_t magic = 16;                   // int8
constexpr size_t crc = 17;                     // uint32, CRC-32C of all that follows it
constexpr size_t attributes = 21;              // int16
constexpr size_t last_offset_delta = 23;       // int32
constexpr size_t base_timestamp = 27;          // int64
constexpr size_t max_timestamp = 35;           // int64
constexpr size_t producer_id = 43;             // int64
constexpr size_t producer_epoch = 51;          // int16
constexpr size_t base_sequence = 53;           // int32
constexpr size_t count = 57;                   // int32
constexpr size_t records = 61;
}  // namespace batch_at

constexpr size_t batch_overhead = batch_at::batch_length + 4;  // what the length does not count
constexpr size_t batch_header_size = batch_at::records;
static_assert(batch_overhead == 12 && batch_header_size == 61);
static_assert(batch_at::magic == batch_at::partition_leader_epoch + 4 && batch_at::attributes == batch_at::crc + 4);
static_assert(batch_at::records == batch_at::count + 4);

namespace batch_bit {
constexpr int16_t codec = 0x07;
constexpr int16_t log_append_time = 0x08;
constexpr int16_t transactional = 0x10;
constexpr int16_t control = 0x20;
constexpr int16_t delete_horizon = 0x40;
}  // namespace batch_bit

// Formats 0 and 1: an entry is one message, or a compressed set of messages inside one.  Byte 16 tells the format in all three.
namespace legacy_at {
constexpr size_t offset = 0;  // int64; of a wrapper: that of the last message inside
constexpr size_t size = 8;    // int32
constexpr size_t crc = 12;    // uint32, zlib's CRC-32 of all that follows it
constexpr size_t magic = 16;
constexpr size_t attributes = 17;  // int8
constexpr size_t timestamp = 18;   // int64, format 1 alone
constexpr size_t key_0 = 18;       // int32 length and bytes; then the value likewise
constexpr size_t key_1 = 26;
}  // namespace legacy_at

constexpr int32_t legacy_size_min = 14;  // crc, magic, attributes, and two lengths

// Sequences count from 0 to 2147483647, and then from 0 again.
constexpr int32_t sequence_plus(int32_t sequence, int32_t records) {
  return static_cast<int32_t>((static_cast<uint32_t>(sequence) + static_cast<uint32_t>(records)) & 0x7fffffff);
}

// One batch (or legacy entry), borrowed from whoever holds its bytes.  next_batch() makes views whose length is right and whose
// header is all there; a view made by hand has to promise the same.  Nothing else is checked: the check sum least of all.
class BatchView {
 public:
  BatchView() = default;
  explicit BatchView(Bytes whole) : bytes_(whole) {}

  Bytes bytes() const { return bytes_; }
  size_t size() const { return bytes_.size(); }
  int8_t magic() const { return static_cast<int8_t>(bytes_[batch_at::magic]); }
  bool legacy() const { return magic() < 2; }

  // Of all formats.  A legacy wrapper knows its last offset alone; base_offset() of any legacy entry is its last offset.
  int64_t base_offset() const { return get<int64_t>(batch_at::base_offset); }
  int64_t last_offset() const { return legacy() ? base_offset() : base_offset() + last_offset_delta(); }
  int64_t next_offset() const { return last_offset() + 1; }
  Codec codec() const { return static_cast<Codec>(low_attributes() & batch_bit::codec); }
  TimestampType timestamp_type() const {
    return static_cast<TimestampType>(magic() > 0 && (low_attributes() & batch_bit::log_append_time) != 0);
  }
  int64_t max_timestamp() const {
    if (!legacy()) return get<int64_t>(batch_at::max_timestamp);
    return magic() == 0 ? no_timestamp : get<int64_t>(legacy_at::timestamp);
  }
  bool check_crc() const;

  // Of format 2; a legacy entry has none of these.
  int32_t batch_length() const { return get<int32_t>(batch_at::batch_length); }
  int32_t leader_epoch() const { return legacy() ? no_leader_epoch : get<int32_t>(batch_at::partition_leader_epoch); }
  uint32_t crc() const { return get<uint32_t>(legacy() ? legacy_at::crc : batch_at::crc); }
  int16_t attributes() const { return get<int16_t>(batch_at::attributes); }
  bool transactional() const { return !legacy() && (low_attributes() & batch_bit::transactional) != 0; }
  bool control() const { return !legacy() && (low_attributes() & batch_bit::control) != 0; }
  bool has_delete_horizon() const { return !legacy() && (low_attributes() & batch_bit::delete_horizon) != 0; }
  int64_t delete_horizon_ms() const { return has_delete_horizon() ? base_timestamp() : no_timestamp; }
  int32_t last_offset_delta() const { return get<int32_t>(batch_at::last_offset_delta); }
  int64_t base_timestamp() const { return get<int64_t>(batch_at::base_timestamp); }
  int64_t producer_id() const { return legacy() ? no_producer_id : get<int64_t>(batch_at::producer_id); }
  bool has_producer_id() const { return producer_id() > no_producer_id; }
  int16_t producer_epoch() const { return legacy() ? no_producer_epoch : get<int16_t>(batch_at::producer_epoch); }
  int32_t base_sequence() const { return legacy() ? no_sequence : get<int32_t>(batch_at::base_sequence); }
  int32_t last_sequence() const {
    const int32_t base = base_sequence();
    return base < 0 ? no_sequence : sequence_plus(base, last_offset_delta());
  }
  int32_t count() const { return get<int32_t>(batch_at::count); }
  Bytes records() const { return bytes_.subspan(batch_at::records); }  // compressed where codec() says so

 private:
  template <class Int>
  Int get(size_t at) const {
    return load_be<Int>(bytes_.data() + at);
  }
  uint8_t low_attributes() const {
    return static_cast<uint8_t>(bytes_[legacy() ? legacy_at::attributes : batch_at::attributes + 1]);
  }

  Bytes bytes_;
};

enum class Step {
  batch,       // there is one, whole
  end,         // nothing is left
  incomplete,  // the rest is too short for the batch it begins: the cut-off tail of a fetch answer, a torn write
  corrupt,     // no batch can begin like this
};

// Takes the next batch off the front of `rest`; leaves `rest` as it is unless the answer is `batch`.
Step next_batch(Bytes& rest, BatchView& batch);

// The same from the first bytes of a batch that is not read yet, as a scan of a file has them: the batch's size in bytes once
// `front` holds batch_header_peek of them, 0 while it is shorter, -1 where no batch can begin like this.
constexpr size_t batch_header_peek = batch_at::magic + 1;
int64_t batch_size_of(Bytes front);

// What a leader changes in place.  The crc leaves out offset, length, epoch and magic, so the first two cost no look at the rest.
inline void set_base_offset(MutableBytes batch, int64_t offset) { store_be(batch.data() + batch_at::base_offset, offset); }
inline void set_leader_epoch(MutableBytes batch, int32_t epoch) {
  store_be(batch.data() + batch_at::partition_leader_epoch, epoch);
}
// These write a new crc; set_max_timestamp only where something differs.
void set_max_timestamp(MutableBytes batch, TimestampType type, int64_t max_timestamp);
void set_producer(MutableBytes batch, int64_t producer_id, int16_t producer_epoch, int32_t base_sequence);
void set_crc(MutableBytes batch);

}  // namespace kq
