// A line on the terminal's standard error that tells how far a long work is.
#pragma once

#include <chrono>
#include <cstdint>

namespace kq::cli {

// Shows nothing where the standard error is no terminal, and nothing in the first second.  The line is gone at the end.
class Progress {
 public:
  using Clock = std::chrono::steady_clock;

  // `total_bytes` 0: not known, so no bar.
  Progress(bool wanted, size_t total_bytes);
  ~Progress() { clear(); }
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  // Cheap enough for every thousand records.
  void update(uint64_t records, uint64_t bytes);
  void clear();
  double seconds() const { return std::chrono::duration<double>(Clock::now() - start_).count(); }

 private:
  const bool shown_;
  const size_t total_bytes_;
  const Clock::time_point start_ = Clock::now();
  Clock::time_point next_ = start_ + std::chrono::seconds(1);
  bool drawn_ = false;
};

}  // namespace kq::cli
