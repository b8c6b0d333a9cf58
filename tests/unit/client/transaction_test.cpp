#include "libkq/client/transaction.hpp"

#include "tests/unit/cmocka.hpp"

using namespace kq;
using namespace kq::client;

namespace {

// A transaction by hand: what it does is written down, what happens is said.
//
//   begin; init -1/-1; id 7/0; open v2; begin done;
class Desk {
 public:
  explicit Desk(int16_t version = 2) { happens(Transaction::Version{version}); }

  void call(Transaction::Operation what) {
    std::shared_ptr<TransactionOffsets> offsets;
    if (what == Transaction::Operation::send_offsets) offsets = std::make_shared<TransactionOffsets>(TransactionOffsets{.group_id = "g"});
    happens(Transaction::Asked{what, offsets});
  }
  void answer(Code code = Code::none, int64_t id = -1, int16_t epoch = -1) {
    happens(Transaction::Answered{.code = code, .producer_id = id, .producer_epoch = epoch, .each = {}});
  }
  void answer_each(std::vector<Code> each) { happens(Transaction::Answered{.each = std::move(each)}); }
  void begun() {
    call(Transaction::Operation::begin);
    answer(Code::none, 7, 0);
    text_.clear();
  }
  void happens(const Transaction::Event& event) {
    for (const auto& action : transaction_.step(now_, event)) std::visit([this](const auto& each) { say(each); }, action);
  }
  void wait() {
    assert_true(transaction_.deadline().has_value());
    now_ = *transaction_.deadline();
    happens(Transaction::Tick{});
  }
  // What it has done since the last look.
  std::string done() { return std::exchange(text_, {}); }
  bool takes_records() const { return transaction_.takes_records(); }

  Lane lane{std::make_shared<const std::string>("t"), 0}, other{std::make_shared<const std::string>("t"), 1};

 private:
  static std::string numbers(int64_t id, int16_t epoch) { return " " + std::to_string(id) + "/" + std::to_string(epoch); }
  void say(const Transaction::InitId& action) { text_ += "init" + numbers(action.producer_id, action.producer_epoch) + "; "; }
  void say(const Transaction::AddPartitions& action) { text_ += "add x" + std::to_string(action.lanes.size()) + "; "; }
  void say(const Transaction::AddOffsets& action) { text_ += "add group " + action.group_id + "; "; }
  void say(const Transaction::CommitOffsets& action) { text_ += "offsets of " + action.offsets->group_id + "; "; }
  void say(const Transaction::End& action) {
    text_ += std::string(action.commit ? "commit" : "abort") + numbers(action.producer_id, action.producer_epoch) + "; ";
  }
  void say(const Transaction::Open& action) { text_ += action.version_2 ? "open v2; " : "open v1; "; }
  void say(const Transaction::Settle&) { text_ += "settle; "; }
  void say(const Transaction::UseId& action) { text_ += "use" + numbers(action.id, action.epoch) + "; "; }
  void say(const Transaction::Joined& action) { text_ += "joined x" + std::to_string(action.lanes.size()) + "; "; }
  void say(const Transaction::Done& action) {
    if (!action.error) return void(text_ += "done; ");
    static constexpr const char* verdicts[] = {"", "refused", "retry", "abort", "fatal"};
    text_ += std::string(verdicts[static_cast<int>(action.error->verdict())]) + " " + std::to_string(action.error->code()) + "; ";
  }

  Instant now_{1s};
  Transaction transaction_{TransactionOptions{}};
  std::string text_;
};

using Operation = Transaction::Operation;

}  // namespace

static void the_first_begin_fences_whoever_had_the_id(void**) {
  Desk desk;
  assert_false(desk.takes_records());
  desk.call(Operation::begin);
  assert_string_equal(desk.done().c_str(), "init -1/-1; ");
  desk.answer(Code::concurrent_transactions);              // its transaction is being aborted
  desk.wait();
  assert_string_equal(desk.done().c_str(), "init -1/-1; ");
  desk.answer(Code::none, 7, 3);
  assert_string_equal(desk.done().c_str(), "use 7/3; open v2; done; ");
  assert_true(desk.takes_records());
}

