// Reading, writing and sizing messages: visitors for the fields() that generate.py prints.  wire.md's encodings live here and in
// wire.cpp alone.
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
  void rigid(const char*, std::optional<std::string_view>&);
  void absent(const char*, bool) {}

  void tags(NoTags) { tags_of(nullptr); }
  void tags(UnknownTags& unknown) { tags_of(&unknown); }
  template <class Known>
  void tags(NoTags, const Known& known) { tags_of(nullptr, known); }
  template <class Known>
  void tags(UnknownTags& unknown, const Known& known) { tags_of(&unknown, known); }

  // Groups of seven bits, lowest first.
  uint32_t uvarint();

 private:
  struct TagReader {
    template <class T>
    void operator()(uint32_t candidate, const char*, T& field, bool) {
      if (candidate != tag) return;
      known = true;
      wire.read(field);
    }
    // The one place where a nullable struct is told by a varint.
    template <WireStruct T>
    void operator()(uint32_t candidate, const char*, std::optional<T>& field, bool) {
      if (candidate != tag) return;
      known = true;
      field.reset();
      if (wire.uvarint() != 0) T::fields(field.emplace(), wire);
    }

    Reader& wire;
    uint32_t tag;
    const std::byte* end;                                // of what surrounds this tag's value
    bool known = false;
  };

  size_t left() const { return static_cast<size_t>(end_ - at_); }
  void fail() {
    ok_ = false;
    at_ = end_;
  }
  bool claim(size_t count, size_t element_bytes);

  template <class Int>
  Int read_be() {
    if (left() < sizeof(Int)) return fail(), Int{};
    return load<Int>(std::exchange(at_, at_ + sizeof(Int)));
  }
  template <class Int>
  static Int load(const std::byte* from) {
    if constexpr (sizeof(Int) == 1) return static_cast<Int>(*from);
    else return load_be<Int>(from);
  }
  int64_t short_length();                                // of a string; negative: null
  int64_t long_length();                                 // of bytes and arrays
  std::optional<Bytes> take(int64_t size);
  std::optional<size_t> array_count(size_t element_bytes);

  void read(bool& field) { field = read_be<uint8_t>() != 0; }
  void read(int8_t& field) { field = read_be<int8_t>(); }
  void read(int16_t&);
  void read(uint16_t&);
  void read(int32_t&);
  void read(uint32_t&);
  void read(int64_t&);
  void read(Code&);
  void read(double&);
  void read(Uuid&);
  void read(std::string_view&);
  void read(Bytes&);
  void read(Records&);
  void read(std::optional<std::string_view>&);
  void read(std::optional<Bytes>&);
  void read(std::optional<Records>&);
  template <WireStruct T>
  void read(T& field) { T::fields(field, *this); }
  template <WireStruct T>
  void read(std::optional<T>& field) {
    field.reset();
    if (read_be<int8_t>() >= 0 && ok_) T::fields(field.emplace(), *this);
  }
  template <class T>
  void read(std::vector<T>& field) {
    if (!read_array(field)) fail();
  }
  template <class T>
  void read(std::optional<std::vector<T>>& field) {
    if (!read_array(field.emplace())) field.reset();
  }
  // False: null.
  template <class T>
  bool read_array(std::vector<T>& field) {
    field.clear();
    const auto count = array_count(sizeof(T));
    if (!count) return false;
    if constexpr (WireInteger<T>) {
      if (*count > left() / sizeof(T)) return fail(), true;
      field.resize(*count);
      for (T& element : field) element = load<T>(std::exchange(at_, at_ + sizeof(T)));
    } else {
      field.reserve(*count);
      for (size_t i = 0; i < *count && ok_; ++i) read(field.emplace_back());
    }
    return true;
  }

  TagReader begin_tag();
  void end_tag(const TagReader&, UnknownTags* unknown);
  void tags_of(UnknownTags* unknown);
  template <class Known>
  void tags_of(UnknownTags* unknown, const Known& known) {
    if (!flexible) return;
    for (uint32_t count = uvarint(); ok_ && count > 0; --count) {
      TagReader tagged = begin_tag();
      known(tagged);
      end_tag(tagged, unknown);
    }
  }

  const std::byte* at_;
  const std::byte* end_;
  size_t room_;                                          // bytes that arrays may still take
  bool ok_ = true;
};

// Bytes of a message that are not in its buffer: they come between bytes[at - 1] and bytes[at].
struct Splice {
  size_t at = 0;
  Bytes bytes{};                                         // in memory, borrowed; empty where external
  uint32_t external_size = 0;                            // as in Records
  uint32_t external_id = 0;

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

constexpr size_t copied_records_bytes_max = 1024;        // shorter records are cheaper copied than sent apart

// Writes one message behind what is in `bytes`; without `bytes` it only counts.  With `splices` long records are left out, and there
// may be records from elsewhere.  Sticky: what cannot be said in this version (a null, a string too long, a field that the version
// lacks) makes ok() false, and refused() names the field.
class Writer {
 public:
  Writer(std::vector<std::byte>* bytes, std::vector<Splice>* splices, int16_t version_of_message, bool is_flexible)
      : version(version_of_message), flexible(is_flexible), bytes_(bytes), splices_(splices) {}

  const int16_t version;
  const bool flexible;

  bool ok() const { return refused_ == nullptr; }
  const char* refused() const { return refused_; }
  size_t size() const { return size_; }                   // of what was written, splices included

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
  void rigid(const char* name, const std::optional<std::string_view>&);
  void absent(const char* name, bool is_default) {
    if (!is_default && ok()) refused_ = name;
  }

