// The coordinators' runtime over a whole broker in memory, with a state machine that remembers offsets.
#include "broker/coordinator/runtime.hpp"

#include <map>

#include "broker/coordinator/shard.hpp"
#include "libkq/protocol/messages/delete_topics.hpp"
#include "libkq/protocol/messages/find_coordinator.hpp"
#include "libkq/protocol/messages/group_records.hpp"
#include "tests/unit/broker/bed.hpp"
#include "tests/unit/cmocka.hpp"

namespace {

using namespace kq;
using namespace kq::broker;
using namespace kq::coordinator;

// What every machine of the test has been told.
struct Told {
  int loaded = 0, unloaded = 0, ticks = 0;
};

struct Offsets : StateMachine {
  explicit Offsets(Told& told) : told(told) {}

  void replay(const Record& record) override {
    const auto key = decode<OffsetCommitKey>(read_key_frame(record.key)->message, 0);
    auto& place = record.transactional() ? pending[record.producer_id] : offsets;
    if (!record.value) return void(place.erase(std::string(key->group)));
    const auto frame = read_value_frame(*record.value, OffsetCommitKey::type);
    place[std::string(key->group)] = decode<OffsetCommitValue>(frame->message, frame->version)->offset;
  }
  void end_transaction(const TransactionEnd& end) override {
    for (const auto& [group, offset] : pending[end.producer_id])
      if (end.commit) offsets[group] = offset;
    pending.erase(end.producer_id);
  }
  void loaded(const Now&, std::shared_ptr<const cluster::Image>) override { ++told.loaded; }
  void unloaded() override {
    ++told.unloaded;
    if (waiting) waiting(-1);
  }
  std::optional<Instant> deadline() const override { return due; }
  void tick(const Now&, Writes& writes) override {
    ++told.ticks;
    commit("tick", told.ticks, writes);
    writes.then([this](Code code) {
      if (code == Code::none) due.reset();
    });
  }

  void commit(std::string_view group, int64_t offset, Writes& writes) {
    OffsetCommitKey key;
    key.group = group;
    key.topic = "t";
    OffsetCommitValue value;
    value.offset = offset;
    writes.put(key, value, 3);
  }

  Told& told;
  std::map<std::string, int64_t> offsets;
  std::map<int64_t, std::map<std::string, int64_t>> pending;
  std::optional<Instant> due;
  Resolve<int> waiting;
};

using Runs = Coordinator<Offsets>;

awaitable<void> run(Runs& runs, Loop& loop, std::string key, std::function<void(Offsets&, const Now&, Writes&)> decide,
                    std::optional<Code>& code) {
  code = co_await runs.run(loop, key, decide);
}
awaitable<void> mark(Runs& runs, Loop& loop, int32_t index, TransactionMarker marker, std::optional<Code>& code) {
  const log::AppendOptions options{.origin = log::AppendOrigin::coordinator};
  code = co_await runs.end_transaction(loop, index, marker, options);
}

struct Fixture {
  explicit Fixture(Settings settings = {}) : bed(std::move(settings)) {
    bed.create_topic("state", 2);
    begin();
  }
  ~Fixture() { end(); }

  void begin() {
    runs = std::make_unique<Runs>(Runtime::Options{.topic = "state",
                                                   .own_id = bed.broker->config.node_id,
                                                   .make = [this](int32_t) { return std::make_unique<Offsets>(told); },
                                                   .partitions = *bed.broker->partitions,
                                                   .io = bed.io,
                                                   .timer_loop = *bed.loop,
                                                   .log = bed.log});
    runs->metadata_changed(bed.broker->image(), nullptr);
  }
  void end() {
    if (runs) runs->stop();
    runs.reset();
  }

  Code act(const std::string& key, std::function<void(Offsets&, const Now&, Writes&)> decide) {
    std::optional<Code> code;
    bed.loop->spawn(run(*runs, *bed.loop, key, std::move(decide), code));
    for (int i = 0; i < 1000 && !code; ++i) bed.run_for(10ms);
    return code.value();
  }
  Code commit(const std::string& group, int64_t offset) {
    return act(group, [&](Offsets& offsets, const Now&, Writes& writes) { offsets.commit(group, offset, writes); });
  }
  int64_t offset(const std::string& group) {
    int64_t found = -1;
    assert_true(act(group, [&](Offsets& offsets, const Now&, Writes&) {
                  if (offsets.offsets.contains(group)) found = offsets.offsets.at(group);
                }) == Code::none);
    return found;
  }
  Code end_transaction(const std::string& key, bool commit) {
    std::optional<Code> code;
    bed.loop->spawn(
        mark(*runs, *bed.loop, runs->partition_of(key), {.commit = commit, .producer_id = 9, .producer_epoch = 0}, code));
    for (int i = 0; i < 1000 && !code; ++i) bed.run_for(10ms);
    return code.value();
  }

