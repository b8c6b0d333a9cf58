// Share groups: heartbeats, epochs, which partitions members get, and that the log tells all of it.
#include <random>

#include "broker/group/share_group_coordinator.hpp"
#include "tests/unit/broker/group/driver.hpp"
#include "tests/unit/cmocka.hpp"

namespace kq::group {
namespace {

const Uuid topic_id = *Uuid::parse("AAAAAAAAAAAAAAAAAAAAIQ");

std::shared_ptr<const cluster::Image> image_with(size_t partitions) {
  auto topic = std::make_shared<cluster::TopicImage>();
  topic->name = "t";
  topic->id = topic_id;
  topic->partitions.resize(partitions);
  for (auto& partition : topic->partitions) partition.replicas = {1};
  auto image = std::make_shared<cluster::Image>();
  image->topics.put("t", topic);
  image->topics_by_id.put(topic_id, topic);
  return image;
}

struct Written {
  std::vector<std::byte> key;
  std::optional<std::vector<std::byte>> value;
};

struct Fixture {
  explicit Fixture(size_t partitions = 4) { groups.image = image_with(partitions); }

  static void replay(ShareGroupCoordinator& to, const Written& written) {
    const auto frame = read_key_frame(written.key);
    assert_true(ShareGroup::is_of(frame->type));
    to.replay(*frame, written.value ? std::optional<Bytes>(*written.value) : std::nullopt);
  }
  void append(Writes& writes) {
    const size_t first = log.size();
    for (size_t i = 0; i < writes.size(); ++i) {
      const auto entry = writes.at(i);
      auto& written = log.emplace_back();
      written.key.assign(entry.key.begin(), entry.key.end());
      if (entry.value) written.value.emplace(entry.value->begin(), entry.value->end());
    }
    for (size_t i = first; i < log.size(); ++i) replay(coordinator, log[i]);
    writes.finish(Code::none);
  }
  ShareHeartbeatAnswer beat(const char* member, int32_t epoch, bool subscribe = true) {
    ShareGroupHeartbeatRequest request;
    request.group_id = "g";
    request.member_id = member;
    request.member_epoch = epoch;
    if (subscribe) request.subscribed_topic_names = std::vector<std::string_view>{"t"};
    Writes writes;
    auto answer = coordinator.heartbeat(
        now, {.client_id = "c", .client_host = "/h", .session_timeout = 45s, .heartbeat_interval = 5s, .members_max = 5}, request,
        writes);
    append(writes);
    return answer;
  }
  // With its states made at once.
  ShareHeartbeatAnswer join(const char* member, int32_t epoch = 0) {
    auto answer = beat(member, epoch);
    if (answer.initialize.empty()) return answer;
    Writes writes;
    coordinator.initialized("g", answer.initialize, {}, writes);
    append(writes);
    return beat(member, answer.body.member_epoch);
  }
  const ShareGroup* group() const { return groups.find<ShareGroup>("g"); }
  std::string assigned() const {  // "a:0,1 b:2"
    std::string text;
    for (const auto& [id, target] : group()->targets()) {
      text += (text.empty() ? "" : " ") + id + ":";
      for (const auto& [topic, indices] : target)
        for (const int32_t index : indices) text += std::to_string(index);
    }
    return text;
  }