/* KIP-890: partitions join by being written to, and the end brings the next epoch. */
static void version_2_ends_with_a_new_epoch(void**) {
  Desk desk;
  desk.begun();
  desk.happens(Transaction::Wrote{});
  desk.call(Operation::commit);
  assert_string_equal(desk.done().c_str(), "settle; ");
  assert_false(desk.takes_records());
  desk.happens(Transaction::Settled{});
  assert_string_equal(desk.done().c_str(), "commit 7/0; ");
  desk.answer(Code::none, 7, 1);
  assert_string_equal(desk.done().c_str(), "use 7/1; done; ");
  desk.call(Operation::begin);
  assert_string_equal(desk.done().c_str(), "open v2; done; ");
}

static void an_empty_transaction_is_nobodys_business(void**) {
  Desk desk;
  desk.begun();
  desk.call(Operation::commit);
  desk.happens(Transaction::Settled{});
  assert_string_equal(desk.done().c_str(), "settle; done; ");
}

static void version_1_adds_partitions_and_groups_first(void**) {
  Desk desk(1);
  desk.begun();
  desk.happens(Transaction::Wants{&desk.lane});
  desk.happens(Transaction::Wants{&desk.other});
  assert_string_equal(desk.done().c_str(), "add x1; ");
  desk.answer_each({Code::none});
  assert_string_equal(desk.done().c_str(), "joined x1; add x1; ");
  desk.answer_each({Code::unknown_topic_or_partition});
  desk.wait();
  desk.answer_each({Code::none});
  assert_string_equal(desk.done().c_str(), "add x1; joined x1; ");
  desk.call(Operation::send_offsets);
  desk.answer();
  desk.answer_each({Code::none, Code::none});
  assert_string_equal(desk.done().c_str(), "add group g; offsets of g; done; ");
  desk.call(Operation::send_offsets);
  desk.answer_each({Code::none});
  assert_string_equal(desk.done().c_str(), "offsets of g; done; ");
  desk.call(Operation::commit);
  desk.happens(Transaction::Settled{});
  desk.answer();
  assert_string_equal(desk.done().c_str(), "settle; commit 7/0; done; ");
}

/* A batch fails while the coordinator of the group cannot be reached: nobody may wait for the offsets any more. */
static void offsets_on_their_way_end_with_a_failed_batch(void**) {
  Desk desk;
  desk.begun();
  desk.happens(Transaction::Wrote{});
  desk.call(Operation::send_offsets);
  desk.happens(Transaction::BatchFailed{Error(10, "too large")});
  desk.happens(Transaction::Unanswered{Error(own_code::transport, "the connection broke", Verdict::retry)});
  desk.wait();
  assert_string_equal(desk.done().c_str(), "offsets of g; abort 10; ");
  desk.call(Operation::abort);
  desk.happens(Transaction::Settled{});
  desk.answer(Code::none, 7, 1);
  assert_string_equal(desk.done().c_str(), "settle; abort 7/0; use 7/1; done; ");
}

static void a_failed_batch_leaves_the_abort_alone(void**) {
  Desk desk;
  desk.begun();
  desk.happens(Transaction::Wrote{});
  desk.happens(Transaction::BatchFailed{Error(10, "too large")});
  assert_false(desk.takes_records());
  desk.call(Operation::commit);
  desk.call(Operation::begin);
  assert_string_equal(desk.done().c_str(), "abort 10; refused 48; ");
  desk.call(Operation::abort);
  desk.happens(Transaction::Settled{});
  desk.answer(Code::none, 7, 1);
  assert_string_equal(desk.done().c_str(), "settle; abort 7/0; use 7/1; done; ");
  desk.call(Operation::begin);
  assert_string_equal(desk.done().c_str(), "open v2; done; ");
}

static void a_batch_that_fails_while_a_commit_settles_stops_it(void**) {
  Desk desk;
  desk.begun();
  desk.happens(Transaction::Wrote{});
  desk.call(Operation::commit);
  desk.happens(Transaction::BatchFailed{Error(-1005, "too late", Verdict::retry)});
  desk.happens(Transaction::Settled{});
  assert_string_equal(desk.done().c_str(), "settle; abort -1005; ");
  desk.call(Operation::abort);
  desk.happens(Transaction::Settled{});
  assert_string_equal(desk.done().c_str(), "settle; abort 7/0; ");
}

