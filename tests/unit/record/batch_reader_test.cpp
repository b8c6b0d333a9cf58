#include "libkq/record/batch_reader.hpp"

#include "libkq/record/batch_builder.hpp"
#include "tests/unit/record/vectors.hpp"

#include "tests/unit/cmocka.hpp"

using namespace kq;
namespace json = boost::json;

static void what_kafka_wrote_is_read_as_kafka_reads_it(void**) {
  for (const json::object& line : test::vectors("batches.jsonl")) {
    const test::Memory records = test::from_hex(line.at("hex").as_string());
    const test::Found found = test::read_all(records);
    const json::array& wanted = line.at("batches").as_array();
    if (found.error != 0 || found.batches != wanted)
      print_error("%s\nerror %d\nwanted %s\nfound  %s\n", line.at("name").as_string().c_str(), found.error,
                  json::serialize(wanted).c_str(), json::serialize(found.batches).c_str());
    assert_int_equal(found.error, 0);
    assert_true(found.batches == wanted);
  }
}

/* Headers are kept as bytes; the vectors show what Java makes of them. */
static bool same_but_for_header_keys(json::array found, json::array wanted) {
  for (json::array* side : {&found, &wanted})
    for (json::value& batch : *side)
      for (json::value& record : batch.as_object().at("records").as_array())
        if (auto* headers = record.as_object().if_contains("headers"))
          for (json::value& header : headers->as_array()) header.as_array()[0] = "";
  return found == wanted;
}

static int32_t code_of(const json::value& exception) {
  if (exception.is_null()) return record_code::none;
  if (exception == "CorruptRecordException") return record_code::corrupt_message;
  if (exception == "InvalidRecordException") return record_code::invalid_record;
  if (exception == "KafkaException") return own_code::data;  // does not decompress
  return -9999;
}

static void damage_is_found_where_kafka_finds_it(void**) {
  int wrong = 0;
  for (const json::object& line : test::vectors("damaged.jsonl")) {
    const test::Memory records = test::from_hex(line.at("hex").as_string());
    const test::Found found = test::read_all(records);
    const BatchView batch(records);
    int32_t wanted = code_of(line.at("error"));
    // A byte inside compressed data spoils the stream and the records in it.  Java, which streams, tells what it comes to first.
    if (wanted == record_code::invalid_record && batch.codec() != Codec::none && found.error == own_code::data)
      wanted = found.error;
    const bool same = wanted == 0 ? found.error == 0 && same_but_for_header_keys(found.batches, line.at("batches").as_array())
                                  : found.error == wanted;
    if (same) continue;
    ++wrong;
    print_error("wanted %d, found %d: changed at %lld, %s\n%s\n", wanted, found.error,
                static_cast<long long>(line.at("changed_at").as_int64()), line.at("hex").as_string().c_str(),
                json::serialize(found.batches).c_str());
  }
  assert_int_equal(wrong, 0);
}

static void a_wrong_check_sum_passes_only_where_nobody_asks(void**) {
  OwnedBatchBuilder builder;
  builder.append(1, as_bytes("k"), as_bytes("v"));
  const Bytes sealed = builder.seal({});
  test::Memory batch(sealed.begin(), sealed.end());
  batch[batch_at::crc] ^= std::byte{1};
  assert_int_equal(test::read_all(batch).error, record_code::corrupt_message);
  assert_int_equal(test::read_all(batch, {.check_crc = false}).error, 0);
}

static void null_and_empty_stay_apart(void**) {
  OwnedBatchBuilder builder;
  const RecordHeader headers[] = {{"", {}}, {"\xff\xfe", as_bytes("")}};
  builder.append(5, {}, as_bytes(""), headers);
  Block block;
  BatchReader reader;
  assert_true(reader.open(BatchView(builder.seal({})), block).ok());
  RecordView record;
  assert_true(reader.next(record));
  assert_null(record.key.data());
  assert_non_null(record.value.data());
  assert_int_equal(record.value.size(), 0);
  auto header = record.headers.begin();
  assert_true(header->key.empty() && header->value.data() == nullptr);
  ++header;
  assert_true(header->key == "\xff\xfe" && header->value.data() != nullptr && header->value.empty());
  assert_false(++header != record.headers.end());
  assert_false(reader.next(record));
  assert_true(reader.status().ok());
}

static void a_count_larger_than_the_records_is_an_error_not_an_end(void**) {
  OwnedBatchBuilder builder;
  builder.append(1, {}, as_bytes("v"));
  builder.seal({});
  const MutableBytes batch = builder.sealed();
  for (const int32_t count : {2, 2'000'000'000, -1}) {
    store_be(batch.data() + batch_at::count, count);
    set_crc(batch);
    assert_int_equal(test::read_all(batch).error, record_code::invalid_record);
  }
}

int main() {
  const CMUnitTest tests[] = {
      cmocka_unit_test(what_kafka_wrote_is_read_as_kafka_reads_it),
      cmocka_unit_test(damage_is_found_where_kafka_finds_it),
      cmocka_unit_test(a_wrong_check_sum_passes_only_where_nobody_asks),
      cmocka_unit_test(null_and_empty_stay_apart),
      cmocka_unit_test(a_count_larger_than_the_records_is_an_error_not_an_end),
  };
  return cmocka_run_group_tests_name("record.batch_reader", tests, nullptr, nullptr);
}
