// The producer: application threads on one side, the loop on the other.
#pragma once

#include <memory>
#include <optional>

#include "libkq/base/log.hpp"
#include "libkq/client/accumulator.hpp"
#include "libkq/client/config.hpp"
#include "libkq/client/deliveries.hpp"
#include "libkq/net/stream.hpp"

namespace kq::client {

class ProducerEngine;
class TransactionEngine;

// Nothing here waits.  Any thread may call all of it; what takes time happens on the loop.  Whoever wants to wait takes the bell's
// count, asks, and waits for the bell (or drives the loop):
//
//   send      try_send() says topic_unknown, memory_full or deliveries_full       room()
//   poll      poll() gives null                                                   arrived()
//   flush     flushed() is false                                                  progress()
//   close     closed() is false                                                   progress()
//   transact  outcome() is nothing                                                progress()
class Producer {
 public:
  static Result<std::unique_ptr<Producer>> make(Loop&, Network&, Logger&, const Config&);
  ~Producer();                                       // gives up what is unfinished; the loop frees the rest in its next turns
  Producer(const Producer&) = delete;

  Sending try_send(const Outbound& record) { return accumulator_->append(record); }
  Error explain(Sending outcome, const Outbound& record) const;
  // The same, and waits on a loop that has another thread.
  Status send(const Outbound& record, Instant deadline);

  std::unique_ptr<Deliveries> poll();
  bool has_deliveries() const;
  int descriptor();                                  // readable while poll() has something

  uint64_t begin_flush() { return accumulator_->begin_flush(); }
  bool flushed(uint64_t ticket) const { return accumulator_->flushed(ticket); }
  size_t pending() const { return accumulator_->pending(); }
  Result<std::optional<int32_t>> partition_count(std::string_view topic) { return accumulator_->partition_count(topic); }

  void purge();                                      // gives up what has not been sent; soon, and with deliveries
  ProducerEngine& engine() { return *engine_; }      // for who is on the loop
  TransactionEngine* transaction();                  // its calls and outcomes; null: the producer is not transactional

  // Takes no more records.  Flush first, or what is unfinished when abandon() is called fails.
  void begin_close() { accumulator_->close(); }
  void abandon();
  bool closed() const;                               // after abandon(): everything has ended on the loop

  Duration block_max() const { return block_max_; }  // max.block.ms
  Bell& room();
  Bell& arrived();
  Bell& progress();

 private:
  Producer(Duration block_max, std::shared_ptr<ProducerEngine>);

  const Duration block_max_;
  const std::shared_ptr<ProducerEngine> engine_;
  Accumulator* const accumulator_;                   // the engine's
};

}  // namespace kq::client
