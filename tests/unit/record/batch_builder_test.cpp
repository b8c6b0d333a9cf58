#include "libkq/record/batch_builder.hpp"

#include <deque>

#include "libkq/base/random.hpp"
#include "tests/unit/record/vectors.hpp"

#include "tests/unit/cmocka.hpp"

using namespace kq;
namespace json = boost::json;

namespace {

// A batch read by BatchReader, given to a builder again.
struct Rebuilt {
  OwnedBatchBuilder builder;
  BatchFields fields;
};

Rebuilt rebuild(const BatchView& batch) {
  Rebuilt out;
  BatchReader reader;
  Block block;
  assert_true(reader.open(batch, block).ok());
  for (RecordView record; reader.next(record);) {
    std::vector<RecordHeader> headers;
    for (const RecordHeader& header : record.headers) headers.push_back(header);
    out.builder.append_at(static_cast<int32_t>(record.offset - batch.base_offset()), record.timestamp, record.key, record.value,
                          headers);
  }
  assert_true(reader.status().ok());
  out.fields = {.base_offset = batch.base_offset(),
                .leader_epoch = batch.leader_epoch(),
                .producer_id = batch.producer_id(),
                .producer_epoch = batch.producer_epoch(),
                .base_sequence = batch.base_sequence(),
                .transactional = batch.transactional(),
                .control = batch.control(),
                .last_offset_delta = batch.last_offset_delta()};
  return out;
}

}  // namespace

/* Delete horizons and append times leave no trace of the first record's timestamp, so a builder cannot write those again. */
static void the_same_records_become_the_same_bytes_as_kafkas(void**) {
  int compared = 0;
  for (const json::object& line : test::vectors("batches.jsonl")) {
    const test::Memory bytes = test::from_hex(line.at("hex").as_string());
    Bytes rest = bytes;
    for (BatchView batch; next_batch(rest, batch) == Step::batch;) {
      if (batch.legacy() || batch.codec() != Codec::none || batch.has_delete_horizon() ||
          batch.timestamp_type() == TimestampType::log_append)
        continue;
      Rebuilt again = rebuild(batch);
      const Bytes sealed = again.builder.seal(again.fields);
      assert_string_equal(test::to_hex(sealed).c_str(), test::to_hex(batch.bytes()).c_str());
      ++compared;
    }
  }
  assert_true(compared >= 18);
}

static void a_marker_is_kafkas_to_the_byte(void**) {
  int compared = 0;
  for (const json::object& line : test::vectors("batches.jsonl")) {
    const auto& name = line.at("name").as_string();
    if (name != "control-commit" && name != "control-abort") continue;
    const test::Memory bytes = test::from_hex(line.at("hex").as_string());
    const BatchView batch(bytes);
    BatchReader reader;
    Block block;
    RecordView record;
    assert_true(reader.open(batch, block).ok() && reader.next(record));
    const TransactionMarker marker{.commit = control_type(record.key) == static_cast<int16_t>(ControlType::commit),
                                   .producer_id = batch.producer_id(),
                                   .producer_epoch = batch.producer_epoch(),
                                   .coordinator_epoch = marker_coordinator_epoch(record.value)};
    assert_int_equal(marker.commit, name == "control-commit");
    const auto built = marker_batch(marker, batch.base_timestamp(), batch.base_offset(), batch.leader_epoch());
    assert_string_equal(test::to_hex(built).c_str(), test::to_hex(bytes).c_str());
    ++compared;
  }
  assert_int_equal(compared, 4);
}

static void a_full_block_refuses_and_keeps_what_it_has(void**) {
  std::byte block[256];
  BatchBuilder builder(block);
  const test::Memory value(100);
  assert_true(builder.append(1, {}, value));
  const size_t size = builder.size();
  assert_false(builder.append(2, {}, value));
  assert_int_equal(builder.size(), size);
  assert_int_equal(builder.count(), 1);
  assert_int_equal(test::read_all(builder.seal({})).batches.size(), 1);
}

static void a_batch_moves_to_a_bigger_block_and_goes_on(void**) {
  std::byte small[160], large[4096];
  BatchBuilder builder(small);
  assert_true(builder.append(10, as_bytes("k"), as_bytes("one")));
  while (builder.append(11, as_bytes("k"), as_bytes("more"))) {
  }
  const int32_t count = builder.count();
  builder.move_to(large);
  std::memset(small, 0xee, sizeof small);
  assert_true(builder.append(12, as_bytes("k"), as_bytes("last")));
  const test::Found found = test::read_all(builder.seal({}));
  assert_int_equal(found.error, 0);
  const json::array& records = found.batches[0].as_object().at("records").as_array();
  assert_int_equal(records.size(), count + 1);
  assert_true(records.back().as_object().at("timestamp") == 12);
}

