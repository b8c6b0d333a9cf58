#include <cstdlib>
#include <set>
#include <string_view>

#include "libkq/base/random.hpp"
#include "tests/unit/broker/group/driver.hpp"

#include "tests/unit/cmocka.hpp"

namespace {

using namespace kq;
using namespace kq::group;

constexpr Uuid topic_id(uint8_t number) {
  Uuid id;
  id.bytes[0] = std::byte{number};
  return id;
}

struct Member {
  std::string id;
  std::optional<std::string> instance{};
  int32_t epoch = 0;
  TopicPartitions owned{};
  std::vector<std::string_view> topics{"t"};
  std::optional<std::string_view> regex{};
  std::optional<std::string_view> assignor{};
  Code code = Code::none;
  bool told = false;  // the last answer had an assignment
};

struct Fixture : Driver {
  using Driver::Driver;

  void topics(const std::map<std::string, int32_t>& counts) {
    auto next = std::make_shared<cluster::Image>();
    uint8_t number = 0;
    for (const auto& [name, count] : counts) {
      auto topic = std::make_shared<cluster::TopicImage>();
      topic->name = name;
      topic->id = topic_id(++number);
      topic->partitions.resize(static_cast<size_t>(count));
      next->topics.put(name, topic);
      next->topics_by_id.put(topic->id, topic);
    }
    image = next;
    shard->metadata_changed(now, image, {});
  }

