// Fetcher: which partition is fetched from where and when, and what has been fetched and not yet read.
#pragma once

#include <deque>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "libkq/base/clock.hpp"
#include "libkq/base/random.hpp"
#include "libkq/base/result.hpp"
#include "libkq/client/fetch_memory.hpp"
#include "libkq/client/fetch_session.hpp"
#include "libkq/client/group_offset.hpp"
#include "libkq/protocol/messages/list_offsets.hpp"
#include "libkq/rpc/backoff.hpp"

namespace kq::client {

// In place of an offset (kq.h's kq_offset).
namespace offset_spec {
constexpr int64_t latest = -1, earliest = -2, by_policy = -1000, by_duration = -1001;
}

struct FetchOptions {
  int32_t bytes_min = 1;                             // fetch.min.bytes
  int32_t bytes_max = 50 << 20;                      // fetch.max.bytes
  int32_t partition_bytes_max = 1 << 20;             // max.partition.fetch.bytes
  Duration wait_max{500ms};                          // fetch.max.wait.ms
  int8_t isolation_level = 0;                        // 0 read_uncommitted, 1 read_committed
  int64_t reset = offset_spec::latest;               // auto.offset.reset; by_policy: none, it is an error
  Duration reset_back{0};                            // with by_duration: as long ago
  bool committed_first = false;                      // there is a group: what it has committed comes before the policy
  bool report_end = false;                           // enable.partition.eof
  std::string rack{};                                // client.rack: a follower there may be fetched from
  Duration replica_age{5min};                        // metadata.max.age.ms: how long, before the leader is asked again
  Backoff backoff{100ms, 1s};                        // retry.backoff.ms, retry.backoff.max.ms
};

// A transaction that was aborted, as a fetch answer lists them.
struct Aborted {
  int64_t producer_id;
  int64_t first_offset;
};

// What one partition gave to one fetch, not (fully) read yet.  A reader takes it, moves `position` over what it has handed out, and
// gives it back or reports it finished.
struct Slice {
  uint64_t serial = 0;                               // of this slice; never 0, never used again
  uint64_t partition_id = 0;                         // the Fetcher's number for the partition
  uint64_t generation = 0;                           // of the partition's position: a seek makes older slices void
  std::shared_ptr<const std::string> topic{};
  int32_t partition = 0;
  Held held{};                                       // keeps `records` alive
  Bytes records{};                                   // whole batches; a reader cuts off those that it is done with
  size_t waiting_bytes = 0;                          // how much of it counts as waiting: all, and nothing once a reader has taken it
  int64_t position = 0;                              // offset of the next record to hand out; lower ones are skipped
  int64_t end_offset = -1;                           // of the partition, as this fetch saw it
  std::vector<Aborted> aborted{};                    // by first offset, those still to come; read_committed alone
  std::vector<int64_t> aborted_producers{};          // whose aborted transaction the reader is in
};

// What a reader meets besides records.
struct EndOfPartition {
  std::shared_ptr<const std::string> topic;
  int32_t partition;
  int64_t offset;
};
struct PartitionFailure {
  std::shared_ptr<const std::string> topic;
  int32_t partition;
  Error error;
};
using Fetched = std::variant<Slice, EndOfPartition, PartitionFailure>;

struct AssignedPartition {
  std::string_view topic;
  int32_t partition;
  int64_t offset = offset_spec::by_policy;
};

// A partition's state for the application: kq_consumer_assignment's columns.
struct PartitionView {
  std::string_view topic;
  int32_t partition;
  int64_t position;                                  // or an offset_spec, not resolved yet
  int64_t end_offset;                                // -1: not known
  bool paused;
};

// Decides; owns no socket, reads no clock, starts no thread.  Not thread-safe: its owner has the lock.
//
// A partition is awaiting (what its group has committed is asked of the coordinator), resolving (its offset is asked of the leader by
// ListOffsets), fetching, or resting (it failed, the reader was told).
// One fetch per leader is under way at a time.  It asks for the partitions that have less than half of what one fetch brings waiting for
// the reader, so that the next answer is on its way while this one is read, and none while fetched memory is at its limit.
class Fetcher {
 public:
  // A topic that metadata does not know yet may just have been created: for this long it is asked for again.
  static constexpr Duration topic_grace = 5s;

