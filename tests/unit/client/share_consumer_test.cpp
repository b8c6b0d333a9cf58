// What kq.h promises about share groups, against a broker in memory.
#include "libkq/client/share_consumer.hpp"

#include <thread>

#include "libkq/client/config.hpp"
#include "libkq/client/ending.hpp"
#include "libkq/protocol/messages/find_coordinator.hpp"
#include "libkq/record/batch_builder.hpp"
#include "tests/unit/client/fake_cluster.hpp"
#include "tests/unit/cmocka.hpp"

using namespace kq;
using namespace kq::client;

namespace {

using Settings = std::vector<Setting>;

// A broker with one partition t-0, and a share consumer.  What the broker hears of acknowledgements is a line of the story:
//   accept 0..4, release 5      close: the session has ended      leave: the member has
struct ShareWorld : FakeCluster {
  explicit ShareWorld(Settings settings = {}) : FakeCluster(1) {
    topic("t", 1);
    play(broker(1));
    settings.insert(settings.begin(), {{"bootstrap.servers", "broker:9001"}, {"group.id", "g"}});
    const auto config = Config::parse(Role::consumer, settings);
    if (!config) fail_msg("%s", config.error().message().c_str());
    cluster = Cluster::make(loop, network, logger, *ClusterOptions::from(*config));
    consumer = std::make_shared<ShareConsumer>(driver, cluster, *config);
    consumer->start();
    cluster->start();
  }
  ~ShareWorld() {
    if (cluster) free();
    pass(1s);
  }
  // As the handle does it.  Whether that left nothing behind on the loop.
  bool free() {
    batch.reset();
    return end_client(*driver, consumer, cluster);
  }

  // ---- the other side ----
  void append(int records, bool broken = false) {
    Part& part = topics["t"].front();
    OwnedBatchBuilder builder;
    for (int i = 0; i < records; ++i) builder.append(1000, as_bytes("k"), as_bytes("value"));
    const Bytes sealed = builder.seal({.base_offset = part.end});
    auto& bytes = part.batches.emplace_back(sealed.begin(), sealed.end());
    if (broken) bytes.back() ^= std::byte{1};
    for (int i = 0; i < records; ++i) counts[part.end++] = 0;
    available_from(0);
  }
  // Offsets that are there and in no record, as after compaction.
  void hole(int offsets) {
    for (int i = 0; i < offsets; ++i) counts[topics["t"].front().end++] = 0;
    available_from(0);
  }

  // ---- the application's side ----
  // Polls once: "0..4 #1", "event 0..4 =7 error 121", "error 121" or "".
  std::string poll() {
    auto taken = std::make_unique<Batch>();
    ShareConsumer::Where where;
    const auto polled = consumer->poll(Clock::now(), *taken, where);
    if (!polled) return "error " + std::to_string(polled.error().code());
    if (*polled == ShareConsumer::Polled::nothing) return "";
    batch = std::move(taken);
    std::string text = batch->kind == KQ_EVENT ? "event" : "";
    if (batch->records.empty()) return text;
    const auto& rows = batch->records;
    text += (text.empty() ? "" : " ") + range(rows.front().offset, rows.back().offset);
    if (batch->kind == KQ_RECORDS) return text + " #" + std::to_string(rows.back().delivery_count);
    text += " =" + std::to_string(rows.front().tag);
    if (batch->failures.front()) text += " error " + std::to_string(batch->failures.front()->code());
    return text;
  }
  std::string next(Duration patience = 10s) {
    for (Duration waited = 0ms; waited < patience; waited += 10ms) {
      if (const std::string text = poll(); !text.empty()) return text;
      pass(10ms);
    }
    return "";
  }
  bool acknowledge(size_t first, size_t count, int8_t type = ShareAck::accept) {
    return consumer->acknowledge(*batch, first, count, type).ok();
  }
  void subscribe() { assert_true(consumer->subscribe({"t"}).ok()); }
  bool lit() {
    fd_set one;
    FD_ZERO(&one);
    const int descriptor = consumer->descriptor();
    FD_SET(descriptor, &one);
    timeval none{};
    return select(descriptor + 1, &one, nullptr, nullptr, &none) == 1;
  }
  bool await(std::function<awaitable<Result<bool>>()> tell) {
    std::optional<bool> ended;
    loop.spawn([](std::function<awaitable<Result<bool>>()> of, std::optional<bool>& into) -> awaitable<void> {
      auto outcome = co_await of();
      into = outcome.ok();
    }(std::move(tell), ended));
    drive([&] { return ended.has_value(); });
    return ended.value_or(false);
  }
  bool end() {
    return await([this] { return consumer->end(Clock::now() + 5s); });
  }
  bool commit() {
    return await([this] { return consumer->commit(outcomes, Clock::now() + 5s); });
  }
  std::string told() { return std::exchange(story, {}); }

