// kqd: one broker, as a process.
#include <fmt/format.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <cstdio>
#include <fstream>
#include <iterator>

#include "broker/instance.hpp"
#include "broker/service_manager.hpp"
#include "broker/storage.hpp"
#include "libkq/base/uuid.hpp"

namespace {

using namespace kq;
using namespace kq::broker;

// What kqd leaves with.  Told in --help.
enum Exit { stopped = 0, failed = 1, misused = 2 };

constexpr const char* examples = R"(
Examples:
  kqd                                           data in ./kq-data, clients at 127.0.0.1:9092
  kqd --data /var/lib/kq --listen 0.0.0.0:9092  reachable from outside
  kqd server.properties --set num.partitions=4  Apache Kafka's own configuration file, one key over it
  kqd format --data /var/lib/kq                 prepares an empty directory (kqd does so itself at its first start)
  kqd random-uuid                               a new cluster id

Exit codes: 0 stopped cleanly, 1 could not start or go on, 2 wrong usage or configuration.
Ctrl-C and SIGTERM stop cleanly.
)";

int complain(const Error& error) {
  fmt::print(stderr, "kqd: {}\n", error.message());
  return error.code() == own_code::config || error.code() == own_code::argument ? misused : failed;
}

// The command line, as settings over those of the file.
struct Options {
  std::string file, data;
  std::vector<std::string> listen, set;
  bool verbose = false;

  void add_to(CLI::App& app) {
    app.add_option("properties", file, "a server.properties as Apache Kafka reads it")->type_name("FILE");
    app.add_option("--data", data, "where the data lies (log.dirs); ./kq-data unless set")->type_name("DIR");
    app.add_option("--listen", listen, "where clients connect (listeners); 127.0.0.1:9092 unless set")->type_name("HOST:PORT");
    app.add_option("--set", set, "one more setting, over the file's")->type_name("KEY=VALUE");
    app.add_flag("--verbose", verbose, "log what is done, for whoever looks for a fault");
  }

  Result<Config> config() const {
    Settings settings;
    if (!file.empty()) {
      std::ifstream stream(file, std::ios::binary);
      if (!stream) return system_error("cannot read '" + file + "'", errno);
      const std::string text{std::istreambuf_iterator<char>(stream), {}};
      KQ_TRY_ASSIGN(settings, parse_properties(text));
    }
    for (const std::string& each : set) {
      const size_t equals = each.find('=');
      if (equals == std::string::npos) return Error(own_code::argument, "--set " + each + ": KEY=VALUE is expected");
      settings[each.substr(0, equals)] = each.substr(equals + 1);
    }
    if (!data.empty()) settings["log.dirs"] = data;
    if (!settings.contains("log.dirs") && !settings.contains("log.dir")) settings["log.dirs"] = "./kq-data";
    for (size_t i = 0; i < listen.size(); ++i) {
      std::string& all = settings["listeners"];
      all = (i == 0 ? "" : all + ",") + "PLAINTEXT://" + listen[i];
    }
    if (!settings.contains("listeners")) settings["listeners"] = "PLAINTEXT://127.0.0.1:9092";
    return Config::from(std::move(settings));
  }
};

// As many descriptors as the system allows: connections and segments need them.
void raise_descriptor_limit() {
  rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == limit.rlim_max) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

std::string places(const std::vector<kq::broker::Listener>& listeners) {
  std::string text;
  for (const kq::broker::Listener& listener : listeners) {
    const Address address{listener.host.empty() ? "0.0.0.0" : listener.host, listener.port};
    text += (text.empty() ? "" : ", ") + address.text();
  }
  return text;
}

int serve(const Options& options) {
  // Before there are threads: the signals are for this one alone, which waits for them.
  sigset_t to_stop;
  sigemptyset(&to_stop);
  sigaddset(&to_stop, SIGINT);
  sigaddset(&to_stop, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &to_stop, nullptr);
  signal(SIGPIPE, SIG_IGN);
  raise_descriptor_limit();

  auto config = options.config();
  if (!config) return complain(config.error());
  const LogLevel level = options.verbose ? LogLevel::debug : LogLevel::info;
  Logger log(STDERR_FILENO, level);
  for (const std::string& key : config->ignored()) log.warning("config", key + " is ignored: kqd does not use it yet");
  auto broker = Instance::start(std::move(*config), STDERR_FILENO, level, [](std::exception_ptr failure) {
    std::rethrow_exception(failure);              // a broken invariant: better no broker than a wrong one
  });
  if (!broker) return complain(broker.error());
  fmt::print("kqd {} listening on {}\n", KQ_VERSION, places((*broker)->listening()));
  std::fflush(stdout);
  tell_service_manager("READY=1");

  int signal_number = 0;
  sigwait(&to_stop, &signal_number);
  tell_service_manager("STOPPING=1");
  const Status left = (*broker)->stop();
  if (!left) return complain(left.error());
  return stopped;
}

// The directories, opened, formatted where they are empty, and let go of again.
Result<std::string> format_data(const Config& config, const std::string& cluster_id) {
  log::FileSystem& files = log::real_file_system();
  Logger log(STDERR_FILENO, LogLevel::info);
  log::FileCache cache(files, 1);
  std::vector<std::unique_ptr<log::LogDirectory>> opened;
  std::vector<log::LogDirectory*> directories;
  for (const std::string& path : data_directories(config)) {
    KQ_TRY_ASSIGN(auto directory, log::LogDirectory::open({.cache = cache, .logger = log}, {.path = path}));
    directories.push_back(directory.get());
    opened.push_back(std::move(directory));
  }
  const bool nothing_to_do = std::ranges::all_of(directories, [](const auto* directory) { return directory->formatted(); });
  if (nothing_to_do) return Error(own_code::data, directories.front()->path() + " is formatted already");
  return format_directories({.config = config,
                             .files = files,
                             .cluster_id = cluster_id.empty() ? std::nullopt : std::optional(cluster_id),
                             .now_ms = wall_clock_ms()},
                            directories);
}

int format(const Options& options, const std::string& cluster_id) {
  auto config = options.config();
  if (!config) return complain(config.error());
  const auto formatted = format_data(*config, cluster_id);
  if (!formatted) return complain(formatted.error());
  fmt::print("formatted for cluster {}, node {}\n", *formatted, config->node_id);
  return stopped;
}

int run(int argc, char** argv) {
  CLI::App app("kqd, a broker that speaks Apache Kafka's protocol");
  app.set_version_flag("--version", std::string("kqd ") + KQ_VERSION);
  app.footer(examples);
  app.require_subcommand(0, 1);
  Options options;
  options.add_to(app);

  Options format_options;
  std::string cluster_id;
  CLI::App* format_command = app.add_subcommand("format", "prepares an empty data directory");
  format_options.add_to(*format_command);
  format_command->add_option("--cluster-id", cluster_id, "of an existing cluster; a new one unless set")->type_name("ID");
  CLI::App* uuid_command = app.add_subcommand("random-uuid", "prints a new id");

  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& wrong) {
    return app.exit(wrong) == 0 ? stopped : misused;
  }
  if (uuid_command->parsed()) {
    fmt::print("{}\n", Uuid::random().text());
    return stopped;
  }
  return format_command->parsed() ? format(format_options, cluster_id) : serve(options);
}

}  // namespace

int main(int argc, char** argv) { return run(argc, argv); }
