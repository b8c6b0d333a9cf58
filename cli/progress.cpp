#include "cli/progress.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <string>

#include "cli/text.hpp"

namespace kq::cli {
namespace {
constexpr auto redraw_interval = std::chrono::milliseconds(200);
constexpr size_t bar_columns = 24;
}  // namespace

Progress::Progress(bool wanted, size_t total_bytes) : shown_(wanted && isatty(STDERR_FILENO)), total_bytes_(total_bytes) {}

void Progress::update(uint64_t records, uint64_t bytes) {
  if (!shown_) return;
  const auto now = Clock::now();
  if (now < next_) return;
  next_ = now + redraw_interval;
  const double elapsed = std::chrono::duration<double>(now - start_).count();
  std::string line = fmt::format("{}  {}  {:.0f}/s  {}/s", counted(records, "record"), human_bytes(static_cast<double>(bytes)),
                                 static_cast<double>(records) / elapsed, human_bytes(static_cast<double>(bytes) / elapsed));
  if (total_bytes_ > 0) {
    const double part = std::min(1.0, static_cast<double>(bytes) / static_cast<double>(total_bytes_));
    const auto filled = static_cast<size_t>(part * bar_columns);
    const double left = part > 0 ? elapsed / part - elapsed : 0;
    line = fmt::format("[{}{}] {:3.0f} %  {}  {} left", std::string(filled, '#'), std::string(bar_columns - filled, '.'),
                       part * 100, line, human_seconds(left));
  }
  fmt::print(stderr, "\r\033[K{}", line);
  drawn_ = true;
}

void Progress::clear() {
  if (drawn_) fmt::print(stderr, "\r\033[K");
  drawn_ = false;
}

}  // namespace kq::cli
