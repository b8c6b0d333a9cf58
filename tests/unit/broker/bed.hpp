// A whole broker over a network, a disk and a clock in memory, and clients that speak to it frame by frame.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "broker/broker.hpp"
#include "broker/cluster/image.hpp"
#include "broker/partitions.hpp"
#include "libkq/net/memory.hpp"
#include "libkq/protocol/frame.hpp"
#include "libkq/protocol/messages/create_topics.hpp"
#include "libkq/protocol/messages/fetch.hpp"
#include "libkq/protocol/messages/produce.hpp"
#include "libkq/record/batch_builder.hpp"
#include "libkq/record/batch_reader.hpp"
#include "tests/sim/memory_file_system.hpp"

namespace kq::broker {

// A response with the frame that its views point into.
template <class Response>
struct Received {
  std::vector<std::byte> frame;
  Response body;
  int32_t correlation_id;
};

class Bed;

class Client {
 public:
  Client(Bed& bed, std::unique_ptr<Stream> stream) : bed_(bed), stream_(std::move(stream)) {}

  // Sends a request and answers its correlation id.
  template <class Request>
  int32_t send(const Request& request, int16_t version = Request::stable) {
    Encoded frame;
    KQ_CHECK(encode_request(request, version, ++correlation_id_, "test", frame));
    write_flat(frame);
    return correlation_id_;
  }
  void write(Bytes bytes);                        // as they are

  // The next answer, if it has come; an answer to a request of that version.
  template <class Response>
  std::optional<Received<Response>> receive(int16_t version = Response::stable) {
    auto frame = next_frame();
    if (!frame) return std::nullopt;
    const auto head = read_response(*frame, response_header_version<Response>(version));
    KQ_CHECK(head);
    auto body = decode<Response>(head->body, version);
    KQ_CHECK(body);
    return Received<Response>{std::move(*frame), std::move(*body), head->correlation_id};
  }
  template <class Request>
  Received<typename Request::Response> ask(const Request& request, int16_t version = Request::stable);

  bool closed();                                  // the broker has ended the connection
  void close() { stream_->close(); }
  Stream& stream() { return *stream_; }

 private:
  void write_flat(const Encoded&);
  void read();
  std::optional<std::vector<std::byte>> next_frame();

  Bed& bed_;
  std::unique_ptr<Stream> stream_;
  FrameBuffer input_;
  int32_t correlation_id_ = 0;
  bool ended_ = false;
};

class Bed {
 public:
  explicit Bed(Settings settings = {}) : settings_(std::move(settings)) {
    Clock::simulate(&time);
    loop = std::make_unique<Loop>(Loop::Kind::simulated);
    network = std::make_unique<MemoryNetwork>(*loop, random, MemoryNetworkFaults{.delay_min = 0ns, .delay_max = 0ns});
    start();
  }
  ~Bed() {
    (void)stop().ok();                           // a test that cares has stopped it itself
    network.reset();
    loop.reset();
    Clock::simulate(nullptr);
  }

  void start() {
    Settings settings = settings_;
    settings.emplace("log.dirs", "/data");
    settings.emplace("listeners", "PLAINTEXT://broker:9092");
    auto config = Config::from(settings);
    KQ_CHECK(config);
    broker = std::make_unique<Broker>(
        std::move(*config), Environment{.files = files, .network = *network, .loops = {loop.get()}, .io = io, .log = log});
    KQ_CHECK(broker->start());
    settle();
  }
  Status stop(bool cleanly = true) {
    if (!broker) return {};
    bool disconnected = false;
    loop->spawn(disconnect(*broker, disconnected));
    while (!disconnected) run_for(100ms);
    Status left = cleanly ? broker->close() : Status{};
    broker.reset();
    return left;
  }

