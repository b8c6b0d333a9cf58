// The vectors of tests/vectors.tar.zst that concern record batches, and the bytes in their hex.
#pragma once

#include <boost/json.hpp>
#include <string>
#include <vector>

#include "libkq/record/batch_reader.hpp"

namespace kq::test {

using Memory = std::vector<std::byte>;

Memory from_hex(std::string_view hex);
std::string to_hex(Bytes bytes);

// The lines of a file of vectors.  Ends the program with a word to the reader where they are not there.
std::vector<boost::json::object> vectors(const std::string& file);

// What the readers of this folder find in a record set, in the form of batches.jsonl; or the code of the error that ended it.
struct Found {
  boost::json::array batches;
  int32_t error = 0;
};
Found read_all(Bytes records, const ReadOptions& options = {});

// A key or value as a vector gives it: hex, null, or length and check sum of what is long.
boost::json::value shown(Bytes bytes);

}  // namespace kq::test
