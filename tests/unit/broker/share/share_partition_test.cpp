// A share partition: acquiring, acknowledging, locks, limits; at random against a model that knows offsets one by one.
#include "broker/share/share_partition.hpp"

#include <algorithm>
#include <random>

#include "tests/unit/cmocka.hpp"

namespace kq::share {
namespace {

constexpr auto available = RecordState::available, acquired = RecordState::acquired, acknowledged = RecordState::acknowledged,
               archived = RecordState::archived;
constexpr Duration lock = 30s;

Instant at(int64_t seconds) { return Instant{} + std::chrono::seconds(seconds); }

struct Fixture {
  explicit Fixture(SharePartition::Limits limits = {}, int64_t start = 0, StateBatches batches = {})
      : partition(limits, {.start_offset = start, .batches = std::move(batches)}, start, 0) {}

  std::vector<Acquired> acquire(const char* member, std::vector<OffsetRange> batches, int32_t max = 500, AcquireMode mode = {},
                                std::vector<OffsetRange> skipped = {}, int32_t batch_size = 500) {
    auto got = partition.acquire(
        {.member = member, .mode = mode, .batch_size = batch_size, .records_max = max, .lock_until = now + lock},
        {.offset = partition.next_fetch_offset(), .batches = batches, .skipped = skipped});
    partition.check();
    return got;
  }
  Code ack(const char* member, int64_t first, int64_t last, std::vector<int8_t> types, bool write = true) {
    const AckBatch batch{first, last, types};
    auto decision = partition.acknowledge(member, {&batch, 1}, now + lock);
    partition.check();
    if (decision.change && write) partition.written(decision.change->id, true);
    if (decision.change) change = *decision.change;
    partition.check();
    return decision.refusal.code;
  }
  RecordState state(int64_t offset) const { return partition.at(offset)->state; }

