// The small text files of a data directory.
#include "broker/log/checkpoint.hpp"

#include "tests/sim/memory_file_system.hpp"
#include "tests/unit/cmocka.hpp"

using namespace kq;
using namespace kq::log;

namespace {

void offsets_are_written_as_kafka_writes_them(void**) {
  assert_string_equal(format_offsets({}).c_str(), "0\n0\n");
  assert_string_equal(format_offsets({{{"b", 10}, 5}, {{"a.b-c", 0}, 70}}).c_str(), "0\n2\na.b-c 0 70\nb 10 5\n");
  auto parsed = parse_offsets("0\n2\nb 10 5\na.b-c 0 70\n");
  assert_true(parsed.ok());
  assert_true((*parsed == OffsetCheckpoint{{{"a.b-c", 0}, 70}, {{"b", 10}, 5}}));
}

void a_torn_checkpoint_is_refused(void**) {
  for (const char* torn : {"", "0", "0\n", "1\n0\n", "0\nx\n", "0\n2\na 0 1\n", "0\n1\na 0\n", "0\n1\na 0 x\n", "0\n1\n0 1\n"})
    assert_false(parse_offsets(torn).ok());
  for (const char* torn : {"", "0\n1\n", "0\n1\n5\n", "0\n1\n5 x\n", "0\n1\n-1 3\n"}) assert_false(parse_epochs(torn).ok());
}

void epochs_come_back(void**) {
  const std::vector<EpochEntry> entries{{0, 0}, {2, 41}};
  assert_string_equal(format_epochs(entries).c_str(), "0\n2\n0 0\n2 41\n");
  assert_true(*parse_epochs(format_epochs(entries)) == entries);
}

void a_directory_names_its_partition(void**) {
  const auto name = TopicPartition::parse("a-b.c-12");
  assert_true(name && name->topic == "a-b.c" && name->partition == 12);
  for (const char* other : {"a", "-1", "a-", "a-01", "a-x", "a-0.0123456789abcdef0123456789abcdef-delete", "a-0-future"})
    assert_false(TopicPartition::parse(other).has_value());
}

void the_files_of_a_directory_are_kafkas(void**) {
  sim::MemoryFileSystem files;
  assert_true(files.make_directory("/d").ok());
  const Uuid id = Uuid::random();
  assert_true(write_topic_id(files, "/d", id).ok());
  assert_string_equal(read_small_file(files, "/d/partition.metadata")->c_str(), ("version: 0\ntopic_id: " + id.text()).c_str());
  assert_true(**read_topic_id(files, "/d") == id);

  assert_false(read_meta_properties(files, "/d")->has_value());
  const MetaProperties meta{.cluster_id = "aUbavhuUTOe6jCkJOEVuEg", .node_id = 3, .directory_id = id, .others = {{"some.key", "kept"}}};
  assert_true(write_meta_properties(files, "/d", meta).ok());
  auto read = read_meta_properties(files, "/d");
  assert_true((*read)->cluster_id == meta.cluster_id && (*read)->node_id == 3 && (*read)->directory_id == id && (*read)->others == meta.others);

  assert_false(read_clean_shutdown(files, "/d")->has_value());
  assert_true(write_clean_shutdown(files, "/d", {108}).ok());
  assert_string_equal(read_small_file(files, "/d/.kafka_cleanshutdown")->c_str(), "{\"version\":0,\"brokerEpoch\":108}");
  assert_int_equal((*read_clean_shutdown(files, "/d"))->broker_epoch, 108);
}

void properties_as_java_leaves_them(void**) {
  sim::MemoryFileSystem files;
  assert_true(files.make_directory("/d").ok());
  const auto meta = [&](const char* text) {
    assert_true(replace_file(files, "/d/meta.properties", text).ok());
    return read_meta_properties(files, "/d");
  };
  auto read = meta("#\n#Mon Nov 23 14:30:09 UTC 2026\nnode.id=1\ndirectory.id=AIOIRbijSPaxUYEvDdVo4A\nversion=1\ncluster.id = x y\n");
  assert_true(read.ok() && (*read)->node_id == 1 && (*read)->cluster_id == "x y");
  assert_false(meta("version=0\nbroker.id=1\ncluster.id=x\n").ok());
  assert_false(meta("cluster.id=x\n").ok());
  assert_false(meta("version=1\nnode.id=one\n").ok());
  assert_false(meta("version=1\ndirectory.id=short\n").ok());
}

// Kill or power cut between any two operations: the old file or the new one, never another.
void replacing_a_file_is_all_or_nothing(void**) {
  for (uint64_t seed = 1; seed < 200; ++seed) {
    Random random{seed};
    sim::MemoryFileSystem files;
    assert_true(files.make_directory("/d").ok());
    assert_true(files.sync_directory("/").ok());
    assert_true(replace_file(files, "/d/f", "old old old").ok());
    uint64_t left = 1 + random.below(6);
    files.on_operation([&](const char*, const std::string&) {
      if (--left == 0) files.stop();
    });
    const bool done = replace_file(files, "/d/f", "new").ok();
    files.on_operation(nullptr);
    files.crash(random);
    const std::string content = *read_small_file(files, "/d/f");
    assert_true(content == "new" || (!done && content == "old old old"));
  }
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {
      cmocka_unit_test(offsets_are_written_as_kafka_writes_them), cmocka_unit_test(a_torn_checkpoint_is_refused),
      cmocka_unit_test(epochs_come_back),                         cmocka_unit_test(a_directory_names_its_partition),
      cmocka_unit_test(the_files_of_a_directory_are_kafkas),      cmocka_unit_test(properties_as_java_leaves_them),
      cmocka_unit_test(replacing_a_file_is_all_or_nothing),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
