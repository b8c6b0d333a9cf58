// Streams groups: epochs, which tasks members get and in which order, what they are told, and that the log tells all of it.
#include <random>

#include "tests/unit/broker/group/streams_fixture.hpp"

namespace kq::group {
namespace {

/* The first member gets all tasks at once; a second one gets its half when the first has given it up. */
void tasks_are_given_up_before_they_are_given(void**) {
  StreamsFixture f;
  const auto first = f.join("a", "p1");
  assert_int_equal(first.body.member_epoch, 2);
  assert_true(first.body.status->empty());
  expect_text(f.active("a"), "0:0123");
  expect_text(f.state(), "Stable");

  f.join("b", "p2");
  expect_text(f.active("b"), "");
  expect_text(f.state(), "Reconciling");
  f.beat("a");
  expect_text(f.active("a"), "0:01");
  f.beat("b");
  expect_text(f.active("b"), "");  // a has not said yet that it gave them up
  f.beat("a");
  f.beat("b");
  expect_text(f.active("b"), "0:23");
  f.settle();
  expect_text(f.state(), "Stable");
  f.leave("a");
  f.beat("b");
  expect_text(f.active("b"), "0:0123");
}

void what_a_member_does_not_say_it_gave_up_it_still_has(void**) {
  StreamsFixture f;
  f.join("a", "p1");
  f.join("b", "p2");
  f.beat("a");
  f.beat("a", false);
  f.beat("b");
  expect_text(f.active("b"), "");
  f.beat("a");
  f.beat("b");
  expect_text(f.active("b"), "0:23");
}

void who_does_not_give_up_in_time_is_removed(void**) {
  StreamsFixture f;
  f.join("a", "p1");
  f.join("b", "p2");
  f.beat("a");
  for (int i = 0; i < 3; ++i) {
    f.advance(20s);
    f.beat("b");
    f.beat("a", false);
  }
  assert_null(f.group()->member("a"));
  f.beat("b");
  expect_text(f.active("b"), "0:0123");
  assert_true(f.beat("a").body.error_code == Code::unknown_member_id);
}

void who_is_silent_is_removed(void**) {
  StreamsFixture f;
  f.join("a", "p1");
  f.advance(30s);
  f.join("b", "p2");
  f.advance(16s);
  assert_null(f.group()->member("a"));
  f.settle();
  expect_text(f.active("b"), "0:0123");
}

void strange_epochs_and_members_are_refused(void**) {
  StreamsFixture f;
  assert_true(f.beat("a").body.error_code == Code::invalid_request || f.group() == nullptr);
  f.join("a", "p1");
  f.told["b"].epoch = 3;
  assert_true(f.beat("b").body.error_code == Code::unknown_member_id);
  f.told["a"].epoch = 7;
  assert_true(f.beat("a").body.error_code == Code::fenced_member_epoch);
  f.told["a"].epoch = 1;
  assert_true(f.beat("a").body.error_code == Code::fenced_member_epoch);
  assert_true(f.join("a", "p1").body.error_code == Code::none);  // begins anew
  expect_text(f.active("a"), "0:0123");
  f.told["a"].tasks.active["9"] = {0};
  assert_true(f.beat("a").body.error_code == Code::invalid_request);
}

/* An answer may be lost: the member comes again with the epoch that it knows. */
void a_lost_answer_is_told_again(void**) {
  StreamsFixture f;
  f.join("a", "p1");
  f.join("b", "p2");
  const Told before = f.told["a"];
  f.beat("a");
  f.beat("a");
  f.beat("b");
  assert_true(f.told["a"].epoch > before.epoch);
  f.told["a"].epoch = before.epoch;
  assert_true(f.beat("a").body.error_code == Code::none);  // has what it had, or less
}

void the_first_members_wait_for_each_other(void**) {
  StreamsFixture f({{"in", 4}, {"count-changelog", 4}}, {{"streams.initial.rebalance.delay.ms", "3000"}});
  const auto first = f.join("a", "p1");
  assert_int_equal(first.body.member_epoch, 1);
  assert_int_equal(status_of(first), 5);
  f.advance(2s);
  f.join("b", "p2");
  expect_text(f.state(), "Assigning");
  f.advance(1s);
  assert_int_equal(f.group()->target_epoch(), f.group()->epoch().epoch);
  assert_true(f.beat("a").body.status->empty());
  f.beat("b");
  expect_text(f.active("a"), "0:02");
  expect_text(f.active("b"), "0:13");
  expect_text(f.state(), "Stable");
}

void who_wants_the_application_to_end_is_told_on(void**) {
  StreamsFixture f;
  f.join("a", "p1");
  f.join("b", "p2");
  f.leave("a", true);
  const auto answer = f.beat("b");
  assert_int_equal(status_of(answer), 4);
  expect_text(detail_of(answer),
              "Streams group member a encountered a fatal error and requested a shutdown for the entire application.");
  f.leave("b");
  assert_true(f.join("c", "p3").body.status->empty());  // a group that was empty begins anew
}

void members_learn_who_has_which_partitions(void**) {
  StreamsFixture f;
  auto request = StreamsFixture::joining("a", "p1", counting());
  request.user_endpoint = Request::Endpoint{"host", 8080};
  f.note("a", f.send(request));
  f.join("b", "p2");
  f.settle();
  const auto told = f.beat("b");
  assert_true(told.body.endpoint_information_epoch > 0);
  const auto& all = *told.body.partitions_by_user_endpoint;
  assert_int_equal(all.size(), 1);
  expect_text(std::string(all[0].user_endpoint.host), "host");
  expect_text(std::string(all[0].active_partitions.at(0).topic), "in");
  assert_int_equal(all[0].active_partitions.at(0).partitions.size(), 2);
  Request knows;
  knows.group_id = "g", knows.member_id = "b";
  knows.member_epoch = f.told["b"].epoch;
  knows.endpoint_information_epoch = told.body.endpoint_information_epoch;
  assert_false(f.send(knows).body.partitions_by_user_endpoint.has_value());
}

void a_full_group_takes_nobody(void**) {
  StreamsFixture f;
  f.config.streams_max_size = 1;
  f.restart();
  f.join("a", "p1");
  assert_true(f.join("b", "p2").body.error_code == Code::group_max_size_reached);
}

Code commit(StreamsFixture& f, const char* member, int32_t epoch, int32_t partition, int16_t version = 9) {
  OffsetCommitRequest request;
  request.group_id = "g";
  request.member_id = member;
  request.generation_id_or_member_epoch = epoch;
  auto& topic = request.topics.emplace_back();
  topic.name = "in";
  topic.partitions.push_back({.partition_index = partition, .committed_offset = 7});
  OffsetCommitResponse response;
  Code code = Code::none;
  f.run([&](Writes& writes) { code = f.shard->offsets().commit(f.now, version, request, response, writes); });
  return code;
}

/* A task that stays with its member may be committed with the epoch that the member knew when it got it. */
void offsets_are_fenced_by_task(void**) {
  StreamsFixture f;
  f.join("a", "p1");
  const int32_t first = f.told["a"].epoch;
  assert_true(commit(f, "a", first, 0) == Code::none);
  assert_true(commit(f, "a", first, 0, 8) == Code::unsupported_version);
  assert_true(commit(f, "x", first, 0) == Code::unknown_member_id);
  assert_true(commit(f, "a", first + 9, 0) == Code::stale_member_epoch);
  f.join("b", "p2");
  f.settle();
  assert_true(f.told["a"].epoch > first);
  assert_true(commit(f, "a", first, 0) == Code::none);
  assert_true(commit(f, "a", first, 3) == Code::stale_member_epoch);  // b has it
  assert_true(commit(f, "b", first, 3) == Code::stale_member_epoch);  // it got it later
  assert_true(commit(f, "b", f.told["b"].epoch, 3) == Code::none);
  assert_true(commit(f, "", -1, 0) == Code::unknown_member_id);
  f.leave("a");
  f.leave("b");
  assert_true(commit(f, "", -1, 0) == Code::none);  // an administrator, while nobody is there
}

void an_empty_group_can_be_deleted_or_become_another(void**) {
  StreamsFixture f;
  f.join("a", "p1");
  commit(f, "a", f.told["a"].epoch, 0);
  assert_true(f.run([&](Writes& writes) { assert_true(f.shard->remove("g", writes) == Code::non_empty_group); }) == Code::none);
  ConsumerGroupHeartbeatRequest consumer;
  consumer.group_id = "g", consumer.member_id = "c", consumer.rebalance_timeout_ms = 1000;
  consumer.subscribed_topic_names.emplace(), consumer.topic_partitions.emplace();
  const auto other = [&] {
    Code code = Code::none;
    f.run([&](Writes& writes) {
      code = f.shard->heartbeat(f.now, {.version = 1, .client_id = "c", .client_host = "/h"}, consumer, writes).body.error_code;
    });
    return code;
  };
  assert_true(other() == Code::group_id_not_found);
  f.leave("a");
  expect_text(f.state(), "Empty");
  assert_true(other() == Code::group_id_not_found);
  f.run([&](Writes& writes) { assert_true(f.shard->remove("g", writes) == Code::none); });
  assert_null(f.group());
  assert_null(f.restarted()->groups().find("g"));
  assert_true(f.leave("a").body.error_code == Code::group_id_not_found);
}

void a_refused_write_changes_nothing(void**) {
  StreamsFixture f;
  f.refuse = Code::not_enough_replicas;
  f.join("a", "p1");
  assert_null(f.group());
  f.refuse = Code::none;
  f.told.clear();
  f.join("a", "p1");
  expect_text(f.active("a"), "0:0123");
  f.refuse = Code::not_enough_replicas;
  f.now.instant += 60s;
  f.run([&](Writes& writes) { f.shard->tick(f.now, writes); });
  assert_non_null(f.group()->member("a"));
  f.refuse = Code::none;
  f.advance(1s);
  assert_null(f.group()->member("a"));
}

void a_group_is_described(void**) {
  StreamsFixture f;
  f.join("a", "p1", regrouping());
  StreamsGroupDescribeResponse::DescribedGroup told;
  Texts texts;
  f.shard->streams().describe("g", told, texts);
  expect_text(std::string(told.group_state), "NotReady");
  f.see(image_with({{"in", 3}, {"again", 3}, {"count-changelog", 3}}));
  f.beat("a");
  told = {};
  f.shard->streams().describe("g", told, texts);
  expect_text(std::string(told.group_state), "Stable");
  assert_int_equal(told.topology->subtopologies->size(), 2);
  assert_int_equal(told.topology->subtopologies->at(1).repartition_source_topics.at(0).partitions, 3);
  assert_int_equal(told.members.at(0).assignment.active_tasks.size(), 2);
  assert_int_equal(told.members.at(0).target_assignment.active_tasks.size(), 2);
  told = {};
  f.shard->streams().describe("other", told, texts);
  assert_true(told.error_code == Code::group_id_not_found);
}

// At any time: a task is active at one member at most, and in one role in a process; in the end all run; the log tells the same.
void random_runs_never_give_a_task_twice_and_replay_to_the_same(void**) {
  for (uint32_t seed = 1; seed <= 20; ++seed) {
    std::mt19937 random(seed);
    StreamsFixture f({{"in", 5}, {"count-changelog", 5}}, {{"streams.num.standby.replicas", std::to_string(seed % 3)}});
    for (int step = 0; step < 150; ++step) {
      const size_t number = random() % 5;
      const std::string member = "m" + std::to_string(number), process = "p" + std::to_string(number % 3);
      const bool known = f.told.contains(member);
      switch (random() % 12) {
        case 0:
          if (known) f.leave(member);
          break;
        case 1: f.advance(std::chrono::seconds(random() % 30)); break;
        case 2:
          f.refuse = Code::not_enough_replicas;
          if (known) {
            const Told before = f.told[member];
            f.beat(member);
            f.told[member] = before;
          }
          f.refuse = Code::none;
          break;
        case 3: f.restart(); break;
        default:
          if (!known)
            f.join(member, process);
          else if (f.beat(member).body.error_code != Code::none)
            f.join(member, process);
      }
      if (!f.group()) continue;
      std::map<TaskId, std::string> active;
      std::set<std::pair<TaskId, std::string>> in_process;
      for (const auto& [id, of] : f.group()->members())
        for (const HeldTasks* held : {&of.assigned, &of.pending_revocation}) {
          for (const auto& [subtopology, partitions] : held->active)
            for (const auto& [partition, epoch] : partitions) {
              assert_true(active.try_emplace({subtopology, partition}, id).second);
              assert_true(in_process.insert({{subtopology, partition}, of.process_id}).second);
            }
          for (const auto& [subtopology, partitions] : held->standby)
            for (const int32_t partition : partitions)
              assert_true(in_process.insert({{subtopology, partition}, of.process_id}).second);
        }
      assert_true(*f.restarted()->groups().find<StreamsGroup>("g") == *f.group());
    }
    if (f.told.empty()) f.join("last", "p9");
    for (auto& [member, of] : std::map<std::string, Told>(f.told))
      if (f.beat(member).body.error_code != Code::none) f.join(member, "p" + std::to_string((member.back() - '0') % 3));
    f.advance(44s);
    f.settle();
    f.advance(44s);
    f.settle();
    expect_text(f.state(), "Stable");
    size_t running = 0;
    for (const auto& [member, of] : f.told)
      for (const auto& [subtopology, partitions] : of.tasks.active) running += partitions.size();
    assert_int_equal(running, 5);
  }
}

}  // namespace
}  // namespace kq::group

int main() {
  using namespace kq::group;
  const CMUnitTest tests[] = {
      cmocka_unit_test(tasks_are_given_up_before_they_are_given),
      cmocka_unit_test(what_a_member_does_not_say_it_gave_up_it_still_has),
      cmocka_unit_test(who_does_not_give_up_in_time_is_removed),
      cmocka_unit_test(who_is_silent_is_removed),
      cmocka_unit_test(strange_epochs_and_members_are_refused),
      cmocka_unit_test(a_lost_answer_is_told_again),
      cmocka_unit_test(the_first_members_wait_for_each_other),
      cmocka_unit_test(who_wants_the_application_to_end_is_told_on),
      cmocka_unit_test(members_learn_who_has_which_partitions),
      cmocka_unit_test(a_full_group_takes_nobody),
      cmocka_unit_test(offsets_are_fenced_by_task),
      cmocka_unit_test(an_empty_group_can_be_deleted_or_become_another),
      cmocka_unit_test(a_refused_write_changes_nothing),
      cmocka_unit_test(a_group_is_described),
      cmocka_unit_test(random_runs_never_give_a_task_twice_and_replay_to_the_same),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
