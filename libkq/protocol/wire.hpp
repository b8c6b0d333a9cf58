// Reading, writing and sizing messages: visitors for the fields() that generate.py prints.  wire.md's encodings live here alone.
//
// What a visitor offers to fields():
//   wire.version, wire.flexible             of the message that is walked
//   wire(name, field)                       a field; one that may be null only in some versions comes with `bool may_be_null`
//   wire.rigid(name, field)                 always in the old form, whatever the version
//   wire.secret(name, field)                the same bytes as any field; printers leave it out
//   wire.absent(name, is_default)           this version lacks the field, and what it holds may not be dropped
//   wire.tags(unknown, known)               the end of a struct: `known(tagged)` walks its tagged fields in ascending order, as
//                                           tagged(tag, name, field, is_default)
#pragma once

#include <bit>
#include <concepts>
#include <optional>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "libkq/protocol/types.hpp"

namespace kq {

constexpr size_t string_bytes_max = 32767;
// A decoded element is larger than its bytes on the wire (an empty string: 16 bytes for 1).  All arrays of a message together may
// take this many bytes for each byte of the frame; a frame that asks for more is refused before anything is allocated for it.
constexpr size_t decoded_bytes_per_byte_max = 32;
constexpr size_t decoded_bytes_min = 4096;               // what the smallest frame may take

template <class T>
concept WireStruct = std::is_class_v<T> && std::is_aggregate_v<T> && !std::same_as<T, Records> && !std::same_as<T, Uuid>;
template <class T>
concept WireInteger = std::integral<T> && !std::same_as<T, bool>;

// Reads one message.  Sticky: after the first bad byte every read gives zero, null or nothing, and ok() says so once at the end.
// What it gives points into the frame.
class Reader {
 public:
  Reader(Bytes frame, int16_t version_of_message, bool is_flexible)
      : version(version_of_message), flexible(is_flexible), at_(frame.data()), end_(at_ + frame.size()),
        room_(frame.size() * decoded_bytes_per_byte_max + decoded_bytes_min) {}

  const int16_t version;
  const bool flexible;

  bool ok() const { return ok_; }
  Bytes rest() const { return {at_, end_}; }              // what has not been read

  template <class T>
  void operator()(const char*, T& field) { read(field); }
  template <class T>
  void operator()(const char*, std::optional<T>& field, bool may_be_null) {
    read(field);
    if (!field && !may_be_null) fail();
  }
  template <class T>
  void secret(const char*, T& field) { read(field); }
  void rigid(const char*, std::optional<std::string_view>& field) { field = string(read_be<int16_t>()); }
  void absent(const char*, bool) {}

  void tags(NoTags) { read_tags([](auto&) {}, [](uint32_t, Bytes) {}); }
  void tags(UnknownTags& unknown) { tags(unknown, [](auto&) {}); }
  template <class Known>
  void tags(NoTags, const Known& known) { read_tags(known, [](uint32_t, Bytes) {}); }
  template <class Known>
  void tags(UnknownTags& unknown, const Known& known) {
    read_tags(known, [&](uint32_t tag, Bytes value) {
      if (claim(3, sizeof(UnknownTag))) unknown.push_back({tag, value});      // growing takes up to three times its size
    });
  }

