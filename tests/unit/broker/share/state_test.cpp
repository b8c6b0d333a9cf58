// Deliveries laid over each other, and the share coordinator's states: requests, records, snapshots, what may be pruned.
#include <map>
#include <optional>
#include <random>

#include "broker/share/state_shard.hpp"
#include "tests/unit/cmocka.hpp"

namespace kq::share {
namespace {

constexpr auto available = RecordState::available, acknowledged = RecordState::acknowledged, archived = RecordState::archived;

void equal_neighbours_become_one(void**) {
  const StateBatches got = combine({{0, 4, acknowledged, 1}}, {{5, 9, acknowledged, 1}, {10, 10, available, 1}}, -1);
  assert_true((got == StateBatches{{0, 9, acknowledged, 1}, {10, 10, available, 1}}));
}

void the_more_often_delivered_holds_then_the_later_state(void**) {
  assert_true((combine({{0, 9, available, 2}}, {{3, 5, acknowledged, 1}}, -1) == StateBatches{{0, 9, available, 2}}));
  assert_true((combine({{0, 9, available, 1}}, {{3, 5, archived, 1}}, -1) ==
               StateBatches{{0, 2, available, 1}, {3, 5, archived, 1}, {6, 9, available, 1}}));
}

void what_lies_below_the_start_goes(void**) {
  assert_true((combine({{0, 9, available, 1}, {20, 29, archived, 1}}, {}, 5) ==
               StateBatches{{5, 9, available, 1}, {20, 29, archived, 1}}));
  assert_true(combine({{0, 9, available, 1}}, {}, 10).empty());
}

void any_order_of_laying_agrees_with_offsets_one_by_one(void**) {
  std::mt19937 random(7);
  for (int round = 0; round < 300; ++round) {
    std::map<int64_t, std::pair<int16_t, RecordState>> model;
    StateBatches known;
    for (int step = 0; step < 12; ++step) {
      const auto first = static_cast<int64_t>(random() % 40);
      const StateBatch batch{first, first + static_cast<int64_t>(random() % 8), random() % 2 ? available : acknowledged,
                             static_cast<int16_t>(random() % 4)};
      for (int64_t at = batch.first; at <= batch.last; ++at) {
        auto [there, is_new] = model.try_emplace(at, batch.delivery_count, batch.state);
        if (!is_new) there->second = std::max(there->second, std::pair{batch.delivery_count, batch.state});
      }
      const auto start = static_cast<int64_t>(step);
      model.erase(model.begin(), model.lower_bound(start));
      known = combine(known, {batch}, start);
    }
    size_t covered = 0;
    for (const StateBatch& batch : known)
      for (int64_t at = batch.first; at <= batch.last; ++at, ++covered)
        assert_true((model.at(at) == std::pair{batch.delivery_count, batch.state}));
    assert_int_equal(covered, model.size());
  }
}

// ---- The coordinator -------------------------------------------------------------------------------------------------------------

struct Written {
  std::vector<std::byte> key;
  std::optional<std::vector<std::byte>> value;
};

const Uuid topic_id = *Uuid::parse("AAAAAAAAAAAAAAAAAAAAIQ");

std::shared_ptr<const cluster::Image> image_with_topic() {
  auto topic = std::make_shared<cluster::TopicImage>();
  topic->name = "t";
  topic->id = topic_id;
  topic->partitions.resize(2);
  for (auto& partition : topic->partitions) partition.replicas = {1};
  auto image = std::make_shared<cluster::Image>();
  image->topics.put("t", topic);
  image->topics_by_id.put(topic_id, topic);
  return image;
}

struct Fixture {
  explicit Fixture(int32_t updates_per_snapshot = 3) : updates_per_snapshot(updates_per_snapshot) { begin(); }

