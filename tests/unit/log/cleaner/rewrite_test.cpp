// What Kafka 4.2's own filter leaves of a run of batches (compaction.jsonl).
#include "broker/log/cleaner/rewrite.hpp"

#include <set>

#include "tests/unit/record/vectors.hpp"
#include "tests/unit/cmocka.hpp"

using namespace kq;
using namespace kq::log;
using namespace kq::test;
namespace json = boost::json;

namespace {

// Compressed bytes are the codec's business: two of them may say the same.
json::array comparable(const json::array& batches, bool with_bytes) {
  json::array all = batches;
  for (json::value& batch : all) {
    if (with_bytes) continue;
    batch.as_object().erase("size");
    batch.as_object().erase("crc");
  }
  return all;
}

void kafkas_vectors_are_left_as_kafka_leaves_them(void**) {
  size_t count = 0;
  for (const json::object& line : vectors("compaction.jsonl")) {
    ++count;
    std::set<int64_t> retained;
    for (const json::value& offset : line.at("retain_offsets").as_array()) retained.insert(offset.to_number<int64_t>());
    const int64_t horizon = line.at("now").to_number<int64_t>() + line.at("delete_retention_ms").to_number<int64_t>();
    const Memory before = from_hex(line.at("before").as_string());
    BatchRewriter rewriter;
    Block out;
    Bytes rest = before;
    for (BatchView batch; next_batch(rest, batch) == Step::batch;) {
      const bool spent = batch.control() && line.at("set_horizon_on_control").as_bool();
      const BatchFate fate{.keep_empty = line.at("retain_empty_batches").as_bool(), .spent_marker = spent};
      const auto retain = [&](const RecordView& record) { return retained.count(record.offset) > 0 || spent; };
      assert_true(rewriter.rewrite(batch, fate, retain, horizon, out).ok());
    }
    const bool plain = line.at("codec").as_string() == "none";
    const auto found = comparable(read_all(out.bytes()).batches, plain);
    const auto wanted = comparable(line.at("after_batches").as_array(), plain);
    if (found != wanted) fail_msg("line %zu: %s\nis not %s", count, json::serialize(found).c_str(), json::serialize(wanted).c_str());
    if (plain) assert_true(to_hex(out.bytes()) == line.at("after").as_string());
  }
  assert_true(count > 10);
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {
      cmocka_unit_test(kafkas_vectors_are_left_as_kafka_leaves_them),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