  // Groups of seven bits, lowest first.
  uint32_t uvarint() {
    uint32_t value = 0;
    for (int shift = 0; shift < 35; shift += 7) {
      const auto byte = static_cast<uint32_t>(read_be<uint8_t>());
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
    fail();
    return 0;
  }

 private:
  struct TagReader {
    template <class T>
    void operator()(uint32_t tag, const char*, T& field, bool) {
      if (tag != wanted) return;
      found = true;
      wire.read(field);
    }
    // The one place where a nullable struct is told by a varint.
    template <WireStruct T>
    void operator()(uint32_t tag, const char*, std::optional<T>& field, bool) {
      if (tag != wanted) return;
      found = true;
      field.reset();
      if (wire.uvarint() != 0) T::fields(field.emplace(), wire);
    }
    template <class T>
    void secret(uint32_t tag, const char* name, T& field, bool is_default) { (*this)(tag, name, field, is_default); }

    Reader& wire;
    uint32_t wanted;
    bool found = false;
  };

  size_t left() const { return static_cast<size_t>(end_ - at_); }
  void fail() {
    ok_ = false;
    at_ = end_;
  }
  // May `count` elements of `size` bytes be allocated?
  bool claim(size_t count, size_t size) {
    if (count > room_ / size) return fail(), false;
    room_ -= count * size;
    return true;
  }

  template <class Int>
  Int read_be() {
    if (left() < sizeof(Int)) return fail(), Int{};
    const Int value = load_be_any<Int>(at_);
    at_ += sizeof(Int);
    return value;
  }
  template <class Int>
  static Int load_be_any(const std::byte* from) {
    if constexpr (sizeof(Int) == 1) return static_cast<Int>(*from);
    else return load_be<Int>(from);
  }
  // A length before a string, bytes or an array; negative: null.
  template <class Int>
  int64_t length() { return flexible ? int64_t{uvarint()} - 1 : int64_t{read_be<Int>()}; }

  std::optional<std::string_view> string(int64_t size) {
    if (size < 0) return std::nullopt;
    if (size > static_cast<int64_t>(string_bytes_max)) fail();
    return as_text(take(size));
  }
  Bytes take(int64_t size) {
    if (size > static_cast<int64_t>(left())) return fail(), Bytes{};
    return {std::exchange(at_, at_ + size), static_cast<size_t>(size)};
  }
  // Null where it is not allowed is an error.
  template <class T>
  void required(T& field) {
    std::optional<T> value;
    read(value);
    if (value) field = std::move(*value);
    else fail();
  }

  void read(bool& field) { field = read_be<uint8_t>() != 0; }
  template <WireInteger Int>
  void read(Int& field) { field = read_be<Int>(); }
  void read(Code& field) { field = Code{read_be<int16_t>()}; }
  void read(double& field) { field = std::bit_cast<double>(read_be<uint64_t>()); }
  void read(Uuid& field) {
    if (left() < field.bytes.size()) return fail();
    std::memcpy(field.bytes.data(), at_, field.bytes.size());
    at_ += field.bytes.size();
  }
  void read(std::string_view& field) { required(field); }
  void read(Bytes& field) { required(field); }
  void read(Records& field) { required(field); }
  template <class T>
  void read(std::vector<T>& field) {
    if (!read_array(field)) fail();
  }
  template <WireStruct T>
  void read(T& field) { T::fields(field, *this); }

  void read(std::optional<std::string_view>& field) { field = string(length<int16_t>()); }
  void read(std::optional<Bytes>& field) {
    const int64_t size = length<int32_t>();
    field.reset();
    if (size >= 0) field = take(size);
  }
  void read(std::optional<Records>& field) {
    const int64_t size = length<int32_t>();
    field.reset();
    if (size >= 0) field = Records{.bytes = take(size)};
  }
  template <class T>
  void read(std::optional<std::vector<T>>& field) {
    if (!read_array(field.emplace())) field.reset();
  }
  template <WireStruct T>
  void read(std::optional<T>& field) {
    field.reset();
    if (read_be<int8_t>() >= 0 && ok_) T::fields(field.emplace(), *this);
  }

  // False: null.
  template <class T>
  bool read_array(std::vector<T>& field) {
    field.clear();
    const int64_t claimed = length<int32_t>();
    if (claimed < 0) return false;
    const auto count = static_cast<size_t>(claimed);
    if (count > left() || !claim(count, sizeof(T))) return fail(), true;       // an element takes a byte or more
    if constexpr (WireInteger<T>) {
      if (count > left() / sizeof(T)) return fail(), true;
      field.resize(count);
      for (T& element : field) element = load_be_any<T>(std::exchange(at_, at_ + sizeof(T)));
    } else {
      field.reserve(count);
      for (size_t i = 0; i < count && ok_; ++i) read(field.emplace_back());
    }
    return true;
  }

  template <class Known, class Keep>
  void read_tags(const Known& known, const Keep& keep) {
    if (!flexible) return;
    for (uint32_t count = uvarint(); ok_ && count > 0; --count) {
      TagReader tagged{*this, uvarint()};
      const uint32_t size = uvarint();
      if (size > left()) return fail();
      const std::byte* const end = std::exchange(end_, at_ + size);
      known(tagged);
      if (!tagged.found) keep(tagged.wanted, take(size));
      if (at_ != end_) fail();
      end_ = end;
      if (!ok_) at_ = end_;
    }
  }

  const std::byte* at_;
  const std::byte* end_;
  size_t room_;                                          // bytes that arrays may still take
  bool ok_ = true;
};

// Bytes of a message that are not in its buffer: they come between bytes[at - 1] and bytes[at].
struct Splice {
  size_t at;
  Bytes bytes;                                           // in memory, borrowed; empty where external
  uint32_t external_size;
  uint32_t external_id;                                  // as in Records

  size_t size() const { return external_size > 0 ? external_size : bytes.size(); }
};

// An encoded message of which large records were not copied: to be sent in pieces, buffer and splices in turn (writev, sendfile).
struct Encoded {
  std::vector<std::byte> bytes;
  std::vector<Splice> splices;                           // by position

  size_t size() const {
    size_t sum = bytes.size();
    for (const Splice& splice : splices) sum += splice.size();
    return sum;
  }
  void clear() { bytes.clear(), splices.clear(); }       // the memory stays, for the next message
};

// Where a writer's bytes go.
struct CountSink {
  size_t size = 0;

