// A member of a classic group, told as a transcript.
#include "tests/unit/client/member_script.hpp"

using namespace kq;
using namespace kq::client;

namespace {

// The subscriptions of a group's other members, kept alive for the answers that point at them.
struct Group : MemberScript {
  explicit Group(GroupOptions options = defaults()) : MemberScript(std::make_unique<ClassicMember>(options, 1)) {}

  static GroupOptions defaults() {
    GroupOptions options;
    options.group_id = "g";
    options.assignors = {Assignor::range};
    return options;
  }
  static GroupOptions cooperative() {
    GroupOptions options = defaults();
    options.assignors = {Assignor::cooperative_sticky};
    return options;
  }

  void joined(int32_t generation, const char* protocol, const char* leader, std::vector<AssignorMember> members = {}) {
    JoinGroupResponse response;
    response.generation_id = generation;
    response.protocol_name = protocol;
    response.leader = leader;
    response.member_id = "m1";
    std::vector<Buffer> metadata;
    metadata.reserve(members.size());
    for (const AssignorMember& each : members) {
      metadata.push_back(encode_subscription(*find_assignor(protocol), each, {}));
      auto& member = response.members.emplace_back();
      member.member_id = each.id;
      member.metadata = metadata.back();
    }
    answer(response);
  }
  void needs_id() {
    JoinGroupResponse response;
    response.error_code = Code::member_id_required;
    response.member_id = "m1";
    answer(response);
  }
  void synced(const Partitions& partitions) {
    const Buffer bytes = encode_assignment(partitions);
    SyncGroupResponse response;
    response.assignment = bytes;
    answer(response);
  }
  void beat(Code code = Code::none) { refuse<HeartbeatResponse>(code); }

  // A member with these partitions, in generation 1.
  void settled(const char* protocol, const Partitions& partitions) {
    subscribe({"t"});
    joined(1, protocol, "m0");
    synced(partitions);
    told();
  }
};

const Partitions two = {{"t", 0}, {"t", 1}};

}  // namespace

static void the_first_member_gets_an_id_leads_and_has_everything(void**) {
  Group group;
  group.subscribe({"t"});
  expect(group, "[0ms] watch t\n[0ms] ask join for t\n");
  group.needs_id();
  expect(group, "[0ms] ask join as m1 for t\n");
  group.joined(1, "range", "m1", {{.id = "m1", .topics = {"t"}}});
  expect(group, "");                               // how many partitions there are is not known yet
  group.know({{"t", {2}}});
  expect(group, "[0ms] ask sync gen 1; m1 t-0 t-1\n");
  group.synced(two);
  expect(group, "[0ms] + t-0 t-1\n");
  group.wait(3s);
  expect(group, "[3000ms] ask heartbeat\n");
  group.beat();
  group.wait(6s);
  expect(group, "[6000ms] ask heartbeat\n");
}

static void an_eager_member_gives_up_everything_before_it_joins_again(void**) {
  Group group;
  group.settled("range", two);
  group.wait(3s);
  group.beat(Code::rebalance_in_progress);
  expect(group, "[3000ms] ask heartbeat\n[3000ms] - t-0 t-1\n");
  group.wait(6s);                                  // the application takes its time, and the coordinator hears of the member meanwhile
  expect(group, "[6000ms] ask heartbeat\n");
  group.beat(Code::rebalance_in_progress);
  expect(group, "");
  group.released();
  expect(group, "[6000ms] ask join as m1 gen 1 for t\n");
  group.joined(2, "range", "m0");
  group.synced({{"t", 1}});
  expect(group, "[6000ms] ask sync gen 2\n[6000ms] + t-1\n");
}

static void a_cooperative_member_keeps_what_stays_and_joins_again_after_giving_up_the_rest(void**) {
  Group group(Group::cooperative());
  group.settled("cooperative-sticky", two);
  group.wait(3s);
  group.beat(Code::rebalance_in_progress);
  expect(group, "[3000ms] ask heartbeat\n[3000ms] ask join as m1 gen 1 for t own t-0 t-1\n");
  group.joined(2, "cooperative-sticky", "m0");
  group.synced({{"t", 0}});
  expect(group, "[3000ms] ask sync gen 2\n[3000ms] - t-1\n");
  group.released();
  expect(group, "[3000ms] ask join as m1 gen 2 for t own t-0\n");
  group.joined(3, "cooperative-sticky", "m0");
  group.synced({{"t", 0}});
  expect(group, "[3000ms] ask sync gen 3\n");
}

