#include <set>

#include "libkq/base/random.hpp"
#include "tests/unit/broker/group/driver.hpp"
#include "tests/unit/cmocka.hpp"

namespace {

using namespace kq;
using namespace kq::group;

// A member as a client sees itself.
struct Member {
  std::string id;
  std::optional<std::string> instance;
  int32_t generation = -1;
  std::optional<JoinAnswer> joined{};
  std::optional<SyncAnswer> synced{};

  Code join_code() const { return joined ? joined->body.error_code : Code::request_timed_out; }
  Code sync_code() const { return synced ? synced->body.error_code : Code::request_timed_out; }
  bool leads() const { return joined && joined->body.leader == id; }
  std::string assignment() const { return synced ? std::string(as_text(synced->body.assignment)) : ""; }
};

struct Fixture : Driver {
  using Driver::Driver;

  void join(Member& member, std::vector<std::string> protocols = {"range"}, int16_t version = 9,
            std::string_view metadata = "m") {
    JoinGroupRequest request;
    request.group_id = "g";
    request.session_timeout_ms = 10'000;
    request.rebalance_timeout_ms = 30'000;
    request.member_id = member.id;
    if (member.instance) request.group_instance_id = *member.instance;
    request.protocol_type = "consumer";
    for (const std::string& name : protocols) request.protocols.push_back({name, as_bytes(metadata)});
    member.joined.reset();
    const Caller caller{version, "client", "/127.0.0.1"};
    run([&](Writes& writes) {
      shard->join(
          now, caller, request,
          [&member](JoinAnswer answer) {
            member.joined = std::move(answer);
            const auto& body = member.joined->body;
            if (body.error_code == Code::none) member.generation = body.generation_id;
            if (body.error_code == Code::none || body.error_code == Code::member_id_required) member.id = body.member_id;
          },
          writes);
    });
  }
  // As clients do: with the id that it was given.
  void join_twice(Member& member) {
    join(member);
    if (member.join_code() == Code::member_id_required) join(member);
  }
  void sync(Member& member, const std::map<std::string, std::string>& assignments = {}) {
    SyncGroupRequest request;
    request.group_id = "g";
    request.generation_id = member.generation;
    request.member_id = member.id;
    if (member.instance) request.group_instance_id = *member.instance;
    for (const auto& [id, assignment] : assignments) request.assignments.push_back({id, as_bytes(assignment)});
    member.synced.reset();
    run([&](Writes& writes) {
      shard->sync(
          now, request, [&member](SyncAnswer answer) { member.synced = std::move(answer); }, writes);
    });
  }
  Code beat(const Member& member) {
    HeartbeatRequest request;
    request.group_id = "g";
    request.generation_id = member.generation;
    request.member_id = member.id;
    if (member.instance) request.group_instance_id = *member.instance;
    Code code = Code::none;
    run([&](Writes& writes) { code = shard->heartbeat(now, request, writes); });
    return code;
  }
  Code leave(const std::string& id, std::optional<std::string> instance = {}) {
    LeaveGroupRequest request;
    request.group_id = "g";
    auto& identity = request.members.emplace_back();
    identity.member_id = id;
    if (instance) identity.group_instance_id = *instance;
    LeaveGroupResponse response;
    run([&](Writes& writes) { response = shard->leave(now, request, writes); });
    return response.error_code != Code::none ? response.error_code : response.members.at(0).error_code;
  }
  const ClassicGroup& group() { return *shard->groups().find<ClassicGroup>("g"); }
  void expect_state(std::string_view state) {
    assert_string_equal(std::string(group().state_name()).c_str(), std::string(state).c_str());
  }

