#include "libkq/net/loop.hpp"

#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>


#include "tests/unit/cmocka.hpp"

using namespace kq;

static void timers_fire_in_the_order_of_their_deadlines(void**) {
  SimulatedTime time;
  Clock::simulate(&time);
  {
    Loop loop(Loop::Kind::simulated);
    std::string order;
    Timer late(loop, [&] { order += "late "; });
    Timer early(loop, [&] { order += "early "; });
    Timer never(loop, [&] { order += "never "; });
    late.arm(Clock::now() + 20ms);
    early.arm(Clock::now() + 10ms);
    never.arm(Clock::now() + 5ms);
    never.disarm();
    assert_true(loop.next_deadline() == Clock::now() + 10ms);
    time.monotonic += 10ms;
    loop.step();
    assert_string_equal(order.c_str(), "early ");
    time.monotonic += 10ms;
    loop.step();
    assert_string_equal(order.c_str(), "early late ");
    assert_false(loop.next_deadline().has_value());
  }
  Clock::simulate(nullptr);
}

static void calls_from_other_threads_run_on_the_loops_thread(void**) {
  LoopThread one("kq-test");
  bool on_thread = false;
  std::thread::id id;
  int calls = 0;
  for (int i = 0; i < 1000; ++i) one.loop().post([&] { ++calls; });
  std::atomic<bool> done{false};
  one.loop().post([&] {
    on_thread = one.loop().on_own_thread();
    id = std::this_thread::get_id();
    done = true;
    done.notify_one();
  });
  done.wait(false);
  assert_true(on_thread);
  assert_true(id != std::this_thread::get_id());
  assert_int_equal(calls, 1000);
}

static void a_host_waits_with_plain_poll(void**) {
  Loop loop;
  std::thread other([&] { loop.post([] {}); });
  pollfd host{.fd = loop.descriptor(), .events = POLLIN, .revents = 0};
  assert_int_equal(poll(&host, 1, 10'000), 1);
  other.join();
  loop.step();
  assert_int_equal(poll(&host, 1, 0), 0);                    // nothing left: the host may sleep
}

static awaitable<void> wait_with_deadline(Loop& loop, Signal& signal, Instant deadline, int& outcome) {
  const bool notified = co_await loop.wait_until(signal, deadline);
  outcome = notified ? 1 : 2;
}

static void a_wait_ends_by_signal_or_by_deadline(void**) {
  SimulatedTime time;
  Clock::simulate(&time);
  {
    Loop loop(Loop::Kind::simulated);
    Signal signal(loop.context());
    int outcome = 0;
    loop.spawn(wait_with_deadline(loop, signal, Clock::now() + 1s, outcome));
    loop.step();
    assert_int_equal(outcome, 0);
    signal.notify();
    loop.step();
    assert_int_equal(outcome, 1);
    loop.spawn(wait_with_deadline(loop, signal, Clock::now() + 1s, outcome));
    loop.step();
    time.monotonic += 1s;
    loop.step();
    assert_int_equal(outcome, 2);
  }
  Clock::simulate(nullptr);
}

static void a_forked_child_knows_it(void**) {
  LoopThread one("kq-test");
  const pid_t child = fork();
  if (child == 0) _exit(one.loop().forked() ? 0 : 1);
  int status = -1;
  waitpid(child, &status, 0);
  assert_int_equal(status, 0);
  assert_false(one.loop().forked());
}

static void buffers_are_used_again(void**) {
  BufferPool pool(64 << 10);
  std::byte* first;
  {
    Buffer buffer = pool.borrow(5000);
    assert_int_equal(buffer.capacity(), 8192);
    first = buffer.data();
  }
  assert_int_equal(pool.retained_bytes(), 8192);
  Buffer again = pool.borrow(8192);
  assert_ptr_equal(again.data(), first);
  { Buffer large = pool.borrow(100'000); }                   // above what the pool may keep
  assert_int_equal(pool.retained_bytes(), 0);
}

int main() {
  const CMUnitTest tests[] = {
      cmocka_unit_test(timers_fire_in_the_order_of_their_deadlines),
      cmocka_unit_test(calls_from_other_threads_run_on_the_loops_thread),
      cmocka_unit_test(a_host_waits_with_plain_poll),
      cmocka_unit_test(a_wait_ends_by_signal_or_by_deadline),
      cmocka_unit_test(a_forked_child_knows_it),
      cmocka_unit_test(buffers_are_used_again),
  };
  return cmocka_run_group_tests_name("net.loop", tests, nullptr, nullptr);
}
