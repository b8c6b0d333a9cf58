#include "tests/sim/world.hpp"

#include <cstdlib>

#include "broker/config.hpp"

namespace kq::sim {
namespace {

constexpr const char* bootstrap = "broker:9092";

broker::Config broker_config(const broker::Settings& over) {
  broker::Settings settings{
      {"log.dirs", "/disk/kq-data"},      {"listeners", "PLAINTEXT://broker:9092"}, {"advertised.listeners", "PLAINTEXT://broker:9092"},
      {"log.flush.acks", "all"},          {"log.index.size.max.bytes", "65536"},    {"log.segment.bytes", "1048576"},
      {"num.network.threads", "1"},
  };
  for (const auto& [key, value] : over) settings[key] = value;
  auto config = broker::Config::from(settings);
  if (!config) throw std::runtime_error(config.error().message());
  return std::move(*config);
}

int log_descriptor() { return std::getenv("KQ_SIM_LOG") ? 2 : -1; }

}  // namespace

void LoopPool::submit(std::function<void()> work) {
  queue_.push_back(std::move(work));
  loop_.post([this] { run_one(); });
}

void LoopPool::run_one() {
  if (queue_.empty()) return;
  const auto work = std::move(queue_.front());
  queue_.pop_front();
  work();
}

void LoopPool::drain() {
  while (!queue_.empty()) run_one();
}

SimulatedMachine::SimulatedMachine(uint64_t seed) : random(seed), entropy_(seed ^ 0x5eed) {
  Clock::simulate(&time);
  simulate_system_random(&entropy_);
}

SimulatedMachine::~SimulatedMachine() {
  simulate_system_random(nullptr);
  Clock::simulate(nullptr);
}

World::World(uint64_t seed, WorldOptions options)
    : machine_(seed), options_(std::move(options)), loop_(Loop::Kind::simulated), network_(loop_, machine_.random, options_.network),
      io_(loop_), log_(log_descriptor(), LogLevel::debug) {
  loop_.on_failure([this](std::exception_ptr failure) {
    try {
      std::rethrow_exception(failure);
    } catch (const std::exception& exception) {
      unexpected_ = exception.what();
    }
  });
  network_.on_event([this](const std::string& event) { note(event); });
  disk_.on_operation([this](const char* operation, const std::string& path) {
    note(std::string(operation) + " " + path);
    if (operations_left_ == 0 || --operations_left_ > 0) return;
    note(by_power_ ? "power is lost" : "the broker is killed");
    disk_.stop();
    network_.cut_all();
  });
  if (auto made = disk_.make_directory("/disk"); !made) throw std::runtime_error(made.error().message());
  start_broker();
}

World::~World() {
  disk_.on_operation(nullptr);
  if (broker_) end_broker(false);
  network_.cut_all();
  for (int i = 0; i < 10'000; ++i) advance();                       // what is left of the clients winds down
}

void World::note(std::string_view what) {
  trace_ += "[" + std::to_string(to_ms(machine_.time.monotonic)) + "ms] ";
  trace_ += what;
  trace_ += '\n';
}

void World::draw_death() {
  const uint64_t mean = options_.operations_per_life;
  operations_left_ = mean ? 1 + machine_.random.below(2 * mean) : 0;
  by_power_ = mean == 0 || machine_.random.one_in(2);
}

// Dying while it starts is a life as well.
void World::start_broker() {
  constexpr int lives_max = 1000;
  while (!broker_) {
    if (++lives_ > lives_max) throw std::runtime_error("the broker never got up");
    draw_death();
    note("broker starts");
    const broker::Environment environment{disk_, network_, {&loop_}, io_, log_};
    broker_ = std::make_unique<broker::Broker>(broker_config(options_.broker), environment);
    const Status started = broker_->start();
    if (started && !disk_.stopped()) return;
    if (!started && !disk_.stopped()) throw std::runtime_error("the broker did not start: " + started.error().message());
    end_broker(false);
  }
}

void World::end_broker(bool cleanly) {
  bool disconnected = false;
  loop_.spawn([](broker::Broker& broker, bool& done) -> awaitable<void> {
    co_await broker.disconnect();
    done = true;
  }(*broker_, disconnected));
  if (!drive([&] { return disconnected; }, 10min)) throw std::runtime_error("the broker's connections do not end");
  if (cleanly) {
    const Status closed = broker_->close();
    if (!closed && !disk_.stopped()) throw std::runtime_error("the broker did not stop cleanly: " + closed.error().message());
  }
  broker_.reset();
  if (disk_.stopped() && by_power_) disk_.crash(machine_.random);
  else disk_.restart();
  note("broker is gone");
}

void World::restart_cleanly() {
  end_broker(true);
  start_broker();
}

void World::stop_faults() {
  options_.operations_per_life = 0;
  operations_left_ = 0;
  MemoryNetworkFaults calm = options_.network;
  calm.cut_one_in = calm.refuse_one_in = calm.silence_one_in = 0;
  network_.set_faults(calm);
  note("faults end");
}

void World::advance() {
  if (loop_.step()) return;
  if (const auto next = loop_.next_deadline(); next && next->time_since_epoch() > machine_.time.monotonic)
    machine_.time.monotonic = next->time_since_epoch();
}

template <class Done>
bool World::drive(const Done& done, Duration limit) {
  const Duration end = machine_.time.monotonic + limit;
  while (!done()) {
    advance();
    const bool ended = !loop_.next_deadline() && !loop_.step() && !loop_.next_deadline();   // nothing will ever happen again
    if (!unexpected_.empty()) throw std::runtime_error(unexpected_);
    if (machine_.time.monotonic > end) return done();                     // time has gone on to the next deadline, however late
    if (ended) return done();
  }
  return true;
}

bool World::run_until(const std::function<bool()>& done, Duration limit) {
  const Duration end = machine_.time.monotonic + limit;
  while (machine_.time.monotonic <= end) {
    const bool reached = drive([&] { return disk_.stopped() || done(); }, end - machine_.time.monotonic);
    if (!disk_.stopped()) return reached;
    end_broker(false);
    start_broker();
  }
  return false;
}

std::unique_ptr<client::Producer> World::producer(std::vector<client::Setting> settings) {
  settings.emplace_back("bootstrap.servers", bootstrap);
  const auto config = client::Config::parse(client::Role::producer, settings);
  if (!config) throw std::runtime_error(config.error().message());
  auto producer = client::Producer::make(loop_, network_, log_, *config);
  if (!producer) throw std::runtime_error(producer.error().message());
  return std::move(*producer);
}

template <class Consumer>
std::unique_ptr<Process<Consumer>> World::start(std::vector<client::Setting> settings) {
  settings.emplace_back("bootstrap.servers", bootstrap);
  const auto config = client::Config::parse(client::Role::consumer, settings);
  if (!config) throw std::runtime_error(config.error().message());
  const auto options = client::ClusterOptions::from(*config);
  if (!options) throw std::runtime_error(options.error().message());
  const auto cluster = client::Cluster::make(loop_, network_, log_, *options);
  const auto consumer = std::make_shared<Consumer>(std::make_shared<client::Driver>(loop_), cluster, *config);
  consumer->start();
  cluster->start();
  return std::make_unique<Process<Consumer>>(cluster, consumer);
}

std::unique_ptr<ConsumerProcess> World::consumer(std::vector<client::Setting> settings) { return start<client::Consumer>(std::move(settings)); }

std::unique_ptr<ShareProcess> World::share_consumer(std::vector<client::Setting> settings) {
  return start<client::ShareConsumer>(std::move(settings));
}

std::vector<World::Read> World::read(const std::string& topic, int32_t partition, size_t count, std::vector<client::Setting> settings) {
  auto process = consumer(std::move(settings));
  const auto consumer = process->consumer;
  const client::AssignedPartition whole{topic, partition, KQ_EARLIEST};
  if (auto assigned = consumer->assign({&whole, 1}); !assigned) throw std::runtime_error(assigned.error().message());
  std::vector<Read> found;
  const auto take = [&] {
    client::Batch batch;
    client::Consumer::Where where;
    const auto polled = consumer->poll(Clock::now(), batch, where);
    if (!polled) note("poll: " + polled.error().message());
    for (const kq_record& record : batch.records)
      found.push_back({record.offset, std::string(static_cast<const char*>(record.value), record.value_len)});
  };
  const bool complete = run_until([&] { return take(), found.size() >= count; }, 10min);
  note(std::string(complete ? "read all of " : "did not read all of ") + topic + "-" + std::to_string(partition));
  run_until([&] { return take(), found.size() > count; }, 2s);      // what should not be there has time to show
  process.reset();
  pause(1s);
  return found;
}

}  // namespace kq::sim
