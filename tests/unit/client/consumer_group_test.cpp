// What kq.h promises about groups, sentence by sentence, against a coordinator in memory.
#include "tests/unit/client/fake_group.hpp"

using namespace kq;
using namespace kq::client;

static void partitions_come_before_their_records_and_reading_goes_on_where_the_group_has_committed(void**) {
  FakeGroup group;
  group.append(0, 5);
  group.append(0, 5);
  group.append(1, 5);
  group.committed[{"t", 0}] = 5;
  group.assignment = {{"t", 0}, {"t", 1}};
  assert_true(group.consumer->subscribe({"t"}).ok());
  expect(group.next(), "+ t-0 t-1");
  std::string read = group.next();
  read += " " + group.next(100ms);
  assert_true(read.find("t-0 5..") != read.npos && read.find("t-1 0..") != read.npos);
}

static void a_seek_upon_assignment_is_in_time(void**) {
  FakeGroup group;
  group.append(0, 5);
  group.join({{"t", 0}});
  group.pass(1s);                                    // records are fetched meanwhile
  assert_true(group.consumer->seek("t", 0, 3).ok());
  expect(group.next(), "t-0 3..4");
}

static void after_a_revocation_no_poll_returns_a_record_of_what_went(void**) {
  FakeGroup group;
  group.join();
  group.append(0, 5);
  group.append(1, 5);
  group.pass(1s);                                    // both are fetched
  group.rebalance({{"t", 1}});
  group.pass(4s);                                    // a heartbeat tells
  expect(group.next(), "- t-0 t-1");
  expect(group.next(), "+ t-1");
  expect(group.next(), "t-1 0..4");
  expect(group.next(2s), "");
}

static void a_revocation_is_acknowledged_by_release(void**) {
  FakeGroup group;
  group.join();
  group.rebalance({});
  group.pass(4s);
  expect(group.poll(), "- t-0 t-1");
  group.pass(1s);
  expect(group.told(), "");                          // nobody has said so yet
  group.consumer->release(*group.batch);
  group.pass(1s);
  expect(group.told(), "join, sync");
}

static void a_revocation_is_acknowledged_by_freeing_its_batch(void**) {
  FakeGroup group;
  group.join();
  group.rebalance({});
  group.pass(4s);
  expect(group.poll(), "- t-0 t-1");
  group.batch.reset();
  group.pass(1s);
  expect(group.told(), "join, sync");
}

static void a_revocation_is_acknowledged_by_the_next_poll_of_its_thread_alone(void**) {
  FakeGroup group;
  group.join();
  group.rebalance({});
  group.pass(4s);
  expect(group.poll(), "- t-0 t-1");
  std::thread([&] { group.poll(); }).join();
  group.pass(1s);
  expect(group.told(), "");
  group.poll();
  group.pass(1s);
  expect(group.told(), "join, sync");
}

static void what_is_not_acknowledged_within_the_rebalance_time_out_is_lost(void**) {
  FakeGroup group(Settings{{"max.poll.interval.ms", "10000"}, {"auto.commit.interval.ms", "60000"}});
  group.join();
  group.append(0, 5);
  expect(group.next(), "t-0 0..4");
  group.rebalance({});
  group.pass(4s);
  expect(group.poll(), "- t-0 t-1");
  const auto held = std::move(group.batch);
  group.pass(8s);
  expect(group.told(), "");
  group.pass(3s);
  std::string got;
  std::thread([&] { got = group.poll(); }).join();
  expect(got, "lost t-0 t-1");
  expect(group.told(), "join, sync");
  group.consumer->release(*held);                    // too late to matter
  group.pass(6s);
  expect(group.told(), "");                          // and nothing was committed
}

static void auto_commit_commits_what_was_handed_out_before_the_latest_poll_began(void**) {
  FakeGroup group(Settings{{"auto.commit.interval.ms", "1000"}});
  group.join({{"t", 0}});
  group.append(0, 5);
  expect(group.next(), "t-0 0..4");
  group.pass(5s);
  expect(group.told(), "");                          // the latest poll has returned them: they may not be dealt with yet
  group.append(0, 5);
  group.pass(100ms);
  expect(group.poll(), "t-0 5..9");
  group.pass(5s);
  expect(group.told(), "commit t-0@5");
  group.poll();
  group.pass(5s);
  expect(group.told(), "commit t-0@10");
  group.pass(20s);
  expect(group.told(), "");                          // once
}