  SharePartition partition;
  Instant now = at(1);
  SharePartition::Change change;
};

constexpr int8_t gap = 0, accept = 1, release = 2, reject = 3, renew = 4;

void what_is_acquired_is_nobody_elses(void**) {
  Fixture f;
  assert_true((f.acquire("a", {{0, 9}}) == std::vector<Acquired>{{0, 9, 1}}));
  assert_int_equal(f.partition.next_fetch_offset(), 10);
  assert_true(f.acquire("b", {{0, 9}}).empty());
  assert_true(f.ack("b", 0, 9, {accept}) == Code::invalid_record_state);
  assert_true(f.ack("a", 0, 9, {accept}) == Code::none);
  assert_int_equal(f.partition.start(), 10);
  assert_int_equal(f.partition.ranges(), 0);
}

void what_is_released_comes_again_and_counts(void**) {
  Fixture f;
  f.acquire("a", {{0, 9}});
  assert_true(f.ack("a", 0, 9, {accept, accept, release, release, accept, accept, accept, accept, accept, reject}) == Code::none);
  assert_int_equal(f.partition.start(), 2);
  assert_int_equal(f.partition.next_fetch_offset(), 2);
  assert_true((f.acquire("b", {{0, 9}}) == std::vector<Acquired>{{2, 3, 2}}));
}

void a_record_is_delivered_so_often_and_no_more(void**) {
  Fixture f({.delivery_count_max = 3});
  for (int i = 1; i <= 3; ++i) {
    assert_true((f.acquire("a", {{0, 0}}) == std::vector<Acquired>{{0, 0, static_cast<int16_t>(i)}}));
    assert_true(f.ack("a", 0, 0, {release}) == Code::none);
  }
  assert_true(f.change.write.batches.at(0).state == archived);
  assert_int_equal(f.partition.start(), 1);
}

void what_is_delivered_often_comes_in_smaller_pieces(void**) {
  Fixture f;  // five times at most
  const std::vector<std::vector<Acquired>> turns{{{0, 7, 1}}, {{0, 7, 2}}, {{0, 7, 3}}, {{0, 3, 4}}, {{0, 0, 5}}};
  for (const auto& turn : turns) {
    assert_true(f.acquire("a", {{0, 7}}) == turn);
    f.ack("a", turn[0].first, turn[0].last, {release});
  }
  assert_true((f.acquire("a", {{0, 7}}) == std::vector<Acquired>{{1, 1, 5}}));
}

void a_lock_that_ends_frees_its_records(void**) {
  Fixture f;
  f.acquire("a", {{0, 4}});
  assert_true(*f.partition.deadline() == f.now + lock);
  assert_false(f.partition.tick(f.now + lock - 1ms).has_value());
  const auto change = f.partition.tick(f.now + lock);
  f.partition.check();
  assert_true((change->write.batches == StateBatches{{0, 4, available, 1}}));
  assert_false(f.partition.deadline().has_value());
  assert_true(f.ack("a", 0, 4, {accept}) == Code::invalid_record_state);
  assert_true((f.acquire("b", {{0, 4}}) == std::vector<Acquired>{{0, 4, 2}}));
}

void a_renewed_lock_ends_later(void**) {
  Fixture f;
  f.acquire("a", {{0, 4}});
  f.now += 20s;
  assert_true(f.ack("a", 0, 1, {renew}) == Code::none);
  assert_true((f.partition.tick(at(1) + lock)->write.batches == StateBatches{{2, 4, available, 1}}));
  assert_true(f.state(0) == acquired);
  assert_true(f.ack("a", 0, 1, {accept}) == Code::none);
}

void a_change_that_is_not_written_did_not_happen(void**) {
  Fixture f;
  f.acquire("a", {{0, 4}});
  assert_true(f.ack("a", 0, 4, {accept}, false) == Code::none);
  assert_true(f.ack("a", 0, 4, {accept}) == Code::invalid_record_state);  // on its way
  assert_int_equal(f.partition.start(), 0);
  f.partition.written(f.change.id, false);
  f.partition.check();
  assert_true(f.state(0) == acquired);
  assert_true(f.ack("a", 0, 4, {accept}) == Code::none);
  assert_int_equal(f.partition.start(), 5);
}

void a_member_that_leaves_frees_what_it_holds(void**) {
  Fixture f;
  f.acquire("a", {{0, 4}});
  f.acquire("b", {{5, 9}});
  const auto decision = f.partition.release("a");
  f.partition.written(decision.change->id, true);
  f.partition.check();
  assert_int_equal(f.partition.next_fetch_offset(), 0);
  assert_true(f.state(5) == acquired);
}

void acknowledgements_of_what_is_not_there_are_refused(void**) {
  Fixture f;
  assert_true(f.ack("a", 0, 4, {accept}) == Code::invalid_record_state);
  f.acquire("a", {{0, 4}});
  assert_true(f.ack("a", 5, 6, {accept}) == Code::invalid_request);
  assert_true(f.ack("a", 3, 6, {accept}) == Code::invalid_request);
  assert_true(f.ack("a", 0, 4, {accept, accept}) == Code::invalid_request);
  assert_true(f.ack("a", 0, 4, {7}) == Code::invalid_request);
  assert_true(f.ack("a", 0, 4, {}) == Code::invalid_request);
  assert_true(f.ack("a", 4, 0, {accept}) == Code::invalid_request);
  assert_true(f.state(0) == acquired);
}

void no_more_are_in_flight_than_the_limit(void**) {
  Fixture f({.in_flight_max = 10});
  assert_true((f.acquire("a", {{0, 5}}) == std::vector<Acquired>{{0, 5, 1}}));
  assert_true((f.acquire("a", {{6, 11}, {12, 15}}) == std::vector<Acquired>{{6, 11, 1}}));  // whole batches
  assert_false(f.partition.can_acquire());
  assert_true(f.acquire("a", {{12, 15}}).empty());
  assert_true(f.ack("a", 6, 11, {release}) == Code::none);
  assert_true(f.partition.can_acquire());
  assert_true((f.acquire("b", {{6, 11}, {12, 15}}) == std::vector<Acquired>{{6, 11, 2}}));
}

void record_limit_is_exact_and_the_other_mode_takes_whole_batches(void**) {
  Fixture f;
  assert_true((f.acquire("a", {{0, 9}, {10, 19}}, 3, AcquireMode::record_limit) == std::vector<Acquired>{{0, 2, 1}}));
  assert_true((f.acquire("a", {{0, 9}, {10, 19}}, 3) == std::vector<Acquired>{{3, 9, 1}}));
}

void acquired_records_are_told_in_batches_of_a_size(void**) {
  Fixture f;
  assert_true(
      (f.acquire("a", {{0, 3}, {4, 6}, {7, 9}, {10, 12}}, 500, {}, {}, 5) == std::vector<Acquired>{{0, 6, 1}, {7, 12, 1}}));
}

void compacted_offsets_are_done(void**) {
  Fixture f;
  assert_true((f.acquire("a", {{5, 9}}) == std::vector<Acquired>{{5, 9, 1}}));
  assert_int_equal(f.partition.start(), 5);
  f.ack("a", 5, 9, {release});
  assert_true((f.acquire("a", {{8, 9}, {12, 13}}) == std::vector<Acquired>{{8, 9, 2}, {12, 13, 1}}));
  assert_int_equal(f.partition.start(), 8);
}

void aborted_records_are_seen_by_nobody(void**) {
  Fixture f;
  assert_true((f.acquire("a", {{0, 4}, {5, 9}, {10, 10}, {11, 14}}, 500, {}, {{5, 10}}) ==
               std::vector<Acquired>{{0, 4, 1}, {11, 14, 1}}));
  assert_true(f.state(5) == archived && f.state(10) == archived);
  Fixture g;
  assert_true(g.acquire("a", {{0, 4}, {5, 5}}, 500, {}, {{0, 5}}).empty());
  assert_int_equal(g.partition.start(), 6);
}

void the_coordinators_state_is_taken_up(void**) {
  Fixture f({}, 10, {{10, 11, acknowledged, 1}, {13, 14, archived, 2}, {15, 16, available, 3}});
  assert_int_equal(f.partition.start(), 12);
  assert_int_equal(f.partition.end(), 16);
  assert_int_equal(f.partition.next_fetch_offset(), 12);
  assert_int_equal(f.partition.delivery_complete_count(), 2);
  assert_true((f.acquire("a", {{10, 16}, {17, 19}}) == std::vector<Acquired>{{12, 12, 1}}));  // and the often delivered alone
  assert_true((f.acquire("a", {{10, 16}, {17, 19}}) == std::vector<Acquired>{{15, 15, 4}}));
}

void the_logs_start_takes_what_is_below(void**) {
  Fixture f;
  f.acquire("a", {{0, 9}});
  f.partition.log_starts_at(4);
  f.partition.check();
  assert_true(f.ack("a", 0, 9, {accept}) == Code::none);
  f.partition.log_starts_at(100);
  f.partition.check();
  assert_int_equal(f.partition.next_fetch_offset(), 100);
}

// ---- At random -------------------------------------------------------------------------------------------------------------------

struct Model {
  struct One {
    RecordState state = available;
    int delivery_count = 0;
    std::string member;
    Instant lock_until{};
  };
  std::vector<One> log;  // by offset
};

struct Random {
  explicit Random(unsigned seed) : random(seed), partition(limits, {}, 0, 0) {}

