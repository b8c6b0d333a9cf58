// What a connection does with requests that are fine, and with those that are not.
#include "broker/connection.hpp"

#include "libkq/protocol/messages/describe_configs.hpp"
#include "libkq/protocol/messages/incremental_alter_configs.hpp"
#include "libkq/protocol/messages/list_offsets.hpp"
#include "tests/unit/broker/bed.hpp"
#include "tests/unit/broker/records.hpp"
#include "tests/unit/cmocka.hpp"

using namespace kq;
using namespace kq::broker;

namespace {

std::vector<std::byte> frame_of(std::initializer_list<int> bytes) {
  std::vector<std::byte> frame;
  for (const int byte : bytes) frame.push_back(static_cast<std::byte>(byte));
  return frame;
}

ListOffsetsRequest list_offsets() {
  ListOffsetsRequest request;
  request.replica_id = -1;
  return request;
}

}  // namespace

static void pipelined_requests_are_answered_in_their_order(void**) {
  Bed bed;
  auto client = bed.connect();
  for (int i = 0; i < 300; ++i) client->send(list_offsets());
  for (int i = 1; i <= 300; ++i) {
    const auto answer = client->receive<ListOffsetsResponse>();
    assert_true(answer.has_value());
    assert_int_equal(answer->correlation_id, i);
  }
}

static void a_request_may_arrive_byte_by_byte(void**) {
  Bed bed;
  auto client = bed.connect();
  Encoded frame;
  assert_true(encode_request(list_offsets(), ListOffsetsRequest::stable, 9, "slow", frame));
  for (const std::byte& byte : frame.bytes) {
    client->write({&byte, 1});
    bed.run_for(1ms);
  }
  assert_int_equal(client->receive<ListOffsetsResponse>().value().correlation_id, 9);
}

static void a_frame_of_absurd_length_ends_the_connection(void**) {
  Bed bed;
  for (const auto& frame : {frame_of({0x7f, 0xff, 0xff, 0xff}), frame_of({0xff, 0xff, 0xff, 0xff}), frame_of({0, 0, 0, 0}), frame_of({'G', 'E', 'T', ' '})}) {
    auto client = bed.connect();
    client->write(frame);
    assert_true(client->closed());
  }
}

static void a_request_that_cannot_be_read_ends_the_connection(void**) {
  Bed bed;
  // LeaderAndIsr is gone; 999 never was; Produce has no version 99; ListOffsets 11 needs a body.
  for (const auto& frame : {frame_of({0, 0, 0, 10, 0, 4, 0, 0, 0, 0, 0, 1, 0xff, 0xff}), frame_of({0, 0, 0, 10, 3, 0xe7, 0, 0, 0, 0, 0, 1, 0xff, 0xff}),
                            frame_of({0, 0, 0, 10, 0, 0, 0, 99, 0, 0, 0, 1, 0xff, 0xff}),
                            frame_of({0, 0, 0, 11, 0, 2, 0, 11, 0, 0, 0, 1, 0xff, 0xff, 0})}) {
    auto client = bed.connect();
    client->write(frame);
    assert_true(client->closed());
  }
}

static void a_frame_has_to_be_whole_in_time(void**) {
  Bed bed;
  auto slow = bed.connect();
  auto other = bed.connect();
  slow->write(frame_of({0, 0, 0, 100, 0}));
  for (int second = 0; second < 29; ++second) {
    bed.run_for(1s);
    slow->write(frame_of({0}));
    assert_false(slow->closed());
  }
  bed.run_for(2s);
  assert_true(slow->closed());
  assert_false(other->closed());
  other->ask(list_offsets());
}

static void an_idle_connection_ends_after_its_time(void**) {
  Bed bed(Settings{{"connections.max.idle.ms", "60000"}});
  auto idle = bed.connect();
  bed.run_for(59s);
  assert_false(idle->closed());
  idle->ask(list_offsets());
  bed.run_for(59s);
  assert_false(idle->closed());
  bed.run_for(2s);
  assert_true(idle->closed());
}

