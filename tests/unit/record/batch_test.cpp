#include "libkq/record/batch.hpp"

#include "libkq/record/batch_builder.hpp"
#include "tests/unit/record/vectors.hpp"

#include "tests/unit/cmocka.hpp"

using namespace kq;

static test::Memory one_batch(int records = 3) {
  OwnedBatchBuilder builder;
  for (int i = 0; i < records; ++i) builder.append(1000 + i, as_bytes("key"), as_bytes("value"));
  const Bytes sealed = builder.seal({.producer_id = 7, .producer_epoch = 1, .base_sequence = 2147483646});
  return {sealed.begin(), sealed.end()};
}

static void a_run_of_batches_is_walked_one_by_one(void**) {
  const test::Memory one = one_batch();
  test::Memory run;
  for (int i = 0; i < 3; ++i) run.insert(run.end(), one.begin(), one.end());
  Bytes rest = run;
  BatchView batch;
  for (int i = 0; i < 3; ++i) {
    assert_true(next_batch(rest, batch) == Step::batch);
    assert_int_equal(batch.size(), one.size());
    assert_true(batch.check_crc());
  }
  assert_true(next_batch(rest, batch) == Step::end);
}

static void a_batch_cut_off_anywhere_is_incomplete(void**) {
  const test::Memory one = one_batch();
  for (size_t kept = 1; kept < one.size(); ++kept) {
    Bytes rest = Bytes(one).first(kept);
    BatchView batch;
    assert_true(next_batch(rest, batch) == Step::incomplete);
    assert_int_equal(rest.size(), kept);
  }
}

static void sizes_and_magics_that_no_batch_has_are_corrupt(void**) {
  BatchView batch;
  for (const int32_t length : {-2147483647 - 1, -1, 0, 13, 48}) {  // 49 is the least of format 2
    test::Memory bytes = one_batch();
    store_be(bytes.data() + batch_at::batch_length, length);
    Bytes rest = bytes;
    assert_true(next_batch(rest, batch) == Step::corrupt);
  }
  for (const int magic : {3, 127, 128, 255}) {
    test::Memory bytes = one_batch();
    bytes[batch_at::magic] = static_cast<std::byte>(magic);
    Bytes rest = bytes;
    assert_true(next_batch(rest, batch) == Step::corrupt);
  }
  test::Memory huge = one_batch();
  store_be(huge.data() + batch_at::batch_length, int32_t{2147483647});
  Bytes rest = huge;
  assert_true(next_batch(rest, batch) == Step::incomplete);
}

static void offset_and_epoch_are_set_without_a_new_check_sum(void**) {
  test::Memory bytes = one_batch();
  const uint32_t crc = BatchView(bytes).crc();
  set_base_offset(bytes, 1'000'000'000'000);
  set_leader_epoch(bytes, 12);
  const BatchView batch(bytes);
  assert_true(batch.check_crc());
  assert_int_equal(batch.crc(), crc);
  assert_true(batch.base_offset() == 1'000'000'000'000 && batch.last_offset() == 1'000'000'000'002);
  assert_int_equal(batch.leader_epoch(), 12);
}

static void append_time_and_producer_are_set_with_a_new_check_sum(void**) {
  test::Memory bytes = one_batch();
  set_max_timestamp(bytes, TimestampType::log_append, 5000);
  BatchView batch(bytes);
  assert_true(batch.check_crc() && batch.timestamp_type() == TimestampType::log_append && batch.max_timestamp() == 5000);
  set_max_timestamp(bytes, TimestampType::create, 1002);
  assert_true(bytes == one_batch());
  set_producer(bytes, 8, 2, 0);
  assert_true(batch.check_crc() && batch.producer_id() == 8 && batch.producer_epoch() == 2 && batch.base_sequence() == 0);
}

static void a_setter_that_changes_nothing_leaves_even_a_wrong_check_sum(void**) {
  test::Memory bytes = one_batch();
  bytes[batch_at::crc] ^= std::byte{1};
  const test::Memory before = bytes;
  set_max_timestamp(bytes, TimestampType::create, 1002);
  assert_true(bytes == before);
}

static void sequences_wrap_to_zero(void**) {
  const test::Memory bytes = one_batch();  // 2147483646, 2147483647, 0
  assert_int_equal(BatchView(bytes).last_sequence(), 0);
  assert_int_equal(sequence_plus(2147483647, 1), 0);
  assert_int_equal(sequence_plus(5, 3), 8);
}

int main() {
  const CMUnitTest tests[] = {
      cmocka_unit_test(a_run_of_batches_is_walked_one_by_one),
      cmocka_unit_test(a_batch_cut_off_anywhere_is_incomplete),
      cmocka_unit_test(sizes_and_magics_that_no_batch_has_are_corrupt),
      cmocka_unit_test(offset_and_epoch_are_set_without_a_new_check_sum),
      cmocka_unit_test(append_time_and_producer_are_set_with_a_new_check_sum),
      cmocka_unit_test(a_setter_that_changes_nothing_leaves_even_a_wrong_check_sum),
      cmocka_unit_test(sequences_wrap_to_zero),
  };
  return cmocka_run_group_tests_name("record.batch", tests, nullptr, nullptr);
}
