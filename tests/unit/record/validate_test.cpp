#include "libkq/record/validate.hpp"

#include <functional>

#include "libkq/base/random.hpp"
#include "tests/unit/record/vectors.hpp"

#include "tests/unit/cmocka.hpp"

using namespace kq;

namespace {

constexpr int64_t now_ms = 1'700'000'000'000;
constexpr int16_t produce_version = 12;
constexpr Codec all_codecs[] = {Codec::none, Codec::gzip, Codec::snappy, Codec::lz4, Codec::zstd};

struct Maker {
  Codec codec = Codec::none;
  int records = 3;
  int64_t timestamp = now_ms;
  BatchFields fields{};
  size_t value_size = 20;
  bool keys = true;
  int offset_step = 1;
};

test::Memory make(const Maker& maker) {
  OwnedBatchBuilder builder;
  Random random(9);
  for (int i = 0; i < maker.records; ++i) {
    test::Memory value(maker.value_size);
    for (std::byte& byte : value) byte = static_cast<std::byte>(random.below(16));
    const RecordHeader headers[] = {{"trace", value}, {"none", {}}};
    builder.append_at(i * maker.offset_step, maker.timestamp < 0 ? maker.timestamp : maker.timestamp + i,
                      maker.keys || i % 2 == 0 ? as_bytes("key") : Bytes{}, value, {headers, i % 3 == 0 ? size_t{2} : size_t{0}});
  }
  Compressor compressor;
  Block into;
  const Bytes sealed = *builder.seal(maker.fields, maker.codec, codec_levels(maker.codec).standard, compressor, into);
  return {sealed.begin(), sealed.end()};
}

Validation validate(MutableBytes records, const BatchRules& rules = {}, int16_t version = produce_version,
                    Effort effort = Effort::full) {
  static BatchValidator validator;
  static Block rebuilt;
  return validator.validate(records, rules, version, now_ms, rebuilt, effort);
}

}  // namespace

static void a_good_batch_passes_as_it_is(void**) {
  for (const Codec codec : all_codecs) {
    test::Memory batch = make({.codec = codec, .fields = {.producer_id = 5, .producer_epoch = 0, .base_sequence = 3}});
    const test::Memory before = batch;
    const Validation result = validate(batch);
    assert_int_equal(result.code, record_code::none);
    assert_true(result.batch.data() == batch.data() && result.batch.size() == batch.size() && batch == before);
    assert_int_equal(result.count, 3);
    assert_true(result.max_timestamp == now_ms + 2 && result.max_timestamp_delta == 2);
  }
}

/* One fault each; every line stands for one check of Kafka's, in its order. */
struct Fault {
  const char* name;
  int16_t code;
  std::function<void(test::Memory&)> put;
  int16_t version = produce_version;
  bool new_crc = true;
};

static const std::vector<Fault>& faults() {
  static const std::vector<Fault> all = {
      {"no bytes", record_code::invalid_record, [](test::Memory& b) { b.clear(); }, produce_version, false},
      {"magic 1", record_code::invalid_record, [](test::Memory& b) { b[batch_at::magic] = std::byte{1}; }},
      {"magic 3", record_code::corrupt_message, [](test::Memory& b) { b[batch_at::magic] = std::byte{3}; }},
      {"zstd for an old client", record_code::unsupported_compression_type,
       [](test::Memory& b) { b[batch_at::attributes + 1] = std::byte{4}; }, 6},
      {"two batches", record_code::invalid_record,
       [](test::Memory& b) {
         const auto c = b;
         b.insert(b.end(), c.begin(), c.end());
       },
       produce_version, false},
      {"nonsense behind", record_code::corrupt_message, [](test::Memory& b) { b.resize(b.size() + 40); }, produce_version, false},
      {"base offset 7", record_code::invalid_record, [](test::Memory& b) { set_base_offset(b, 7); }},
      {"too large", record_code::message_too_large, [](test::Memory& b) { b = make({.records = 1, .value_size = 2'000'000}); }},
      {"wrong crc", record_code::corrupt_message, [](test::Memory& b) { b[batch_at::crc] ^= std::byte{1}; }, produce_version,
       false},
      {"codec 5", record_code::unknown_server_error, [](test::Memory& b) { b[batch_at::attributes + 1] = std::byte{5}; }},
      {"count 0", record_code::invalid_record, [](test::Memory& b) { store_be(b.data() + batch_at::count, 0); }},
      {"count -1", record_code::invalid_record, [](test::Memory& b) { store_be(b.data() + batch_at::count, -1); }},
      {"last offset delta 5", record_code::invalid_record,
       [](test::Memory& b) { store_be(b.data() + batch_at::last_offset_delta, 5); }},
      {"control", record_code::invalid_record, [](test::Memory& b) { b[batch_at::attributes + 1] = std::byte{0x20}; }},
      {"no sequence", record_code::invalid_record, [](test::Memory& b) { set_producer(b, 5, 0, -1); }},
      {"record longer than the batch", record_code::invalid_record,
       [](test::Memory& b) { b[batch_at::records] = std::byte{0x7e}; }},
  };
  return all;
}

