#include "libkq/client/slice_reader.hpp"

#include "libkq/record/batch_builder.hpp"
#include "tests/unit/cmocka.hpp"

using namespace kq;
using namespace kq::client;

namespace {

struct Slices {
  // Appends a batch of `count` records to the bytes of the next slice.
  void batch(int count, Codec codec = Codec::none, int64_t producer = -1) {
    OwnedBatchBuilder builder;
    for (int i = 0; i < count; ++i) {
      const std::string value = "value " + std::to_string(next_offset + i);
      const RecordHeader headers[] = {{"a", as_bytes("1")}, {"b", {}}};
      builder.append(1000 + i, as_bytes("key"), as_bytes(value), i % 2 ? std::span<const RecordHeader>(headers) : std::span<const RecordHeader>());
    }
    BatchFields fields{.base_offset = next_offset, .leader_epoch = 3};
    if (producer >= 0) fields.producer_id = producer, fields.producer_epoch = 0, fields.base_sequence = 0, fields.transactional = true;
    Block into;
    Compressor compressor;
    const Bytes sealed = codec == Codec::none ? builder.seal(fields) : *builder.seal(fields, codec, codec_levels(codec).standard, compressor, into);
    bytes.insert(bytes.end(), sealed.begin(), sealed.end());
    next_offset += count;
  }
  void marker(bool commit, int64_t producer) {
    const auto batch = marker_batch({.commit = commit, .producer_id = producer, .producer_epoch = 0}, 1000, next_offset++);
    bytes.insert(bytes.end(), batch.begin(), batch.end());
  }
  Slice slice(int64_t position = 0) {
    static uint64_t serial = 0;
    return {.serial = ++serial, .topic = topic, .partition = 0, .records = bytes, .position = position};
  }
  std::string read(Slice& slice, size_t max, bool& done) {
    Batch batch;
    auto result = reader.read(slice, max, batch);
    std::string text;
    for (const kq_record& record : batch.records) text += (text.empty() ? "" : " ") + std::to_string(record.offset);
    if (!result) return text + (text.empty() ? "" : " ") + "error " + std::to_string(result.error().code());
    done = *result;
    return text;
  }
  std::string all(int64_t position = 0) {
    Slice one = slice(position);
    bool done = false;
    const std::string text = read(one, 1000, done);
    return done ? text : text + " …";
  }

  std::shared_ptr<const std::string> topic = std::make_shared<const std::string>("t");
  std::shared_ptr<FetchMemory> memory = std::make_shared<FetchMemory>(1 << 20);
  SliceReader reader{{}, true, memory};
  std::vector<std::byte> bytes;
  int64_t next_offset = 0;
};

#define expect(call, text) assert_string_equal((call).c_str(), text)

void records_are_spelled_out(void**) {
  Slices slices;
  slices.batch(2);
  Slice slice = slices.slice();
  Batch batch;
  assert_true(*slices.reader.read(slice, 10, batch));
  assert_int_equal(batch.records.size(), 2);
  const kq_record& record = batch.records[1];
  assert_string_equal(record.topic, "t");
  assert_int_equal(record.offset, 1);
  assert_int_equal(record.timestamp_ms, 1001);
  assert_int_equal(record.leader_epoch, 3);
  assert_int_equal(record.timestamp_type, KQ_CREATE_TIME);
  assert_memory_equal(record.value, "value 1", 7);
  assert_int_equal(record.header_count, 2);
  assert_memory_equal(record.headers[1].key, "b", 1);
  assert_null(record.headers[1].value);
  assert_int_equal(batch.records[0].header_count, 0);
}

void reading_goes_on_in_the_middle_of_a_batch(void**) {
  for (const Codec codec : {Codec::none, Codec::gzip, Codec::lz4, Codec::zstd, Codec::snappy}) {
    Slices slices;
    slices.batch(5, codec);
    slices.batch(3, codec);
    Slice slice = slices.slice();
    bool done = true;
    expect(slices.read(slice, 3, done), "0 1 2");
    assert_false(done);
    assert_int_equal(slice.position, 3);
    expect(slices.read(slice, 4, done), "3 4 5 6");
    assert_false(done);
    expect(slices.read(slice, 4, done), "7");
    assert_true(done);
    assert_int_equal(slice.position, 8);
  }
}

void two_slices_may_be_read_by_turns(void**) {
  Slices slices;
  slices.batch(4, Codec::lz4);
  Slice one = slices.slice(), other = slices.slice();
  bool done = false;
  expect(slices.read(one, 2, done), "0 1");
  expect(slices.read(other, 3, done), "0 1 2");
  expect(slices.read(one, 9, done), "2 3");
  assert_true(done);
  expect(slices.read(other, 9, done), "3");
  assert_true(done);
}

void records_before_the_position_are_skipped(void**) {
  Slices slices;
  slices.batch(5);
  slices.batch(5);
  expect(slices.all(7), "7 8 9");
}

void a_damaged_batch_is_an_error_after_the_records_before_it(void**) {
  Slices slices;
  slices.batch(2);
  const size_t second = slices.bytes.size();
  slices.batch(2);
  slices.bytes[second + batch_header_size + 3] ^= std::byte{1};
  expect(slices.all(), "0 1 error 2 …");
}

void aborted_transactions_are_left_out_and_markers_always(void**) {
  Slices slices;
  slices.batch(2, Codec::none, 7);       // 0 1, aborted
  slices.batch(1, Codec::none, 8);       // 2, committed
  slices.marker(false, 7);               // 3
  slices.batch(1, Codec::none, 7);       // 4, the producer's next transaction
  slices.marker(true, 7);                // 5
  slices.marker(true, 8);                // 6
  slices.batch(1);                       // 7
  Slice slice = slices.slice();
  slice.aborted = {{7, 0}};
  bool done = false;
  expect(slices.read(slice, 100, done), "2 4 7");
  assert_true(done);
  SliceReader uncommitted({}, false, slices.memory);
  Slice again = slices.slice();
  Batch batch;
  assert_true(*uncommitted.read(again, 100, batch));
  assert_int_equal(batch.records.size(), 5);
}

void memory_of_decompressed_blocks_is_counted_while_a_batch_is_held(void**) {
  Slices slices;
  slices.batch(100, Codec::zstd);
  {
    Slice slice = slices.slice();
    Batch batch;
    assert_true(*slices.reader.read(slice, 1000, batch));
    assert_true(slices.memory->used() > 1000);
  }
  assert_int_equal(slices.memory->used(), 0);
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {
      cmocka_unit_test(records_are_spelled_out),
      cmocka_unit_test(reading_goes_on_in_the_middle_of_a_batch),
      cmocka_unit_test(two_slices_may_be_read_by_turns),
      cmocka_unit_test(records_before_the_position_are_skipped),
      cmocka_unit_test(a_damaged_batch_is_an_error_after_the_records_before_it),
      cmocka_unit_test(aborted_transactions_are_left_out_and_markers_always),
      cmocka_unit_test(memory_of_decompressed_blocks_is_counted_while_a_batch_is_held),
  };
  return cmocka_run_group_tests_name("client.slice_reader", tests, nullptr, nullptr);
}
