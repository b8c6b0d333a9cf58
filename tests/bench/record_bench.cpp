// What a record and a byte cost in libkq/record, alone on one core.  Not a test: it prints, and judges nothing.
#include <cstdio>
#include <ctime>
#include <vector>

#include "libkq/base/random.hpp"
#include "libkq/record/batch_builder.hpp"
#include "libkq/record/batch_reader.hpp"
#include "libkq/record/crc32c.hpp"
#include "libkq/record/validate.hpp"

using namespace kq;

namespace {

using Memory = std::vector<std::byte>;
constexpr int64_t now_ms = 1'700'000'000'000;

double cpu_seconds() {
  timespec now;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

// CPU seconds of one call, over enough calls to make half a second.
template <class Body>
double seconds_of(Body&& body) {
  body();
  for (size_t calls = 1;; calls *= 2) {
    const double start = cpu_seconds();
    for (size_t i = 0; i < calls; ++i) body();
    const double taken = cpu_seconds() - start;
    if (taken > 0.5) return taken / static_cast<double>(calls);
  }
}

void keep(uint64_t value) { asm volatile("" : : "r"(value) : "memory"); }

Memory text(size_t size) {
  Random random(1);
  Memory bytes(size);
  for (std::byte& byte : bytes) byte = static_cast<std::byte>("etaoin shrdlu{}:0123456789"[random.below(26)]);
  return bytes;
}

void bench_crc() {
  for (const size_t size : {size_t{100}, size_t{1000}, size_t{16'384}, size_t{1'000'000}}) {
    const Memory bytes = text(size);
    const double chosen = seconds_of([&] { keep(crc32c(bytes)); });
    const double table = seconds_of([&] { keep(crc32c_table(0, bytes)); });
    std::printf("crc32c   %8zu bytes   %6.1f GB/s   by table %5.1f GB/s\n", size, static_cast<double>(size) / chosen * 1e-9,
                static_cast<double>(size) / table * 1e-9);
  }
}

size_t fill(BatchBuilder& builder, Bytes key, const Memory& values, size_t value_size) {
  size_t records = 0;
  builder.clear();
  while (builder.append(now_ms + static_cast<int64_t>(records / 64), key,
                        Bytes(values).subspan(records % 64 * value_size, value_size)))
    ++records;
  return records;
}

void bench_records(size_t value_size, size_t batch_size) {
  Memory block(batch_size);
  BatchBuilder builder(block);
  const Memory values = text(64 * value_size);
  const Bytes key;
  const size_t records = fill(builder, key, values, value_size);
  const auto ns = [&](double seconds) { return seconds / static_cast<double>(records) * 1e9; };
  const double encode = seconds_of([&] { keep(fill(builder, key, values, value_size)); });
  const double seal = seconds_of([&] { keep(builder.seal({}).size()); });

  builder.seal({});
  const BatchView batch(Bytes(block).first(builder.size()));
  BatchReader reader;
  Block into;
  const double read = seconds_of([&] {
    if (!reader.open(batch, into)) return;
    for (RecordView record; reader.next(record);) keep(record.value.size());
  });
  BatchValidator validator;
  const BatchRules rules{.max_message_bytes = 1 << 30};
  const double validate = seconds_of([&] {
    keep(static_cast<uint64_t>(validator.validate(MutableBytes(block).first(builder.size()), rules, 12, now_ms, into).count));
  });
  std::printf(
      "records  %5zu bytes, %7zu a batch   encode %5.1f ns   seal %5.1f ns   read %5.1f ns   validate %5.1f ns a record\n",
      value_size, records, ns(encode), ns(seal), ns(read), ns(validate));
}

void bench_codec(Codec codec) {
  OwnedBatchBuilder builder;
  const Memory values = text(64 * 100);
  int records = 0;
  for (; builder.size() < 100'000; ++records)
    builder.append(now_ms, {}, Bytes(values).subspan(static_cast<size_t>(records % 64) * 100, 100));
  Compressor compressor;
  Block packed, plain, rebuilt;
  const double seal = seconds_of([&] { keep(builder.seal({}, codec, codec_levels(codec).standard, compressor, packed).ok()); });
  BatchReader reader;
  const double read = seconds_of([&] {
    if (!reader.open(BatchView(packed.bytes()), plain)) return;
    for (RecordView record; reader.next(record);) keep(record.value.size());
  });
  BatchValidator validator;
  const double validate =
      seconds_of([&] { keep(static_cast<uint64_t>(validator.validate(packed.mutable_bytes(), {}, 12, now_ms, rebuilt).count)); });
  const auto mb = [&](double seconds) { return static_cast<double>(builder.size()) / seconds * 1e-6; };
  std::printf("%-8s %zu to %zu bytes   seal %6.0f MB/s   read %6.0f MB/s   validate %6.0f MB/s\n",
              std::string(codec_name(codec)).c_str(), builder.size(), packed.size(), mb(seal), mb(read), mb(validate));
}

}  // namespace

int main() {
  bench_crc();
  for (const size_t batch_size : {size_t{16} << 10, size_t{1} << 20})
    for (const size_t value_size : {size_t{10}, size_t{100}, size_t{1000}}) bench_records(value_size, batch_size);
  for (const Codec codec : {Codec::none, Codec::gzip, Codec::snappy, Codec::lz4, Codec::zstd}) bench_codec(codec);
}