  Bed bed;
  Told told;
  std::unique_ptr<Runs> runs;
};

void what_was_written_is_there_again_after_a_restart(void**) {
  Fixture f;
  assert_true(f.commit("a", 1) == Code::none);
  assert_true(f.commit("b", 2) == Code::none);
  assert_true(f.commit("a", 3) == Code::none);
  f.end();
  assert_true(f.bed.stop(false).ok());
  f.bed.start();
  f.begin();
  assert_int_equal(f.offset("a"), 3);
  assert_int_equal(f.offset("b"), 2);
}

void a_key_that_nobody_coordinates_is_refused(void**) {
  Fixture f;
  DeleteTopicsRequest request;
  request.topics.emplace_back().name = "state";
  f.bed.connect()->ask(request);
  f.runs->metadata_changed(f.bed.broker->image(), nullptr);
  assert_true(f.commit("a", 1) == Code::coordinator_not_available);
  assert_int_equal(f.told.unloaded, 2);
}

void a_batch_that_is_too_large_leaves_the_state_as_it_was(void**) {
  Fixture f;
  Code then = Code::none;
  const Code code = f.act("a", [&](Offsets& offsets, const Now&, Writes& writes) {
    for (int i = 0; i < 100; ++i) offsets.commit(std::string(30000, 'x'), i, writes);
    writes.then([&](Code result) { then = result; });
  });
  assert_true(code == Code::unknown_server_error);
  assert_true(then != Code::none);
  assert_int_equal(f.offset("a"), -1);
}

void what_may_be_split_is_written_in_several_batches(void**) {
  Fixture f;
  const Code code = f.act("a", [&](Offsets& offsets, const Now&, Writes& writes) {
    for (int i = 0; i < 100; ++i) offsets.commit(std::string(30000, 'x') + std::to_string(i), i, writes);
    offsets.commit("a", 5, writes);
    writes.may_be_split();
  });
  assert_true(code == Code::none);
  assert_int_equal(f.offset("a"), 5);
}

void a_transaction_is_seen_with_its_marker(void**) {
  Fixture f;
  const auto commit = [&](int64_t offset) {
    return f.act("a", [&, offset](Offsets& offsets, const Now&, Writes& writes) {
      offsets.commit("a", offset, writes);
      writes.in_transaction(9, 0);
    });
  };
  assert_true(commit(7) == Code::none);
  assert_int_equal(f.offset("a"), -1);
  assert_true(f.end_transaction("a", true) == Code::none);
  assert_int_equal(f.offset("a"), 7);
  assert_true(commit(8) == Code::none);
  assert_true(f.end_transaction("a", false) == Code::none);
  f.end();
  f.begin();
  assert_int_equal(f.offset("a"), 7);
}

void a_timer_writes_like_a_request(void**) {
  Fixture f;
  assert_true(f.act("a", [&](Offsets& offsets, const Now& now, Writes&) { offsets.due = now.instant + 5s; }) == Code::none);
  f.bed.run_for(4s);
  assert_int_equal(f.told.ticks, 0);
  f.bed.run_for(2s);
  assert_int_equal(f.told.ticks, 1);
  f.bed.run_for(10s);
  assert_int_equal(f.told.ticks, 1);
}

void an_answer_waits_for_the_sync_where_that_is_the_promise(void**) {
  Fixture f(Settings{{"log.flush.acks", "all"}});
  assert_true(f.commit("a", 1) == Code::none);
  assert_int_equal(f.offset("a"), 1);
}

void a_coordinator_that_kqd_lacks_is_not_found(void**) {
  Fixture f;
  FindCoordinatorRequest request;
  request.key_type = 9;
  request.coordinator_keys = {"g"};
  const auto answer = f.bed.connect()->ask(request);
  assert_true(answer.body.coordinators.at(0).error_code == Code::invalid_request);
  assert_int_equal(answer.body.coordinators.at(0).node_id, -1);
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {
      cmocka_unit_test(what_was_written_is_there_again_after_a_restart),
      cmocka_unit_test(a_key_that_nobody_coordinates_is_refused),
      cmocka_unit_test(a_batch_that_is_too_large_leaves_the_state_as_it_was),
      cmocka_unit_test(what_may_be_split_is_written_in_several_batches),
      cmocka_unit_test(a_transaction_is_seen_with_its_marker),
      cmocka_unit_test(a_timer_writes_like_a_request),
      cmocka_unit_test(an_answer_waits_for_the_sync_where_that_is_the_promise),
      cmocka_unit_test(a_coordinator_that_kqd_lacks_is_not_found),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
