// Java's properties files: `key=value`, `key: value` or `key value`, # and ! comments, \ before a line's end, \t \n \r \f \uXXXX.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "libkq/base/result.hpp"

namespace kq {

using Property = std::pair<std::string, std::string>;

// In the order of the text; where a key comes again, the later one holds.  An error names the line.
Result<std::vector<Property>> parse_properties(std::string_view text);

}  // namespace kq
