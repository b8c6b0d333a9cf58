// ShareFetch and ShareAcknowledge as clients see them: sessions, what is acquired, what is left after a restart.
#include "libkq/protocol/messages/share_fetch.hpp"
#include "libkq/protocol/messages/find_coordinator.hpp"
#include "libkq/protocol/messages/initialize_share_group_state.hpp"
#include "libkq/protocol/messages/read_share_group_state.hpp"
#include "libkq/protocol/messages/share_acknowledge.hpp"
#include "tests/unit/broker/bed.hpp"
#include "tests/unit/broker/records.hpp"
#include "tests/unit/cmocka.hpp"

using namespace kq;
using namespace kq::broker;

namespace {

constexpr int8_t accept = 1, release = 2;

struct Ack {
  int64_t first, last;
  std::vector<int8_t> types;
};

// A topic "t" of one partition, and a share group "g" at its start.
struct Group {
  Group() : id(bed.create_topic("t")) {
    connect();
    FindCoordinatorRequest find;  // makes the topic of the states
    find.key_type = 2;
    const std::string key = "g:" + id.text() + ":0";
    find.coordinator_keys.push_back(key);
    assert_true(client->ask(find).body.coordinators.at(0).error_code == Code::none);
    InitializeShareGroupStateRequest request;
    request.group_id = "g";
    auto& topic = request.topics.emplace_back();
    topic.topic_id = id;
    topic.partitions.push_back({.partition = 0, .state_epoch = 0, .start_offset = 0});
    assert_true(client->ask(request).body.results.at(0).partitions.at(0).error_code == Code::none);
  }
  void connect() { client = bed.connect(); }
  void write(std::vector<std::string> values) {
    auto batch = batch_of({.values = std::move(values)});
    const auto partition = bed.broker->partitions->find(id, 0);
    assert_true(partition->open_now().ok());
    assert_true(partition->append(batch, true, {}).code == Code::none);
    bed.settle();
  }
  ShareFetchRequest request(const char* member, int32_t epoch, const std::vector<Ack>& acks = {}) {
    ShareFetchRequest request;
    request.group_id = "g";
    request.member_id = member;
    request.share_session_epoch = epoch;
    request.max_bytes = 1 << 20;
    request.max_records = 100;
    request.batch_size = 100;
    auto& topic = request.topics.emplace_back();
    topic.topic_id = id;
    auto& partition = topic.partitions.emplace_back();
    for (const Ack& ack : acks) partition.acknowledgement_batches.push_back({ack.first, ack.last, ack.types});
    return request;
  }
  static std::string told(const ShareFetchResponse& response) {
    if (response.error_code != Code::none) return name_of(response.error_code);
    std::string text;
    for (const auto& topic : response.responses)
      for (const auto& partition : topic.partitions) {
        if (partition.error_code != Code::none) text += name_of(partition.error_code);
        if (partition.acknowledge_error_code != Code::none) text += name_of(partition.acknowledge_error_code);
        for (const auto& a : partition.acquired_records)
          text +=
              std::to_string(a.first_offset) + "-" + std::to_string(a.last_offset) + "x" + std::to_string(a.delivery_count) + " ";
      }
    return text;
  }
  std::string fetch(const char* member, int32_t epoch, const std::vector<Ack>& acks = {}) {
    return told(client->ask(request(member, epoch, acks)).body);
  }
  Code acknowledge(const char* member, int32_t epoch, const Ack& ack) {
    ShareAcknowledgeRequest request;
    request.group_id = "g";
    request.member_id = member;
    request.share_session_epoch = epoch;
    auto& topic = request.topics.emplace_back();
    topic.topic_id = id;
    topic.partitions.push_back({.partition_index = 0, .acknowledgement_batches = {{ack.first, ack.last, ack.types}}});
    const auto answer = client->ask(request);
    return answer.body.error_code != Code::none ? answer.body.error_code
                                                : answer.body.responses.at(0).partitions.at(0).error_code;
  }

