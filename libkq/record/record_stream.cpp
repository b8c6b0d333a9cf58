#include "libkq/record/record_stream.hpp"

namespace kq {

// What is left of a record that lies in more than one piece.  Every read is held against its length first.
struct RecordStream::Body {
  RecordStream& stream;
  int64_t left;

  template <class Unsigned>
  bool uvarint(Unsigned& value) {
    value = 0;
    for (unsigned shift = 0; shift < sizeof(Unsigned) * 8; shift += 7) {
      uint8_t byte;
      if (left == 0 || !stream.take_byte(byte)) return false;
      --left;
      value |= static_cast<Unsigned>(byte & 0x7f) << shift;
      if (byte < 0x80) return true;
    }
    return false;
  }
  bool varint(int32_t& value) {
    uint32_t folded;
    if (!uvarint(folded)) return false;
    value = unzigzag(folded);
    return true;
  }
  bool skip(int64_t size) {
    if (size > left) return false;
    left -= size;
    while (size > 0) {
      if (stream.at_ == stream.end_ && !stream.refill()) return false;
      const auto step = std::min<int64_t>(size, stream.end_ - stream.at_);
      stream.at_ += step;
      size -= step;
    }
    return true;
  }
  // A length and that many bytes; a negative length is null.
  bool skip_field(bool& present) {
    int32_t size;
    if (!varint(size)) return false;
    present = size >= 0;
    return size <= 0 || skip(size);
  }
};

bool RecordStream::refill() {
  if (ended_ || error_) return false;
  Result<Bytes> piece = decompressor_.next();
  if (!piece) {
    error_ = std::move(piece.error());
    return false;
  }
  ended_ = piece->empty();
  at_ = piece->data();
  end_ = at_ + piece->size();
  bytes_ += piece->size();
  return !ended_;
}

bool RecordStream::take_byte(uint8_t& byte) {
  if (at_ == end_ && !refill()) return false;
  byte = static_cast<uint8_t>(*at_++);
  return true;
}

bool RecordStream::next(Record& record) {
  int32_t length;
  if (end_ - at_ >= static_cast<ptrdiff_t>(varint_bytes_max)) {
    if (!read_varint(at_, end_, length)) return fail("a record's length is no number");
  } else {
    Body number{*this, varint_bytes_max};
    if (!number.varint(length)) return fail("the data ends before the last record");
  }
  if (length < 0) return fail("a record's length is negative");
  if (length > end_ - at_) return next_across_pieces(length, record);

  RawRecord raw;
  if (const char* wrong = read_record_body(at_, at_ + length, raw)) return fail(wrong);
  at_ += length;
  record = {raw.timestamp_delta, raw.offset_delta, raw.key.data() != nullptr};
  return true;
}

bool RecordStream::next_across_pieces(int32_t length, Record& record) {
  Body body{*this, length};
  uint64_t timestamp_delta;
  int32_t header_count;
  bool has_value;
  if (!body.skip(1) || !body.uvarint(timestamp_delta) || !body.varint(record.offset_delta) || !body.skip_field(record.has_key) ||
      !body.skip_field(has_value) || !body.varint(header_count))
    return fail("a record is shorter than its fields, or cut off");
  record.timestamp_delta = unzigzag(timestamp_delta);
  if (header_count < 0 || header_count > body.left)
    return fail("a record's header count is negative, or larger than the bytes left");
  for (; header_count > 0; --header_count) {
    bool has_header_key;
    if (!body.skip_field(has_header_key) || !has_header_key || !body.skip_field(has_value))
      return fail("a header is longer than its record, or without a key");
  }
  return body.left == 0 || fail("a record is longer than its fields");
}

bool RecordStream::at_end() { return at_ == end_ && !refill() && !error_; }

bool RecordStream::fail(const char* wrong) {
  if (!error_) error_ = Error(record_code::invalid_record, wrong);  // a decompressor's error comes first
  return false;
}

}  // namespace kq
