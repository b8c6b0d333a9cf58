// kq cat: what kcat's users type.  Its flags are kcat's, so kq's own options before it have no meaning there.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cli/command.hpp"

namespace kq::cli {

struct CatOptions {
  Common common;                           // -b, -F, -X, -q, -m
  char mode = '\0';                        // C, P, L, Q, or G
  std::string group;
  std::vector<std::string> topics;         // -t; of -G, and files of -P, what stands behind the options: `rest`
  std::vector<std::string> rest;
  int32_t partition = -1;
  std::string separator = "\n";            // -D
  std::optional<std::string> key_separator;// -K
  std::optional<std::string> key, format, codec;
  std::vector<std::string> headers;
  std::string offset;                      // of -o, the place to begin
  std::optional<int64_t> from_time, until_time;
  uint64_t count = 0;
  bool exit_at_end = false, json = false, unbuffered = false, nulls = false, lines = false, tee = false, offsets = false;
};

// From `kq cat` on.  Prints help where that is asked for: then there are no options.
std::optional<CatOptions> parse_cat(int argc, char** argv);
int run_cat(const CatOptions&);
int cat_consume(const CatOptions&);
int cat_produce(const CatOptions&);

}  // namespace kq::cli
