// Consumer: carries out what the Fetcher decides, hands out what was fetched, and keeps account of it for the group.
#pragma once

#include <atomic>
#include <set>
#include <thread>

#include "libkq/client/batch.hpp"
#include "libkq/client/beacon.hpp"
#include "libkq/client/cluster.hpp"
#include "libkq/client/driver.hpp"
#include "libkq/client/fetcher.hpp"
#include "libkq/client/membership.hpp"
#include "libkq/client/offset_store.hpp"
#include "libkq/client/slice_reader.hpp"
#include "libkq/client/statistics.hpp"
#include "libkq/client/telemetry.hpp"

namespace kq::client {

// Made, started and closed by its handle; held by shared_ptr, as requests under way refer to it weakly.  The Fetcher is under
// mutex_, so that assign, seek and position take effect at once on whatever thread calls them; its requests are sent, and its answers
// taken, on the loop.  Reading (check sums, decompression) happens on the thread that polls, outside of mutex_.
//
// What concerns the group is in consumer_group.cpp: Membership lives on the loop; what it tells is queued under mutex_, and poll hands it
// out before any record.
class Consumer final : public ClusterObserver, public GroupListener, public std::enable_shared_from_this<Consumer> {
 public:
  Consumer(std::shared_ptr<Driver>, std::shared_ptr<Cluster>, const Config&);
  ~Consumer() override;

  // On the loop.
  void start();
  void close();

  // Any thread.
  Status assign(std::span<const AssignedPartition>);
  Status seek(std::string_view topic, int32_t partition, int64_t offset);
  Status pause(std::string_view topic, int32_t partition, bool paused);
  Result<int64_t> position(std::string_view topic, int32_t partition) const;
  struct Assigned {
    std::string topic;
    int32_t partition;
    int64_t position, end_offset;
    bool paused;
  };
  std::vector<Assigned> assignment() const;
  struct Traffic {                                   // of a partition that is assigned
    Assigned assigned;
    uint64_t records = 0, bytes = 0;
  };
  struct Statistics {
    Instant since{};
    uint64_t records = 0, bytes = 0, batches = 0, memory_used = 0, memory_max = 0;
    NodesTraffic nodes{};
    std::vector<Traffic> partitions{};
  };
  Statistics statistics() const;                     // on the loop
  int descriptor();
  void wake_up();  // the poll that waits, or the next one that would, returns at once

  enum class Polled { nothing, batch };
  // Fills `into`, or fails; a failure that is about a partition names it in `where`.
  struct Where {
    std::string topic{};
    int32_t partition = -1;
  };
  Result<Polled> poll(Instant deadline, Batch& into, Where& where);

  // ---- the group; any thread ----
  Status subscribe(std::vector<std::string> topics);
  Status subscribe_pattern(const std::string& pattern);
  Status unsubscribe();
  void release(Batch&);
  Status store(std::span<const GroupOffset>);
  std::vector<GroupOffset> everything_handed_out() const;     // and not committed
  void commit_later(std::vector<GroupOffset>, uint64_t tag);  // poll gives the outcome
  std::string group_id() const { return group_.group_id; }

  // On the loop.
  awaitable<Result<bool>> commit(std::vector<GroupOffset>&, Instant deadline);
  awaitable<Result<bool>> committed(std::vector<GroupOffset>&, Instant deadline);
  // Commits what auto-commit would, and leaves the group.
  awaitable<Result<bool>> end(Instant deadline);
  // Under which the application acts.  Until it has been told of a loss that is who the consumer was, whom the coordinator refuses: what
  // was read of partitions that belong to others by now is never committed under a newer identity.
  MemberIdentity identity() const;

 private:
  // ClusterObserver, on the loop.
  void metadata_changed() override;
  void metadata_failed(const Error&) override;
  void node_up(int32_t node) override { step(Fetcher::Connected{node}); }
  void node_down(int32_t node, const Error&) override { step(Fetcher::Disconnected{node}); }

  // GroupListener, on the loop.
  void group_assigned(const Partitions&) override;
  void group_revoked(const Partitions&) override;
  void group_lost(const Partitions&, const MemberIdentity& former) override;
  void group_trouble(const Error&) override;

