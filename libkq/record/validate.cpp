#include "libkq/record/validate.hpp"

#include "libkq/record/record_stream.hpp"

namespace kq {
namespace {

using namespace record_code;

int64_t plus(int64_t a, int64_t b) { return static_cast<int64_t>(static_cast<uint64_t>(a) + static_cast<uint64_t>(b)); }
int64_t below(int64_t now, int64_t distance) {
  int64_t result;
  return __builtin_sub_overflow(now, distance, &result) ? std::numeric_limits<int64_t>::min() : result;
}
int64_t above(int64_t now, int64_t distance) {
  int64_t result;
  return __builtin_add_overflow(now, distance, &result) ? std::numeric_limits<int64_t>::max() : result;
}

Validation refuse(int16_t code, std::string message) { return {.code = code, .message = std::move(message)}; }

// Kafka calls it an unknown error where data does not decompress; so is any other reason of kq's own.
Validation refuse(const Error& error) {
  return refuse(error.code() < unknown_server_error ? unknown_server_error : static_cast<int16_t>(error.code()), error.message());
}

std::string number(int64_t n) { return std::to_string(n); }

// ---- the batch, before its records are looked at ---------------------------------------------------------------------------

// ProduceRequest.validateRecords: exactly one batch, of format 2.  A few bytes after it, too few for another, are cut off.
Validation find_batch(MutableBytes records, int16_t produce_version) {
  Bytes rest = records;
  BatchView batch, another;
  switch (next_batch(rest, batch)) {
    case Step::batch: break;
    case Step::corrupt: return refuse(corrupt_message, "no batch can begin like this");
    case Step::end:
    case Step::incomplete: return refuse(invalid_record, "a partition's records must hold a whole batch");
  }
  if (batch.magic() != 2) return refuse(invalid_record, "message format " + number(batch.magic()) + " is not accepted, only 2");
  if (produce_version < 7 && batch.codec() == Codec::zstd)
    return refuse(unsupported_compression_type, "zstd needs version 7 of Produce");
  switch (next_batch(rest, another)) {
    case Step::batch: return refuse(invalid_record, "a partition's records must be exactly one batch");
    case Step::corrupt: return refuse(corrupt_message, "what follows the batch cannot be read");
    default: return {.batch = records.first(batch.size())};
  }
}

// UnifiedLog.analyzeAndValidateRecords and LogValidator.validateBatch, in their order.
Validation check_header(const BatchView& batch, const BatchRules& rules) {
  if (batch.base_offset() != 0)
    return refuse(invalid_record, "the batch's base offset is " + number(batch.base_offset()) + ", not 0");
  if (batch.size() > static_cast<size_t>(rules.max_message_bytes))
    return refuse(message_too_large, "the batch has " + number(static_cast<int64_t>(batch.size())) +
                                         " bytes, more than max.message.bytes (" + number(rules.max_message_bytes) + ")");
  if (!batch.check_crc()) return refuse(corrupt_message, "the batch's check sum is wrong");
  if (static_cast<int8_t>(batch.codec()) > codec_max)
    return refuse(unknown_server_error, "no such codec: " + number(static_cast<int8_t>(batch.codec())));
  if (batch.count() <= 0 || int64_t{batch.last_offset_delta()} + 1 != batch.count())
    return refuse(invalid_record, "the batch counts " + number(batch.count()) + " records and ends at offset " +
                                      number(batch.last_offset_delta()));
  if (batch.control()) return refuse(invalid_record, "clients may not write control records");
  if (batch.has_producer_id() && batch.base_sequence() < 0)
    return refuse(invalid_record,
                  "the batch has producer id " + number(batch.producer_id()) + " and sequence " + number(batch.base_sequence()));
  return {};
}

// ---- the records -----------------------------------------------------------------------------------------------------------

}  // namespace

// LogValidator.validateRecord for one record after another, and what Kafka makes of all that were refused.
class RecordChecks {
 public:
  RecordChecks(const BatchView& batch, const BatchRules& rules, int64_t now_ms)
      : rules_(rules),
        now_ms_(now_ms),
        append_time_topic_(rules.message_timestamp_type == TimestampType::log_append),
        append_time_batch_(batch.timestamp_type() == TimestampType::log_append),
        base_timestamp_(append_time_batch_ ? batch.max_timestamp() : batch.base_timestamp()),
        earliest_(below(now_ms, rules.message_timestamp_before_max_ms)),
        latest_(above(now_ms, rules.message_timestamp_after_max_ms)) {}

