#include "libkq/record/legacy.hpp"

namespace kq {
namespace {

struct Message {
  Bytes key;
  Bytes value;
};

bool take(Bytes& rest, Bytes& out) {
  if (rest.size() < 4) return false;
  const auto size = load_be<int32_t>(rest.data());
  rest = rest.subspan(4);
  if (size < 0) {
    out = {};
    return true;
  }
  if (static_cast<size_t>(size) > rest.size()) return false;
  out = {rest.data(), static_cast<size_t>(size)};
  rest = rest.subspan(static_cast<size_t>(size));
  return true;
}

bool read_message(const BatchView& entry, Message& message) {
  Bytes rest = entry.bytes().subspan(entry.magic() == 0 ? legacy_at::key_0 : legacy_at::key_1);
  return take(rest, message.key) && take(rest, message.value);
}

Error invalid(const BatchView& entry, std::string_view what) {
  return {record_code::invalid_record,
          "the message set at offset " + std::to_string(entry.base_offset()) + " " + std::string(what)};
}

}  // namespace

Result<LegacyReader> LegacyReader::open(const BatchView& entry, Decompressor& decompressor, Block& block, bool check_crc,
                                        size_t decompressed_bytes_max) {
  LegacyReader reader;
  reader.check_crc_ = check_crc;
  reader.magic_ = entry.magic();
  if (entry.codec() == Codec::none) {
    reader.rest_ = entry.bytes();
    reader.check_crc_ = false;  // the caller has seen to it
    return reader;
  }

  Message wrapper;
  if (!read_message(entry, wrapper)) return invalid(entry, "is longer than its entry");
  if (wrapper.value.data() == nullptr) return invalid(entry, "is compressed, and null");
  if (entry.codec() == Codec::zstd) return invalid(entry, "is compressed with zstd, which its format does not know");
  KQ_TRY(decompressor.decompress(entry.codec(), wrapper.value, block, decompressed_bytes_max, entry.magic()));
  reader.wrapped_ = true;
  reader.rest_ = block.bytes();
  reader.append_time_ = entry.timestamp_type() == TimestampType::log_append;
  reader.append_timestamp_ = entry.max_timestamp();

  // Only the last message inside tells where a format 1 set begins, so all are stepped over first.
  Bytes rest = block.bytes();
  int64_t last_inner = -1;
  Step step;
  for (BatchView inner; (step = next_batch(rest, inner)) == Step::batch;) {
    if (inner.magic() != entry.magic()) return invalid(entry, "holds messages of another format");
    if (inner.codec() != Codec::none) return invalid(entry, "holds compressed messages in a compressed one");
    last_inner = inner.base_offset();
    reader.rest_ = {block.bytes().data(), static_cast<size_t>(rest.data() - block.bytes().data())};  // a cut-off tail is dropped
  }
  if (step == Step::corrupt) return invalid(entry, "holds something that is no message");
  if (rest.size() == block.size()) return invalid(entry, "is compressed, and holds no message");
  if (entry.magic() == 1 && entry.base_offset() != 0) {
    if (entry.base_offset() < last_inner) return invalid(entry, "has a wrapper offset below that of its last message");
    reader.base_offset_ = static_cast<int64_t>(static_cast<uint64_t>(entry.base_offset()) - static_cast<uint64_t>(last_inner));
  }
  return reader;
}

const char* LegacyReader::next(RecordView& record) {
  BatchView entry;
  if (next_batch(rest_, entry) != Step::batch) return "";
  if (check_crc_ && !entry.check_crc()) return "a message inside has a wrong check sum";
  Message message;
  if (!read_message(entry, message)) return "a key or value is longer than its message";
  record.offset = static_cast<int64_t>(static_cast<uint64_t>(entry.base_offset()) + static_cast<uint64_t>(base_offset_));
  record.timestamp = append_time_ ? append_timestamp_ : entry.max_timestamp();
  record.key = message.key;
  record.value = message.value;
  record.headers = {};
  return nullptr;
}

}  // namespace kq