  void tags(NoTags) {
    if (flexible) uvarint(0);
  }
  void tags(const UnknownTags& unknown) { tags(unknown, [](auto&) {}); }
  template <class Known>
  void tags(NoTags, const Known& known) { tags_of({}, known); }
  template <class Known>
  void tags(const UnknownTags& unknown, const Known& known) { tags_of(unknown, known); }

  void uvarint(uint32_t);
  void put(Bytes);
  template <class Int>
  void put_be(Int value) {
    std::byte bytes[sizeof(Int)];
    if constexpr (sizeof(Int) == 1) bytes[0] = static_cast<std::byte>(value);
    else store_be(bytes, value);
    put(bytes);
  }

 private:
  struct TagCounter {
    void operator()(uint32_t, const char*, const auto&, bool is_default) { count += !is_default; }
    uint32_t count;
  };
  struct TagWriter {
    void operator()(uint32_t tag, const char* name, const auto& field, bool is_default) {
      if (is_default) return;
      unknown_below(tag);
      Writer sizer{nullptr, wire.splices_, wire.version, wire.flexible};
      sizer.tagged_value(field);
      wire.uvarint(tag);
      wire.uvarint(static_cast<uint32_t>(sizer.size()));
      wire.name_ = name;
      wire.tagged_value(field);
    }
    void unknown_below(uint64_t tag);

    Writer& wire;
    std::span<const UnknownTag> unknown;
  };

  void fail() {
    if (ok()) refused_ = name_;
  }
  bool short_length(size_t size);                        // of a string; false: too long
  bool long_length(size_t size);                         // of bytes and arrays
  void short_null();
  void long_null();

  void write(bool field) { put_be(static_cast<uint8_t>(field)); }
  void write(int8_t field) { put_be(field); }
  void write(int16_t field) { put_be(field); }
  void write(uint16_t field) { put_be(field); }
  void write(int32_t field) { put_be(field); }
  void write(uint32_t field) { put_be(field); }
  void write(int64_t field) { put_be(field); }
  void write(Code field) { put_be(static_cast<int16_t>(field)); }
  void write(double);
  void write(const Uuid& field) { put(field.bytes); }
  void write(std::string_view);
  void write(Bytes);
  void write(const Records&);
  void write(const std::optional<std::string_view>& field) { field ? write(*field) : short_null(); }
  void write(const std::optional<Bytes>& field) { field ? write(*field) : long_null(); }
  void write(const std::optional<Records>& field) { field ? write(*field) : long_null(); }
  template <WireStruct T>
  void write(const T& field) { T::fields(field, *this); }
  template <WireStruct T>
  void write(const std::optional<T>& field) {
    put_be(static_cast<int8_t>(field ? 1 : -1));
    if (field) write(*field);
  }
  template <class T>
  void write(const std::vector<T>& field) {
    if (!long_length(field.size())) return;
    for (const T& element : field) write(element);
  }
  template <class T>
  void write(const std::optional<std::vector<T>>& field) { field ? write(*field) : long_null(); }

  template <class T>
  void tagged_value(const T& field) { write(field); }
  template <WireStruct T>
  void tagged_value(const std::optional<T>& field) {
    uvarint(field ? 1 : 0);
    if (field) write(*field);
  }
  template <class Known>
  void tags_of(std::span<const UnknownTag> unknown, const Known& known) {
    if (!flexible) return;
    TagCounter counter{static_cast<uint32_t>(unknown.size())};
    known(counter);
    uvarint(counter.count);
    TagWriter tagged{*this, unknown};
    known(tagged);
    tagged.unknown_below(std::numeric_limits<uint64_t>::max());
  }

  std::vector<std::byte>* bytes_;
  std::vector<Splice>* splices_;
  size_t size_ = 0;
  const char* name_ = "";
  const char* refused_ = nullptr;
};

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

// Its views would dangle.
template <class Message>
std::optional<Message> decode(std::vector<std::byte>&& bytes, int16_t version) = delete;

// Appends the message.  False: it cannot be said in this version, and `to` is as it was.
template <class Message>
[[nodiscard]] bool encode(const Message& message, int16_t version, std::vector<std::byte>& to) {
  if (!has_version<Message>(version)) return false;
  const size_t before = to.size();
  Writer wire{&to, nullptr, version, version >= Message::flexible};
  Message::fields(message, wire);
  if (!wire.ok()) to.resize(before);
  return wire.ok();
}

// The same, without copying long records.
template <class Message>
[[nodiscard]] bool encode(const Message& message, int16_t version, Encoded& to) {
  if (!has_version<Message>(version)) return false;
  const size_t bytes_before = to.bytes.size(), splices_before = to.splices.size();
  Writer wire{&to.bytes, &to.splices, version, version >= Message::flexible};
  Message::fields(message, wire);
  if (!wire.ok()) to.bytes.resize(bytes_before), to.splices.resize(splices_before);
  return wire.ok();
}

// How many bytes the message takes, records from elsewhere included; nothing where it cannot be said in this version.
template <class Message>
std::optional<size_t> encoded_size(const Message& message, int16_t version) {
  std::optional<size_t> size;
  Writer wire{nullptr, nullptr, version, version >= Message::flexible};
  if (has_version<Message>(version)) Message::fields(message, wire), size = wire.size();
  if (!wire.ok()) size.reset();
  return size;
}

}  // namespace kq
