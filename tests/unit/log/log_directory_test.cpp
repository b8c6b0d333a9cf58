// A data directory: whose it is, what lies in it, how it is left and found again.
#include "broker/log/log_directory.hpp"

#include <limits>

#include "tests/unit/log/support.hpp"
#include "tests/unit/cmocka.hpp"

using namespace kq;
using namespace kq::log;
using namespace kq::test;

namespace {

const MetaProperties ours{.cluster_id = "aUbavhuUTOe6jCkJOEVuEg", .node_id = 1, .directory_id = Uuid{}, .others = {}};

struct Bed {
  Bed() { KQ_CHECK(files.make_directory("/data").ok() && files.sync_directory("/").ok()); }
  // Like a broker that starts.
  Status open() {
    directory.reset();
    auto opened = LogDirectory::open({cache, quiet_logger()}, {.path = "/data", .producer_expiration_ms = INT64_MAX});
    if (!opened) return std::move(opened.error());
    directory = std::move(*opened);
    return directory->formatted() ? Status{} : directory->format(ours);
  }
  std::shared_ptr<Log> log(const std::string& topic, const Uuid& id) {
    auto opened = directory->open_log({topic, 0}, id, config, 1000);
    if (!opened) throw BrokenInvariant(opened.error().message());
    return *opened;
  }
  void append(Log& to, int records = 1) {
    Memory batch = make_batch({.records = records});
    auto appended = to.append_as_leader(batch, 0, 1000);
    KQ_CHECK(appended.ok() && appended->code == Code::none);
  }
  void write(const std::string& name, const std::string& content) { KQ_CHECK(replace_file(files, "/data/" + name, content).ok()); }

  int64_t directories() {
    auto entries = files.list("/data");
    return std::count_if(entries->begin(), entries->end(), [](const auto& entry) { return entry.is_directory; });
  }

