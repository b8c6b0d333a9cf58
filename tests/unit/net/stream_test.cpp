// The same story over the real network and over the simulated one.
#include "libkq/net/stream.hpp"

#include <string>

#include "libkq/net/memory.hpp"
#include "tests/unit/cmocka.hpp"

using namespace kq;

namespace {

struct Story {
  std::string heard;
  std::string answered;
  bool ended = false;
};

awaitable<void> echo_upper(Listener& listener, Loop& loop, Story& story) {
  auto pending = co_await listener.accept();
  const auto stream = (*pending)->on(loop);
  std::array<std::byte, 7> block;
  for (;;) {
    auto got = co_await stream->read_some(block);
    if (!got || *got == 0) break;
    const std::string text(as_text({block.data(), *got}));
    story.heard += text;
    auto sent = co_await stream->write_all(as_bytes(text));
    if (!sent) break;
  }
  story.ended = true;
}

awaitable<void> say(Network& network, Loop& loop, uint16_t port, Story& story, size_t length) {
  const Address address{"127.0.0.1", port};
  auto stream = co_await network.connect(loop, address, Clock::now() + 5s);
  if (!stream) co_return;
  const std::string text(length, 'x');
  Bytes pieces[] = {as_bytes("he"), Bytes{}, as_bytes("llo "), as_bytes(text)};
  auto sent = co_await (*stream)->write_all(pieces);
  if (!sent) co_return;
  story.answered.resize(6 + length);
  auto got = co_await (*stream)->read_exactly(std::as_writable_bytes(std::span{story.answered}));
  if (!got) story.answered = got.error().message();
  (*stream)->close();
}

void drive(Loop& loop, SimulatedTime* time, const bool& done) {
  for (int i = 0; i < 100'000 && !done; ++i) {
    if (loop.step() || !time) continue;
    if (const auto next = loop.next_deadline()) time->monotonic = std::max(time->monotonic, next->time_since_epoch());
  }
}

void echo_over(Network& network, Loop& loop, SimulatedTime* time) {
  auto listener = network.listen(loop, {"127.0.0.1", 0});
  assert_true(listener.ok());
  Story story;
  loop.spawn(echo_upper(**listener, loop, story));
  loop.spawn(say(network, loop, (*listener)->port(), story, 1000));
  drive(loop, time, story.ended);
  assert_true(story.ended);
  assert_string_equal(story.heard.c_str(), ("hello " + std::string(1000, 'x')).c_str());
  assert_string_equal(story.answered.c_str(), story.heard.c_str());
}

}  // namespace

static void bytes_arrive_over_tcp(void**) {
  Loop loop;
  const auto network = tcp_network();
  echo_over(*network, loop, nullptr);
}

static void bytes_arrive_in_memory_on_simulated_time(void**) {
  SimulatedTime time;
  Clock::simulate(&time);
  {
    Loop loop(Loop::Kind::simulated);
    Random random(1);
    MemoryNetwork network(loop, random);
    echo_over(network, loop, &time);
  }
  assert_true(time.monotonic > 0ns);
  Clock::simulate(nullptr);
}

static void nobody_listening_is_an_error_with_the_address(void**) {
  Loop loop;
  const auto network = tcp_network();
  uint16_t port;
  {
    auto listener = network->listen(loop, {"127.0.0.1", 0});
    port = (*listener)->port();
  }
  std::string error;
  bool done = false;
  const auto attempt = [](Network& network, Loop& loop, uint16_t port, std::string& error, bool& done) -> awaitable<void> {
    const Address address{"127.0.0.1", port};
    auto stream = co_await network.connect(loop, address, Clock::now() + 5s);
    if (!stream) error = stream.error().message();
    done = true;
  };
  loop.spawn(attempt(*network, loop, port, error, done));
  drive(loop, nullptr, done);
  assert_true(done);
  assert_string_equal(error.c_str(), ("cannot connect to 127.0.0.1:" + std::to_string(port) + ": Connection refused").c_str());
}

static void closing_wakes_who_waits(void**) {
  Loop loop;
  const auto network = tcp_network();
  auto listener = network->listen(loop, {"::1", 0});
  if (!listener) listener = network->listen(loop, {"127.0.0.1", 0});
  bool done = false;
  const auto wait_for_one = [](Listener& listener, bool& done) -> awaitable<void> {
    auto pending = co_await listener.accept();
    done = !pending && pending.error().code() == own_code::closed;
  };
  loop.spawn(wait_for_one(**listener, done));
  loop.step();
  (*listener)->close();
  loop.step();
  assert_true(done);
}

// Reads as a server does that saves itself the read which would say that there is no more.
static void an_end_that_came_with_the_last_bytes_is_not_missed(void**) {
  Loop loop;
  const auto network = tcp_network();
  auto listener = network->listen(loop, {"127.0.0.1", 0});
  assert_true(listener.ok());
  const auto speak_and_leave = [](Network& network, Loop& loop, uint16_t port) -> awaitable<void> {
    const Address address{"127.0.0.1", port};
    auto stream = co_await network.connect(loop, address, Clock::now() + 5s);
    auto said = co_await (*stream)->write_all(as_bytes("bye"));
    if (said) (*stream)->close();
  };
  const auto hear = [](Listener& listener, Loop& loop, std::string& heard, bool& ended) -> awaitable<void> {
    auto pending = co_await listener.accept();
    const auto stream = (*pending)->on(loop);
    std::array<std::byte, 16> block;
    while (!ended) {
      co_await stream->readable();
      for (;;) {
        const Transfer got = stream->try_read(block);
        ended = got.state == Transfer::State::ended;
        if (!got.moved()) break;
        heard += as_text({block.data(), got.bytes});
        if (got.bytes < block.size() && stream->short_read_empties()) break;
      }
    }
  };
  for (int round = 0; round < 20; ++round) {
    std::string heard;
    bool ended = false;
    loop.spawn(speak_and_leave(*network, loop, (*listener)->port()));
    if (round % 2 == 0) loop.step(), loop.step();          // it has said all before anybody listens
    loop.spawn(hear(**listener, loop, heard, ended));
    drive(loop, nullptr, ended);
    assert_true(ended);
    assert_string_equal(heard.c_str(), "bye");
  }
}

static void addresses_read_as_they_are_written(void**) {
  for (const char* text : {"localhost:9092", "127.0.0.1:0", "[::1]:65535", ":9092"}) {
    auto address = Address::parse(text);
    assert_true(address.ok());
    assert_string_equal(address->text().c_str(), text);
  }
  for (const char* text : {"localhost", "::1:9092", "host:", "host:65536", "host:9a", "[::1]", ""}) assert_false(Address::parse(text).ok());
}

int main() {
  const CMUnitTest tests[] = {
      cmocka_unit_test(bytes_arrive_over_tcp),
      cmocka_unit_test(bytes_arrive_in_memory_on_simulated_time),
      cmocka_unit_test(nobody_listening_is_an_error_with_the_address),
      cmocka_unit_test(closing_wakes_who_waits),
      cmocka_unit_test(an_end_that_came_with_the_last_bytes_is_not_missed),
      cmocka_unit_test(addresses_read_as_they_are_written),
  };
  return cmocka_run_group_tests_name("net.stream", tests, nullptr, nullptr);
}