static void auto_commit_commits_on_revocation_before_the_partitions_go(void**) {
  FakeGroup group;
  group.join({{"t", 0}});
  group.append(0, 5);
  expect(group.next(), "t-0 0..4");
  group.rebalance({});
  group.pass(4s);
  expect(group.poll(), "- t-0");
  group.batch.reset();
  group.pass(1s);
  expect(group.told(), "commit t-0@5, join, sync");
}

static void closing_leaves_nothing_behind_while_a_fetch_waits(void**) {
  FakeGroup group;
  group.join();
  group.broker(1).hold(FetchRequest::key);
  group.pass(1s);
  assert_true(group.close().ok());
  expect(group.told(), "leave");
  assert_true(group.free());
}

static void closing_does_not_wait_for_the_members_that_a_join_waits_for(void**) {
  FakeGroup group;
  group.join();
  group.broker(1).hold(JoinGroupRequest::key);
  group.rebalance({});
  group.pass(4s);
  expect(group.poll(), "- t-0 t-1");
  group.batch.reset();
  group.pass(1s);
  assert_true(group.close().ok());
  expect(group.told(), "leave");
}

static void closing_commits_and_leaves_but_never_commits_what_the_latest_poll_returned(void**) {
  FakeGroup group;
  group.join({{"t", 0}});
  group.append(0, 5);
  expect(group.next(), "t-0 0..4");
  group.append(0, 5);
  group.pass(100ms);
  expect(group.poll(), "t-0 5..9");
  assert_true(group.close().ok());
  expect(group.told(), "commit t-0@5, leave");
}

static void a_released_batch_is_committed_without_another_poll(void**) {
  FakeGroup group;
  group.join({{"t", 0}});
  group.append(0, 5);
  expect(group.next(), "t-0 0..4");
  group.consumer->release(*group.batch);
  group.pass(10s);
  expect(group.told(), "commit t-0@5");
}

static void what_is_lost_is_not_committed(void**) {
  FakeGroup group;
  group.join({{"t", 0}});
  group.append(0, 5);
  expect(group.next(), "t-0 0..4");
  group.heartbeat = Code::unknown_member_id;
  group.pass(4s);
  expect(group.poll(), "lost t-0");
  group.pass(10s);
  assert_true(group.told().find("commit") == std::string::npos);
}

static void stored_offsets_alone_are_committed_when_the_application_stores(void**) {
  FakeGroup group(Settings{{"enable.auto.offset.store", "false"}});
  group.join({{"t", 0}});
  group.append(0, 5);
  expect(group.next(), "t-0 0..4");
  group.poll();
  group.pass(10s);
  expect(group.told(), "");
  const GroupOffset stored{.at = {"t", 0}, .offset = 3};
  assert_true(group.consumer->store({&stored, 1}).ok());
  group.pass(10s);
  expect(group.told(), "commit t-0@3");
}

static void an_idle_member_is_never_late(void**) {
  FakeGroup group(Settings{{"max.poll.interval.ms", "10000"}});
  group.join();
  group.pass(40s);
  expect(group.told(), "");
}

static void a_member_that_leaves_records_waiting_makes_room_and_comes_back_with_the_next_poll(void**) {
  FakeGroup group(Settings{{"max.poll.interval.ms", "10000"}});
  group.join({{"t", 0}});
  group.append(0, 5);
  group.pass(21s);
  expect(group.told(), "leave");
  expect(group.next(), "lost t-0");
  expect(group.next(), "+ t-0");
  expect(group.next(), "t-0 0..4");
  expect(group.told(), "join, sync");
}

static void a_commit_says_how_it_went(void**) {
  FakeGroup group;
  group.join({{"t", 0}});
  assert_true(group.commit({{.at = {"t", 0}, .offset = 7, .metadata = "note"}}).ok());
  expect(group.told(), "commit t-0@7");
  group.commit_code = Code::rebalance_in_progress;
  assert_true(group.commit({{.at = {"t", 0}, .offset = 8}}).ok());
  assert_true(group.committing.front().error->verdict() == Verdict::retry);
  group.commit_code = Code::illegal_generation;
  assert_true(group.commit({{.at = {"t", 0}, .offset = 8}}).ok());
  assert_true(group.committing.front().error->verdict() == Verdict::refused);
}

