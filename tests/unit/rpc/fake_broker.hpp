// A broker in memory that says what a test tells it to, on simulated time.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "libkq/base/log.hpp"
#include "libkq/net/memory.hpp"
#include "libkq/protocol/frame.hpp"
#include "libkq/protocol/messages/api_versions.hpp"

namespace kq {

// Installs simulated time for as long as it lives, with a loop and a network on it.
struct SimulatedWorld {
  SimulatedWorld() { Clock::simulate(&time); }
  ~SimulatedWorld() {
    while (loop.step()) {}
    Clock::simulate(nullptr);
  }

  // Runs until `done`, or for ten simulated minutes.
  bool drive(const std::function<bool()>& done) {
    const Duration end = time.monotonic + 10min;
    while (!done() && time.monotonic < end) {
      if (loop.step()) continue;
      if (done()) break;
      const auto next = loop.next_deadline();
      if (!next) break;
      time.monotonic = std::max(time.monotonic, next->time_since_epoch());
    }
    return done();
  }
  // Lets everything happen that is due by then.
  void pass(Duration duration) {
    const Duration end = time.monotonic + duration;
    for (;;) {
      if (loop.step()) continue;
      const auto next = loop.next_deadline();
      if (!next || next->time_since_epoch() > end) break;
      time.monotonic = std::max(time.monotonic, next->time_since_epoch());
    }
    time.monotonic = end;
  }

  SimulatedTime time;
  Loop loop{Loop::Kind::simulated};
  Random random{1};
  MemoryNetwork network{loop, random, {.delay_min = 1ms, .delay_max = 1ms}};
  Logger logger{-1, LogLevel::error};
};

class FakeBroker {
 public:
  // What is given back for a request: a whole frame, or nothing (no answer at all).
  using Handler = std::function<std::vector<std::byte>(const RequestFrame&)>;

  FakeBroker(SimulatedWorld& world, uint16_t port) : world_(world), port_(port) {
    on<ApiVersionsRequest>([](const ApiVersionsRequest&) {
      ApiVersionsResponse response;
      for (const ApiInfo& api : api_table)
        if (api.broker && !of_telemetry(static_cast<int16_t>(api.key))) response.api_keys.push_back({static_cast<int16_t>(api.key), api.oldest, api.stable});
      return response;
    });
    start();
  }
  ~FakeBroker() { stop(); }

  // Listed only by a broker that has somebody to give metrics to.
  static bool of_telemetry(int16_t key) { return key == 71 || key == 72; }

  void start() {
    auto listening = world_.network.listen(world_.loop, {"broker", port_});
    listener_ = std::shared_ptr<Listener>(std::move(*listening));
    world_.loop.spawn(accept(*this, listener_));
  }
  // Nobody listens any more, and open connections end.
  void stop() {
    if (!listener_) return;
    listener_->close();
    listener_.reset();
    for (const auto& stream : streams_) stream->close();
    streams_.clear();
  }

  template <class Request>
  void on(std::function<typename Request::Response(const Request&)> answer) {
    handlers_[Request::key] = [answer](const RequestFrame& frame) {
      const auto request = decode<Request>(frame.body, frame.version());
      if (!request) return std::vector<std::byte>{};
      return framed(answer(*request), frame.version(), frame.header.correlation_id);
    };
  }
  void on_frame(int16_t key, Handler handler) { handlers_[key] = std::move(handler); }
  void forget(int16_t key) { handlers_.erase(key); }      // no answer
  void hold(int16_t key) { held_.insert(key); }           // it waits for ever, and what comes after it on its connection does so too

  template <class Response>
  static std::vector<std::byte> framed(const Response& response, int16_t version, int32_t correlation) {
    Encoded encoded;
    if (!encode_response(response, version, correlation, encoded)) return {};
    std::vector<std::byte> whole;
    size_t at = 0;
    for (const Splice& splice : encoded.splices) {
      whole.insert(whole.end(), encoded.bytes.begin() + static_cast<ptrdiff_t>(at), encoded.bytes.begin() + static_cast<ptrdiff_t>(splice.at));
      whole.insert(whole.end(), splice.bytes.begin(), splice.bytes.end());
      at = splice.at;
    }
    whole.insert(whole.end(), encoded.bytes.begin() + static_cast<ptrdiff_t>(at), encoded.bytes.end());
    return whole;
  }

  uint16_t port() const { return port_; }
  Address address() const { return {"broker", port_}; }
  size_t requests(int16_t key) const { return counts_.count(key) ? counts_.at(key) : 0; }
  size_t connections = 0;

 private:
  static awaitable<void> accept(FakeBroker& self, std::shared_ptr<Listener> listener) {
    for (;;) {
      auto pending = co_await listener->accept();
      if (!pending) co_return;
      std::shared_ptr<Stream> stream = (*pending)->on(self.world_.loop);
      ++self.connections;
      self.streams_.push_back(stream);
      self.world_.loop.spawn(serve(self, stream));
    }
  }

  static awaitable<void> serve(FakeBroker& self, std::shared_ptr<Stream> stream) {
    FrameBuffer frames;
    bool waits = false;
    for (;;) {
      auto got = co_await stream->read_some(frames.space());
      if (!got || *got == 0) break;
      frames.filled(*got);
      for (auto frame = frames.next(); frame && *frame; frame = frames.next()) {
        const auto request = read_request(**frame);
        if (!request) co_return stream->close();
        waits |= self.held_.count(request->header.request_api_key) > 0;
        ++self.counts_[request->header.request_api_key];
        if (waits) continue;
        const auto handler = self.handlers_.find(request->header.request_api_key);
        if (handler == self.handlers_.end()) continue;
        const std::vector<std::byte> answer = handler->second(*request);
        if (answer.empty()) continue;
        auto sent = co_await stream->write_all(answer);
        if (!sent) break;
      }
    }
    stream->close();
  }

  SimulatedWorld& world_;
  const uint16_t port_;
  std::shared_ptr<Listener> listener_;
  std::vector<std::shared_ptr<Stream>> streams_;
  std::map<int16_t, Handler> handlers_;
  std::set<int16_t> held_;
  std::map<int16_t, size_t> counts_;
};

}  // namespace kq
