// Any bytes as the records of a fetch answer, or of a segment: walked, decompressed and read to the last header.
#include "libkq/base/check.hpp"
#include "libkq/record/batch_reader.hpp"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace kq;
  constexpr size_t decompressed_bytes_max = size_t{1} << 20;
  static BatchReader reader({.check_crc = false, .decompressed_bytes_max = decompressed_bytes_max});
  static Block block;
  const Bytes all = std::as_bytes(std::span{data, size});
  Bytes rest = all;
  size_t touched = 0;
  for (BatchView batch; next_batch(rest, batch) == Step::batch;) {
    KQ_CHECK(batch.bytes().data() + batch.size() == rest.data());
    if (!reader.open(batch, block)) continue;
    for (RecordView record; reader.next(record);) {
      touched += record.key.size() + record.value.size();
      int32_t headers = 0;
      for (const RecordHeader& header : record.headers) {
        touched += header.key.size() + header.value.size();
        ++headers;
      }
      KQ_CHECK(headers == record.headers.size());
    }
    KQ_CHECK(block.size() <= decompressed_bytes_max + Decompressor::piece_bytes_max + 8 * size);
  }
  asm volatile("" : : "r"(touched));
  return 0;
}