static void every_fault_has_kafkas_code(void**) {
  for (const Fault& fault : faults()) {
    test::Memory batch = make({});
    fault.put(batch);
    if (fault.new_crc && batch.size() >= batch_header_size) set_crc(batch);
    const Validation result = validate(batch, {}, fault.version);
    if (result.code != fault.code) print_error("%s: %d, not %d\n", fault.name, result.code, fault.code);
    assert_int_equal(result.code, fault.code);
    assert_false(result.message.empty());
  }
}

static void of_two_faults_the_earlier_check_speaks(void**) {
  test::Memory batch = make({});
  set_base_offset(batch, 7);
  batch[batch_at::crc] ^= std::byte{1};
  assert_int_equal(validate(batch).code, record_code::invalid_record);  // the offset, before the crc
  set_base_offset(batch, 0);
  assert_int_equal(validate(batch, {.max_message_bytes = 50}).code, record_code::message_too_large);
  store_be(batch.data() + batch_at::count, 0);
  assert_int_equal(validate(batch).code, record_code::corrupt_message);  // the crc, before the count
}

static void a_few_bytes_after_the_batch_are_cut_off(void**) {
  test::Memory batch = make({});
  const size_t size = batch.size();
  batch.resize(size + 11);
  const Validation result = validate(batch);
  assert_true(result.ok() && result.batch.size() == size);
}

static void the_maximum_timestamp_is_computed_anew(void**) {
  for (const Codec codec : all_codecs) {
    test::Memory batch = make({.codec = codec});
    const test::Memory before = batch;
    set_max_timestamp(batch, TimestampType::create, 1);
    const Validation result = validate(batch);
    assert_true(result.ok() && result.max_timestamp == now_ms + 2);
    assert_true(batch == before);
  }
}

static void an_append_time_topic_sets_bit_and_time(void**) {
  const BatchRules rules{.message_timestamp_type = TimestampType::log_append};
  for (const Codec codec : all_codecs) {
    test::Memory batch = make({.codec = codec, .timestamp = 5});  // far too old, which nobody asks here
    const Validation result = validate(batch, rules);
    assert_true(result.ok() && result.max_timestamp == now_ms && result.max_timestamp_delta == 2);
    const BatchView view{result.batch};
    assert_true(view.check_crc() && view.timestamp_type() == TimestampType::log_append && view.max_timestamp() == now_ms);
    const Validation again = validate(batch, rules);  // now the bit comes from the producer
    assert_int_equal(again.code, record_code::invalid_timestamp);
    assert_int_equal(again.refused.size(), 3);
  }
}

static void a_create_time_topic_clears_the_bit(void**) {
  test::Memory batch = make({});
  set_max_timestamp(batch, TimestampType::log_append, now_ms);
  const Validation result = validate(batch);
  assert_true(result.ok() && result.max_timestamp == now_ms && result.max_timestamp_delta == 0);
  assert_true(BatchView(batch).timestamp_type() == TimestampType::create && BatchView(batch).check_crc());
  set_max_timestamp(batch, TimestampType::log_append, no_timestamp);
  assert_int_equal(validate(batch).code, record_code::invalid_timestamp);
}

static void timestamps_out_of_bounds_are_named_one_by_one(void**) {
  for (const Codec codec : all_codecs) {
    const int64_t hour = 3'600'000;
    test::Memory late = make({.codec = codec, .timestamp = now_ms + hour - 1});  // -1, 0 and +1 of the bound
    Validation result = validate(late);
    assert_int_equal(result.code, record_code::invalid_timestamp);
    assert_int_equal(result.refused.size(), 1);
    assert_int_equal(result.refused[0].batch_index, 2);
    test::Memory early = make({.codec = codec, .timestamp = now_ms - 1001});
    result = validate(early, {.message_timestamp_before_max_ms = 1000});
    assert_int_equal(result.code, record_code::invalid_timestamp);
    assert_int_equal(result.refused[0].batch_index, 0);
    test::Memory none = make({.codec = codec, .timestamp = no_timestamp});
    result = validate(none, {.message_timestamp_before_max_ms = 1000});
    assert_true(result.ok() && result.max_timestamp == no_timestamp);
  }
}

static void a_compacted_topic_names_the_records_without_a_key(void**) {
  for (const Codec codec : all_codecs) {
    test::Memory batch = make({.codec = codec, .records = 4, .keys = false});
    assert_true(validate(batch).ok());
    const Validation result = validate(batch, {.compacted = true, .validate_compressed = false});
    assert_int_equal(result.code, record_code::invalid_record);
    assert_int_equal(result.refused.size(), 2);
    assert_int_equal(result.refused[0].batch_index, 1);
    assert_int_equal(result.refused[1].batch_index, 3);
  }
}

