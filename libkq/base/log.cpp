#include "libkq/base/log.hpp"

#include <unistd.h>

#include <cstdio>
#include <ctime>

namespace kq {
namespace {
constexpr std::string_view level_names[] = {"ERROR", "WARN", "INFO", "DEBUG"};

std::string time_of_day() {
  const int64_t now_ms = wall_clock_ms();
  const time_t seconds = now_ms / 1000;
  tm parts;
  localtime_r(&seconds, &parts);
  char text[64];
  const size_t length = strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &parts);
  char millis[8];
  snprintf(millis, sizeof millis, ",%03d", static_cast<int>(now_ms % 1000));
  return std::string(text, length) + millis;
}
}  // namespace

void Logger::write(LogLevel level, std::string_view part, std::string_view text) {
  if (!wants(level) || descriptor_ < 0) return;
  std::string line = "[" + time_of_day() + "] " + std::string(level_names[static_cast<int>(level)]) + " [" + std::string(part) + "] ";
  line += text;
  line += '\n';
  // A log that cannot be written has nobody left to tell.
  [[maybe_unused]] const ssize_t written = ::write(descriptor_, line.data(), line.size());
}

void RateLimitedLog::write(std::string_view text) {
  const int64_t now = Clock::now().time_since_epoch().count();
  int64_t start = window_start_ns_.load(std::memory_order_relaxed);
  if (now - start > window.count() && window_start_ns_.compare_exchange_strong(start, now)) {
    written_ = 0;
    if (const int64_t missed = left_out_.exchange(0)) logger_.write(level_, part_, std::to_string(missed) + " lines like the next were left out");
  }
  if (written_.fetch_add(1) < burst) return logger_.write(level_, part_, text);
  left_out_.fetch_add(1, std::memory_order_relaxed);
}

}  // namespace kq
