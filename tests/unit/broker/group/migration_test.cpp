// A group moves from the classic protocol to the consumer protocol and back,
// one member at a time.
#include "libkq/protocol/messages/consumer_protocol.hpp"
#include "tests/unit/broker/group/driver.hpp"

#include "tests/unit/cmocka.hpp"

namespace {

using namespace kq;
using namespace kq::group;

constexpr int32_t partitions = 4;

Uuid topic_id() {
  Uuid id;
  id.bytes[0] = std::byte{1};
  return id;
}

template <class Message>
std::string embedded(const Message& message) {
  std::vector<std::byte> bytes(2);
  store_be(bytes.data(), int16_t{1});
  KQ_CHECK(encode(message, 1, bytes));
  return std::string(as_text(bytes));
}

std::string assignment(const std::vector<int32_t>& of) {
  ConsumerProtocolAssignment message;
  message.assigned_partitions.push_back({.topic = "t", .partitions = of});
  return embedded(message);
}

std::vector<int32_t> assigned(std::string_view bytes) {
  if (bytes.empty()) return {};
  const auto message = decode<ConsumerProtocolAssignment>(as_bytes(bytes).subspan(2), 1);
  return message->assigned_partitions.empty() ? std::vector<int32_t>{} : message->assigned_partitions.at(0).partitions;
}

struct Old {
  std::string id;
  int32_t generation = -1;
  Code code = Code::none;
  std::vector<int32_t> owned{};
  std::string leader{};
};

struct New {
  std::string id;
  int32_t epoch = 0;
  Code code = Code::none;
  std::vector<int32_t> owned{};
};

struct Fixture : Driver {
  explicit Fixture(GroupConfig config = {}) : Driver(std::move(config)) {
    auto next = std::make_shared<cluster::Image>();
    auto topic = std::make_shared<cluster::TopicImage>();
    topic->name = "t";
    topic->id = topic_id();
    topic->partitions.resize(partitions);
    next->topics.put("t", topic);
    next->topics_by_id.put(topic->id, topic);
    image = next;
    shard->metadata_changed(now, image, {});
  }

  void join(Old& member) {
    ConsumerProtocolSubscription subscription;
    subscription.topics = {"t"};
    if (!member.owned.empty()) subscription.owned_partitions.push_back({.topic = "t", .partitions = member.owned});
    const std::string metadata = embedded(subscription);
    JoinGroupRequest request;
    request.group_id = "g";
    request.session_timeout_ms = 10'000;
    request.rebalance_timeout_ms = 30'000;
    request.member_id = member.id;
    request.protocol_type = "consumer";
    request.protocols.push_back({"cooperative-sticky", as_bytes(metadata)});
    const Caller caller{3, "old", "/127.0.0.1"};
    member.code = Code::request_timed_out;
    run([&](Writes& writes) {
      shard->join(
          now, caller, request,
          [&member](const JoinAnswer& answer) {
            member.code = answer.body.error_code;
            if (member.code != Code::none) return;
            member.id = answer.body.member_id;
            member.generation = answer.body.generation_id;
            member.leader = answer.body.leader;
          },
          writes);
    });
  }
  void sync(Old& member, const std::map<std::string, std::string>& assignments = {}) {
    SyncGroupRequest request;
    request.group_id = "g";
    request.generation_id = member.generation;
    request.member_id = member.id;
    for (const auto& [id, bytes] : assignments) request.assignments.push_back({id, as_bytes(bytes)});
    member.code = Code::request_timed_out;
    run([&](Writes& writes) {
      shard->sync(
          now, request,
          [&member](const SyncAnswer& answer) {
            member.code = answer.body.error_code;
            if (member.code == Code::none) member.owned = assigned(as_text(answer.body.assignment));
          },
          writes);
    });
  }
  Code beat(const Old& member) {
    HeartbeatRequest request;
    request.group_id = "g";
    request.generation_id = member.generation;
    request.member_id = member.id;
    Code code = Code::none;
    run([&](Writes& writes) { code = shard->heartbeat(now, request, writes); });
    return code;
  }
  // Whatever its heartbeat asks for.
  void go_on(Old& member) {
    if (beat(member) != Code::rebalance_in_progress) return;
    join(member);
    if (member.code == Code::none) sync(member);
  }
  void send(New& member, int32_t epoch) {
    ConsumerGroupHeartbeatRequest request;
    request.group_id = "g";
    request.member_id = member.id;
    request.member_epoch = epoch;
    request.rebalance_timeout_ms = 30'000;
    request.subscribed_topic_names = std::vector<std::string_view>{"t"};
    request.topic_partitions.emplace();
    if (epoch != joining_epoch) request.topic_partitions->push_back({.topic_id = topic_id(), .partitions = member.owned});
    HeartbeatAnswer answer;
    const Caller caller{1, "new", "/127.0.0.1"};
    run([&](Writes& writes) { answer = shard->heartbeat(now, caller, request, writes); });
    member.code = answer.body.error_code;
    if (member.code != Code::none) return;
    member.epoch = answer.body.member_epoch;
    if (!answer.body.assignment) return;
    member.owned.clear();
    for (const auto& topic : answer.body.assignment->topic_partitions) member.owned = topic.partitions;
  }

