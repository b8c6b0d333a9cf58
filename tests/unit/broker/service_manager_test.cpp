// What kqd tells the service manager, heard on a socket as systemd has one.
#include "broker/service_manager.hpp"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <string>

#include "tests/unit/cmocka.hpp"

namespace {

// The manager's end, under one of Linux's abstract names.
struct Manager {
  Manager()
      : name("@kq-service-manager-" + std::to_string(getpid())), descriptor(socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    memcpy(address.sun_path + 1, name.data() + 1, name.size() - 1);
    const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size());
    if (bind(descriptor, reinterpret_cast<const sockaddr*>(&address), length) != 0) abort();
  }
  ~Manager() { close(descriptor); }

  std::string heard() {
    char text[64];
    const ssize_t size = recv(descriptor, text, sizeof text, 0);
    return size < 0 ? "nothing" : std::string(text, static_cast<size_t>(size));
  }

  std::string name;
  int descriptor;
};

}  // namespace

static void it_hears_each_state_as_one_datagram(void**) {
  Manager manager;
  setenv("NOTIFY_SOCKET", manager.name.c_str(), 1);
  kq::broker::tell_service_manager("READY=1");
  kq::broker::tell_service_manager("STOPPING=1");
  assert_string_equal(manager.heard().c_str(), "READY=1");
  assert_string_equal(manager.heard().c_str(), "STOPPING=1");
  assert_string_equal(manager.heard().c_str(), "nothing");
}

static void nobody_is_told_without_a_manager_or_by_a_name_that_is_none(void**) {
  unsetenv("NOTIFY_SOCKET");
  kq::broker::tell_service_manager("READY=1");
  for (const std::string& name : {std::string(), std::string("/nowhere/kq"), std::string(4096, 'x')}) {
    setenv("NOTIFY_SOCKET", name.c_str(), 1);
    kq::broker::tell_service_manager("READY=1");
  }
}

int main() {
  const CMUnitTest tests[] = {
      cmocka_unit_test(it_hears_each_state_as_one_datagram),
      cmocka_unit_test(nobody_is_told_without_a_manager_or_by_a_name_that_is_none),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