  Fetcher(FetchOptions, std::shared_ptr<FetchMemory>, uint64_t seed);
  ~Fetcher();

  // ---- the application's side ----
  void assign(std::span<const AssignedPartition>);
  void add(const Partitions&);  // to what is assigned: those that are not yet
  void drop(const Partitions&);
  Status seek(std::string_view topic, int32_t partition, int64_t offset);
  Status pause(std::string_view topic, int32_t partition, bool paused);
  Result<int64_t> position(std::string_view topic, int32_t partition) const;
  std::vector<PartitionView> assignment() const;
  std::vector<std::string> topics() const;
  // What there is to read next; nothing of a paused partition.  A slice not finished goes on first when it is given back.
  std::optional<Fetched> take();
  bool slice_is_next() const { return !ready_.empty() && std::holds_alternative<Slice>(next()); }
  bool end_is_next() const { return !ready_.empty() && std::holds_alternative<EndOfPartition>(next()); }
  void give_back(Slice&&);
  void finished(const Slice&);                         // everything in it was handed out, or skipped
  void failed(const Slice&, Error);                    // it cannot be read: the reader is told, the partition rests
  bool has_ready() const { return !ready_.empty(); }
  bool current(const Slice& slice) const { return find(slice.partition_id, slice.generation) != nullptr; }
  // Reading has made room that a fetch may fill: step() is worth calling.  Asking clears it.
  bool wants_step() { return std::exchange(wants_step_, false); }

  // ---- the network's side ----
  struct Leader {                                      // metadata has this leader for an assigned partition
    std::string_view topic;
    int32_t partition;
    int32_t node;                                      // -1: none at the moment
    int32_t epoch;
    Uuid topic_id;
  };
  struct Missing {                                     // metadata says that there is no such topic or partition, or refuses it
    std::string_view topic;
    int32_t partition;
    Code code;
  };
  struct Metadata {                                    // of assigned partitions; those that are not named are as they were
    std::span<const Leader> leaders;
    std::span<const Missing> missing;
  };
  struct FetchAnswered {
    int32_t node;
    const FetchResponse& response;
    Held held;                                         // keeps the response's bytes alive, and charges for them
  };
  struct OffsetsAnswered {
    int32_t node;
    const ListOffsetsResponse& response;
  };
  struct CommittedAnswered { std::span<const GroupOffset> offsets; };
  struct CommittedFailed { Error error; };
  struct FetchFailed { int32_t node; };                // no answer; a node_up or node_down is not needed to try again
  struct OffsetsFailed { int32_t node; Error error; };
  struct NotConnected { int32_t node; };               // a wish could not be met: wait for Connected, or Disconnected
  struct Connected { int32_t node; };
  struct Disconnected { int32_t node; };
  struct Tick {};
  using Event = std::variant<Tick, Metadata, FetchAnswered, OffsetsAnswered, CommittedAnswered, CommittedFailed, FetchFailed,
                             OffsetsFailed, NotConnected, Connected, Disconnected>;

  struct Wish {
    enum class Kind { fetch, offsets, metadata, committed };
    Kind kind;
    int32_t node = -1;
    bool operator==(const Wish&) const = default;
  };