  std::shared_ptr<Driver> driver = std::make_shared<Driver>(loop);
  std::shared_ptr<Cluster> cluster;
  std::shared_ptr<ShareConsumer> consumer;
  std::unique_ptr<Batch> batch;
  std::vector<ShareOutcome> outcomes;
  std::string story;
  std::map<int64_t, int> counts;  // of offsets that are there: deliveries
  std::set<int64_t> available, held;
  Code acknowledge_code = Code::none;
  size_t fetches = 0;

 private:
  static std::string range(int64_t first, int64_t last) {
    return first == last ? std::to_string(first) : std::to_string(first) + ".." + std::to_string(last);
  }
  void available_from(int64_t first) {
    for (const auto& [offset, count] : counts)
      if (offset >= first && count == 0) available.insert(offset);
  }
  void tell(const std::string& what) { story += (story.empty() ? "" : ", ") + what; }

  template <class Batches>
  void take(const Batches& batches) {
    static const char* const names[] = {"gap", "accept", "release", "reject", "renew"};
    for (const auto& each : batches) {
      const int8_t type = each.acknowledge_types.at(0);
      tell(std::string(names[type]) + " " + range(each.first_offset, each.last_offset));
      for (int64_t offset = each.first_offset; offset <= each.last_offset; ++offset) {
        if (type != ShareAck::renew) held.erase(offset);
        if (type == ShareAck::release) available.insert(offset);
      }
    }
  }

  void play(FakeBroker& broker) {
    broker.on<FindCoordinatorRequest>([](const FindCoordinatorRequest& request) {
      static const std::string host = "broker";
      FindCoordinatorResponse response;
      auto& found = response.coordinators.emplace_back();
      found.key = request.coordinator_keys.front();
      found.node_id = 1;
      found.host = host;
      found.port = 9001;
      return response;
    });
    broker.on<MetadataRequest>([this](const MetadataRequest& request) {
      static const std::string host = "broker", name = "t";
      MetadataResponse response;
      response.controller_id = 1;
      auto& node = response.brokers.emplace_back();
      node.node_id = 1, node.host = host, node.port = 9001;
      if (!request.topics || request.topics->empty()) return response;
      auto& topic = response.topics.emplace_back();
      topic.name = name, topic.topic_id = ids["t"];
      topic.partitions.emplace_back().leader_id = 1;
      return response;
    });
    broker.on<ShareGroupHeartbeatRequest>([this](const ShareGroupHeartbeatRequest& request) {
      ShareGroupHeartbeatResponse response;
      response.member_epoch = request.member_epoch < 0 ? -1 : 1;
      response.heartbeat_interval_ms = 1000;
      if (request.member_epoch < 0) tell("leave");
      if (request.member_epoch == 0) response.assignment.emplace().topic_partitions.push_back({ids["t"], {0}});
      return response;
    });
    broker.on<ShareFetchRequest>([this](const ShareFetchRequest& request) { return fetch(request); });
    broker.on<ShareAcknowledgeRequest>([this](const ShareAcknowledgeRequest& request) {
      ShareAcknowledgeResponse response;
      for (const auto& topic : request.topics)
        for (const auto& part : topic.partitions) {
          take(part.acknowledgement_batches);
          auto& answers = response.responses.emplace_back();
          answers.topic_id = topic.topic_id;
          answers.partitions.emplace_back().error_code = acknowledge_code;
        }
      if (request.share_session_epoch < 0) tell("close");
      return response;
    });
  }

  ShareFetchResponse fetch(const ShareFetchRequest& request) {
    ++fetches;
    ShareFetchResponse response;
    response.acquisition_lock_timeout_ms = 30000;
    auto& topic = response.responses.emplace_back();
    topic.topic_id = ids["t"];
    auto& data = topic.partitions.emplace_back();
    for (const auto& each : request.topics)
      for (const auto& part : each.partitions) {
        take(part.acknowledgement_batches);
        if (!part.acknowledgement_batches.empty()) data.acknowledge_error_code = acknowledge_code;
      }
    if (available.empty()) {
      response.throttle_time_ms = 40;  // in place of waiting
      return response;
    }
    bytes.clear();
    for (const auto& each : topics["t"].front().batches) bytes.insert(bytes.end(), each.begin(), each.end());
    data.records.bytes = bytes;
    for (const int64_t offset : std::exchange(available, {})) {
      held.insert(offset);
      data.acquired_records.push_back({offset, offset, static_cast<int16_t>(++counts[offset])});
    }
    return response;
  }