  // As the runtime: what is written is replayed, and stands in the log.
  void begin() {
    shard = std::make_unique<StateShard>(StateShard::Settings{.updates_per_snapshot = updates_per_snapshot,
                                                              .prune = [this](int64_t below) { pruned_below = below; }});
    for (size_t i = 0; i < log.size(); ++i) replay(*shard, i);
    shard->loaded(now(), image);
  }
  void replay(StateShard& to, size_t index) const {
    coordinator::Record record{.key = log[index].key, .value = std::nullopt, .offset = static_cast<int64_t>(index)};
    if (log[index].value) record.value = *log[index].value;
    to.replay(record);
  }
  Now now() const { return {Instant{} + std::chrono::milliseconds(wall_ms), wall_ms}; }
  Code act(const std::function<Refusal(StateShard&, const Now&, Writes&)>& decide) {
    Writes writes;
    const Refusal refusal = decide(*shard, now(), writes);
    append(writes);
    return refusal.code;
  }
  void append(Writes& writes) {
    for (size_t i = 0; i < writes.size(); ++i) {
      const auto entry = writes.at(i);
      auto& written = log.emplace_back();
      written.key.assign(entry.key.begin(), entry.key.end());
      if (entry.value) written.value.emplace(entry.value->begin(), entry.value->end());
      replay(*shard, log.size() - 1);
    }
    writes.finish(Code::none);
  }
  void run_until(int64_t ms) {
    for (int round = 0; round < 100 && shard->deadline() && *shard->deadline() <= Instant{} + std::chrono::milliseconds(ms);
         ++round) {
      wall_ms =
          std::max(wall_ms, std::chrono::duration_cast<std::chrono::milliseconds>(shard->deadline()->time_since_epoch()).count());
      Writes writes;
      shard->tick(now(), writes);
      append(writes);
    }
    wall_ms = ms;
  }
  Code initialize(int32_t state_epoch = 0, int64_t start = 0) {
    return act([&](StateShard& s, const Now& at, Writes& w) { return s.initialize(at, key, state_epoch, start, w); });
  }
  Code write(StateShard::Write write) {
    return act([&](StateShard& s, const Now& at, Writes& w) { return s.write(at, key, write, w); });
  }
  Code read(int32_t leader_epoch, StateShard::State& state) {
    return act([&](StateShard& s, const Now& at, Writes& w) { return s.read(at, key, leader_epoch, state, w); });
  }
  uint32_t type_of(size_t index) const { return read_key_frame(log.at(index).key)->type; }

