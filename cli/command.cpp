#include "cli/command.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <filesystem>

namespace kq::cli {
namespace {

void set(kq_config* config, const std::string& key, const std::string& value) {
  check(kq_config_set(config, key.c_str(), value.c_str()));
}

// ~/.config/kq/kq.properties, where that is there.
std::string own_config_file() {
  const char* base = getenv("XDG_CONFIG_HOME");
  const char* home = getenv("HOME");
  if (!base && !home) return "";
  const auto path = (base ? std::filesystem::path(base) : std::filesystem::path(home) / ".config") / "kq" / "kq.properties";
  std::error_code ignored;
  return std::filesystem::exists(path, ignored) ? path.string() : "";
}

volatile sig_atomic_t interrupt_flag = 0;
int interrupt_pipe[2] = {-1, -1};

extern "C" void on_interrupt(int) {
  interrupt_flag = 1;
  const int kept = errno;
  [[maybe_unused]] const auto ignored = write(interrupt_pipe[1], "", 1);
  errno = kept;
}

}  // namespace

Config Common::config(std::initializer_list<const char*> defaults) const {
  kq_config* made = nullptr;
  check(kq_config_new(&made));
  Config config(made);
  set(made, "bootstrap.servers", "localhost:9092");
  set(made, "client.id", "kq");
  for (auto at = defaults.begin(); at != defaults.end(); at += 2) set(made, at[0], at[1]);
  const std::string file = config_file.empty() ? own_config_file() : config_file;
  if (!file.empty()) check(kq_config_load(made, file.c_str()));
  for (const std::string& property : properties) {
    const size_t equals = property.find('=');
    if (equals == std::string::npos || equals == 0) throw Failure{exit_usage, "-X takes key=value, not '" + property + "'"};
    set(made, property.substr(0, equals), property.substr(equals + 1));
  }
  if (!bootstrap.empty()) set(made, "bootstrap.servers", bootstrap);
  return config;
}

Producer Common::producer(std::initializer_list<const char*> defaults) const {
  kq_producer* producer = nullptr;
  check(kq_producer_new(config(defaults).get(), &producer));
  return Producer(producer);
}

Consumer Common::consumer(std::initializer_list<const char*> defaults) const {
  kq_consumer* consumer = nullptr;
  check(kq_consumer_new(config(defaults).get(), &consumer));
  return Consumer(consumer);
}

Admin Common::admin() const {
  kq_admin* admin = nullptr;
  check(kq_admin_new(config().get(), &admin));
  return Admin(admin);
}

void catch_interrupts() {
  if (pipe2(interrupt_pipe, O_CLOEXEC | O_NONBLOCK) != 0) throw Failure{exit_io, "no pipe for signals could be made"};
  struct sigaction action = {};
  action.sa_handler = on_interrupt;
  action.sa_flags = SA_RESETHAND;  // a second one ends the process at once
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}

bool interrupted() { return interrupt_flag != 0; }
int interrupt_fd() { return interrupt_pipe[0]; }

bool wait_readable(int one, int other, int timeout_ms) {
  pollfd waits[] = {{.fd = one, .events = POLLIN, .revents = 0},
                    {.fd = other, .events = POLLIN, .revents = 0},
                    {.fd = interrupt_pipe[0], .events = POLLIN, .revents = 0}};
  return poll(waits, std::size(waits), timeout_ms) > 0 && waits[0].revents != 0;
}

}  // namespace kq::cli