static void who_is_thrown_out_has_lost_everything_and_begins_anew(void**) {
  Group group;
  group.settled("range", two);
  group.wait(3s);
  group.beat(Code::unknown_member_id);
  expect(group, "[3000ms] ask heartbeat\n[3000ms] lost t-0 t-1\n[3000ms] ask join for t\n");
}

static void an_old_generation_joins_again_under_its_id(void**) {
  Group group;
  group.settled("range", two);
  group.wait(3s);
  group.beat(Code::illegal_generation);
  expect(group, "[3000ms] ask heartbeat\n[3000ms] lost t-0 t-1\n[3000ms] ask join as m1 for t\n");
}

static void what_is_not_given_up_within_the_rebalance_time_out_is_lost(void**) {
  GroupOptions options = Group::defaults();
  options.rebalance_timeout = 10s;
  Group group(options);
  group.settled("range", two);
  group.wait(3s);
  group.beat(Code::rebalance_in_progress);
  group.told();
  while (group.member().deadline() < Instant(13s)) {
    group.wait(group.member().deadline()->time_since_epoch());
    group.beat(Code::rebalance_in_progress);
  }
  group.told();
  group.wait(13s);
  expect(group, "[13000ms] lost t-0 t-1\n[13000ms] ask join for t\n");
  group.released();                                // too late: it changes nothing
  expect(group, "");
}

static void a_fenced_static_member_stops_for_good(void**) {
  GroupOptions options = Group::defaults();
  options.instance_id = "i";
  Group group(options);
  group.settled("range", two);
  group.wait(3s);
  group.beat(Code::fenced_instance_id);
  expect(group, "[3000ms] ask heartbeat\n[3000ms] lost t-0 t-1\n[3000ms] fatal: FENCED_INSTANCE_ID\n");
  group.wait(1h);
  expect(group, "");
}

static void leaving_tells_the_coordinator_unless_the_member_is_static(void**) {
  Group group;
  group.settled("range", two);
  group.step(GroupMember::Leave{});
  expect(group, "[0ms] ask leave\n");
  group.refuse<LeaveGroupResponse>(Code::none);
  expect(group, "[0ms] left\n");
  GroupOptions options = Group::defaults();
  options.instance_id = "i";
  Group still(options);
  still.settled("range", two);
  still.step(GroupMember::Leave{});
  expect(still, "[0ms] left\n");
}

static void unsubscribing_gives_up_and_leaves_and_a_new_subscription_joins(void**) {
  Group group;
  group.settled("range", two);
  group.subscribe({});
  expect(group, "[0ms] watch\n[0ms] - t-0 t-1\n");
  group.released();
  expect(group, "[0ms] ask leave\n");
  group.refuse<LeaveGroupResponse>(Code::none);
  expect(group, "");
  group.subscribe({"u"});
  expect(group, "[0ms] watch u\n[0ms] ask join for u\n");
}

static void a_coordinator_that_cannot_be_reached_is_tried_again_with_back_off(void**) {
  Group group;
  group.subscribe({"t"});
  group.told();
  group.lose("the connection broke");
  expect(group, "");
  assert_true(group.member().deadline() > Instant(0ms) && group.member().deadline() <= Instant(120ms));
  group.wait(1s);
  const std::string again = group.told();
  assert_true(again.find("ask join for t") != again.npos);
  group.refuse<JoinGroupResponse>(Code::coordinator_load_in_progress);
  expect(group, "");
  group.wait(2s);
  group.joined(1, "range", "m0");
  group.synced(two);
  assert_true(group.member().is_member());
}

