// The small text files of a data directory, in Kafka's forms (wire.md, 8), each replaced atomically.
#pragma once

#include <compare>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "broker/log/epoch_cache.hpp"
#include "broker/log/file.hpp"
#include "libkq/base/uuid.hpp"

namespace kq::log {

struct TopicPartition {
  std::string topic;
  int32_t partition = 0;
  auto operator<=>(const TopicPartition&) const = default;

  std::string directory_name() const { return topic + "-" + std::to_string(partition); }
  // Of `topic-partition`; nothing for names of another form.
  static std::optional<TopicPartition> parse(std::string_view directory_name);
};

// `topic partition offset`: recovery points, high watermarks, log starts, the cleaner's.
using OffsetCheckpoint = std::map<TopicPartition, int64_t>;

namespace checkpoint_file {
constexpr const char* recovery_point = "recovery-point-offset-checkpoint";
constexpr const char* high_watermark = "replication-offset-checkpoint";
constexpr const char* log_start = "log-start-offset-checkpoint";
constexpr const char* cleaner = "cleaner-offset-checkpoint";
constexpr const char* leader_epoch = "leader-epoch-checkpoint";
constexpr const char* partition_metadata = "partition.metadata";
constexpr const char* meta_properties = "meta.properties";
constexpr const char* clean_shutdown = ".kafka_cleanshutdown";
constexpr const char* lock = ".lock";
}  // namespace checkpoint_file

std::string format_offsets(const OffsetCheckpoint&);
Result<OffsetCheckpoint> parse_offsets(std::string_view text);
std::string format_epochs(const std::vector<EpochEntry>&);
Result<std::vector<EpochEntry>> parse_epochs(std::string_view text);

// An absent file reads as an empty one.
Result<OffsetCheckpoint> read_offsets(FileSystem&, const std::string& path);
Status write_offsets(FileSystem&, const std::string& path, const OffsetCheckpoint&);
Result<std::vector<EpochEntry>> read_epochs(FileSystem&, const std::string& path);

// partition.metadata; absent: nothing.
Result<std::optional<Uuid>> read_topic_id(FileSystem&, const std::string& partition_directory);
Status write_topic_id(FileSystem&, const std::string& partition_directory, const Uuid&);

// meta.properties.
struct MetaProperties {
  std::string cluster_id;                   // 22 characters as a rule, but any text
  int32_t node_id = -1;                     // -1: the file names none
  Uuid directory_id{};                      // zero: none
  std::map<std::string, std::string> others;   // kept as they are
};
Result<std::optional<MetaProperties>> read_meta_properties(FileSystem&, const std::string& data_directory);   // absent: nothing
Status write_meta_properties(FileSystem&, const std::string& data_directory, const MetaProperties&);

// .kafka_cleanshutdown: the broker epoch it was left with.
struct CleanShutdown {
  int64_t broker_epoch = -1;
};
Result<std::optional<CleanShutdown>> read_clean_shutdown(FileSystem&, const std::string& data_directory);
Status write_clean_shutdown(FileSystem&, const std::string& data_directory, const CleanShutdown&);
Status remove_clean_shutdown(FileSystem&, const std::string& data_directory);

}  // namespace kq::log
