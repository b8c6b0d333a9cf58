#include "libkq/client/driver.hpp"

#include <poll.h>

#include <algorithm>
#include <limits>

namespace kq::client {

Driver::Driver(Kind kind) {
  if (kind == Kind::thread) thread_ = std::make_unique<LoopThread>("kq");
  else hosted_loop_ = std::make_unique<Loop>();
  loop_ = thread_ ? &thread_->loop() : hosted_loop_.get();
  watch_for_faults();
}

Driver::~Driver() = default;

void Driver::watch_for_faults() {
  loop_->on_failure([this](std::exception_ptr failure) {
    std::string what = "an exception of an unknown kind";
    try {
      std::rethrow_exception(failure);
    } catch (const std::exception& exception) {
      what = exception.what();
    } catch (...) {
    }
    std::lock_guard lock(mutex_);
    if (!fault_) fault_.emplace(own_code::internal, "a fault in kq: " + what + "; please report it", Verdict::fatal);
    faulty_ = true;
  });
}

std::optional<Error> Driver::fault() const {
  std::lock_guard lock(mutex_);
  return fault_;
}

Network& Driver::network(const SocketOptions& options) {
  std::lock_guard lock(mutex_);
  auto& network = networks_[{options.send_buffer_bytes, options.receive_buffer_bytes}];
  if (!network) network = tcp_network(options);
  return *network;
}

Logger& Driver::logger(int descriptor, LogLevel level) {
  std::lock_guard lock(mutex_);
  return loggers_.try_emplace({descriptor, level}, descriptor, level).first->second;
}

static int32_t ms_until(Instant deadline) {
  if (deadline == Instant::max()) return -1;
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now()).count();
  return static_cast<int32_t>(std::clamp<int64_t>(left, 0, std::numeric_limits<int32_t>::max()));
}

int32_t Driver::next_deadline_ms() const {
  const auto deadline = loop_->next_deadline();
  return deadline ? ms_until(*deadline) : -1;
}

void Driver::step() { loop_->step(); }

void Driver::sleep(Instant deadline) {
  const Instant first = std::min(deadline, loop_->next_deadline().value_or(Instant::max()));
  pollfd descriptor{.fd = loop_->descriptor(), .events = POLLIN, .revents = 0};
  ::poll(&descriptor, 1, ms_until(first));
}

void Driver::run(const std::function<void()>& call) {
  Bell bell;
  std::atomic<bool> done{false};
  std::mutex alive;                                  // the loop lets go of the bell before this frame does
  loop_->post([&] {
    std::lock_guard lock(alive);
    call();
    done = true;
    bell.ring();
  });
  wait_unless(bell, Instant::max(), [&] { return done.load(); }, [] { return false; });     // `call` may refer to our caller's stack
  std::lock_guard lock(alive);
}

}  // namespace kq::client
