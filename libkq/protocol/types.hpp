// The types that generated messages are made of.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string_view>
#include <vector>

#include "libkq/base/bytes.hpp"
#include "libkq/base/uuid.hpp"
#include "libkq/protocol/codes.hpp"

namespace kq {

// A `records` field.  Either bytes that lie in memory (a view: decoded messages point into their frame), or, in an answer to be
// sent, `external_size` bytes that come from elsewhere, a slice of a file: then the writer notes a Splice (wire.hpp) with
// `external_id`, which is the sender's name for them.
struct Records {
  Bytes bytes{};
  uint32_t external_size = 0;
  uint32_t external_id = 0;

  size_t size() const { return external_size > 0 ? external_size : bytes.size(); }
  bool empty() const { return size() == 0; }
};

// Tagged fields that this version of the schema does not know, in ascending order.  A message keeps those of its own section, so
// that it encodes to the bytes it came from; those of structs inside it are skipped.
struct UnknownTag {
  uint32_t tag = 0;
  Bytes value{};
};
using UnknownTags = std::vector<UnknownTag>;

constexpr struct NoTags {
} no_tags{};

}  // namespace kq
