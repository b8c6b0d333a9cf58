// Decides what is sent where, and what an answer means.  Owns no socket, reads no clock, starts no thread.
#pragma once

#include <atomic>
#include <deque>
#include <map>
#include <span>
#include <unordered_map>
#include <variant>
#include <vector>

#include "libkq/client/producer_batch.hpp"
#include "libkq/protocol/messages/produce.hpp"
#include "libkq/record/compression.hpp"
#include "libkq/rpc/backoff.hpp"

namespace kq::client {

struct SenderOptions {
  int16_t acks = -1;
  bool idempotence = true;
  bool transactional = false;                         // ids come from the transaction, and errors end it instead of a numbering
  int in_flight_max = 5;                              // unanswered requests to one broker
  size_t request_bytes_max = 1 << 20;
  int retries = INT32_MAX;
  Duration delivery_timeout{2min};
  Duration request_timeout{30s};
  Backoff retry{100ms, 1s};
  Codec codec = Codec::none;
  int level = 0;
  uint64_t seed = 1;                                  // of the jitter
};

// How busy a broker is.  The sender's; any thread may look.
struct NodeLoad {
  static constexpr Instant nothing_waits = Instant::max();

  std::atomic<int> in_flight{0};                      // requests
  std::atomic<Instant> waiting_since{nothing_waits};  // batches are ready for it, and it could take none: it is not connected, or full
};

// A partition as the sender sees it: what is to go there, in order, and how it is numbered.
//
//   waiting     3' 4' 5 6     to be sent; those that were sent before (') stand in front
//   in_flight   1 2           sent, not answered; in order
//
// With idempotence a batch keeps its sequence as long as it may have been written under it.  Batches that come back are sent again one
// at a time, each when all before it are settled; new ones then follow five deep again.  A leader that does not know the producer yet
// takes any sequence for its first: until it has taken one batch, a second one does not follow, lest it be taken where the first is refused.
struct Lane {
  Lane(std::shared_ptr<const std::string> name, int32_t index) : topic(std::move(name)), partition(index) {}

  const std::shared_ptr<const std::string> topic;
  const int32_t partition;
  Uuid topic_id{};
  int32_t leader = -1;
  int32_t leader_epoch = -1;

  std::atomic<const NodeLoad*> leader_load{nullptr};  // any thread may look, as at the next; null: there is no leader
  std::atomic<uint32_t> queued{0};                    // batches that are waiting

  std::deque<BatchRef> waiting;
  std::deque<BatchRef> in_flight;
  int32_t in_flight_at = -1;                          // the broker that has them
  uint64_t next_serial = 1;
  Instant not_before{};                               // back-off
  bool listed = false;                                // among its leader's ready lanes
  bool asleep = false;                                // among those that back off
  bool awaits_id = false;                             // among those that cannot go on without a producer id

  int64_t producer_id = no_producer_id;               // what its sequences count in
  int16_t producer_epoch = no_producer_epoch;
  int32_t next_sequence = 0;
  int32_t last_acked_sequence = -1;
  int64_t known_as = no_producer_id;                  // the producer id under which the leader has taken a batch
  bool unresolved = false;                            // a batch was given up that may have been written
  bool joins = false, joined = false;                 // transactions of version 1: asked to be added; added

  bool settled() const { return in_flight.empty() && (waiting.empty() || waiting.front()->sequence == no_sequence); }
};

// One thread's, the loop's.  Lanes and batches belong to the caller and to whoever holds them; the sender holds batches from Ready
// until they are Finished and no request has them any more.
class Sender {
 public:
  // ---- what happens ----
  struct Ready { std::span<const BatchRef> batches; };                                 // each has its lane
  struct LeaderIs { Lane* lane; int32_t leader; int32_t leader_epoch; };               // leader -1: none at the moment
  struct NodeUp { int32_t node; };
  struct NodeDown { int32_t node; Error why; };                                 // or could not be reached
  struct Answered { uint64_t request; const ProduceResponse* response; };
  struct Written { uint64_t request; };                                                // acks=0: there will be no answer
  struct Failed { uint64_t request; Error why; };                               // no answer came: the outcome is not known
  struct ProducerIdIs { int64_t id; int16_t epoch; };
  struct NoProducerId { Error why; };
  struct Abandon { Error why; };                                                // gives up everything
  struct Begin { bool partitions_join; };                                       // one begins; whether Joined is awaited
  struct Joined { std::vector<Lane*> lanes; };
  struct Drop { Error why; bool until_begin; };         // gives up what is not in flight; and what comes back until the next Begin
  struct Tick {};
  using Event = std::variant<Ready, LeaderIs, NodeUp, NodeDown, Answered, Written, Failed, ProducerIdIs, NoProducerId, Abandon, Begin, Joined,
                             Drop, Tick>;