  int64_t timestamp(int64_t delta) const { return append_time_batch_ ? base_timestamp_ : plus(base_timestamp_, delta); }

  void check(int64_t timestamp, bool has_key) {
    if (rules_.compacted && !has_key) [[unlikely]]
      add("a compacted topic takes no record without a key", false);
    else if (!append_time_topic_ && timestamp != no_timestamp) {
      if (timestamp < earliest_ || timestamp > latest_) [[unlikely]]
        add("timestamp " + number(timestamp) + " lies outside " + number(earliest_) + " to " + number(latest_), true);
    } else if (append_time_batch_) [[unlikely]]
      add("a producer may not set the timestamp type to LogAppendTime", true);
    if (timestamp > max_timestamp_) {
      max_timestamp_ = timestamp;
      max_timestamp_index_ = index_;
    }
    ++index_;
  }

  // Refused, or what is known of the records now.
  Validation result() {
    if (!refused_.empty())
      return {.code = bad_timestamp_ ? invalid_timestamp : invalid_record,
              .message = "one or more records have been refused: " + refused_.front().message,
              .refused = std::move(refused_)};
    if (append_time_topic_) return {.count = index_, .max_timestamp = now_ms_, .max_timestamp_delta = index_ - 1};
    return {.count = index_, .max_timestamp = max_timestamp_, .max_timestamp_delta = max_timestamp_index_};
  }

 private:
  void add(std::string message, bool of_timestamp) {
    bad_timestamp_ |= of_timestamp;
    if (refused_.size() < refused_records_max) refused_.push_back({index_, std::move(message)});
  }