  int below(int n) { return static_cast<int>(random() % static_cast<unsigned>(n)); }
  std::string member() { return std::string(1, static_cast<char>('a' + below(3))); }
  int64_t size() const { return static_cast<int64_t>(model.log.size()); }

  void acquire() {
    std::vector<OffsetRange> batches;
    const int64_t offset = partition.next_fetch_offset();
    for (int64_t first = offset / 4 * 4; first < offset + 24; first += 4) batches.push_back({first, first + 3});
    const int max = 1 + below(20);
    const auto mode = static_cast<AcquireMode>(below(2));
    const std::string who = member();
    const auto got = partition.acquire(
        {.member = who, .mode = mode, .batch_size = 1 + below(10), .records_max = max, .lock_until = now + lock},
        {.offset = offset, .batches = batches, .skipped = {}});
    int64_t count = 0;
    for (const Acquired& a : got)
      for (int64_t o = a.first; o <= a.last; ++o, ++count) {
        if (o >= size()) model.log.resize(static_cast<size_t>(o) + 1);
        auto& one = model.log[static_cast<size_t>(o)];
        assert_true(one.state == available);
        assert_int_equal(++one.delivery_count, a.delivery_count);
        assert_true(one.delivery_count <= limits.delivery_count_max);
        one = {acquired, one.delivery_count, who, now + lock};
      }
    if (mode == AcquireMode::record_limit) assert_true(count <= max);
  }
  void acknowledge() {
    if (partition.end() < partition.start()) return;
    const std::string who = member();
    const int64_t first = partition.start() + below(static_cast<int>(partition.end() - partition.start() + 3)) - 1;
    const int64_t last = first + below(8);
    std::vector<int8_t> types(below(2) ? 1 : static_cast<size_t>(last - first + 1));
    for (auto& type : types) type = static_cast<int8_t>(below(5));
    const AckBatch batch{first, last, types};
    bool fine = last <= partition.end();
    for (int64_t o = std::max(first, partition.start()); fine && o <= last; ++o) {
      const auto& one = model.log[static_cast<size_t>(o)];
      fine = one.state == acquired && one.member == who;
    }
    if (last < partition.start()) fine = true;
    const auto decision = partition.acknowledge(who, {&batch, 1}, now + lock);
    assert_int_equal(decision.refusal.code == Code::none, fine);
    if (!fine) return;
    const bool done = !decision.change || below(4) != 0;
    if (decision.change) end(*decision.change, done);
    for (int64_t o = std::max(first, first_before); o <= last; ++o) {
      auto& one = model.log[static_cast<size_t>(o)];
      const int8_t type = types.size() == 1 ? types[0] : types[static_cast<size_t>(o - first)];
      if (type == renew)
        one.lock_until = now + lock;
      else if (done)
        settle(one, type == release ? available : type == accept ? acknowledged : archived);
    }
  }
  void settle(Model::One& one, RecordState state) {
    one.member.clear();
    one.state = state == available && one.delivery_count >= limits.delivery_count_max ? archived : state;
  }
  void end(const SharePartition::Change& change, bool done) {
    if (done) persist(change);
    partition.check();
    partition.written(change.id, done);
  }
  void persist(const SharePartition::Change& change) {
    persisted.start_offset = change.write.start_offset;
    persisted.batches = combine(persisted.batches, change.write.batches, persisted.start_offset);
  }
  void leave() {
    const std::string who = member();
    const auto decision = partition.release(who);
    if (!decision.change) return;
    const bool done = below(4) != 0;
    end(*decision.change, done);
    for (auto& one : model.log)
      if (done && one.member == who) settle(one, available);
  }
  void pass() {
    now += std::chrono::seconds(below(20));
    if (const auto change = partition.tick(now)) persist(*change);
    for (auto& one : model.log)
      if (one.state == acquired && one.lock_until <= now) settle(one, available);
  }
  void compare() const {
    partition.check();
    for (int64_t o = 0; o < size(); ++o) {
      const auto& one = model.log[static_cast<size_t>(o)];
      const auto* range = partition.at(o);
      if (o < partition.start()) {
        assert_true(is_final(one.state));
        continue;
      }
      assert_true(range->state == one.state);
      if (!is_final(one.state)) assert_int_equal(range->delivery_count, one.delivery_count);
    }
  }
  // Another leader: what was done is done, what was acquired is free.
  void compare_with_persisted() const {
    const SharePartition next(limits, persisted, std::max<int64_t>(persisted.start_offset, 0), 1);
    next.check();
    for (int64_t o = 0; o < size(); ++o) {
      const auto& one = model.log[static_cast<size_t>(o)];
      const auto* range = next.at(o);
      if (is_final(one.state))
        assert_true(o < next.start() || is_final(range->state));
      else
        assert_true(!range || range->state == available);
    }
  }

