// ShareConsumer: carries out what a ShareFetcher and a ShareMember decide, and hands out what was fetched.
#pragma once

#include <set>

#include "libkq/client/batch.hpp"
#include "libkq/client/beacon.hpp"
#include "libkq/client/cluster.hpp"
#include "libkq/client/driver.hpp"
#include "libkq/client/membership.hpp"
#include "libkq/client/share_fetcher.hpp"
#include "libkq/client/share_reader.hpp"
#include "libkq/client/statistics.hpp"
#include "libkq/client/telemetry.hpp"

namespace kq::client {

// Made, started and closed by its handle; held by shared_ptr, as requests under way refer to it.  The ShareFetcher is under mutex_; its
// requests are sent, and its answers taken, on the loop.  Reading (check sums, decompression) happens on the thread that polls, outside of
// mutex_.
class ShareConsumer final : public ClusterObserver, public GroupListener, public std::enable_shared_from_this<ShareConsumer> {
 public:
  ShareConsumer(std::shared_ptr<Driver>, std::shared_ptr<Cluster>, const Config&);
  ~ShareConsumer() override;

  // On the loop.
  void start();
  void close();
  // Says what was acknowledged, gives back what is held, and leaves the group.
  awaitable<Result<bool>> end(Instant deadline);
  // Waits for what becomes of all that was acknowledged.
  awaitable<Result<bool>> commit(std::vector<ShareOutcome>& outcomes, Instant deadline);

  struct PartTraffic {
    TopicPartition at;
    bool assigned;
    uint64_t records, bytes, held;
  };
  struct Statistics {
    Instant since{};
    uint64_t records = 0, bytes = 0, batches = 0, memory_used = 0, memory_max = 0;
    ShareCounts counts{};
    NodesTraffic nodes{};
    std::vector<PartTraffic> partitions{};
  };
  Statistics statistics() const;

  // Any thread.
  Status subscribe(std::vector<std::string> topics);  // none: unsubscribe
  enum class Polled { nothing, batch };
  struct Where {
    std::string topic{};
    int32_t partition = -1;
  };
  // Fills `into`, or fails; a failure that is about a partition names it in `where`.
  Result<Polled> poll(Instant deadline, Batch& into, Where& where);
  void wake_up();
  int descriptor();
  // Of `count` records of a batch from `first` on, those that are held.
  Status acknowledge(const Batch&, size_t first, size_t count, int8_t type);
  Status acknowledge(std::string_view topic, int32_t partition, int64_t offset, int8_t type);
  Status commit_later(uint64_t tag);  // poll gives the outcome
  int32_t lock_timeout_ms() const;

 private:
  // ClusterObserver, on the loop.
  void metadata_changed() override;
  void metadata_failed(const Error&) override;

  // GroupListener, on the loop.
  void group_assigned(const Partitions&) override;
  void group_revoked(const Partitions& partitions) override { gone(partitions); }
  void group_lost(const Partitions& partitions, const MemberIdentity&) override { gone(partitions); }
  void group_trouble(const Error&) override;

  // On the loop.
  void start_telemetry();
  Measurements measure() const;
  void gone(const Partitions&);
  void step(const ShareFetcher::Event&);
  void tick();
  void plan();
  static awaitable<void> fetch(std::shared_ptr<ShareConsumer>, int32_t node);
  static awaitable<void> acknowledge(std::shared_ptr<ShareConsumer>, int32_t node, Channel);
  void topics_changed();
  void look_up_leaders();
  void look_at_patience();
  void poll_resumed();

  // Any thread.
  void post(void (ShareConsumer::*call)());

  // With mutex_ held.
  Status in_use() const;
  Status may_acknowledge() const;
  bool may_have_something() const;
  void after_change();  // tells the loop, and whoever waits
  void begin_poll();
  void end_poll();
  void accept_handed_out();
  uint64_t begin_commit();
  void look_at_commits();
  void take_failures();
  bool take_event(Batch& into);
  void note(const ShareSlice&, const ShareReader::Found&);
  void note_read(const ShareSlice&, size_t records, size_t bytes);
  void read_slices(std::unique_lock<std::mutex>&, Batch& into);
  void note_idleness();

  Result<Polled> read(Batch& into, Where& where);

  const std::shared_ptr<Driver> driver_;
  const std::shared_ptr<Cluster> cluster_;
  const GroupOptions group_;
  const bool explicit_, pushes_metrics_;
  const size_t poll_records_max_;
  const Duration fetch_timeout_, poll_interval_max_;
  const std::shared_ptr<FetchMemory> memory_;
  std::shared_ptr<Membership> membership_;  // the loop's, as are the next four
  std::optional<Timer> timer_, patience_;
  std::set<std::string> topics_;  // wanted of the cluster
  Broadcast progress_;            // a request was answered
  NodesTraffic nodes_traffic_;
  std::shared_ptr<Telemetry> telemetry_;
  const Instant since_ = Clock::now();

  Bell bell_;                 // something to poll, or closed
  mutable std::mutex mutex_;  // for all below
  ShareFetcher fetcher_;
  Beacon beacon_;
  bool subscribed_ = false, closed_ = false, woken_ = false, tick_posted_ = false;
  std::optional<Error> trouble_;  // to be told by a poll that has nothing better
  bool in_trouble_ = false;       // the cluster cannot be reached, and that was or will be told
  struct Run {
    std::shared_ptr<const std::string> topic;
    int32_t partition;
    int64_t first, last;
  };
  std::vector<Run> handed_out_;  // implicit: to be accepted by what comes next
  uint64_t commits_ = 0;
  struct Later {
    uint64_t number, tag;
  };
  std::deque<Later> later_;  // commits whose outcome poll gives
  struct Event {
    std::vector<ShareOutcome> outcomes;
    uint64_t tag;
  };
  std::deque<Event> events_;
  int polls_ = 0;                      // under way
  std::optional<Instant> idle_since_;  // nobody polls, and nothing is fetched
  bool overdue_ = false;
  PartitionTraffic read_all_;          // what polls have given, and of which partition
  std::map<TopicPartition, PartitionTraffic, TopicPartitionLess> read_;

  std::mutex reading_;  // for reader_; taken before mutex_
  ShareReader reader_;
};

}  // namespace kq::client
