// Transactions through a whole broker in memory: producers of both versions, zombies, restarts, and kills between any two operations
// on the disk.
#include <cstdio>
#include <cstdlib>

#include "libkq/protocol/messages/describe_transactions.hpp"
#include "libkq/protocol/messages/list_transactions.hpp"
#include "tests/unit/broker/txn/producer.hpp"
#include "tests/unit/cmocka.hpp"

using namespace kq;
using namespace kq::broker;

namespace {

std::string joined(const std::vector<std::string>& values) {
  std::string text;
  for (const std::string& value : values) text += (text.empty() ? "" : " ") + value;
  return text;
}

std::string committed(Bed& bed, const Uuid& topic, int32_t partition = 0) {
  return joined(read_committed(*bed.connect(), topic, partition).values);
}

std::string described(Bed& bed, const std::string& id) {
  DescribeTransactionsRequest request;
  request.transactional_ids = {id};
  const auto answer = bed.connect()->ask(request);
  const auto& state = answer.body.transaction_states.at(0);
  return state.error_code == Code::none ? std::string(state.transaction_state) : name_of(state.error_code);
}

void restart(Bed& bed, bool cleanly) {
  assert_true(bed.stop(cleanly).ok());
  bed.files.restart();
  bed.start();
}

void commits_are_seen_and_aborts_are_not(void**) {
  for (const bool v2 : {true, false}) {
    Bed bed;
    const Uuid topic = bed.create_topic("t", 2);
    TransactionalProducer producer(bed, "a", topic, v2);
    assert_true(producer.init() == Code::none);
    assert_true(producer.write(0, "x") == Code::none && producer.write(1, "y") == Code::none &&
                producer.write(0, "z") == Code::none);
    assert_string_equal(committed(bed, topic).c_str(), "");
    assert_string_equal(described(bed, "a").c_str(), "Ongoing");
    assert_true(producer.end(true) == Code::none);
    assert_string_equal(described(bed, "a").c_str(), "CompleteCommit");  // the partitions know as well
    assert_string_equal(committed(bed, topic).c_str(), "x z");
    assert_string_equal(committed(bed, topic, 1).c_str(), "y");
    assert_true(producer.write(0, "no") == Code::none);
    assert_true(producer.end(false) == Code::none);
    assert_true(producer.write(0, "w") == Code::none);
    assert_true(producer.end(true) == Code::none);
    assert_string_equal(committed(bed, topic).c_str(), "x z w");
  }
}

void a_zombie_is_fenced(void**) {
  for (const bool v2 : {true, false}) {
    Bed bed;
    const Uuid topic = bed.create_topic("t", 2);
    TransactionalProducer zombie(bed, "a", topic, v2), next(bed, "a", topic, v2);
    assert_true(zombie.init() == Code::none);
    assert_true(zombie.write(0, "old") == Code::none);
    assert_true(next.init(false) == Code::concurrent_transactions);
    assert_true(next.init() == Code::none);
    assert_true(zombie.write(0, "late") == Code::invalid_producer_epoch);
    assert_true(zombie.end(true) == Code::producer_fenced);
    assert_true(next.write(0, "new") == Code::none && next.end(true) == Code::none);
    assert_string_equal(committed(bed, topic).c_str(), "new");
  }
}

void a_partition_takes_no_record_of_a_transaction_that_nobody_knows(void**) {
  Bed bed;
  const Uuid topic = bed.create_topic("t", 2);
  TransactionalProducer producer(bed, "a", topic, false);
  assert_true(producer.init() == Code::none);
  assert_true(producer.produce(0, "never added") == Code::transaction_abortable);
  assert_true(producer.write(0, "added") == Code::none);
  assert_true(producer.produce(1, "never added") == Code::transaction_abortable);
  assert_true(producer.end(true) == Code::none);
  assert_true(producer.produce(0, "after the end") == Code::transaction_abortable);
  assert_string_equal(committed(bed, topic).c_str(), "added");
}

void a_request_of_two_producers_is_refused_as_a_whole(void**) {
  Bed bed;
  const Uuid topic = bed.create_topic("t", 3);
  std::vector<std::vector<std::byte>> batches;
  for (int64_t producer = 7; producer < 10; ++producer)
    batches.push_back(batch_of(
        {.values = {"x"}, .fields = {.producer_id = producer, .producer_epoch = 0, .base_sequence = 0, .transactional = true}}));
  ProduceRequest request;
  request.transactional_id = "a";
  request.acks = -1;
  auto& data = request.topic_data.emplace_back();
  data.topic_id = topic;
  for (int32_t index = 0; index < 3; ++index) {
    auto& one = data.partition_data.emplace_back();
    one.index = index;
    one.records = Records{.bytes = batches[static_cast<size_t>(index)]};
  }
  const auto answer = bed.connect()->ask(request);
  for (const auto& partition : answer.body.responses.at(0).partition_responses)
    assert_true(partition.error_code == Code::invalid_producer_id_mapping);
}

void an_open_transaction_outlives_a_kill_and_commits(void**) {
  for (const bool v2 : {true, false}) {
    Bed bed;
    const Uuid topic = bed.create_topic("t", 2);
    TransactionalProducer producer(bed, "a", topic, v2);
    assert_true(producer.init() == Code::none);
    assert_true(producer.write(0, "before") == Code::none);
    producer.client().close();
    restart(bed, false);
    producer.connect();
    assert_string_equal(committed(bed, topic).c_str(), "");
    assert_true(producer.write(0, "after") == Code::none);
    assert_true(producer.end(true) == Code::none);
    assert_string_equal(committed(bed, topic).c_str(), "before after");
  }
}

void a_transaction_that_takes_too_long_is_aborted(void**) {
  Bed bed;
  const Uuid topic = bed.create_topic("t", 2);
  TransactionalProducer producer(bed, "a", topic);
  assert_true(producer.init(true, 5000) == Code::none);
  assert_true(producer.write(0, "slow") == Code::none);
  bed.run_for(4900ms);
  assert_string_equal(described(bed, "a").c_str(), "Ongoing");
  bed.run_for(200ms);
  assert_string_equal(described(bed, "a").c_str(), "CompleteAbort");
  assert_true(producer.end(true) == Code::producer_fenced || producer.end(true) == Code::invalid_txn_state);
  const auto read = read_committed(*bed.connect(), topic, 0);
  assert_true(read.values.empty() && read.stable_offset == read.high_watermark);
}

void ids_are_listed_by_state_and_producer(void**) {
  Bed bed;
  const Uuid topic = bed.create_topic("t", 2);
  TransactionalProducer a(bed, "a", topic), b(bed, "b", topic);
  assert_true(a.init() == Code::none && b.init() == Code::none && b.write(0, "x") == Code::none);
  const auto list = [&](std::vector<std::string_view> states, std::vector<int64_t> ids, int64_t duration = -1) {
    ListTransactionsRequest request;
    request.state_filters.assign(states.begin(), states.end());
    request.producer_id_filters = ids;
    request.duration_filter = duration;
    const auto answer = bed.connect()->ask(request);
    std::string text;
    for (const auto& state : answer.body.transaction_states)
      text += std::string(state.transactional_id) + ":" + std::string(state.transaction_state) + " ";
    for (const auto& state : answer.body.unknown_state_filters) text += "?" + std::string(state);
    return text;
  };
  const std::string all = list({}, {});
  assert_true(all == "a:Empty b:Ongoing " || all == "b:Ongoing a:Empty ");
  assert_string_equal(list({"Ongoing"}, {}).c_str(), "b:Ongoing ");
  assert_string_equal(list({}, {a.producer_id}).c_str(), "a:Empty ");
  assert_string_equal(list({"Nonsense"}, {}).c_str(), "?Nonsense");
  bed.run_for(3s);
  assert_string_equal(list({"Ongoing"}, {}, 2000).c_str(), "b:Ongoing ");
  assert_string_equal(list({"Ongoing"}, {}, 10'000).c_str(), "");
  assert_string_equal(described(bed, "nobody").c_str(), "TRANSACTIONAL_ID_NOT_FOUND");
  for (const auto& [pattern, count] :
       std::map<std::string_view, int>{{"", 2}, {".*", 2}, {"a", 1}, {"[b-z]+", 1}, {"(a|b)b", 0}, {"(", -1}, {"a(?=b)", -1}}) {
    ListTransactionsRequest request;
    request.transactional_id_pattern = pattern;
    const auto answer = bed.connect()->ask(request);
    if (count < 0)
      assert_true(answer.body.error_code == Code::invalid_regular_expression);
    else
      assert_int_equal(answer.body.transaction_states.size(), count);
  }
}

// ---- Kills -----------------------------------------------------------------------------------------------------------------------

// What a producer knows of its transactions.
enum class Fate { unknown, committed, aborted };
struct Wrote {
  std::string values[2];  // one for each partition, empty where nothing was written
  Fate fate = Fate::unknown;
};

class Killed {
 public:
  explicit Killed(uint64_t seed)
      : random_(seed),
        power_(random_.one_in(2)),
        bed_(power_ ? Settings{{"log.flush.acks", "all"}} : Settings{}),
        topic_(bed_.create_topic("t", 2)) {
    for (int i = 0; i < 2; ++i)
      producers_.push_back(
          std::make_unique<TransactionalProducer>(bed_, std::string(1, static_cast<char>('a' + i)), topic_, random_.one_in(2)));
    bed_.files.on_operation([this](const char*, const std::string&) {
      if (left_ > 0 && --left_ == 0) bed_.files.stop();
    });
  }

  void run() {
    for (auto& producer : producers_) assert_true(producer->init() == Code::none);
    for (int i = 0; i < 25; ++i) {
      if (left_ == 0) left_ = 1 + random_.below(60);
      transaction(i);
      if (!bed_.files.stopped()) continue;
      ++kills;
      recover();
    }
    left_ = 0;
    recover();  // whoever comes next ends what is open
    check();
  }

  int kills = 0;

 private:
  void transaction(int number) {
    TransactionalProducer& producer = *producers_[random_.below(producers_.size())];
    Wrote wrote;
    bool well = true;
    for (int partition = 0; partition < 2 && well; ++partition) {
      if (random_.one_in(4)) continue;
      wrote.values[partition] = std::to_string(number) + "." + std::to_string(partition);
      well = producer.write(partition, wrote.values[partition]) == Code::none;
    }
    const bool commit = random_.below(3) > 0;
    if (!well) {
      wrote.fate = Fate::aborted;  // nobody has asked for its end
    } else if (wrote.values[0].empty() && wrote.values[1].empty()) {
      return;
    } else if (const bool ended = producer.end(commit) == Code::none; ended || !commit) {
      wrote.fate = commit ? Fate::committed : Fate::aborted;
    }
    wrote_.push_back(wrote);
    if (!bed_.files.stopped() && (!well || wrote.fate == Fate::unknown)) recover();
  }

  void recover() {
    for (auto& producer : producers_) producer->client().close();
    left_ = 0;
    assert_true(bed_.stop(false).ok());
    if (power_)
      bed_.files.crash(random_);
    else
      bed_.files.restart();
    bed_.start();
    for (auto& producer : producers_) {
      producer->connect();
      assert_true(producer->init() == Code::none);
    }
  }

  void check() {
    std::set<std::string> seen;
    for (int partition = 0; partition < 2; ++partition) {
      const auto read = read_committed(*bed_.connect(), topic_, partition);
      assert_int_equal(read.stable_offset, read.high_watermark);
      for (const std::string& value : read.values) assert_true(seen.insert(value).second);
    }
    for (const Wrote& wrote : wrote_) {
      for (const std::string& value : wrote.values) {
        if (value.empty()) continue;
        if (wrote.fate == Fate::committed) assert_true(seen.contains(value));
        if (wrote.fate == Fate::aborted) assert_false(seen.contains(value));
      }
      if (!wrote.values[0].empty() && !wrote.values[1].empty())
        assert_int_equal(seen.contains(wrote.values[0]), seen.contains(wrote.values[1]));
    }
  }

  Random random_;
  const bool power_;  // the machine loses it; else the process is killed
  Bed bed_;
  const Uuid topic_;
  std::vector<std::unique_ptr<TransactionalProducer>> producers_;
  std::vector<Wrote> wrote_;
  uint64_t left_ = 0;  // operations before the disk stops
};

// KQ_SEEDS says how many, KQ_SEED which one first.
void every_transaction_is_all_or_nothing_whenever_the_broker_is_killed(void**) {
  const auto number = [](const char* name, uint64_t otherwise) {
    const char* text = std::getenv(name);
    return text ? std::strtoull(text, nullptr, 10) : otherwise;
  };
  const char* tier = std::getenv("KQ_TEST_TIER");
  const bool full = tier && std::string_view(tier) == "full";
  const uint64_t first = number("KQ_SEED", 1), count = number("KQ_SEEDS", full ? 200 : 10);
  int kills = 0;
  for (uint64_t seed = first; seed < first + count; ++seed) {
    if (std::getenv("KQ_SEED_SHOW")) std::printf("seed %llu\n", static_cast<unsigned long long>(seed));
    Killed job(seed);
    job.run();
    kills += job.kills;
  }
  assert_true(kills >= static_cast<int>(count));
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {
      cmocka_unit_test(commits_are_seen_and_aborts_are_not),
      cmocka_unit_test(a_zombie_is_fenced),
      cmocka_unit_test(a_partition_takes_no_record_of_a_transaction_that_nobody_knows),
      cmocka_unit_test(a_request_of_two_producers_is_refused_as_a_whole),
      cmocka_unit_test(an_open_transaction_outlives_a_kill_and_commits),
      cmocka_unit_test(a_transaction_that_takes_too_long_is_aborted),
      cmocka_unit_test(ids_are_listed_by_state_and_producer),
      cmocka_unit_test(every_transaction_is_all_or_nothing_whenever_the_broker_is_killed),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
