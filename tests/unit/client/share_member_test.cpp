// A member of a share group (KIP-932), told as a transcript.
#include "libkq/client/share_member.hpp"

#include "tests/unit/client/member_script.hpp"

using namespace kq;
using namespace kq::client;

namespace {

struct Group : MemberScript {
  Group() : MemberScript(std::make_unique<ShareMember>(options(), "m", 1)) {}

  static GroupOptions options() {
    GroupOptions options;
    options.group_id = "g";
    return options;
  }
  // An answer without a new assignment, or with these partitions of t.
  void beat(int32_t epoch, std::optional<std::vector<int32_t>> assignment = {}) {
    ShareGroupHeartbeatResponse response;
    response.member_epoch = epoch;
    response.heartbeat_interval_ms = 5000;
    if (assignment) {
      response.assignment.emplace();
      if (!assignment->empty()) response.assignment->topic_partitions.push_back({t, *assignment});
    }
    answer(response);
  }
  void beat(Code code) { refuse<ShareGroupHeartbeatResponse>(code); }
  void name_topics() {
    const std::map<Uuid, std::string> names{{t, "t"}};
    step(GroupMember::TopicNames{names});
  }
  // Has t-0 and t-1 in epoch 1.
  void settled() {
    subscribe({"t"});
    beat(1, std::vector{0, 1});
    name_topics();
    told();
  }

  const Uuid t = Uuid::random();
};

}  // namespace

static void a_member_joins_and_an_assignment_holds_at_once(void**) {
  Group group;
  group.subscribe({"t"});
  expect(group, "[0ms] ask share beat epoch 0 for t\n");
  group.beat(1, std::vector{0, 1});
  expect(group, "[0ms] resolve 1\n");
  group.name_topics();
  expect(group, "[0ms] + t-0 t-1\n");
  group.wait(5s);
  expect(group, "[5000ms] ask share beat epoch 1\n");
  group.beat(2, std::vector{1, 2});
  expect(group, "[5000ms] lost t-0\n[5000ms] + t-2\n");
  assert_true(group.member().is_member());
}

static void a_fenced_member_joins_anew_with_its_subscription(void**) {
  Group group;
  group.settled();
  group.wait(5s);
  group.told();
  group.beat(Code::fenced_member_epoch);
  expect(group, "[5000ms] lost t-0 t-1\n[5000ms] ask share beat epoch 0 for t\n");
}

static void a_coordinator_that_moves_is_asked_again_and_a_refusal_is_told_once(void**) {
  Group group;
  group.subscribe({"t"});
  group.told();
  group.beat(Code::not_coordinator);
  assert_string_equal(group.told().c_str(), "");
  group.wait(2s);
  group.beat(Code::group_authorization_failed);
  group.wait(4s);
  group.beat(Code::group_authorization_failed);
  const std::string told = group.told();
  const size_t first = told.find("trouble");
  assert_true(first != told.npos && told.find("trouble", first + 1) == told.npos);
  assert_true(told.find("for t", first) != told.npos);  // and goes on asking
}

static void a_new_subscription_is_told_and_none_leaves(void**) {
  Group group;
  group.settled();
  group.subscribe({"t", "u"});
  expect(group, "[0ms] ask share beat epoch 1 for t u\n");
  group.beat(2);
  group.subscribe({});
  expect(group, "[0ms] lost t-0 t-1\n[0ms] ask share beat epoch -1\n");
  group.beat(-1);
  expect(group, "");
  group.subscribe({"u"});
  expect(group, "[0ms] ask share beat epoch 0 for u\n");
}

static void who_does_not_poll_gives_way_until_it_polls_again(void**) {
  Group group;
  group.settled();
  group.step(GroupMember::Overdue{});
  expect(group, "[0ms] lost t-0 t-1\n[0ms] ask share beat epoch -1\n");
  group.beat(-1);
  expect(group, "");
  group.step(GroupMember::Polled{});
  expect(group, "[0ms] ask share beat epoch 0 for t\n");
}

static void leaving_is_told_to_the_coordinator(void**) {
  Group group;
  group.settled();
  group.step(GroupMember::Leave{});
  expect(group, "[0ms] ask share beat epoch -1\n");
  group.lose("the connection broke");
  expect(group, "[0ms] left\n");
}

int main() {
  const CMUnitTest tests[] = {
      cmocka_unit_test(a_member_joins_and_an_assignment_holds_at_once),
      cmocka_unit_test(a_fenced_member_joins_anew_with_its_subscription),
      cmocka_unit_test(a_coordinator_that_moves_is_asked_again_and_a_refusal_is_told_once),
      cmocka_unit_test(a_new_subscription_is_told_and_none_leaves),
      cmocka_unit_test(who_does_not_poll_gives_way_until_it_polls_again),
      cmocka_unit_test(leaving_is_told_to_the_coordinator),
  };
  return cmocka_run_group_tests_name("client.share_member", tests, nullptr, nullptr);
}
