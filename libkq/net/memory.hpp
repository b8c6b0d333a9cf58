// A network in memory, for the simulator: streams with delays and cuts drawn from a seed.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>

#include "libkq/base/random.hpp"
#include "libkq/net/stream.hpp"

namespace kq {

struct MemoryNetworkFaults {
  Duration delay_min = 100us;                           // one way, drawn anew for each write
  Duration delay_max = 2ms;
  uint64_t cut_one_in = 0;                              // writes after which the connection breaks, their bytes lost in part; 0: never
  uint64_t refuse_one_in = 0;                           // connection attempts that are refused; 0: none
  uint64_t silence_one_in = 0;                          // writes after which nothing arrives any more, either way, and nobody is told; 0: never
  size_t window_bytes = 256 << 10;                      // written and not yet read
};

class MemoryConnection;
class MemoryListener;

// All its streams belong to one simulated loop.  Bytes of a direction arrive in order; a cut breaks both directions at once, and what had
// not arrived is lost.  Must outlive its streams and listeners.
class MemoryNetwork final : public Network {
 public:
  MemoryNetwork(Loop& loop, Random& random, MemoryNetworkFaults faults = {}) : loop_(loop), random_(random), faults_(faults) {}

  Result<std::unique_ptr<Listener>> listen(Loop&, const Address&) override;
  awaitable<Result<std::unique_ptr<Stream>>> connect(Loop&, const Address&, Instant deadline) override;

  void set_faults(const MemoryNetworkFaults& faults) { faults_ = faults; }
  void cut_all();                                       // as when a cable is pulled, or a process killed
  void on_event(std::function<void(std::string)> trace) { trace_ = std::move(trace); }   // "connect", "cut", "silence", "refuse", and each write, with the peers

 private:
  friend class MemoryConnection;
  friend class MemoryListener;
  friend class MemoryStream;
  Duration delay();
  void trace(const std::string& event);

  Loop& loop_;
  Random& random_;
  MemoryNetworkFaults faults_;
  std::map<uint16_t, MemoryListener*> listeners_;       // by port: hosts are all one machine
  std::set<MemoryConnection*> connections_;
  uint16_t next_port_ = 40000;
  std::function<void(std::string)> trace_;
};

}  // namespace kq
