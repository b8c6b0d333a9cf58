// kq/broker.h: brokers as guests of this process.
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <string>

#include "include/kq/broker.h"
#include "tests/unit/cmocka.hpp"

namespace {

struct Directory {
  Directory() {
    char name[] = "/tmp/kq-embedded-XXXXXX";
    path = mkdtemp(name);
  }
  ~Directory() { std::filesystem::remove_all(path); }
  std::string path;
};

// NULL, or why it did not start; the error is freed.
std::string start(const std::string& directory, kq_broker** out, const char* key = nullptr, const char* value = nullptr) {
  kq_config* config;
  kq_config_new(&config);
  if (!directory.empty()) kq_error_free(kq_config_set(config, "log.dirs", directory.c_str()));
  if (key) kq_error_free(kq_config_set(config, key, value));
  kq_error* error = kq_broker_start(config, -1, out);
  std::string message = kq_error_message(error);
  kq_error_free(error);
  kq_config_free(config);
  return message;
}

}  // namespace

static void two_live_side_by_side_and_stop_cleanly(void**) {
  Directory one, two;
  kq_broker *first = nullptr, *second = nullptr;
  assert_string_equal(start(one.path, &first).c_str(), "");
  assert_string_equal(start(two.path, &second).c_str(), "");
  assert_non_null(kq_broker_address(first, 0));
  assert_null(kq_broker_address(first, 1));
  assert_string_not_equal(kq_broker_address(first, 0), kq_broker_address(second, 0));
  assert_null(kq_broker_failure(first));
  assert_null(kq_broker_stop(first));
  kq_error* again = kq_broker_stop(first);
  assert_int_equal(kq_error_code(again), KQ_ERR_CLOSED);
  kq_error_free(again);
  assert_true(std::filesystem::exists(one.path + "/.kafka_cleanshutdown"));
  kq_broker_free(first);
  kq_broker_free(second);
  assert_false(std::filesystem::exists(two.path + "/.kafka_cleanshutdown"));
}

static void a_directory_in_use_or_unnamed_is_refused(void**) {
  Directory directory;
  kq_broker *broker = nullptr, *other = nullptr;
  assert_string_equal(start(directory.path, &broker).c_str(), "");
  assert_true(start(directory.path, &other).find(directory.path) != std::string::npos);
  assert_true(start("", &other).find("log.dirs") != std::string::npos);
  Directory fresh;
  assert_true(start(fresh.path, &other, "num.partitons", "3").find("num.partitions") != std::string::npos);
  assert_null(other);
  kq_broker_free(broker);
  kq_broker_free(nullptr);
}

static void the_host_is_left_as_it_was(void**) {
  struct sigaction before[NSIG], after;
  for (int i = 1; i < NSIG; ++i) sigaction(i, nullptr, &before[i]);
  sigset_t mask_before, mask_after;
  pthread_sigmask(SIG_SETMASK, nullptr, &mask_before);
  rlimit limit_before, limit_after;
  getrlimit(RLIMIT_NOFILE, &limit_before);
  const mode_t umask_before = umask(022);
  const auto directory_before = std::filesystem::current_path();

  Directory directory;
  kq_broker* broker = nullptr;
  assert_string_equal(start(directory.path, &broker).c_str(), "");
  for (int i = 1; i < NSIG; ++i)
    if (sigaction(i, nullptr, &after) == 0) assert_ptr_equal(reinterpret_cast<void*>(after.sa_handler), reinterpret_cast<void*>(before[i].sa_handler));
  pthread_sigmask(SIG_SETMASK, nullptr, &mask_after);
  for (int i = 1; i < NSIG; ++i) assert_int_equal(sigismember(&mask_before, i), sigismember(&mask_after, i));
  getrlimit(RLIMIT_NOFILE, &limit_after);
  assert_true(limit_before.rlim_cur == limit_after.rlim_cur && limit_before.rlim_max == limit_after.rlim_max);
  assert_int_equal(umask(umask_before), 022);
  assert_true(std::filesystem::current_path() == directory_before);
  assert_null(kq_broker_stop(broker));
  kq_broker_free(broker);
}

int main() {
  const CMUnitTest tests[] = {
      cmocka_unit_test(two_live_side_by_side_and_stop_cleanly),
      cmocka_unit_test(a_directory_in_use_or_unnamed_is_refused),
      cmocka_unit_test(the_host_is_left_as_it_was),
  };
  return cmocka_run_group_tests_name("broker.embedded", tests, nullptr, nullptr);
}