static void compressed_data_is_streamed_and_its_faults_found(void**) {
  for (const Codec codec : all_codecs) {
    if (codec == Codec::none) continue;
    test::Memory damaged = make({.codec = codec, .records = 100, .value_size = 500});
    for (size_t i = 0; i < 40; ++i) damaged[batch_at::records + i] ^= std::byte{0x5a};
    set_crc(damaged);
    assert_int_equal(validate(damaged).code, record_code::unknown_server_error);
    assert_true(validate(damaged, {.validate_compressed = false}).ok());

    test::Memory gaps = make({.codec = codec, .offset_step = 2});
    store_be(gaps.data() + batch_at::last_offset_delta, 2);
    set_crc(gaps);
    assert_int_equal(validate(gaps).code, record_code::unknown_server_error);

    for (const int32_t count : {2, 4}) {
      test::Memory miscounted = make({.codec = codec});
      store_be(miscounted.data() + batch_at::count, count);
      store_be(miscounted.data() + batch_at::last_offset_delta, count - 1);
      set_crc(miscounted);
      assert_int_equal(validate(miscounted).code, record_code::invalid_record);
    }
  }
}

/* Records of all sizes about the border of a piece, and one larger than several. */
static void records_across_pieces_are_read_like_any_other(void**) {
  for (const Codec codec : {Codec::gzip, Codec::snappy, Codec::lz4, Codec::zstd})
    for (const size_t value_size : {size_t{3}, size_t{700}, size_t{16'381}, size_t{32'765}, size_t{65'533}, size_t{300'000}}) {
      const int records = static_cast<int>(1'000'000 / (value_size + 40)) + 2;
      test::Memory batch = make({.codec = codec, .records = records, .value_size = value_size});
      const Validation result = validate(batch, {.max_message_bytes = 10'000'000});
      assert_int_equal(result.code, record_code::none);
      assert_true(result.count == records && result.max_timestamp == now_ms + records - 1);
      store_be(batch.data() + batch_at::count, records + 1);
      store_be(batch.data() + batch_at::last_offset_delta, records);
      set_crc(batch);
      assert_int_equal(validate(batch, {.max_message_bytes = 10'000'000}).code, record_code::invalid_record);
    }
}

static void another_compression_type_builds_the_batch_anew(void**) {
  for (const Codec from : all_codecs)
    for (const Codec to : all_codecs) {
      if (from == to) continue;
      const BatchFields fields{.producer_id = 9, .producer_epoch = 2, .base_sequence = 77, .transactional = true};
      test::Memory batch = make({.codec = from, .records = 50, .fields = fields});
      const test::Memory before = batch;
      const BatchRules rules{.compression_type = to, .compression_level = codec_levels(to).standard};
      const Validation result = validate(batch, rules);
      assert_int_equal(result.code, record_code::none);
      assert_true(batch == before);
      test::Found was = test::read_all(before), is = test::read_all(result.batch);
      assert_int_equal(is.error, 0);
      auto &old_batch = was.batches.at(0).as_object(), &new_batch = is.batches.at(0).as_object();
      assert_true(*codec_named(new_batch.at("codec").as_string()) == to);
      for (const char* field : {"crc", "size", "codec"}) old_batch.erase(field), new_batch.erase(field);
      assert_true(is.batches == was.batches);
    }
}

static void built_anew_the_offsets_count_up_and_append_time_holds(void**) {
  test::Memory batch = make({.codec = Codec::zstd, .offset_step = 3});
  store_be(batch.data() + batch_at::last_offset_delta, 2);
  set_crc(batch);
  const Validation result =
      validate(batch, {.message_timestamp_type = TimestampType::log_append, .compression_type = Codec::none});
  assert_int_equal(result.code, record_code::none);
  const BatchView view{result.batch};
  assert_true(view.check_crc() && view.max_timestamp() == now_ms && view.timestamp_type() == TimestampType::log_append);
  assert_true(view.base_timestamp() == now_ms && view.last_offset_delta() == 2);
  const test::Found found = test::read_all(result.batch);
  for (int64_t i = 0; i < 3; ++i)
    assert_true(found.batches.at(0).at("records").at(static_cast<size_t>(i)).at("offset").as_int64() == i);
}

/* Kafka stores them as they came, but cannot build a batch of them. */
static void timestamps_before_1970_are_refused_only_where_built_anew(void**) {
  test::Memory batch = make({.timestamp = -50});
  assert_true(validate(batch).ok() && BatchView(batch).max_timestamp() == no_timestamp);
  assert_int_equal(validate(batch, {.compression_type = Codec::lz4, .compression_level = 9}).code,
                   record_code::unknown_server_error);
}

