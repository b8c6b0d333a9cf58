#include "broker/instance.hpp"

#include <algorithm>
#include <thread>

namespace kq::broker {
namespace {

// Kafka's default of three threads is for threads that wait for one another; kqd's loops do not, so there is one a core.
int loop_count(const Config& config) {
  if (config.settings.contains("num.network.threads")) return config.num_network_threads;
  return std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
}

// A buffer size that nobody asked for is the kernel's, which grows with the connection; a fixed one would keep it small.
SocketOptions socket_options(const Config& config) {
  const auto if_set = [&](const char* key, int value) { return config.settings.contains(key) ? value : -1; };
  return {.send_buffer_bytes = if_set("socket.send.buffer.bytes", config.socket_send_buffer_bytes),
          .receive_buffer_bytes = if_set("socket.receive.buffer.bytes", config.socket_receive_buffer_bytes),
          .backlog = config.socket_listen_backlog_size};
}

}  // namespace

Instance::Instance(const Config& config, int log_descriptor, LogLevel level, Failed failed)
    : log_(log_descriptor, level), network_(tcp_network(socket_options(config))),
      io_(std::make_unique<ThreadPool>(config.num_io_threads, std::move(failed))) {}

Result<std::unique_ptr<Instance>> Instance::start(Config config, int log_descriptor, LogLevel level, Failed told) {
  auto failing = std::make_shared<std::atomic<Broker*>>(nullptr);
  const Failed failed = [failing, told = std::move(told)](std::exception_ptr what) {
    if (Broker* broker = failing->load()) broker->refuse();
    told(std::move(what));
  };
  std::unique_ptr<Instance> instance(new Instance(config, log_descriptor, level, failed));
  instance->failing_ = failing;
  std::vector<Loop*> loops;
  for (int i = 0; i < loop_count(config); ++i) {
    Loop& loop = instance->threads_.emplace_back(std::make_unique<LoopThread>("kq-loop"))->loop();
    loop.post([&loop, failed] { loop.on_failure(failed); });
    loops.push_back(&loop);
  }
  Environment environment{
      .files = log::real_file_system(), .network = *instance->network_, .loops = loops, .io = *instance->io_, .log = instance->log_};
  instance->broker_ = std::make_unique<Broker>(std::move(config), std::move(environment));
  KQ_TRY(instance->broker_->start());
  failing->store(instance->broker_.get());
  return instance;
}

Instance::~Instance() {
  failing_->store(nullptr);
  if (broker_ && !stopped_) broker_->abandon();
}

Status Instance::stop() {
  stopped_ = true;
  return broker_->stop();
}

}  // namespace kq::broker
