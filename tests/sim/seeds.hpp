// Runs a scenario from many seeds.  KQ_SEED says which is the first, KQ_SEEDS how many; KQ_SIM_LOG=1 prints the trace of one that fails.
// To be included last: CMocka has macros by short names.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string>

#include "tests/unit/cmocka.hpp"

namespace kq::sim {

inline uint64_t from_environment(const char* name, uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text ? std::strtoull(text, nullptr, 10) : otherwise;
}

// How many seeds the tiers of the tests run.
struct Tiers {
  uint64_t quick, full;
  uint64_t of_this_run() const {
    const char* tier = std::getenv("KQ_TEST_TIER");
    return tier && std::string_view(tier) == "full" ? full : quick;
  }
};

// A Scenario is made from a seed.  run() throws where something is wrong; trace() tells all that happened, lives() how often the broker
// was started.
template <class Scenario>
void run_seeds(const Tiers& tiers) {
  const uint64_t first = from_environment("KQ_SEED", 1), count = from_environment("KQ_SEEDS", tiers.of_this_run());
  uint64_t lives = 0;
  for (uint64_t seed = first; seed < first + count; ++seed) {
    std::string failure;
    Scenario scenario(seed);
    try {
      scenario.run();
      lives += static_cast<uint64_t>(scenario.lives());
    } catch (const std::exception& exception) {
      failure = exception.what();
    }
    if (failure.empty()) continue;
    if (std::getenv("KQ_SIM_LOG")) std::fputs(scenario.trace().c_str(), stderr);
    const auto number = static_cast<unsigned long long>(seed);
    fail_msg("seed %llu: %s (KQ_SEED=%llu KQ_SEEDS=1 runs it again)", number, failure.c_str(), number);
  }
  std::printf("sim: %llu seeds from %llu, %llu starts of the broker\n", static_cast<unsigned long long>(count),
              static_cast<unsigned long long>(first), static_cast<unsigned long long>(lives));
}

// The same seed gives the same trace to the byte.
template <class Scenario>
void compare_traces(uint64_t seeds = 5) {
  const uint64_t first = from_environment("KQ_SEED", 1);
  for (uint64_t seed = first; seed < first + seeds; ++seed) {
    std::string traces[2], failure;
    for (std::string& trace : traces) {
      Scenario scenario(seed);
      try {
        scenario.run();
      } catch (const std::exception& exception) {
        failure = exception.what();
      }
      trace = scenario.trace();
    }
    const auto number = static_cast<unsigned long long>(seed);
    if (!failure.empty()) fail_msg("seed %llu: %s", number, failure.c_str());
    assert_true(!traces[0].empty());
    if (traces[0] != traces[1]) fail_msg("seed %llu gives two traces", number);
  }
}

}  // namespace kq::sim
