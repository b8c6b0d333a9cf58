#include "libkq/client/accumulator.hpp"

#include <cstdlib>
#include <new>
#include <set>

#include "tests/unit/cmocka.hpp"

using namespace kq;
using namespace kq::client;

// Every allocation of this program, counted.
static size_t allocations = 0;
void* operator new(size_t size) {
  ++allocations;
  if (void* memory = std::malloc(size)) return memory;
  throw std::bad_alloc();
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, size_t) noexcept { std::free(memory); }

namespace {

// An accumulator on simulated time, with topic "t" of `partitions` known to it.
struct Desk {
  explicit Desk(size_t partitions = 1, AccumulatorOptions options = {}, size_t memory_bytes = 1 << 20)
      : memory(std::make_shared<SendMemory>(memory_bytes, 64 << 10)),
        accumulator(options, memory, [this] { ++wakes; }, [this](const std::string& name) { wanted += name + " "; }) {
    Clock::simulate(&time);
    Outbound record;
    record.topic = "t";
    assert_true(accumulator.append(record) == Sending::topic_unknown);
    accumulator.topic_is("t", Uuid{}, partitions);
    collect();
    wakes = 0;
  }
  ~Desk() { Clock::simulate(nullptr); }

  Sending send(std::string_view value, std::string_view key = {}, int32_t partition = -1, uint64_t tag = 0) {
    Outbound record;
    record.topic = "t";
    record.partition = partition;
    if (!key.empty()) record.key = as_bytes(key);
    record.value = as_bytes(value);
    record.tag = tag;
    return accumulator.append(record);
  }
  // "partition:records" of what the loop is given.
  std::string collect() {
    std::vector<BatchRef> batches;
    accumulator.collect(Clock::now(), batches);
    std::string text;
    for (const BatchRef& batch : batches) {
      text += std::to_string(batch->partition) + ":" + std::to_string(batch->count()) + " ";
      taken.push_back(batch);
    }
    return text;
  }
  void finish_all() {
    for (const BatchRef& batch : taken) accumulator.finished(*batch);
    taken.clear();
  }

  SimulatedTime time;
  std::shared_ptr<SendMemory> memory;
  int wakes = 0;
  std::string wanted;
  std::vector<BatchRef> taken;
  Accumulator accumulator;
};

AccumulatorOptions small_batches() {
  AccumulatorOptions options;
  options.batch_bytes = 1000;
  return options;
}

}  // namespace

static void a_topic_is_asked_for_once(void**) {
  Desk desk;
  Outbound record;
  record.topic = "other";
  assert_true(desk.accumulator.append(record) == Sending::topic_unknown);
  assert_true(desk.accumulator.append(record) == Sending::topic_unknown);
  assert_string_equal(desk.wanted.c_str(), "t other ");
  desk.accumulator.topic_failed("other", Error(29, "not allowed"));
  assert_true(desk.accumulator.append(record) == Sending::refused);
  assert_string_equal(desk.accumulator.explain(Sending::refused, record).message().c_str(), "not allowed");
}

static void a_batch_lingers_for_company(void**) {
  Desk desk;
  for (int i = 0; i < 3; ++i) assert_true(desk.send("v") == Sending::sent);
  assert_int_equal(desk.wakes, 1);                         // the loop is told of the first alone
  assert_string_equal(desk.collect().c_str(), "");
  assert_true(desk.accumulator.deadline() == Instant(5ms));
  desk.time.monotonic = 4ms;
  assert_string_equal(desk.collect().c_str(), "");
  desk.time.monotonic = 5ms;
  assert_string_equal(desk.collect().c_str(), "0:3 ");
  assert_false(desk.accumulator.deadline().has_value());
}