  Groups groups{{}, [] { return std::string("id"); }};
  ShareGroupCoordinator coordinator{groups};
  std::vector<Written> log;
  Now now{Instant{} + 1s, 1000};
};

void partitions_without_a_state_are_not_given_out(void**) {
  Fixture f;
  const auto first = f.beat("a", 0);
  assert_true(first.body.error_code == Code::none);
  assert_int_equal(first.initialize.at(topic_id).size(), 4);
  assert_true(first.body.assignment->topic_partitions.empty());
  assert_true(f.beat("a", first.body.member_epoch).initialize.empty());  // asked for, and not answered yet
  Writes writes;
  f.coordinator.initialized("g", {{topic_id, {0, 1}}}, {{topic_id, {2, 3}}}, writes);
  f.append(writes);
  const auto next = f.beat("a", first.body.member_epoch);
  assert_int_equal(next.body.assignment->topic_partitions.at(0).partitions.size(), 2);
  assert_int_equal(next.initialize.at(topic_id).size(), 2);
  assert_true(next.body.member_epoch > first.body.member_epoch);
}

void members_share_all_partitions(void**) {
  Fixture f;
  f.join("a");
  assert_string_equal(f.assigned().c_str(), "a:0123");
  f.join("b");
  assert_string_equal(f.assigned().c_str(), "a:01 b:23");
  f.join("c");
  assert_int_equal(f.group()->targets().size(), 3);
  Fixture one(1);
  for (const char* member : {"a", "b", "c"}) one.join(member);
  assert_string_equal(one.assigned().c_str(), "a:0 b:0 c:0");
}

void a_members_epoch_follows_the_target(void**) {
  Fixture f;
  const auto a = f.join("a");
  f.join("b");
  const auto next = f.beat("a", a.body.member_epoch, false);
  assert_true(next.body.member_epoch > a.body.member_epoch);
  assert_true(next.body.assignment.has_value());
  assert_false(f.beat("a", next.body.member_epoch, false).body.assignment.has_value());
}

void strange_epochs_are_refused(void**) {
  Fixture f;
  assert_true(f.beat("a", 3).body.error_code == Code::group_id_not_found);
  const int32_t epoch = f.join("a").body.member_epoch;
  assert_true(f.beat("b", 3).body.error_code == Code::unknown_member_id);
  assert_true(f.beat("a", epoch + 1).body.error_code == Code::fenced_member_epoch);
  assert_true(f.beat("a", 0).body.error_code == Code::none);  // begins anew
}

void who_is_silent_is_removed(void**) {
  Fixture f;
  f.join("a");
  f.now.instant += 20s;
  f.join("b");
  f.now.instant += 26s;
  const auto key = f.groups.timers.take(f.now.instant);
  assert_string_equal(key->member.c_str(), "a");
  Writes writes;
  f.coordinator.timer(f.now, *key, writes);
  f.append(writes);
  assert_int_equal(f.group()->members().size(), 1);
  f.beat("b", f.group()->members().at("b").epoch);
  assert_string_equal(f.assigned().c_str(), "b:0123");
}

void an_empty_group_can_be_removed(void**) {
  Fixture f;
  f.join("a");
  assert_true(f.group()->check_delete() == Code::non_empty_group);
  assert_int_equal(f.beat("a", -1).body.member_epoch, -1);
  assert_string_equal(std::string(f.group()->state_name()).c_str(), "Empty");
  Writes writes;
  f.group()->remove(writes);
  f.append(writes);
  assert_null(f.group());
}

void an_empty_group_stays(void**) {
  Driver driver;
  driver.run([&](Writes& writes) { driver.shard->share().offsets_altered("g", {{topic_id, {0}}}, writes); });
  driver.advance(driver.config.offsets_retention_check_interval * 3 + std::chrono::milliseconds(driver.config.offsets_retention_ms));
  assert_non_null(driver.shard->groups().find<ShareGroup>("g"));
}

void setting_offsets_makes_a_group(void**) {
  Fixture f;
  assert_true(f.coordinator.check_empty("g") == Code::group_id_not_found);
  assert_true(f.coordinator.check_alter("g") == Code::none);
  Writes writes;
  f.coordinator.offsets_altered("g", {{topic_id, {0, 2}}}, writes);
  f.append(writes);
  assert_int_equal(f.group()->epoch(), 1);
  assert_true(f.group()->initialized() == (SharedPartitions{{topic_id, {0, 2}}}));
  f.join("a");
  assert_true(f.coordinator.check_alter("g") == Code::non_empty_group);
}

// As Kafka has it in ShareGroupStatePartitionMetadata: a stop between the two leaves the topic to be deleted again, or made anew.
void what_is_half_deleted_is_known(void**) {
  Fixture f;
  f.join("a");
  f.beat("a", -1);
  const auto delete_states = [&](auto step) {
    Writes writes;
    (f.coordinator.*step)("g", std::set<Uuid>{topic_id}, writes);
    f.append(writes);
  };
  delete_states(&ShareGroupCoordinator::offsets_deleting);
  assert_true(f.group()->initialized().empty());
  assert_true(f.group()->states().deleting == std::set<Uuid>{topic_id});
  delete_states(&ShareGroupCoordinator::offsets_deleted);
  assert_true(f.group()->states() == ShareStates{});
  delete_states(&ShareGroupCoordinator::offsets_deleting);
  const auto again = f.join("b");
  assert_int_equal(again.body.assignment->topic_partitions.at(0).partitions.size(), 4);
  assert_true(f.group()->states().deleting.empty());
}

void a_full_group_takes_nobody(void**) {
  Fixture f;
  for (const char* member : {"a", "b", "c", "d", "e"}) f.join(member);
  assert_true(f.beat("f", 0).body.error_code == Code::group_max_size_reached);
}

// Every partition is somebody's, nobody has more than its share, and what need not move stays.
void any_assignment_is_complete_and_even(void**) {
  std::mt19937 random(3);
  ShareGroup::Targets before;
  for (int round = 0; round < 300; ++round) {
    const size_t partitions = 1 + random() % 7, members = 1 + random() % 9;
    SharedPartitions all;
    for (size_t p = 0; p < partitions; ++p) all[topic_id].insert(static_cast<int32_t>(p));
    ShareSubscriptions subscriptions;
    for (size_t m = 0; m < members; ++m) subscriptions["m" + std::to_string(random() % 12)] = all;
    const auto targets = assign_simply(subscriptions, before);
    assert_int_equal(targets.size(), subscriptions.size());
    std::map<int32_t, size_t> shared;
    size_t least = SIZE_MAX, most = 0;
    for (const auto& [member, target] : targets) {
      const size_t count = target.empty() ? 0 : target.at(topic_id).size();
      least = std::min(least, count), most = std::max(most, count);
      if (count > 0)
        for (const int32_t index : target.at(topic_id)) ++shared[index];
    }
    assert_int_equal(shared.size(), partitions);
    assert_true(least >= 1 || subscriptions.size() > partitions * 2);
    assert_true(most - least <= 2);
    assert_true(assign_simply(subscriptions, targets) == targets);
    before = targets;
  }
}

void a_replay_of_the_log_makes_the_same_group(void**) {
  std::mt19937 random(5);
  Fixture f;
  for (int step = 0; step < 300; ++step) {
    const std::string member = "m" + std::to_string(random() % 5);
    f.now.instant += std::chrono::seconds(random() % 20);
    const auto* group = f.group();
    const bool known = group && group->members().contains(member);
    switch (random() % 5) {
      case 0:
        if (known) f.beat(member.c_str(), -1);
        break;
      case 1:
        while (const auto key = f.groups.timers.take(f.now.instant)) {
          Writes writes;
          f.coordinator.timer(f.now, *key, writes);
          f.append(writes);
        }
        break;
      default: f.join(member.c_str(), known ? group->members().at(member).epoch : 0);
    }
    Groups other{{}, [] { return std::string("id"); }};
    ShareGroupCoordinator again(other);
    for (const Written& written : f.log) Fixture::replay(again, written);
    if (f.group()) assert_true(*other.find<ShareGroup>("g") == *f.group());
  }
}

}  // namespace
}  // namespace kq::group

int main() {
  using namespace kq::group;
  const CMUnitTest tests[] = {
      cmocka_unit_test(partitions_without_a_state_are_not_given_out),
      cmocka_unit_test(members_share_all_partitions),
      cmocka_unit_test(a_members_epoch_follows_the_target),
      cmocka_unit_test(strange_epochs_are_refused),
      cmocka_unit_test(who_is_silent_is_removed),
      cmocka_unit_test(an_empty_group_can_be_removed),
      cmocka_unit_test(an_empty_group_stays),
      cmocka_unit_test(setting_offsets_makes_a_group),
      cmocka_unit_test(what_is_half_deleted_is_known),
      cmocka_unit_test(a_full_group_takes_nobody),
      cmocka_unit_test(any_assignment_is_complete_and_even),
      cmocka_unit_test(a_replay_of_the_log_makes_the_same_group),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