/* KIP-360: version 1 cannot know what was written, so the epoch is raised before it goes on. */
static void version_1_raises_the_epoch_after_an_error(void**) {
  Desk desk(1);
  desk.begun();
  desk.happens(Transaction::Wants{&desk.lane});
  desk.answer_each({Code::none});
  desk.happens(Transaction::BatchFailed{Error(45, "a gap")});
  desk.call(Operation::abort);
  desk.happens(Transaction::Settled{});
  desk.done();
  desk.answer();
  assert_string_equal(desk.done().c_str(), "init 7/0; ");
  desk.answer(Code::none, 7, 1);
  assert_string_equal(desk.done().c_str(), "use 7/1; done; ");
}

static void a_fenced_producer_is_finished(void**) {
  for (const Code code : {Code::producer_fenced, Code::invalid_producer_epoch}) {
    Desk desk;
    desk.begun();
    desk.happens(Transaction::Wrote{});
    desk.call(Operation::commit);
    desk.happens(Transaction::Settled{});
    desk.done();
    desk.answer(code);
    assert_string_equal(desk.done().c_str(), "fatal 90; ");
    desk.call(Operation::abort);
    assert_string_equal(desk.done().c_str(), "fatal 90; ");
  }
}

/* The verdicts that Kafka's own client gives. */
static void errors_of_offsets_are_told_apart(void**) {
  const std::pair<Code, const char*> cases[] = {
      {Code::group_authorization_failed, "abort 30; "}, {Code::fenced_instance_id, "abort 82; "},  {Code::unknown_member_id, "abort 25; "},
      {Code::illegal_generation, "abort 22; "},         {Code::producer_fenced, "fatal 90; "},     {Code::transaction_abortable, "abort 120; "},
      {Code::coordinator_load_in_progress, ""},         {Code::unknown_server_error, "fatal -1; "}};
  for (const auto& [code, outcome] : cases) {
    Desk desk;
    desk.begun();
    desk.call(Operation::send_offsets);
    desk.done();
    desk.answer_each({Code::none, code});
    assert_string_equal(desk.done().c_str(), outcome);
  }
}

/* Every request's errors, as Kafka's own client has them (TransactionManager): "" is tried again.  What is refused before there was a
 * transaction can be tried again by the application, where Kafka's gives up. */
static void errors_are_retried_abort_or_are_fatal_by_request(void**) {
  enum class Asks { init, partitions, group, offsets, end };
  struct Case {
    Code code;
    const char *init, *partitions, *group, *offsets, *end;
  };
  static constexpr Case cases[] = {
      {Code::coordinator_load_in_progress, "", "", "", "", ""},
      {Code::coordinator_not_available, "", "", "", "", ""},
      {Code::not_coordinator, "", "", "", "", ""},
      {Code::concurrent_transactions, "", "", "", "", ""},
      {Code::network_exception, "", "", "", "", ""},
      {Code::unknown_topic_or_partition, "", "", "", "", ""},
      {Code::producer_fenced, "fatal 90", "fatal 90", "fatal 90", "fatal 90", "fatal 90"},
      {Code::invalid_producer_epoch, "fatal 90", "fatal 90", "fatal 90", "fatal 90", "fatal 90"},
      {Code::transaction_abortable, "abort 120", "abort 120", "abort 120", "abort 120", "abort 120"},
      {Code::transactional_id_authorization_failed, "refused 53", "fatal 53", "fatal 53", "fatal 53", "fatal 53"},
      {Code::cluster_authorization_failed, "refused 31", "fatal 31", "fatal 31", "fatal 31", "fatal 31"},
      {Code::invalid_producer_id_mapping, "fatal 49", "abort 49", "abort 49", "abort 49", "abort 49"},
      {Code::unknown_producer_id, "fatal 59", "abort 59", "abort 59", "abort 59", "abort 59"},
      {Code::invalid_txn_state, "fatal 48", "fatal 48", "fatal 48", "fatal 48", "fatal 48"},
      {Code::topic_authorization_failed, "fatal 29", "abort 29", "fatal 29", "fatal 29", "fatal 29"},
      {Code::group_authorization_failed, "abort 30", "abort 30", "abort 30", "abort 30", "abort 30"},
      {Code::unsupported_for_message_format, "fatal 43", "fatal 43", "fatal 43", "fatal 43", "fatal 43"},
      {Code::unknown_server_error, "fatal -1", "fatal -1", "fatal -1", "fatal -1", "fatal -1"},
  };
  for (const Case& each : cases) {
    for (const Asks asks : {Asks::init, Asks::partitions, Asks::group, Asks::offsets, Asks::end}) {
      Desk desk(asks == Asks::offsets ? 2 : 1);
      if (asks != Asks::init) desk.begun();
      switch (asks) {
        case Asks::init: desk.call(Operation::begin); break;
        case Asks::partitions:
          desk.happens(Transaction::Wants{&desk.lane});
          desk.call(Operation::commit);
          desk.happens(Transaction::Settled{});
          break;
        case Asks::group:
        case Asks::offsets: desk.call(Operation::send_offsets); break;
        case Asks::end:
          desk.happens(Transaction::Wants{&desk.lane});
          desk.answer_each({Code::none});
          desk.call(Operation::commit);
          desk.happens(Transaction::Settled{});
          break;
      }
      desk.done();
      if (asks == Asks::partitions || asks == Asks::offsets) desk.answer_each({each.code});
      else desk.answer(each.code);
      const char* const expected[] = {each.init, each.partitions, each.group, each.offsets, each.end};
      const std::string outcome = *expected[static_cast<int>(asks)] ? std::string(expected[static_cast<int>(asks)]) + "; " : "";
      const std::string told = desk.done();
      if (told != outcome) fail_msg("%s of request %d: '%s', not '%s'", name_of(each.code), static_cast<int>(asks), told.c_str(), outcome.c_str());
    }
  }
}

