// A value, or the error that kept it from being: how everything that can fail for a reason outside kq answers.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "libkq/base/check.hpp"

namespace kq {

// What a caller should do next.  The numbers are those of kq_verdict in kq.h.
enum class Verdict { refused = 1, retry = 2, abort = 3, fatal = 4 };

// Codes of kq's own.  Kafka's are -1 and above (libkq/protocol/codes.hpp); these stay below them and never travel on the wire.
namespace own_code {
constexpr int32_t internal = -1000;       // a broken invariant
constexpr int32_t argument = -1001;       // the caller's argument makes no sense
constexpr int32_t config = -1002;         // a configuration key or value
constexpr int32_t system = -1003;         // the operating system refused; the message has errno's text
constexpr int32_t closed = -1004;         // the handle, stream or loop was closed
constexpr int32_t timed_out = -1005;      // a deadline passed
constexpr int32_t no_room = -1006;        // a budget or a queue is full
constexpr int32_t resolve = -1007;        // a host name has no address
constexpr int32_t transport = -1008;      // a connection could not be made, or broke
constexpr int32_t protocol = -1009;       // the peer sent what the protocol forbids
constexpr int32_t no_memory = -1010;      // the allocator refused
constexpr int32_t forked = -1011;         // a handle was used in the child of a fork
constexpr int32_t unsupported = -1012;    // this kq, or that broker, does not have it
constexpr int32_t data = -1013;           // a file or directory does not hold what it should
}  // namespace own_code

// Small to move: success never pays for the text.
class Error {
 public:
  Error(int32_t code, std::string message, Verdict verdict = Verdict::refused)
      : code_(code), verdict_(verdict), message_(std::make_unique<std::string>(std::move(message))) {}
  Error(const Error& other)
      : code_(other.code_), verdict_(other.verdict_), message_(std::make_unique<std::string>(other.message())) {}
  Error& operator=(const Error& other) { return *this = Error(other); }
  Error(Error&&) noexcept = default;
  Error& operator=(Error&&) noexcept = default;

  int32_t code() const { return code_; }
  Verdict verdict() const { return verdict_; }
  const std::string& message() const { return *message_; }          // cause and cure, for a person

  // The same error, told from further out: "while opening /data: " in front.
  Error in(std::string_view context) && { message_->insert(0, std::string(context) + ": "); return std::move(*this); }

 private:
  int32_t code_;
  Verdict verdict_;
  std::unique_ptr<std::string> message_;
};

// errno as an Error: what was tried, on what, and the system's own words.
Error system_error(std::string_view what, int error_number);

template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value) : held_(std::in_place_index<0>, std::move(value)) {}
  Result(Error error) : held_(std::in_place_index<1>, std::move(error)) {}

  bool ok() const { return held_.index() == 0; }
  explicit operator bool() const { return ok(); }
  T& value() & { KQ_CHECK(ok()); return *std::get_if<0>(&held_); }
  const T& value() const& { KQ_CHECK(ok()); return *std::get_if<0>(&held_); }
  T&& value() && { KQ_CHECK(ok()); return std::move(*std::get_if<0>(&held_)); }
  T& operator*() { return value(); }
  const T& operator*() const { return value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }
  Error& error() { KQ_CHECK(!ok()); return *std::get_if<1>(&held_); }
  const Error& error() const { KQ_CHECK(!ok()); return *std::get_if<1>(&held_); }

 private:
  std::variant<T, Error> held_;
};

template <>
class [[nodiscard]] Result<void> {
 public:
  Result() = default;
  Result(Error error) : error_(std::make_unique<Error>(std::move(error))) {}

  bool ok() const { return !error_; }
  explicit operator bool() const { return ok(); }
  Error& error() { KQ_CHECK(!ok()); return *error_; }
  const Error& error() const { KQ_CHECK(!ok()); return *error_; }

 private:
  std::unique_ptr<Error> error_;
};

using Status = Result<void>;

}  // namespace kq

// Leaves the function with the error of `expression`, a Status.
#define KQ_TRY(expression)                                               \
  do {                                                                   \
    if (auto kq_try = (expression); !kq_try) return std::move(kq_try.error()); \
  } while (0)

// `auto x = ...` or leave with the error:  KQ_TRY_ASSIGN(auto file, fs.open(path));
#define KQ_TRY_ASSIGN(declaration, expression) KQ_TRY_ASSIGN_(declaration, expression, __LINE__)
#define KQ_TRY_ASSIGN_(declaration, expression, line) KQ_TRY_ASSIGN__(declaration, expression, line)
#define KQ_TRY_ASSIGN__(declaration, expression, line)      \
  auto kq_result_##line = (expression);                     \
  if (!kq_result_##line) return std::move(kq_result_##line.error()); \
  declaration = std::move(*kq_result_##line)
