// Applications in the simulator that are members of a share group (KIP-932), and what they were handed.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "tests/sim/world.hpp"

namespace kq::sim {

// One topic's records, of one share group.  An exception tells of the first thing that may not be.
//
// What a member was told is acknowledged for good is never acquired again, whatever breaks.  (Who fetched it before, and was slow, may still
// hand it out: under an earlier delivery's count.)  Where nothing breaks (`calm`) nobody is handed what another one holds.
class ShareHistory {
 public:
  ShareHistory(World& world, int32_t partitions, bool calm) : world_(world), calm_(calm), lanes_(static_cast<size_t>(partitions)) {}

  void handed_out(const std::string& member, int32_t partition, int64_t offset, int16_t delivery_count);
  void released(int32_t partition, int64_t offset) { at(partition, offset).holder.clear(); }
  // That it was accepted, or rejected, as it was delivered for this time.
  void told(int32_t partition, int64_t offset, int16_t delivery_count);
  void gone(const std::string& member);           // killed, or it has left

  size_t handed_out(int32_t partition) const;     // how many records at least once
  size_t handed_out_again() const { return again_; }

 private:
  struct Entry {
    std::string holder;                           // empty: nobody, as far as members know
    bool handed_out = false;
    int16_t told_count = 0;                       // 0: nobody was told
  };

  [[noreturn]] void fail(int32_t partition, int64_t offset, const std::string& what) const;
  Entry& at(int32_t partition, int64_t offset);

  World& world_;
  const bool calm_;
  std::vector<std::vector<Entry>> lanes_;
  size_t again_ = 0;
};

struct SharerOptions {
  std::string name;
  std::vector<client::Setting> settings;
  uint64_t release_one_in = 0, reject_one_in = 0; // of the records; 0: never
};

// One process of a share group.  turn() is what an application does between two waits; nothing in it waits.
class Sharer {
 public:
  Sharer(World&, ShareHistory&, SharerOptions);
  ~Sharer();
  Sharer(const Sharer&) = delete;

  void turn();
  void leave();                                   // begins to; it turns on until gone()
  bool leaving() const { return ending_ != nullptr; }
  bool gone() const { return !process_; }
  void stop_polling(Duration time) { idle_until_ = Clock::now() + time; }
  const std::string& name() const { return options_.name; }

 private:
  // A call that goes on in the loop; the coroutine shares it.
  struct Call {
    std::vector<client::ShareOutcome> outcomes{};
    std::optional<Result<bool>> outcome{};
  };
  static awaitable<void> run_commit(std::shared_ptr<client::ShareConsumer>, std::shared_ptr<Call>);
  static awaitable<void> run_end(std::shared_ptr<client::ShareConsumer>, std::shared_ptr<Call>);

  void poll();
  void take(const client::Batch&);
  void work_on(const client::Batch&, size_t row);
  void told(int32_t partition, int64_t offset, const std::optional<Error>&);
  void commit();
  void die();

  World& world_;
  ShareHistory& history_;
  const SharerOptions options_;
  std::unique_ptr<ShareProcess> process_;
  std::shared_ptr<Call> committing_, ending_;
  using Place = std::pair<int32_t, int64_t>;
  std::map<Place, int16_t> held_;                 // by delivery count
  std::set<Place> released_;                      // and not told yet what became of that
  Instant idle_until_ = Instant::min();
  uint64_t tags_ = 0;
};

}  // namespace kq::sim