static void without_linger_each_opening_wakes_the_loop(void**) {
  AccumulatorOptions options;
  options.linger = 0ms;
  Desk desk(1, options);
  desk.send("v");
  assert_int_equal(desk.wakes, 1);
  assert_string_equal(desk.collect().c_str(), "0:1 ");
  desk.send("v");
  desk.send("v");
  assert_int_equal(desk.wakes, 2);
  assert_string_equal(desk.collect().c_str(), "0:2 ");
}

static void while_one_lingers_no_other_wakes_the_loop(void**) {
  Desk desk(3);
  desk.send("v", {}, 0);
  desk.collect();
  desk.time.monotonic = 1ms;
  desk.send("v", {}, 1);
  desk.time.monotonic = 4ms;
  desk.send("v", {}, 2);
  assert_int_equal(desk.wakes, 1);
  desk.time.monotonic = 5ms;
  assert_string_equal(desk.collect().c_str(), "0:1 1:1 ");   // the second has done half of its time: it comes along
  assert_true(desk.accumulator.deadline() == Instant(9ms));
}

static void a_full_batch_goes_at_once(void**) {
  Desk desk(1, small_batches());
  const std::string value(300, 'v');
  for (int i = 0; i < 4; ++i) assert_true(desk.send(value) == Sending::sent);
  assert_string_equal(desk.collect().c_str(), "0:2 ");
  assert_string_equal(desk.collect().c_str(), "");
  desk.time.monotonic = 5ms;
  assert_string_equal(desk.collect().c_str(), "0:2 ");
}

static void batches_grow_to_their_size(void**) {
  Desk desk;                                               // the first block has 4 KiB, a batch may have 16
  for (int i = 0; i < 150; ++i) assert_true(desk.send(std::string(100, static_cast<char>(i))) == Sending::sent);
  desk.time.monotonic = 5ms;
  assert_string_equal(desk.collect().c_str(), "0:148 0:2 ");
  const BatchView view(desk.taken.front()->readable());
  assert_true(view.check_crc());
  assert_true(view.size() > 16000 && view.size() <= 16384);
}

