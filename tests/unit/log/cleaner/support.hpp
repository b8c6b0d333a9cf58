// Logs of keys and values, in a line each.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "broker/log/cleaner/cleaning.hpp"
#include "tests/unit/log/support.hpp"

namespace kq::test {

struct Keyed {
  std::optional<std::string> key;
  std::optional<std::string> value;               // nothing: a tombstone
};

struct KeyedBatch {
  std::vector<Keyed> records;
  int64_t timestamp = 1000;
  int64_t producer_id = -1;
  int16_t producer_epoch = -1;
  int32_t sequence = -1;
  bool transactional = false;
  Codec codec = Codec::none;
};

inline Memory make_keyed(const KeyedBatch& spec) {
  OwnedBatchBuilder builder;
  for (const Keyed& record : spec.records) {
    const Bytes key = record.key ? as_bytes(*record.key) : Bytes{}, value = record.value ? as_bytes(*record.value) : Bytes{};
    builder.append(spec.timestamp, key, value);
  }
  const BatchFields fields{.producer_id = spec.producer_id, .producer_epoch = spec.producer_epoch, .base_sequence = spec.sequence,
                           .transactional = spec.transactional};
  if (spec.codec == Codec::none) {
    const Bytes sealed = builder.seal(fields);
    return {sealed.begin(), sealed.end()};
  }
  Compressor compressor;
  Block into;
  const auto sealed = builder.seal(fields, spec.codec, codec_levels(spec.codec).standard, compressor, into);
  KQ_CHECK(sealed);
  return {sealed->begin(), sealed->end()};
}

inline std::string text_of(Bytes bytes) { return bytes.data() == nullptr ? "-" : std::string(as_text(bytes)); }

// "0:a=1 3:b=- [4-5] 6!commit": records, tombstones, empty batches, markers.
inline std::string told(Bytes records) {
  std::string text;
  BatchReader reader;
  Block block;
  for (BatchView batch; next_batch(records, batch) == Step::batch;) {
    if (batch.count() == 0) {
      text += " [" + std::to_string(batch.base_offset()) + "-" + std::to_string(batch.last_offset()) + "]";
      continue;
    }
    KQ_CHECK(reader.open(batch, block));
    for (RecordView record; reader.next(record);) {
      text += " " + std::to_string(record.offset);
      if (batch.control()) text += control_type(record.key) == 1 ? "!commit" : "!abort";
      else text += ":" + text_of(record.key) + "=" + text_of(record.value);
    }
    KQ_CHECK(reader.status());
  }
  return text.empty() ? text : text.substr(1);
}

// A log that is compacted when it is told to.
struct CompactedBed : LogBed {
  explicit CompactedBed(log::LogConfig with = {}) : LogBed(compacted(with)) { open(false); }

  static log::LogConfig compacted(log::LogConfig config) {
    config.compact = true;
    config.remove = false;
    return config;
  }
  int64_t add(const KeyedBatch& spec) {
    Memory batch = make_keyed(spec);
    return append_batch(batch);
  }
  int64_t add(const std::string& key, std::optional<std::string> value) { return add({.records = {{key, std::move(value)}}, .timestamp = now_ms}); }
  int64_t end_transaction(int64_t producer, bool commit) {
    Memory marker = make_marker({.producer_id = producer, .producer_epoch = 0, .commit = commit, .timestamp = now_ms});
    return append_batch(marker, {.origin = log::AppendOrigin::coordinator});
  }
  int64_t append_batch(Memory& batch, const log::AppendOptions& how = {}) {
    auto appended = log->append_as_leader(batch, 0, now_ms, how);
    KQ_CHECK(appended.ok() && appended->code == Code::none);
    log->set_high_watermark(log->end_offset());
    return appended->first_offset;
  }
  void roll() { KQ_CHECK(log->roll(now_ms)); }

  log::CleaningPlan plan() { return log::plan_cleaning(*log->facts(checkpoint.value_or(0)), checkpoint, now_ms); }
  std::unique_ptr<log::Cleaning> begin(size_t key_memory_bytes = 1 << 20, size_t buffer_bytes = 64 << 10) {
    return std::make_unique<log::Cleaning>(log::Cleaning::Options{.cache = cache,
                                                                  .on_log = [this](const auto& call) { return log ? (call(*log), true) : false; },
                                                                  .plan = plan(),
                                                                  .key_memory_bytes = key_memory_bytes,
                                                                  .buffer_bytes = buffer_bytes});
  }
  // To its end; false: it gave up.
  bool run(log::Cleaning& cleaning) {
    for (;;) {
      const auto progress = cleaning.step(now_ms);
      if (!progress) throw BrokenInvariant(progress.error().message());
      if (progress->state == log::Cleaning::State::given_up) return false;
      if (progress->state == log::Cleaning::State::more) continue;
      checkpoint = cleaning.end_offset();
      return true;
    }
  }
  bool clean(size_t key_memory_bytes = 1 << 20) { return run(*begin(key_memory_bytes)); }
  std::string all() { return told(read_all()); }

  std::optional<int64_t> checkpoint;
};

}  // namespace kq::test
