// A member of a group whose assignment the broker finds (KIP-848), told as a transcript.
#include "libkq/client/consumer_member.hpp"

#include "tests/unit/client/member_script.hpp"

using namespace kq;
using namespace kq::client;

namespace {

struct Group : MemberScript {
  explicit Group(GroupOptions options = defaults()) : MemberScript(std::make_unique<ConsumerMember>(options, "m", 1)) {}

  static GroupOptions defaults() {
    GroupOptions options;
    options.group_id = "g";
    return options;
  }

  // An answer without a new assignment, or with these partitions of t.
  void beat(int32_t epoch, std::optional<std::vector<int32_t>> assignment = {}) {
    ConsumerGroupHeartbeatResponse response;
    response.member_epoch = epoch;
    response.heartbeat_interval_ms = 5000;
    if (assignment) {
      response.assignment.emplace();
      if (!assignment->empty()) response.assignment->topic_partitions.push_back({t, *assignment});
    }
    answer(response);
  }
  void beat(Code code) { refuse<ConsumerGroupHeartbeatResponse>(code); }
  void name_topics() {
    const std::map<Uuid, std::string> names{{t, "t"}};
    step(GroupMember::TopicNames{names});
  }
  // Owns t-0 and t-1 in epoch 2.
  void settled() {
    subscribe({"t"});
    beat(1, std::vector{0, 1});
    name_topics();
    beat(2);
    told();
  }

  const Uuid t = Uuid::random();
};

}  // namespace

static void a_member_joins_learns_its_topics_names_and_tells_what_it_owns(void**) {
  Group group;
  group.subscribe({"t"});
  expect(group, "[0ms] ask beat epoch 0 for t own\n");
  group.beat(1, std::vector{0, 1});
  expect(group, "[0ms] resolve 1\n");
  group.name_topics();
  expect(group, "[0ms] + t-0 t-1\n[0ms] ask beat epoch 1 own 0 1\n");
  group.beat(1);
  group.wait(5s);
  expect(group, "[5000ms] ask beat epoch 1\n");
}

static void what_goes_is_given_up_before_the_member_says_so(void**) {
  Group group;
  group.settled();
  group.wait(5s);
  group.beat(3, std::vector{1, 2});
  expect(group, "[5000ms] ask beat epoch 2\n[5000ms] - t-0\n[5000ms] + t-2\n");
  group.wait(10s);                                 // heartbeats go on, and say nothing of it
  expect(group, "[10000ms] ask beat epoch 3\n");
  group.beat(3);
  group.released();
  expect(group, "[10000ms] ask beat epoch 3 own 1 2\n");
}

static void a_newer_target_waits_for_the_release_of_the_last(void**) {
  Group group;
  group.settled();
  group.wait(5s);
  group.beat(3, std::vector{1});
  group.told();
  group.wait(10s);
  group.beat(3, std::vector{1, 4});
  expect(group, "[10000ms] ask beat epoch 3\n");
  group.released();
  expect(group, "[10000ms] ask beat epoch 3 own 1\n");
  group.beat(4);
  expect(group, "[10000ms] + t-4\n[10000ms] ask beat epoch 4 own 1 4\n");
}

static void a_fenced_member_has_lost_everything_and_joins_anew(void**) {
  Group group;
  group.settled();
  group.wait(5s);
  group.beat(Code::fenced_member_epoch);
  expect(group, "[5000ms] ask beat epoch 2\n[5000ms] lost t-0 t-1\n[5000ms] ask beat epoch 0 for t own\n");
}

static void a_member_whose_group_is_gone_has_lost_everything_and_joins_anew(void**) {
  Group group;
  group.settled();
  group.wait(5s);
  group.beat(Code::group_id_not_found);
  expect(group, "[5000ms] ask beat epoch 2\n[5000ms] lost t-0 t-1\n[5000ms] ask beat epoch 0 for t own\n");
}

static void after_a_failure_everything_is_told_again(void**) {
  Group group;
  group.settled();
  group.wait(5s);
  group.lose("the connection broke");
  group.wait(6s);
  const std::string told = group.told();
  assert_true(told.find("ask beat epoch 2 for t own 0 1") != told.npos);
}

static void a_new_subscription_is_told_at_once(void**) {
  Group group;
  group.settled();
  group.subscribe({"t", "u"});
  expect(group, "[0ms] ask beat epoch 2 for t u\n");
}

static void a_pattern_is_the_brokers_to_match(void**) {
  Group group;
  group.step(GroupMember::Subscribed{{}, "t.*"});
  expect(group, "[0ms] ask beat epoch 0 for for /t.*/ own\n");
}

static void leaving_is_a_heartbeat_too_and_a_static_member_may_come_back(void**) {
  Group group;
  group.settled();
  group.step(GroupMember::Leave{});
  expect(group, "[0ms] ask beat epoch -1\n");
  group.beat(-1);
  expect(group, "[0ms] left\n");
  GroupOptions options = Group::defaults();
  options.instance_id = "i";
  Group still(options);
  still.settled();
  still.step(GroupMember::Leave{});
  expect(still, "[0ms] ask beat epoch -2\n");
}

static void unsubscribing_gives_up_then_leaves(void**) {
  Group group;
  group.settled();
  group.subscribe({});
  expect(group, "[0ms] - t-0 t-1\n");
  group.released();
  expect(group, "[0ms] ask beat epoch -1\n");
}

static void an_instance_that_is_taken_ends_the_member(void**) {
  GroupOptions options = Group::defaults();
  options.instance_id = "i";
  Group group(options);
  group.subscribe({"t"});
  group.told();
  group.beat(Code::unreleased_instance_id);
  expect(group, "[0ms] fatal: UNRELEASED_INSTANCE_ID\n");
}

static void nobody_polls_and_the_member_makes_room_until_somebody_does(void**) {
  Group group;
  group.settled();
  group.step(GroupMember::Overdue{});
  expect(group, "[0ms] lost t-0 t-1\n[0ms] ask beat epoch -1\n");
  group.beat(-1);
  group.step(GroupMember::Polled{});
  expect(group, "[0ms] ask beat epoch 0 for t own\n");
}

int main() {
  const CMUnitTest tests[] = {
      cmocka_unit_test(a_member_joins_learns_its_topics_names_and_tells_what_it_owns),
      cmocka_unit_test(what_goes_is_given_up_before_the_member_says_so),
      cmocka_unit_test(a_newer_target_waits_for_the_release_of_the_last),
      cmocka_unit_test(a_fenced_member_has_lost_everything_and_joins_anew),
      cmocka_unit_test(a_member_whose_group_is_gone_has_lost_everything_and_joins_anew),
      cmocka_unit_test(after_a_failure_everything_is_told_again),
      cmocka_unit_test(a_new_subscription_is_told_at_once),
      cmocka_unit_test(a_pattern_is_the_brokers_to_match),
      cmocka_unit_test(leaving_is_a_heartbeat_too_and_a_static_member_may_come_back),
      cmocka_unit_test(unsubscribing_gives_up_then_leaves),
      cmocka_unit_test(an_instance_that_is_taken_ends_the_member),
      cmocka_unit_test(nobody_polls_and_the_member_makes_room_until_somebody_does),
  };
  return cmocka_run_group_tests_name("client.consumer_member", tests, nullptr, nullptr);
}