  Bed bed;
  Uuid id;
  std::unique_ptr<Client> client;
};

void two_members_share_what_there_is(void**) {
  Group g;
  g.write({"a", "b"});
  g.write({"c"});
  assert_string_equal(g.fetch("m", 0).c_str(), "0-2x1 ");
  g.write({"d"});
  assert_string_equal(g.fetch("n", 0).c_str(), "3-3x1 ");
  assert_string_equal(g.fetch("m", 1, {{0, 2, {accept, release, accept}}}).c_str(), "1-1x2 ");
}

void what_is_given_back_wakes_who_waits(void**) {
  Group g;
  g.write({"a"});
  assert_string_equal(g.fetch("m", 0).c_str(), "0-0x1 ");
  auto other = g.bed.connect();
  auto waiting = g.request("n", 0);
  waiting.max_wait_ms = 5000;
  other->send(waiting);
  g.bed.run_for(100ms);
  assert_false(other->receive<ShareFetchResponse>().has_value());
  assert_true(g.acknowledge("m", 1, {0, 0, {release}}) == Code::none);
  g.bed.run_for(10ms);
  const auto answer = other->receive<ShareFetchResponse>();
  assert_true(answer.has_value());
  assert_string_equal(Group::told(answer->body).c_str(), "0-0x2 ");
}

void a_fetch_waits_for_its_least_bytes(void**) {
  Group g;
  g.write({std::string(100, '.')});
  auto waiting = g.request("m", 0);
  waiting.max_wait_ms = 5000;
  waiting.min_bytes = 300;
  g.client->send(waiting);
  g.bed.run_for(1s);
  assert_false(g.client->receive<ShareFetchResponse>().has_value());
  g.write({std::string(200, '.')});
  g.bed.run_for(10ms);
  const auto answer = g.client->receive<ShareFetchResponse>();
  assert_true(answer.has_value());
  assert_string_equal(Group::told(answer->body).c_str(), "0-1x1 ");
}

void a_fetch_takes_less_than_its_least_bytes_when_it_has_waited_for_long(void**) {
  Group g;
  g.write({"a"});
  auto waiting = g.request("m", 0);
  waiting.max_wait_ms = 500;
  waiting.min_bytes = 1 << 20;
  g.client->send(waiting);
  g.bed.run_for(490ms);
  assert_false(g.client->receive<ShareFetchResponse>().has_value());
  g.bed.run_for(20ms);
  const auto answer = g.client->receive<ShareFetchResponse>();
  assert_true(answer.has_value());
  assert_string_equal(Group::told(answer->body).c_str(), "0-0x1 ");
}

void a_lock_that_ends_wakes_who_waits(void**) {
  Group g;
  g.write({"a"});
  assert_string_equal(g.fetch("m", 0).c_str(), "0-0x1 ");
  g.bed.run_for(29s);
  auto other = g.bed.connect();
  auto waiting = g.request("n", 0);
  waiting.max_wait_ms = 5000;
  other->send(waiting);
  g.bed.run_for(1100ms);
  const auto answer = other->receive<ShareFetchResponse>();
  assert_true(answer.has_value());
  assert_string_equal(Group::told(answer->body).c_str(), "0-0x2 ");
}

void a_connection_that_ends_gives_back_what_its_members_held(void**) {
  Group g;
  g.write({"a"});
  auto other = g.bed.connect();
  other->ask(g.request("n", 0));
  assert_string_equal(g.fetch("m", 0).c_str(), "");
  other->close();
  g.bed.run_for(10ms);
  assert_string_equal(g.fetch("m", 1).c_str(), "0-0x2 ");
}

void sessions_go_by_their_epochs(void**) {
  Group g;
  assert_string_equal(g.fetch("m", 1).c_str(), "SHARE_SESSION_NOT_FOUND");
  assert_string_equal(g.fetch("m", 0, {{0, 0, {accept}}}).c_str(), "INVALID_REQUEST");
  assert_string_equal(g.fetch("m", 0).c_str(), "");
  assert_string_equal(g.fetch("m", 2).c_str(), "INVALID_SHARE_SESSION_EPOCH");
  assert_true(g.acknowledge("m", 0, {0, 0, {accept}}) == Code::invalid_share_session_epoch);
  assert_string_equal(g.fetch("m", 1).c_str(), "");
  assert_string_equal(g.fetch("m", -1).c_str(), "");
  assert_string_equal(g.fetch("m", -1).c_str(), "SHARE_SESSION_NOT_FOUND");
  assert_string_equal(g.fetch("", 0).c_str(), "INVALID_REQUEST");
}

void what_was_acknowledged_is_so_after_a_restart(void**) {
  Group g;
  g.write({"a", "b", "c", "d"});
  assert_string_equal(g.fetch("m", 0).c_str(), "0-3x1 ");
  assert_true(g.acknowledge("m", 1, {0, 1, {accept}}) == Code::none);
  assert_true(g.acknowledge("m", 2, {2, 2, {release}}) == Code::none);
  assert_true(g.bed.stop(false).ok());
  g.bed.start();
  g.connect();
  assert_string_equal(g.fetch("m", 0).c_str(), "2-3x2 ");
}

void what_nobody_initialized_cannot_be_fetched(void**) {
  Group g;
  auto request = g.request("m", 0);
  request.group_id = "other";
  assert_string_equal(Group::told(g.client->ask(request).body).c_str(), "UNKNOWN_SERVER_ERROR");
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {
      cmocka_unit_test(two_members_share_what_there_is),
      cmocka_unit_test(what_is_given_back_wakes_who_waits),
      cmocka_unit_test(a_fetch_waits_for_its_least_bytes),
      cmocka_unit_test(a_fetch_takes_less_than_its_least_bytes_when_it_has_waited_for_long),
      cmocka_unit_test(a_lock_that_ends_wakes_who_waits),
      cmocka_unit_test(a_connection_that_ends_gives_back_what_its_members_held),
      cmocka_unit_test(sessions_go_by_their_epochs),
      cmocka_unit_test(what_was_acknowledged_is_so_after_a_restart),
      cmocka_unit_test(what_nobody_initialized_cannot_be_fetched),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
