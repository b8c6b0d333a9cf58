#include "libkq/base/check.hpp"

#include <string>

namespace kq {

void check_failed(const char* condition, const char* file, int line) {
  throw BrokenInvariant(std::string("broken invariant: ") + condition + " at " + file + ":" + std::to_string(line));
}

}  // namespace kq
