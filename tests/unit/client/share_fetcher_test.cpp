// What a share consumer fetches, holds and says, told as a transcript.
#include "libkq/client/share_fetcher.hpp"

#include "tests/unit/cmocka.hpp"

using namespace kq;
using namespace kq::client;

namespace {

// A member with t-0 and t-1, led by broker 1, and t-2, led by broker 2, unless a test has it otherwise:
//   > 1  fetch epoch 1 +t-0 -t-1 t-0 1..4 accept          asks broker 1; adds t-0, forgets t-1, accepts 1..4
//   > 1  ack epoch -1 renew t-0 1..4 renew     the session's last; renewals      metadata     is asked for
class Stage {
 public:
  explicit Stage(ShareOptions options = {}) : fetcher(with_group(std::move(options)), memory, 1) {}

  static ShareOptions with_group(ShareOptions options) {
    options.group_id = "g";
    options.member_id = "m";
    return options;
  }
  void has(const Partitions& partitions) {
    fetcher.add(partitions);
    lead({{0, 1}, {1, 1}, {2, 2}});
  }
  void lead(const std::map<int32_t, int32_t>& by, int32_t epoch = 0) {
    std::vector<ShareFetcher::Leader> leaders;
    for (const auto& [partition, node] : by) leaders.push_back({"t", partition, node, epoch, id});
    const ShareFetcher::Metadata metadata{leaders};
    step(metadata);
  }
  void want() {
    fetcher.want_records();
    step(ShareFetcher::Tick{});
  }
  void tick() { step(ShareFetcher::Tick{}); }
  void at(Duration time) {
    now = Instant(time);
    tick();
  }

  struct Part {
    int32_t index;
    std::vector<std::array<int64_t, 3>> acquired{};  // first, last, delivery count
    Code code = Code::none, acknowledge_code = Code::none;
    int32_t leader = -1, leader_epoch = -1;
  };
  void fetched(int32_t node, const std::vector<Part>& parts, Code code = Code::none) {
    ShareFetchResponse response;
    response.error_code = code;
    response.acquisition_lock_timeout_ms = 30000;
    auto& topic = response.responses.emplace_back();
    topic.topic_id = id;
    for (const Part& part : parts) {
      auto& data = topic.partitions.emplace_back();
      data.partition_index = part.index;
      data.error_code = part.code;
      data.acknowledge_error_code = part.acknowledge_code;
      data.current_leader.leader_id = part.leader;
      data.current_leader.leader_epoch = part.leader_epoch;
      for (const auto& [first, last, count] : part.acquired)
        data.acquired_records.push_back({first, last, static_cast<int16_t>(count)});
    }
    step(ShareFetcher::Fetched{node, response, nullptr});
  }
  void acknowledged(int32_t node, Code code = Code::none, Code of_partition = Code::none) {
    ShareAcknowledgeResponse response;
    response.error_code = code;
    auto& topic = response.responses.emplace_back();
    topic.topic_id = id;
    topic.partitions.emplace_back().error_code = of_partition;
    step(ShareFetcher::Acknowledged{node, response});
  }
  void lose(int32_t node) { step(ShareFetcher::Failed{node, Error(own_code::transport, "it broke", Verdict::retry)}); }

  // Hands everything out that is there: "t-0 0..4 #1".
  std::string read() {
    std::string text;
    while (fetcher.has_ready()) {
      const ShareSlice slice = fetcher.take();
      for (const AcquiredRun& run : slice.acquired) {
        fetcher.handed_out(slice, run.first, run.last);
        text += (text.empty() ? "" : ", ") + ("t-" + std::to_string(slice.slice.partition)) + " " + range(run.first, run.last) +
                " #" + std::to_string(run.delivery_count);
      }
    }
    return text;
  }
  bool say(int32_t partition, int64_t first, int64_t last, int8_t type = ShareAck::accept) {
    return fetcher.acknowledge("t", partition, first, last, type);
  }
  std::string outcomes(uint64_t commit) {
    std::string text;
    for (const ShareOutcome& each : fetcher.take_outcomes(commit)) {
      text += (text.empty() ? "" : ", ") + each.at.text() + " " + range(each.first, each.last);
      if (each.error) text += " error " + std::to_string(each.error->code());
    }
    return text;
  }
  std::string told() { return std::exchange(text_, {}); }

  const Uuid id = Uuid::random();
  Instant now{};
  std::shared_ptr<FetchMemory> memory = std::make_shared<FetchMemory>(1 << 20);
  ShareFetcher fetcher;