static void a_commit_that_a_rebalance_overtakes_is_made_again_in_the_new_generation(void**) {
  FakeGroup group(Settings{{"partition.assignment.strategy", "cooperative-sticky"}});
  group.protocol = "cooperative-sticky";
  group.join();
  ++group.generation;                                // all others have joined, and the answer is on its way
  group.rebalance({{"t", 0}, {"t", 1}});
  const auto outcome = group.commit({{.at = {"t", 0}, .offset = 3}});
  assert_true(outcome.ok());
  assert_false(group.committing.front().error.has_value());
  assert_int_equal((group.committed[{"t", 0}]), 3);
}

static void a_commit_of_a_member_that_was_thrown_out_is_refused(void**) {
  FakeGroup group(Settings{{"partition.assignment.strategy", "cooperative-sticky"}});
  group.protocol = "cooperative-sticky";
  group.join();
  ++group.generation;
  group.heartbeat = Code::illegal_generation;
  const auto outcome = group.commit({{.at = {"t", 0}, .offset = 3}});
  assert_false(outcome.ok());
  assert_int_equal(outcome.error().code(), static_cast<int>(Code::illegal_generation));
  assert_false((group.committed.contains({"t", 0})));
}

static void a_pattern_is_matched_as_soon_as_a_broker_answers(void**) {
  FakeGroup group;
  FakeBroker& broker = group.broker(1);
  int unanswered = 2;
  group.assignment = {{"t", 0}};
  broker.on_frame(MetadataRequest::key, [&](const RequestFrame& frame) {
    const auto request = decode<MetadataRequest>(frame.body, frame.version());
    if (!request->topics && unanswered-- > 0) return std::vector<std::byte>{};
    return FakeBroker::framed(group.metadata(*request), frame.version(), frame.header.correlation_id);
  });
  assert_true(group.consumer->subscribe_pattern("t.*").ok());
  std::string told = group.next(2min);               // request.timeout.ms each, and not metadata.max.age.ms
  while (told.starts_with("error")) told = group.next(2min);
  expect(told, "+ t-0");
  assert_true(group.time.monotonic < 2min);
}

static void an_asynchronous_commit_comes_back_with_its_tag(void**) {
  FakeGroup group;
  group.join({{"t", 0}});
  group.consumer->commit_later({{.at = {"t", 0}, .offset = 7}}, 42);
  expect(group.next(), "committed t-0@7 #42");
  assert_false(group.batch->failures.front().has_value());
  group.commit_code = Code::offset_metadata_too_large;
  group.consumer->commit_later({{.at = {"t", 0}, .offset = 8}}, 43);
  expect(group.next(), "committed t-0@8 #43");
  assert_true(group.batch->failures.front().has_value());
}

static void a_coordinator_that_moves_is_found_again(void**) {
  FakeGroup group({}, 2);
  group.join({{"t", 0}});
  group.coordinator = 2;
  assert_true(group.commit({{.at = {"t", 0}, .offset = 7}}).ok());
  assert_false(group.committing.front().error.has_value());
  expect(group.told(), "commit t-0@7");
  group.pass(10s);                                   // heartbeats go there as well
  expect(group.told(), "");
  assert_true(group.broker(2).requests(HeartbeatRequest::key) > 0);
}

static void assigning_by_hand_and_subscribing_exclude_each_other(void**) {
  FakeGroup group;
  const AssignedPartition one{"t", 0};
  assert_true(group.consumer->assign({&one, 1}).ok());
  assert_false(group.consumer->subscribe({"t"}).ok());
  assert_true(group.consumer->assign({}).ok());
  group.join();
  assert_false(group.consumer->assign({&one, 1}).ok());
  assert_true(group.consumer->unsubscribe().ok());
  expect(group.next(), "- t-0 t-1");
  group.batch.reset();
  group.pass(1s);
  expect(group.told(), "leave");
}

static void partitions_assigned_by_hand_go_on_where_the_group_has_committed(void**) {
  FakeGroup group;
  group.append(0, 5);
  group.committed[{"t", 0}] = 2;
  const AssignedPartition one{"t", 0};
  assert_true(group.consumer->assign({&one, 1}).ok());
  expect(group.next(), "t-0 2..4");
  group.poll();
  group.pass(10s);
  expect(group.told(), "commit t-0@5");
}

