#include "libkq/client/sender.hpp"

#include "tests/unit/client/script.hpp"

using namespace kq;
using namespace kq::client;

namespace {

SenderOptions plain() {
  SenderOptions options;
  options.idempotence = false;
  options.acks = 1;
  return options;
}

// ---- sending ----

void nothing_is_sent_before_there_is_an_id_a_leader_and_a_connection(void**) {
  Script script;
  script.send("t", 0);
  expect(script, "[0ms] ask for metadata\n[0ms] ask for a producer id\n");
  script.led("t", 0, 1, 0);
  expect(script, "[0ms] > 1  connect\n");
  script.up(1);
  expect(script, "");
  script.id(900, 0);
  expect(script, "[0ms] > 1  produce #1 t-0 seq 0 x1\n");
  script.at(4ms);
  script.answer(1, {.offset = 40});
  expect(script, "[4ms] t-0 x1 @40\n");
  assert_int_equal(script.sender().unfinished(), 0);
}

void sequences_count_records_and_five_requests_are_in_flight(void**) {
  Script script;
  script.ready();
  for (int i = 0; i < 7; ++i) script.send("t", 0, 2);
  expect(script, "[0ms] > 1  produce #1 t-0 seq 0 x2\n"
                 "[0ms] > 1  produce #2 t-0 seq 2 x2\n"
                 "[0ms] > 1  produce #3 t-0 seq 4 x2\n"
                 "[0ms] > 1  produce #4 t-0 seq 6 x2\n"
                 "[0ms] > 1  produce #5 t-0 seq 8 x2\n");
  script.answer(1, {.offset = 0});
  expect(script, "[0ms] t-0 x2 @0\n[0ms] > 1  produce #6 t-0 seq 10 x2\n");
}

/* A leader that has just learned of a topic may refuse the first batch and take the second: it knows nothing of the producer, and
 * begins to count anywhere. */
void a_leader_that_does_not_know_the_producer_gets_one_batch_first(void**) {
  Script script;
  script.ready();
  script.led("new", 0, 1, 0);
  for (int i = 0; i < 3; ++i) script.send("new", 0);
  expect(script, "[0ms] > 1  produce #1 new-0 seq 0 x1\n");
  script.answer(1, {.code = Code::unknown_topic_or_partition});
  expect(script, "[0ms] ask for metadata\n");
  script.at(200ms);
  script.tick();
  expect(script, "[200ms] > 1  produce #2 new-0 seq 0 x1\n");
  script.answer(2, {.offset = 0});
  expect(script, "[200ms] new-0 x1 @0\n[200ms] > 1  produce #3 new-0 seq 1 x1\n[200ms] > 1  produce #4 new-0 seq 2 x1\n");
}

void one_request_holds_batches_of_many_partitions_up_to_its_size(void**) {
  SenderOptions options;
  options.request_bytes_max = 2700;
  Script script(options);
  script.ready();
  for (int32_t p = 1; p < 4; ++p) script.led("t", p, 1, 0);
  script.send_together({script.make("t", 0, 1, 1000), script.make("t", 1, 1, 1000), script.make("t", 2, 1, 1000), script.make("t", 3, 1, 1000)});
  expect(script, "[0ms] > 1  produce #1 t-0 seq 0 x1 t-1 seq 0 x1\n"
                 "[0ms] > 1  produce #2 t-2 seq 0 x1 t-3 seq 0 x1\n");
}

void acks_none_is_delivered_when_it_is_written(void**) {
  SenderOptions options = plain();
  options.acks = 0;
  Script script(options);
  script.ready();
  script.send("t", 0);
  script.written(1);
  expect(script, "[0ms] > 1  produce #1 t-0 x1\n[0ms] t-0 x1 @-1\n");
}

// ---- leaders ----

/* The leader moves while a batch is in flight.  It goes out again, once, to the new leader, under the same sequence. */
void leader_moves_in_flight(void**) {
  Script script;
  script.ready();
  script.up(2);
  script.send("t", 0);
  script.at(4ms);
  script.answer(1, {.code = Code::not_leader_or_follower});
  script.at(8ms);
  script.led("t", 0, 2, 1);
  script.at(12ms);
  script.answer(2, {.offset = 0});
  expect(script, "[0ms] > 1  produce #1 t-0 seq 0 x1\n"
                 "[4ms] ask for metadata\n"
                 "[8ms] > 2  produce #2 t-0 seq 0 x1\n"
                 "[12ms] t-0 x1 @0\n");
}

/* What the accumulator weighs partitions by (KIP-794). */
void what_waits_for_a_broker_can_be_seen(void**) {
  Script script(SenderOptions{.in_flight_max = 1});
  script.ready();
  const Lane& lane = script.lane("t", 0);
  const NodeLoad& broker = *lane.leader_load.load();
  script.send("t", 0);
  assert_int_equal(broker.in_flight, 1);
  assert_int_equal(lane.queued, 0);
  assert_true(broker.waiting_since.load() == NodeLoad::nothing_waits);
  script.at(10ms);
  script.send("t", 0);
  script.send("t", 0);
  assert_int_equal(lane.queued, 2);
  assert_true(broker.waiting_since.load() == Instant(10ms));       // as many are in flight as may be
  script.at(20ms);
  script.tick();
  assert_true(broker.waiting_since.load() == Instant(10ms));
  script.answer(1, {});
  assert_int_equal(lane.queued, 1);
  script.answer(2, {});
  assert_int_equal(lane.queued, 0);
  assert_true(broker.waiting_since.load() == NodeLoad::nothing_waits);
  script.at(30ms);
  script.down(1, "gone");
  script.lose(3);
  script.at(1s);
  script.tick();
  assert_int_equal(lane.queued, 1);
  assert_true(broker.waiting_since.load() == Instant(30ms));
  script.up(1);
  assert_int_equal(lane.queued, 0);
  assert_true(broker.waiting_since.load() == NodeLoad::nothing_waits);
  script.led("t", 0, -1, -1);
  assert_null(lane.leader_load.load());
}

/* KIP-951: the answer says who leads now, so nobody has to be asked. */
void an_answer_that_names_the_new_leader_saves_the_question(void**) {
  Script script;
  script.ready();
  script.up(2);
  script.send("t", 0);
  script.answer(1, {.code = Code::not_leader_or_follower, .leader = 2, .leader_epoch = 1});
  expect(script, "[0ms] > 1  produce #1 t-0 seq 0 x1\n"
                 "[0ms] > 2  produce #2 t-0 seq 0 x1\n");
}

/* What the old leader has not answered yet comes first: the new one must not see its successors before it. */
void the_new_leader_waits_for_the_old_ones_answers(void**) {
  Script script;
  script.ready();
  script.up(2);
  script.send("t", 0);
  script.led("t", 0, 2, 1);
  script.send("t", 0);
  expect(script, "[0ms] > 1  produce #1 t-0 seq 0 x1\n");
  script.answer(1, {.offset = 0});
  expect(script, "[0ms] t-0 x1 @0\n[0ms] > 2  produce #2 t-0 seq 1 x1\n");
}

void a_partition_without_a_leader_asks_for_metadata(void**) {
  Script script;
  script.ready();
  script.led("t", 0, -1, 1);
  script.send("t", 0);
  expect(script, "[0ms] ask for metadata\n");
  script.led("t", 0, -1, 1);
  expect(script, "[0ms] ask for metadata\n");
  script.led("t", 0, 1, 2);
  expect(script, "[0ms] > 1  produce #1 t-0 seq 0 x1\n");
}

// ---- retries ----

/* Five in flight, the connection breaks.  All come back in order, one at a time until the first is settled (its successors might
 * be refused otherwise), under their old numbers: what was written already is told apart by them. */
void a_lost_connection_repeats_in_order_under_the_same_numbers(void**) {
  Script script;
  script.ready();
  for (int i = 0; i < 3; ++i) script.send("t", 0);
  script.told();
  for (uint64_t request : {1, 2, 3}) script.lose(request);
  script.at(200ms);
  script.tick();
  expect(script, "[200ms] > 1  produce #4 t-0 seq 0 x1\n");
  script.answer(4, {.offset = 0});
  expect(script, "[200ms] t-0 x1 @0\n[200ms] > 1  produce #5 t-0 seq 1 x1\n");
  script.answer(5, {.code = Code::duplicate_sequence_number});
  expect(script, "[200ms] t-0 x1 @-1\n[200ms] > 1  produce #6 t-0 seq 2 x1\n");
}

/* The first of three is refused for a while, so the broker refuses the others for the gap before them. */
void a_gap_left_by_a_retry_is_filled_in_order(void**) {
  Script script;
  script.ready();
  for (int i = 0; i < 3; ++i) script.send("t", 0);
  script.told();
  script.answer(1, {.code = Code::not_enough_replicas});
  script.answer(2, {.code = Code::out_of_order_sequence_number});
  script.answer(3, {.code = Code::out_of_order_sequence_number});
  expect(script, "");
  script.at(200ms);
  script.tick();
  script.answer(4, {.offset = 0});
  script.answer(5, {.offset = 1});
  script.answer(6, {.offset = 2});
  expect(script, "[200ms] > 1  produce #4 t-0 seq 0 x1\n[200ms] t-0 x1 @0\n"
                 "[200ms] > 1  produce #5 t-0 seq 1 x1\n[200ms] t-0 x1 @1\n"
                 "[200ms] > 1  produce #6 t-0 seq 2 x1\n[200ms] t-0 x1 @2\n");
}

/* With one request in flight order holds without idempotence too. */
void one_in_flight_keeps_the_order_without_numbers(void**) {
  SenderOptions options = plain();
  options.in_flight_max = 1;
  Script script(options);
  script.ready();
  script.send("t", 0, 1);
  script.send("t", 0, 2);
  script.lose(1);
  script.at(200ms);
  script.tick();
  script.answer(2, {.offset = 0});
  expect(script, "[0ms] > 1  produce #1 t-0 x1\n"
                 "[200ms] > 1  produce #2 t-0 x1\n"
                 "[200ms] t-0 x1 @0\n"
                 "[200ms] > 1  produce #3 t-0 x2\n");
}

void retries_end_where_they_are_bounded(void**) {
  SenderOptions options = plain();
  options.retries = 1;
  Script script(options);
  script.ready();
  script.send("t", 0);
  script.answer(1, {.code = Code::not_enough_replicas});
  script.at(200ms);
  script.tick();
  script.answer(2, {.code = Code::not_enough_replicas});
  expect(script, "[0ms] > 1  produce #1 t-0 x1\n[200ms] > 1  produce #2 t-0 x1\n"
                 "[200ms] t-0 x1 failed: broker 1: NOT_ENOUGH_REPLICAS, fewer in-sync replicas than min.insync.replicas: nothing was written\n");
}

// ---- numbers that no longer fit ----

/* A batch that is refused for good frees its number: what follows takes it. */
void a_refused_batch_gives_its_number_back(void**) {
  Script script;
  script.ready();
  script.send("t", 0, 3);
  script.send("t", 0, 1);
  script.told();
  script.answer(1, {.code = Code::topic_authorization_failed});
  script.answer(2, {.code = Code::out_of_order_sequence_number});
  expect(script, "[0ms] t-0 x3 failed: broker 1: TOPIC_AUTHORIZATION_FAILED, not allowed on this topic\n");
  script.at(200ms);
  script.tick();
  expect(script, "[200ms] > 1  produce #3 t-0 seq 0 x1\n");
}

/* The broker has lost its memory of us: nothing is in flight before the batch that it misses numbers for.  The epoch is raised. */
void a_gap_that_nothing_explains_raises_the_epoch(void**) {
  Script script;
  script.ready();
  script.send("t", 0, 4);
  script.answer(1, {.offset = 0});
  script.send("t", 0);
  script.send("t", 0);
  script.told();
  script.answer(2, {.code = Code::out_of_order_sequence_number});
  script.answer(3, {.code = Code::out_of_order_sequence_number});
  script.at(200ms);
  script.tick();
  expect(script, "[200ms] > 1  produce #4 t-0 seq 0 epoch 1 x1\n");
  script.answer(4, {.offset = 4});
  expect(script, "[200ms] t-0 x1 @4\n[200ms] > 1  produce #5 t-0 seq 1 epoch 1 x1\n");
}

/* Another partition counts on in the old epoch until all that it has numbered is settled. */
void other_partitions_change_the_epoch_when_they_are_settled(void**) {
  Script script;
  script.ready();
  script.led("t", 1, 1, 0);
  script.send("t", 1);
  script.send("t", 0);
  script.told();
  script.answer(2, {.code = Code::out_of_order_sequence_number});
  script.send("t", 1);
  expect(script, "");
  script.answer(1, {.offset = 0});
  expect(script, "[0ms] t-1 x1 @0\n[0ms] > 1  produce #3 t-1 seq 0 epoch 1 x1\n");
}

void the_last_epoch_is_followed_by_a_new_id(void**) {
  Script script;
  script.ready();
  script.id(900, 32767);
  script.send("t", 0);
  script.told();
  script.answer(1, {.code = Code::out_of_order_sequence_number});
  expect(script, "[0ms] ask for a producer id\n");
  script.at(200ms);
  script.id(901, 0);
  expect(script, "[200ms] > 1  produce #2 t-0 seq 0 x1\n");
}

// ---- time is over ----

/* Given up unanswered: it may have been written.  What was numbered behind it decides. */
void a_batch_given_up_in_flight_was_written_if_its_successor_fits(void**) {
  SenderOptions options;
  options.delivery_timeout = 1s;
  Script script(options);
  script.ready();
  script.send("t", 0, 2);
  script.at(500ms);
  script.send("t", 0, 3);
  script.told();
  script.at(1000ms);
  script.tick();
  expect(script, "[1000ms] t-0 x2 failed: not delivered within delivery.timeout.ms=1000: broker 1 has not answered\n");
  script.send("t", 0);
  expect(script, "");                                  // not before it is known what its number is
  script.answer(1, {.offset = 0});
  script.answer(2, {.offset = 2});
  expect(script, "[1000ms] t-0 x3 @2\n[1000ms] > 1  produce #3 t-0 seq 5 x1\n");
}

void a_batch_given_up_in_flight_was_not_written_if_its_successor_leaves_a_gap(void**) {
  SenderOptions options;
  options.delivery_timeout = 1s;
  Script script(options);
  script.ready();
  script.send("t", 0, 2);
  script.at(500ms);
  script.send("t", 0, 3);
  script.at(1000ms);
  script.tick();
  script.told();
  script.lose(1);
  script.lose(2);
  script.at(1200ms);
  script.tick();
  expect(script, "[1200ms] > 1  produce #3 t-0 seq 2 x3\n");
  script.answer(3, {.code = Code::out_of_order_sequence_number});
  script.at(1450ms);
  script.tick();
  expect(script, "[1450ms] > 1  produce #4 t-0 seq 0 epoch 1 x3\n");
}

void what_never_left_fails_with_the_reason(void**) {
  SenderOptions options;
  options.delivery_timeout = 1s;
  Script script(options);
  script.ready();
  script.led("t", 0, 2, 1);
  script.send("t", 0);
  script.down(2, "cannot connect to 127.0.0.1:9093: Connection refused");
  script.told();
  assert_true(script.sender().deadline() == Instant(1s));
  script.at(1s);
  script.tick();
  expect(script, "[1000ms] t-0 x1 failed: not delivered within delivery.timeout.ms=1000: cannot connect to 127.0.0.1:9093: Connection refused\n");
}

void the_reason_is_that_of_the_last_attempt(void**) {
  SenderOptions options = plain();
  options.delivery_timeout = 150ms;
  Script script(options);
  script.ready();
  script.send("t", 0);
  script.lose(1);
  script.told();
  script.at(150ms);
  script.tick();
  const std::string told = script.told();
  assert_non_null(strstr(told.c_str(), "delivery.timeout.ms=150, 1 attempts; the last: the connection broke"));
}

void abandoning_fails_everything_once(void**) {
  Script script;
  script.ready();
  script.send("t", 0);
  script.send("t", 0, 2);
  script.led("t", 1, -1, 0);
  script.send("t", 1);
  script.told();
  script.abandon();
  expect(script, "[0ms] t-0 x1 failed: closed\n[0ms] t-0 x2 failed: closed\n[0ms] t-1 x1 failed: closed\n");
  script.lose(1);
  script.answer(2, {.offset = 4});
  script.tick();
  assert_int_equal(script.finished_count(), 3);
}

// ---- sizes and single records ----

void a_batch_too_large_for_the_broker_is_halved(void**) {
  Script script;
  script.ready();
  script.send("t", 0, 5);
  script.told();
  script.answer(1, {.code = Code::message_too_large});
  expect(script, "[0ms] t-0 x5 split\n"
                 "[0ms] > 1  produce #2 t-0 seq 0 x2\n"
                 "[0ms] > 1  produce #3 t-0 seq 2 x3\n");
  script.answer(2, {.offset = 10});
  script.answer(3, {.offset = 12});
  expect(script, "[0ms] t-0 x2 @10\n[0ms] t-0 x3 @12\n");
  assert_int_equal(script.finished(1)->notes.tag(0), 2);
  assert_int_equal(script.finished(1)->notes.timestamp(2), 1004);
  assert_int_equal(script.sender().unfinished(), 0);
}

void one_record_too_large_for_the_broker_fails(void**) {
  Script script;
  script.ready();
  script.send("t", 0, 1);
  script.answer(1, {.code = Code::message_too_large});
  script.send("t", 0, 1);
  expect(script, "[0ms] > 1  produce #1 t-0 seq 0 x1\n"
                 "[0ms] t-0 x1 failed: broker 1: MESSAGE_TOO_LARGE, the batch is larger than max.message.bytes\n"
                 "[0ms] > 1  produce #2 t-0 seq 0 x1\n");
}

void a_bad_record_is_told_from_those_beside_it(void**) {
  Script script;
  script.ready();
  script.send("t", 0, 3);
  script.answer(1, {.code = Code::invalid_record, .bad_records = {1}});
  assert_int_equal(script.finished(0)->record_errors.size(), 1);
  assert_int_equal(script.finished(0)->record_errors[0].index, 1);
  assert_non_null(strstr(script.finished(0)->record_errors[0].error.message().c_str(), "bad key"));
}

// ---- transactions ----

SenderOptions transactional() {
  SenderOptions options;
  options.transactional = true;
  return options;
}

/* Version 1: a partition is added before its first batch of each transaction. */
void a_partition_joins_before_its_first_batch(void**) {
  Script script(transactional());
  script.ready();
  script.begin(true);
  script.send("t", 0);
  script.send("t", 0);
  expect(script, "[0ms] t-0 wants to join\n");
  script.joined("t", 0);
  expect(script, "[0ms] > 1  produce #1 t-0 in transaction seq 0 x1\n[0ms] > 1  produce #2 t-0 in transaction seq 1 x1\n");
  script.answer(1, {.offset = 0});
  script.answer(2, {.offset = 1});
  script.told();
  script.begin(true);
  script.send("t", 0);
  expect(script, "[0ms] t-0 wants to join\n");
}

/* Version 2: the next transaction has the next epoch, and sequences from 0. */
void a_new_epoch_counts_from_0(void**) {
  Script script(transactional());
  script.ready();
  script.begin(false);
  script.send("t", 0, 3);
  script.answer(1, {.offset = 0});
  script.told();
  script.id(900, 1);
  script.begin(false);
  script.send("t", 0);
  expect(script, "[0ms] > 1  produce #2 t-0 in transaction seq 0 epoch 1 x1\n");
}

void an_abort_drops_what_waits_and_what_comes_back(void**) {
  SenderOptions options = transactional();
  options.in_flight_max = 1;
  Script script(options);
  script.ready();
  script.begin(false);
  script.send("t", 0);
  script.send("t", 0);
  script.told();
  script.drop(true);
  expect(script, "[0ms] t-0 x1 failed: dropped\n");
  script.lose(1);
  expect(script, "[0ms] t-0 x1 failed: dropped\n");
  assert_int_equal(script.sender().unfinished(), 0);
  script.id(900, 1);
  script.begin(false);
  script.send("t", 0);
  expect(script, "[0ms] > 1  produce #2 t-0 in transaction seq 0 epoch 1 x1\n");
}

/* Outside a transaction the lane would begin a new epoch; inside, that is for the coordinator to say. */
void a_gap_in_a_transaction_fails_the_batch(void**) {
  Script script(transactional());
  script.ready();
  script.begin(false);
  script.send("t", 0);
  script.told();
  script.answer(1, {.code = Code::out_of_order_sequence_number});
  assert_non_null(strstr(script.told().c_str(), "t-0 x1 failed: broker 1: OUT_OF_ORDER_SEQUENCE_NUMBER"));
}

void a_purge_leaves_what_is_in_flight(void**) {
  SenderOptions options;
  options.in_flight_max = 1;
  Script script(options);
  script.ready();
  script.send("t", 0);
  script.send("t", 0);
  script.told();
  script.drop(false);
  expect(script, "[0ms] t-0 x1 failed: dropped\n");
  script.send("t", 0);
  script.answer(1, {.offset = 5});
  expect(script, "[0ms] t-0 x1 @5\n[0ms] > 1  produce #2 t-0 seq 1 x1\n");
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {
      cmocka_unit_test(what_waits_for_a_broker_can_be_seen),
      cmocka_unit_test(nothing_is_sent_before_there_is_an_id_a_leader_and_a_connection),
      cmocka_unit_test(sequences_count_records_and_five_requests_are_in_flight),
      cmocka_unit_test(a_leader_that_does_not_know_the_producer_gets_one_batch_first),
      cmocka_unit_test(one_request_holds_batches_of_many_partitions_up_to_its_size),
      cmocka_unit_test(acks_none_is_delivered_when_it_is_written),
      cmocka_unit_test(leader_moves_in_flight),
      cmocka_unit_test(an_answer_that_names_the_new_leader_saves_the_question),
      cmocka_unit_test(the_new_leader_waits_for_the_old_ones_answers),
      cmocka_unit_test(a_partition_without_a_leader_asks_for_metadata),
      cmocka_unit_test(a_lost_connection_repeats_in_order_under_the_same_numbers),
      cmocka_unit_test(a_gap_left_by_a_retry_is_filled_in_order),
      cmocka_unit_test(one_in_flight_keeps_the_order_without_numbers),
      cmocka_unit_test(retries_end_where_they_are_bounded),
      cmocka_unit_test(a_refused_batch_gives_its_number_back),
      cmocka_unit_test(a_gap_that_nothing_explains_raises_the_epoch),
      cmocka_unit_test(other_partitions_change_the_epoch_when_they_are_settled),
      cmocka_unit_test(the_last_epoch_is_followed_by_a_new_id),
      cmocka_unit_test(a_batch_given_up_in_flight_was_written_if_its_successor_fits),
      cmocka_unit_test(a_batch_given_up_in_flight_was_not_written_if_its_successor_leaves_a_gap),
      cmocka_unit_test(what_never_left_fails_with_the_reason),
      cmocka_unit_test(the_reason_is_that_of_the_last_attempt),
      cmocka_unit_test(abandoning_fails_everything_once),
      cmocka_unit_test(a_batch_too_large_for_the_broker_is_halved),
      cmocka_unit_test(one_record_too_large_for_the_broker_fails),
      cmocka_unit_test(a_bad_record_is_told_from_those_beside_it),
      cmocka_unit_test(a_partition_joins_before_its_first_batch),
      cmocka_unit_test(a_new_epoch_counts_from_0),
      cmocka_unit_test(an_abort_drops_what_waits_and_what_comes_back),
      cmocka_unit_test(a_gap_in_a_transaction_fails_the_batch),
      cmocka_unit_test(a_purge_leaves_what_is_in_flight),
  };
  return cmocka_run_group_tests_name("client.sender", tests, nullptr, nullptr);
}
