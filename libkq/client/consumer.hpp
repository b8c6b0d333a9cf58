// Consumer: carries out what the Fetcher decides, and hands out what was fetched.
#pragma once

#include <atomic>
#include <set>

#include "libkq/client/batch.hpp"
#include "libkq/client/beacon.hpp"
#include "libkq/client/cluster.hpp"
#include "libkq/client/driver.hpp"
#include "libkq/client/fetcher.hpp"
#include "libkq/client/slice_reader.hpp"

namespace kq::client {

// Made, started and closed by its handle; held by shared_ptr, as requests under way refer to it weakly.  The Fetcher is under
// mutex_, so that assign, seek and position take effect at once on whatever thread calls them; its requests are sent, and its answers
// taken, on the loop.  Reading (check sums, decompression) happens on the thread that polls, outside of mutex_.
class Consumer final : public ClusterObserver, public std::enable_shared_from_this<Consumer> {
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
  int descriptor();

  enum class Polled { nothing, batch };
  // Fills `into`, or fails; a failure that is about a partition names it in `where`.
  struct Where {
    std::string topic{};
    int32_t partition = -1;
  };
  Result<Polled> poll(Instant deadline, Batch& into, Where& where);

 private:
  // ClusterObserver, on the loop.
  void metadata_changed() override;
  void metadata_failed(const Error&) override;
  void node_up(int32_t node) override { step(Fetcher::Connected{node}); }
  void node_down(int32_t node, const Error&) override { step(Fetcher::Disconnected{node}); }

  // On the loop.
  void step(const Fetcher::Event&);
  void act(const std::vector<Fetcher::Wish>&);
  void send_fetch(int32_t node);
  void fetch_answered(int32_t node, Result<Answer>);
  awaitable<void> list_offsets(std::shared_ptr<Consumer> self, int32_t node);
  void topics_changed();
  void look_up_leaders();
  void plan();                                       // the timer, and the wait for memory

  // Any thread.
  void post(void (Consumer::*call)());
  void tick() { step(Fetcher::Tick{}); }
  void after_change();                               // with mutex_ held
  bool may_have_something() const;
  Result<Polled> read(Batch& into, Where& where);
  void read_slices(std::unique_lock<std::mutex>&, Batch& into);
  void read_ends(Batch& into);

  const std::shared_ptr<Driver> driver_;
  const std::shared_ptr<Cluster> cluster_;
  const size_t poll_records_max_;
  const Duration fetch_timeout_;
  const std::shared_ptr<FetchMemory> memory_;
  std::set<std::string> topics_;                     // wanted of the cluster; the loop's
  std::optional<Timer> timer_;                       // the loop's

  Bell bell_;                                        // something to poll, or closed
  mutable std::mutex mutex_;                         // for all below
  Fetcher fetcher_;
  Beacon beacon_;
  std::optional<Error> trouble_;                     // to be told by a poll that has nothing better
  bool in_trouble_ = false;                          // the cluster cannot be reached, and that was or will be told
  bool closed_ = false;
  bool tick_posted_ = false;

  std::mutex reading_;                               // for reader_; taken before mutex_
  SliceReader reader_;
};

}  // namespace kq::client