static void who_may_not_begin_can_try_again(void**) {
  Desk desk;
  desk.call(Operation::begin);
  desk.answer(Code::transactional_id_authorization_failed);
  desk.call(Operation::begin);
  assert_string_equal(desk.done().c_str(), "init -1/-1; refused 53; init -1/-1; ");
}

/* The coordinator has forgotten the producer: nothing can be ended, and a new id goes on. */
static void a_forgotten_id_is_renewed_without_an_end(void**) {
  Desk desk;
  desk.begun();
  desk.happens(Transaction::Wrote{});
  desk.call(Operation::commit);
  desk.happens(Transaction::Settled{});
  desk.done();
  desk.answer(Code::invalid_producer_id_mapping);
  assert_string_equal(desk.done().c_str(), "abort 49; ");
  desk.call(Operation::abort);
  desk.happens(Transaction::Settled{});
  assert_string_equal(desk.done().c_str(), "settle; init 7/0; ");
  desk.answer(Code::none, 8, 0);
  assert_string_equal(desk.done().c_str(), "use 8/0; done; ");
}

static void a_call_that_was_late_is_taken_up_again(void**) {
  Desk desk;
  desk.begun();
  desk.happens(Transaction::Wrote{});
  desk.call(Operation::commit);
  desk.call(Operation::commit);
  desk.call(Operation::abort);
  assert_string_equal(desk.done().c_str(), "settle; refused 48; ");
  desk.happens(Transaction::Settled{});
  desk.happens(Transaction::Unanswered{Error(-1008, "cut", Verdict::retry)});
  desk.wait();
  desk.answer(Code::none, 7, 1);
  assert_string_equal(desk.done().c_str(), "commit 7/0; commit 7/0; use 7/1; done; ");
}

int main() {
  const CMUnitTest tests[] = {
      cmocka_unit_test(the_first_begin_fences_whoever_had_the_id),
      cmocka_unit_test(version_2_ends_with_a_new_epoch),
      cmocka_unit_test(an_empty_transaction_is_nobodys_business),
      cmocka_unit_test(version_1_adds_partitions_and_groups_first),
      cmocka_unit_test(offsets_on_their_way_end_with_a_failed_batch),
      cmocka_unit_test(a_failed_batch_leaves_the_abort_alone),
      cmocka_unit_test(a_batch_that_fails_while_a_commit_settles_stops_it),
      cmocka_unit_test(version_1_raises_the_epoch_after_an_error),
      cmocka_unit_test(a_fenced_producer_is_finished),
      cmocka_unit_test(errors_of_offsets_are_told_apart),
      cmocka_unit_test(errors_are_retried_abort_or_are_fatal_by_request),
      cmocka_unit_test(who_may_not_begin_can_try_again),
      cmocka_unit_test(a_forgotten_id_is_renewed_without_an_end),
      cmocka_unit_test(a_call_that_was_late_is_taken_up_again),
  };
  return cmocka_run_group_tests_name("client.transaction", tests, nullptr, nullptr);
}
