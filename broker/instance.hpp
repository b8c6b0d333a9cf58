// A broker on the real machine, with threads of its own: what kqd runs, and what a program embeds.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "broker/broker.hpp"

namespace kq::broker {

// Takes nothing of the process but threads, descriptors and memory: no signal, no limit, no directory.  One thread at a time.
class Instance {
 public:
  using Failed = std::function<void(std::exception_ptr)>;

  // `failed` is called, on any thread, when an invariant broke: nothing can be relied on from then on, and nothing more is served.
  static Result<std::unique_ptr<Instance>> start(Config, int log_descriptor, LogLevel, Failed failed);
  ~Instance();                                          // without stop(): as after a crash, but for the connections

  Status stop();
  std::vector<Listener> listening() const { return broker_->listening(); }

 private:
  Instance(const Config&, int log_descriptor, LogLevel, Failed);

  std::shared_ptr<std::atomic<Broker*>> failing_;       // who stops serving when something fails; null: nobody (any more)
  Logger log_;
  std::unique_ptr<Network> network_;
  std::unique_ptr<IoPool> io_;
  std::vector<std::unique_ptr<LoopThread>> threads_;
  std::unique_ptr<Broker> broker_;
  bool stopped_ = false;
};

}  // namespace kq::broker