  sim::MemoryFileSystem files;
  FileCache cache{files, 100};
  LogConfig config{.segment_bytes = 500, .segment_index_bytes = 1000, .file_delete_delay_ms = 60'000};
  std::unique_ptr<LogDirectory> directory;
  Uuid id = Uuid::random();
};

void an_empty_directory_is_formatted_and_known_again(void**) {
  Bed bed;
  assert_true(bed.open().ok());
  assert_true(bed.directory->check_owner(ours.cluster_id, 1).ok());
  assert_true(bed.directory->close(5).ok());
  assert_true(bed.open().ok());
  assert_true(bed.directory->formatted());
  assert_int_equal(bed.directory->clean_shutdown()->broker_epoch, 5);
  assert_false(bed.files.exists("/data/.kafka_cleanshutdown"));            // a crash now is one
}

void what_is_not_a_brokers_is_refused_with_cause_and_cure(void**) {
  Bed bed;
  bed.write("holiday.jpg", "x");
  const Status opened = bed.open();
  assert_false(opened.ok());
  assert_non_null(std::strstr(opened.error().message().c_str(), "holiday.jpg"));
  assert_non_null(std::strstr(opened.error().message().c_str(), "choose an empty"));
}

void partitions_without_meta_properties_are_refused_but_not_an_interrupted_format(void**) {
  Bed bed;
  bed.write("bootstrap.checkpoint", "x");
  assert_true(bed.files.make_directory("/data/__cluster_metadata-0").ok());
  assert_true(bed.open().ok());
  Bed other;
  assert_true(other.files.make_directory("/data/t-0").ok());
  assert_false(other.open().ok());
}

void another_cluster_or_node_is_refused(void**) {
  Bed bed;
  assert_true(bed.open().ok());
  const Status cluster = bed.directory->check_owner("another", 1);
  assert_non_null(std::strstr(cluster.error().message().c_str(), "belongs to cluster aUbavhuUTOe6jCkJOEVuEg"));
  const Status node = bed.directory->check_owner(ours.cluster_id, 2);
  assert_non_null(std::strstr(node.error().message().c_str(), "node.id=1"));
}

void a_second_broker_is_kept_out(void**) {
  Bed bed;
  assert_true(bed.open().ok());
  auto second = LogDirectory::open({bed.cache, quiet_logger()}, {.path = "/data"});
  assert_false(second.ok());
}

void logs_are_made_found_and_continued(void**) {
  Bed bed;
  assert_true(bed.open().ok());
  const auto log = bed.log("t", bed.id);
  assert_true(bed.log("t", bed.id) == log);
  bed.append(*log, 3);
  log->set_high_watermark(2);
  assert_true(bed.directory->close(1).ok());
  assert_true(bed.open().ok());
  assert_int_equal(bed.directory->partitions().size(), 1);
  assert_true(**bed.directory->topic_id({"t", 0}) == bed.id);
  assert_int_equal(*bed.directory->checkpointed_high_watermark({"t", 0}), 2);
  assert_int_equal(bed.log("t", bed.id)->end_offset(), 3);
  assert_int_equal(bed.log("t", bed.id)->high_watermark(), 2);
}

void a_start_reads_names_and_no_logs(void**) {
  Bed bed;
  assert_true(bed.open().ok());
  for (int i = 0; i < 50; ++i) bed.append(*bed.log("t" + std::to_string(i), bed.id));
  assert_true(bed.directory->close(1).ok());
  bed.directory.reset();
  const size_t opened_before = bed.cache.open_count();
  assert_true(bed.open().ok());
  assert_int_equal(bed.directory->partitions().size(), 50);
  assert_int_equal(bed.cache.open_count(), opened_before);
  const uint64_t operations = bed.files.operations();
  assert_int_equal(bed.log("t7", bed.id)->end_offset(), 1);
  assert_int_equal(bed.files.operations(), operations);                    // and opening one after a clean stop changes nothing
}

void a_log_that_nobody_opened_keeps_its_checkpoints(void**) {
  Bed bed;
  assert_true(bed.open().ok());
  bed.append(*bed.log("a", bed.id), 4);
  bed.append(*bed.log("b", bed.id), 5);
  assert_true(bed.directory->close(1).ok());
  assert_true(bed.open().ok());
  bed.append(*bed.log("b", bed.id), 5);
  assert_true(bed.directory->close(1).ok());
  auto points = read_offsets(bed.files, "/data/recovery-point-offset-checkpoint");
  assert_true((*points == OffsetCheckpoint{{{"a", 0}, 4}, {{"b", 0}, 10}}));
}

void after_a_crash_a_stop_is_clean_only_once_every_log_was_opened(void**) {
  Bed bed;
  assert_true(bed.open().ok());
  bed.append(*bed.log("a", bed.id));
  bed.append(*bed.log("b", bed.id));
  bed.directory.reset();
  bed.files.restart();
  assert_true(bed.open().ok());
  assert_false(bed.directory->clean_shutdown().has_value());
  assert_int_equal(bed.log("a", bed.id)->end_offset(), 1);
  assert_true(bed.directory->close(1).ok());
  assert_false(bed.files.exists("/data/.kafka_cleanshutdown"));
  assert_true(bed.open().ok());
  (void)bed.log("a", bed.id);
  (void)bed.log("b", bed.id);
  assert_true(bed.directory->close(1).ok());
  assert_true(bed.files.exists("/data/.kafka_cleanshutdown"));
}

void a_log_is_made_without_a_sync_and_opened_when_it_is_wanted(void**) {
  Bed bed;
  assert_true(bed.open().ok());
  assert_true(bed.directory->make_log({"t", 0}, bed.id).ok());
  assert_true(bed.files.exists("/data/t-0/00000000000000000000.log"));
  assert_true(*bed.directory->topic_id({"t", 0}) == bed.id);
  assert_true(bed.directory->logs().empty());
  bed.append(*bed.log("t", bed.id));
  assert_true(bed.directory->make_log({"t", 0}, Uuid::random()).ok());      // it is there: nothing changes
  assert_true(*bed.directory->topic_id({"t", 0}) == bed.id);
  assert_true(bed.directory->close(1).ok());
  assert_true(bed.open().ok());
  assert_int_equal(bed.log("t", bed.id)->end_offset(), 1);
}

void what_was_never_written_need_not_be_opened_for_a_clean_stop(void**) {
  Bed bed;
  assert_true(bed.open().ok());
  assert_true(bed.directory->make_log({"made", 0}, bed.id).ok());
  bed.append(*bed.log("written", bed.id));
  bed.directory.reset();
  bed.files.restart();
  assert_true(bed.open().ok());
  assert_true(bed.directory->holds_nothing({"made", 0}));
  assert_false(bed.directory->holds_nothing({"written", 0}));
  (void)bed.log("written", bed.id);
  assert_true(bed.directory->close(1).ok());
  assert_true(bed.files.exists("/data/.kafka_cleanshutdown"));
}

// The power goes before anything was synced: the directory may be there, and its file empty.
void a_new_partition_whose_topic_id_was_lost_gets_it_again(void**) {
  Bed bed;
  assert_true(bed.open().ok());
  assert_true(bed.files.make_directory("/data/t-0").ok());
  assert_true(write_synced_file(bed.files, "/data/t-0/partition.metadata", "").ok());
  assert_true(bed.open().ok());
  bed.append(*bed.log("t", bed.id));
  assert_true(*bed.directory->topic_id({"t", 0}) == bed.id);
}

void the_first_sync_of_a_log_takes_its_topic_id_along(void**) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    Bed bed;
    Random random(seed);
    assert_true(bed.open().ok());
    const auto log = bed.log("t", bed.id);
    bed.append(*log);
    const auto work = log->prepare_flush(FlushKind::data);
    Status outcome = work->run();
    log->flushed(*work, outcome);
    bed.directory.reset();
    bed.files.crash(random);
    assert_true(bed.open().ok());
    assert_true(*bed.directory->topic_id({"t", 0}) == bed.id);
    assert_int_equal(bed.log("t", bed.id)->end_offset(), 1);
  }
}

