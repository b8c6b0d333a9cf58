// The assignors against what Kafka's own have decided (assignors.jsonl), and the bytes in which members tell of it.
#include "libkq/client/assignors.hpp"

#include "libkq/client/group_protocol.hpp"
#include "tests/unit/record/vectors.hpp"

#include "tests/unit/cmocka.hpp"

using namespace kq;
using namespace kq::client;

namespace {

std::string text(const boost::json::value& value) { return std::string(value.as_string()); }

Partitions partitions_of(const boost::json::value& list) {
  Partitions partitions;
  for (const auto& each : list.as_array()) partitions.push_back({text(each.at(0)), static_cast<int32_t>(each.at(1).as_int64())});
  std::ranges::sort(partitions);
  return partitions;
}

AssignorTopics topics_of(const boost::json::object& line) {
  AssignorTopics topics;
  for (const auto& [name, count] : line.at("topics").as_object())
    topics[name].partitions = static_cast<int32_t>(count.as_int64());
  if (!line.contains("replicas")) return topics;
  const auto& racks = line.at("broker_racks").as_array();
  for (const auto& [name, replicas] : line.at("replicas").as_object()) {
    for (const auto& of_partition : replicas.as_array()) {
      auto& near = topics[name].racks.emplace_back();
      for (const auto& broker : of_partition.as_array()) {
        const auto& rack = racks.at(static_cast<size_t>(broker.as_int64()));
        if (rack.is_string()) near.push_back(text(rack));
      }
    }
  }
  return topics;
}

std::string shown(const Partitions& partitions) {
  std::string all;
  for (const TopicPartition& each : partitions) all += each.text() + " ";
  return all;
}

std::string name_of_line(const boost::json::object& line) {
  return text(line.at("assignor")) + " group " + std::to_string(line.at("group").as_int64()) + " round " +
         std::to_string(line.at("round").as_int64()) + (line.at("follow_up").as_bool() ? " follow-up" : "");
}

}  // namespace

static void every_group_is_assigned_as_kafka_does_it(void**) {
  size_t compared = 0;
  for (const auto& line : test::vectors("assignors.jsonl")) {
    const Assignor assignor = *find_assignor(text(line.at("assignor")));
    std::vector<AssignorMember> members;
    for (const auto& told : line.at("members").as_array()) {
      const test::Memory bytes = test::from_hex(told.at("subscription").as_string());
      auto member = decode_subscription(assignor, bytes);
      assert_true(member.has_value());
      member->id = text(told.at("id"));
      if (told.at("instance").is_string()) member->instance_id = text(told.at("instance"));
      members.push_back(std::move(*member));
    }
    const Assignment found = assign(assignor, members, topics_of(line));
    for (const auto& [id, wanted] : line.at("assignment").as_object()) {
      const Partitions expected = partitions_of(wanted);
      if (found.at(id) != expected)
        fail_msg("%s: %s gets %s and not %s", name_of_line(line).c_str(), std::string(id).c_str(), shown(found.at(id)).c_str(),
                 shown(expected).c_str());
    }
    ++compared;
  }
  assert_true(compared > 400);
}

static void subscriptions_are_written_as_java_writes_them(void**) {
  for (const auto& line : test::vectors("assignors.jsonl")) {
    const Assignor assignor = *find_assignor(text(line.at("assignor")));
    for (const auto& told : line.at("members").as_array()) {
      const test::Memory bytes = test::from_hex(told.at("subscription").as_string());
      const auto read = decode_subscription(assignor, bytes);
      LastAssignment last;
      if (told.at("user_data").is_string()) {
        last.generation = read->generation;
        last.partitions = read->owned;
      }
      AssignorMember self = *read;
      self.generation = static_cast<int32_t>(told.at("generation").as_int64());
      const Buffer written = encode_subscription(assignor, self, last);
      if (assignor == Assignor::sticky) {  // whose user data keeps no order
        assert_int_equal(written.size(), bytes.size());
        const auto again = decode_subscription(assignor, written);
        assert_true(again->owned == read->owned && again->generation == read->generation && again->topics == read->topics);
      } else {
        assert_string_equal(test::to_hex(written).c_str(), told.at("subscription").as_string().c_str());
      }
    }
  }
}

static void assignments_are_written_as_java_writes_them(void**) {
  for (const auto& line : test::vectors("assignors.jsonl")) {
    for (const auto& [id, wanted] : line.at("assignment_bytes").as_object()) {
      const test::Memory bytes = test::from_hex(wanted.as_string());
      const auto read = decode_assignment(bytes);
      assert_true(read.has_value());
      assert_true(*read == partitions_of(line.at("assignment").at(id)));
      assert_true(decode_assignment(encode_assignment(*read)) == read);
    }
  }
}

static void bytes_that_make_no_sense_are_refused(void**) {
  const Buffer nothing;
  const Buffer cut = {std::byte{0}, std::byte{3}, std::byte{0}, std::byte{0}, std::byte{0}, std::byte{9}};
  assert_false(decode_subscription(Assignor::range, nothing).has_value());
  assert_false(decode_subscription(Assignor::range, cut).has_value());
  assert_false(decode_assignment(cut).has_value());
  assert_true(decode_assignment(nothing)->empty());  // as a coordinator writes 'no partitions'
}

static void no_members_and_no_topics_give_nothing(void**) {
  for (const Assignor assignor : {Assignor::range, Assignor::roundrobin, Assignor::sticky, Assignor::cooperative_sticky}) {
    assert_true(assign(assignor, {}, {{"t", {3}}}).empty());
    const AssignorMember alone{.id = "a", .topics = {"gone"}};
    assert_true(assign(assignor, {&alone, 1}, {{"t", {3}}}).at("a").empty());
  }
}

int main() {
  const CMUnitTest tests[] = {
      cmocka_unit_test(every_group_is_assigned_as_kafka_does_it),
      cmocka_unit_test(subscriptions_are_written_as_java_writes_them),
      cmocka_unit_test(assignments_are_written_as_java_writes_them),
      cmocka_unit_test(bytes_that_make_no_sense_are_refused),
      cmocka_unit_test(no_members_and_no_topics_give_nothing),
  };
  return cmocka_run_group_tests_name("client.assignors", tests, nullptr, nullptr);
}
