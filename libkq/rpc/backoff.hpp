// How long to wait before trying again: doubled each time, up to a limit, and never the same for two who failed together.
#pragma once

#include <algorithm>
#include <cmath>

#include "libkq/base/clock.hpp"
#include "libkq/base/random.hpp"

namespace kq {

struct Backoff {
  static constexpr double jitter = 0.2;               // of the wait, to either side, as Kafka's clients do
  static constexpr int doublings_max = 30;

  Duration first{100ms};
  Duration max{1s};

  // Before try number `failures` + 1; failures >= 1.
  Duration after(int failures, Random& random) const {
    const double factor = std::exp2(std::clamp(failures - 1, 0, doublings_max)) * (1 - jitter + 2 * jitter * random.unit());
    const double wait = std::min(static_cast<double>(first.count()) * factor, static_cast<double>(max.count()));
    return Duration(static_cast<int64_t>(wait));
  }
};

}  // namespace kq
