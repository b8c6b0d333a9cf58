/* A peer's bytes can be anything: batches cut off and changed everywhere must be answered, never crash, hang or balloon. */
#include "libkq/base/random.hpp"
#include "libkq/record/batch_builder.hpp"
#include "tests/unit/record/vectors.hpp"

#include "tests/unit/cmocka.hpp"

using namespace kq;

constexpr size_t decompressed_bytes_max = size_t{4} << 20;
static BatchReader* reader;

static size_t read_everything(Bytes records) {
  size_t touched = 0;
  Block block;
  for (BatchView batch; next_batch(records, batch) == Step::batch;) {
    if (!reader->open(batch, block)) continue;
    for (RecordView record; reader->next(record);) {
      touched += record.key.size() + record.value.size();
      for (const RecordHeader& header : record.headers) touched += header.key.size() + header.value.size();
    }
    assert_true(block.capacity() <= 4 * decompressed_bytes_max + 8 * batch.size());
  }
  return touched;
}

static std::vector<test::Memory> small_record_sets() {
  std::vector<test::Memory> sets;
  for (const auto& line : test::vectors("batches.jsonl")) {
    const auto& hex = line.at("hex").as_string();
    if (hex.size() < 2 * 800) sets.push_back(test::from_hex(hex));
  }
  return sets;
}

/* Cut off in the file, and cut off with a length that says so. */
static void cut_off_anywhere(void**) {
  for (const test::Memory& set : small_record_sets())
    for (size_t kept = 0; kept < set.size(); ++kept) {
      read_everything(Bytes(set).first(kept));
      if (kept < batch_overhead) continue;
      test::Memory shorter(set.begin(), set.begin() + static_cast<ptrdiff_t>(kept));
      store_be(shorter.data() + batch_at::batch_length, static_cast<int32_t>(kept - batch_overhead));
      read_everything(shorter);
    }
}

static void any_byte_changed(void**) {
  for (const test::Memory& set : small_record_sets()) {
    test::Memory changed = set;
    for (size_t at = 0; at < changed.size(); ++at)
      for (const uint8_t flip : {0x01, 0x80, 0xff}) {
        changed[at] ^= std::byte{flip};
        read_everything(changed);
        changed[at] ^= std::byte{flip};
      }
  }
}

static void many_bytes_changed(void**) {
  Random random(3);
  const std::vector<test::Memory> sets = small_record_sets();
  for (int round = 0; round < 5'000; ++round) {
    test::Memory changed = sets[random.below(sets.size())];
    for (uint64_t changes = random.below(8) + 1; changes > 0; --changes)
      changed[random.below(changed.size())] = static_cast<std::byte>(random.next());
    read_everything(changed);
  }
}

int main() {
  BatchReader unchecked({.check_crc = false, .decompressed_bytes_max = decompressed_bytes_max});
  reader = &unchecked;
  const CMUnitTest tests[] = {
      cmocka_unit_test(cut_off_anywhere),
      cmocka_unit_test(any_byte_changed),
      cmocka_unit_test(many_bytes_changed),
  };
  return cmocka_run_group_tests_name("record.damage", tests, nullptr, nullptr);
}