  std::vector<std::byte> bytes;
};

#define expect(what, text) assert_string_equal((what).c_str(), text)

const Settings by_call{{"share.acknowledgement.mode", "explicit"}};

}  // namespace

static void what_a_poll_gave_is_accepted_when_the_next_begins(void**) {
  ShareWorld world;
  world.append(5);
  world.subscribe();
  expect(world.next(), "0..4 #1");
  assert_int_equal(world.consumer->lock_timeout_ms(), 30000);
  world.pass(10s);
  expect(world.told(), "");
  expect(world.poll(), "");
  world.pass(1s);
  expect(world.told(), "accept 0..4");
  assert_true(world.held.empty());
}

static void a_commit_accepts_what_polls_have_given(void**) {
  ShareWorld world;
  world.append(5);
  world.subscribe();
  expect(world.next(), "0..4 #1");
  assert_true(world.commit());
  assert_int_equal(world.outcomes.size(), 1);
  assert_true(world.outcomes.front().first == 0 && world.outcomes.front().last == 4 && !world.outcomes.front().error);
  expect(world.told(), "accept 0..4");
}

static void closing_releases_what_was_not_accepted_and_leaves(void**) {
  ShareWorld world;
  world.append(5);
  world.subscribe();
  expect(world.next(), "0..4 #1");
  assert_true(world.end());
  expect(world.told(), "close, leave");
}

static void a_fetch_that_waits_for_records_does_not_hold_up_closing(void**) {
  ShareWorld world;
  world.broker(1).hold(ShareFetchRequest::key);
  world.subscribe();
  expect(world.next(1s), "");
  assert_true(world.broker(1).requests(ShareFetchRequest::key) == 1);
  assert_true(world.end());
  expect(world.told(), "close, leave");
  assert_true(world.free());
}

static void closing_waits_for_the_fetch_that_carries_acknowledgements(void**) {
  ShareWorld world;
  world.append(5);
  world.subscribe();
  expect(world.next(), "0..4 #1");
  world.broker(1).hold(ShareFetchRequest::key);
  expect(world.next(1s), "");
  assert_false(world.end());  // their outcome is not known in time
}

static void closing_before_the_broker_was_reached_only_leaves(void**) {
  ShareWorld world;
  world.broker(1).hold(MetadataRequest::key);
  world.subscribe();
  expect(world.next(1s), "");
  assert_true(world.end());
  assert_int_equal(world.broker(1).requests(ShareFetchRequest::key), 0);
}

static void records_are_acknowledged_one_by_one_or_the_rest_at_once(void**) {
  ShareWorld world(by_call);
  world.append(5);
  world.subscribe();
  expect(world.next(), "0..4 #1");
  assert_true(world.acknowledge(1, 1, ShareAck::reject));
  assert_true(world.acknowledge(2, 1, ShareAck::release));
  assert_true(world.acknowledge(0, SIZE_MAX));
  assert_false(world.acknowledge(0, SIZE_MAX));  // there is nothing left to say
  assert_false(world.acknowledge(5, 1));
  expect(world.next(), "2 #2");
  expect(world.told(), "accept 0, reject 1, release 2, accept 3..4");
  assert_true(world.consumer->acknowledge("t", 0, 2, ShareAck::accept).ok());
  assert_false(world.consumer->acknowledge("t", 0, 2, ShareAck::accept).ok());
  assert_false(world.consumer->acknowledge("u", 0, 2, ShareAck::accept).ok());
}

static void polling_on_does_not_acknowledge_in_explicit_mode(void**) {
  ShareWorld world(by_call);
  world.append(2);
  world.subscribe();
  expect(world.next(), "0..1 #1");
  const auto first = std::move(world.batch);
  world.append(2);
  expect(world.next(), "2..3 #1");
  expect(world.told(), "");
  assert_true(world.consumer->acknowledge(*first, 0, 2, ShareAck::accept).ok());
  expect(world.next(500ms), "");
  expect(world.told(), "accept 0..1");
  assert_int_equal(world.held.size(), 2);
}

static void acknowledging_by_a_call_is_refused_in_implicit_mode(void**) {
  ShareWorld world;
  world.append(1);
  world.subscribe();
  expect(world.next(), "0 #1");
  assert_false(world.acknowledge(0, 1));
}

