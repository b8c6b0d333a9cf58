// One record of a batch: views of its parts, and the one place that knows how it is laid out when it is read.
#pragma once

#include <string_view>

#include "libkq/record/varint.hpp"

namespace kq {

// The key is text by convention only: its bytes are kept as they came.  A value whose data() is null is a null value.
struct RecordHeader {
  std::string_view key;
  Bytes value;
};

// The headers of a record that has been checked, decoded while they are walked: for (const RecordHeader& h : record.headers).
class RecordHeaders {
 public:
  class Iterator {
   public:
    Iterator() = default;
    Iterator(const std::byte* at, const std::byte* end, int32_t left) : at_(at), end_(end), left_(left) { read(); }
    const RecordHeader& operator*() const { return header_; }
    const RecordHeader* operator->() const { return &header_; }
    Iterator& operator++() {
      --left_;
      read();
      return *this;
    }
    bool operator!=(const Iterator& other) const { return left_ != other.left_; }

   private:
    void read() {
      int32_t size = 0;
      if (left_ <= 0 || !read_varint(at_, end_, size)) return void(left_ = 0);
      header_.key = {reinterpret_cast<const char*>(at_), static_cast<size_t>(size)};
      at_ += size;
      if (!read_varint(at_, end_, size)) return void(left_ = 0);
      header_.value = size < 0 ? Bytes{} : Bytes{at_, static_cast<size_t>(size)};
      if (size > 0) at_ += size;
    }
    const std::byte* at_ = nullptr;
    const std::byte* end_ = nullptr;
    int32_t left_ = 0;
    RecordHeader header_;
  };

  RecordHeaders() = default;
  RecordHeaders(Bytes bytes, int32_t count) : bytes_(bytes), count_(count) {}
  int32_t size() const { return count_; }
  bool empty() const { return count_ == 0; }
  Iterator begin() const { return {bytes_.data(), bytes_.data() + bytes_.size(), count_}; }
  Iterator end() const { return {}; }

 private:
  Bytes bytes_;
  int32_t count_ = 0;
};

// Points into the batch, or into the block that the batch was decompressed to.  A key or value whose data() is null is null; an
// empty one points somewhere.
struct RecordView {
  int64_t offset = 0;
  int64_t timestamp = 0;
  Bytes key;
  Bytes value;
  RecordHeaders headers;
};

// A record as it lies there, relative to its batch.
struct RawRecord {
  int64_t timestamp_delta = 0;
  int32_t offset_delta = 0;
  Bytes key;
  Bytes value;
  RecordHeaders headers;
};

// A length and that many bytes; any negative length is null, as for Java.
inline bool read_nullable_bytes(const std::byte*& at, const std::byte* end, Bytes& out) {
  int32_t size;
  if (!read_varint(at, end, size)) return false;
  if (size < 0) {
    out = {};
    return true;
  }
  if (size > end - at) return false;
  out = {at, static_cast<size_t>(size)};
  at += size;
  return true;
}

const char* check_headers(const std::byte*& at, const std::byte* end, int32_t count);

// Reads the record whose body, all after the length, is [at, stop).  Null, or what is wrong with it.
inline const char* read_record_body(const std::byte* at, const std::byte* stop, RawRecord& record) {
  int32_t header_count;
  if (at == stop) return "a record is shorter than its fields";
  ++at;  // attributes: unused
  if (!read_varlong(at, stop, record.timestamp_delta) || !read_varint(at, stop, record.offset_delta))
    return "a record is shorter than its fields";
  if (!read_nullable_bytes(at, stop, record.key)) return "a record's key is longer than the record";
  if (!read_nullable_bytes(at, stop, record.value)) return "a record's value is longer than the record";
  if (!read_varint(at, stop, header_count)) return "a record is shorter than its fields";
  const std::byte* const headers = at;
  if (header_count != 0)
    if (const char* wrong = check_headers(at, stop, header_count)) return wrong;
  record.headers = {Bytes{headers, at}, header_count};
  return at == stop ? nullptr : "a record is longer than its fields";
}

// Takes one record off [at, end).  Null, or what is wrong with it; then `at` is anywhere.
inline const char* read_record(const std::byte*& at, const std::byte* end, RawRecord& record) {
  int32_t length;
  if (!read_varint(at, end, length)) return "the batch ends inside a record's length";
  if (length < 0 || length > end - at) return "a record's length is negative, or longer than what is left";
  const std::byte* const body = at;
  at += length;
  return read_record_body(body, at, record);
}

}  // namespace kq
