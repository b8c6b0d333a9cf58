#include "libkq/base/random.hpp"

#include <sys/random.h>

#include <bit>

#include "libkq/base/check.hpp"

namespace kq {
namespace {
Random* simulated_random = nullptr;

uint64_t splitmix(uint64_t& state) {
  uint64_t z = (state += 0x9e3779b97f4a7c15);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}
}  // namespace

Random::Random(uint64_t seed) {
  for (auto& word : state_) word = splitmix(seed);
}

uint64_t Random::next() {
  const uint64_t result = std::rotl(state_[1] * 5, 7) * 9;
  const uint64_t t = state_[1] << 17;
  state_[2] ^= state_[0];
  state_[3] ^= state_[1];
  state_[1] ^= state_[2];
  state_[0] ^= state_[3];
  state_[2] ^= t;
  state_[3] = std::rotl(state_[3], 45);
  return result;
}

uint64_t Random::below(uint64_t bound) {
  KQ_CHECK(bound > 0);
  return static_cast<uint64_t>((static_cast<unsigned __int128>(next()) * bound) >> 64);
}

double Random::unit() { return static_cast<double>(next() >> 11) * 0x1.0p-53; }

void system_random(MutableBytes into) {
  if (simulated_random) {
    for (auto& byte : into) byte = static_cast<std::byte>(simulated_random->next());
    return;
  }
  while (!into.empty()) {
    const ssize_t got = getrandom(into.data(), into.size(), 0);
    KQ_CHECK(got > 0);
    into = into.subspan(static_cast<size_t>(got));
  }
}

uint64_t system_random_u64() {
  uint64_t value;
  system_random(std::as_writable_bytes(std::span{&value, 1}));
  return value;
}

void simulate_system_random(Random* random) { simulated_random = random; }

}  // namespace kq