  // Two members, stable.
  void two(Member& a, Member& b) {
    join_twice(a);
    join_twice(b);
    assert_int_equal(beat(a), Code::rebalance_in_progress);
    join(a);
    Member& leader = a.leads() ? a : b;
    Member& other = a.leads() ? b : a;
    sync(other);
    sync(leader, {{a.id, "to a"}, {b.id, "to b"}});
    expect_state("Stable");
  }
};

void a_member_gets_its_id_first_and_then_everything(void**) {
  Fixture f;
  Member a;
  f.join(a);
  assert_int_equal(a.join_code(), Code::member_id_required);
  f.join(a);
  assert_int_equal(a.join_code(), Code::none);
  assert_true(a.leads());
  assert_int_equal(a.generation, 1);
  assert_int_equal(a.joined->body.members.size(), 1);
  f.sync(a, {{a.id, "all"}});
  assert_int_equal(a.sync_code(), Code::none);
  assert_string_equal(a.assignment().c_str(), "all");
  f.expect_state("Stable");
  assert_int_equal(f.beat(a), Code::none);
}

void a_second_member_makes_the_first_join_again(void**) {
  Fixture f;
  Member a, b;
  f.two(a, b);
  assert_int_equal(a.generation, 2);
  assert_int_equal(b.generation, 2);
  assert_string_equal(a.assignment().c_str(), "to a");
  assert_string_equal(b.assignment().c_str(), "to b");
}

void the_protocol_is_one_that_all_support_and_most_prefer(void**) {
  Fixture f;
  Member a, b, c;
  f.join(a, {"x", "y", "only a"}, 3);
  f.join(b, {"y", "x"}, 3);
  f.join(c, {"y", "x"}, 3);
  f.join(a, {"x", "y", "only a"}, 3);
  f.advance(1s);
  Member none;
  f.join(none, {"z"}, 3);
  assert_int_equal(none.join_code(), Code::inconsistent_group_protocol);
  assert_string_equal(f.group().protocol()->c_str(), "y");
}

void a_silent_member_is_removed_and_the_others_rebalance(void**) {
  Fixture f;
  Member a, b;
  f.two(a, b);
  for (int i = 0; i < 4; ++i) {
    f.advance(3s);
    if (f.beat(a) == Code::rebalance_in_progress) break;
  }
  assert_int_equal(f.beat(a), Code::rebalance_in_progress);
  f.join(a);
  assert_int_equal(a.generation, 3);
  f.sync(a, {{a.id, "all"}});
  assert_int_equal(f.beat(b), Code::unknown_member_id);
}

void who_does_not_come_back_in_time_is_left_behind(void**) {
  Fixture f;
  Member a, b, c;
  f.two(a, b);
  f.join_twice(c);
  f.join(a);
  assert_int_equal(a.join_code(), Code::request_timed_out);
  for (int i = 0; i < 31; ++i) {
    f.advance(1s);
    (void)f.beat(b);  // alive, and does not join
  }
  assert_int_equal(a.join_code(), Code::none);
  assert_int_equal(c.join_code(), Code::none);
  assert_int_equal(f.group().members().size(), 2);
}

void who_does_not_sync_is_removed(void**) {
  Fixture f;
  Member a, b;
  f.join_twice(a);
  f.join_twice(b);
  f.join(a);
  Member& leader = a.leads() ? a : b;
  Member& other = a.leads() ? b : a;
  f.sync(leader, {{a.id, "to a"}, {b.id, "to b"}});
  for (int i = 0; i < 31; ++i) {
    f.advance(1s);
    (void)f.beat(leader);
    (void)f.beat(other);
  }
  assert_int_equal(f.beat(other), Code::unknown_member_id);
  assert_int_equal(f.beat(leader), Code::rebalance_in_progress);
}

void a_static_member_comes_back_without_a_rebalance(void**) {
  Fixture f;
  Member a{.id = {}, .instance = "one"};
  f.join(a);
  f.sync(a, {{a.id, "all"}});
  Member again{.id = {}, .instance = "one"};
  f.join(again);
  assert_int_equal(again.join_code(), Code::none);
  assert_int_equal(again.generation, 1);
  assert_true(again.joined->body.skip_assignment);
  assert_string_not_equal(again.id.c_str(), a.id.c_str());
  f.sync(again);
  assert_string_equal(again.assignment().c_str(), "all");
  f.expect_state("Stable");
  assert_int_equal(f.beat(a), Code::fenced_instance_id);
  f.restart();
  assert_int_equal(f.beat(again), Code::none);
}

void a_static_member_that_cannot_be_written_stays_what_it_was(void**) {
  Fixture f;
  Member a{.id = {}, .instance = "one"};
  f.join(a);
  f.sync(a, {{a.id, "all"}});
  f.refuse = Code::kafka_storage_error;
  Member again{.id = {}, .instance = "one"};
  f.join(again);
  assert_int_equal(again.join_code(), Code::coordinator_not_available);
  f.refuse = Code::none;
  assert_int_equal(f.beat(a), Code::none);
}

void an_administrator_removes_a_static_member_by_its_instance(void**) {
  Fixture f;
  Member a{.id = {}, .instance = "one"};
  f.join(a);
  f.sync(a, {{a.id, "all"}});
  assert_int_equal(f.leave("", "other"), Code::unknown_member_id);
  assert_int_equal(f.leave("", "one"), Code::none);
  f.expect_state("Empty");
}

void the_last_one_leaves_an_empty_group_that_survives_a_restart(void**) {
  Fixture f;
  Member a;
  f.join_twice(a);
  f.sync(a, {{a.id, "all"}});
  assert_int_equal(f.leave(a.id), Code::none);
  f.expect_state("Empty");
  f.restart();
  f.expect_state("Empty");
  assert_int_equal(f.group().generation(), 2);
}

void an_assignment_that_cannot_be_written_makes_all_join_again(void**) {
  Fixture f;
  Member a;
  f.join_twice(a);
  f.refuse = Code::not_enough_replicas;
  f.sync(a, {{a.id, "all"}});
  assert_int_equal(a.sync_code(), Code::coordinator_not_available);
  f.refuse = Code::none;
  assert_int_equal(f.beat(a), Code::rebalance_in_progress);
  f.join(a);
  f.sync(a, {{a.id, "all"}});
  assert_int_equal(a.sync_code(), Code::none);
}

void a_group_that_could_not_be_written_is_not_there(void**) {
  Fixture f;
  f.refuse = Code::not_enough_replicas;
  Member a;
  f.join(a);
  assert_null(f.shard->groups().find("g"));
  f.refuse = Code::none;
  a.id.clear();
  f.join_twice(a);
  assert_int_equal(a.join_code(), Code::none);
}

void stale_requests_are_refused_by_what_is_wrong(void**) {
  Fixture f;
  Member a;
  f.join_twice(a);
  f.sync(a, {{a.id, "all"}});
  Member stale = a;
  stale.generation = 0;
  assert_int_equal(f.beat(stale), Code::illegal_generation);
  stale.id = "nobody";
  assert_int_equal(f.beat(stale), Code::unknown_member_id);
  f.sync(stale);
  assert_int_equal(stale.sync_code(), Code::unknown_member_id);
  assert_int_equal(f.leave("nobody"), Code::unknown_member_id);
}

void the_group_has_no_room_for_more_than_its_size(void**) {
  Fixture f(GroupConfig{.max_size = 1});
  Member a, b;
  f.join_twice(a);
  f.sync(a, {{a.id, "all"}});
  f.join(b);
  assert_int_equal(b.join_code(), Code::group_max_size_reached);
  assert_int_equal(f.beat(a), Code::none);
}

void the_first_rebalance_waits_for_more_members_if_it_is_told_to(void**) {
  Fixture f(GroupConfig{.initial_rebalance_delay = 3s});
  Member a, b;
  f.join_twice(a);
  f.advance(2s);
  f.join_twice(b);
  f.advance(2s);
  assert_int_equal(a.join_code(), Code::request_timed_out);
  f.advance(3s);
  assert_int_equal(a.join_code(), Code::none);
  assert_int_equal(b.join_code(), Code::none);
  assert_int_equal(a.generation, 1);
}

void an_id_that_was_given_out_and_never_used_is_forgotten(void**) {
  Fixture f;
  Member a;
  f.join(a);
  f.advance(11s);
  assert_true(f.group().pending.empty());
  f.join(a);
  assert_int_equal(a.join_code(), Code::unknown_member_id);
}

void unloading_answers_everybody_who_waits(void**) {
  Fixture f;
  Member a, b;
  f.two(a, b);
  Member c;
  f.join_twice(c);
  f.join(a);
  f.shard->unloaded();
  assert_int_equal(a.join_code(), Code::not_coordinator);
  assert_int_equal(c.join_code(), Code::not_coordinator);
}

// What of a group is in the log.
std::string durable(const GroupShard& shard) {
  std::string text;
  std::map<std::string, const ClassicGroup*> sorted;
  for (const auto& [id, group] : shard.groups().all) sorted[id] = dynamic_cast<const ClassicGroup*>(group.get());
  for (const auto& [id, group] : sorted) {
    text += id + " " + std::string(group->state_name()) + " " + std::to_string(group->generation()) + " " +
            group->protocol().value_or("-") + "\n";
    for (const auto& [member_id, member] : group->members())
      text += "  " + member_id + " " + member.instance_id.value_or("-") + " " + member.assignment + " " +
              std::string(member.metadata(group->protocol().value_or(""))) + "\n";
  }
  return text;
}

// Members come, go, fall silent and fail to write; whenever the group is at rest, its log says the same.
void a_group_at_rest_is_what_its_log_says(void**) {
  int compared = 0;
  for (uint64_t seed = 1; seed <= 200; ++seed) {
    Random random(seed);
    Fixture f;
    std::vector<Member> members(4);
    members[3].instance = "static";
    for (int step = 0; step < 150; ++step) {
      Member& member = members[random.below(members.size())];
      f.refuse = random.below(20) == 0 ? Code::not_enough_replicas : Code::none;
      switch (random.below(7)) {
        case 0:
        case 1: f.join(member); break;
        case 2:
        case 3: {
          std::map<std::string, std::string> assignments;
          if (member.leads())
            for (const auto& told : member.joined->body.members)
              assignments[std::string(told.member_id)] = "for " + std::string(told.member_id);
          f.sync(member, assignments);
          break;
        }
        case 4: (void)f.beat(member); break;
        case 5:
          if (random.below(6) == 0) (void)f.leave(member.id, member.instance);
          break;
        case 6: f.advance(std::chrono::milliseconds(random.below(4000))); break;
      }
      if (member.join_code() == Code::unknown_member_id || member.join_code() == Code::fenced_instance_id ||
          random.below(30) == 0)
        member.id.clear();
      const auto* group = f.shard->groups().find<ClassicGroup>("g");
      if (!group || !group->is(ClassicState::stable)) continue;
      const auto other = f.restarted();
      assert_string_equal(durable(*f.shard).c_str(), durable(*other).c_str());
      ++compared;
    }
  }
  assert_true(compared > 500);
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {
      cmocka_unit_test(a_member_gets_its_id_first_and_then_everything),
      cmocka_unit_test(a_second_member_makes_the_first_join_again),
      cmocka_unit_test(the_protocol_is_one_that_all_support_and_most_prefer),
      cmocka_unit_test(a_silent_member_is_removed_and_the_others_rebalance),
      cmocka_unit_test(who_does_not_come_back_in_time_is_left_behind),
      cmocka_unit_test(who_does_not_sync_is_removed),
      cmocka_unit_test(a_static_member_comes_back_without_a_rebalance),
      cmocka_unit_test(a_static_member_that_cannot_be_written_stays_what_it_was),
      cmocka_unit_test(an_administrator_removes_a_static_member_by_its_instance),
      cmocka_unit_test(the_last_one_leaves_an_empty_group_that_survives_a_restart),
      cmocka_unit_test(an_assignment_that_cannot_be_written_makes_all_join_again),
      cmocka_unit_test(a_group_that_could_not_be_written_is_not_there),
      cmocka_unit_test(stale_requests_are_refused_by_what_is_wrong),
      cmocka_unit_test(the_group_has_no_room_for_more_than_its_size),
      cmocka_unit_test(the_first_rebalance_waits_for_more_members_if_it_is_told_to),
      cmocka_unit_test(an_id_that_was_given_out_and_never_used_is_forgotten),
      cmocka_unit_test(unloading_answers_everybody_who_waits),
      cmocka_unit_test(a_group_at_rest_is_what_its_log_says),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