  std::mt19937 random;
  const SharePartition::Limits limits{.delivery_count_max = 4, .in_flight_max = 40};
  SharePartition partition;
  Model model;
  StateShard::State persisted;
  Instant now = at(1);
  int64_t first_before = 0;
};

void random_histories_agree_with_a_model(void**) {
  for (unsigned seed = 0; seed < 60; ++seed) {
    Random r(seed);
    for (int step = 0; step < 250; ++step) {
      r.first_before = r.partition.start();
      switch (r.below(8)) {
        case 0: r.pass(); break;
        case 1: r.leave(); break;
        case 2:
        case 3: r.acquire(); break;
        default: r.acknowledge();
      }
      r.compare();
    }
    r.compare_with_persisted();
  }
}

}  // namespace
}  // namespace kq::share

int main() {
  using namespace kq::share;
  (void)gap, (void)reject;
  const CMUnitTest tests[] = {
      cmocka_unit_test(what_is_acquired_is_nobody_elses),
      cmocka_unit_test(what_is_released_comes_again_and_counts),
      cmocka_unit_test(a_record_is_delivered_so_often_and_no_more),
      cmocka_unit_test(what_is_delivered_often_comes_in_smaller_pieces),
      cmocka_unit_test(a_lock_that_ends_frees_its_records),
      cmocka_unit_test(a_renewed_lock_ends_later),
      cmocka_unit_test(a_change_that_is_not_written_did_not_happen),
      cmocka_unit_test(a_member_that_leaves_frees_what_it_holds),
      cmocka_unit_test(acknowledgements_of_what_is_not_there_are_refused),
      cmocka_unit_test(no_more_are_in_flight_than_the_limit),
      cmocka_unit_test(record_limit_is_exact_and_the_other_mode_takes_whole_batches),
      cmocka_unit_test(acquired_records_are_told_in_batches_of_a_size),
      cmocka_unit_test(compacted_offsets_are_done),
      cmocka_unit_test(aborted_records_are_seen_by_nobody),
      cmocka_unit_test(the_coordinators_state_is_taken_up),
      cmocka_unit_test(the_logs_start_takes_what_is_below),
      cmocka_unit_test(random_histories_agree_with_a_model),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