  const BatchRules& rules_;
  int64_t now_ms_;
  bool append_time_topic_;
  bool append_time_batch_;
  int64_t base_timestamp_;
  int64_t earliest_;
  int64_t latest_;
  int32_t index_ = 0;
  int64_t max_timestamp_ = no_timestamp;
  int32_t max_timestamp_index_ = 0;
  bool bad_timestamp_ = false;
  std::vector<RefusedRecord> refused_;
};

namespace {

// Uncompressed, and to stay so.  Nobody looks at offset deltas here.
Validation walk(const BatchView& batch, RecordChecks& checks) {
  const Bytes records = batch.records();
  const std::byte* at = records.data();
  const std::byte* const end = at + records.size();
  RawRecord record;
  for (int32_t left = batch.count(); left > 0; --left) {
    if (const char* wrong = read_record(at, end, record)) return refuse(invalid_record, wrong);
    checks.check(checks.timestamp(record.timestamp_delta), record.key.data() != nullptr);
  }
  if (at != end) return refuse(invalid_record, "bytes are left after the last record");
  return checks.result();
}

// Compressed, and to stay as it is.
Validation stream(const BatchView& batch, RecordChecks& checks, Decompressor& decompressor, const BatchRules& rules,
                  Effort effort) {
  if (effort == Effort::quick && batch.records().size() > decompressed_inline_bytes_max) return {.deferred = true};
  if (Status begun = decompressor.begin(batch.codec(), batch.records(), rules.decompressed_bytes_max); !begun)
    return refuse(begun.error());
  RecordStream records(decompressor);
  RecordStream::Record record;
  bool offsets_count_up = true;
  for (int32_t index = 0; index < batch.count(); ++index) {
    if (!records.next(record)) return refuse(*records.error());
    if (effort == Effort::quick && records.bytes() > decompressed_inline_bytes_max) return {.deferred = true};
    checks.check(checks.timestamp(record.timestamp_delta), record.has_key);
    offsets_count_up &= record.offset_delta == index;
  }
  if (!records.at_end())
    return records.error() ? refuse(*records.error()) : refuse(invalid_record, "bytes are left after the last record");
  Validation result = checks.result();
  // Kafka would have to build the batch anew here, and falls over its own records, which it has not kept.
  if (result.ok() && !offsets_count_up)
    return refuse(unknown_server_error, "the offsets in a compressed batch do not count up from 0");
  return result;
}

// With log.validate.compressed=false the header is believed, as its crc is right.
Validation believe(const BatchView& batch, RecordChecks& checks) {
  checks.check(batch.max_timestamp(), true);
  Validation result = checks.result();
  result.refused.clear();  // it was no record that was looked at
  result.count = batch.count();
  result.max_timestamp_delta = batch.last_offset_delta();
  return result;
}

}  // namespace

// Under the topic's codec, with offset deltas 0, 1, 2 and what else the batch said of itself.
Validation BatchValidator::rebuild(const BatchView& batch, const BatchRules& rules, RecordChecks& checks, Block& rebuilt) {
  Bytes bytes = batch.records();
  if (batch.codec() != Codec::none) {
    plain_.clear();
    if (Status done = decompressor_.decompress(batch.codec(), bytes, plain_, rules.decompressed_bytes_max); !done)
      return refuse(done.error());
    bytes = plain_.bytes();
  }
  OwnedBatchBuilder builder;
  const std::byte* at = bytes.data();
  const std::byte* const end = at + bytes.size();
  RawRecord record;
  bool negative = false;
  for (int32_t left = batch.count(); left > 0; --left) {
    if (const char* wrong = read_record(at, end, record)) return refuse(invalid_record, wrong);
    const int64_t timestamp = checks.timestamp(record.timestamp_delta);
    checks.check(timestamp, record.key.data() != nullptr);
    negative |= timestamp < no_timestamp;
    headers_.clear();
    for (const RecordHeader& header : record.headers) headers_.push_back(header);
    builder.append(timestamp, record.key, record.value, headers_);
  }
  if (at != end) return refuse(invalid_record, "bytes are left after the last record");
  Validation result = checks.result();
  if (!result.ok()) return result;
  // Kafka's builder takes no time before 1970, though what is left as it came may have one.
  if (negative) return refuse(unknown_server_error, "a record's timestamp is negative");

  const bool append_time = rules.message_timestamp_type == TimestampType::log_append;
  const BatchFields fields{.producer_id = batch.producer_id(),
                           .producer_epoch = batch.producer_epoch(),
                           .base_sequence = batch.base_sequence(),
                           .transactional = batch.transactional(),
                           .log_append_time = append_time ? result.max_timestamp : no_timestamp};
  const Result<Bytes> sealed = builder.seal(fields, *rules.compression_type, rules.compression_level, compressor_, rebuilt);
  if (!sealed) return refuse(sealed.error());
  if (sealed->size() > static_cast<size_t>(rules.max_message_bytes))
    return refuse(message_too_large, "built anew under compression.type, the batch is larger than max.message.bytes");
  result.batch = rebuilt.mutable_bytes();
  return result;
}

Validation BatchValidator::validate(MutableBytes records, const BatchRules& rules, int16_t produce_version, int64_t now_ms,
                                    Block& rebuilt, Effort effort) {
  const Validation found = find_batch(records, produce_version);
  if (!found.ok()) return found;
  const BatchView batch{found.batch};
  if (Validation header = check_header(batch, rules); !header.ok()) return header;

  RecordChecks checks(batch, rules, now_ms);
  if (rules.compression_type && *rules.compression_type != batch.codec()) {
    if (effort == Effort::quick) return {.deferred = true};
    return rebuild(batch, rules, checks, rebuilt);
  }
  Validation result = batch.codec() == Codec::none                   ? walk(batch, checks)
                      : rules.validate_compressed || rules.compacted ? stream(batch, checks, decompressor_, rules, effort)
                                                                     : believe(batch, checks);
  if (!result.ok()) return result;
  set_max_timestamp(found.batch, rules.message_timestamp_type, result.max_timestamp);
  result.batch = found.batch;
  return result;
}

}  // namespace kq