  const int32_t updates_per_snapshot;
  const Key key{"g", topic_id, 0};
  std::shared_ptr<const cluster::Image> image = image_with_topic();
  std::vector<Written> log;
  std::unique_ptr<StateShard> shard;
  int64_t wall_ms = 1000;
  int64_t pruned_below = -1;
};

void nothing_is_read_or_written_before_it_is_initialized(void**) {
  Fixture f;
  StateShard::State state;
  assert_true(f.write({.leader_epoch = 0, .batches = {{0, 1, acknowledged, 1}}}) == Code::invalid_request);
  assert_true(f.read(0, state) == Code::invalid_request);
  assert_true(f.log.empty());
  assert_true(f.shard->summary(f.key, state).code == Code::none);
  assert_int_equal(state.start_offset, -1);
}

void an_unknown_topic_is_refused(void**) {
  Fixture f;
  const Key other{"g", *Uuid::parse("AAAAAAAAAAAAAAAAAAAAIg"), 0}, beyond{"g", topic_id, 2}, below{"g", topic_id, -1};
  for (const Key& key : {other, beyond})
    assert_true(f.act([&](StateShard& s, const Now& at, Writes& w) { return s.initialize(at, key, 0, 0, w); }) ==
                Code::unknown_topic_or_partition);
  assert_true(f.act([&](StateShard& s, const Now& at, Writes& w) { return s.initialize(at, below, 0, 0, w); }) ==
              Code::invalid_request);
}

void older_leaders_and_states_are_fenced(void**) {
  Fixture f;
  assert_true(f.initialize(2, 10) == Code::none);
  StateShard::State state;
  assert_true(f.read(5, state) == Code::none);
  assert_int_equal(state.start_offset, 10);
  assert_true(f.write({.state_epoch = 2, .leader_epoch = 4, .batches = {}}) == Code::fenced_leader_epoch);
  assert_true(f.write({.state_epoch = 1, .leader_epoch = 5, .batches = {}}) == Code::fenced_state_epoch);
  assert_true(f.read(4, state) == Code::fenced_leader_epoch);
  assert_true(f.initialize(1, 0) == Code::fenced_state_epoch);
  assert_true(f.write({.state_epoch = 2, .leader_epoch = 5, .start_offset = 12, .batches = {}}) == Code::none);
  assert_int_equal(f.shard->find(f.key)->start_offset, 12);
}

void a_read_under_the_same_epoch_writes_nothing(void**) {
  Fixture f;
  f.initialize();
  StateShard::State state;
  f.read(3, state);
  const size_t records = f.log.size();
  f.read(3, state);
  assert_int_equal(f.log.size(), records);
}

void every_so_many_updates_there_is_a_snapshot(void**) {
  Fixture f(2);
  f.initialize();
  for (int64_t i = 0; i < 5; ++i)
    assert_true(f.write({.leader_epoch = 0, .start_offset = i, .batches = {{i, i, acknowledged, 1}}}) == Code::none);
  const uint32_t types[] = {0, 1, 1, 0, 1, 1};
  for (size_t i = 0; i < 6; ++i) assert_int_equal(f.type_of(i), types[i]);
  assert_int_equal(f.shard->find(f.key)->snapshot_epoch, 1);
  assert_int_equal(f.shard->redundant_below(), 3);
}

void what_is_removed_is_gone_and_may_be_pruned(void**) {
  Fixture f;
  f.initialize();
  f.write({.leader_epoch = 0, .batches = {{0, 0, archived, 1}}});
  assert_true(f.act([&](StateShard& s, const Now&, Writes& w) { return s.remove(f.key, w); }) == Code::none);
  assert_null(f.shard->find(f.key));
  f.run_until(1'000'000);
  assert_int_equal(f.pruned_below, 2);
}

void a_cold_state_holds_back_no_pruning(void**) {
  Fixture f;
  f.initialize();
  f.write({.leader_epoch = 0, .batches = {{0, 0, archived, 1}}});
  f.run_until(700'000);
  assert_int_equal(f.type_of(2), 0);
  assert_int_equal(f.pruned_below, 2);
  const size_t records = f.log.size();
  f.run_until(2'000'000);
  assert_int_equal(f.log.size(), records);  // once is enough
}

void a_deleted_topic_takes_its_states_along(void**) {
  Fixture f;
  f.initialize();
  cluster::Delta delta;
  delta.topics.push_back({f.image->topics_by_id.find(topic_id) ? *f.image->topics_by_id.find(topic_id) : nullptr, nullptr});
  f.image = std::make_shared<const cluster::Image>();
  f.shard->metadata_changed(f.now(), f.image, delta);
  f.run_until(f.wall_ms);
  assert_int_equal(f.shard->size(), 0);
}

void a_replay_of_the_log_makes_the_same_state(void**) {
  std::mt19937 random(11);
  for (int round = 0; round < 20; ++round) {
    Fixture f(1 + static_cast<int32_t>(random() % 4));
    f.initialize();
    int64_t start = 0;
    StateShard::State state;
    for (int step = 0; step < 60; ++step) {
      switch (random() % 8) {
        case 0: f.initialize(step, start); break;
        case 1: f.read(step, state); break;
        case 2: f.run_until(f.wall_ms + 200'000); break;
        default: {
          const int64_t first = start + static_cast<int64_t>(random() % 20);
          start += static_cast<int64_t>(random() % 3);
          f.write({.start_offset = random() % 3 ? start : -1,
                   .delivery_complete_count = step,
                   .batches = {{first, first + 3, random() % 2 ? available : acknowledged, static_cast<int16_t>(random() % 4)}}});
        }
      }
    }
    const StateShard::State before = *f.shard->find(f.key);
    const int64_t redundant_below = f.shard->redundant_below();
    f.begin();
    assert_true(*f.shard->find(f.key) == before);
    // Nor does what may be pruned matter.
    StateShard pruned({});
    for (auto i = static_cast<size_t>(redundant_below); i < f.log.size(); ++i) f.replay(pruned, i);
    assert_true(*pruned.find(f.key) == before);
  }
}

}  // namespace
}  // namespace kq::share

int main() {
  using namespace kq::share;
  const CMUnitTest tests[] = {
      cmocka_unit_test(equal_neighbours_become_one),
      cmocka_unit_test(the_more_often_delivered_holds_then_the_later_state),
      cmocka_unit_test(what_lies_below_the_start_goes),
      cmocka_unit_test(any_order_of_laying_agrees_with_offsets_one_by_one),
      cmocka_unit_test(nothing_is_read_or_written_before_it_is_initialized),
      cmocka_unit_test(an_unknown_topic_is_refused),
      cmocka_unit_test(older_leaders_and_states_are_fenced),
      cmocka_unit_test(a_read_under_the_same_epoch_writes_nothing),
      cmocka_unit_test(every_so_many_updates_there_is_a_snapshot),
      cmocka_unit_test(what_is_removed_is_gone_and_may_be_pruned),
      cmocka_unit_test(a_cold_state_holds_back_no_pruning),
      cmocka_unit_test(a_deleted_topic_takes_its_states_along),
      cmocka_unit_test(a_replay_of_the_log_makes_the_same_state),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
