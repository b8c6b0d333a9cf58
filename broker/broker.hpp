// One broker: what its connections, handlers and background work share.
#pragma once

#include <atomic>
#include <map>
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

namespace kq::cluster {
struct Delta;
}

namespace kq::coordinator {
class Runtime;
}
namespace kq::group {
class Coordinator;
}

namespace kq::txn {
class Transactions;
}

namespace kq::share {
class Coordinator;
class SharePartitions;
}

namespace kq::broker {

// What FindCoordinator calls a key type.
enum class CoordinatorType : int8_t { group = 0, transaction = 1, share = 2 };

class Controller;
class FetchSessions;
class Housekeeping;
class LocalController;
class Partitions;
class ProducerIds;
class Server;
class Storage;

// What a broker stands on: the real machine, or the simulator's.  All of it outlives the broker.
struct Environment {
  log::FileSystem& files;
  Network& network;
  std::vector<Loop*> loops;             // connections are dealt to them in turn; at least one
  IoPool& io;
  Logger& log;
};

// start() returns once it listens; stop() when every connection is closed and the logs are left cleanly.  Both are called from outside
// the loops, which run meanwhile.  Over simulated loops nothing may wait: there stop() is disconnect(), spawned and stepped to its end,
// and then close().  A stopped broker is destroyed, not started again.  Several live in one process; there are no globals.
// Members may be read from any thread.
struct Broker {
  Broker(Config config, Environment environment);
  ~Broker();
  Broker(const Broker&) = delete;

  Status start();
  Status stop();
  void abandon();                                // like stop(), but the logs are left as by a crash
  void refuse();                                 // closes everything without waiting: after a fault in kqd itself
  awaitable<void> disconnect();                  // no connection and no timer any more.  On the first loop
  Status close();                                // after disconnect(): the logs.  Blocks
  std::vector<Listener> listening() const;       // with the ports that were taken

  const Config config;
  const Environment env;
  std::string cluster_id;                        // once it has started
  std::unique_ptr<Controller> controller;        // the single node's, or a joined quorum's
  std::unique_ptr<Partitions> partitions;        // those that this broker holds
  std::unique_ptr<FetchSessions> fetch_sessions;
  std::unique_ptr<ProducerIds> producer_ids;
  std::unique_ptr<txn::Transactions> transactions;      // those that are coordinated here
  std::unique_ptr<share::SharePartitions> share_partitions;       // as share groups see them
  RateLimitedLog peer_log;                       // what peers can cause

  // nullptr: kqd has no such coordinator.
  coordinator::Runtime* coordinator(CoordinatorType) const;
  share::Coordinator& share_states() const;
  group::Coordinator& groups() const;

  // The metadata as it is now: immutable, swapped whole.  A request keeps the one it began with (Call::image).
  std::shared_ptr<const cluster::Image> image() const { return image_.load(std::memory_order_acquire); }
  // The next image.  The partitions are as it says before anybody sees it.  One at a time; blocks.
  void publish(std::shared_ptr<const cluster::Image> next, const cluster::Delta&);

  Housekeeping& housekeeping() const;            // once it has started
  Storage& storage() const { return *storage_; } // likewise

  // May an appended batch be committed later than at once?
  bool commits_may_wait() const { return config.log_flush_acks == FlushAcks::all; }

 private:
  std::vector<Listener> advertised() const;
  void add(CoordinatorType, std::unique_ptr<coordinator::Runtime>);

  std::atomic<std::shared_ptr<const cluster::Image>> image_;
  std::unique_ptr<Storage> storage_;
  std::unique_ptr<Server> server_;
  std::map<CoordinatorType, std::unique_ptr<coordinator::Runtime>> coordinators_;      // complete before start() listens
  LocalController* local_controller_ = nullptr;  // the same as `controller`, for starting and stopping
};

}  // namespace kq::broker
