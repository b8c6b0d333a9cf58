#include "libkq/rpc/connection.hpp"

#include "libkq/protocol/messages/list_offsets.hpp"
#include "libkq/protocol/messages/metadata.hpp"
#include "libkq/protocol/messages/produce.hpp"
#include "tests/unit/cmocka.hpp"
#include "tests/unit/rpc/fake_broker.hpp"

using namespace kq;

namespace {

struct Opened {
  std::shared_ptr<Connection> connection;
  std::string error;
  bool done = false;
};

awaitable<void> open_into(SimulatedWorld& world, Address address, ConnectionOptions options, Opened& opened) {
  auto made = co_await Connection::open(world.loop, world.network, address, options, FramePool(), Clock::now() + 10s);
  if (made) opened.connection = *made;
  else opened.error = made.error().message();
  opened.done = true;
}

struct Talk : SimulatedWorld {
  Talk() : broker(*this, 9092) {}
  ~Talk() {
    if (opened.connection) opened.connection->close({own_code::closed, "the test is over"});
    broker.stop();
    pass(1s);
  }

  bool open(ConnectionOptions options = {}) {
    loop.spawn(open_into(*this, broker.address(), options, opened));
    drive([&] { return opened.done; });
    return opened.connection != nullptr;
  }
  Connection& connection() { return *opened.connection; }

  // Asks for metadata; what becomes of it is noted as one word, in order.
  void ask(Duration within = 5s) {
    const size_t number = asked++;
    Status sent = connection().send(MetadataRequest{}, Clock::now() + within, [this, number](Result<Answer> answer) {
      notes += std::to_string(number) + (answer ? " " : "! ");
      if (answer) last = std::move(*answer);
      else last_error = answer.error().message();
    });
    if (!sent) notes += "refused ";
  }

  FakeBroker broker;
  Opened opened;
  size_t asked = 0;
  std::string notes, last_error;
  Answer last;
};

void answer_with_cluster_id(Talk& talk, size_t length) {
  talk.broker.on<MetadataRequest>([length](const MetadataRequest&) {
    static std::string text;
    text.assign(100, 'c');
    MetadataResponse response;
    for (size_t i = 0; i < length / 100; ++i) {
      auto& broker = response.brokers.emplace_back();
      broker.host = text;
      broker.node_id = static_cast<int32_t>(i);
    }
    return response;
  });
}

}  // namespace

static void versions_are_agreed_on_before_anything_else(void**) {
  Talk talk;
  assert_true(talk.open());
  assert_int_equal(*talk.connection().apis().choose<MetadataRequest>(), MetadataRequest::stable);
}

/* KIP-511: an old broker answers our ApiVersions in its oldest form, with what it speaks. */
static void an_old_broker_is_asked_again_in_its_own_version(void**) {
  Talk talk;
  std::string versions;
  talk.broker.on_frame(ApiVersionsRequest::key, [&](const RequestFrame& frame) {
    versions += std::to_string(frame.version()) + " ";
    ApiVersionsResponse response;
    response.api_keys.push_back({ApiVersionsRequest::key, 0, 2});
    if (frame.version() > 2) {
      response.error_code = Code::unsupported_version;
      return FakeBroker::framed(response, 0, frame.header.correlation_id);
    }
    response.api_keys.push_back({MetadataRequest::key, 0, 5});
    return FakeBroker::framed(response, frame.version(), frame.header.correlation_id);
  });
  assert_true(talk.open());
  assert_string_equal(versions.c_str(), "4 2 ");
  assert_int_equal(*talk.connection().apis().choose<MetadataRequest>(), 5);
  const auto none = talk.connection().apis().choose<ListOffsetsRequest>();
  assert_int_equal(none.error().code(), own_code::unsupported);
}

static void answers_come_in_order_and_each_once(void**) {
  Talk talk;
  answer_with_cluster_id(talk, 100);
  assert_true(talk.open());
  for (int i = 0; i < 5; ++i) talk.ask();
  assert_string_equal(talk.notes.c_str(), "");             // never from inside send
  talk.pass(1s);
  assert_string_equal(talk.notes.c_str(), "0 1 2 3 4 ");
  assert_int_equal(talk.connection().in_flight(), 0);
}

static void long_answers_are_whole(void**) {
  Talk talk;
  answer_with_cluster_id(talk, 3'000'000);
  assert_true(talk.open());
  talk.ask();
  talk.ask();
  talk.pass(1s);
  assert_string_equal(talk.notes.c_str(), "0 1 ");
  const auto message = decode<MetadataResponse>(talk.last.body, talk.last.version);
  assert_true(message.has_value());
  assert_int_equal(message->brokers.size(), 30000);
  assert_int_equal(message->brokers.back().node_id, 29999);
}