  // On the loop.
  void start_telemetry();
  Measurements measure() const;
  void step(const Fetcher::Event&);
  void act(const std::vector<Fetcher::Wish>&);
  void send_fetch(int32_t node);
  void fetch_answered(int32_t node, Result<Answer>);
  static awaitable<void> list_offsets(std::shared_ptr<Consumer> self, int32_t node);
  static awaitable<void> fetch_committed(std::shared_ptr<Consumer> self);
  void topics_changed();
  void look_up_leaders();
  void plan();  // the timer, and the wait for memory
  void plan_commit();
  static awaitable<void> commit_stored(std::shared_ptr<Consumer> self);
  static awaitable<void> commit_and_tell(std::shared_ptr<Consumer> self, std::vector<GroupOffset> offsets, uint64_t tag, uint64_t since);
  static awaitable<void> finish_revocation(std::shared_ptr<Consumer> self);
  void begin_finishing_revocation();
  void poll_resumed();
  void look_at_patience();

  // Any thread.
  void post(void (Consumer::*call)());
  void tick() { step(Fetcher::Tick{}); }
  void after_change();                               // with mutex_ held, as for all that follow
  bool may_have_something() const;
  void ring();
  void begin_poll();
  void end_poll();
  void note_ready();
  struct Event;
  void queue(Event);
  bool take_event(Batch& into);
  void acknowledged(uint64_t number);  // takes mutex_
  bool is_being_revoked(const Slice&) const;
  Status in_group() const;
  void withdraw_assignment(Partitions& lost);
  void note_losses_told();
  bool is_lost_untold(std::string_view topic, int32_t partition) const;
  MemberIdentity own_identity() const;  // as the coordinator knows it now.  On the loop; takes no lock
  awaitable<Result<bool>> commit(std::vector<GroupOffset>&, Instant deadline, uint64_t since);

  Result<Polled> read(Batch& into, Where& where);
  void read_slices(std::unique_lock<std::mutex>&, Batch& into);
  void note_read(const Slice&, size_t records, size_t bytes);
  void note_end(const Slice&, bool any_record, Batch& into);
  void read_ends(Batch& into);

  const std::shared_ptr<Driver> driver_;
  const std::shared_ptr<Cluster> cluster_;
  const size_t poll_records_max_;
  const Duration fetch_timeout_;
  const std::shared_ptr<FetchMemory> memory_;
  std::set<std::string> topics_;                     // wanted of the cluster; the loop's
  std::optional<Timer> timer_;                       // the loop's
  NodesTraffic nodes_traffic_;                       // the loop's, as are the next two
  Histogram commit_us_;
  std::shared_ptr<Telemetry> telemetry_;
  const Instant since_ = Clock::now();

  const GroupOptions group_;
  const bool coordinated_;  // there is a group.id: offsets are kept account of
  const bool auto_commit_;
  const bool by_broker_;  // group.protocol=consumer
  const bool pushes_metrics_;
  const Duration commit_interval_, poll_interval_max_;
  std::shared_ptr<Coordinator> coordinator_;  // with a group.id; the loop's, as are the next five
  std::shared_ptr<Membership> membership_;
  std::optional<Timer> commit_timer_, patience_;
  bool committing_ = false;
  Broadcast committed_;  // a commit has ended

  Bell bell_;                 // something to poll, or closed
  mutable std::mutex mutex_;  // for all below
  Fetcher fetcher_;
  Beacon beacon_;
  std::optional<Error> trouble_;                     // to be told by a poll that has nothing better
  bool in_trouble_ = false;                          // the cluster cannot be reached, and that was or will be told
  bool closed_ = false;
  bool tick_posted_ = false;
  bool woken_ = false;

  PartitionTraffic read_all_;                        // what polls have given, and of which partition
  std::map<TopicPartition, PartitionTraffic, TopicPartitionLess> read_;

  enum class Mode { idle, assigned, subscribed };
  Mode mode_ = Mode::idle;
  OffsetStore offsets_;
  struct Event {
    kq_batch_kind kind;
    kq_event event = KQ_NO_EVENT;
    std::vector<GroupOffset> rows{};
    uint64_t tag = 0;  // or a revocation's number
  };
  std::deque<Event> events_;
  struct Revocation {
    uint64_t number;
    Partitions partitions;
    std::optional<std::thread::id> receiver{};  // its next poll says that it is done
    bool acknowledged = false;
  };
  std::optional<Revocation> revocation_;
  uint64_t revocations_ = 0;
  uint64_t losses_ = 0, losses_told_ = 0;  // a commit from before a loss is not sent after it
  MemberIdentity former_;                  // before the first loss that poll has not told of
  std::optional<Error> group_trouble_;  // a fatal one stays
  bool commit_planned_ = false;
  int polls_ = 0;                       // under way
  std::optional<Instant> ready_since_;  // there is something to poll, and nobody polls
  bool overdue_ = false;

  std::mutex reading_;                               // for reader_; taken before mutex_
  SliceReader reader_;
};

}  // namespace kq::client
