// Decisions about transactions, without a broker: who is fenced, what follows what, and that the log alone gives the same state.
#include "broker/txn/coordinator.hpp"

#include "libkq/base/random.hpp"
#include "tests/unit/broker/txn/log.hpp"
#include "tests/unit/cmocka.hpp"

using namespace kq;
using namespace kq::txn;

namespace {

const Partitions t0{{"t", {0}}}, t1{{"t", {1}}}, both{{"t", {0, 1}}};

void a_new_id_gets_a_producer_and_every_call_the_next_epoch(void**) {
  StateLog log;
  const auto first = log.init("a");
  assert_int_equal(first.producer.id, 1000);
  assert_int_equal(first.producer.epoch, 0);
  assert_string_equal(log.state("a").c_str(), "Empty");
  const auto second = log.init("a");
  assert_int_equal(second.producer.id, 1000);
  assert_int_equal(second.producer.epoch, 1);
  assert_int_equal(log.init("b").producer.id, 1001);
}

void a_timeout_beyond_the_limit_is_refused(void**) {
  StateLog log;
  assert_true(log.init("a", {}, 900'001).code == Code::invalid_transaction_timeout);
  assert_true(log.init("a", {}, 0).code == Code::invalid_transaction_timeout);
  assert_true(log.init("a", {}, 900'000).code == Code::none);
}

void a_commit_goes_through_prepare_and_raises_the_epoch(void**) {
  StateLog log;
  const auto producer = log.init("a").producer;
  assert_true(log.add("a", producer, t0) == Code::none);
  assert_true(log.add("a", producer, t1) == Code::none);
  const size_t before = log.entries.size();
  assert_true(log.add("a", producer, both) == Code::none);
  assert_int_equal(log.entries.size(), before);  // they are in it
  const auto answer = log.end("a", producer, true);
  assert_true(answer.code == Code::none && answer.end.has_value());
  assert_int_equal(answer.producer.epoch, 1);
  assert_int_equal(answer.end->producer.epoch, 1);
  assert_true(answer.end->partitions == both && answer.end->commit && answer.end->transactions_v2);
  assert_string_equal(log.state("a").c_str(), "PrepareCommit");
  assert_true(log.add("a", answer.producer, t0) == Code::concurrent_transactions);
  assert_true(log.init("a").code == Code::concurrent_transactions);
  log.complete(*answer.end);
  assert_string_equal(log.state("a").c_str(), "CompleteCommit");
  assert_true(log.held("a").partitions.empty());
  assert_true(log.add("a", producer, t0) == Code::producer_fenced);
  assert_true(log.add("a", answer.producer, t0) == Code::none);
}

void an_end_of_version_2_that_comes_again_is_answered_alike(void**) {
  StateLog log;
  const auto producer = log.init("a").producer;
  log.add("a", producer, t0);
  const auto first = log.end("a", producer, true);
  assert_true(log.end("a", producer, true).code == Code::concurrent_transactions);
  assert_true(log.end("a", producer, false).code == Code::invalid_txn_state);
  log.complete(*first.end);
  const auto again = log.end("a", producer, true);
  assert_true(again.code == Code::none && !again.end);
  assert_int_equal(again.producer.epoch, 1);
  assert_true(log.end("a", producer, false).code == Code::invalid_txn_state);
  assert_true(log.end("a", first.producer, true).code == Code::invalid_txn_state);  // nothing was begun
  assert_true(log.end("a", {producer.id, 7}, true).code == Code::producer_fenced);
  assert_true(log.end("a", {producer.id + 1, 1}, true).code == Code::invalid_producer_id_mapping);
}

void version_2_aborts_without_a_partition_and_raises_the_epoch(void**) {
  StateLog log;
  const auto producer = log.init("a").producer;
  assert_true(log.end("a", producer, true).code == Code::invalid_txn_state);
  const auto aborted = log.end("a", producer, false);
  assert_true(aborted.code == Code::none && aborted.end && aborted.end->partitions.empty());
  assert_int_equal(aborted.producer.epoch, 1);
  log.complete(*aborted.end);
  const auto again = log.end("a", aborted.producer, false);
  assert_int_equal(again.producer.epoch, 2);
}

void version_1_keeps_the_epoch(void**) {
  StateLog log;
  const auto producer = log.init("a").producer;
  log.add("a", producer, t0, 0);
  const auto first = log.end("a", producer, true, 0);
  assert_int_equal(first.end->producer.epoch, 0);
  assert_false(first.end->transactions_v2);
  assert_true(log.end("a", producer, true, 0).code == Code::concurrent_transactions);
  log.complete(*first.end);
  assert_true(log.end("a", producer, true, 0).code == Code::none);
  assert_true(log.end("a", producer, false, 0).code == Code::invalid_txn_state);
  assert_true(log.add("a", producer, t1, 0) == Code::none);
  assert_true(log.end("a", producer, false, 0).code == Code::none);
}

void a_second_producer_aborts_what_the_first_left_open(void**) {
  for (const int16_t server_version : {0, 1, 2}) {
    StateLog log(server_version);
    const auto zombie = log.init("a").producer;
    log.add("a", zombie, t0, 0);
    const auto meeting = log.init("a");
    assert_true(meeting.code == Code::concurrent_transactions && meeting.end && !meeting.end->commit);
    assert_int_equal(meeting.end->producer.epoch, 1);
    assert_true(log.end("a", zombie, true, 0).code == Code::producer_fenced);
    assert_true(log.init("a").code == Code::concurrent_transactions);
    log.complete(*meeting.end);
    const auto next = log.init("a");
    assert_int_equal(next.producer.epoch, 2);
    assert_true(log.add("a", zombie, t0, 0) == Code::producer_fenced);
    // The fenced one may not come back under its name, either.
    assert_true(log.init("a", zombie).code == Code::producer_fenced);
  }
}

void a_producer_that_names_itself_goes_on_and_may_repeat_the_question(void**) {
  StateLog log;
  const auto first = log.init("a").producer;
  const auto second = log.init("a", first);
  assert_int_equal(second.producer.epoch, 1);
  assert_int_equal(log.init("a", first).producer.epoch, 1);  // it had not heard
  assert_int_equal(log.init("a", second.producer).producer.epoch, 2);
  assert_true(log.init("a", first).code == Code::producer_fenced);
  log.init("a");  // another one
  assert_true(log.init("a", ProducerIdAndEpoch{first.id, 2}).code == Code::producer_fenced);
  assert_true(log.init("a", ProducerIdAndEpoch{first.id + 5, 3}).code == Code::producer_fenced);
}

void when_the_epochs_are_used_up_another_producer_id_takes_over(void**) {
  StateLog log;
  auto producer = log.init("a").producer;
  while (producer.epoch < last_epoch) producer = log.init("a").producer;
  assert_int_equal(producer.id, 1000);
  const auto rotated = log.init("a", producer);
  assert_int_equal(rotated.producer.id, 1001);
  assert_int_equal(rotated.producer.epoch, 0);
  assert_int_equal(log.init("a", producer).producer.id, 1001);  // it had not heard
  assert_int_equal(log.init("a", producer).producer.epoch, 0);
}

void a_transaction_that_uses_up_the_epochs_ends_under_another_id(void**) {
  StateLog log;
  auto producer = log.init("a").producer;
  while (producer.epoch < last_epoch) producer = log.init("a").producer;
  log.add("a", producer, t0);
  const auto answer = log.end("a", producer, true);
  assert_int_equal(answer.producer.id, 1001);
  assert_int_equal(answer.producer.epoch, 0);
  assert_int_equal(answer.end->producer.id, 1000);
  assert_int_equal(answer.end->producer.epoch, 32767);
  log.restart();  // the next id is in the log
  log.complete(*answer.end);
  assert_int_equal(log.held("a").producer_id, 1001);
  const auto again = log.end("a", producer, true);
  assert_true(again.code == Code::none);
  assert_int_equal(again.producer.id, 1001);
}

void a_transaction_that_takes_too_long_is_aborted_and_its_producer_fenced(void**) {
  StateLog log;
  const auto producer = log.init("a", {}, 5000).producer;
  log.add("a", producer, t0);
  log.pass(4s);
  log.add("a", producer, t1);  // counts from the first
  log.tick();
  assert_string_equal(log.state("a").c_str(), "Ongoing");
  log.pass(1s);
  log.tick();
  assert_string_equal(log.state("a").c_str(), "PrepareAbort");
  assert_int_equal(log.prepared, 1);
  assert_true(log.end("a", producer, true, 0).code == Code::producer_fenced);
  const auto taken = log.machine->take_prepared();
  assert_int_equal(taken.size(), 1);
  assert_true(log.machine->take_prepared().empty());
  log.machine->given_up(taken[0]);
  assert_int_equal(log.machine->take_prepared().size(), 1);
  log.complete(taken[0]);
  assert_string_equal(log.state("a").c_str(), "CompleteAbort");
  assert_true(log.machine->take_prepared().empty());
}

void a_restart_finds_what_was_prepared_and_what_is_open(void**) {
  StateLog log;
  const auto a = log.init("a").producer, b = log.init("b", {}, 5000).producer;
  log.add("a", a, both);
  log.end("a", a, true);
  log.add("b", b, t0);
  log.pass(3s);
  log.restart();
  assert_int_equal(log.prepared, 1);
  const auto taken = log.machine->take_prepared();
  assert_int_equal(taken.size(), 1);
  assert_true(taken[0].commit && taken[0].partitions == both);
  assert_true(log.end("b", b, true).code == Code::none);
  log.restart();
  assert_int_equal(log.machine->take_prepared().size(), 2);
}

void a_refused_write_changes_nothing(void**) {
  StateLog log;
  const auto producer = log.init("a", {}, 5000).producer;
  log.refuse = true;
  log.add("a", producer, t0);
  assert_string_equal(log.state("a").c_str(), "Empty");
  log.refuse = false;
  log.add("a", producer, t0);
  log.refuse = true;
  log.end("a", producer, true);
  assert_string_equal(log.state("a").c_str(), "Ongoing");
  log.pass(6s);
  log.tick();
  assert_string_equal(log.state("a").c_str(), "Ongoing");
  assert_int_equal(log.prepared, 0);
  log.refuse = false;
  log.tick();
  assert_string_equal(log.state("a").c_str(), "PrepareAbort");
}

void an_id_that_nobody_uses_is_forgotten_but_not_in_a_transaction(void**) {
  StateLog log;
  log.settings.max_timeout_ms = 2'000'000'000;
  log.init("idle");
  const auto open = log.init("open", {}, 2'000'000'000).producer;
  log.add("open", open, t0);
  log.pass(std::chrono::hours(24 * 7 - 1));
  log.tick();
  assert_non_null(std::as_const(*log.machine).find("idle"));
  log.pass(std::chrono::hours(2));
  log.tick();
  assert_null(std::as_const(*log.machine).find("idle"));
  assert_non_null(std::as_const(*log.machine).find("open"));
  log.restart();
  assert_null(std::as_const(*log.machine).find("idle"));
}

void partitions_are_verified_without_being_added(void**) {
  StateLog log;
  const auto producer = log.init("a").producer;
  log.add("a", producer, t0, 0);
  Partitions missing;
  const auto verify = [&](ProducerIdAndEpoch who, const Partitions& which) {
    missing.clear();
    return log.machine->verify_partitions({.transactional_id = "a", .producer = who, .partitions = which}, missing);
  };
  assert_true(verify(producer, t0) == Code::none);
  assert_true(verify(producer, both) == Code::transaction_abortable && missing == t1);
  assert_true(verify({producer.id, 5}, t0) == Code::producer_fenced);
  assert_true(verify({77, 0}, t0) == Code::invalid_producer_id_mapping);
  log.end("a", producer, true, 0);
  assert_true(verify(producer, t0) == Code::concurrent_transactions);
}

// Whatever clients do, in whatever order: the log alone gives the state, nobody with an old epoch changes anything, and what is
// prepared stays decided as it was.
void random_runs_leave_what_the_log_says(void**) {
  for (uint64_t seed = 1; seed <= 300; ++seed) {
    Random random(seed);
    StateLog log(static_cast<int16_t>(random.below(3)));
    std::map<std::string, ProducerIdAndEpoch> producers;
    std::vector<PreparedEnd> ends;
    for (int step = 0; step < 60; ++step) {
      const std::string id(1, static_cast<char>('a' + random.below(3)));
      ProducerIdAndEpoch who = producers[id];
      if (random.below(10) == 0) --who.epoch;
      log.refuse = random.below(12) == 0;
      const auto version = static_cast<int16_t>(random.below(2) * 2);
      switch (random.below(7)) {
        case 0: {
          const auto answer = log.init(id, random.below(2) ? std::optional(who) : std::nullopt, 5000);
          if (answer.code == Code::none && !log.refuse) producers[id] = answer.producer;
          break;
        }
        case 1:
        case 2: log.add(id, who, random.below(2) ? t0 : both, version); break;
        case 3:
        case 4: {
          const bool commit = random.below(2);
          const auto answer = log.end(id, who, commit, version);
          if (answer.code == Code::none && !log.refuse && version == 2) producers[id] = answer.producer;
          if (answer.end && !log.refuse) assert_true(preparing(log.held(id).state) && answer.end->commit == commit);
          break;
        }
        case 5:
          log.pass(std::chrono::milliseconds(random.below(3000)));
          log.tick();
          break;
        case 6: {
          for (auto& end : log.machine->take_prepared()) ends.push_back(std::move(end));
          if (!ends.empty()) log.complete(ends[random.below(ends.size())]);
          break;
        }
      }
      const auto before = log.machine->all();
      log.restart();
      assert_true(before == log.machine->all());
      for (auto& [name, transaction] : log.machine->all()) assert_true(transaction.producer_epoch >= 0);
    }
  }
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {
      cmocka_unit_test(a_new_id_gets_a_producer_and_every_call_the_next_epoch),
      cmocka_unit_test(a_timeout_beyond_the_limit_is_refused),
      cmocka_unit_test(a_commit_goes_through_prepare_and_raises_the_epoch),
      cmocka_unit_test(an_end_of_version_2_that_comes_again_is_answered_alike),
      cmocka_unit_test(version_2_aborts_without_a_partition_and_raises_the_epoch),
      cmocka_unit_test(version_1_keeps_the_epoch),
      cmocka_unit_test(a_second_producer_aborts_what_the_first_left_open),
      cmocka_unit_test(a_producer_that_names_itself_goes_on_and_may_repeat_the_question),
      cmocka_unit_test(when_the_epochs_are_used_up_another_producer_id_takes_over),
      cmocka_unit_test(a_transaction_that_uses_up_the_epochs_ends_under_another_id),
      cmocka_unit_test(a_transaction_that_takes_too_long_is_aborted_and_its_producer_fenced),
      cmocka_unit_test(a_restart_finds_what_was_prepared_and_what_is_open),
      cmocka_unit_test(a_refused_write_changes_nothing),
      cmocka_unit_test(an_id_that_nobody_uses_is_forgotten_but_not_in_a_transaction),
      cmocka_unit_test(partitions_are_verified_without_being_added),
      cmocka_unit_test(random_runs_leave_what_the_log_says),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