static void what_a_lock_is_renewed_for_is_acknowledged_later(void**) {
  ShareWorld world(by_call);
  world.append(2);
  world.subscribe();
  expect(world.next(), "0..1 #1");
  assert_true(world.acknowledge(0, 2, ShareAck::renew));
  world.pass(100ms);
  expect(world.told(), "renew 0..1");
  assert_true(world.acknowledge(0, 2));
  assert_true(world.commit());
  expect(world.told(), "accept 0..1");
}

static void an_asynchronous_commit_ends_in_an_event(void**) {
  ShareWorld world;
  world.append(2);
  world.subscribe();
  expect(world.next(), "0..1 #1");
  assert_true(world.consumer->commit_later(7).ok());
  expect(world.next(), "event 0..1 =7");
}

static void acknowledgements_that_fail_come_out_of_poll(void**) {
  ShareWorld world;
  world.append(2);
  world.subscribe();
  expect(world.next(), "0..1 #1");
  world.acknowledge_code = Code::invalid_record_state;
  expect(world.next(), "event 0..1 =0 error 121");
}

static void offsets_without_a_record_are_told_as_gaps(void**) {
  ShareWorld world;
  world.append(2);
  world.hole(3);
  world.append(1);
  world.hole(1);
  world.subscribe();
  expect(world.next(), "0..5 #1");
  assert_int_equal(world.batch->records.size(), 3);
  world.poll();
  world.pass(100ms);
  expect(world.told(), "accept 0..1, gap 2..4, accept 5, gap 6");
}

static void a_batch_that_cannot_be_read_is_rejected_and_told(void**) {
  ShareWorld world;
  world.append(2);
  world.append(2, true);
  world.append(2);
  world.subscribe();
  expect(world.next(), "0..1 #1");
  expect(world.next(), "error 2");
  expect(world.next(), "4..5 #1");
  world.poll();
  world.pass(100ms);
  expect(world.told(), "accept 0..1, reject 2..3, accept 4..5");
}

static void a_poll_gives_no_more_than_max_poll_records(void**) {
  ShareWorld world(Settings{{"max.poll.records", "3"}});
  world.append(5);
  world.subscribe();
  expect(world.next(), "0..2 #1");
  const size_t fetches = world.fetches;
  expect(world.next(), "3..4 #1");
  assert_int_equal(world.fetches, fetches);  // the rest was there
  world.poll();
  world.pass(100ms);
  expect(world.told(), "accept 0..4");
}

static void nothing_is_fetched_until_somebody_polls_for_more(void**) {
  ShareWorld world;
  world.append(2);
  world.subscribe();
  expect(world.next(), "0..1 #1");
  const size_t fetches = world.fetches;
  world.append(2);
  world.pass(1s);
  assert_int_equal(world.fetches, fetches);
}

/* KIP-932: a session ends with its connection, so what flew on it is not said again; whoever wants to know is told. */
static void acknowledgements_on_a_connection_that_breaks_fail_and_are_told(void**) {
  ShareWorld world;
  world.append(2);
  world.subscribe();
  expect(world.next(), "0..1 #1");
  world.broker(1).hold(ShareFetchRequest::key);
  expect(world.next(100ms), "");  // a fetch carries the acceptance
  world.broker(1).stop();
  world.broker(1).start();
  expect(world.next(1s), "event 0..1 =0 error -1008");
}

static void a_commit_on_a_connection_that_breaks_says_so(void**) {
  ShareWorld world;
  world.append(2);
  world.subscribe();
  expect(world.next(), "0..1 #1");
  world.broker(1).hold(ShareAcknowledgeRequest::key);
  assert_true(world.consumer->commit_later(7).ok());
  world.pass(100ms);
  world.broker(1).stop();
  world.broker(1).start();
  expect(world.next(1s), "event 0..1 =7 error -1008");
}

static void after_a_broken_connection_records_come_again(void**) {
  ShareWorld world;
  world.append(2);
  world.subscribe();
  expect(world.next(), "0..1 #1");
  assert_true(world.commit());
  world.broker(1).stop();
  world.broker(1).start();
  world.append(2);
  expect(world.next(), "2..3 #1");
  assert_true(world.commit());
  assert_false(world.outcomes.front().error.has_value());
}

