// A shard of groups with a log in memory and a clock of its own: what the coordinators' runtime does, without it.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "broker/group/group_shard.hpp"

namespace kq::group {

struct Driver {
  explicit Driver(GroupConfig its_config = {}) : config(std::move(its_config)), shard(fresh()) { shard->loaded(now, image); }

  std::unique_ptr<GroupShard> fresh() {
    return std::make_unique<GroupShard>(config, [this] { return std::to_string(++ids); });
  }

  // Decide, append, replay; with `refuse` set the append fails with that code.
  template <class Decide>
  Code run(const Decide& decide) {
    Writes writes;
    decide(writes);
    const Code code = writes.empty() ? Code::none : refuse;
    for (size_t i = 0; code == Code::none && i < writes.size(); ++i) {
      const auto entry = writes.at(i);
      Logged record{.key = copy(entry.key), .value = std::nullopt, .producer_id = writes.producer_id()};
      if (entry.value) record.value = copy(*entry.value);
      log.push_back(std::move(record));
      replay(*shard, log.size() - 1);
    }
    writes.finish(code);
    return code;
  }
  void advance(Duration by) {
    const Instant end = now.instant + by;
    for (;;) {
      const auto due = shard->deadline();
      if (!due || *due > end) break;
      move_to(std::max(*due, now.instant));
      run([&](Writes& writes) { shard->tick(now, writes); });
    }
    move_to(end);
  }
  void end_transaction(int64_t producer_id, bool commit) {
    log.push_back({.key = {}, .value = std::nullopt, .producer_id = producer_id, .marker = commit ? 1 : 0});
    replay(*shard, log.size() - 1);
  }
  // Another broker, or this one after a restart.
  std::unique_ptr<GroupShard> restarted() {
    auto other = fresh();
    for (size_t i = 0; i < log.size(); ++i) replay(*other, i);
    other->loaded(now, image);
    return other;
  }
  void restart() { shard = restarted(); }

  struct Logged {
    std::vector<std::byte> key;
    std::optional<std::vector<std::byte>> value;
    int64_t producer_id = -1;
    int marker = -1;
  };

  GroupConfig config;
  Now now{Instant{} + 1h, 1'700'000'000'000};
  int ids = 0;
  std::shared_ptr<const cluster::Image> image = std::make_shared<const cluster::Image>();
  std::vector<Logged> log;
  Code refuse = Code::none;
  std::unique_ptr<GroupShard> shard;

 private:
  static std::vector<std::byte> copy(Bytes bytes) { return {bytes.begin(), bytes.end()}; }
  void move_to(Instant to) {
    now.wall_ms += to_ms(to - now.instant);
    now.instant = to;
  }
  void replay(GroupShard& to, size_t at) const {
    const Logged& record = log[at];
    if (record.marker >= 0) return to.end_transaction({record.producer_id, 0, record.marker == 1});
    coordinator::Record seen{.key = record.key,
                             .value = std::nullopt,
                             .offset = static_cast<int64_t>(at),
                             .producer_id = record.producer_id,
                             .producer_epoch = 0};
    if (record.value) seen.value = Bytes{*record.value};
    to.replay(seen);
  }
};

}  // namespace kq::group
