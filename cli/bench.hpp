// What the verbs of `kq bench` share.
#pragma once

#include <sys/resource.h>

#include <chrono>

#include "cli/command.hpp"

namespace kq::cli {

// Wall clock and processor time since it was started.
class Meter {
 public:
  void start() {
    wall_ = now();
    usage_ = usage();
  }
  double wall() const { return now() - wall_; }
  double user() const { return seconds(usage().ru_utime) - seconds(usage_.ru_utime); }
  double system() const { return seconds(usage().ru_stime) - seconds(usage_.ru_stime); }

 private:
  static double now() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }
  static double seconds(const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  }
  static rusage usage() {
    rusage usage = {};
    getrusage(RUSAGE_SELF, &usage);
    return usage;
  }
  double wall_ = 0;
  rusage usage_ = {};
};

void add_bench_latency(const Commands&, CLI::App* noun);

}  // namespace kq::cli
