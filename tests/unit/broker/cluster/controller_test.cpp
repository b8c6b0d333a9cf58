#include <filesystem>
#include <fstream>
#include <iterator>

#include "broker/cluster/quorum_state.hpp"
#include "broker/cluster/snapshot.hpp"
#include "tests/sim/memory_file_system.hpp"
#include "tests/unit/broker/cluster/node.hpp"
#include "tests/unit/cmocka.hpp"
#include "tests/vectors.hpp"

using namespace kq;
using namespace kq::broker;
using sim::MemoryFileSystem;

namespace {

CreateTopicsRequest create(std::string_view name, int32_t partitions = 1,
                           std::vector<std::pair<std::string_view, std::string_view>> configs = {}) {
  CreateTopicsRequest request;
  auto& topic = request.topics.emplace_back();
  topic.name = name;
  topic.num_partitions = partitions;
  topic.replication_factor = 1;
  for (const auto& [key, value] : configs) {
    auto& config = topic.configs.emplace_back();
    config.name = key;
    config.value = value;
  }
  return request;
}

DeleteTopicsRequest removal(std::string_view name) {
  DeleteTopicsRequest request;
  request.topics.emplace_back().name = name;
  return request;
}

Code created(Node& node, std::string_view name, int32_t partitions = 1) {
  return node.ask(create(name, partitions)).topics.at(0).error_code;
}

std::string read_disk(MemoryFileSystem& disk, const std::string& path) {
  auto text = log::read_small_file(disk, path);
  return text ? *text : "";
}

std::string read_real(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

struct Snapshot {
  cluster::SnapshotHead head;
  std::vector<std::string> records;
};

Snapshot parse(const std::string& file) {
  Snapshot out;
  auto head = cluster::read_snapshot(as_bytes(file), [&](Bytes record) {
    out.records.emplace_back(as_text(record));
    return Status{};
  });
  KQ_CHECK(head.ok());
  out.head = *head;
  return out;
}

// The data directory that Kafka left, put on the disk in memory; of the logs, the metadata's alone.
void put_kafkas_directory(MemoryFileSystem& disk, const std::string& to) {
  const std::filesystem::path from = vectors_path("logs/clean");
  KQ_CHECK(disk.make_directory(to + "/__cluster_metadata-0").ok());
  const auto put = [&](const std::filesystem::path& file, const std::string& path) {
    const std::string content = read_real(file.string());
    const auto opened = disk.open(path, log::OpenMode::create);
    const Bytes pieces[] = {as_bytes(content)};
    KQ_CHECK((*opened)->write_at(0, pieces).ok() && (*opened)->sync().ok());
  };
  for (const char* directory : {"", "__cluster_metadata-0"})
    for (const auto& entry : std::filesystem::directory_iterator(from / directory))
      if (entry.is_regular_file())
        put(entry.path(), to + "/" + (*directory ? std::string(directory) + "/" : "") + entry.path().filename().string());
  KQ_CHECK(disk.sync_directory(to).ok() && disk.sync_directory(to + "/__cluster_metadata-0").ok());
}

int32_t leader_epoch(Node& node, std::string_view topic) { return node.image()->topic(topic)->partition(0)->leader_epoch; }

}  // namespace

static void format_leaves_what_kafkas_tool_leaves(void**) {
  MemoryFileSystem disk;
  Node node(disk);
  assert_true(node.start().ok());
  const Snapshot ours = parse(read_disk(disk, "/data/bootstrap.checkpoint"));
  const Snapshot kafkas = parse(read_real(vectors_path("logs/clean/bootstrap.checkpoint")));
  assert_true(ours.records == kafkas.records);
  assert_false(ours.head.quorum.has_value());
  assert_int_equal(read_disk(disk, "/data/bootstrap.checkpoint").size(), read_real(vectors_path("logs/clean/bootstrap.checkpoint")).size());

  const std::string name = "__cluster_metadata-0/00000000000000000000-0000000000.checkpoint";
  const Snapshot first = parse(read_disk(disk, "/data/" + name));
  const Snapshot kafkas_first = parse(read_real(vectors_path("logs/clean/" + name)));
  assert_true(first.records.empty() && kafkas_first.records.empty());
  assert_int_equal(first.head.quorum->kraft_version, kafkas_first.head.quorum->kraft_version);
  assert_int_equal(first.head.quorum->voters.size(), 1);
  assert_int_equal(first.head.quorum->voters[0].id, 1);
  assert_true(first.head.quorum->voters[0].directory_id == node.directory().meta()->directory_id);
  assert_string_equal(first.head.quorum->voters[0].endpoints[0].name.c_str(), "CONTROLLER");
  assert_int_equal(first.head.quorum->voters[0].kraft_version.max, 1);
  assert_string_equal(node.directory().meta()->cluster_id.c_str(), node.cluster_id().c_str());
}

static void the_first_start_registers_the_node_and_unfences_it(void**) {
  MemoryFileSystem disk;
  Node node(disk);
  assert_true(node.start().ok());
  const auto image = node.image();
  assert_int_equal(image->feature("metadata.version"), 29);
  assert_int_equal(image->kraft_version, 1);
  assert_int_equal(image->controllers.size(), 1);
  const auto* self = image->broker(1);
  assert_non_null(self);
  assert_false(self->fenced);
  assert_int_equal(self->epoch, 13);                     // as Kafka's own first start has it, record for record
  assert_int_equal(image->offset, 14);
  assert_int_equal(self->endpoint("PLAINTEXT")->port, 9092);
  assert_string_equal(image->config(cluster::ResourceType::broker, "").at("min.insync.replicas").c_str(), "1");
  const auto state = cluster::read_quorum_state(disk, "/data/__cluster_metadata-0");
  assert_int_equal((*state)->leader_id, 1);
  assert_int_equal((*state)->leader_epoch, 1);
  assert_string_equal(read_disk(disk, "/data/__cluster_metadata-0/quorum-state").c_str(),
                      "{\"leaderId\":1,\"leaderEpoch\":1,\"votedId\":-1,\"votedDirectoryId\":\"AAAAAAAAAAAAAAAAAAAAAA\",\"data_version\":1}");
}

static void a_created_topic_is_published_before_it_is_answered(void**) {
  MemoryFileSystem disk;
  Node node(disk);
  assert_true(node.start().ok());
  const auto response = node.ask(create("t", 3, {{"retention.ms", "77"}}));
  const auto& topic = response.topics.at(0);
  assert_int_equal(static_cast<int>(topic.error_code), 0);
  assert_int_equal(topic.num_partitions, 3);
  assert_int_equal(topic.configs->size(), 33);
  assert_true(node.image()->topic("t")->id == topic.topic_id);
  assert_int_equal(node.image()->topic("t")->partition(2)->leader, 1);
  assert_true(node.image()->topic("t")->partition(2)->directories.at(0) == node.directory().meta()->directory_id);
  assert_int_equal(node.deltas().size(), 1);
  assert_int_equal(node.deltas()[0].topics.size(), 1);
  const int64_t before = node.image()->offset;
  auto validated = create("u");
  validated.validate_only = true;
  assert_int_equal(static_cast<int>(node.ask(validated).topics.at(0).error_code), 0);
  assert_int_equal(node.image()->offset, before);
}

static void topics_outlive_a_stop_and_a_crash(void**) {
  MemoryFileSystem disk;
  {
    Node node(disk);
    assert_true(node.start().ok());
    assert_int_equal(static_cast<int>(created(node, "kept", 2)), 0);
    assert_int_equal(static_cast<int>(created(node, "gone")), 0);
    assert_int_equal(static_cast<int>(node.ask(removal("gone")).responses.at(0).error_code), 0);
    assert_true(node.stop().ok());
  }
  disk.restart();
  {
    Node node(disk);
    assert_true(node.start().ok());
    assert_int_equal(node.image()->topics.size(), 1);
    assert_int_equal(leader_epoch(node, "kept"), 0);         // left cleanly: nothing can be missing
    assert_int_equal(node.image()->epoch, 2);
  }
  Random random(3);
  disk.crash(random);
  Node node(disk);
  assert_true(node.start().ok());
  assert_int_equal(node.image()->topic("kept")->partitions.size(), 2);
  assert_int_equal(leader_epoch(node, "kept"), 1);           // what the crash took may have been read
  assert_int_equal(node.image()->epoch, 3);
}

static void what_was_answered_is_there_after_a_power_cut_at_any_moment(void**) {
  for (uint64_t cut = 1; cut < 40; ++cut) {
    MemoryFileSystem disk;
    {
      Node node(disk);
      assert_true(node.start().ok());
      assert_true(node.stop().ok());
    }
    disk.restart();
    bool first = false, second = false;
    {
      Node node(disk);
      const uint64_t until = disk.operations() + cut;
      disk.on_operation([&](const char*, const std::string&) {
        if (disk.operations() >= until) disk.stop();
      });
      if (node.start().ok()) {
        first = created(node, "first") == Code::none;
        second = created(node, "second") == Code::none;
      }
    }
    disk.on_operation({});
    Random random(cut);
    disk.crash(random);
    Node node(disk);
    const Status started = node.start();
    if (!started) fail_msg("cut %d: %s", static_cast<int>(cut), started.error().message().c_str());
    if (first) assert_non_null(node.image()->topic("first"));
    if (second) assert_non_null(node.image()->topic("second"));
    assert_int_equal(static_cast<int>(created(node, "third")), 0);
  }
}

static void a_directory_of_kafkas_is_taken_over(void**) {
  MemoryFileSystem disk;
  put_kafkas_directory(disk, "/data");
  Node node(disk);
  const Status started = node.start();
  if (!started) fail_msg("%s", started.error().message().c_str());
  const auto image = node.image();
  assert_string_equal(node.cluster_id().c_str(), "aUbavhuUTOe6jCkJOEVuEg");
  assert_int_equal(image->epoch, 3);
  const cluster::PartitionImage& partition = *image->topic("group-input")->partition(3);
  assert_int_equal(partition.leader, 1);
  assert_int_equal(partition.isr.size(), 1);
  assert_true(partition.eligible_leader_replicas.empty() && partition.last_known_elr.empty());
  assert_false(image->broker(1)->fenced);
  assert_int_equal(image->broker(1)->log_dirs.size(), 1);
  assert_int_equal(image->next_producer_id, 2000);
  assert_int_equal(static_cast<int>(node.ask(removal("plain")).responses.at(0).error_code), 0);
  assert_true(node.stop().ok());
}

static void producer_ids_are_never_given_twice(void**) {
  MemoryFileSystem disk;
  {
    Node node(disk);
    assert_true(node.start().ok());
    assert_int_equal(node.allocate_producer_ids()->first, 0);
    assert_int_equal(node.allocate_producer_ids()->first, 1000);
  }
  Random random(1);
  disk.crash(random);
  Node node(disk);
  assert_true(node.start().ok());
  const auto block = node.allocate_producer_ids();
  assert_int_equal(block->first, 2000);
  assert_int_equal(block->count, 1000);
}

static void snapshots_take_the_place_of_the_log_that_they_cover(void**) {
  MemoryFileSystem disk;
  const Settings small{{"log.dirs", "/data"},
                       {"metadata.log.max.record.bytes.between.snapshots", "4000"},
                       {"metadata.max.retention.bytes", "9000"}};
  std::string names[60];
  int64_t start = 0;
  {
    Node node(disk, small);
    assert_true(node.start().ok());
    for (int i = 0; i < 60; ++i) {
      names[i] = "topic-" + std::to_string(i);
      assert_int_equal(static_cast<int>(node.ask(create(names[i], 2, {{"retention.ms", "5"}})).topics[0].error_code), 0);
      if (i % 3 == 0) assert_int_equal(static_cast<int>(node.ask(removal(names[i])).responses[0].error_code), 0);
    }
    assert_true(node.stop().ok());
  }
  const auto entries = disk.list("/data/__cluster_metadata-0");
  size_t snapshots = 0;
  for (const auto& entry : *entries) {
    if (const auto id = cluster::SnapshotId::parse(entry.name)) {
      if (snapshots++ == 0) start = id->end_offset;
    }
  }
  assert_true(snapshots >= 1);
  assert_true(start > 0);                                    // the log does not go back to its beginning any more
  disk.restart();
  Node node(disk, small);
  const Status started = node.start();
  if (!started) fail_msg("%s", started.error().message().c_str());
  assert_int_equal(node.image()->topics.size(), 40);
  assert_null(node.image()->topic("topic-0"));
  assert_int_equal(node.image()->topic("topic-1")->partitions.size(), 2);
  assert_string_equal(node.image()->config(cluster::ResourceType::topic, "topic-59").at("retention.ms").c_str(), "5");
  assert_int_equal(node.image()->kraft_version, 1);
}

static void a_disk_that_fails_takes_the_metadata_offline(void**) {
  MemoryFileSystem disk;
  Node node(disk);
  assert_true(node.start().ok());
  assert_int_equal(static_cast<int>(created(node, "before")), 0);
  disk.on_operation([&](const char* operation, const std::string&) {
    if (std::string_view(operation) == "sync") disk.fail_operation(1);
  });
  assert_int_equal(static_cast<int>(created(node, "lost")), static_cast<int>(Code::kafka_storage_error));
  disk.on_operation({});
  assert_int_equal(static_cast<int>(created(node, "later")), static_cast<int>(Code::kafka_storage_error));
  assert_null(node.image()->topic("lost"));
  assert_true(node.directory().offline());
}

static void a_full_disk_refuses_and_recovers(void**) {
  MemoryFileSystem disk;
  Node node(disk);
  assert_true(node.start().ok());
  disk.set_capacity(0);
  assert_int_equal(static_cast<int>(created(node, "t")), static_cast<int>(Code::kafka_storage_error));
  disk.set_capacity(UINT64_MAX);
  assert_int_equal(static_cast<int>(created(node, "t")), 0);
}

static void other_directories_are_refused(void**) {
  MemoryFileSystem disk;
  {
    Node node(disk);
    assert_true(node.start().ok());
    assert_true(node.stop().ok());
  }
  disk.restart();
  Node other(disk, {{"node.id", "2"}});
  const Status refused = other.start();
  assert_false(refused.ok());
  MemoryFileSystem foreign;
  assert_true(foreign.make_directory("/data/somebody-elses").ok());
  Node stranger(foreign);
  assert_false(stranger.start().ok());
}

int main() {
  const CMUnitTest tests[] = {
      cmocka_unit_test(format_leaves_what_kafkas_tool_leaves),
      cmocka_unit_test(the_first_start_registers_the_node_and_unfences_it),
      cmocka_unit_test(a_created_topic_is_published_before_it_is_answered),
      cmocka_unit_test(topics_outlive_a_stop_and_a_crash),
      cmocka_unit_test(what_was_answered_is_there_after_a_power_cut_at_any_moment),
      cmocka_unit_test(a_directory_of_kafkas_is_taken_over),
      cmocka_unit_test(producer_ids_are_never_given_twice),
      cmocka_unit_test(snapshots_take_the_place_of_the_log_that_they_cover),
      cmocka_unit_test(a_disk_that_fails_takes_the_metadata_offline),
      cmocka_unit_test(a_full_disk_refuses_and_recovers),
      cmocka_unit_test(other_directories_are_refused),
  };
  return cmocka_run_group_tests_name("cluster.controller", tests, nullptr, nullptr);
}
