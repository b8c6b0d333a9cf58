// What every command shares: the options that stand before or after any noun, and how to become a client.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <string>
#include <vector>

#include "cli/handles.hpp"

namespace kq::cli {

enum class Output { automatic, table, tsv, json };

struct Common {
  std::string bootstrap;                // --bootstrap-servers; empty: as the configuration says
  std::string config_file;              // --config
  std::vector<std::string> properties;  // -X key=value, the last word
  Output output = Output::automatic;
  int timeout_ms = 10'000;  // for one question to the cluster
  bool quiet = false;

  // The defaults of kq's own, then the file, then -X, then -b.  `defaults` are key, value, key, value...
  Config config(std::initializer_list<const char*> defaults = {}) const;
  Producer producer(std::initializer_list<const char*> defaults = {}) const;
  Consumer consumer(std::initializer_list<const char*> defaults = {}) const;
  Admin admin() const;
};

// What main runs once the words of the command line are understood: returns the exit status.
using Action = std::function<int()>;

// Each noun adds its commands to the application.
struct Commands {
  CLI::App& root;
  Common& common;
  Action& action;
};
// A verb of a noun: `run` gets the options that its words have set.
template <class Options>
CLI::App* verb(const Commands& commands, CLI::App* noun, const char* name, const char* what, int (*run)(const Common&, const Options&),
               std::shared_ptr<Options> options) {
  CLI::App* app = noun->add_subcommand(name, what)->fallthrough();
  app->callback([=, &common = commands.common, &action = commands.action] { action = [=, &common] { return run(common, *options); }; });
  return app;
}

void add_topic(const Commands&);
void add_produce(const Commands&);
void add_consume(const Commands&);
void add_group(const Commands&);
void add_cluster(const Commands&);
void add_bench(const Commands&);
void add_bench_latency(const Commands&, CLI::App* bench);
void add_config(const Commands&);
void add_transaction(const Commands&);
void add_acl(const Commands&);
void add_user(const Commands&);
void add_quota(const Commands&);
void add_admin(const Commands&);
void add_completion(const Commands&);

// Interruption (SIGINT, SIGTERM): told by a flag and by a descriptor that becomes readable, for poll(2).
void catch_interrupts();
bool interrupted();
int interrupt_fd();
// Waits until one of the descriptors is readable, an interrupt came, or the time is over: true where it is the first of them.
// A descriptor of -1 is left out.
bool wait_readable(int one, int other, int timeout_ms);

}  // namespace kq::cli
