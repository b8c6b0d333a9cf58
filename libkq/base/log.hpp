// Lines for the operator: to a descriptor, with a level, and bounded in rate where a peer can cause them.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>

#include "libkq/base/clock.hpp"

namespace kq {

enum class LogLevel : int { error, warning, info, debug };

// Any thread may write; a line is one write(2).  The descriptor belongs to whoever gave it.  No line ever holds a secret.
class Logger {
 public:
  Logger(int descriptor, LogLevel level) : descriptor_(descriptor), level_(level) {}

  bool wants(LogLevel level) const { return level <= level_; }
  void write(LogLevel, std::string_view part, std::string_view text);   // part: "log", "connection", "metadata" …
  void error(std::string_view part, std::string_view text) { write(LogLevel::error, part, text); }
  void warning(std::string_view part, std::string_view text) { write(LogLevel::warning, part, text); }
  void info(std::string_view part, std::string_view text) { write(LogLevel::info, part, text); }
  void debug(std::string_view part, std::string_view text) { write(LogLevel::debug, part, text); }

 private:
  int descriptor_;
  LogLevel level_;
};

// For lines that a peer can cause: at most `burst` in a `window`; the next window's first line says how many were left out.
class RateLimitedLog {
 public:
  static constexpr int burst = 10;
  static constexpr Duration window = 10s;

  RateLimitedLog(Logger& logger, LogLevel level, std::string_view part) : logger_(logger), level_(level), part_(part) {}
  void write(std::string_view text);

 private:
  Logger& logger_;
  LogLevel level_;
  std::string_view part_;
  std::atomic<int64_t> window_start_ns_{0};
  std::atomic<int> written_{0};
  std::atomic<int64_t> left_out_{0};
};

}  // namespace kq
