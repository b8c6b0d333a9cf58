// The producer's half on the loop: carries out what the sender decides.
#pragma once

#include <deque>
#include <memory>
#include <mutex>
#include <unordered_map>

#include "libkq/client/accumulator.hpp"
#include "libkq/client/cluster.hpp"
#include "libkq/client/config.hpp"
#include "libkq/client/delivery_queue.hpp"
#include "libkq/client/sender.hpp"
#include "libkq/client/statistics.hpp"
#include "libkq/client/telemetry.hpp"
#include "libkq/client/transaction_engine.hpp"

namespace kq::client {

// What has become of the batches so far.  The loop's.
struct ProducerStatistics {
  Instant since = Clock::now();
  NodesTraffic nodes{};
  std::unordered_map<const Lane*, PartitionTraffic> partitions{};
  Histogram batch_bytes{}, batch_records{};          // of what was delivered
  Histogram queue_us{}, throttle_us{};               // how long batches waited to be sent, and brokers had requests wait
};

// Belongs to the loop's thread, apart from what is said to be for any.  Held by the handle, and by whatever is under way on the
// loop until stop() has ended it.
class ProducerEngine final : public ClusterObserver, public TransactionHost, public std::enable_shared_from_this<ProducerEngine> {
 public:
  static std::shared_ptr<ProducerEngine> make(Loop&, Network&, Logger&, ClusterOptions, const Config&);

  void start();
  void stop();                                         // fails what is unfinished, closes the connections
  // Pushes metrics for the last time, if a broker wants any.  Before stop().
  awaitable<Result<bool>> end_telemetry(Instant deadline);

  const ProducerStatistics& statistics() const { return statistics_; }
  const Cluster& cluster() const { return *cluster_; }

  // ---- any thread ----
  Loop& loop() { return cluster_->loop(); }
  Accumulator& accumulator() { return accumulator_; }
  DeliveryQueue& deliveries() { return deliveries_; }
  SendMemory& memory() { return *memory_; }
  Bell& progress() { return progress_; }               // rung when batches have finished, and when it has stopped
  void purge();                                        // gives up what is not in flight
  bool stopped() const { return stopped_.load(std::memory_order_acquire); }
  std::optional<Error> trouble() const;                // why metadata cannot be had at the moment
  TransactionEngine* transaction() const { return transaction_.get(); }    // null: the producer is not transactional

 private:
  ProducerEngine(Loop&, Network&, Logger&, ClusterOptions, const Config&);

  // ClusterObserver
  void metadata_changed() override;
  void metadata_failed(const Error&) override;
  void node_up(int32_t node) override { run(Sender::NodeUp{node}); }
  void node_down(int32_t node, const Error& why) override { run(Sender::NodeDown{node, why}); }

  // TransactionHost
  void admit(Sending gate) override { accumulator_.admit(gate); }
  void transaction_opened(bool partitions_join) override;
  void settle_transaction(bool commit) override;
  void use_producer_id(int64_t id, int16_t epoch) override { run(Sender::ProducerIdIs{id, epoch}); }
  void partitions_joined(std::span<Lane* const> lanes) override { run(Sender::Joined{{lanes.begin(), lanes.end()}}); }
  void transaction_told() override;

  void start_telemetry();
  Measurements measure() const;
  void look_whether_settled();
  void wake();                                         // any thread, as is want_topic
  void want_topic(const std::string& name);
  void collect();
  void abandon_all();
  void run(Sender::Event);
  void act(const Sender::Produce&);
  void act(const Sender::Connect&);
  void act(const Sender::AskProducerId&);
  void act(const Sender::Refresh&) { cluster_->refresh(); }
  void act(const Sender::Finished&);
  void act(const Sender::Join& join) { transaction_->wants(join.lane); }
  void act(const Sender::Split& split) { accumulator_.was_split(*split.batch); }
  Status send(const Sender::Produce&);
  ProduceRequest request_of(std::span<const BatchRef>) const;
  void note_sent(const Sender::Produce&);
  void note_finished(const ProducerBatch&);
  void answered(uint64_t request, Result<Answer>);
  void settle(uint64_t request, Result<Answer>);
  void learn_leaders(const ProduceResponse&);
  static awaitable<void> ask_producer_id(std::shared_ptr<ProducerEngine>);
  void arm_timer();
  void tell();
  void topic_is(const std::string& name, const Topic&);
  void set_trouble(std::optional<Error>);

  const std::shared_ptr<Cluster> cluster_;
  const std::shared_ptr<SendMemory> memory_;
  const int16_t acks_;
  const Duration request_timeout_;
  DeliveryQueue deliveries_;
  Accumulator accumulator_;
  Sender sender_;
  Timer timer_;
  std::deque<Sender::Event> events_;                   // to be stepped through
  bool running_ = false;
  std::vector<Connection*> written_;                   // by the step under way: all its requests leave in one write
  std::vector<BatchRef> collected_;
  std::set<std::string> topics_;                       // wanted of the cluster
  static constexpr size_t told_at_once = 16;           // that part of buffer.memory
  static constexpr Duration telling_wait_max = 1ms;
  ProducerStatistics statistics_;
  bool untold_ = false;                                // batches have finished, and nobody was woken
  size_t untold_bytes_ = 0;
  Instant tell_by_{};
  Bell progress_;
  std::atomic<bool> stopped_{false};

  const bool pushes_metrics_;
  std::shared_ptr<Telemetry> telemetry_;

  std::shared_ptr<TransactionEngine> transaction_;
  std::optional<uint64_t> settling_;                   // the flush that a transaction's end waits for

  mutable std::mutex trouble_lock_;
  std::optional<Error> trouble_;
};

}  // namespace kq::client