  // Everything that can happen now.
  void settle() {
    while (loop->step() || (loop->next_deadline() && *loop->next_deadline() <= Clock::now())) {}
    loop->step();
  }
  void run_for(Duration duration) {
    const Instant end = Clock::now() + duration;
    settle();
    while (loop->next_deadline() && *loop->next_deadline() <= end) {
      time.monotonic += *loop->next_deadline() - Clock::now();
      settle();
    }
    time.monotonic += end - Clock::now();
    settle();
  }

  std::unique_ptr<Client> connect() {
    std::unique_ptr<Stream> stream;
    loop->spawn(connect_to(*network, *loop, stream));
    settle();
    KQ_CHECK(stream);
    return std::make_unique<Client>(*this, std::move(stream));
  }

  Uuid create_topic(const std::string& name, int32_t partitions = 1, const Settings& configs = {}) {
    CreateTopicsRequest request;
    auto& topic = request.topics.emplace_back();
    topic.name = name;
    topic.num_partitions = partitions;
    topic.replication_factor = 1;
    for (const auto& [key, value] : configs) {
      auto& config = topic.configs.emplace_back();
      config.name = key;
      config.value = value;
    }
    const auto answer = connect()->ask(request);
    KQ_CHECK(answer.body.topics.at(0).error_code == Code::none);
    return answer.body.topics.at(0).topic_id;
  }

  SimulatedTime time;
  Random random{7};
  sim::MemoryFileSystem files;
  InlinePool io;
  Logger log{-1, LogLevel::error};
  std::unique_ptr<Loop> loop;
  std::unique_ptr<MemoryNetwork> network;
  std::unique_ptr<Broker> broker;

 private:
  static awaitable<void> connect_to(MemoryNetwork& network, Loop& loop, std::unique_ptr<Stream>& to) {
    const Address address{"broker", 9092};
    auto stream = co_await network.connect(loop, address, Clock::now() + 1s);
    if (stream) to = std::move(*stream);
  }
  static awaitable<void> disconnect(Broker& broker, bool& done) {
    co_await broker.disconnect();
    done = true;
  }

  Settings settings_;
};

inline void Client::write(Bytes bytes) {
  while (!bytes.empty()) {
    const Transfer written = stream_->try_write({&bytes, 1});
    if (written.state == Transfer::State::failed) return;
    if (written.moved()) bytes = bytes.subspan(written.bytes);
    bed_.settle();
  }
}

inline void Client::write_flat(const Encoded& frame) {
  std::vector<std::byte> flat;
  size_t at = 0;
  for (const Splice& splice : frame.splices) {
    flat.insert(flat.end(), frame.bytes.begin() + static_cast<ptrdiff_t>(at), frame.bytes.begin() + static_cast<ptrdiff_t>(splice.at));
    flat.insert(flat.end(), splice.bytes.begin(), splice.bytes.end());
    at = splice.at;
  }
  flat.insert(flat.end(), frame.bytes.begin() + static_cast<ptrdiff_t>(at), frame.bytes.end());
  write(flat);
}

inline void Client::read() {
  for (;;) {
    const Transfer read = stream_->try_read(input_.space());
    if (read.moved()) input_.filled(read.bytes);
    else if (!read.blocked()) ended_ = true;
    if (!read.moved()) return;
    bed_.settle();
  }
}

inline std::optional<std::vector<std::byte>> Client::next_frame() {
  bed_.settle();
  read();
  auto frame = input_.next();
  KQ_CHECK(frame);
  if (!*frame) return std::nullopt;
  return std::vector<std::byte>((*frame)->begin(), (*frame)->end());
}

inline bool Client::closed() {
  bed_.settle();
  read();
  return ended_;
}

template <class Request>
Received<typename Request::Response> Client::ask(const Request& request, int16_t version) {
  send(request, version);
  auto answer = receive<typename Request::Response>(version);
  for (int i = 0; !answer && i < 1000; ++i) {
    bed_.run_for(10ms);
    answer = receive<typename Request::Response>(version);
  }
  KQ_CHECK(answer);
  return std::move(*answer);
}

}  // namespace kq::broker
