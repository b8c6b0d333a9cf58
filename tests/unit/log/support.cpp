#include "tests/unit/log/support.hpp"

#include <cstdlib>

#include "libkq/record/batch_builder.hpp"

namespace kq::test {

Memory make_batch(const BatchSpec& spec) {
  Random random{spec.seed};
  Memory block(batch_header_size + static_cast<size_t>(spec.records) * (spec.value_bytes + 64));
  BatchBuilder builder{block};
  Memory value(spec.value_bytes);
  for (int i = 0; i < spec.records; ++i) {
    for (std::byte& byte : value) byte = static_cast<std::byte>(random.next());
    KQ_CHECK(builder.append(spec.timestamp + i, {}, value));
  }
  const Bytes sealed = builder.seal({.base_offset = spec.base_offset, .leader_epoch = spec.leader_epoch, .producer_id = spec.producer_id,
                                     .producer_epoch = spec.producer_epoch, .base_sequence = spec.sequence,
                                     .transactional = spec.transactional});
  return {sealed.begin(), sealed.end()};
}

Memory make_marker(const MarkerSpec& spec) {
  std::byte key[4], value[6];
  store_be<int16_t>(key, 0);
  store_be<int16_t>(key + 2, spec.commit ? 1 : 0);
  store_be<int16_t>(value, 0);
  store_be<int32_t>(value + 2, spec.coordinator_epoch);
  Memory block(256);
  BatchBuilder builder{block};
  KQ_CHECK(builder.append(spec.timestamp, key, value));
  const Bytes sealed = builder.seal({.base_offset = spec.base_offset, .leader_epoch = spec.leader_epoch, .producer_id = spec.producer_id,
                                     .producer_epoch = spec.producer_epoch, .transactional = true, .control = true});
  return {sealed.begin(), sealed.end()};
}

Logger& quiet_logger() {
  static Logger logger{-1, std::getenv("KQ_LOUD") ? LogLevel::info : LogLevel::error};
  static Logger loud{2, LogLevel::info};
  return std::getenv("KQ_LOUD") ? loud : logger;
}

LogBed::LogBed(log::LogConfig with) : config(with) {
  KQ_CHECK(files.make_directory("/data/t-0").ok());
  KQ_CHECK(files.sync_directory("/").ok() && files.sync_directory("/data").ok());
}

Status LogBed::try_open(bool clean, int64_t recovery_point) {
  log.reset();
  auto opened = log::Log::open({cache, quiet_logger()}, {.directory = "/data/t-0", .name = {"t", 0}, .config = config,
                                                         .recovery_point = recovery_point, .start_offset = start_offset, .clean = clean,
                                                         .now_ms = now_ms});
  if (!opened) return std::move(opened.error());
  log = std::move(*opened);
  return {};
}

log::Log& LogBed::open(bool clean, int64_t recovery_point) {
  Status opened = try_open(clean, recovery_point);
  if (!opened) throw BrokenInvariant(opened.error().message());
  return *log;
}

Memory read_slice(const log::Slice& slice) {
  Memory bytes(slice.length);
  auto read = slice.file->read_at(slice.position, bytes);
  if (!read) throw BrokenInvariant(read.error().message());
  bytes.resize(*read);
  return bytes;
}

Memory LogBed::read_all() {
  Memory all;
  for (int64_t offset = log->start_offset();;) {
    auto read = log->read({.offset = offset, .bytes_max = 1000, .upper_offset = log->end_offset()});
    KQ_CHECK(read.ok() && read->code == Code::none);
    if (read->slice.empty()) return all;
    const Memory piece = read_slice(read->slice);
    KQ_CHECK(piece.size() == read->slice.length);
    Bytes rest = piece;
    BatchView batch;
    while (next_batch(rest, batch) == Step::batch) {
      all.insert(all.end(), batch.bytes().begin(), batch.bytes().end());
      offset = batch.next_offset();
    }
  }
}

Status LogBed::flush(log::FlushKind kind) {
  KQ_TRY_ASSIGN(const auto work, log->prepare_flush(kind));
  Status outcome = work.run();
  log->flushed(work, outcome);
  return outcome;
}

int64_t LogBed::append(const BatchSpec& spec) {
  Memory batch = make_batch(spec);
  auto appended = log->append_as_leader(batch, 0, now_ms);
  KQ_CHECK(appended.ok() && appended->code == Code::none);
  return appended->first_offset;
}

uint64_t env_or(const char* name, uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text ? std::strtoull(text, nullptr, 10) : otherwise;
}

}  // namespace kq::test
