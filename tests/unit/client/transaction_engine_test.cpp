// What TransactionEngine makes of answers, broken connections and coordinators that move, against a coordinator in memory.
#include "libkq/client/transaction_engine.hpp"

#include "libkq/client/producer.hpp"
#include "libkq/protocol/messages/end_txn.hpp"
#include "libkq/protocol/messages/find_coordinator.hpp"
#include "tests/unit/client/fake_cluster.hpp"
#include "tests/unit/cmocka.hpp"

using namespace kq;
using namespace kq::client;

namespace {

using Operation = Transaction::Operation;

// A transactional producer and two brokers, of which `coordinator` coordinates.
struct Scene : FakeCluster {
  Scene() : FakeCluster(2) {
    topic("t", 1);
    for (auto& [id, broker] : nodes) play(id, *broker);
    const std::vector<Setting> settings{
        {"bootstrap.servers", "broker:9001"}, {"transactional.id", "x"}, {"request.timeout.ms", "2000"}};
    producer = std::move(*Producer::make(loop, network, logger, *Config::parse(Role::producer, settings)));
  }
  ~Scene() {
    producer.reset();
    pass(1s);
  }

  // "done", "retry 53 …" by its verdict, or "" where it has not ended within `patience`.
  std::string call(Operation what, Duration patience = 60s) {
    TransactionEngine& engine = *producer->transaction();
    const uint64_t number = engine.call(what);
    for (Duration waited = 0ms; waited < patience; waited += 10ms) {
      pass(10ms);
      const auto outcome = engine.outcome(number);
      if (!outcome) continue;
      if (outcome->ok()) return "done";
      static constexpr const char* verdicts[] = {"", "refused", "retry", "abort", "fatal"};
      const Error& error = outcome->error();
      return std::string(verdicts[static_cast<int>(error.verdict())]) + " " + std::to_string(error.code());
    }
    engine.give_up(number);
    return "";
  }
  void send(std::string_view value) {
    Outbound record;
    record.topic = "t";
    record.partition = 0;
    record.value = as_bytes(value);
    Sending outcome = producer->try_send(record);
    for (int i = 0; i < 1000 && outcome != Sending::sent; ++i) pass(1ms), outcome = producer->try_send(record);
    assert_true(outcome == Sending::sent);
  }

  std::unique_ptr<Producer> producer;
  int32_t coordinator = 1;
  Code find = Code::none, init = Code::none, end = Code::none;
  int16_t missing = -1;  // a request that the brokers do not have
  int finds = 0, ends = 0;

 private:
  void play(int32_t id, FakeBroker& broker) {
    broker.on<FindCoordinatorRequest>([this](const FindCoordinatorRequest& request) {
      static const std::string host = "broker";
      ++finds;
      FindCoordinatorResponse response;
      auto& found = response.coordinators.emplace_back();
      found.key = request.coordinator_keys.front();
      found.error_code = find;
      found.node_id = coordinator;
      found.host = host;
      found.port = 9000 + coordinator;
      return response;
    });
    broker.on<InitProducerIdRequest>([this, id](const InitProducerIdRequest&) {
      InitProducerIdResponse response;
      response.error_code = id == coordinator ? init : Code::not_coordinator;
      response.producer_id = 900;
      response.producer_epoch = 0;
      return response;
    });
    broker.on<EndTxnRequest>([this, id](const EndTxnRequest&) {
      ++ends;
      EndTxnResponse response;
      response.error_code = id == coordinator ? end : Code::not_coordinator;
      return response;
    });
    broker.on<ApiVersionsRequest>([this](const ApiVersionsRequest&) {
      static const std::string feature = "transaction.version";
      ApiVersionsResponse response;
      for (const ApiInfo& api : api_table)
        if (api.broker && static_cast<int16_t>(api.key) != missing && !FakeBroker::of_telemetry(static_cast<int16_t>(api.key)))
          response.api_keys.push_back({static_cast<int16_t>(api.key), api.oldest, api.stable});
      response.finalized_features.emplace_back().name = feature;
      response.finalized_features.back().max_version_level = 2;
      return response;
    });
  }
};

#define expect(what, text) assert_string_equal((what).c_str(), text)

}  // namespace