static void who_does_not_take_his_answers_is_not_read_from(void**) {
  Bed bed;
  const Uuid topic = bed.create_topic("t");
  const auto batch = batch_of({{std::string(200'000, 'v')}});
  auto client = bed.connect();
  ProduceRequest produce;
  produce.acks = 1;
  auto& data = produce.topic_data.emplace_back();
  data.topic_id = topic;
  data.partition_data.emplace_back().records = Records{.bytes = batch};
  client->ask(produce);

  FetchRequest fetch;
  fetch.min_bytes = 1;
  auto& asked = fetch.topics.emplace_back();
  asked.topic_id = topic;
  asked.partitions.emplace_back().partition_max_bytes = 1 << 20;
  Encoded frame;
  assert_true(encode_request(fetch, FetchRequest::stable, 1, "deaf", frame));
  // Far more requests than a connection may have unanswered: the rest is not taken in.
  const Bytes bytes = frame.bytes;
  size_t taken = 0;
  for (int i = 0; i < 20'000; ++i) {
    const Transfer written = client->stream().try_write({&bytes, 1});
    bed.settle();
    if (!written.moved()) break;
    taken += written.bytes;
  }
  assert_true(taken < 2 << 20);
  bed.run_for(11min);
  assert_true(client->closed());
}

static void large_frames_share_one_budget(void**) {
  Bed bed(Settings{{"socket.request.max.bytes", "4194304"}, {"queued.max.request.bytes", "4194304"}});
  const std::vector<std::byte> rest(3 << 20);
  const auto begin = [&](Client& client) {        // how much of a frame of 3 MiB is taken in
    client.write(frame_of({0, 0x30, 0, 0}));
    Bytes left = Bytes{rest}.first(rest.size() - 1);
    while (!left.empty()) {
      const Transfer written = client.stream().try_write({&left, 1});
      if (!written.moved()) break;
      left = left.subspan(written.bytes);
      bed.settle();
    }
    return rest.size() - left.size();
  };
  auto first = bed.connect();
  auto second = bed.connect();
  assert_int_equal(begin(*first), rest.size());
  assert_true(begin(*second) < 1 << 20);
  first->close();
  bed.run_for(1s);
  const Bytes more = Bytes{rest}.first(1);
  assert_true(second->stream().try_write({&more, 1}).moved());      // what the first held is the second's now
  auto third = bed.connect();
  third->ask(list_offsets());
}

static void connections_of_one_address_are_counted(void**) {
  Bed bed(Settings{{"max.connections.per.ip", "2"}});
  auto first = bed.connect();
  auto second = bed.connect();
  auto third = bed.connect();
  assert_false(first->closed());
  assert_false(second->closed());
  assert_true(third->closed());
  second->close();
  bed.settle();
  auto fourth = bed.connect();
  fourth->ask(list_offsets());
}

static void limits_that_are_set_while_the_broker_runs_hold_at_once_and_after_a_restart(void**) {
  Bed bed;
  const auto set = [&](std::string_view broker, std::string_view limit) {
    IncrementalAlterConfigsRequest request;
    auto& resource = request.resources.emplace_back();
    resource.resource_type = 4;
    resource.resource_name = broker;
    auto& config = resource.configs.emplace_back();
    config.name = "max.connections.per.ip";
    config.value = limit;
    auto client = bed.connect();
    assert_true(client->ask(request).body.responses.at(0).error_code == Code::none);
    client->close();
    bed.settle();
  };
  set("", "1");
  {
    auto first = bed.connect();
    auto second = bed.connect();
    assert_true(second->closed());
    assert_false(first->closed());
    first->close();
    bed.settle();
  }
  set("1", "2");                                   // its own is stronger than everybody's
  assert_true(bed.stop().ok());
  bed.start();
  auto first = bed.connect();
  auto second = bed.connect();
  auto third = bed.connect();
  assert_false(second->closed());
  assert_true(third->closed());
}

static void a_broker_tells_its_id_under_both_names(void**) {
  Bed bed(Settings{{"node.id", "7"}});
  auto client = bed.connect();
  DescribeConfigsRequest request;
  auto& resource = request.resources.emplace_back();
  resource.resource_type = 4;
  resource.resource_name = "7";
  resource.configuration_keys = std::vector<std::string_view>{"node.id", "broker.id"};
  const auto answer = client->ask(request);
  const auto& configs = answer.body.results.at(0).configs;
  assert_int_equal(configs.size(), 2);
  for (const auto& config : configs) assert_string_equal(std::string(*config.value).c_str(), "7");
}

int main() {
  const CMUnitTest tests[] = {
      cmocka_unit_test(pipelined_requests_are_answered_in_their_order),
      cmocka_unit_test(a_request_may_arrive_byte_by_byte),
      cmocka_unit_test(a_frame_of_absurd_length_ends_the_connection),
      cmocka_unit_test(a_request_that_cannot_be_read_ends_the_connection),
      cmocka_unit_test(a_frame_has_to_be_whole_in_time),
      cmocka_unit_test(an_idle_connection_ends_after_its_time),
      cmocka_unit_test(who_does_not_take_his_answers_is_not_read_from),
      cmocka_unit_test(large_frames_share_one_budget),
      cmocka_unit_test(connections_of_one_address_are_counted),
      cmocka_unit_test(limits_that_are_set_while_the_broker_runs_hold_at_once_and_after_a_restart),
      cmocka_unit_test(a_broker_tells_its_id_under_both_names),
  };
  return cmocka_run_group_tests_name("broker.connection", tests, nullptr, nullptr);
}
