#include "libkq/rpc/backoff.hpp"

#include "tests/unit/cmocka.hpp"

using namespace kq;

static void each_wait_is_twice_the_last_within_a_fifth_up_to_the_limit(void**) {
  const Backoff backoff{100ms, 1s};
  Random random(7);
  for (int failures = 1; failures <= 40; ++failures) {
    const Duration plain = failures <= 4 ? 100ms * (1 << (failures - 1)) : Duration(1600ms);
    for (int i = 0; i < 1000; ++i) {
      const Duration wait = backoff.after(failures, random);
      assert_true(wait >= std::min<Duration>(plain * 8 / 10, 1s) && wait <= std::min<Duration>(plain * 12 / 10, 1s));
    }
  }
}

static void two_who_failed_together_do_not_come_back_together(void**) {
  const Backoff backoff{100ms, 1s};
  Random one(1), other(2);
  int same = 0;
  for (int i = 0; i < 1000; ++i) same += backoff.after(1, one) == backoff.after(1, other);
  assert_in_range(same, 0, 2);
}

static void without_a_first_wait_there_is_none(void**) {
  const Backoff backoff{0ms, 0ms};
  Random random(1);
  assert_true(backoff.after(5, random) == Duration::zero());
}

int main() {
  const CMUnitTest tests[] = {
      cmocka_unit_test(each_wait_is_twice_the_last_within_a_fifth_up_to_the_limit),
      cmocka_unit_test(two_who_failed_together_do_not_come_back_together),
      cmocka_unit_test(without_a_first_wait_there_is_none),
  };
  return cmocka_run_group_tests_name("rpc.backoff", tests, nullptr, nullptr);
}