static void held_batches_fill_the_budget_and_poll_says_so(void**) {
  FakeGroup group(Settings{{"fetch.buffer.memory", "65536"}, {"max.poll.records", "2000"}});
  group.join({{"t", 0}});
  std::vector<std::unique_ptr<Batch>> held;
  for (int i = 0; i < 60; ++i) group.append(0, 200);
  std::string got = group.next();
  while (got.starts_with("t-0")) {
    held.push_back(std::move(group.batch));
    got = group.next();
  }
  assert_string_equal(got.c_str(), ("error " + std::to_string(own_code::no_room)).c_str());
  assert_true(group.last_error->verdict() == Verdict::retry);
  held.clear();
  assert_true(group.next().starts_with("t-0"));
}

static void a_poll_gives_no_more_records_than_asked_for(void**) {
  FakeGroup group(Settings{{"max.poll.records", "2"}});
  group.append(0, 5);
  group.join({{"t", 0}});
  expect(group.next(), "t-0 0..1");
  expect(group.next(), "t-0 2..3");
  expect(group.next(), "t-0 4..4");
}

static void a_wake_up_ends_the_poll_that_waits(void**) {
  FakeGroup group;
  group.join();
  group.consumer->wake_up();
  Batch nothing;
  Consumer::Where where;
  const Instant before = Clock::now();
  const auto polled = group.consumer->poll(Instant::max(), nothing, where);
  assert_true(polled.ok() && *polled == Consumer::Polled::nothing && Clock::now() - before < 1s);
}

int main() {
  const CMUnitTest tests[] = {
      cmocka_unit_test(partitions_come_before_their_records_and_reading_goes_on_where_the_group_has_committed),
      cmocka_unit_test(a_seek_upon_assignment_is_in_time),
      cmocka_unit_test(after_a_revocation_no_poll_returns_a_record_of_what_went),
      cmocka_unit_test(a_revocation_is_acknowledged_by_release),
      cmocka_unit_test(a_revocation_is_acknowledged_by_freeing_its_batch),
      cmocka_unit_test(a_revocation_is_acknowledged_by_the_next_poll_of_its_thread_alone),
      cmocka_unit_test(what_is_not_acknowledged_within_the_rebalance_time_out_is_lost),
      cmocka_unit_test(auto_commit_commits_what_was_handed_out_before_the_latest_poll_began),
      cmocka_unit_test(auto_commit_commits_on_revocation_before_the_partitions_go),
      cmocka_unit_test(closing_leaves_nothing_behind_while_a_fetch_waits),
      cmocka_unit_test(closing_does_not_wait_for_the_members_that_a_join_waits_for),
      cmocka_unit_test(closing_commits_and_leaves_but_never_commits_what_the_latest_poll_returned),
      cmocka_unit_test(a_released_batch_is_committed_without_another_poll),
      cmocka_unit_test(what_is_lost_is_not_committed),
      cmocka_unit_test(stored_offsets_alone_are_committed_when_the_application_stores),
      cmocka_unit_test(an_idle_member_is_never_late),
      cmocka_unit_test(a_member_that_leaves_records_waiting_makes_room_and_comes_back_with_the_next_poll),
      cmocka_unit_test(a_commit_says_how_it_went),
      cmocka_unit_test(a_commit_that_a_rebalance_overtakes_is_made_again_in_the_new_generation),
      cmocka_unit_test(a_commit_of_a_member_that_was_thrown_out_is_refused),
      cmocka_unit_test(a_pattern_is_matched_as_soon_as_a_broker_answers),
      cmocka_unit_test(an_asynchronous_commit_comes_back_with_its_tag),
      cmocka_unit_test(a_coordinator_that_moves_is_found_again),
      cmocka_unit_test(assigning_by_hand_and_subscribing_exclude_each_other),
      cmocka_unit_test(partitions_assigned_by_hand_go_on_where_the_group_has_committed),
      cmocka_unit_test(held_batches_fill_the_budget_and_poll_says_so),
      cmocka_unit_test(a_poll_gives_no_more_records_than_asked_for),
      cmocka_unit_test(a_wake_up_ends_the_poll_that_waits),
  };
  return cmocka_run_group_tests_name("client.consumer_group", tests, nullptr, nullptr);
}
