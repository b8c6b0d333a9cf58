#include "broker/config.hpp"

#include <algorithm>
#include <set>

#include "broker/config_table.hpp"
#include "broker/listeners.hpp"

namespace kq::broker {
namespace {

Error refused(std::string text) { return {own_code::config, std::move(text)}; }

// Values of checked settings, over the defaults.  Remembers which keys were asked for: those are the keys that kqd uses.
class Values {
 public:
  explicit Values(const Settings& settings) : settings_(settings) {}

  // Null: not set, and without a default.
  std::optional<std::string_view> text(const char* name) {
    const ConfigKey* key = find_key(broker_keys(), name);
    KQ_CHECK(key);
    used_.insert(key);
    if (const auto at = settings_.find(name); at != settings_.end()) return trimmed(at->second);
    if (!key->default_value) return std::nullopt;
    return key->default_value;
  }
  bool set(const char* name) const { return settings_.count(name) > 0; }
  const std::set<const ConfigKey*>& used() const { return used_; }

  void operator()(int32_t& member, const char* name) { member = static_cast<int32_t>(to_int(text(name).value_or("0"))); }
  void operator()(int64_t& member, const char* name) { member = to_int(text(name).value_or("0")); }
  void operator()(bool& member, const char* name) { member = to_bool(text(name).value_or("false")); }
  void operator()(std::optional<std::string>& member, const char* name) {
    if (const auto value = text(name)) member = std::string(*value);
  }