  void send(Member& member, int32_t epoch, bool whole = false) {
    ConsumerGroupHeartbeatRequest request;
    request.group_id = "g";
    request.member_id = member.id;
    request.member_epoch = epoch;
    if (member.instance) request.instance_id = *member.instance;
    request.topic_partitions.emplace();
    for (const auto& [id, partitions] : member.owned)
      request.topic_partitions->push_back({.topic_id = id, .partitions = {partitions.begin(), partitions.end()}});
    if (epoch == joining_epoch || whole) {
      request.rebalance_timeout_ms = 30'000;
      request.subscribed_topic_names = member.topics;
      request.subscribed_topic_regex = member.regex;
      request.server_assignor = member.assignor;
    }
    HeartbeatAnswer answer;
    const Caller caller{1, "client", "/127.0.0.1"};
    const Code appended = run([&](Writes& writes) { answer = shard->heartbeat(now, caller, request, writes); });
    member.code = appended != Code::none ? appended : answer.body.error_code;
    member.told = false;
    if (member.code != Code::none) return;
    member.epoch = answer.body.member_epoch;
    if (!answer.body.assignment) return;
    member.told = true;
    member.owned.clear();  // at once: it revokes and takes in one go
    for (const auto& topic : answer.body.assignment->topic_partitions)
      member.owned[topic.topic_id] = {topic.partitions.begin(), topic.partitions.end()};
  }
  void join(Member& member) {
    member.owned.clear();
    send(member, joining_epoch);
  }
  void beat(Member& member) { send(member, member.epoch); }
  void leave(Member& member, int32_t epoch = leaving_epoch) { send(member, epoch); }
  // Until nothing changes.
  void settle(std::vector<Member*> members) {
    for (int round = 0; round < 10; ++round)
      for (Member* member : members) beat(*member);
  }
  const ConsumerGroup& group() { return *shard->groups().find<ConsumerGroup>("g"); }
  std::string state() { return std::string(group().state_name()); }
};

size_t count(const Member& member) {
  size_t sum = 0;
  for (const auto& [id, partitions] : member.owned) sum += partitions.size();
  return sum;
}

void one_member_gets_everything_at_once(void**) {
  Fixture f;
  f.topics({{"t", 3}});
  Member a{.id = "a"};
  f.join(a);
  assert_int_equal(a.code, Code::none);
  assert_int_equal(a.epoch, 1);
  assert_int_equal(count(a), 3);
  assert_string_equal(f.state().c_str(), "Stable");
  f.beat(a);
  assert_false(a.told);
}

void a_second_member_gets_what_the_first_gave_up(void**) {
  Fixture f;
  f.topics({{"t", 4}});
  Member a{.id = "a"}, b{.id = "b"};
  f.join(a);
  f.join(b);
  assert_int_equal(count(b), 0);
  f.beat(a);  // learns what to revoke
  assert_int_equal(count(a), 2);
  f.beat(b);
  assert_int_equal(count(b), 0);  // not yet given up
  f.beat(a);                      // has revoked
  assert_int_equal(a.epoch, 2);
  f.beat(b);
  assert_int_equal(count(b), 2);
  assert_string_equal(f.state().c_str(), "Stable");
}

void five_members_on_four_partitions_leave_one_idle(void**) {
  Fixture f;
  f.topics({{"t", 4}});
  std::vector<Member> members;
  std::vector<Member*> all;
  for (const char* id : {"a", "b", "c", "d", "e"}) members.push_back({.id = id});
  for (Member& member : members) {
    f.join(member);
    all.push_back(&member);
    f.settle(all);
  }
  std::multiset<size_t> counts;
  for (const Member& member : members) counts.insert(count(member));
  assert_true((counts == std::multiset<size_t>{0, 1, 1, 1, 1}));
  assert_string_equal(f.state().c_str(), "Stable");
}

void a_silent_member_s_partitions_go_to_the_others(void**) {
  Fixture f;
  f.topics({{"t", 4}});
  Member a{.id = "a"}, b{.id = "b"};
  f.join(a);
  f.join(b);
  f.settle({&a, &b});
  for (int i = 0; i < 10; ++i) {
    f.advance(5s);
    f.beat(a);
  }
  assert_int_equal(count(a), 4);
  f.beat(b);
  assert_int_equal(b.code, Code::unknown_member_id);
}

void who_does_not_revoke_in_time_is_fenced(void**) {
  Fixture f;
  f.topics({{"t", 4}});
  Member a{.id = "a"}, b{.id = "b"};
  f.join(a);
  const TopicPartitions everything = a.owned;
  f.join(b);
  for (int i = 0; i < 8; ++i) {
    a.owned = everything;  // keeps all
    f.beat(a);
    f.beat(b);
    f.advance(5s);
  }
  assert_int_equal(a.code, Code::unknown_member_id);
  f.beat(b);
  assert_int_equal(count(b), 4);
}

void a_wrong_epoch_is_fenced_but_for_a_lost_answer(void**) {
  Fixture f;
  f.topics({{"t", 2}});
  Member a{.id = "a"}, b{.id = "b"};
  f.join(a);
  a.epoch = 7;
  f.beat(a);
  assert_int_equal(a.code, Code::fenced_member_epoch);
  f.join(a);
  assert_int_equal(a.code, Code::none);
  f.join(b);
  f.settle({&a, &b});
  Member lost = a;
  lost.epoch = a.epoch - 1;
  lost.owned.clear();
  f.beat(lost);
  assert_int_equal(lost.code, Code::none);
}

void a_static_member_that_restarts_keeps_its_partitions(void**) {
  Fixture f;
  f.topics({{"t", 4}});
  Member a{.id = "a", .instance = "one"}, b{.id = "b"};
  f.join(a);
  f.join(b);
  f.settle({&a, &b});
  const TopicPartitions before = a.owned;
  const int32_t epoch = f.group().epoch();
  Member thief{.id = "thief", .instance = "one"};
  f.join(thief);
  assert_int_equal(thief.code, Code::unreleased_instance_id);
  f.leave(a, static_leaving_epoch);
  Member again{.id = "again", .instance = "one"};
  f.join(again);
  assert_int_equal(again.code, Code::none);
  assert_true(again.owned == before);
  assert_int_equal(f.group().epoch(), epoch);
  f.beat(a);
  assert_int_equal(a.code, Code::fenced_instance_id);
}

void a_topic_that_grows_is_assigned_again(void**) {
  Fixture f;
  f.topics({{"t", 2}});
  Member a{.id = "a"};
  f.join(a);
  f.topics({{"t", 5}});
  f.beat(a);
  assert_int_equal(count(a), 5);
}

void a_pattern_follows_the_topics(void**) {
  Fixture f;
  f.topics({{"orders", 1}, {"payments", 1}});
  Member a{.id = "a"};
  a.topics.clear();
  a.regex = "ord.*";
  f.join(a);
  assert_int_equal(count(a), 1);
  f.topics({{"orders", 1}, {"orders-2", 2}, {"payments", 1}});
  f.beat(a);
  assert_int_equal(count(a), 3);
  Member bad{.id = "bad"};
  bad.regex = "(";
  f.join(bad);
  assert_int_equal(bad.code, Code::invalid_regular_expression);
  assert_int_equal(f.group().members().size(), 1);
}

void a_heartbeat_that_cannot_be_written_changes_nothing(void**) {
  Fixture f;
  f.topics({{"t", 2}});
  Member a{.id = "a"}, b{.id = "b"};
  f.join(a);
  f.refuse = Code::not_enough_replicas;
  f.join(b);
  assert_int_equal(b.code, Code::not_enough_replicas);
  assert_int_equal(f.group().members().size(), 1);
  f.refuse = Code::none;
  f.join(b);
  f.settle({&a, &b});
  assert_int_equal(count(a), 1);
  assert_int_equal(count(b), 1);
}

void range_gives_consecutive_partitions(void**) {
  AssignorInput input;
  input.topics[topic_id(1)] = 5;
  input.members.push_back({.id = "a", .instance_id = {}, .topics = {topic_id(1)}});
  input.members.push_back({.id = "b", .instance_id = {}, .topics = {topic_id(1)}});
  const auto assigned = assign_range(input);
  assert_true((assigned[0] == TopicPartitions{{topic_id(1), {0, 1, 2}}}));
  assert_true((assigned[1] == TopicPartitions{{topic_id(1), {3, 4}}}));
}

// Whatever is owned before, uniform assigns every partition once, to a subscriber, evenly where subscriptions are equal.
void uniform_is_complete_and_even(void**) {
  for (uint64_t seed = 1; seed <= 300; ++seed) {
    Random random(seed);
    AssignorInput input;
    const bool equal = random.below(2) == 0;
    const size_t topics = 1 + random.below(5), members = 1 + random.below(6);
    for (size_t t = 0; t < topics; ++t)
      input.topics[topic_id(static_cast<uint8_t>(t + 1))] = static_cast<int32_t>(random.below(8));
    std::vector<std::string> ids;
    for (size_t m = 0; m < members; ++m) ids.push_back("m" + std::to_string(m));
    for (const std::string& id : ids) {
      auto& member = input.members.emplace_back();
      member.id = id;
      for (const auto& [topic, count] : input.topics)
        if (equal || random.below(3) > 0) member.topics.insert(topic);
    }
    auto assigned = assign_uniform(input);
    const auto first = assigned;
    for (size_t m = 0; m < members; ++m) input.members[m].owned = &first[m];
    if (equal) assert_true(assign_uniform(input) == first);  // who is content keeps all
    std::map<std::pair<Uuid, int32_t>, int> seen;
    size_t least = SIZE_MAX, most = 0;
    for (size_t m = 0; m < members; ++m) {
      size_t of_member = 0;
      for (const auto& [topic, partitions] : assigned[m]) {
        assert_true(input.members[m].topics.contains(topic));
        of_member += partitions.size();
        for (const int32_t partition : partitions) ++seen[{topic, partition}];
      }
      least = std::min(least, of_member), most = std::max(most, of_member);
    }
    if (equal) assert_true(most - least <= 1);
    for (const auto& [place, times] : seen) assert_int_equal(times, 1);
    size_t wanted = 0;
    for (const auto& [topic, count] : input.topics)
      if (std::ranges::any_of(input.members, [&](const AssignorMember& member) { return member.topics.contains(topic); }))
        wanted += static_cast<size_t>(count);
    assert_int_equal(seen.size(), wanted);
  }
}

// At no time do two members hold a partition; in the end all are held; and the log always says what the state is.
void random_runs_keep_one_owner_and_a_true_log(void**) {
  const char* tier = std::getenv("KQ_TEST_TIER");
  const uint64_t seeds = tier && std::string_view(tier) == "full" ? 1000 : 20;
  for (uint64_t seed = 1; seed <= seeds; ++seed) {
    Random random(seed);
    Fixture f;
    f.topics({{"t", 4}, {"u", 3}});
    std::vector<Member> members;
    for (const char* id : {"a", "b", "c", "d"}) members.push_back({.id = id, .topics = {"t", "u"}});
    members[3].instance = "static";
    std::vector<bool> in(members.size());
    for (int step = 0; step < 120; ++step) {
      const size_t i = random.below(members.size());
      Member& member = members[i];
      f.refuse = random.below(15) == 0 ? Code::not_enough_replicas : Code::none;
      const Member before = member;
      if (!in[i])
        f.join(member);
      else if (random.below(12) == 0)
        f.leave(member);
      else
        f.beat(member);
      if (member.code == Code::not_enough_replicas)
        member = before;
      else
        in[i] = member.code == Code::none && member.epoch >= 0;
      if (!in[i]) member.owned.clear();
      f.refuse = Code::none;
      if (random.below(10) == 0) f.advance(std::chrono::seconds(random.below(10)));
      if (random.below(15) == 0) f.topics({{"t", 4 + static_cast<int32_t>(random.below(3))}, {"u", 3}});
      std::set<std::pair<Uuid, int32_t>> held;
      const auto* group = f.shard->groups().find<ConsumerGroup>("g");
      if (!group) continue;
      for (const auto& [id, of] : group->members())
        for (const TopicPartitions* some : {&of.assigned, &of.pending_revocation})
          for (const auto& [topic, partitions] : *some)
            for (const int32_t partition : partitions) assert_true(held.insert({topic, partition}).second);
      const auto other = f.restarted();
      assert_true(group->same_state(*other->groups().find<ConsumerGroup>("g")));
    }
    std::vector<Member*> left;
    for (size_t i = 0; i < members.size(); ++i) {
      f.join(members[i]);
      if (members[i].code == Code::none) left.push_back(&members[i]);
    }
    f.settle(left);
    size_t sum = 0;
    for (const Member* member : left) sum += count(*member);
    size_t wanted = 0;
    f.image->topics.for_each([&](const auto&, const auto& topic) { wanted += topic->partitions.size(); });
    assert_int_equal(sum, wanted);
    assert_string_equal(f.state().c_str(), "Stable");
  }
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {
      cmocka_unit_test(one_member_gets_everything_at_once),
      cmocka_unit_test(a_second_member_gets_what_the_first_gave_up),
      cmocka_unit_test(five_members_on_four_partitions_leave_one_idle),
      cmocka_unit_test(a_silent_member_s_partitions_go_to_the_others),
      cmocka_unit_test(who_does_not_revoke_in_time_is_fenced),
      cmocka_unit_test(a_wrong_epoch_is_fenced_but_for_a_lost_answer),
      cmocka_unit_test(a_static_member_that_restarts_keeps_its_partitions),
      cmocka_unit_test(a_topic_that_grows_is_assigned_again),
      cmocka_unit_test(a_pattern_follows_the_topics),
      cmocka_unit_test(a_heartbeat_that_cannot_be_written_changes_nothing),
      cmocka_unit_test(range_gives_consecutive_partitions),
      cmocka_unit_test(uniform_is_complete_and_even),
      cmocka_unit_test(random_runs_keep_one_owner_and_a_true_log),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
