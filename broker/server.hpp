// The listening side of a broker: binds its listeners, deals connections to its loops, closes them all.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "broker/config.hpp"
#include "broker/connection.hpp"
#include "broker/worker.hpp"

namespace kq::broker {

struct Broker;
class Server;

// A connection's place among those that are open; given back when it dies, on any thread.
class Admission {
 public:
  Admission(Server& server, std::string address) : server_(server), address_(std::move(address)) {}
  Admission(const Admission&) = delete;
  ~Admission();

 private:
  Server& server_;
  std::string address_;
};

// bind() and accept() once each, then close().
class Server {
 public:
  static constexpr Duration accept_pause = 100ms;       // after the system had no descriptor or memory for another connection

  explicit Server(Broker&);
  ~Server();

  // Binds every listener; from then on clients may connect, and wait until accept().  Not on a loop's thread while that loop runs, except
  // in simulation.
  Status bind();
  const std::vector<Listener>& bound() const { return bound_; }          // with the ports that were taken
  void accept();
  // The brokers' dynamic settings may be others from here on.  Any thread.
  void configure(const cluster::Image&);
  // Begins to close listeners and connections.  Any thread, any number of times.
  void shut();
  // Returns when no listener is open and every connection is gone.  On the first loop.
  awaitable<void> close();
  int open_connections() const { return open_; }

 private:
  friend class Admission;

  static awaitable<void> accept_from(Server&, kq::Listener&, const Listener&);
  void deal(std::unique_ptr<PendingStream>, const std::string& listener);
  void serve(Worker&, PendingStream&, const std::string& listener);
  std::unique_ptr<Admission> admit(std::string_view peer);              // null: too many from there
  void released(const std::string& address);
  void was_shut();

  Broker& broker_;
  std::atomic<std::shared_ptr<const Config>> config_;   // as it is now: limits change while the broker runs
  ConnectionLimits limits_;
  ByteBudget large_frames_;                             // queued.max.request.bytes; a quarter of the memory where that sets no bound
  std::vector<std::unique_ptr<Worker>> workers_;
  std::vector<Listener> bound_;
  std::vector<std::unique_ptr<kq::Listener>> listeners_;
  size_t next_worker_ = 0;                              // the first loop's
  std::atomic<uint64_t> next_id_{1};
  std::atomic<int> open_{0};                            // connections, from the moment they are accepted
  std::atomic<int> accepting_{0};                       // coroutines
  std::atomic<bool> closing_{false};
  std::atomic<int> to_shut_;                            // the listeners, and each loop's connections: what shut() has yet to reach
  std::shared_ptr<Signal> one_left_;                    // the first loop's: close() looks again
  std::mutex mutex_;
  std::map<std::string, int> by_address_;               // open connections
};

}  // namespace kq::broker
