// Every message of the schema as a row, for tests that walk all of them.
#pragma once

#include <span>
#include <string>

#include "libkq/protocol/frame.hpp"
#include "libkq/protocol/json.hpp"
#include "libkq/protocol/wire.hpp"

namespace kq {

// What came of a frame.
struct Walked {
  bool ok = false;                       // it was read
  size_t left = 0;                       // bytes after its end
  bool written = false;                  // it could be written again; the rest is filled in only then
  std::string json;                      // secrets shown
  std::vector<std::byte> bytes;          // by encode
  std::vector<std::byte> gathered;       // with records left out, its pieces put together
  size_t size = 0;                       // by encoded_size
};

struct Entry {
  std::string_view file;                 // the schema's: "produce", "group_records"
  std::string_view name;                 // "produce", "offset_commit", "request_header"
  std::string_view kind;                 // request, response, key, value, message
  int16_t number;                        // an api's key, a record's type, else -1
  int16_t oldest, newest, flexible;
  int16_t (*header_version)(int16_t version);   // of the header in front of a request or response
  bool (*read)(Bytes, int16_t version);  // reads, and does nothing with it
  Walked (*walk)(Bytes, int16_t version);
};

// The lists stand in generated files, one for each number here and in meson.build.
#define KQ_REGISTRY_PARTS(PART) PART(0) PART(1) PART(2) PART(3) PART(4) PART(5) PART(6) PART(7)

std::span<const Entry> all_messages();
// nullptr: there is none.
const Entry* find_message(std::string_view name, std::string_view kind);
const Entry* find_api(int16_t key, std::string_view kind);

template <class Message>
Walked walk(Bytes bytes, int16_t version) {
  Walked out;
  Message message;
  Reader wire{bytes, version, version >= Message::flexible};
  Message::fields(message, wire);
  out.ok = wire.ok() && has_version<Message>(version);
  out.left = wire.rest().size();
  if (!out.ok) return out;
  out.json = to_json(message, version, Secrets::shown);
  Encoded pieces;
  const auto size = encoded_size(message, version);
  out.written = encode(message, version, out.bytes) && encode(message, version, pieces) && size.has_value();
  out.size = size.value_or(0);
  size_t at = 0;
  const auto add = [&](Bytes piece) { out.gathered.insert(out.gathered.end(), piece.begin(), piece.end()); };
  for (const Splice& splice : pieces.splices) {
    add(Bytes{pieces.bytes}.subspan(at, splice.at - at));
    add(splice.bytes);
    at = splice.at;
  }
  add(Bytes{pieces.bytes}.subspan(at));
  return out;
}

template <class Message>
constexpr Entry entry(std::string_view file, std::string_view kind, int16_t number) {
  constexpr auto header_version = [](int16_t version) -> int16_t {
    if constexpr (requires { typename Message::Response; }) return request_header_version<Message>(version);
    else if constexpr (requires { int16_t{Message::key}; }) return response_header_version<Message>(version);
    else return -1;
  };
  return {file, Message::schema_name, kind, number, Message::oldest, Message::newest, Message::flexible, header_version,
          [](Bytes bytes, int16_t version) { return decode<Message>(bytes, version).has_value(); }, &walk<Message>};
}

}  // namespace kq