  // ---- what is to be done about it ----
  // Send these; then Answered (acks=0: Written) or Failed follows, exactly once, and until then nobody touches the batches' bytes.
  struct Produce { uint64_t request; int32_t node; std::span<const BatchRef> batches; Instant deadline; };
  struct Connect { int32_t node; };                                                    // NodeUp or NodeDown follows
  struct AskProducerId {};                                                             // ProducerIdIs or NoProducerId follows
  struct Refresh {};                                                                   // metadata; LeaderIs follows where something is new
  struct Finished { BatchRef batch; };                                                 // delivered or failed: the batch says which
  struct Split { BatchRef batch; };                                                    // one more batch than before is on its way
  struct Join { Lane* lane; };                          // to be added to the transaction; Joined, or Drop, follows
  using Action = std::variant<Produce, Connect, AskProducerId, Refresh, Finished, Split, Join>;

  explicit Sender(const SenderOptions&);

  // Valid until the next step.
  std::span<const Action> step(Instant now, const Event&);
  std::optional<Instant> deadline() const;            // step with Tick no later than this
  size_t unfinished() const { return by_age_.size(); }
  // How many requests a broker could be sent at once: below this, another batch would leave at once.
  size_t requests_in_flight() const { return requests_.size(); }

 private:
  struct Node {
    bool up = false;
    bool connecting = false;
    NodeLoad load;
    std::deque<Lane*> ready;
    std::optional<Error> failure;                     // why it is down
  };
  struct Request {
    int32_t node;
    std::vector<BatchRef> batches;
  };

  void on(const Ready&);
  void on(const LeaderIs&);
  void on(const NodeUp&);
  void on(const NodeDown&);
  void on(const Answered&);
  void on(const Written&);
  void on(const Failed&);
  void on(const ProducerIdIs&);
  void on(const NoProducerId&);
  void on(const Abandon&);
  void on(const Begin&);
  void on(const Joined&);
  void on(const Drop&);
  void on(const Tick&) {}

  // sending
  void list(Lane&);
  void refresh();
  void drain();
  void drain_node(int32_t id, Node&);
  bool fill(Request&, Node&);
  bool may_send(Lane&);
  bool may_send_numbered(Lane&);
  void take_front(Lane&, Request&);
  void note_waiting(NodeLoad&, bool waits) const;
  static void note_queue(Lane&);
  void wake_sleepers();
  void ask_for_producer_id();

  // answers
  std::optional<Request> retire(uint64_t request);
  void settle(const Request&, const BatchRef&, const ProduceResponse::PartitionProduceResponse&);
  void delivered(const BatchRef&, int64_t base_offset, int64_t log_append_time);
  void refused(const Request&, const BatchRef&, const ProduceResponse::PartitionProduceResponse&);
  Error told(const Request&, const ProduceResponse::PartitionProduceResponse&) const;
  bool broken_sequence(const BatchRef&, Code);
  void come_back(const BatchRef&, Error why, bool back_off);
  void not_written(const BatchRef&, Error why);
  void split(const BatchRef&);

  // numbering
  void strip_after(Lane&, uint64_t serial);
  void start_over(Lane&);
  void resolve(Lane&);

  // ends
  void expire();
  void give_up(const BatchRef&, Error why);
  void finish(const BatchRef&);
  Error too_late(const ProducerBatch&) const;
  static void insert_by_serial(std::deque<BatchRef>&, const BatchRef&);
  static void leave(std::deque<BatchRef>&, const ProducerBatch*);
  std::string broker(int32_t node) const;

  const SenderOptions options_;
  Random random_;
  Instant now_{};
  Compressor compressor_;
  Block scratch_;
  std::vector<Action> actions_;
  std::map<int32_t, Node> nodes_;
  std::unordered_map<uint64_t, Request> requests_;
  uint64_t next_request_ = 1;
  boost::intrusive::list<ProducerBatch> by_age_;      // unfinished, the oldest first
  std::vector<Lane*> sleepers_;                       // lanes that back off
  bool refresh_told_ = false;                         // in this step

  int64_t producer_id_ = no_producer_id;
  int16_t producer_epoch_ = no_producer_epoch;
  bool asking_ = false;
  int id_failures_ = 0;
  Instant ask_not_before_{};
  std::vector<Lane*> awaiting_id_;
  std::optional<Error> id_failure_;

  bool partitions_join_ = false;                      // those of this transaction
  std::vector<Lane*> joining_;
  std::optional<Error> dropping_;
};

}  // namespace kq::client
