#include "libkq/protocol/wire.hpp"

#include <bit>

namespace kq {

// Reading.

uint32_t Reader::uvarint() {
  uint32_t value = 0;
  for (int shift = 0; shift < 35; shift += 7) {
    const uint32_t byte = read_be<uint8_t>();
    value |= (byte & 0x7f) << shift;
    if (byte < 0x80) return value;
  }
  fail();
  return 0;
}

int64_t Reader::short_length() { return flexible ? int64_t{uvarint()} - 1 : int64_t{read_be<int16_t>()}; }
int64_t Reader::long_length() { return flexible ? int64_t{uvarint()} - 1 : int64_t{read_be<int32_t>()}; }

// Nothing: null, or not there.
std::optional<Bytes> Reader::take(int64_t size) {
  if (size < 0) return std::nullopt;
  if (size > static_cast<int64_t>(left())) return fail(), std::nullopt;
  return Bytes{std::exchange(at_, at_ + size), static_cast<size_t>(size)};
}

// May `count` elements be allocated?
bool Reader::claim(size_t count, size_t element_bytes) {
  if (count > room_ / element_bytes) return fail(), false;
  room_ -= count * element_bytes;
  return true;
}

// The count of an array, 0 where it cannot be; nothing: null.
std::optional<size_t> Reader::array_count(size_t element_bytes) {
  const int64_t claimed = long_length();
  if (claimed < 0) return std::nullopt;
  const auto count = static_cast<size_t>(claimed);
  if (count > left()) fail();                            // an element takes a byte or more
  return ok_ && claim(count, element_bytes) ? count : 0;
}

void Reader::read(int16_t& field) { field = read_be<int16_t>(); }
void Reader::read(uint16_t& field) { field = read_be<uint16_t>(); }
void Reader::read(int32_t& field) { field = read_be<int32_t>(); }
void Reader::read(uint32_t& field) { field = read_be<uint32_t>(); }
void Reader::read(int64_t& field) { field = read_be<int64_t>(); }
void Reader::read(Code& field) { field = Code{read_be<int16_t>()}; }
void Reader::read(double& field) { field = std::bit_cast<double>(read_be<uint64_t>()); }

void Reader::read(Uuid& field) {
  if (const auto bytes = take(sizeof field.bytes)) std::memcpy(field.bytes.data(), bytes->data(), bytes->size());
}

void Reader::rigid(const char*, std::optional<std::string_view>& field) {
  const auto bytes = take(read_be<int16_t>());
  field = bytes ? std::optional{as_text(*bytes)} : std::nullopt;
}

void Reader::read(std::optional<std::string_view>& field) {
  const int64_t size = short_length();
  if (size > static_cast<int64_t>(string_bytes_max)) fail();
  const auto bytes = take(size);
  field = bytes ? std::optional{as_text(*bytes)} : std::nullopt;
}

void Reader::read(std::optional<Bytes>& field) { field = take(long_length()); }

void Reader::read(std::optional<Records>& field) {
  const auto bytes = take(long_length());
  field = bytes ? std::optional{Records{.bytes = *bytes}} : std::nullopt;
}

// Null where it is not allowed is an error.
void Reader::read(std::string_view& field) {
  std::optional<std::string_view> text;
  read(text);
  text ? void(field = *text) : fail();
}

void Reader::read(Bytes& field) {
  const auto bytes = take(long_length());
  bytes ? void(field = *bytes) : fail();
}

void Reader::read(Records& field) { read(field.bytes); }

Reader::TagReader Reader::begin_tag() {
  const uint32_t tag = uvarint(), size = uvarint();
  if (size > left()) fail();
  return {*this, tag, std::exchange(end_, at_ + (ok_ ? size : 0))};
}

// Back to what surrounds the tag.  An unknown one is kept, if anybody wants it.
void Reader::end_tag(const TagReader& tagged, UnknownTags* unknown) {
  if (!tagged.known) {
    const Bytes value{std::exchange(at_, end_), end_};
    constexpr size_t grown = 3;                          // a vector that grows takes up to three times what is in it
    if (unknown != nullptr && ok_ && claim(grown, sizeof(UnknownTag))) unknown->push_back({tagged.tag, value});
  }
  if (at_ != end_) fail();
  end_ = tagged.end;
  if (!ok_) at_ = end_;
}

void Reader::tags_of(UnknownTags* unknown) { tags_of(unknown, [](auto&) {}); }

// Writing.

void Writer::put(Bytes bytes) {
  size_ += bytes.size();
  if (bytes_ != nullptr) bytes_->insert(bytes_->end(), bytes.begin(), bytes.end());
}

void Writer::uvarint(uint32_t value) {
  std::byte bytes[5];
  size_t size = 0;
  for (; value >= 0x80; value >>= 7) bytes[size++] = static_cast<std::byte>(value | 0x80);
  bytes[size++] = static_cast<std::byte>(value);
  put(Bytes{bytes, size});
}

bool Writer::short_length(size_t size) {
  if (size > string_bytes_max) return fail(), false;
  flexible ? uvarint(static_cast<uint32_t>(size) + 1) : put_be(static_cast<int16_t>(size));
  return true;
}

bool Writer::long_length(size_t size) {
  if (size > static_cast<size_t>(std::numeric_limits<int32_t>::max())) return fail(), false;
  flexible ? uvarint(static_cast<uint32_t>(size) + 1) : put_be(static_cast<int32_t>(size));
  return true;
}

void Writer::short_null() { flexible ? uvarint(0) : put_be(int16_t{-1}); }
void Writer::long_null() { flexible ? uvarint(0) : put_be(int32_t{-1}); }

void Writer::rigid(const char* name, const std::optional<std::string_view>& field) {
  name_ = name;
  if (!field) return put_be(int16_t{-1});
  if (field->size() > string_bytes_max) return fail();
  put_be(static_cast<int16_t>(field->size()));
  put(as_bytes(*field));
}

void Writer::write(double field) { put_be(std::bit_cast<uint64_t>(field)); }

void Writer::write(std::string_view field) {
  if (short_length(field.size())) put(as_bytes(field));
}

void Writer::write(Bytes field) {
  if (long_length(field.size())) put(field);
}

void Writer::write(const Records& field) {
  if (!long_length(field.size())) return;
  if (bytes_ == nullptr) {
    size_ += field.size();
  } else if (splices_ != nullptr && (field.external_size > 0 || field.bytes.size() > copied_records_bytes_max)) {
    size_ += field.size();
    splices_->push_back({bytes_->size(), field.bytes, field.external_size, field.external_id});
  } else if (field.external_size > 0) {
    fail();                                              // they cannot be copied from here
  } else {
    put(field.bytes);
  }
}

void Writer::TagWriter::unknown_below(uint64_t tag) {
  for (; !unknown.empty() && unknown.front().tag < tag; unknown = unknown.subspan(1)) {
    wire.uvarint(unknown.front().tag);
    wire.uvarint(static_cast<uint32_t>(unknown.front().value.size()));
    wire.put(unknown.front().value);
  }
}

}  // namespace kq