static void what_became_of_records_is_counted(void**) {
  ShareWorld world(by_call);
  world.append(5);
  world.subscribe();
  expect(world.next(), "0..4 #1");
  assert_true(world.acknowledge(0, 2));
  assert_true(world.acknowledge(2, 1, ShareAck::reject));
  assert_true(world.acknowledge(3, 1, ShareAck::release));
  assert_true(world.commit());
  auto seen = world.consumer->statistics();
  assert_int_equal(seen.records, 5);
  assert_int_equal(seen.batches, 1);
  assert_int_equal(seen.counts.confirmed[ShareAck::accept], 2);
  assert_int_equal(seen.counts.confirmed[ShareAck::reject], 1);
  assert_int_equal(seen.counts.confirmed[ShareAck::release], 1);
  assert_int_equal(seen.partitions.size(), 1);
  assert_true(seen.partitions.front().assigned && seen.partitions.front().held == 1 && seen.partitions.front().records == 5);
  assert_true(seen.bytes > 0 && seen.nodes.at(1).requests >= 2 && seen.nodes.at(1).failures == 0);
  world.acknowledge_code = Code::invalid_record_state;
  assert_true(world.acknowledge(4, 1));
  assert_true(world.commit());
  seen = world.consumer->statistics();
  assert_int_equal(seen.counts.failed, 1);
  assert_int_equal(seen.partitions.front().held, 0);
}

static void the_descriptor_is_lit_while_a_poll_has_something_to_give_or_to_do(void**) {
  ShareWorld world;
  assert_false(world.lit());
  world.subscribe();
  world.pass(1s);
  assert_false(world.lit());  // a fetch waits
  world.append(1);
  world.pass(1s);
  assert_true(world.lit());
  expect(world.poll(), "0 #1");
  assert_true(world.lit());  // it is to be accepted, and more to be fetched
  expect(world.poll(), "");
  assert_false(world.lit());
}

static void who_does_not_poll_leaves_until_it_polls_again(void**) {
  ShareWorld world(Settings{{"max.poll.interval.ms", "5000"}});
  world.append(2);
  world.subscribe();
  expect(world.next(), "0..1 #1");
  world.pass(20s);
  expect(world.told(), "leave");
  world.append(2);
  expect(world.next(), "2..3 #1");
  ShareWorld idle(Settings{{"max.poll.interval.ms", "5000"}});
  idle.subscribe();
  expect(idle.next(100ms), "");
  idle.pass(20s);
  expect(idle.told(), "");  // it waits for records
}

static void a_wakeup_ends_the_poll_that_waits(void**) {
  ShareWorld world;
  world.subscribe();
  world.consumer->wake_up();
  Batch into;
  ShareConsumer::Where where;
  const auto polled = world.consumer->poll(Instant::max(), into, where);
  assert_true(polled.ok() && *polled == ShareConsumer::Polled::nothing);
}

int main() {
  const CMUnitTest tests[] = {
      cmocka_unit_test(what_a_poll_gave_is_accepted_when_the_next_begins),
      cmocka_unit_test(a_commit_accepts_what_polls_have_given),
      cmocka_unit_test(closing_releases_what_was_not_accepted_and_leaves),
      cmocka_unit_test(a_fetch_that_waits_for_records_does_not_hold_up_closing),
      cmocka_unit_test(closing_waits_for_the_fetch_that_carries_acknowledgements),
      cmocka_unit_test(closing_before_the_broker_was_reached_only_leaves),
      cmocka_unit_test(records_are_acknowledged_one_by_one_or_the_rest_at_once),
      cmocka_unit_test(polling_on_does_not_acknowledge_in_explicit_mode),
      cmocka_unit_test(acknowledging_by_a_call_is_refused_in_implicit_mode),
      cmocka_unit_test(what_a_lock_is_renewed_for_is_acknowledged_later),
      cmocka_unit_test(an_asynchronous_commit_ends_in_an_event),
      cmocka_unit_test(acknowledgements_that_fail_come_out_of_poll),
      cmocka_unit_test(offsets_without_a_record_are_told_as_gaps),
      cmocka_unit_test(a_batch_that_cannot_be_read_is_rejected_and_told),
      cmocka_unit_test(a_poll_gives_no_more_than_max_poll_records),
      cmocka_unit_test(nothing_is_fetched_until_somebody_polls_for_more),
      cmocka_unit_test(acknowledgements_on_a_connection_that_breaks_fail_and_are_told),
      cmocka_unit_test(a_commit_on_a_connection_that_breaks_says_so),
      cmocka_unit_test(after_a_broken_connection_records_come_again),
      cmocka_unit_test(what_became_of_records_is_counted),
      cmocka_unit_test(the_descriptor_is_lit_while_a_poll_has_something_to_give_or_to_do),
      cmocka_unit_test(who_does_not_poll_leaves_until_it_polls_again),
      cmocka_unit_test(a_wakeup_ends_the_poll_that_waits),
  };
  return cmocka_run_group_tests_name("client.share_consumer", tests, nullptr, nullptr);
}
