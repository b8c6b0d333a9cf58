// One broker: what its connections, handlers and background work share.
#pragma once

#include <atomic>
#include <memory>
#include <shared_mutex>
#include <string>
#include <vector>

#include "broker/config.hpp"
#include "broker/io_pool.hpp"
#include "broker/log/file.hpp"
#include "broker/session.hpp"
#include "libkq/base/log.hpp"
#include "libkq/net/stream.hpp"

namespace kq::broker {

class Controller;
class FetchSessions;
class Partitions;
class ProducerIds;

// What a broker stands on: the real machine, or the simulator's.  All of it outlives the broker.
struct Environment {
  log::FileSystem& files;
  Network& network;
  std::vector<Loop*> loops;             // connections are dealt to them in turn; at least one
  IoPool& io;
  Logger& log;
};

// Started by start(), which returns once it listens; stopped by stop(), which returns when every connection is closed and the logs are
// flushed.  Both are called from outside the loops, and the loops run meanwhile; with simulated loops the caller steps them (broker.cpp
// tells how).  A stopped broker is destroyed, not started again.  Several live in one process; there are no globals.
// Members may be read from any loop unless they say otherwise.
struct Broker {
  Broker(Config config, Environment environment);
  ~Broker();
  Broker(const Broker&) = delete;

  const Config config;
  const Environment env;
  std::unique_ptr<Controller> controller;        // the single node's, or a joined quorum's
  std::unique_ptr<Partitions> partitions;        // those that this broker holds
  std::unique_ptr<FetchSessions> fetch_sessions;
  std::unique_ptr<ProducerIds> producer_ids;
  RateLimitedLog peer_log;                       // what peers can cause

  // The metadata as it is now: immutable, swapped whole.  A request keeps the one it began with (Call::image).
  std::shared_ptr<const cluster::Image> image() const { return image_.load(std::memory_order_acquire); }
  void publish(std::shared_ptr<const cluster::Image> next) { image_.store(std::move(next), std::memory_order_release); }

  // May an appended batch be committed later than at once?
  bool commits_may_wait() const { return config.log_flush_acks == FlushAcks::all; }

 private:
  std::atomic<std::shared_ptr<const cluster::Image>> image_;
};

}  // namespace kq::broker
