// The vectors of messages, read into memory.
#pragma once

#include <boost/json.hpp>
#include <string>
#include <vector>

#include "tests/wire/registry.hpp"

namespace kq {

struct Vector {
  std::string where;                     // file and line, for whoever looks for a failure
  const Entry* entry = nullptr;          // nullptr: the schema has no such message
  int16_t version = 0;
  std::vector<std::byte> bytes;
  boost::json::object line;              // all of it
};

// messages/*, records/*, headers.jsonl and embedded.jsonl: a message without anything around it.
const std::vector<Vector>& message_vectors();
// frames/*: header and message.
const std::vector<Vector>& frame_vectors();
std::vector<boost::json::object> lines_of(const std::string& file);   // below the vectors' directory

std::vector<std::byte> from_hex(std::string_view);
std::string_view text_at(const boost::json::object&, std::string_view name);   // "" where it is null or not there

// Equal as values: members in any order, 0 is 0.0.
bool same(const boost::json::value&, const boost::json::value&);

}  // namespace kq