  void put(Bytes bytes) { size += bytes.size(); }
  template <class Int>
  void put_be(Int) { size += sizeof(Int); }
  bool put_records(const Records& records) { return size += records.size(), true; }
};

struct AppendSink {
  std::vector<std::byte>& to;

  void put(Bytes bytes) { to.insert(to.end(), bytes.begin(), bytes.end()); }
  template <class Int>
  void put_be(Int value) {
    const size_t at = to.size();
    to.resize(at + sizeof(Int));
    if constexpr (sizeof(Int) == 1) to[at] = static_cast<std::byte>(value);
    else store_be(to.data() + at, value);
  }
  bool put_records(const Records& records) { return records.external_size == 0 && (put(records.bytes), true); }
};

struct GatherSink {
  static constexpr size_t copied_bytes_max = 1024;       // shorter records are cheaper copied than sent apart

  Encoded& to;

  void put(Bytes bytes) { AppendSink{to.bytes}.put(bytes); }
  template <class Int>
  void put_be(Int value) { AppendSink{to.bytes}.put_be(value); }
  bool put_records(const Records& records) {
    if (records.external_size == 0 && records.bytes.size() <= copied_bytes_max) return put(records.bytes), true;
    to.splices.push_back({to.bytes.size(), records.bytes, records.external_size, records.external_id});
    return true;
  }
};

// Writes one message.  Sticky: what cannot be said in this version (a null, a string too long, a field that the version lacks)
// makes ok() false, and refused() names the field.
template <class Sink>
class BasicWriter {
 public:
  BasicWriter(Sink sink, int16_t version_of_message, bool is_flexible)
      : version(version_of_message), flexible(is_flexible), sink_(sink) {}

  const int16_t version;
  const bool flexible;

  bool ok() const { return refused_ == nullptr; }
  const char* refused() const { return refused_; }
  const Sink& sink() const { return sink_; }

  template <class T>
  void operator()(const char* name, const T& field) { name_ = name, write(field); }
  template <class T>
  void operator()(const char* name, const std::optional<T>& field, bool may_be_null) {
    name_ = name;
    if (!field && !may_be_null) return fail();
    write(field);
  }
  template <class T>
  void secret(const char* name, const T& field) { (*this)(name, field); }
  void rigid(const char* name, const std::optional<std::string_view>& field) {
    name_ = name;
    if (field && field->size() > string_bytes_max) return fail();
    sink_.put_be(static_cast<int16_t>(field ? static_cast<int>(field->size()) : -1));
    if (field) sink_.put(as_bytes(*field));
  }
  void absent(const char* name, bool is_default) {
    if (!is_default && ok()) refused_ = name;
  }

  void tags(NoTags) {
    if (flexible) uvarint(0);
  }
  void tags(const UnknownTags& unknown) { write_tags(unknown, [](auto&) {}); }
  template <class Known>
  void tags(NoTags, const Known& known) { write_tags({}, known); }
  template <class Known>
  void tags(const UnknownTags& unknown, const Known& known) { write_tags(unknown, known); }

  void uvarint(uint32_t value) {
    for (; value >= 0x80; value >>= 7) sink_.put_be(static_cast<uint8_t>(value | 0x80));
    sink_.put_be(static_cast<uint8_t>(value));
  }

 private:
  template <class>
  friend class BasicWriter;

  struct TagCounter {
    void operator()(uint32_t, const char*, const auto&, bool is_default) { count += !is_default; }
    void secret(uint32_t, const char*, const auto&, bool is_default) { count += !is_default; }
    uint32_t count;
  };
  struct TagWriter {
    void operator()(uint32_t tag, const char* name, const auto& field, bool is_default) {
      if (is_default) return;
      unknown_below(tag);
      wire.name_ = name;
      BasicWriter<CountSink> sizer{{}, wire.version, wire.flexible};
      sizer.tagged_value(field);
      wire.uvarint(tag);
      wire.uvarint(static_cast<uint32_t>(sizer.sink().size));
      wire.tagged_value(field);
    }
    void secret(uint32_t tag, const char* name, const auto& field, bool is_default) { (*this)(tag, name, field, is_default); }
    void unknown_below(uint64_t tag) {
      for (; !unknown.empty() && unknown.front().tag < tag; unknown = unknown.subspan(1)) {
        wire.uvarint(unknown.front().tag);
        wire.uvarint(static_cast<uint32_t>(unknown.front().value.size()));
        wire.sink_.put(unknown.front().value);
      }
    }

    BasicWriter& wire;
    std::span<const UnknownTag> unknown;
  };