 private:
  static std::string range(int64_t first, int64_t last) {
    return first == last ? std::to_string(first) : std::to_string(first) + ".." + std::to_string(last);
  }
  template <class Topics>
  static std::string acks(const Topics& topics) {
    static const char* const names[] = {"gap", "accept", "release", "reject", "renew"};
    std::string text;
    for (const auto& topic : topics)
      for (const auto& part : topic.partitions)
        for (const auto& batch : part.acknowledgement_batches)
          text += " t-" + std::to_string(part.partition_index) + " " + range(batch.first_offset, batch.last_offset) + " " +
                  names[batch.acknowledge_types.at(0)];
    return text;
  }
  void step(const ShareFetcher::Event& event) {
    const auto answered = fetcher.step(now, event);
    const std::vector<ShareFetcher::Wish> wishes(answered.begin(), answered.end());
    for (const ShareFetcher::Wish& wish : wishes) text_ += tell(wish) + "\n";
  }
  std::string tell(const ShareFetcher::Wish& wish) {
    if (wish.kind == ShareFetcher::Wish::Kind::metadata) return "metadata";
    const std::string to = "> " + std::to_string(wish.node) + "  ";
    if (wish.kind == ShareFetcher::Wish::Kind::acknowledge) {
      ShareAcknowledgeRequest request;
      fetcher.fill(wish.node, request);
      return to + "ack epoch " + std::to_string(request.share_session_epoch) + (request.is_renew_ack ? " renew" : "") +
             acks(request.topics);
    }
    ShareFetchRequest request;
    assert_true(fetcher.fill(wish.node, request));
    std::string text = to + "fetch epoch " + std::to_string(request.share_session_epoch);
    for (const auto& topic : request.topics)
      for (const auto& part : topic.partitions)
        if (part.acknowledgement_batches.empty()) text += " +t-" + std::to_string(part.partition_index);
    for (const auto& topic : request.forgotten_topics_data)
      for (const int32_t index : topic.partitions) text += " -t-" + std::to_string(index);
    return text + acks(request.topics);
  }

  std::string text_;
};

#define expect(stage, text) assert_string_equal((stage).told().c_str(), text)
#define expect_text(what, text) assert_string_equal((what).c_str(), text)

}  // namespace

static void runs_are_cut_put_and_joined(void**) {
  Runs<int> runs;
  runs.put(0, 9, 1);
  runs.put(10, 19, 1);
  assert_int_equal(runs.size(), 1);
  runs.put(5, 14, 2);
  assert_int_equal(runs.size(), 3);
  assert_int_equal(*runs.find(4), 1);
  assert_int_equal(*runs.find(14), 2);
  std::string cut;
  runs.cut(3, 16, [&](int64_t first, int64_t last, int value) {
    cut += std::to_string(first) + "-" + std::to_string(last) + "=" + std::to_string(value) + " ";
  });
  expect_text(cut, "3-4=1 5-14=2 15-16=1 ");
  assert_null(runs.find(3));
  runs.put(3, 16, 1);
  assert_int_equal(runs.size(), 1);
}

static void records_are_fetched_when_they_are_wanted_and_acknowledged_with_the_next_fetch(void**) {
  Stage stage;
  stage.has({{"t", 0}, {"t", 1}});
  expect(stage, "metadata\n");
  stage.want();
  expect(stage, "> 1  fetch epoch 0 +t-0 +t-1\n");
  stage.fetched(1, {});
  expect(stage, "> 1  fetch epoch 1\n");  // nothing yet, and still wanted
  stage.fetched(1, {{.index = 0, .acquired = {{0, 4, 1}}}});
  expect(stage, "");
  expect_text(stage.read(), "t-0 0..4 #1");
  assert_true(stage.say(0, 0, 2));
  assert_true(stage.say(0, 3, 3, ShareAck::release));
  assert_true(stage.say(0, 4, 4, ShareAck::reject));
  assert_false(stage.say(0, 4, 4));  // it was said already
  stage.tick();
  expect(stage, "");
  stage.want();
  expect(stage, "> 1  fetch epoch 2 t-0 0..2 accept t-0 3 release t-0 4 reject\n");
  assert_int_equal(stage.fetcher.lock_timeout_ms(), 30000);
}

static void what_was_not_handed_out_cannot_be_acknowledged(void**) {
  Stage stage;
  stage.has({{"t", 0}});
  stage.want();
  stage.fetched(1, {{.index = 0, .acquired = {{0, 4, 1}}}});
  assert_false(stage.say(0, 0, 4));
  stage.read();
  assert_true(stage.say(0, 0, 4));
}

