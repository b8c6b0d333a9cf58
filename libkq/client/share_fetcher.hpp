// ShareFetcher: what a share consumer fetches from where, what it holds, and what it has to say of it.
#pragma once

#include <array>
#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <variant>
#include <vector>

#include "libkq/base/clock.hpp"
#include "libkq/base/random.hpp"
#include "libkq/base/result.hpp"
#include "libkq/client/fetcher.hpp"
#include "libkq/client/share_session.hpp"
#include "libkq/client/topic_partition.hpp"

namespace kq::client {

struct ShareOptions {
  std::string group_id{};  // group.id
  std::string member_id{};
  int32_t bytes_min = 1;         // fetch.min.bytes
  int32_t bytes_max = 50 << 20;  // fetch.max.bytes
  int32_t records_max = 500;     // max.poll.records
  Duration wait_max{500ms};      // fetch.max.wait.ms
  bool record_limit = false;     // share.acquire.mode=record_limit: never more than records_max
  Backoff backoff{100ms, 1s};    // retry.backoff.ms, retry.backoff.max.ms
};

// Offsets that were acquired together, and how often they have been by now.
struct AcquiredRun {
  int64_t first, last;
  int16_t delivery_count;
};

// What one partition gave to one share fetch, not (fully) read yet.
struct ShareSlice {
  Slice slice;
  SharePart part;
  std::deque<AcquiredRun> acquired;  // those still to be read
};

// What became of acknowledgements.
struct ShareOutcome {
  TopicPartition at;
  int64_t first, last;
  std::optional<Error> error{};
};

// Offsets by what became of their acknowledgements.
struct ShareCounts {
  std::array<uint64_t, 5> confirmed{};  // by ShareAck's numbers
  uint64_t failed = 0;
};

// Decides; owns no socket, reads no clock, starts no thread.  Not thread-safe: its owner has the lock.
//
// Records are fetched when the application wants some (`want_records`) and none are there, so that their locks run for as short as may be.
// Acknowledgements travel with the next fetch of the broker that they came from, or by themselves where there is none to come, or
// somebody waits for them (`commit`, `hurry`).  A broker is asked one thing at a time, as a session's requests are numbered.
class ShareFetcher {
 public:
  ShareFetcher(ShareOptions, std::shared_ptr<FetchMemory>, uint64_t seed);
  ~ShareFetcher();

  const ShareOptions& options() const { return options_; }

  // ---- the group's side ----
  void add(const Partitions&);
  void drop(const Partitions&);  // what was not handed out of them is released
  std::vector<std::string> topics() const;

  // ---- the application's side ----
  void want_records();
  bool wants_records() const { return wanting_; }
  bool has_ready() const { return !ready_.empty(); }
  ShareSlice take();
  void give_back(ShareSlice);  // there is more in it
  void handed_out(const ShareSlice&, int64_t first, int64_t last);
  // Of what is held and was not handed out: no record has these offsets, nobody can read them, or others may.
  void dispose(const ShareSlice&, int64_t first, int64_t last, int8_t type);
  void failed(const ShareSlice&, Error);  // a part of it cannot be read
  // Of what is held and was handed out.  False: none of it is.
  bool acknowledge(std::string_view topic, int32_t partition, int64_t first, int64_t last, int8_t type);
  void hurry();  // acknowledgements are not to wait for a fetch
  // Gives all acknowledgements that belong to no commit yet to this one, and hurries.
  void commit(uint64_t number);
  bool commit_is_done(uint64_t number) const;
  std::vector<ShareOutcome> take_outcomes(uint64_t number);  // of a commit; 0: failures that belong to none
  bool has_failures() const { return outcomes_.contains(0); }
  // Says what is left to say, and ends the sessions: what is held is released.
  void close();
  bool closed() const;
  std::optional<PartitionFailure> take_trouble();
  bool has_trouble() const { return !troubles_.empty(); }
  std::optional<Error> take_refusal();  // of the group as a whole
  bool stuck() const;                   // nothing but the application's giving memory back will bring more
  bool starved() const { return starved_; }
  int32_t lock_timeout_ms() const { return lock_timeout_ms_; }  // -1: not known yet
  const ShareCounts& counts() const { return counts_; }
  struct Holding {
    TopicPartition at;
    bool assigned;
    uint64_t held;  // offsets
  };
  std::vector<Holding> holdings() const;

