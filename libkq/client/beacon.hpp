// A descriptor that is readable while a handle has something for poll: kq_producer_fd and its kin.
#pragma once

#include <sys/eventfd.h>
#include <unistd.h>

#include <cstdint>
#include <mutex>

#include "libkq/base/result.hpp"

namespace kq::client {

// Costs nothing until somebody asks for the descriptor.  Not thread-safe: its owner has the lock.
class Beacon {
 public:
  Beacon() = default;
  ~Beacon() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }
  Beacon(const Beacon&) = delete;

  // -1: the system has no more descriptors.
  int descriptor() {
    if (descriptor_ < 0) {
      descriptor_ = ::eventfd(lit_ ? 1 : 0, EFD_NONBLOCK | EFD_CLOEXEC);
    }
    return descriptor_;
  }

  void light(bool lit) {
    if (lit == lit_) return;
    lit_ = lit;
    if (descriptor_ < 0) return;
    uint64_t count = 1;
    if (lit) [[maybe_unused]] const auto written = ::write(descriptor_, &count, sizeof count);
    else [[maybe_unused]] const auto read = ::read(descriptor_, &count, sizeof count);
  }

 private:
  int descriptor_ = -1;
  bool lit_ = false;
};

}  // namespace kq::client