  void fail() {
    if (ok()) refused_ = name_;
  }
  template <class Int>
  void length(size_t size) {
    if (flexible) uvarint(static_cast<uint32_t>(size) + 1);
    else sink_.put_be(static_cast<Int>(size));
  }
  template <class Int>
  void null() {
    if (flexible) uvarint(0);
    else sink_.put_be(Int{-1});
  }

  void write(bool field) { sink_.put_be(static_cast<uint8_t>(field)); }
  template <WireInteger Int>
  void write(Int field) { sink_.put_be(field); }
  void write(Code field) { sink_.put_be(static_cast<int16_t>(field)); }
  void write(double field) { sink_.put_be(std::bit_cast<uint64_t>(field)); }
  void write(const Uuid& field) { sink_.put(field.bytes); }
  void write(std::string_view field) {
    if (field.size() > string_bytes_max) return fail();
    length<int16_t>(field.size());
    sink_.put(as_bytes(field));
  }
  void write(Bytes field) {
    if (field.size() > size_bytes_max) return fail();
    length<int32_t>(field.size());
    sink_.put(field);
  }
  void write(const Records& field) {
    if (field.size() > size_bytes_max) return fail();
    length<int32_t>(field.size());
    if (!sink_.put_records(field)) fail();
  }
  template <class T>
  void write(const std::vector<T>& field) {
    if (field.size() > size_bytes_max) return fail();
    length<int32_t>(field.size());
    for (const T& element : field) write(element);
  }
  template <WireStruct T>
  void write(const T& field) { T::fields(field, *this); }

  template <class T>
  void write(const std::optional<T>& field) {
    if constexpr (WireStruct<T>) sink_.put_be(static_cast<int8_t>(field ? 1 : -1));
    else if (!field) return std::same_as<T, std::string_view> ? null<int16_t>() : null<int32_t>();
    if (field) write(*field);
  }
  template <class T>
  void tagged_value(const T& field) { write(field); }
  template <WireStruct T>
  void tagged_value(const std::optional<T>& field) {
    uvarint(field ? 1 : 0);
    if (field) write(*field);
  }

  template <class Known>
  void write_tags(std::span<const UnknownTag> unknown, const Known& known) {
    if (!flexible) return;
    TagCounter counter{static_cast<uint32_t>(unknown.size())};
    known(counter);
    uvarint(counter.count);
    TagWriter tagged{*this, unknown};
    known(tagged);
    tagged.unknown_below(std::numeric_limits<uint64_t>::max());
  }

  static constexpr size_t size_bytes_max = std::numeric_limits<int32_t>::max();

  Sink sink_;
  const char* name_ = "";
  const char* refused_ = nullptr;
};

using Sizer = BasicWriter<CountSink>;
using Writer = BasicWriter<AppendSink>;
using GatherWriter = BasicWriter<GatherSink>;

template <class Message>
constexpr bool has_version(int16_t version) { return version >= Message::oldest && version <= Message::newest; }

// Nothing: a version that is not there, or bytes that are not this message.  Bytes after its end are ignored, as Kafka does.
template <class Message>
std::optional<Message> decode(Bytes bytes, int16_t version) {
  if (!has_version<Message>(version)) return std::nullopt;
  std::optional<Message> message{std::in_place};
  Reader wire{bytes, version, version >= Message::flexible};
  Message::fields(*message, wire);
  if (!wire.ok()) message.reset();
  return message;
}

// Appends the message.  False: it cannot be said in this version, and `to` is as it was.
template <class Message>
[[nodiscard]] bool encode(const Message& message, int16_t version, std::vector<std::byte>& to) {
  if (!has_version<Message>(version)) return false;
  const size_t before = to.size();
  Writer wire{AppendSink{to}, version, version >= Message::flexible};
  Message::fields(message, wire);
  if (!wire.ok()) to.resize(before);
  return wire.ok();
}

// The same, without copying records.
template <class Message>
[[nodiscard]] bool encode(const Message& message, int16_t version, Encoded& to) {
  if (!has_version<Message>(version)) return false;
  const size_t bytes_before = to.bytes.size(), splices_before = to.splices.size();
  GatherWriter wire{GatherSink{to}, version, version >= Message::flexible};
  Message::fields(message, wire);
  if (!wire.ok()) to.bytes.resize(bytes_before), to.splices.resize(splices_before, Splice{});
  return wire.ok();
}

// How many bytes encode() would append; nothing where it would refuse.
template <class Message>
std::optional<size_t> encoded_size(const Message& message, int16_t version) {
  if (!has_version<Message>(version)) return std::nullopt;
  Sizer wire{CountSink{}, version, version >= Message::flexible};
  Message::fields(message, wire);
  return wire.ok() ? std::optional{wire.sink().size} : std::nullopt;
}

}  // namespace kq