  // What should be sent now; valid until the next step.  Each wish is met by fill() and its answer, or turned down by NotConnected.
  std::span<const Wish> step(Instant now, const Event&);
  // When to call step with Tick at the latest.
  std::optional<Instant> deadline() const;
  // Writes the request that was wished for; from here on it is under way.  False: there is nothing to ask any more.  What the request
  // points at holds until the next fill() for this node.  Without has_topic_ids() a fetch must not be sent in a version above 12.
  bool fill(int32_t node, FetchRequest&);
  bool fill(int32_t node, ListOffsetsRequest&, int64_t wall_ms);
  // Of which partitions committed offsets are wished for.
  std::vector<GroupOffset> fill_committed();
  bool has_topic_ids() const { return without_topic_id_ == 0; }
  // A fetch waits for memory: call step with Tick when some is given back.
  bool starved() const { return starved_; }
  // Nothing but the application's giving memory back will bring more.
  bool stuck() const;

 private:
  struct Partition;
  struct Node;
  using PartitionPtr = std::shared_ptr<Partition>;
  struct ByName {
    using is_transparent = void;
    using Name = std::pair<std::string_view, int32_t>;
    bool operator()(const Name& a, const Name& b) const { return a < b; }
  };

  void on(const Tick&) {}
  void on(const Metadata&);
  void on(const FetchAnswered&);
  void on(const OffsetsAnswered&);
  void on(const CommittedAnswered&);
  void on(const CommittedFailed&);
  void on(const FetchFailed&);
  void on(const OffsetsFailed&);
  void on(const NotConnected&);
  void on(const Connected&);
  void on(const Disconnected&);

  Partition* find(std::string_view topic, int32_t partition) const;
  Partition* find(uint64_t id, uint64_t generation) const;
  Node& node_of(int32_t id);
  void place(Partition&, int64_t offset);              // a new position; what was fetched before is void
  void drop_fetched(Partition&);
  void out_of_range(Partition&);
  PartitionPtr make(std::shared_ptr<const std::string> topic, int32_t partition);
  void await_committed(Partition&);
  void begin(Partition&, int64_t offset);  // fetching
  void resolve(Partition&, int64_t spec);
  void rest(Partition&, Error);
  void back_off(Partition&);
  void push(Partition&, Fetched);
  int32_t source(const Partition&) const;              // the node that it is fetched from
  void leave_replica(int32_t node);
  void back_to_leader(Partition&, Code);
  void truncated(Partition&, int64_t end, int32_t epoch);
  bool fetchable(const Partition&) const;
  void update(Partition&);                             // brings its leader's session in line with what it wants
  void remove(Partition&);
  void wake_backed_off();
  void wish_for_work();
  size_t room() const;
  void unready(Partition&);
  void ready(Partition&, bool first = false);
  void learn(const Leader&);
  void learn(const Missing&);
  void know_leader(Partition&, const Leader&);
  const Fetched& next() const;
  void answered(Node&, Partition&, const FetchResponse::PartitionData&, const Held&);
  void take_records(Partition&, const FetchResponse::PartitionData&, const Held&);
  void report_ends(Node&);
  void report_end(Partition&);
  void trouble(Partition&, Code);

  const FetchOptions options_;
  const std::shared_ptr<FetchMemory> memory_;
  Random random_;
  Instant now_{};
  uint64_t next_id_ = 1;
  std::map<std::pair<std::string, int32_t>, PartitionPtr, ByName> assigned_;
  std::unordered_map<uint64_t, Partition*> by_id_;
  std::map<std::pair<Uuid, int32_t>, Partition*> by_topic_id_;
  std::map<int32_t, std::unique_ptr<Node>> nodes_;
  std::deque<Partition*> ready_;                       // with something to read, not paused, not being read
  std::vector<Partition*> backing_off_;
  std::vector<Wish> wishes_;
  uint64_t next_serial_ = 1;
  size_t without_topic_id_ = 0;
  bool wants_metadata_ = false;
  bool wants_committed_ = false, asking_committed_ = false;
  int committed_failures_ = 0;
  std::optional<Instant> committed_retry_at_;
  bool wants_step_ = false;
  bool starved_ = false;
};

}  // namespace kq::client
