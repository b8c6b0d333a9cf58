#include "libkq/net/loop.hpp"

#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <boost/asio/co_spawn.hpp>
#include <algorithm>
#include <cerrno>

#include "libkq/base/signals.hpp"

namespace kq {
namespace {

constexpr int events_max = 256;                // taken from the kernel in one call
constexpr int ready_max = 1024;                // handlers run before the descriptors are looked at again

void count_forks_once() {
  static const int registered = pthread_atfork(nullptr, nullptr, [] { fork_count.fetch_add(1, std::memory_order_relaxed); });
  (void)registered;
}

timespec to_timespec(Duration d) {
  return {static_cast<time_t>(d.count() / 1'000'000'000), static_cast<long>(d.count() % 1'000'000'000)};
}

}  // namespace

void Timer::arm(Instant deadline) {
  disarm();
  deadline_ = deadline;
  loop_.timers_.insert(*this);
}

void Timer::disarm() {
  if (is_linked()) loop_.timers_.erase(loop_.timers_.iterator_to(*this));
}

Loop::Loop(Kind kind) : kind_(kind), context_(1), work_(context_.get_executor()), fork_generation_(kq::fork_generation()) {
  count_forks_once();
  if (kind_ == Kind::simulated) return;
  epoll_ = epoll_create1(EPOLL_CLOEXEC);
  wake_ = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  KQ_CHECK(epoll_ >= 0 && wake_ >= 0);
  epoll_event event{.events = EPOLLIN | EPOLLET, .data = {.ptr = nullptr}};
  KQ_CHECK(epoll_ctl(epoll_, EPOLL_CTL_ADD, wake_, &event) == 0);
}

Loop::~Loop() {
  if (forked())
    for (const WatchedDescriptor& watched : watched_) ::close(watched.descriptor_);
  if (epoll_ >= 0) ::close(epoll_);
  if (wake_ >= 0) ::close(wake_);
}

bool Loop::forked() const { return kq::fork_generation() != fork_generation_; }

void Loop::spawn(awaitable<void> coroutine) {
  asio::co_spawn(context_, std::move(coroutine), [this](std::exception_ptr failure) {
    if (!failure) return;
    if (!on_failure_) std::rethrow_exception(failure);
    on_failure_(failure);
  });
}

void Loop::post(std::function<void()> call) {
  asio::post(context_, std::move(call));
  if (!on_own_thread()) wake();
}

void Loop::wake() {
  if (wake_ < 0 || wake_pending_.exchange(true)) return;
  const uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = ::write(wake_, &one, sizeof one);       // full means awake already
}

void Loop::stop() {
  stopped_ = true;
  wake();
}

void Loop::run() {
  while (!stopped_.load()) {
    try {
      turn(Duration::max());
    } catch (...) {
      if (!on_failure_) throw;
      on_failure_(std::current_exception());
    }
  }
}

std::optional<Instant> Loop::next_deadline() const {
  if (timers_.empty()) return std::nullopt;
  return timers_.begin()->deadline();
}

bool Loop::turn(Duration wait_max) {
  driver_.store(std::this_thread::get_id(), std::memory_order_relaxed);
  const bool more = run_ready();
  if (more) wait_max = Duration::zero();
  if (kind_ == Kind::real) wait_for_events(wait_max);
  fire_timers();
  const bool left = run_ready();
  driver_.store({}, std::memory_order_relaxed);
  if (left) wake();
  return left;
}

bool Loop::run_ready() {
  for (int ran = 0; ran < ready_max; ++ran)
    if (context_.poll_one() == 0) return false;
  return true;
}

void Loop::fire_timers() {
  if (timers_.empty()) return;
  const Instant now = Clock::now();
  while (!timers_.empty() && timers_.begin()->deadline_ <= now) {
    Timer& timer = *timers_.begin();
    timers_.erase(timers_.begin());
    timer.fired_();
  }
}

void Loop::wait_for_events(Duration wait_max) {
  if (wait_max > Duration::zero() && !timers_.empty())
    wait_max = std::clamp(timers_.begin()->deadline_ - Clock::now(), Duration::zero(), wait_max);
  epoll_event events[events_max];
  const timespec wait = to_timespec(wait_max);
  // A thread that is about to sleep is not its own driver: posts must wake it.
  driver_.store({}, std::memory_order_relaxed);
  int count = epoll_pwait2(epoll_, events, events_max, wait_max == Duration::max() ? nullptr : &wait, nullptr);
  if (count < 0 && errno == ENOSYS)            // before Linux 5.11: milliseconds, rounded up
    count = epoll_wait(epoll_, events, events_max, wait_max == Duration::max() ? -1 : static_cast<int>(to_ms(wait_max + 999'999ns)));
  driver_.store(std::this_thread::get_id(), std::memory_order_relaxed);
  for (int i = 0; i < count; ++i) {
    if (auto* watch = static_cast<Watch*>(events[i].data.ptr)) {
      watch->on_events(events[i].events);
      continue;
    }
    uint64_t drained;
    [[maybe_unused]] const ssize_t got = ::read(wake_, &drained, sizeof drained);
    wake_pending_ = false;
  }
}

awaitable<void> Loop::sleep_until(Instant deadline) {
  Signal due(context_);
  Timer timer(*this, [&due] { due.notify(); });
  timer.arm(deadline);
  co_await due.wait();
}

awaitable<bool> Loop::wait_until(Signal& signal, Instant deadline) {
  bool late = false;
  Timer timer(*this, [&] { late = true, signal.notify(); });
  timer.arm(deadline);
  co_await signal.wait();
  co_return !late;
}

Watch::Watch(Loop& loop, int descriptor)
    : WatchedDescriptor(descriptor), loop_(loop), read_(loop.context()), write_(loop.context()) {
  loop.watched_.push_back(*this);
  epoll_event event{.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data = {.ptr = this}};
  KQ_CHECK(epoll_ctl(loop.epoll_, EPOLL_CTL_ADD, descriptor, &event) == 0);
}

Watch::~Watch() {
  if (!loop_.forked()) epoll_ctl(loop_.epoll_, EPOLL_CTL_DEL, descriptor_, nullptr);
}

void Watch::on_events(uint32_t events) {
  if (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) hung_up_ = true;
  if (events & ~static_cast<uint32_t>(EPOLLOUT)) read_.notify();
  if (events & (EPOLLOUT | EPOLLERR | EPOLLHUP)) write_.notify();
}

void Watch::cancel() {
  read_.notify();
  write_.notify();
}

LoopThread::LoopThread(const char* name) {
  const SignalsBlocked blocked;
  thread_ = std::thread([this] { loop_.run(); });
  pthread_setname_np(thread_.native_handle(), name);
}

LoopThread::~LoopThread() {
  if (loop_.forked()) {
    thread_.detach();                          // the thread lives in the parent alone
    return;
  }
  loop_.stop();
  thread_.join();
}

}  // namespace kq