static void a_large_record_travels_alone(void**) {
  Desk desk;
  desk.send("v");
  assert_true(desk.send(std::string(100'000, 'v')) == Sending::sent);
  assert_true(desk.send("v") == Sending::sent);
  assert_string_equal(desk.collect().c_str(), "0:1 0:1 ");
  assert_true(desk.send(std::string(2 << 20, 'v')) == Sending::refused);
  Outbound record;
  record.topic = "t";
  const std::string value(2 << 20, 'v');
  record.value = as_bytes(value);
  assert_non_null(strstr(desk.accumulator.explain(Sending::refused, record).message().c_str(), "max.request.size=1048576"));
}

static void keys_go_where_java_sends_them(void**) {
  Desk desk(10);
  desk.send("v", "21");                                    // murmur2 vectors
  desk.send("v", "foobar");
  desk.time.monotonic = 5ms;
  std::string expected;
  for (const int32_t p : std::set<int32_t>{(-973932308 & 0x7fffffff) % 10, (-790332482 & 0x7fffffff) % 10}) expected += std::to_string(p) + ":1 ";
  const std::string got = desk.collect();
  assert_int_equal(got.size(), expected.size());
  for (const char* part : {"0:", "1:", "2:", "3:", "4:", "5:", "6:", "7:", "8:", "9:"})
    assert_true((got.find(part) == got.npos) == (expected.find(part) == expected.npos));
}

static void a_given_partition_is_obeyed_or_refused(void**) {
  Desk desk(3);
  assert_true(desk.send("v", "key", 2) == Sending::sent);
  assert_true(desk.send("v", "key", 3) == Sending::refused);
  assert_true(desk.send("v", "key", -2) == Sending::refused);
  desk.time.monotonic = 5ms;
  assert_string_equal(desk.collect().c_str(), "2:1 ");
}

/* KIP-794: records without a key stay together for a batch's worth, then move on; all partitions get alike. */
static void records_without_a_key_stay_together_for_a_batch(void**) {
  Desk desk(4, small_batches());
  const std::string value(100, 'v');
  std::map<int32_t, int> records;
  for (int i = 0; i < 4000; ++i) {
    assert_true(desk.send(value) == Sending::sent);
    desk.collect();
    for (const BatchRef& batch : desk.taken) {
      assert_true(batch->builder.size() > 900);
      records[batch->partition] += batch->count();
    }
    desk.finish_all();
  }
  assert_int_equal(records.size(), 4);
  for (const auto& [partition, count] : records) assert_in_range(count, 800, 1200);
}

/* How many of `batches` full batches of records without a key each partition gets. */
static std::map<int32_t, int> keyless_batches(Desk& desk, int batches) {
  std::map<int32_t, int> counts;
  const std::string value(900, 'v');                 // one fills a batch
  for (int i = 0; i < batches; ++i) {
    assert_true(desk.send(value) == Sending::sent);
    desk.collect();
    for (const BatchRef& batch : desk.taken) ++counts[batch->partition];
    desk.finish_all();
  }
  return counts;
}

static void records_without_a_key_go_where_less_is_queued(void**) {
  Desk desk(2, small_batches());
  NodeLoad broker;
  desk.accumulator.each_lane([&](Lane& lane) {
    lane.leader_load = &broker;
    lane.queued = lane.partition == 0 ? 99 : 0;
  });
  auto counts = keyless_batches(desk, 2000);
  assert_in_range(counts[0], 1, 80);                 // about 1 of 100

  AccumulatorOptions alike = small_batches();
  alike.adaptive = false;
  Desk other(2, alike);
  other.accumulator.each_lane([&](Lane& lane) {
    lane.leader_load = &broker;
    lane.queued = lane.partition == 0 ? 99 : 0;
  });
  counts = keyless_batches(other, 2000);
  assert_in_range(counts[0], 900, 1100);
}

static void records_without_a_key_go_where_there_is_a_leader(void**) {
  Desk desk(4, small_batches());
  NodeLoad broker;
  desk.accumulator.each_lane([&](Lane& lane) { lane.leader_load = lane.partition < 2 ? &broker : nullptr; });
  keyless_batches(desk, 2);                          // where they went before that was known
  const auto counts = keyless_batches(desk, 200);
  assert_int_equal(counts.size(), 2);
  assert_true(counts.contains(0) && counts.contains(1));
}

static void records_without_a_key_avoid_a_broker_that_takes_nothing_for_too_long(void**) {
  AccumulatorOptions options = small_batches();
  options.availability_timeout = 1s;
  Desk desk(2, options);
  NodeLoad slow, quick;
  desk.accumulator.each_lane([&](Lane& lane) { lane.leader_load = lane.partition == 0 ? &slow : &quick; });
  slow.waiting_since = Clock::now();
  desk.time.monotonic += 1s;
  assert_true(keyless_batches(desk, 200).contains(0));          // not yet
  desk.time.monotonic += 1ms;
  keyless_batches(desk, 2);
  assert_false(keyless_batches(desk, 200).contains(0));
  quick.waiting_since = Clock::now() - 2s;                      // none is better than the other
  assert_int_equal(keyless_batches(desk, 200).size(), 2);
  quick.waiting_since = slow.waiting_since = NodeLoad::nothing_waits;
  assert_int_equal(keyless_batches(desk, 200).size(), 2);
}

static void slow_records_without_a_key_move_on_as_well(void**) {
  Desk desk(4, small_batches());
  std::set<int32_t> seen;
  for (int i = 0; i < 400; ++i) {
    desk.send(std::string(100, 'v'));
    desk.time.monotonic += 5ms;
    desk.collect();
    for (const BatchRef& batch : desk.taken) seen.insert(batch->partition);
    desk.finish_all();
  }
  assert_int_equal(seen.size(), 4);
}

static void full_memory_is_said_and_ends_the_lingering(void**) {
  AccumulatorOptions options;
  options.linger = 1min;
  Desk desk(4, options, 8192);                             // room for two small blocks
  assert_true(desk.send("v", {}, 0) == Sending::sent);
  assert_true(desk.send("v", {}, 1) == Sending::sent);
  assert_true(desk.send("v", {}, 2) == Sending::memory_full);
  assert_string_equal(desk.collect().c_str(), "0:1 1:1 ");
  desk.finish_all();                                       // the last reference: the blocks go back
  assert_int_equal(desk.memory->records.used(), 0);
  assert_true(desk.send("v", {}, 2) == Sending::sent);
}

static void unpolled_deliveries_stop_new_batches(void**) {
  Desk desk;
  desk.memory->deliveries.charge(64 << 10);
  assert_true(desk.send("v") == Sending::deliveries_full);
  desk.memory->deliveries.release(1000);
  assert_true(desk.send("v") == Sending::sent);
}

static void a_flush_takes_what_was_there_before_it(void**) {
  Desk desk(2);
  desk.send("v", {}, 0);
  const uint64_t first = desk.accumulator.begin_flush();
  assert_false(desk.accumulator.flushed(first));
  assert_string_equal(desk.collect().c_str(), "0:1 ");
  desk.send("v", {}, 1);                                   // after the flush: lingers
  assert_string_equal(desk.collect().c_str(), "");
  desk.finish_all();
  assert_true(desk.accumulator.flushed(first));
  assert_int_equal(desk.accumulator.pending(), 1);
  const uint64_t second = desk.accumulator.begin_flush();
  assert_false(desk.accumulator.flushed(second));
  assert_string_equal(desk.collect().c_str(), "1:1 ");
  assert_int_equal(desk.accumulator.pending(), 1);
  desk.finish_all();
  assert_true(desk.accumulator.flushed(second));
  assert_int_equal(desk.accumulator.pending(), 0);
}

static void what_is_noted_comes_back(void**) {
  Desk desk;
  for (uint64_t i = 0; i < 100; ++i) desk.send("v", {}, -1, i < 10 ? 0 : i * 1000);
  desk.time.monotonic = 5ms;
  desk.collect();
  const BatchNotes& notes = desk.taken.front()->notes;
  assert_int_equal(notes.tag(9), 0);
  assert_int_equal(notes.tag(10), 10000);
  assert_int_equal(notes.tag(99), 99000);
  assert_int_equal(notes.timestamp(99), desk.time.wall_ms);
}

static void a_clock_set_back_does_not_show_in_a_batch(void**) {
  Desk desk;
  desk.send("v");
  desk.time.wall_ms -= 1000;
  desk.send("v");
  desk.time.monotonic = 5ms;
  desk.collect();
  assert_int_equal(desk.taken.front()->notes.timestamp(1), desk.time.wall_ms + 1000);
}

/* What is allocated is allocated for a batch, never for a record. */
static void records_allocate_nothing(void**) {
  Desk desk;
  const std::string value(100, 'v');
  size_t before = 0, batches = 0, records = 0;
  std::vector<BatchRef> taken;
  for (uint64_t round = 0; round < 20; ++round) {
    if (round == 10) before = allocations, batches = records = 0;
    for (uint64_t i = 1; i <= 1000; ++i, ++records) assert_true(desk.send(value, {}, -1, i) == Sending::sent);
    desk.accumulator.collect(Clock::now(), taken);
    for (const BatchRef& batch : taken) desk.accumulator.finished(*batch);
    batches += taken.size();
    taken.clear();
  }
  assert_true(batches > 0 && records > 100 * batches);
  assert_true(allocations - before <= 4 * batches);        // the batch, its list of timestamps, its list of tags, and a node of a queue
}

static void records_of_a_batch_may_share_a_look_at_the_clock(void**) {
  AccumulatorOptions options;
  options.stamped_at_once = 4;
  Desk desk(1, options);
  const int64_t start = desk.time.wall_ms;
  for (int i = 0; i < 9; ++i) desk.send("v"), desk.time.wall_ms += 10;
  desk.time.monotonic = 5ms;
  desk.collect();
  const BatchNotes& notes = desk.taken.front()->notes;
  assert_int_equal(notes.timestamp(3) - start, 0);
  assert_int_equal(notes.timestamp(4) - start, 40);
  assert_int_equal(notes.timestamp(8) - start, 80);
}

/* partitioner=consistent_random: CRC-32 of "123456789" is 0xcbf43926; an empty key is none. */
static void keys_go_where_librdkafka_sends_them(void**) {
  AccumulatorOptions options;
  options.crc32_keys = true;
  Desk desk(1000, options);
  assert_true(desk.send("v", "123456789") == Sending::sent);
  desk.time.monotonic = 5ms;
  assert_string_equal(desk.collect().c_str(), (std::to_string(0xcbf43926 % 1000) + ":1 ").c_str());
}

static void outside_a_transaction_nothing_is_taken(void**) {
  Desk desk;
  desk.accumulator.admit(Sending::no_transaction);
  assert_true(desk.send("v") == Sending::no_transaction);
  desk.accumulator.admit(Sending::sent);
  assert_true(desk.send("v") == Sending::sent);
}

static void after_close_nothing_is_taken(void**) {
  Desk desk;
  desk.accumulator.close();
  assert_true(desk.send("v") == Sending::closed);
}

static void more_partitions_may_come(void**) {
  Desk desk(1);
  assert_true(desk.send("v", {}, 1) == Sending::refused);
  desk.accumulator.topic_is("t", Uuid{}, 2);
  assert_true(desk.send("v", {}, 1) == Sending::sent);
  assert_int_equal(**desk.accumulator.partition_count("t"), 2);
}

int main() {
  const CMUnitTest tests[] = {
      cmocka_unit_test(a_topic_is_asked_for_once),
      cmocka_unit_test(a_batch_lingers_for_company),
      cmocka_unit_test(without_linger_each_opening_wakes_the_loop),
      cmocka_unit_test(while_one_lingers_no_other_wakes_the_loop),
      cmocka_unit_test(a_full_batch_goes_at_once),
      cmocka_unit_test(batches_grow_to_their_size),
      cmocka_unit_test(a_large_record_travels_alone),
      cmocka_unit_test(keys_go_where_java_sends_them),
      cmocka_unit_test(a_given_partition_is_obeyed_or_refused),
      cmocka_unit_test(records_without_a_key_stay_together_for_a_batch),
      cmocka_unit_test(records_without_a_key_go_where_less_is_queued),
      cmocka_unit_test(records_without_a_key_go_where_there_is_a_leader),
      cmocka_unit_test(records_without_a_key_avoid_a_broker_that_takes_nothing_for_too_long),
      cmocka_unit_test(slow_records_without_a_key_move_on_as_well),
      cmocka_unit_test(full_memory_is_said_and_ends_the_lingering),
      cmocka_unit_test(unpolled_deliveries_stop_new_batches),
      cmocka_unit_test(a_flush_takes_what_was_there_before_it),
      cmocka_unit_test(what_is_noted_comes_back),
      cmocka_unit_test(a_clock_set_back_does_not_show_in_a_batch),
      cmocka_unit_test(records_allocate_nothing),
      cmocka_unit_test(records_of_a_batch_may_share_a_look_at_the_clock),
      cmocka_unit_test(keys_go_where_librdkafka_sends_them),
      cmocka_unit_test(outside_a_transaction_nothing_is_taken),
      cmocka_unit_test(after_close_nothing_is_taken),
      cmocka_unit_test(more_partitions_may_come),
  };
  return cmocka_run_group_tests_name("client.accumulator", tests, nullptr, nullptr);
}