  // Two old members with two partitions each.
  void old_group(Old& a, Old& b) {
    join(a);
    sync(a);
    join(b);
    assert_int_equal(beat(a), Code::rebalance_in_progress);
    join(a);
    if (a.leader == a.id)
      sync(b), sync(a, {{a.id, assignment({0, 1})}, {b.id, assignment({2, 3})}});
    else
      sync(a), sync(b, {{a.id, assignment({0, 1})}, {b.id, assignment({2, 3})}});
    sync(a), sync(b);
    assert_int_equal(a.owned.size(), 2);
    assert_int_equal(b.owned.size(), 2);
  }
};

void a_new_member_turns_the_group_and_old_members_stay(void**) {
  Fixture f;
  Old a, b;
  f.old_group(a, b);
  New c{.id = "c"};
  f.send(c, joining_epoch);
  assert_int_equal(c.code, Code::none);
  assert_non_null(f.shard->groups().find<ConsumerGroup>("g"));
  assert_int_equal(f.beat(a), Code::rebalance_in_progress);
  for (int round = 0; round < 6; ++round) {
    f.go_on(a);
    f.go_on(b);
    f.send(c, c.epoch);
  }
  assert_int_equal(a.owned.size() + b.owned.size() + c.owned.size(), partitions);
  assert_true(!a.owned.empty() && !b.owned.empty() && !c.owned.empty());
  assert_string_equal(std::string(f.shard->groups().find("g")->state_name()).c_str(), "Stable");
  const auto other = f.restarted();
  assert_true(f.shard->groups().find<ConsumerGroup>("g")->same_state(*other->groups().find<ConsumerGroup>("g")));

  // The last new one leaves: the old ones go on among themselves.
  f.send(c, leaving_epoch);
  assert_null(f.shard->groups().find<ConsumerGroup>("g"));
  assert_int_equal(f.beat(a), Code::rebalance_in_progress);
  f.join(a);
  f.join(b);
  assert_int_equal(b.code, Code::none);
  if (a.leader == a.id)
    f.sync(a, {{a.id, assignment({0, 1})}, {b.id, assignment({2, 3})}});
  else
    f.sync(b, {{a.id, assignment({0, 1})}, {b.id, assignment({2, 3})}});
  f.sync(a), f.sync(b);
  assert_int_equal(a.owned.size(), 2);
  assert_int_equal(b.owned.size(), 2);
}

void a_policy_may_forbid_it(void**) {
  Fixture f(GroupConfig{.consumer_migration = {.upgrade = false, .downgrade = false}});
  Old a, b;
  f.old_group(a, b);
  New c{.id = "c"};
  f.send(c, joining_epoch);
  assert_int_equal(c.code, Code::group_id_not_found);
  assert_int_equal(f.beat(a), Code::none);
}

void an_upgrade_that_cannot_be_written_leaves_the_old_group(void**) {
  Fixture f;
  Old a, b;
  f.old_group(a, b);
  New c{.id = "c"};
  f.refuse = Code::not_enough_replicas;
  f.send(c, joining_epoch);
  f.refuse = Code::none;
  assert_non_null(f.shard->groups().find<ClassicGroup>("g"));
  assert_int_equal(f.beat(a), Code::none);
}

void an_old_member_that_is_silent_is_removed(void**) {
  Fixture f;
  Old a, b;
  f.old_group(a, b);
  New c{.id = "c"};
  f.send(c, joining_epoch);
  for (int i = 0; i < 12; ++i) {
    f.go_on(a);
    f.send(c, c.epoch);
    f.advance(2s);
  }
  assert_int_equal(f.beat(b), Code::unknown_member_id);
  for (int round = 0; round < 4; ++round) f.go_on(a), f.send(c, c.epoch);
  assert_int_equal(a.owned.size() + c.owned.size(), partitions);
}

// An administrator removes them in one request, and names one twice.
void several_members_are_removed_at_once(void**) {
  Fixture f;
  Old a, b;
  f.old_group(a, b);
  New c{.id = "c"};
  f.send(c, joining_epoch);
  const int32_t epoch = f.shard->groups().find<ConsumerGroup>("g")->epoch();
  LeaveGroupRequest request;
  request.group_id = "g";
  for (const std::string_view id : {std::string_view(a.id), std::string_view(b.id), std::string_view(a.id), std::string_view("nobody")})
    request.members.emplace_back().member_id = id;
  LeaveGroupResponse response;
  f.run([&](Writes& writes) { response = f.shard->leave(f.now, request, writes); });
  assert_int_equal(response.members[0].error_code, Code::none);
  assert_int_equal(response.members[1].error_code, Code::none);
  assert_int_equal(response.members[3].error_code, Code::unknown_member_id);
  const auto* group = f.shard->groups().find<ConsumerGroup>("g");
  assert_int_equal(group->members().size(), 1);
  assert_int_equal(group->epoch(), epoch + 1);
  for (int round = 0; round < 4; ++round) f.send(c, c.epoch);
  assert_int_equal(c.owned.size(), partitions);
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {
      cmocka_unit_test(a_new_member_turns_the_group_and_old_members_stay),
      cmocka_unit_test(a_policy_may_forbid_it),
      cmocka_unit_test(an_upgrade_that_cannot_be_written_leaves_the_old_group),
      cmocka_unit_test(several_members_are_removed_at_once),
      cmocka_unit_test(an_old_member_that_is_silent_is_removed),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