  // ---- the loop's side ----
  struct Leader {
    std::string_view topic;
    int32_t partition, leader, leader_epoch;
    Uuid topic_id;
  };
  struct Metadata {
    std::span<const Leader> leaders;  // those that are not named are as they were
  };
  struct Fetched {
    int32_t node;
    const ShareFetchResponse& response;
    Held held;
  };
  struct Acknowledged {
    int32_t node;
    const ShareAcknowledgeResponse& response;
  };
  enum class Request { fetch, acknowledge };
  struct Failed {  // no answer
    int32_t node;
    Error error;
    Request of = Request::acknowledge;
  };
  struct Tick {};
  using Event = std::variant<Tick, Metadata, Fetched, Acknowledged, Failed>;

  struct Wish {
    // end: an acknowledgement that must not wait behind the fetch that the same broker has not answered.
    enum class Kind { fetch, acknowledge, end, metadata };
    Kind kind;
    int32_t node = -1;
    bool operator==(const Wish&) const = default;
  };

  std::span<const Wish> step(Instant now, const Event&);  // valid until the next step
  std::optional<Instant> deadline() const;                // call step with Tick no later than this
  // Write the request that was wished for.  Renewals need the version that has them.  False: there is nothing to fetch any more.
  [[nodiscard]] bool fill(int32_t node, ShareFetchRequest&);
  void fill(int32_t node, ShareAcknowledgeRequest&);

 private:
  struct Part;
  struct Node;
  // Who has to acknowledge an offset, and whether the application knows of it.
  struct Held_ {
    int32_t node;
    bool handed_out;
    bool operator==(const Held_&) const = default;
  };
  static constexpr uint64_t nobody = UINT64_MAX;  // in place of a commit: the outcome is told to nobody

  void on(const Tick&) {}
  void on(const Metadata&);
  void on(const Fetched&);
  void on(const Acknowledged&);
  void on(const Failed&);

  Part* find(std::string_view topic, int32_t partition);
  Part* find(const SharePart&);
  Node& node_of(int32_t id);
  void take_records(Node&, Part&, const ShareFetchResponse::PartitionData&, const Held&);
  bool say(Part&, int64_t first, int64_t last, ShareAck, bool of_handed_out);
  void release_unread(const ShareSlice&);
  void trouble(Part&, Code, std::string_view said);
  template <class Response>
  bool accepted(Node&, const Response&);
  void refused(Node&, Code, std::string_view said);
  void settle(Node&, const SharePart&, const std::optional<Error>&);
  void settle_all(Node&, const std::optional<Error>&);
  void tell(const SharePart&, int64_t first, int64_t last, const ShareAck&, const std::optional<Error>&);
  void rest(Node&);
  void place(Part&);
  void wake_resting();
  void wish_for_work();
  void wish_for(Node&);
  void end_beside_fetch(Node&);
  bool must_acknowledge(const Node&) const;
  bool may_fetch(const Node&);
  bool concerns(const Node&) const;

  const ShareOptions options_;
  const std::shared_ptr<FetchMemory> memory_;
  Random random_;
  Instant now_{};
  std::map<TopicPartition, std::unique_ptr<Part>> parts_;  // assigned, or held still
  std::map<SharePart, Part*> by_id_;
  std::map<int32_t, std::unique_ptr<Node>> nodes_;
  std::vector<Part*> resting_;
  std::deque<ShareSlice> ready_;
  std::deque<PartitionFailure> troubles_;
  std::optional<Error> refusal_;
  std::map<uint64_t, std::vector<ShareOutcome>> outcomes_;  // by commit
  std::vector<Wish> wishes_;
  uint64_t next_serial_ = 1;
  int32_t lock_timeout_ms_ = -1;
  ShareCounts counts_;
  int32_t last_fetched_from_ = -1;  // record_limit asks one broker after the other
  bool wanting_ = false, closing_ = false, wants_metadata_ = false;
  bool starved_ = false;
};

}  // namespace kq::client