void the_metadata_log_is_not_checkpointed_and_read_as_a_whole(void**) {
  Bed bed;
  assert_true(bed.open().ok());
  bed.append(*bed.log("__cluster_metadata", metadata_topic_id), 3);
  assert_true(bed.directory->close(1).ok());
  for (const char* file : {checkpoint_file::recovery_point, checkpoint_file::high_watermark, checkpoint_file::log_start})
    assert_string_equal(read_small_file(bed.files, std::string("/data/") + file)->c_str(), "0\n0\n");
  assert_true(bed.open().ok());
  assert_int_equal(bed.log("__cluster_metadata", metadata_topic_id)->end_offset(), 3);
}

void a_deleted_log_is_gone_at_once_and_from_the_disk_later(void**) {
  Bed bed;
  assert_true(bed.open().ok());
  const auto log = bed.log("t", bed.id);
  bed.append(*log);
  auto read = log->read({.offset = 0, .bytes_max = 1000, .upper_offset = 1});
  assert_true(bed.directory->delete_log({"t", 0}, 5000).ok());
  assert_true(bed.directory->partitions().empty());
  assert_false(bed.files.exists("/data/t-0"));
  assert_int_equal(read_slice(read->slice).size(), read->slice.length);    // a slice outlives it
  assert_true(bed.directory->due_removals(4999).empty());
  for (const auto& job : bed.directory->due_removals(5000)) job();
  assert_int_equal(bed.directories(), 0);
  assert_int_equal(bed.log("t", Uuid::random())->end_offset(), 0);         // a new topic of that name begins empty
}

void a_sync_that_meets_a_deletion_saves_nothing_under_the_old_name(void**) {
  Bed bed;
  assert_true(bed.open().ok());
  const auto log = bed.log("t", bed.id);
  bed.append(*log);
  auto work = log->prepare_flush(FlushKind::recovery_point);
  assert_true(bed.directory->delete_log({"t", 0}, 5000).ok());
  const Uuid next = Uuid::random();
  assert_true(bed.directory->make_log({"t", 0}, next).ok());
  assert_true(work->run().ok());
  assert_false(bed.files.exists("/data/t-0/leader-epoch-checkpoint"));
  assert_false(bed.files.exists("/data/t-0/00000000000000000001.snapshot"));
  assert_int_equal(bed.log("t", next)->end_offset(), 0);
}