static void built_anew_it_must_still_fit(void**) {
  test::Memory batch = make({.codec = Codec::zstd, .records = 100, .value_size = 1000});
  const BatchRules rules{.max_message_bytes = static_cast<int32_t>(batch.size()) + 10, .compression_type = Codec::none};
  assert_int_equal(validate(batch, rules).code, record_code::message_too_large);
}

static void quick_effort_defers_what_takes_long_and_changes_nothing(void**) {
  const BatchRules large{.max_message_bytes = 10'000'000};
  test::Memory small = make({.codec = Codec::zstd});
  assert_true(validate(small, large, produce_version, Effort::quick).ok());
  for (const Codec codec : all_codecs) {
    test::Memory batch = make({.codec = codec, .records = 200, .value_size = 1000});
    set_max_timestamp(batch, TimestampType::create, 1);
    const test::Memory before = batch;
    const Validation quick = validate(batch, large, produce_version, Effort::quick);
    assert_true(quick.deferred == (codec != Codec::none));
    if (quick.deferred) assert_true(batch == before && validate(batch, large).ok());
  }
  BatchRules rebuilding = large;
  rebuilding.compression_type = Codec::none;
  assert_true(validate(small, rebuilding, produce_version, Effort::quick).deferred);
}

static void a_bomb_is_refused_whether_streamed_or_built_anew(void**) {
  OwnedBatchBuilder builder;
  builder.append(now_ms, {}, test::Memory(size_t{8} << 20));
  Compressor compressor;
  Block into;
  assert_true(builder.seal({}, Codec::zstd, 3, compressor, into).ok());
  BatchRules rules{.decompressed_bytes_max = size_t{1} << 20};
  assert_int_equal(validate(into.mutable_bytes(), rules).code, record_code::message_too_large);
  rules.compression_type = Codec::gzip;
  assert_int_equal(validate(into.mutable_bytes(), rules).code, record_code::message_too_large);
}

/* The promise to everybody downstream: what is let in can be read. */
static void whatever_passes_can_be_read(void**) {
  Random random(12);
  int passed = 0;
  for (int round = 0; round < 4000; ++round) {
    const auto codec = static_cast<Codec>(random.below(5));
    test::Memory batch = make({.codec = codec, .records = 1 + static_cast<int>(random.below(8)), .value_size = random.below(60)});
    for (uint64_t changes = random.below(3); changes > 0; --changes)
      batch[batch_at::attributes + random.below(batch.size() - batch_at::attributes)] = static_cast<std::byte>(random.next());
    set_crc(batch);
    BatchRules rules{.message_timestamp_after_max_ms = std::numeric_limits<int64_t>::max()};
    if (random.one_in(3)) rules.compression_type = static_cast<Codec>(random.below(5));
    if (rules.compression_type) rules.compression_level = codec_levels(*rules.compression_type).standard;
    const Validation result = validate(batch, rules);
    if (!result.ok()) continue;
    ++passed;
    const test::Found found = test::read_all(result.batch);
    assert_int_equal(found.error, 0);
    assert_int_equal(found.batches.at(0).at("records").as_array().size(), result.count);
  }
  assert_true(passed > 1000);
}

int main() {
  const CMUnitTest tests[] = {
      cmocka_unit_test(a_good_batch_passes_as_it_is),
      cmocka_unit_test(every_fault_has_kafkas_code),
      cmocka_unit_test(of_two_faults_the_earlier_check_speaks),
      cmocka_unit_test(a_few_bytes_after_the_batch_are_cut_off),
      cmocka_unit_test(the_maximum_timestamp_is_computed_anew),
      cmocka_unit_test(an_append_time_topic_sets_bit_and_time),
      cmocka_unit_test(a_create_time_topic_clears_the_bit),
      cmocka_unit_test(timestamps_out_of_bounds_are_named_one_by_one),
      cmocka_unit_test(a_compacted_topic_names_the_records_without_a_key),
      cmocka_unit_test(compressed_data_is_streamed_and_its_faults_found),
      cmocka_unit_test(records_across_pieces_are_read_like_any_other),
      cmocka_unit_test(another_compression_type_builds_the_batch_anew),
      cmocka_unit_test(built_anew_the_offsets_count_up_and_append_time_holds),
      cmocka_unit_test(timestamps_before_1970_are_refused_only_where_built_anew),
      cmocka_unit_test(built_anew_it_must_still_fit),
      cmocka_unit_test(quick_effort_defers_what_takes_long_and_changes_nothing),
      cmocka_unit_test(a_bomb_is_refused_whether_streamed_or_built_anew),
      cmocka_unit_test(whatever_passes_can_be_read),
  };
  return cmocka_run_group_tests_name("record.validate", tests, nullptr, nullptr);
}
