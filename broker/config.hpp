// The configuration of a broker and of its topics: Kafka's keys, parsed and checked once.
#pragma once

#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "libkq/base/result.hpp"
#include "libkq/record/batch.hpp"

namespace kq::broker {

// What somebody wrote, by name: a properties file, then --set, the later over the earlier.
using Settings = std::map<std::string, std::string, std::less<>>;

// Java's properties syntax: `key=value`, `key: value` or `key value`, # and ! comments, \ before a line's end, \t \n \r \f \uXXXX.
Result<Settings> parse_properties(std::string_view text);

enum class SecurityProtocol : int16_t { plaintext = 0, ssl = 1, sasl_plaintext = 2, sasl_ssl = 3 };
const char* name_of(SecurityProtocol);

struct Listener {
  std::string name;                               // in capitals
  std::string host;                               // empty: every interface
  uint16_t port = 0;                              // 0: any that is free
  SecurityProtocol protocol = SecurityProtocol::plaintext;

  std::string text() const;                       // PLAINTEXT://127.0.0.1:9092
};

// When an acks=all answer waits for fdatasync: never, or always.  kq's addition (log.flush.acks).
enum class FlushAcks : uint8_t { none, all };

// What holds for one topic.  A plain value.
struct TopicConfig {
  bool compact = false;                           // cleanup.policy
  bool remove = true;                             // cleanup.policy has `delete`
  std::optional<Codec> compression_type;          // none: as the producer chose
  int32_t compression_gzip_level = -1;
  int32_t compression_lz4_level = 9;
  int32_t compression_zstd_level = 3;
  int64_t delete_retention_ms = 0;
  int64_t file_delete_delay_ms = 0;
  int64_t flush_messages = 0;
  int64_t flush_ms = 0;
  int32_t index_interval_bytes = 0;
  int64_t max_compaction_lag_ms = 0;
  int32_t max_message_bytes = 0;
  int64_t message_timestamp_after_max_ms = 0;
  int64_t message_timestamp_before_max_ms = 0;
  TimestampType message_timestamp_type = TimestampType::create;
  double min_cleanable_dirty_ratio = 0;
  int64_t min_compaction_lag_ms = 0;
  int32_t min_insync_replicas = 1;
  bool preallocate = false;
  int64_t retention_bytes = -1;                   // -1: no bound, as for retention_ms
  int64_t retention_ms = -1;
  int32_t segment_bytes = 0;
  int32_t segment_index_bytes = 0;
  int64_t segment_jitter_ms = 0;
  int64_t segment_ms = 0;
  bool unclean_leader_election_enable = false;

  bool operator==(const TopicConfig&) const = default;
  // The same with a topic's own settings over it.  They were checked when they were made.
  TopicConfig with(const Settings& own) const;
};

// log.cleaner.*, as far as it concerns the cleaner and no topic.
struct CleanerSettings {
  int32_t threads = 1;
  int64_t dedupe_buffer_size = int64_t{128} << 20;      // of all threads
  double io_buffer_load_factor = 0.9;
  int32_t io_buffer_size = 512 << 10;                   // of all threads
  double io_max_bytes_per_second = std::numeric_limits<double>::max();
  int64_t backoff_ms = 15'000;
};

// A broker's own configuration, as it was started with: settings over defaults.  Members bear Kafka's names.
struct Config {
  // The node and its place.
  int32_t node_id = 1;
  std::vector<std::string> log_dirs;
  std::string metadata_log_dir;                   // the first of log_dirs where none is named
  std::optional<std::string> broker_rack;

  // The network.
  std::vector<Listener> listeners;                // those to be bound; the controller's are not among them
  std::vector<Listener> advertised_listeners;     // of the same names, and maybe others
  std::vector<Listener> controller_listeners;     // accepted, named in the voter set, and not bound
  std::vector<std::string> controller_listener_names;
  std::string inter_broker_listener_name;
  int32_t num_network_threads = 0;
  int32_t num_io_threads = 0;
  int32_t socket_request_max_bytes = 0;
  int32_t socket_send_buffer_bytes = 0;           // -1: the system's, as below
  int32_t socket_receive_buffer_bytes = 0;
  int32_t socket_listen_backlog_size = 0;
  int32_t max_connections = 0;
  int32_t max_connections_per_ip = 0;
  std::map<std::string, int32_t, std::less<>> max_connections_per_ip_overrides;
  int64_t connections_max_idle_ms = 0;
  int32_t queued_max_requests = 0;
  int64_t queued_max_request_bytes = 0;           // -1: no bound
  int32_t fetch_max_bytes = 0;
  int32_t max_incremental_fetch_session_cache_slots = 0;
  int32_t max_request_partition_size_limit = 0;
  int32_t request_timeout_ms = 0;
  bool unstable_api_versions_enable = false;

  // Topics that are created without saying how.
  bool auto_create_topics_enable = true;
  bool delete_topic_enable = true;
  int32_t num_partitions = 1;
  int32_t default_replication_factor = 1;
  int32_t offsets_topic_num_partitions = 0;
  int32_t offsets_topic_replication_factor = 0;
  int32_t offsets_topic_segment_bytes = 0;
  int32_t transaction_state_log_num_partitions = 0;
  int32_t transaction_state_log_replication_factor = 0;
  int32_t transaction_state_log_min_isr = 0;
  int32_t transaction_state_log_segment_bytes = 0;
  int32_t share_coordinator_state_topic_num_partitions = 0;
  int32_t share_coordinator_state_topic_replication_factor = 0;
  int32_t share_coordinator_state_topic_min_isr = 0;
  int32_t share_coordinator_state_topic_segment_bytes = 0;