void a_deletion_that_a_crash_cut_short_is_finished_by_the_next_start(void**) {
  Bed bed;
  assert_true(bed.open().ok());
  bed.append(*bed.log("t", bed.id));
  assert_true(bed.directory->delete_log({"t", 0}, 5000).ok());
  bed.directory.reset();
  bed.files.restart();
  assert_true(bed.open().ok());
  assert_true(bed.directory->partitions().empty());
  for (const auto& job : bed.directory->due_removals(0)) job();
  assert_int_equal(bed.directories(), 0);
}

void a_directory_of_another_topic_id_is_a_stray(void**) {
  Bed bed;
  assert_true(bed.open().ok());
  bed.append(*bed.log("t", bed.id));
  assert_true(bed.directory->close(1).ok());
  assert_true(bed.open().ok());
  auto opened = bed.directory->open_log({"t", 0}, Uuid::random(), bed.config, 0);
  assert_false(opened.ok());
  assert_int_equal(opened.error().code(), own_code::data);
  const auto stray = bed.directory->set_aside({"t", 0});
  assert_true(stray.ok() && stray->ends_with("-stray"));
  assert_int_equal(bed.log("t", Uuid::random())->end_offset(), 0);
  assert_true(bed.directory->close(1).ok());
  assert_true(bed.open().ok());
  for (const auto& job : bed.directory->due_removals(std::numeric_limits<int64_t>::max())) job();
  assert_true(bed.files.exists(*stray));
}

// What the checkpoint says is trusted after a crash; so it has to fall before anything else is written below it.
void truncating_lowers_the_recovery_point_on_disk_first(void**) {
  Bed bed;
  assert_true(bed.open().ok());
  const auto log = bed.log("t", bed.id);
  for (int i = 0; i < 20; ++i) bed.append(*log, 2);
  auto work = log->prepare_flush(FlushKind::recovery_point);
  Status outcome = work->run();
  log->flushed(*work, outcome);
  assert_true(bed.directory->write_recovery_points().ok());
  bool seen = false;
  bed.files.on_operation([&](const char* operation, const std::string& path) {
    if (std::string_view(operation) != "truncate" || path.find("/data/t-0/") != 0 || seen || path.find("cut") != std::string::npos) return;
    seen = true;
    const TopicPartition name{"t", 0};
    assert_int_equal(read_offsets(bed.files, "/data/recovery-point-offset-checkpoint")->at(name), 30);
  });
  assert_true(bed.directory->truncate(*log, 31, 1000).ok());
  assert_true(seen);
  assert_int_equal(log->end_offset(), 30);
}