static void a_transaction_begins_and_commits(void**) {
  Scene scene;
  expect(scene.call(Operation::begin), "done");
  scene.send("a");
  expect(scene.call(Operation::commit), "done");
  assert_int_equal(scene.ends, 1);
}

static void a_coordinator_that_has_moved_is_found_again(void**) {
  Scene scene;
  expect(scene.call(Operation::begin), "done");
  scene.send("a");
  scene.coordinator = 2;
  expect(scene.call(Operation::commit), "done");
  assert_int_equal(scene.finds, 2);
}

static void a_broken_connection_is_no_outcome(void**) {
  Scene scene;
  expect(scene.call(Operation::begin), "done");
  scene.send("a");
  scene.broker(1).hold(EndTxnRequest::key);
  expect(scene.call(Operation::commit, 1s), "");
  scene.broker(1).stop();
  scene.coordinator = 2;
  expect(scene.call(Operation::commit), "done");  // the same call takes up what was late
}

static void who_may_not_use_the_id_is_refused_and_may_try_again(void**) {
  Scene scene;
  scene.find = Code::transactional_id_authorization_failed;
  expect(scene.call(Operation::begin), "refused 53");
  scene.find = Code::none;
  scene.init = Code::transactional_id_authorization_failed;
  expect(scene.call(Operation::begin), "refused 53");
  scene.init = Code::none;
  expect(scene.call(Operation::begin), "done");
}

static void a_coordinator_that_is_not_ready_is_waited_for(void**) {
  Scene scene;
  scene.find = Code::coordinator_not_available;
  expect(scene.call(Operation::begin, 1s), "");
  scene.find = Code::none;
  scene.init = Code::concurrent_transactions;
  expect(scene.call(Operation::begin, 1s), "");
  scene.init = Code::none;
  expect(scene.call(Operation::begin), "done");
}

static void errors_that_only_an_abort_ends(void**) {
  Scene scene;
  expect(scene.call(Operation::begin), "done");
  scene.send("a");
  scene.end = Code::transaction_abortable;
  expect(scene.call(Operation::commit), "abort 120");
  expect(scene.call(Operation::commit), "abort 120");
  Outbound record;
  record.topic = "t";
  assert_true(scene.producer->try_send(record) == Sending::aborting);
  scene.end = Code::none;
  expect(scene.call(Operation::abort), "done");
  expect(scene.call(Operation::begin), "done");
}

static void errors_that_nothing_ends(void**) {
  Scene scene;
  expect(scene.call(Operation::begin), "done");
  scene.send("a");
  scene.end = Code::producer_fenced;
  expect(scene.call(Operation::commit), "fatal 90");
  expect(scene.call(Operation::abort), "fatal 90");
  expect(scene.call(Operation::begin), "fatal 90");
}

static void a_broker_without_transactions_is_fatal(void**) {
  Scene scene;
  scene.missing = EndTxnRequest::key;
  expect(scene.call(Operation::begin), "done");
  scene.send("a");
  assert_true(scene.call(Operation::commit).starts_with("fatal"));
}

int main() {
  const CMUnitTest tests[] = {
      cmocka_unit_test(a_transaction_begins_and_commits),
      cmocka_unit_test(a_coordinator_that_has_moved_is_found_again),
      cmocka_unit_test(a_broken_connection_is_no_outcome),
      cmocka_unit_test(who_may_not_use_the_id_is_refused_and_may_try_again),
      cmocka_unit_test(a_coordinator_that_is_not_ready_is_waited_for),
      cmocka_unit_test(errors_that_only_an_abort_ends),
      cmocka_unit_test(errors_that_nothing_ends),
      cmocka_unit_test(a_broker_without_transactions_is_fatal),
  };
  return cmocka_run_group_tests_name("client.transaction_engine", tests, nullptr, nullptr);
}