static void a_deadline_ends_the_connection_and_all_on_it(void**) {
  Talk talk;
  assert_true(talk.open());
  std::string end;
  talk.connection().on_end([&](const Error& why) { end = talk.notes + why.message(); });
  talk.ask(2s);
  talk.ask(1s);
  talk.pass(900ms);
  assert_string_equal(talk.notes.c_str(), "");
  talk.pass(200ms);
  assert_string_equal(talk.notes.c_str(), "0! 1! ");
  assert_string_equal(end.c_str(), "0! 1! broker:9092 did not answer metadata in time");
  talk.ask();
  assert_string_equal(talk.notes.c_str(), "0! 1! refused ");
}

static void a_broken_connection_fails_what_is_in_flight(void**) {
  Talk talk;
  assert_true(talk.open());
  talk.ask();
  talk.ask();
  talk.broker.stop();
  talk.pass(100ms);
  assert_string_equal(talk.notes.c_str(), "0! 1! ");
  assert_false(talk.connection().usable());
}

static void an_answer_to_something_else_ends_the_connection(void**) {
  Talk talk;
  talk.broker.on_frame(MetadataRequest::key, [](const RequestFrame& frame) {
    return FakeBroker::framed(MetadataResponse{}, frame.version(), frame.header.correlation_id + 1);
  });
  assert_true(talk.open());
  talk.ask();
  talk.pass(1s);
  assert_string_equal(talk.notes.c_str(), "0! ");
  assert_string_equal(talk.last_error.c_str(), "broker:9092 sent an answer that is not to metadata");
}

static void an_absurd_length_is_refused_before_memory_is_asked_for(void**) {
  Talk talk;
  talk.broker.on_frame(MetadataRequest::key, [](const RequestFrame&) { return std::vector<std::byte>(8, std::byte{0x7f}); });
  assert_true(talk.open());
  talk.ask();
  talk.pass(1s);
  assert_string_equal(talk.notes.c_str(), "0! ");
  assert_non_null(strstr(talk.last_error.c_str(), "an answer of 2139062143 bytes"));
}

static void a_host_that_speaks_another_protocol_is_told_so(void**) {
  Talk talk;
  talk.broker.on_frame(ApiVersionsRequest::key, [](const RequestFrame&) {
    const auto text = as_bytes("HTTP/1.1 400 Bad Request\r\n\r\n");
    return std::vector<std::byte>(text.begin(), text.end());
  });
  assert_false(talk.open());
  assert_non_null(strstr(talk.opened.error.c_str(), "no Kafka broker"));
}

static void records_are_written_in_place(void**) {
  Talk talk;
  std::string records(200'000, 'r'), seen;
  talk.broker.on<ProduceRequest>([&](const ProduceRequest& request) {
    seen = as_text(request.topic_data.at(0).partition_data.at(0).records->bytes);
    return ProduceResponse{};
  });
  assert_true(talk.open());
  ProduceRequest request;
  auto& topic = request.topic_data.emplace_back();
  topic.topic_id.bytes[0] = std::byte{1};
  topic.partition_data.emplace_back().records.emplace().bytes = as_bytes(records);
  bool done = false;
  assert_true(talk.connection().send(request, Clock::now() + 5s, [&](Result<Answer> answer) { done = answer.ok(); }).ok());
  talk.pass(5s);
  assert_true(done);
  assert_true(seen == records);
}

static void without_an_answer_it_is_done_when_it_is_written(void**) {
  Talk talk;
  assert_true(talk.open());
  bool done = false;
  ProduceRequest request;
  const auto expect = Connection::Expect::nothing;
  assert_true(talk.connection().send(request, Clock::now() + 5s, [&](Result<Answer> answer) { done = answer.ok(); }, expect).ok());
  assert_false(done);
  talk.pass(1ms);
  assert_true(done);
}

static void a_frame_outlives_its_pool(void**) {
  Frame kept;
  {
    FramePool pool;
    Frame frame = pool.borrow(5000);
    frame.resize(5000);
    std::memset(frame.space().data(), 7, 5000);
    kept = frame;
    const std::byte* memory = pool.borrow(3000).bytes().data();
    assert_true(pool.borrow(4000).bytes().data() == memory);   // used again
  }
  assert_int_equal(std::to_integer<int>(kept.bytes()[4999]), 7);
}

int main() {
  const CMUnitTest tests[] = {
      cmocka_unit_test(versions_are_agreed_on_before_anything_else),
      cmocka_unit_test(an_old_broker_is_asked_again_in_its_own_version),
      cmocka_unit_test(answers_come_in_order_and_each_once),
      cmocka_unit_test(long_answers_are_whole),
      cmocka_unit_test(a_deadline_ends_the_connection_and_all_on_it),
      cmocka_unit_test(a_broken_connection_fails_what_is_in_flight),
      cmocka_unit_test(an_answer_to_something_else_ends_the_connection),
      cmocka_unit_test(an_absurd_length_is_refused_before_memory_is_asked_for),
      cmocka_unit_test(a_host_that_speaks_another_protocol_is_told_so),
      cmocka_unit_test(records_are_written_in_place),
      cmocka_unit_test(without_an_answer_it_is_done_when_it_is_written),
      cmocka_unit_test(a_frame_outlives_its_pool),
  };
  return cmocka_run_group_tests_name("rpc.connection", tests, nullptr, nullptr);
}