static void a_refusal_is_told_once_and_tried_again_at_leisure(void**) {
  Group group;
  group.subscribe({"t"});
  group.told();
  group.refuse<JoinGroupResponse>(Code::group_authorization_failed);
  expect(group, "[0ms] trouble: GROUP_AUTHORIZATION_FAILED\n");
  group.wait(2s);
  group.told();
  group.refuse<JoinGroupResponse>(Code::group_authorization_failed);
  expect(group, "");
}

static void the_leader_rebalances_when_a_topic_grows(void**) {
  Group group(Group::cooperative());
  group.know({{"t", {2}}});
  group.subscribe({"t"});
  group.joined(1, "cooperative-sticky", "m1", {{.id = "m1", .topics = {"t"}}});
  group.synced(two);
  group.told();
  group.know({{"t", {2}}});
  expect(group, "");
  group.know({{"t", {3}}});
  expect(group, "[0ms] ask join as m1 gen 1 for t own t-0 t-1\n");
}

// Its owner may be a static member that is restarted before it has joined again: then nothing else brings the next round about.
static void the_leader_sees_to_it_that_what_it_withheld_finds_an_owner(void**) {
  Group group(Group::cooperative());
  AssignorMember owner{.id = "m2", .topics = {"t"}};
  owner.owned = two;
  owner.generation = 0;
  group.know({{"t", {2}}});
  group.subscribe({"t"});
  group.joined(1, "cooperative-sticky", "m1", {{.id = "m1", .topics = {"t"}}, owner});
  group.synced({});
  group.told();
  group.wait(3s);
  group.beat();
  expect(group, "[3000ms] ask heartbeat\n");
  group.wait(Group::cooperative().rebalance_timeout);
  const std::string told = group.told();
  assert_non_null(strstr(told.c_str(), "ask join as m1 gen 1 for t\n"));
}

static void nobody_polls_and_the_member_makes_room_until_somebody_does(void**) {
  Group group;
  group.settled("range", two);
  group.step(GroupMember::Overdue{});
  expect(group, "[0ms] lost t-0 t-1\n[0ms] ask leave\n");
  group.refuse<LeaveGroupResponse>(Code::none);
  group.wait(1min);
  expect(group, "");
  group.step(GroupMember::Polled{});
  expect(group, "[60000ms] ask join for t\n");
}

static void an_answer_to_a_request_that_was_given_up_is_ignored(void**) {
  Group group;
  group.settled("range", two);
  group.wait(3s);                                  // a heartbeat is under way
  const uint64_t heartbeat = group.serial();
  group.subscribe({"t", "u"});
  group.released();
  group.told();
  HeartbeatResponse late;
  late.error_code = Code::unknown_member_id;
  group.step(GroupMember::Answered{heartbeat, &late});
  expect(group, "");
}

int main() {
  const CMUnitTest tests[] = {
      cmocka_unit_test(the_first_member_gets_an_id_leads_and_has_everything),
      cmocka_unit_test(an_eager_member_gives_up_everything_before_it_joins_again),
      cmocka_unit_test(a_cooperative_member_keeps_what_stays_and_joins_again_after_giving_up_the_rest),
      cmocka_unit_test(who_is_thrown_out_has_lost_everything_and_begins_anew),
      cmocka_unit_test(an_old_generation_joins_again_under_its_id),
      cmocka_unit_test(what_is_not_given_up_within_the_rebalance_time_out_is_lost),
      cmocka_unit_test(a_fenced_static_member_stops_for_good),
      cmocka_unit_test(leaving_tells_the_coordinator_unless_the_member_is_static),
      cmocka_unit_test(unsubscribing_gives_up_and_leaves_and_a_new_subscription_joins),
      cmocka_unit_test(a_coordinator_that_cannot_be_reached_is_tried_again_with_back_off),
      cmocka_unit_test(a_refusal_is_told_once_and_tried_again_at_leisure),
      cmocka_unit_test(the_leader_rebalances_when_a_topic_grows),
      cmocka_unit_test(the_leader_sees_to_it_that_what_it_withheld_finds_an_owner),
      cmocka_unit_test(nobody_polls_and_the_member_makes_room_until_somebody_does),
      cmocka_unit_test(an_answer_to_a_request_that_was_given_up_is_ignored),
  };
  return cmocka_run_group_tests_name("client.classic_member", tests, nullptr, nullptr);
}