  // Share groups.
  int32_t group_share_delivery_count_limit = 0;
  int32_t group_share_heartbeat_interval_ms = 0;
  int32_t group_share_min_heartbeat_interval_ms = 0;
  int32_t group_share_max_heartbeat_interval_ms = 0;
  int32_t group_share_session_timeout_ms = 0;
  int32_t group_share_min_session_timeout_ms = 0;
  int32_t group_share_max_session_timeout_ms = 0;
  int32_t group_share_record_lock_duration_ms = 0;
  int32_t group_share_min_record_lock_duration_ms = 0;
  int32_t group_share_max_record_lock_duration_ms = 0;
  int32_t group_share_partition_max_record_locks = 0;
  int32_t group_share_max_size = 0;
  int32_t group_share_max_share_sessions = 0;
  int32_t group_share_initialize_retry_interval_ms = 0;
  int32_t share_coordinator_load_buffer_size = 0;
  int32_t share_coordinator_write_timeout_ms = 0;
  int32_t share_coordinator_snapshot_update_records_per_snapshot = 0;
  int32_t share_coordinator_cold_partition_snapshot_interval_ms = 0;
  int32_t share_coordinator_state_topic_prune_interval_ms = 0;
  int32_t share_coordinator_state_topic_compression_codec = 0;

  // Groups.
  int32_t group_min_session_timeout_ms = 0;
  int32_t group_max_session_timeout_ms = 0;
  int32_t group_initial_rebalance_delay_ms = 0;
  int32_t group_max_size = 0;
  int32_t group_consumer_session_timeout_ms = 0;
  int32_t group_consumer_min_session_timeout_ms = 0;
  int32_t group_consumer_max_session_timeout_ms = 0;
  int32_t group_consumer_heartbeat_interval_ms = 0;
  int32_t group_consumer_min_heartbeat_interval_ms = 0;
  int32_t group_consumer_max_heartbeat_interval_ms = 0;
  int32_t group_consumer_max_size = 0;
  int32_t group_consumer_regex_refresh_interval_ms = 0;
  std::vector<std::string> group_consumer_assignors;
  std::string group_consumer_migration_policy;    // in capitals
  int32_t group_streams_session_timeout_ms = 0;
  int32_t group_streams_heartbeat_interval_ms = 0;
  int32_t group_streams_initial_rebalance_delay_ms = 0;
  int32_t group_streams_max_size = 0;
  int32_t group_streams_num_standby_replicas = 0;
  std::vector<std::string> group_coordinator_rebalance_protocols;
  int32_t offset_metadata_max_bytes = 0;
  int32_t offsets_commit_timeout_ms = 0;
  int32_t offsets_load_buffer_size = 0;
  int64_t offsets_retention_check_interval_ms = 0;
  int32_t offsets_retention_minutes = 0;
  int32_t offsets_topic_compression_codec = 0;

  // Logs.
  int64_t log_flush_scheduler_interval_ms = 0;
  int32_t log_flush_offset_checkpoint_interval_ms = 0;
  int32_t log_flush_start_offset_checkpoint_interval_ms = 0;
  int64_t replica_high_watermark_checkpoint_interval_ms = 0;
  int64_t log_retention_check_interval_ms = 0;
  int64_t log_initial_task_delay_ms = 0;
  bool log_cleaner_enable = true;
  int32_t num_recovery_threads_per_data_dir = 0;
  int32_t transaction_max_timeout_ms = 0;
  int32_t transaction_abort_timed_out_transaction_cleanup_interval_ms = 0;
  int32_t transaction_remove_expired_transaction_cleanup_interval_ms = 0;
  int32_t transactional_id_expiration_ms = 0;
  bool transaction_partition_verification_enable = true;
  bool transaction_two_phase_commit_enable = false;
  int32_t add_partitions_to_txn_retry_backoff_ms = 0;
  int32_t add_partitions_to_txn_retry_backoff_max_ms = 0;
  int32_t producer_id_expiration_ms = 0;
  int32_t producer_id_expiration_check_interval_ms = 0;
  FlushAcks log_flush_acks = FlushAcks::none;     // kq's additions, these four
  int32_t log_open_files_max = 0;
  int64_t log_recovery_scan_max_bytes = 0;
  bool log_validate_compressed = true;

  // The metadata log.
  int32_t metadata_log_segment_bytes = 0;
  int64_t metadata_log_segment_ms = 0;
  int64_t metadata_log_max_record_bytes_between_snapshots = 0;
  int64_t metadata_log_max_snapshot_interval_ms = 0;
  int64_t metadata_max_retention_bytes = 0;

  Settings settings;                              // what was set, for DescribeConfigs

  // Checks every setting.  An unknown key is an error that names the nearest known one, a value out of range one that names the range.
  static Result<Config> from(Settings);
  // Keys that were set, that Kafka knows and that kqd does not use yet: to be logged once.
  std::vector<std::string> ignored() const;

  const Listener* listener(std::string_view name) const;      // an advertised one; nullptr: none of that name

  CleanerSettings cleaner(const Settings& of_broker, const Settings& of_all_brokers) const;
  // What holds for a topic without settings of its own, where the brokers have these dynamic ones (of this broker, and of all).
  TopicConfig topic_defaults(const Settings& of_broker, const Settings& of_all_brokers) const;
};

}  // namespace kq::broker