 private:
  const Settings& settings_;
  std::set<const ConfigKey*> used_;
};

void bind_share_groups(Config& c, Values& bind) {
  bind(c.group_share_delivery_count_limit, "group.share.delivery.count.limit");
  bind(c.group_share_heartbeat_interval_ms, "group.share.heartbeat.interval.ms");
  bind(c.group_share_min_heartbeat_interval_ms, "group.share.min.heartbeat.interval.ms");
  bind(c.group_share_max_heartbeat_interval_ms, "group.share.max.heartbeat.interval.ms");
  bind(c.group_share_session_timeout_ms, "group.share.session.timeout.ms");
  bind(c.group_share_min_session_timeout_ms, "group.share.min.session.timeout.ms");
  bind(c.group_share_max_session_timeout_ms, "group.share.max.session.timeout.ms");
  bind(c.group_share_record_lock_duration_ms, "group.share.record.lock.duration.ms");
  bind(c.group_share_min_record_lock_duration_ms, "group.share.min.record.lock.duration.ms");
  bind(c.group_share_max_record_lock_duration_ms, "group.share.max.record.lock.duration.ms");
  bind(c.group_share_partition_max_record_locks, "group.share.partition.max.record.locks");
  bind(c.group_share_max_size, "group.share.max.size");
  bind(c.group_share_max_share_sessions, "group.share.max.share.sessions");
  bind(c.group_share_initialize_retry_interval_ms, "group.share.initialize.retry.interval.ms");
  bind(c.share_coordinator_load_buffer_size, "share.coordinator.load.buffer.size");
  bind(c.share_coordinator_write_timeout_ms, "share.coordinator.write.timeout.ms");
  bind(c.share_coordinator_snapshot_update_records_per_snapshot, "share.coordinator.snapshot.update.records.per.snapshot");
  bind(c.share_coordinator_cold_partition_snapshot_interval_ms, "share.coordinator.cold.partition.snapshot.interval.ms");
  bind(c.share_coordinator_state_topic_prune_interval_ms, "share.coordinator.state.topic.prune.interval.ms");
  bind(c.share_coordinator_state_topic_compression_codec, "share.coordinator.state.topic.compression.codec");
}

void bind_plain(Config& c, Values& bind) {
  bind(c.broker_rack, "broker.rack");
  bind(c.num_network_threads, "num.network.threads");
  bind(c.num_io_threads, "num.io.threads");
  bind(c.socket_request_max_bytes, "socket.request.max.bytes");
  bind(c.socket_send_buffer_bytes, "socket.send.buffer.bytes");
  bind(c.socket_receive_buffer_bytes, "socket.receive.buffer.bytes");
  bind(c.socket_listen_backlog_size, "socket.listen.backlog.size");
  bind(c.max_connections, "max.connections");
  bind(c.max_connections_per_ip, "max.connections.per.ip");
  bind(c.connections_max_idle_ms, "connections.max.idle.ms");
  bind(c.queued_max_requests, "queued.max.requests");
  bind(c.queued_max_request_bytes, "queued.max.request.bytes");
  bind(c.fetch_max_bytes, "fetch.max.bytes");
  bind(c.max_incremental_fetch_session_cache_slots, "max.incremental.fetch.session.cache.slots");
  bind(c.max_request_partition_size_limit, "max.request.partition.size.limit");
  bind(c.request_timeout_ms, "request.timeout.ms");
  bind(c.unstable_api_versions_enable, "unstable.api.versions.enable");

  bind(c.auto_create_topics_enable, "auto.create.topics.enable");
  bind(c.delete_topic_enable, "delete.topic.enable");
  bind(c.num_partitions, "num.partitions");
  bind(c.default_replication_factor, "default.replication.factor");
  bind(c.offsets_topic_num_partitions, "offsets.topic.num.partitions");
  bind(c.offsets_topic_replication_factor, "offsets.topic.replication.factor");
  bind(c.offsets_topic_segment_bytes, "offsets.topic.segment.bytes");
  bind(c.transaction_state_log_num_partitions, "transaction.state.log.num.partitions");
  bind(c.transaction_state_log_replication_factor, "transaction.state.log.replication.factor");
  bind(c.transaction_state_log_min_isr, "transaction.state.log.min.isr");
  bind(c.transaction_state_log_segment_bytes, "transaction.state.log.segment.bytes");
  bind(c.share_coordinator_state_topic_num_partitions, "share.coordinator.state.topic.num.partitions");
  bind(c.share_coordinator_state_topic_replication_factor, "share.coordinator.state.topic.replication.factor");
  bind(c.share_coordinator_state_topic_min_isr, "share.coordinator.state.topic.min.isr");
  bind(c.share_coordinator_state_topic_segment_bytes, "share.coordinator.state.topic.segment.bytes");

  bind(c.group_min_session_timeout_ms, "group.min.session.timeout.ms");
  bind(c.group_max_session_timeout_ms, "group.max.session.timeout.ms");
  bind(c.group_initial_rebalance_delay_ms, "group.initial.rebalance.delay.ms");
  bind(c.group_max_size, "group.max.size");
  bind(c.group_consumer_session_timeout_ms, "group.consumer.session.timeout.ms");
  bind(c.group_consumer_min_session_timeout_ms, "group.consumer.min.session.timeout.ms");
  bind(c.group_consumer_max_session_timeout_ms, "group.consumer.max.session.timeout.ms");
  bind(c.group_consumer_heartbeat_interval_ms, "group.consumer.heartbeat.interval.ms");
  bind(c.group_consumer_min_heartbeat_interval_ms, "group.consumer.min.heartbeat.interval.ms");
  bind(c.group_consumer_max_heartbeat_interval_ms, "group.consumer.max.heartbeat.interval.ms");
  bind(c.group_consumer_max_size, "group.consumer.max.size");
  bind(c.group_consumer_regex_refresh_interval_ms, "group.consumer.regex.refresh.interval.ms");
  bind(c.group_streams_session_timeout_ms, "group.streams.session.timeout.ms");
  bind(c.group_streams_heartbeat_interval_ms, "group.streams.heartbeat.interval.ms");
  bind(c.group_streams_initial_rebalance_delay_ms, "group.streams.initial.rebalance.delay.ms");
  bind(c.group_streams_max_size, "group.streams.max.size");
  bind(c.group_streams_num_standby_replicas, "group.streams.num.standby.replicas");
  bind(c.offset_metadata_max_bytes, "offset.metadata.max.bytes");
  bind(c.offsets_commit_timeout_ms, "offsets.commit.timeout.ms");
  bind(c.offsets_load_buffer_size, "offsets.load.buffer.size");
  bind(c.offsets_retention_check_interval_ms, "offsets.retention.check.interval.ms");
  bind(c.offsets_retention_minutes, "offsets.retention.minutes");
  bind(c.offsets_topic_compression_codec, "offsets.topic.compression.codec");

  bind(c.log_flush_scheduler_interval_ms, "log.flush.scheduler.interval.ms");
  bind(c.log_flush_offset_checkpoint_interval_ms, "log.flush.offset.checkpoint.interval.ms");
  bind(c.log_flush_start_offset_checkpoint_interval_ms, "log.flush.start.offset.checkpoint.interval.ms");
  bind(c.replica_high_watermark_checkpoint_interval_ms, "replica.high.watermark.checkpoint.interval.ms");
  bind(c.log_retention_check_interval_ms, "log.retention.check.interval.ms");
  bind(c.log_initial_task_delay_ms, "log.initial.task.delay.ms");
  bind(c.log_cleaner_enable, "log.cleaner.enable");
  for (const char* name : {"log.cleaner.backoff.ms", "log.cleaner.dedupe.buffer.size", "log.cleaner.io.buffer.load.factor",
                           "log.cleaner.io.buffer.size", "log.cleaner.io.max.bytes.per.second", "log.cleaner.threads"})
    (void)bind.text(name);                         // Config::cleaner has them, as they may change meanwhile
  bind(c.num_recovery_threads_per_data_dir, "num.recovery.threads.per.data.dir");
  bind(c.transaction_max_timeout_ms, "transaction.max.timeout.ms");
  bind(c.transaction_abort_timed_out_transaction_cleanup_interval_ms, "transaction.abort.timed.out.transaction.cleanup.interval.ms");
  bind(c.transaction_remove_expired_transaction_cleanup_interval_ms, "transaction.remove.expired.transaction.cleanup.interval.ms");
  bind(c.transactional_id_expiration_ms, "transactional.id.expiration.ms");
  bind(c.transaction_partition_verification_enable, "transaction.partition.verification.enable");
  bind(c.transaction_two_phase_commit_enable, "transaction.two.phase.commit.enable");
  bind(c.add_partitions_to_txn_retry_backoff_ms, "add.partitions.to.txn.retry.backoff.ms");
  bind(c.add_partitions_to_txn_retry_backoff_max_ms, "add.partitions.to.txn.retry.backoff.max.ms");
  bind(c.producer_id_expiration_ms, "producer.id.expiration.ms");
  bind(c.producer_id_expiration_check_interval_ms, "producer.id.expiration.check.interval.ms");
  bind(c.log_open_files_max, "log.open.files.max");
  bind(c.log_recovery_scan_max_bytes, "log.recovery.scan.max.bytes");
  bind(c.log_validate_compressed, "log.validate.compressed");
  c.log_flush_acks = bind.text("log.flush.acks") == "all" ? FlushAcks::all : FlushAcks::none;

  bind(c.metadata_log_segment_bytes, "metadata.log.segment.bytes");
  bind(c.metadata_log_segment_ms, "metadata.log.segment.ms");
  bind(c.metadata_log_max_record_bytes_between_snapshots, "metadata.log.max.record.bytes.between.snapshots");
  bind(c.metadata_log_max_snapshot_interval_ms, "metadata.log.max.snapshot.interval.ms");
  bind(c.metadata_max_retention_bytes, "metadata.max.retention.bytes");
}

// Kafka passes these on, to listeners and to Java classes: any name may follow.
constexpr std::string_view open_prefixes[] = {"listener.name.", "rlmm.config.", "rsm.config.", "config.providers."};
// Of Kafka's own authorizer, which its table does not list.
constexpr std::string_view authorizer_keys[] = {"super.users", "allow.everyone.if.no.acl.found"};

bool passed_on(std::string_view name) {
  return std::any_of(std::begin(open_prefixes), std::end(open_prefixes), [&](auto prefix) { return name.starts_with(prefix); }) ||
         std::find(std::begin(authorizer_keys), std::end(authorizer_keys), name) != std::end(authorizer_keys);
}

Error unknown_key(const std::string& name) {
  const std::string text = "unknown configuration key '" + name + "'";
  const ConfigKey* of_topic = find_key(topic_keys(), name);
  if (of_topic && !of_topic->stand_in_names().empty())
    return refused(text + ": it is a topic's; the brokers' default for it is '" + std::string(of_topic->stand_in_names().front()) + "'");
  return refused(text + "; did you mean '" + nearest_key(broker_keys(), name).name + "'?");
}

Status check_names_and_values(const Settings& settings) {
  for (const auto& [name, value] : settings) {
    if (passed_on(name)) continue;
    const ConfigKey* key = find_key(broker_keys(), name);
    if (!key) return unknown_key(name);
    KQ_TRY(check_value(*key, value));
  }
  return {};
}

// What kqd can be: broker and controller of a quorum of itself.
Status bind_node(Config& c, Values& bind) {
  const auto node_id = bind.text("node.id");
  const auto broker_id = bind.text("broker.id");
  c.node_id = static_cast<int32_t>(to_int(!bind.set("node.id") && bind.set("broker.id") ? *broker_id : *node_id));
  if (bind.set("node.id") && bind.set("broker.id") && to_int(*broker_id) >= 0 && to_int(*broker_id) != c.node_id)
    return refused("You must set `node.id` to the same value as `broker.id`.");

  std::set<std::string_view> roles;
  for (const auto role : split_list(*bind.text("process.roles"))) roles.insert(role);
  if (roles != std::set<std::string_view>{"broker", "controller"})
    return refused("process.roles=" + std::string(*bind.text("process.roles")) +
                   ": this kqd is broker and controller together and cannot join a cluster yet; set process.roles=broker,controller or "
                   "leave it out");
  for (const auto voter : split_list(*bind.text("controller.quorum.voters"))) {
    const size_t at = voter.find('@');
    if (at == voter.npos || voter.find_last_of(':') == voter.npos || voter.find_last_of(':') < at)
      return refused("Invalid configuration value for controller.quorum.voters. Each entry should be in the form `{id}@{host}:{port}`.");
    if (to_int(voter.substr(0, at)) != c.node_id)
      return refused("controller.quorum.voters names node " + std::string(voter.substr(0, at)) + ", and this is node " +
                     std::to_string(c.node_id) + ": kqd cannot share a quorum yet; name this node alone, or leave the key out");
  }
  if (bind.set("controller.quorum.bootstrap.servers") && split_list(*bind.text("controller.quorum.bootstrap.servers")).size() > 1)
    return refused("controller.quorum.bootstrap.servers names several controllers, and kqd cannot share a quorum yet; name this node "
                   "alone, or leave the key out");
  return {};
}

Status bind_directories(Config& c, Values& bind) {
  auto directories = bind.text("log.dirs");
  if (!directories) directories = bind.text("log.dir");
  else bind.text("log.dir");
  for (const auto directory : split_list(*directories)) c.log_dirs.emplace_back(directory);
  if (std::set<std::string>(c.log_dirs.begin(), c.log_dirs.end()).size() != c.log_dirs.size())
    return refused("log.dirs names a directory twice: " + std::string(*directories));
  c.metadata_log_dir = bind.text("metadata.log.dir").value_or(c.log_dirs.front());
  return {};
}

Status bind_connections(Config& c, Values& bind) {
  for (const auto part : split_list(*bind.text("max.connections.per.ip.overrides"))) {
    const size_t colon = part.find_last_of(':');
    if (colon == part.npos || check_value(*find_key(broker_keys(), "max.connections.per.ip"), part.substr(colon + 1)).ok() == false)
      return refused("Error parsing configuration property 'max.connections.per.ip.overrides': '" + std::string(part) +
                     "' is not host:count");
    c.max_connections_per_ip_overrides[std::string(trimmed(part.substr(0, colon)))] =
        static_cast<int32_t>(to_int(part.substr(colon + 1)));
  }
  if (c.queued_max_request_bytes > 0 && c.queued_max_request_bytes < c.socket_request_max_bytes)
    return refused("queued.max.request.bytes must be larger or equal to socket.request.max.bytes");
  return {};
}

Status bind_retention(Values& bind) {
  for (const char* name : {"log.retention.ms", "log.retention.minutes", "log.retention.hours"}) {
    const auto value = bind.text(name);
    if (!value) continue;
    if (to_int(*value) == 0 || to_int(*value) < -1)
      return refused("log.retention.ms must be unlimited (-1) or, greater than or equal to 1");
    break;
  }
  return {};
}

ListenerSettings listener_settings(Values& bind) {
  ListenerSettings out;
  out.listeners = *bind.text("listeners");
  out.advertised = bind.text("advertised.listeners");
  out.controller_names = *bind.text("controller.listener.names");
  out.protocols = *bind.text("listener.security.protocol.map");
  out.protocols_set = bind.set("listener.security.protocol.map");
  if (const auto name = bind.text("inter.broker.listener.name")) out.inter_broker_name = *name;
  out.inter_broker_protocol = *bind.text("security.inter.broker.protocol");
  out.inter_broker_protocol_set = bind.set("security.inter.broker.protocol");
  bind.text("early.start.listeners");                    // every listener of kqd opens at the same time
  return out;
}

std::vector<std::string> list_of_texts(Values& bind, const char* name) {
  std::vector<std::string> texts;
  for (const auto text : split_list(*bind.text(name))) texts.emplace_back(text);
  return texts;
}

Status bind_groups(Config& c, Values& bind) {
  c.group_consumer_assignors = list_of_texts(bind, "group.consumer.assignors");
  c.group_coordinator_rebalance_protocols = list_of_texts(bind, "group.coordinator.rebalance.protocols");
  const std::string_view policy = *bind.text("group.consumer.migration.policy");
  for (const char letter : policy)
    c.group_consumer_migration_policy += static_cast<char>(letter >= 'a' && letter <= 'z' ? letter - 'a' + 'A' : letter);
  for (const std::string& assignor : c.group_consumer_assignors)
    if (assignor != "uniform" && assignor != "range")
      return refused("group.consumer.assignors names '" + assignor + "', and kqd has uniform and range");
  if (c.offsets_topic_compression_codec < 0 || c.offsets_topic_compression_codec > codec_max)
    return refused("offsets.topic.compression.codec must be between 0 and 4");
  return {};
}

Status bind_all(Config& c, Values& bind) {
  bind_plain(c, bind);
  bind_share_groups(c, bind);
  KQ_TRY(bind_groups(c, bind));
  KQ_TRY(bind_node(c, bind));
  KQ_TRY(bind_directories(c, bind));
  KQ_TRY(bind_connections(c, bind));
  KQ_TRY(bind_retention(bind));
  const ListenerSettings listeners = listener_settings(bind);
  return bind_listeners(c, listeners);
}

// Is it among the brokers' keys that stand in for a topic's?
bool stands_in(std::string_view name) {
  return std::any_of(topic_keys().begin(), topic_keys().end(), [name](const ConfigKey& key) {
    const auto names = key.stand_in_names();
    return std::find(names.begin(), names.end(), name) != names.end();
  });
}

}  // namespace

const char* name_of(SecurityProtocol protocol) {
  switch (protocol) {
    case SecurityProtocol::plaintext: return "PLAINTEXT";
    case SecurityProtocol::ssl: return "SSL";
    case SecurityProtocol::sasl_plaintext: return "SASL_PLAINTEXT";
    case SecurityProtocol::sasl_ssl: return "SASL_SSL";
  }
  return "?";
}

Result<Config> Config::from(Settings settings) {
  KQ_TRY(check_names_and_values(settings));
  Config config;
  Values values(settings);
  KQ_TRY(bind_all(config, values));
  config.settings = std::move(settings);
  // Two names of one thing, as in Kafka: who asks for either is told.
  for (const char* name : {"node.id", "broker.id"}) config.settings.emplace(name, std::to_string(config.node_id));
  return config;
}

std::vector<std::string> Config::ignored() const {
  Config scratch;
  Values values(settings);
  bind_all(scratch, values).ok();
  std::vector<std::string> names;
  for (const auto& [name, value] : settings) {
    const ConfigKey* key = find_key(broker_keys(), name);
    if (values.used().count(key) == 0 && !stands_in(name)) names.push_back(name);
  }
  return names;
}

const Listener* Config::listener(std::string_view name) const {
  const auto at = std::find_if(advertised_listeners.begin(), advertised_listeners.end(), [&](const Listener& l) { return l.name == name; });
  return at == advertised_listeners.end() ? nullptr : &*at;
}

}  // namespace kq::broker