static void a_commit_says_it_at_once_and_has_an_outcome(void**) {
  Stage stage;
  stage.has({{"t", 0}, {"t", 2}});
  stage.want();
  stage.told();
  stage.fetched(1, {{.index = 0, .acquired = {{0, 4, 1}}}});
  stage.fetched(2, {{.index = 2, .acquired = {{7, 8, 1}}}});
  stage.read();
  stage.say(0, 0, 4);
  stage.say(2, 7, 8);
  stage.fetcher.commit(1);
  stage.tick();
  expect(stage, "> 1  ack epoch 1 t-0 0..4 accept\n> 2  ack epoch 1 t-2 7..8 accept\n");
  stage.acknowledged(1, Code::none, Code::invalid_record_state);
  assert_false(stage.fetcher.commit_is_done(1));
  stage.acknowledged(2);
  assert_true(stage.fetcher.commit_is_done(1));
  expect_text(stage.outcomes(1), "t-0 0..4 error 121, t-2 7..8");
  stage.fetcher.commit(2);
  assert_true(stage.fetcher.commit_is_done(2));  // there was nothing to say
}

static void a_commit_claims_what_travels_with_a_fetch_already(void**) {
  Stage stage;
  stage.has({{"t", 0}});
  stage.want();
  stage.fetched(1, {{.index = 0, .acquired = {{0, 4, 1}}}});
  stage.read();
  stage.say(0, 0, 4);
  stage.want();
  stage.fetcher.commit(1);
  assert_false(stage.fetcher.commit_is_done(1));
  stage.fetched(1, {{.index = 0}});
  assert_true(stage.fetcher.commit_is_done(1));
  expect_text(stage.outcomes(1), "t-0 0..4");
}

static void a_failed_acknowledgement_that_nobody_waits_for_is_told(void**) {
  Stage stage;
  stage.has({{"t", 0}});
  stage.want();
  stage.fetched(1, {{.index = 0, .acquired = {{0, 4, 1}}}});
  stage.read();
  stage.say(0, 0, 4);
  stage.want();
  stage.fetched(1, {{.index = 0, .acknowledge_code = Code::invalid_record_state}});
  assert_true(stage.fetcher.has_failures());
  expect_text(stage.outcomes(0), "t-0 0..4 error 121");
}

static void a_renewal_goes_out_at_once_and_the_record_stays_held(void**) {
  Stage stage;
  stage.has({{"t", 0}});
  stage.want();
  stage.fetched(1, {{.index = 0, .acquired = {{0, 4, 1}}}});
  stage.read();
  stage.told();
  stage.say(0, 0, 4, ShareAck::renew);
  stage.say(0, 0, 0);  // overtakes its renewal
  stage.tick();
  expect(stage, "> 1  ack epoch 1 renew t-0 0 accept t-0 1..4 renew\n");
  stage.acknowledged(1);
  assert_false(stage.say(0, 0, 0));
  assert_true(stage.say(0, 1, 4));
}

static void partitions_that_went_are_forgotten_and_what_is_unread_of_them_released(void**) {
  Stage stage;
  stage.has({{"t", 0}, {"t", 1}});
  stage.want();
  stage.fetched(1, {{.index = 0, .acquired = {{0, 4, 1}}}, {.index = 1, .acquired = {{5, 9, 2}}}});
  stage.told();
  stage.fetcher.drop({{"t", 1}});
  stage.tick();
  expect(stage, "> 1  ack epoch 1 t-1 5..9 release\n");
  stage.acknowledged(1);
  expect_text(stage.read(), "t-0 0..4 #1");
  stage.say(0, 0, 4);
  stage.want();
  expect(stage, "> 1  fetch epoch 2 -t-1 t-0 0..4 accept\n");
  assert_false(stage.fetcher.has_failures());
}

static void a_session_without_partitions_is_ended_once_nothing_of_it_is_held(void**) {
  Stage stage;
  stage.has({{"t", 0}});
  stage.want();
  stage.fetched(1, {{.index = 0, .acquired = {{0, 4, 1}}}});
  stage.read();
  stage.told();
  stage.fetcher.drop({{"t", 0}});
  stage.tick();
  expect(stage, "");
  stage.say(0, 0, 4);
  stage.tick();
  expect(stage, "> 1  ack epoch 1 t-0 0..4 accept\n");
  stage.acknowledged(1);
  expect(stage, "> 1  ack epoch -1\n");
  stage.acknowledged(1);
  expect(stage, "");
}

static void a_session_that_the_broker_does_not_know_begins_anew(void**) {
  Stage stage;
  stage.has({{"t", 0}});
  stage.want();
  stage.fetched(1, {{.index = 0, .acquired = {{0, 4, 1}}}});
  stage.read();
  stage.say(0, 0, 4);
  stage.want();
  stage.told();
  stage.fetched(1, {}, Code::share_session_not_found);
  expect(stage, "> 1  fetch epoch 0 +t-0\n");
  expect_text(stage.outcomes(0), "t-0 0..4 error 122");
}

