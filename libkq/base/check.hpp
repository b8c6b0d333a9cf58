// Invariants that stay on in release builds.
#pragma once

#include <stdexcept>

namespace kq {

// A broken invariant: a fault in kq itself, never a peer's doing.  It travels as an exception to the top of the part that broke
// (a client handle, an embedded broker, the kqd process), which decides what stops.  Nothing in between catches it.
struct BrokenInvariant : std::logic_error {
  using std::logic_error::logic_error;
};

[[noreturn]] void check_failed(const char* condition, const char* file, int line);

}  // namespace kq

#define KQ_CHECK(condition) \
  (__builtin_expect(static_cast<bool>(condition), 1) ? void() : ::kq::check_failed(#condition, __FILE__, __LINE__))
