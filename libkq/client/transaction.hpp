// Decides what the coordinator of a transactional producer is told, when, and what an answer means.  Owns no socket, reads no clock.
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "libkq/client/sender.hpp"

namespace kq::client {

struct TransactionOptions {
  Backoff retry{100ms, 1s};
  uint64_t seed = 1;                                  // of the jitter
};

// Offsets that a transaction commits for a group of consumers.
struct TransactionOffsets {
  struct Offset {
    std::string topic;
    int32_t partition = -1;
    int64_t offset = -1;
    int32_t leader_epoch = -1;
    std::string metadata{};
  };
  std::string group_id;
  std::string member_id{};
  int32_t generation = -1;
  std::optional<std::string> instance_id{};
  std::vector<Offset> offsets{};
};

// One thread's, the loop's.  It asks one thing at a time, as Kafka's client does.
//
//   none ─begin→ idle (InitProducerId: who had the transactional id before is fenced)
//   idle ─begin→ open ─commit, abort→ ending (batches settle, then EndTxn) → idle
//
// In version 2 (KIP-890) a partition joins by being written to, and each end brings the epoch to go on with.  In version 1 the
// coordinator is told of partitions and groups first, and the epoch stays; after an error it is raised by another InitProducerId (KIP-360).
//
// An error of an open transaction leaves it `broken`: it can only be aborted.  A fatal one ends the producer: another has its id.
class Transaction {
 public:
  enum class Operation : uint8_t { begin, send_offsets, commit, abort };

  // ---- what happens ----
  struct Asked { Operation what; std::shared_ptr<const TransactionOffsets> offsets{}; };   // while none is under way, or again the same
  struct Version { int16_t transactions; };                          // finalized at the coordinator's cluster (transaction.version)
  struct Wants { Lane* lane; };                                      // version 1: a batch waits for its partition to be added
  struct Wrote {};                                                   // a batch has been sent
  struct BatchFailed { Error why; };
  struct Settled {};                                                 // answers Settle
  struct Answered {                                                  // to the last request
    Code code = Code::none;
    int64_t producer_id = no_producer_id;
    int16_t producer_epoch = no_producer_epoch;
    std::vector<Code> each{};                                        // of the partitions asked for
  };
  struct Unanswered { Error why; };                                  // its coordinator cannot be found or reached; or a version is missing
  struct Tick {};
  using Event = std::variant<Asked, Version, Wants, Wrote, BatchFailed, Settled, Answered, Unanswered, Tick>;

  // ---- what is to be done about it ----
  // Requests: Answered or Unanswered follows, exactly once.
  struct InitId { int64_t producer_id; int16_t producer_epoch; };    // -1: of this transactional id, whichever it had
  struct AddPartitions { int64_t producer_id; int16_t producer_epoch; std::vector<Lane*> lanes; };
  struct AddOffsets { int64_t producer_id; int16_t producer_epoch; std::string group_id; };
  struct CommitOffsets { int64_t producer_id; int16_t producer_epoch; std::shared_ptr<const TransactionOffsets> offsets; bool version_2; };
  struct End { int64_t producer_id; int16_t producer_epoch; bool commit; bool version_2; };
  // The rest of the producer.
  struct Open { bool version_2; };                                   // takes records, and joins partitions itself where it is not 2
  struct Settle { bool commit; };                                    // takes no more; sends what there is, or drops what was not sent
  struct UseId { int64_t id; int16_t epoch; };                       // sequences begin anew
  struct Joined { std::vector<Lane*> lanes; };
  struct Done { Operation what; std::optional<Error> error; };
  using Action = std::variant<InitId, AddPartitions, AddOffsets, CommitOffsets, End, Open, Settle, UseId, Joined, Done>;

  explicit Transaction(const TransactionOptions& options) : options_(options), random_(options.seed) {}

  // Valid until the next step.
  std::span<const Action> step(Instant now, const Event&);
  std::optional<Instant> deadline() const;                           // step with Tick no later than this
  const std::optional<Error>& trouble() const { return fatal_ ? fatal_ : broken_; }
  bool takes_records() const { return stage_ == Stage::open && !trouble(); }

 private:
  enum class Stage : uint8_t { none, idle, open, ending };
  enum class Request : uint8_t { nothing, init_id, add_partitions, add_offsets, commit_offsets, end };
  enum class Judgement : uint8_t { good, again, refused, broken, fatal };

  void on(const Asked&);
  void on(const Version& event) { version_ = event.transactions; }
  void on(const Wants& event) { wanting_.push_back(event.lane); }
  void on(const Wrote&) { started_ = true; }
  void on(const BatchFailed&);
  void on(const Settled&) { settled_ = true; }
  void on(const Answered&);
  void on(const Unanswered&);
  void on(const Tick&) {}

  void go_on();
  void ask(Request, Action);
  void ended();
  void open();
  void finish(std::optional<Error>);
  void answered_well(Request, const Answered&);
  void partitions_answered(const Answered&);
  static Judgement judge(Request, Code);
  void act_on(Judgement, Request, Error);
  void try_again();
  void turn_broken(Error);
  void turn_fatal(Error);
  bool version_2() const { return used_version_ >= 2; }

  const TransactionOptions options_;
  Random random_;
  Instant now_{};
  std::vector<Action> actions_;

  Stage stage_ = Stage::none;
  std::optional<Operation> operation_;
  std::optional<Error> broken_, fatal_;
  int64_t producer_id_ = no_producer_id;
  int16_t producer_epoch_ = no_producer_epoch;
  int16_t version_ = 0, used_version_ = 0;            // as known; as this transaction uses it

  Request asked_ = Request::nothing;                  // unanswered
  int failures_ = 0;
  Instant not_before_{};

  // Of this transaction.
  bool started_ = false;                              // the cluster knows of it, or may
  bool settled_ = false;
  bool commits_ = false;                              // while it is ending
  bool renew_ = false;                                // its end is followed by a new epoch
  bool forgotten_ = false;                            // the coordinator does not know the producer any more: nothing can be ended
  std::vector<Lane*> wanting_, adding_;
  std::vector<std::string> groups_;                   // added
  std::shared_ptr<const TransactionOffsets> offsets_; // to be committed
};

}  // namespace kq::client