static void a_lost_answer_fails_what_it_was_to_confirm_and_is_tried_again_later(void**) {
  Stage stage;
  stage.has({{"t", 0}});
  stage.want();
  stage.fetched(1, {{.index = 0, .acquired = {{0, 4, 1}}}});
  stage.read();
  stage.say(0, 0, 4);
  stage.want();
  stage.told();
  stage.lose(1);
  expect(stage, "metadata\n");
  expect_text(stage.outcomes(0), "t-0 0..4 error -1008");
  stage.at(1s);
  expect(stage, "> 1  fetch epoch 0 +t-0\n");
}

static void a_partition_is_fetched_from_its_new_leader(void**) {
  Stage stage;
  stage.has({{"t", 0}, {"t", 1}});
  stage.want();
  stage.told();
  stage.fetched(1, {{.index = 0, .code = Code::not_leader_or_follower, .leader = 2, .leader_epoch = 5}});
  expect(stage, "> 2  fetch epoch 0 +t-0\n> 1  fetch epoch 1 -t-0\nmetadata\n");
  stage.lead({{0, 1}}, 4);  // old news
  expect(stage, "");
}

static void a_refusal_rests_the_partition_and_is_told_once(void**) {
  Stage stage;
  stage.has({{"t", 0}});
  stage.want();
  stage.told();
  stage.fetched(1, {{.index = 0, .code = Code::topic_authorization_failed}});
  assert_int_equal(stage.fetcher.take_trouble()->error.code(), 29);
  expect(stage, "");
  stage.at(2s);
  expect(stage, "> 1  fetch epoch 1\n");  // by the time of the next fetch it is asked for again
  stage.fetched(1, {{.index = 0, .code = Code::topic_authorization_failed}});
  assert_false(stage.fetcher.has_trouble());
}

static void with_a_record_limit_one_broker_is_asked_after_the_other(void**) {
  Stage stage({.records_max = 10, .record_limit = true});
  stage.has({{"t", 0}, {"t", 2}});
  stage.told();
  stage.want();
  expect(stage, "> 1  fetch epoch 0 +t-0\n");
  stage.fetched(1, {});
  expect(stage, "> 2  fetch epoch 0 +t-2\n");
  stage.fetched(2, {});
  expect(stage, "> 1  fetch epoch 1\n");
}

static void nothing_is_fetched_while_memory_is_full(void**) {
  Stage stage;
  stage.has({{"t", 0}});
  stage.memory->take(1 << 20);
  stage.told();
  stage.want();
  expect(stage, "");
  assert_true(stage.fetcher.starved() && stage.fetcher.stuck());
  stage.memory->give_back(1 << 20);
  stage.tick();
  expect(stage, "> 1  fetch epoch 0 +t-0\n");
}

static void closing_says_what_is_left_and_ends_the_sessions(void**) {
  Stage stage;
  stage.has({{"t", 0}});
  stage.want();
  stage.fetched(1, {{.index = 0, .acquired = {{0, 4, 1}}}});
  stage.read();
  stage.say(0, 0, 1);
  stage.told();
  stage.fetcher.close();
  stage.tick();
  expect(stage, "> 1  ack epoch -1 t-0 0..1 accept\n");
  assert_false(stage.fetcher.closed());
  stage.acknowledged(1);
  assert_true(stage.fetcher.closed());
}

int main() {
  const CMUnitTest tests[] = {
      cmocka_unit_test(runs_are_cut_put_and_joined),
      cmocka_unit_test(records_are_fetched_when_they_are_wanted_and_acknowledged_with_the_next_fetch),
      cmocka_unit_test(what_was_not_handed_out_cannot_be_acknowledged),
      cmocka_unit_test(a_commit_says_it_at_once_and_has_an_outcome),
      cmocka_unit_test(a_commit_claims_what_travels_with_a_fetch_already),
      cmocka_unit_test(a_failed_acknowledgement_that_nobody_waits_for_is_told),
      cmocka_unit_test(a_renewal_goes_out_at_once_and_the_record_stays_held),
      cmocka_unit_test(partitions_that_went_are_forgotten_and_what_is_unread_of_them_released),
      cmocka_unit_test(a_session_without_partitions_is_ended_once_nothing_of_it_is_held),
      cmocka_unit_test(a_session_that_the_broker_does_not_know_begins_anew),
      cmocka_unit_test(a_lost_answer_fails_what_it_was_to_confirm_and_is_tried_again_later),
      cmocka_unit_test(a_partition_is_fetched_from_its_new_leader),
      cmocka_unit_test(a_refusal_rests_the_partition_and_is_told_once),
      cmocka_unit_test(with_a_record_limit_one_broker_is_asked_after_the_other),
      cmocka_unit_test(nothing_is_fetched_while_memory_is_full),
      cmocka_unit_test(closing_says_what_is_left_and_ends_the_sessions),
  };
  return cmocka_run_group_tests_name("client.share_fetcher", tests, nullptr, nullptr);
}
