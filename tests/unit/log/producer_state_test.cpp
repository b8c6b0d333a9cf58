// Which batches of a producer are taken, repeated, refused; what transactions do to the last stable offset.
#include "broker/log/producer_state.hpp"

#include "tests/unit/cmocka.hpp"

using namespace kq;
using namespace kq::log;

namespace {

constexpr AppendOrigin client = AppendOrigin::client;

ProducerBatch data(int16_t epoch, int32_t sequence, int records, int64_t offset, bool transactional = false) {
  return {.producer_id = 7, .epoch = epoch, .base_sequence = sequence,
          .last_sequence = static_cast<int32_t>((static_cast<uint32_t>(sequence) + static_cast<uint32_t>(records) - 1) & 0x7fffffff),
          .base_offset = offset, .last_offset = offset + records - 1, .max_timestamp = offset * 10, .transactional = transactional, .marker = {}};
}

ProducerBatch marker(int16_t epoch, bool commit, int64_t offset, int32_t coordinator_epoch = 0) {
  ProducerBatch batch = data(epoch, -1, 1, offset, true);
  batch.last_sequence = -1;
  batch.control = true;
  batch.marker = EndMarker{commit, coordinator_epoch};
  return batch;
}

void the_next_sequence_is_taken_and_a_gap_refused(void**) {
  ProducerState state;
  assert_true(state.check(data(0, 0, 3, 0), {client, false}) == Code::none);
  state.append(data(0, 0, 3, 0));
  assert_true(state.check(data(0, 3, 1, 3), {client, false}) == Code::none);
  assert_true(state.check(data(0, 4, 1, 3), {client, false}) == Code::out_of_order_sequence_number);
  assert_true(state.check(data(0, 0, 1, 3), {client, false}) == Code::out_of_order_sequence_number);
  assert_true(state.check(data(0, 4, 1, 3), {AppendOrigin::replication, false}) == Code::none);
}

void a_repeat_of_one_of_the_last_five_is_known(void**) {
  ProducerState state;
  for (int i = 0; i < 7; ++i) state.append(data(0, i * 2, 2, i * 2));
  for (int i = 0; i < 7; ++i) {
    const BatchMetadata* held = state.duplicate_of(data(0, i * 2, 2, 100));
    assert_int_equal(held != nullptr, i >= 2);
    if (held) assert_int_equal(held->first_offset(), i * 2);
  }
  assert_null(state.duplicate_of(data(0, 12, 1, 100)));        // other records
  assert_null(state.duplicate_of(data(1, 12, 2, 100)));        // another epoch
  assert_true(state.check(data(0, 0, 2, 100), {client, false}) == Code::out_of_order_sequence_number);
}

void sequences_wrap_to_zero(void**) {
  ProducerState state;
  state.append(data(0, 2147483646, 2, 0));                     // to 2147483647
  assert_int_equal(state.find(7)->last_sequence(), 2147483647);
  assert_true(state.check(data(0, 0, 1, 2), {client, false}) == Code::none);
  state.append(data(0, 2147483647, 3, 2));                     // across
  assert_int_equal(state.find(7)->last_sequence(), 1);
  assert_int_equal(state.find(7)->last_batch()->first_sequence(), 2147483647);
}

void a_higher_epoch_starts_at_zero_and_a_lower_one_is_fenced(void**) {
  ProducerState state;
  state.append(data(3, 0, 5, 0));
  assert_true(state.check(data(4, 5, 1, 5), {client, false}) == Code::out_of_order_sequence_number);
  assert_true(state.check(data(4, 0, 1, 5), {client, false}) == Code::none);
  assert_true(state.check(data(2, 5, 1, 5), {client, false}) == Code::invalid_producer_epoch);
  assert_true(state.check(data(2, 5, 1, 5), {AppendOrigin::replication, false}) == Code::none);
}

void an_unknown_producer_starts_anywhere_but_not_in_transactions_of_version_2(void**) {
  ProducerState state;
  assert_true(state.check(data(0, 9, 1, 0), {client, false}) == Code::none);
  assert_true(state.check(data(0, 9, 1, 0, true), {client, true}) == Code::out_of_order_sequence_number);
  assert_true(state.check(data(0, 0, 1, 0, true), {client, true}) == Code::none);
}

void a_plain_batch_inside_a_transaction_is_refused(void**) {
  ProducerState state;
  state.append(data(0, 0, 1, 0, true));
  assert_true(state.check(data(0, 1, 1, 1), {client, false}) == Code::invalid_txn_state);
  assert_true(state.check(data(0, 1, 1, 1, true), {client, false}) == Code::none);
}

void a_marker_of_version_2_raises_the_epoch_and_the_producer_starts_at_zero(void**) {
  ProducerState state;
  state.append(data(0, 0, 2, 0, true));
  assert_true(state.check(marker(0, true, 2), {AppendOrigin::coordinator, true}) == Code::invalid_producer_epoch);
  assert_true(state.check(marker(1, true, 2), {AppendOrigin::coordinator, true}) == Code::none);
  const auto completed = state.append(marker(1, true, 2));
  assert_true(completed && completed->first_offset == 0 && completed->last_offset == 2 && !completed->aborted);
  assert_int_equal(state.find(7)->last_sequence(), -1);
  assert_true(state.check(data(1, 0, 1, 3, true), {client, true}) == Code::none);
  assert_true(state.check(data(1, 2, 1, 3, true), {client, true}) == Code::out_of_order_sequence_number);
}

void a_marker_of_version_2_that_comes_again_is_taken_but_not_into_the_next_transaction(void**) {
  constexpr AppendOptions v2{AppendOrigin::coordinator, true};
  ProducerState state;
  state.append(data(0, 0, 2, 0, true));
  state.append(marker(1, true, 2));
  assert_true(state.check(marker(1, true, 3), v2) == Code::none);
  assert_true(state.check(marker(0, true, 3), v2) == Code::invalid_producer_epoch);
  state.append(data(1, 0, 1, 3, true));
  assert_true(state.check(marker(1, true, 4), v2) == Code::invalid_producer_epoch);
  assert_true(state.check(marker(2, true, 4), v2) == Code::none);
}

void a_transaction_begins_under_a_guard_alone(void**) {
  ProducerState state;
  const VerificationGuard guard = state.begin_verification({.producer_id = 7, .epoch = 0, .base_sequence = 0});
  assert_true(guard != no_guard);
  AppendOptions how{.verified_only = true};
  assert_true(state.check(data(0, 0, 1, 0, true), how) == Code::invalid_txn_state);
  assert_true(state.check(data(0, 0, 1, 0), how) == Code::none);                       // not of a transaction
  how.guard = guard;
  assert_true(state.check(data(0, 0, 1, 0, true), how) == Code::none);
  state.append(data(0, 0, 1, 0, true));
  assert_true(state.begin_verification({.producer_id = 7, .epoch = 0, .base_sequence = 1}) == no_guard);
  how.guard = no_guard;
  assert_true(state.check(data(0, 1, 1, 1, true), how) == Code::none);                 // it is open: nothing to verify
}

void a_marker_takes_the_guard_away(void**) {
  ProducerState state;
  AppendOptions how{.verified_only = true};
  how.guard = state.begin_verification({.producer_id = 7, .epoch = 0, .base_sequence = 0});
  state.append(marker(0, false, 0));
  assert_true(state.check(data(0, 0, 1, 1, true), how) == Code::invalid_txn_state);
  const VerificationGuard next = state.begin_verification({.producer_id = 7, .epoch = 0, .base_sequence = 0});
  assert_true(next != how.guard);
}

void of_batches_that_are_verified_together_the_first_comes_first(void**) {
  ProducerState state;
  AppendOptions how{.verified_only = true};
  how.guard = state.begin_verification({.producer_id = 7, .epoch = 0, .base_sequence = 4});
  assert_true(state.begin_verification({.producer_id = 7, .epoch = 0, .base_sequence = 2}) == how.guard);
  assert_true(state.check(data(0, 4, 1, 0, true), how) == Code::out_of_order_sequence_number);
  assert_true(state.check(data(0, 2, 2, 0, true), how) == Code::none);
}

void a_marker_of_an_older_coordinator_is_fenced(void**) {
  ProducerState state;
  state.append(data(0, 0, 1, 0, true));
  state.append(marker(0, true, 1, 5));
  assert_true(state.check(marker(0, true, 2, 4), {AppendOrigin::coordinator, false}) == Code::transaction_coordinator_fenced);
  assert_true(state.check(marker(0, true, 2, 5), {AppendOrigin::coordinator, false}) == Code::none);
}

void an_open_transaction_and_one_above_the_high_watermark_hold_the_stable_offset_back(void**) {
  ProducerState state;
  state.append(data(0, 0, 1, 10, true));
  ProducerBatch other = data(0, 0, 1, 11, true);
  other.producer_id = 8;
  state.append(other);
  assert_int_equal(*state.first_unstable_offset(), 10);
  const auto completed = state.append(marker(0, false, 12));
  assert_true(completed->aborted);
  assert_int_equal(state.stable_offset_after(*completed), 11);
  state.complete(*completed);
  assert_int_equal(*state.first_unstable_offset(), 10);        // ended, but not replicated
  state.high_watermark_moved(12);
  assert_int_equal(*state.first_unstable_offset(), 10);
  state.high_watermark_moved(13);
  assert_int_equal(*state.first_unstable_offset(), 11);
  assert_true(state.has_open_transaction(8, 0));
  assert_false(state.has_open_transaction(7, 0));
}

void a_marker_without_records_completes_nothing(void**) {
  ProducerState state;
  assert_false(state.append(marker(0, true, 0)).has_value());
  assert_int_equal(state.size(), 1);
  assert_false(state.first_unstable_offset().has_value());
}

void idle_producers_are_forgotten_but_not_in_a_transaction(void**) {
  ProducerState state;
  state.append(data(0, 0, 1, 0));
  ProducerBatch other = data(0, 0, 1, 1, true);
  other.producer_id = 8;
  state.append(other);
  state.expire(1000, 2000);
  assert_int_equal(state.size(), 2);
  state.expire(100'000, 2000);
  assert_null(state.find(7));
  assert_non_null(state.find(8));
}

void a_snapshot_comes_back_and_damage_is_seen(void**) {
  ProducerState state;
  state.append(data(2, 5, 3, 100));
  ProducerBatch other = data(0, 0, 1, 103, true);
  other.producer_id = 8;
  state.append(other);
  std::vector<std::byte> file = state.encode_snapshot();
  auto decoded = ProducerState::decode_snapshot(file);
  assert_true(decoded.ok());
  ProducerState again;
  again.load(*decoded);
  assert_true(again.encode_snapshot() == file);
  assert_int_equal(*again.first_unstable_offset(), 103);
  assert_non_null(again.duplicate_of(data(2, 5, 3, 0)));
  for (size_t i = 0; i < file.size(); ++i) {
    file[i] ^= std::byte{1};
    assert_false(ProducerState::decode_snapshot(file).ok());
    file[i] ^= std::byte{1};
    assert_false(ProducerState::decode_snapshot(Bytes{file}.first(i)).ok());
  }
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {
      cmocka_unit_test(the_next_sequence_is_taken_and_a_gap_refused),
      cmocka_unit_test(a_repeat_of_one_of_the_last_five_is_known),
      cmocka_unit_test(sequences_wrap_to_zero),
      cmocka_unit_test(a_higher_epoch_starts_at_zero_and_a_lower_one_is_fenced),
      cmocka_unit_test(an_unknown_producer_starts_anywhere_but_not_in_transactions_of_version_2),
      cmocka_unit_test(a_plain_batch_inside_a_transaction_is_refused),
      cmocka_unit_test(a_marker_of_version_2_raises_the_epoch_and_the_producer_starts_at_zero),
      cmocka_unit_test(a_marker_of_version_2_that_comes_again_is_taken_but_not_into_the_next_transaction),
      cmocka_unit_test(a_transaction_begins_under_a_guard_alone),
      cmocka_unit_test(a_marker_takes_the_guard_away),
      cmocka_unit_test(of_batches_that_are_verified_together_the_first_comes_first),
      cmocka_unit_test(a_marker_of_an_older_coordinator_is_fenced),
      cmocka_unit_test(an_open_transaction_and_one_above_the_high_watermark_hold_the_stable_offset_back),
      cmocka_unit_test(a_marker_without_records_completes_nothing),
      cmocka_unit_test(idle_producers_are_forgotten_but_not_in_a_transaction),
      cmocka_unit_test(a_snapshot_comes_back_and_damage_is_seen),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
