// Batches to send, and the values in those that come back.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "libkq/record/batch_builder.hpp"
#include "libkq/record/batch_reader.hpp"

namespace kq::broker {

struct BatchOf {
  std::vector<std::string> values;
  BatchFields fields{};
  Codec codec = Codec::none;
};

inline std::vector<std::byte> batch_of(const BatchOf& wanted) {
  size_t size = batch_header_size;
  for (const std::string& value : wanted.values) size += BatchBuilder::record_bytes_max(3, value.size());
  std::vector<std::byte> block(size);
  BatchBuilder builder(block);
  for (const std::string& value : wanted.values) KQ_CHECK(builder.append(1'700'000'000'000, as_bytes("key"), as_bytes(value)));
  if (wanted.codec == Codec::none) {
    const Bytes sealed = builder.seal(wanted.fields);
    return {sealed.begin(), sealed.end()};
  }
  Compressor compressor;
  Block into;
  const auto sealed = builder.seal(wanted.fields, wanted.codec, 1, compressor, into);
  KQ_CHECK(sealed);
  return {sealed->begin(), sealed->end()};
}

// "0:a 1:b": offset and value of every record.
inline std::string told(Bytes records) {
  std::string text;
  BatchReader reader;
  Block block;
  for (BatchView batch; next_batch(records, batch) == Step::batch;) {
    KQ_CHECK(reader.open(batch, block));
    for (RecordView record; reader.next(record);)
      text += (text.empty() ? "" : " ") + std::to_string(record.offset) + ":" + std::string(as_text(record.value));
    KQ_CHECK(reader.status());
  }
  return text;
}

}  // namespace kq::broker
