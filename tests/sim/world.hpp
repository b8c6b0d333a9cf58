// The whole of kqd and the whole of libkq in one thread, on simulated network, disk and time, from a seed.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "broker/broker.hpp"
#include "libkq/base/log.hpp"
#include "libkq/client/consumer.hpp"
#include "libkq/client/producer.hpp"
#include "libkq/client/share_consumer.hpp"
#include "libkq/net/memory.hpp"
#include "tests/sim/memory_file_system.hpp"

namespace kq::sim {

// The broker's I/O pool: each piece of work is a turn of the loop of its own, so that requests come between.
class LoopPool final : public broker::IoPool {
 public:
  explicit LoopPool(Loop& loop) : loop_(loop) {}
  void submit(std::function<void()> work) override;
  void drain() override;

 private:
  void run_one();

  Loop& loop_;
  std::deque<std::function<void()>> queue_;
};

// Installs simulated time and entropy while it lives.
class SimulatedMachine {
 public:
  explicit SimulatedMachine(uint64_t seed);
  ~SimulatedMachine();

  Random random;
  SimulatedTime time;

 private:
  Random entropy_;
};

struct WorldOptions {
  MemoryNetworkFaults network{};
  // The broker dies after about so many operations on its disk, drawn anew after each start; 0: never.  It loses power, or is killed: then
  // its disk keeps all that was written.
  uint64_t operations_per_life = 0;
  broker::Settings broker{};                     // over the defaults of a simulated broker

  // What breaks, and how often, where a seed says that anything does.
  void draw_faults(Random& random) {
    network.cut_one_in = random.one_in(3) ? 0 : 10 + random.below(300);
    network.silence_one_in = random.one_in(2) ? 0 : 50 + random.below(500);
    network.refuse_one_in = random.one_in(2) ? 0 : 2 + random.below(8);
    operations_per_life = random.one_in(3) ? 0 : 100 + random.below(600);
  }
};

// A consumer in its application's process; destroying it is that process's death, without a word to anybody.
template <class Consumer>
struct Process {
  Process(std::shared_ptr<client::Cluster> of, std::shared_ptr<Consumer> its_consumer) : cluster(std::move(of)), consumer(std::move(its_consumer)) {}
  ~Process() {
    consumer->close();
    cluster->close();
  }
  Process(const Process&) = delete;

  const std::shared_ptr<client::Cluster> cluster;
  const std::shared_ptr<Consumer> consumer;
};
using ConsumerProcess = Process<client::Consumer>;
using ShareProcess = Process<client::ShareConsumer>;

// One broker, its disk, and the clients around it.  Everything that happens is a line of the trace, with its time.  The same seed gives the
// same trace to the byte.
class World {
 public:
  World(uint64_t seed, WorldOptions options);
  ~World();
  World(const World&) = delete;

  // Runs until `done` or until so much simulated time has passed; whether it was done.  Starts the broker again whenever it has died.
  bool run_until(const std::function<bool()>& done, Duration limit);
  void stop_faults();                            // from here on nothing breaks any more
  void restart_cleanly();

  void pause(Duration time) { run_until([] { return false; }, time); }

  std::unique_ptr<client::Producer> producer(std::vector<client::Setting> settings);
  std::unique_ptr<ConsumerProcess> consumer(std::vector<client::Setting> settings);
  std::unique_ptr<ShareProcess> share_consumer(std::vector<client::Setting> settings);
  // Reads a partition from its start until `count` records are there; the order is the partition's.
  struct Read {
    int64_t offset;
    std::string value;
  };
  std::vector<Read> read(const std::string& topic, int32_t partition, size_t count, std::vector<client::Setting> settings = {});

  void note(std::string_view what);              // a line of the trace
  const std::string& trace() const { return trace_; }
  int lives() const { return lives_; }           // how often the broker was started
  Random& random() { return machine_.random; }
  Loop& loop() { return loop_; }
  broker::Broker& broker() { return *broker_; }  // until anything runs again

 private:
  void start_broker();
  void end_broker(bool cleanly);
  void draw_death();
  void advance();                                // one step of the loop, or of time
  template <class Consumer>
  std::unique_ptr<Process<Consumer>> start(std::vector<client::Setting> settings);
  template <class Done>
  bool drive(const Done& done, Duration limit);

  SimulatedMachine machine_;
  WorldOptions options_;
  Loop loop_;
  MemoryNetwork network_;
  MemoryFileSystem disk_;
  LoopPool io_;
  Logger log_;
  std::unique_ptr<broker::Broker> broker_;
  uint64_t operations_left_ = 0;                 // before the broker dies; 0: it does not
  bool by_power_ = true;                         // that is how it will die
  int lives_ = 0;
  std::string trace_;
  std::string unexpected_;                       // an exception that left a coroutine
};

}  // namespace kq::sim