void starts_above_the_first_segment_are_checkpointed(void**) {
  Bed bed;
  assert_true(bed.open().ok());
  const auto raised = bed.log("raised", bed.id), whole = bed.log("whole", bed.id);
  for (int i = 0; i < 20; ++i) bed.append(*raised), bed.append(*whole);
  assert_true(raised->raise_start(7, 1000).ok());
  bed.directory->remove_later(raised->take_removals());
  assert_true(bed.directory->write_log_starts().ok());
  assert_true((*read_offsets(bed.files, "/data/log-start-offset-checkpoint") == OffsetCheckpoint{{{"raised", 0}, 7}}));
  assert_true(bed.directory->due_removals(60'000).empty());
  assert_true(bed.directory->due_removals(61'000).size() >= 3);
  bed.directory.reset();
  bed.files.restart();
  assert_true(bed.open().ok());
  assert_int_equal(bed.log("raised", bed.id)->start_offset(), 7);
  assert_int_equal(bed.log("whole", bed.id)->start_offset(), 0);
}

void an_offline_directory_writes_nothing_more(void**) {
  Bed bed;
  assert_true(bed.open().ok());
  (void)bed.log("t", bed.id);
  bed.directory->set_offline({own_code::system, "the disk is gone"});
  assert_true(bed.directory->offline());
  assert_false(bed.directory->write_recovery_points().ok());
  assert_false(bed.directory->open_log({"u", 0}, bed.id, bed.config, 0).ok());
  assert_false(bed.directory->close(1).ok());
  assert_false(bed.files.exists("/data/.kafka_cleanshutdown"));
}

void sizes_are_told_of_logs_whether_they_are_open_or_not(void**) {
  Bed bed;
  assert_true(bed.open().ok());
  for (int i = 0; i < 8; ++i) bed.append(*bed.log("many", bed.id), 3);     // several segments
  bed.append(*bed.log("one", bed.id));
  assert_true(bed.directory->make_log({"made", 0}, bed.id).ok());
  const auto open = bed.directory->sizes();
  assert_int_equal(open.size(), 3);
  assert_int_equal(open.at({"many", 0}), bed.log("many", bed.id)->size());
  assert_true(open.at({"many", 0}) > open.at({"one", 0}) && open.at({"one", 0}) > 0);
  assert_int_equal(open.at({"made", 0}), 0);
  assert_true(bed.directory->close(1).ok());
  assert_true(bed.open().ok());
  assert_true(bed.directory->sizes() == open && bed.directory->logs().empty());
}

void a_damaged_checkpoint_costs_a_look_at_the_logs_and_no_more(void**) {
  Bed bed;
  assert_true(bed.open().ok());
  bed.append(*bed.log("t", bed.id), 3);
  assert_true(bed.directory->close(1).ok());
  bed.write("recovery-point-offset-checkpoint", "0\n7\ngarbage");
  bed.write("t-0/leader-epoch-checkpoint", "?");
  assert_true(bed.open().ok());
  assert_int_equal(bed.log("t", bed.id)->end_offset(), 3);
  assert_int_equal(*bed.log("t", bed.id)->epochs().latest(), 0);
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {
      cmocka_unit_test(an_empty_directory_is_formatted_and_known_again),
      cmocka_unit_test(what_is_not_a_brokers_is_refused_with_cause_and_cure),
      cmocka_unit_test(partitions_without_meta_properties_are_refused_but_not_an_interrupted_format),
      cmocka_unit_test(another_cluster_or_node_is_refused),
      cmocka_unit_test(a_second_broker_is_kept_out),
      cmocka_unit_test(logs_are_made_found_and_continued),
      cmocka_unit_test(a_start_reads_names_and_no_logs),
      cmocka_unit_test(a_log_that_nobody_opened_keeps_its_checkpoints),
      cmocka_unit_test(after_a_crash_a_stop_is_clean_only_once_every_log_was_opened),
      cmocka_unit_test(a_log_is_made_without_a_sync_and_opened_when_it_is_wanted),
      cmocka_unit_test(what_was_never_written_need_not_be_opened_for_a_clean_stop),
      cmocka_unit_test(a_new_partition_whose_topic_id_was_lost_gets_it_again),
      cmocka_unit_test(the_first_sync_of_a_log_takes_its_topic_id_along),
      cmocka_unit_test(the_metadata_log_is_not_checkpointed_and_read_as_a_whole),
      cmocka_unit_test(a_deleted_log_is_gone_at_once_and_from_the_disk_later),
      cmocka_unit_test(a_sync_that_meets_a_deletion_saves_nothing_under_the_old_name),
      cmocka_unit_test(a_deletion_that_a_crash_cut_short_is_finished_by_the_next_start),
      cmocka_unit_test(a_directory_of_another_topic_id_is_a_stray),
      cmocka_unit_test(truncating_lowers_the_recovery_point_on_disk_first),
      cmocka_unit_test(starts_above_the_first_segment_are_checkpointed),
      cmocka_unit_test(an_offline_directory_writes_nothing_more),
      cmocka_unit_test(sizes_are_told_of_logs_whether_they_are_open_or_not),
      cmocka_unit_test(a_damaged_checkpoint_costs_a_look_at_the_logs_and_no_more),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
