// The data directories that Kafka 4.2 left: logs/clean after a clean stop, logs/unclean as a killed broker left it.
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "libkq/record/batch_reader.hpp"
#include "tests/unit/log/support.hpp"
#include "tests/unit/record/vectors.hpp"
#include "tests/vectors.hpp"
#include "tests/unit/cmocka.hpp"

using namespace kq;
using namespace kq::test;
namespace json = boost::json;
namespace fs = std::filesystem;

namespace {

// A copy that goes with the test.
class Copy {
 public:
  explicit Copy(const std::string& which) {
    std::string name = (fs::temp_directory_path() / "kq-log-XXXXXX").string();
    if (!mkdtemp(name.data())) std::abort();
    path_ = name;
    fs::copy(vectors_path("logs/" + which), path_, fs::copy_options::recursive);
    for (const auto& entry : fs::recursive_directory_iterator(path_)) {
      fs::permissions(entry.path(), fs::perms::owner_all, fs::perm_options::add);
    }
    fs::permissions(path_, fs::perms::owner_all, fs::perm_options::add);
  }
  ~Copy() { fs::remove_all(path_); }
  fs::path path() const { return path_; }

 private:
  fs::path path_;
};

struct Opened {
  explicit Opened(const Copy& copy) {
    auto opened = log::LogDirectory::open({cache, quiet_logger()}, {.path = copy.path().string(), .producer_expiration_ms = INT64_MAX});
    if (!opened) fail_msg("%s", opened.error().message().c_str());
    directory = std::move(*opened);
  }
  std::shared_ptr<log::Log> log(const log::TopicPartition& name) {
    auto id = directory->topic_id(name);
    if (!id || !*id) fail_msg("no topic id of %s", name.topic.c_str());
    auto opened = directory->open_log(name, **id, {.index_interval_bytes = interval}, now_ms);
    if (!opened) fail_msg("%s", opened.error().message().c_str());
    return *opened;
  }
  int64_t interval = 4096;
  int64_t now_ms = 1'795'444'300'000;            // soon after the vectors were made
  log::FileCache cache{log::real_file_system(), 100};
  std::unique_ptr<log::LogDirectory> directory;
};

// Kafka made these logs with other intervals of their indexes.
int64_t index_interval(const std::string& topic) { return topic == "sized" || topic.starts_with("__") ? 4096 : 100; }

json::object shown_record(const BatchView& batch, const RecordView& record) {
  json::object out{{"offset", record.offset},
                   {"timestamp", record.timestamp},
                   {"timestamp_type", batch.timestamp_type() == TimestampType::log_append ? "LogAppendTime" : "CreateTime"},
                   {"leader_epoch", batch.leader_epoch()}};
  const auto plain = [](Bytes bytes) -> json::value { return bytes.data() ? json::value(to_hex(bytes)) : json::value(nullptr); };
  out["key"] = plain(record.key);
  out["value"] = plain(record.value);
  json::array headers;
  for (const RecordHeader& header : record.headers) headers.push_back(json::array{header.key, plain(header.value)});
  if (!headers.empty()) out["headers"] = headers;
  return out;
}

// Long values stand in the vectors by length and check sum.
bool same_bytes(const json::value& expected, const json::value& got) {
  if (!expected.is_object()) return expected == got;
  return got.is_string() && shown(from_hex(got.as_string())) == expected;
}

bool same_record(const json::object& expected, const json::object& got) {
  if (expected.size() != got.size()) return false;
  for (const auto& [key, value] : expected) {
    const json::value* found = got.if_contains(key);
    if (!found) return false;
    if (key == "key" || key == "value" ? !same_bytes(value, *found) : !(json::serialize(value) == json::serialize(*found))) return false;
  }
  return true;
}

// What a consumer gets who reads `log` below `upper`, a fetch after another.
struct Consumed {
  std::vector<json::object> records;
  std::vector<int64_t> offsets;
};
Consumed consume(log::Log& log, int64_t upper, bool committed) {
  Consumed consumed;
  BatchReader reader;
  Block block;
  for (int64_t offset = log.start_offset(); offset < upper;) {
    auto read = log.read({.offset = offset, .bytes_max = 3000, .upper_offset = upper});
    assert_true(read.ok() && read->code == Code::none);
    if (read->slice.empty()) break;
    std::vector<log::AbortedTransaction> aborted;
    if (committed) {
      auto listed = log.aborted_transactions(offset, read->slice);
      assert_true(listed.ok());
      aborted = *listed;
      std::sort(aborted.begin(), aborted.end(), [](const auto& a, const auto& b) { return a.first_offset < b.first_offset; });
    }
    std::set<int64_t> gone;
    size_t next_aborted = 0;
    const Memory bytes = read_slice(read->slice);
    Bytes rest = bytes;
    BatchView batch;
    while (next_batch(rest, batch) == Step::batch) {
      while (next_aborted < aborted.size() && aborted[next_aborted].first_offset <= batch.last_offset())
        gone.insert(aborted[next_aborted++].producer_id);
      offset = batch.next_offset();
      assert_true(reader.open(batch, block).ok());
      if (batch.control()) {
        RecordView marker;
        if (reader.next(marker) && load_be<int16_t>(marker.key.data() + 2) == 0) gone.erase(batch.producer_id());
        continue;
      }
      if (committed && batch.transactional() && gone.contains(batch.producer_id())) continue;
      for (RecordView record; reader.next(record);) {
        if (record.offset < log.start_offset()) continue;
        consumed.records.push_back(shown_record(batch, record));
        consumed.offsets.push_back(record.offset);
      }
      assert_true(reader.status().ok());
    }
  }
  return consumed;
}

void serves_what_the_vectors_say(Opened& opened, const std::string& file) {
  size_t partitions = 0;
  for (const json::object& line : vectors(file)) {
    const log::TopicPartition name{std::string(line.at("topic").as_string()), static_cast<int32_t>(line.at("partition").as_int64())};
    opened.interval = index_interval(name.topic);
    const auto log = opened.log(name);
    assert_string_equal(opened.directory->topic_id(name)->value().text().c_str(), line.at("topic_id").as_string().c_str());
    const int64_t high_watermark = line.at("high_watermark").as_int64();
    log->set_high_watermark(log->end_offset());
    assert_int_equal(log->start_offset(), line.at("log_start_offset").as_int64());
    assert_int_equal(log->end_offset(), high_watermark);
    assert_int_equal(log->last_stable_offset(), line.at("last_stable_offset").as_int64());
    const Consumed all = consume(*log, log->high_watermark(), false);
    const auto& expected = line.at("records").as_array();
    if (all.records.size() != expected.size()) fail_msg("%s: %zu records, not %zu", name.directory_name().c_str(), all.records.size(), expected.size());
    for (size_t i = 0; i < expected.size(); ++i) {
      if (!same_record(expected[i].as_object(), all.records[i]))
        fail_msg("%s: %s\nnot %s", name.directory_name().c_str(), json::serialize(all.records[i]).c_str(), json::serialize(expected[i]).c_str());
      if (const auto epoch = log->epochs().epoch_at(all.offsets[i]); epoch)
        assert_int_equal(*epoch, expected[i].as_object().at("leader_epoch").as_int64());
    }
    const Consumed committed = consume(*log, log->last_stable_offset(), true);
    const auto& offsets = line.at("committed_offsets").as_array();
    assert_int_equal(committed.offsets.size(), offsets.size());
    for (size_t i = 0; i < offsets.size(); ++i) assert_int_equal(committed.offsets[i], offsets[i].as_int64());
    ++partitions;
  }
  assert_true(partitions > 2);
}

void a_directory_left_cleanly_serves_every_record(void**) {
  const Copy copy{"clean"};
  Opened opened{copy};
  assert_true(opened.directory->clean_shutdown().has_value());
  assert_int_equal(opened.directory->clean_shutdown()->broker_epoch, 108);
  assert_true(opened.directory->check_owner("aUbavhuUTOe6jCkJOEVuEg", 1).ok());
  for (const log::TopicPartition& name : opened.directory->partitions()) {
    if (name.topic.starts_with("__cluster")) continue;
    const auto checkpointed = opened.directory->checkpointed_high_watermark(name);
    assert_true(checkpointed.has_value());
    assert_int_equal(opened.log(name)->high_watermark(), *checkpointed);
  }
  serves_what_the_vectors_say(opened, "logs/records.jsonl");
}

void a_directory_left_by_a_kill_serves_every_record(void**) {
  const Copy copy{"unclean"};
  Opened opened{copy};
  assert_false(opened.directory->clean_shutdown().has_value());
  serves_what_the_vectors_say(opened, "logs/records-unclean.jsonl");
}

void a_directory_stopped_by_kq_is_read_again_and_read_the_same(void**) {
  for (const char* which : {"clean", "unclean"}) {
    const Copy copy{which};
    const std::string file = std::string(which) == "clean" ? "logs/records.jsonl" : "logs/records-unclean.jsonl";
    {
      Opened opened{copy};
      serves_what_the_vectors_say(opened, file);
      assert_true(opened.directory->close(109).ok());
    }
    Opened again{copy};
    assert_true(again.directory->clean_shutdown().has_value());
    assert_int_equal(again.directory->clean_shutdown()->broker_epoch, 109);
    serves_what_the_vectors_say(again, file);
  }
}

std::string content_of(const fs::path& path) {
  std::ifstream stream(path, std::ios::binary);
  std::stringstream content;
  content << stream.rdbuf();
  return content.str();
}

// Kafka's own indexes, entry by entry, of the logs whose interval is known.
void indexes_made_anew_are_kafkas(void**) {
  const Copy copy{"clean"};
  std::map<fs::path, std::string> kafkas;
  for (const auto& entry : fs::recursive_directory_iterator(copy.path())) {
    const std::string extension = entry.path().extension().string();
    if (extension != ".index" && extension != ".timeindex") continue;
    if (!entry.path().parent_path().filename().string().starts_with("sized")) continue;
    kafkas[entry.path()] = content_of(entry.path());
  }
  for (const auto& [path, content] : kafkas) fs::remove(path);
  Opened opened{copy};
  (void)opened.log({"sized", 0});
  assert_true(opened.directory->close(1).ok());
  assert_int_equal(kafkas.size(), 6);
  for (const auto& [path, content] : kafkas) {
    if (content_of(path) != content) fail_msg("%s is not as Kafka wrote it", path.c_str());
  }
}

// Recovery from the first offset on builds the index of aborted transactions and the producers' snapshots anew.
void what_recovery_makes_of_transactions_is_kafkas(void**) {
  const Copy copy{"clean"};
  std::map<fs::path, std::string> kafkas;
  fs::remove(copy.path() / ".kafka_cleanshutdown");
  fs::remove(copy.path() / "recovery-point-offset-checkpoint");
  for (const char* partition : {"transactions-0", "plain-0"}) {
    for (const auto& entry : fs::directory_iterator(copy.path() / partition)) {
      const std::string extension = entry.path().extension().string();
      if (extension != ".txnindex" && extension != ".snapshot") continue;
      kafkas[entry.path()] = content_of(entry.path());
      fs::remove(entry.path());
    }
  }
  Opened opened{copy};
  opened.interval = 100;
  (void)opened.log({"transactions", 0});
  (void)opened.log({"plain", 0});
  assert_true(opened.directory->close(1).ok());
  for (const auto& [path, content] : kafkas) {
    if (path.filename() == "00000000000000000041.snapshot") continue;            // from an earlier stop
    if (path.extension() == ".txnindex") {
      if (content_of(path) != content) fail_msg("%s is not as Kafka wrote it", path.c_str());
      continue;
    }
    auto expected = log::ProducerState::decode_snapshot(as_bytes(content));
    const std::string made = content_of(path);
    auto got = log::ProducerState::decode_snapshot(as_bytes(made));
    assert_true(expected.ok() && got.ok());
    const auto by_id = [](const log::Producer& a, const log::Producer& b) { return a.id < b.id; };
    std::sort(expected->begin(), expected->end(), by_id);
    std::sort(got->begin(), got->end(), by_id);
    assert_int_equal(expected->size(), got->size());
    for (size_t i = 0; i < got->size(); ++i) {
      const log::Producer &a = (*expected)[i], &b = (*got)[i];
      assert_int_equal(a.id, b.id);
      assert_int_equal(a.epoch, b.epoch);
      assert_int_equal(a.last_sequence(), b.last_sequence());
      assert_int_equal(a.last_offset(), b.last_offset());
      assert_int_equal(a.coordinator_epoch, b.coordinator_epoch);
      assert_int_equal(a.last_timestamp, b.last_timestamp);
      assert_int_equal(a.transaction_first_offset, b.transaction_first_offset);
    }
  }
}

// dump/clean has a line for each producer of each snapshot, as Kafka's own tool prints it.
void snapshots_are_read_as_kafkas_tool_reads_them(void**) {
  const auto number_after = [](const std::string& line, const std::string& key) -> std::optional<int64_t> {
    const size_t at = line.find(key + ": ");
    if (at == std::string::npos || !std::strchr("-0123456789", line[at + key.size() + 2])) return std::nullopt;
    return std::strtoll(line.c_str() + at + key.size() + 2, nullptr, 10);
  };
  size_t seen = 0;
  for (const char* partition : {"plain-0", "plain-1", "transactions-0", "rolled-0", "sized-0"}) {
    std::ifstream dump(vectors_path("logs/dump/clean/" + std::string(partition) + ".txt"));
    std::map<int64_t, log::Producer> producers;
    for (std::string line; std::getline(dump, line);) {
      if (line.starts_with("Dumping ")) {
        producers.clear();
        if (!line.ends_with(".snapshot")) continue;
        const std::string file = content_of(vectors_path("logs/clean/" + line.substr(8)));
        auto decoded = log::ProducerState::decode_snapshot(as_bytes(file));
        assert_true(decoded.ok());
        for (const log::Producer& producer : *decoded) producers[producer.id] = producer;
      } else if (line.starts_with("producerId: ")) {
        const auto found = producers.find(*number_after(line, "producerId"));
        assert_true(found != producers.end());
        const log::Producer& producer = found->second;
        assert_int_equal(producer.epoch, *number_after(line, "producerEpoch"));
        assert_int_equal(producer.coordinator_epoch, *number_after(line, "coordinatorEpoch"));
        assert_int_equal(producer.last_timestamp, *number_after(line, "lastTimestamp"));
        assert_int_equal(producer.last_sequence(), number_after(line, "lastSequence").value_or(-1));
        assert_int_equal(producer.last_offset(), number_after(line, "lastOffset").value_or(-1));
        if (producer.last_batch()) {
          assert_int_equal(producer.last_batch()->first_sequence(), *number_after(line, "firstSequence"));
          assert_int_equal(producer.last_batch()->offset_delta, *number_after(line, "offsetDelta"));
        }
        ++seen;
      }
    }
  }
  assert_true(seen > 20);
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {
      cmocka_unit_test(a_directory_left_cleanly_serves_every_record),
      cmocka_unit_test(a_directory_left_by_a_kill_serves_every_record),
      cmocka_unit_test(a_directory_stopped_by_kq_is_read_again_and_read_the_same),
      cmocka_unit_test(indexes_made_anew_are_kafkas),
      cmocka_unit_test(what_recovery_makes_of_transactions_is_kafkas),
      cmocka_unit_test(snapshots_are_read_as_kafkas_tool_reads_them),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
