#include "broker/io_pool.hpp"

#include <atomic>

#include "tests/unit/cmocka.hpp"

using namespace kq;
using namespace kq::broker;

static void everything_submitted_is_done_when_drain_returns(void**) {
  ThreadPool pool(3);
  std::atomic<int> done{0};
  for (int i = 0; i < 500; ++i) pool.submit([&] { ++done; });
  pool.drain();
  assert_int_equal(done, 500);
}

static void work_may_submit_more_work(void**) {
  std::atomic<int> done{0};
  {
    ThreadPool pool(2);
    for (int i = 0; i < 50; ++i) pool.submit([&] { pool.submit([&] { ++done; }); });
    pool.drain();
    assert_int_equal(done, 50);
  }
}

static void what_is_queued_is_done_before_the_pool_dies(void**) {
  std::atomic<int> done{0};
  {
    ThreadPool pool(1);
    for (int i = 0; i < 100; ++i) pool.submit([&] { ++done; });
  }
  assert_int_equal(done, 100);
}

namespace {
awaitable<void> wait_for_work(IoPool& pool, Loop& loop, bool& resumed_on_loop, std::thread::id& worked_on) {
  co_await pool.run(loop, [&] { worked_on = std::this_thread::get_id(); });
  resumed_on_loop = loop.on_own_thread();
  loop.stop();
}
}  // namespace

static void a_coroutine_resumes_on_its_loop(void**) {
  ThreadPool pool(1);
  Loop loop;
  bool resumed_on_loop = false;
  std::thread::id worked_on;
  loop.spawn(wait_for_work(pool, loop, resumed_on_loop, worked_on));
  loop.run();
  assert_true(resumed_on_loop);
  assert_true(worked_on != std::this_thread::get_id());
}

int main() {
  const CMUnitTest tests[] = {
      cmocka_unit_test(everything_submitted_is_done_when_drain_returns),
      cmocka_unit_test(work_may_submit_more_work),
      cmocka_unit_test(what_is_queued_is_done_before_the_pool_dies),
      cmocka_unit_test(a_coroutine_resumes_on_its_loop),
  };
  return cmocka_run_group_tests_name("broker.io_pool", tests, nullptr, nullptr);
}