static void the_bound_holds_for_the_largest_numbers(void**) {
  const test::Memory value(200);
  const RecordHeader headers[] = {{"h", value}, {"i", {}}};
  const size_t size = BatchBuilder::batch_bytes_max(3, value.size(), headers);
  std::vector<std::byte> block(size + BatchBuilder::record_bytes_max(3, value.size(), headers));
  BatchBuilder builder(block);
  assert_true(builder.append(std::numeric_limits<int64_t>::min(), as_bytes("key"), value, headers));
  assert_true(builder.append_at(2'000'000'000, std::numeric_limits<int64_t>::max(), as_bytes("key"), value, headers));
  assert_true(builder.size() <= block.size());
  assert_int_equal(test::read_all(builder.seal({})).error, 0);
}

static void sealing_again_changes_the_header_alone(void**) {
  OwnedBatchBuilder builder;
  builder.append(1, as_bytes("a"), as_bytes("b"));
  const Bytes first = builder.seal({.producer_id = 1, .producer_epoch = 0, .base_sequence = 0});
  const test::Memory before(first.begin(), first.end());
  const Bytes second = builder.seal({.producer_id = 1, .producer_epoch = 1, .base_sequence = 40});
  assert_true(BatchView(second).check_crc() && BatchView(second).base_sequence() == 40);
  assert_memory_equal(second.data() + batch_at::records, before.data() + batch_at::records, before.size() - batch_at::records);
}

/* The sum may be taken piece by piece, in another block from some record on, and has to be the same. */
static void a_batch_can_be_summed_as_it_grows(void**) {
  std::vector<std::byte> small(2000), large(4000);
  BatchBuilder builder(small);
  for (int i = 0; builder.append(i, as_bytes("key"), Bytes(large).first(static_cast<size_t>(i)));)
    if (++i % 7 == 0) builder.sum();
  builder.move_to(large);
  assert_true(builder.append(1, {}, as_bytes("last")));
  assert_true(builder.unsummed() > 0);
  assert_true(BatchView(builder.seal({.producer_id = 5})).check_crc());
  assert_int_equal(builder.unsummed(), 0);
  builder.clear();
  assert_true(builder.append(1, {}, as_bytes("another")));
  assert_true(BatchView(builder.seal({})).check_crc());
}

static void random_records_come_back_under_every_codec(void**) {
  Random random(20);
  Compressor compressor;
  Block packed;
  for (int round = 0; round < 60; ++round) {
    OwnedBatchBuilder builder;
    std::deque<test::Memory> kept;
    const auto bytes = [&](size_t most) -> Bytes {
      if (random.one_in(6)) return {};
      test::Memory& memory = kept.emplace_back(random.below(most) + 1);
      for (std::byte& byte : memory) byte = static_cast<std::byte>(random.below(5));
      return Bytes(memory).first(memory.size() - 1);
    };
    struct Sent {
      int64_t timestamp;
      Bytes key, value;
      std::vector<RecordHeader> headers;
    };
    std::vector<Sent> sent(random.below(300) + 1);
    for (Sent& record : sent) {
      record = {static_cast<int64_t>(random.below(100'000)), bytes(40), bytes(random.one_in(50) ? 100'000 : 300), {}};
      while (random.one_in(4)) record.headers.push_back({as_text(bytes(12)), bytes(20)});
      builder.append(record.timestamp, record.key, record.value, record.headers);
    }
    const auto codec = static_cast<Codec>(round % 5);
    Result<Bytes> sealed = builder.seal({}, codec, codec_levels(codec).standard, compressor, packed);
    assert_true(sealed.ok());
    const BatchView batch(*sealed);
    assert_true(batch.codec() == codec);
    BatchReader reader;
    Block block;
    assert_true(reader.open(batch, block).ok());
    RecordView record;
    for (size_t i = 0; i < sent.size(); ++i) {
      assert_true(reader.next(record));
      assert_true(record.offset == static_cast<int64_t>(i) && record.timestamp == sent[i].timestamp);
      assert_true(std::ranges::equal(record.key, sent[i].key) &&
                  (record.key.data() == nullptr) == (sent[i].key.data() == nullptr));
      assert_true(std::ranges::equal(record.value, sent[i].value));
      assert_int_equal(record.headers.size(), sent[i].headers.size());
      size_t h = 0;
      for (const RecordHeader& header : record.headers) {
        assert_true(header.key == sent[i].headers[h].key && std::ranges::equal(header.value, sent[i].headers[h].value));
        ++h;
      }
      assert_int_equal(h, sent[i].headers.size());
    }
    assert_false(reader.next(record));
    assert_true(reader.status().ok());
  }
}

int main() {
  const CMUnitTest tests[] = {
      cmocka_unit_test(the_same_records_become_the_same_bytes_as_kafkas),
      cmocka_unit_test(a_marker_is_kafkas_to_the_byte),
      cmocka_unit_test(a_full_block_refuses_and_keeps_what_it_has),
      cmocka_unit_test(a_batch_moves_to_a_bigger_block_and_goes_on),
      cmocka_unit_test(the_bound_holds_for_the_largest_numbers),
      cmocka_unit_test(sealing_again_changes_the_header_alone),
      cmocka_unit_test(a_batch_can_be_summed_as_it_grows),
      cmocka_unit_test(random_records_come_back_under_every_codec),
  };
  return cmocka_run_group_tests_name("record.batch_builder", tests, nullptr, nullptr);
}
