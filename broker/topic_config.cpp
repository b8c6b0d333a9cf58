// What holds for a topic: its own settings over the brokers', over Kafka's defaults.
#include "broker/config.hpp"
#include "broker/config_table.hpp"

namespace kq::broker {
namespace {

std::optional<Codec> codec_of(std::string_view name) {
  if (name == "uncompressed") return Codec::none;
  if (name == "gzip") return Codec::gzip;
  if (name == "snappy") return Codec::snappy;
  if (name == "lz4") return Codec::lz4;
  if (name == "zstd") return Codec::zstd;
  return std::nullopt;                                   // producer
}

// Finds the member by the key's name; values have been checked.
struct Setter {
  std::string_view name, value;

  bool operator()(int32_t& member, std::string_view key) const { return key == name && (member = static_cast<int32_t>(to_int(value)), true); }
  bool operator()(int64_t& member, std::string_view key) const { return key == name && (member = to_int(value), true); }
  bool operator()(double& member, std::string_view key) const { return key == name && (member = to_double(value), true); }
  bool operator()(bool& member, std::string_view key) const { return key == name && (member = to_bool(value), true); }
};

void set_cleanup_policy(TopicConfig& config, std::string_view value) {
  config.compact = config.remove = false;
  for (const auto policy : split_list(value)) (policy == "compact" ? config.compact : config.remove) = true;
}

void set(TopicConfig& c, std::string_view name, std::string_view value) {
  const Setter bind{name, value};
  if (name == "cleanup.policy") return set_cleanup_policy(c, value);
  if (name == "compression.type") return void(c.compression_type = codec_of(trimmed(value)));
  if (name == "message.timestamp.type")
    return void(c.message_timestamp_type = trimmed(value) == "LogAppendTime" ? TimestampType::log_append : TimestampType::create);
  if (name == "internal.segment.bytes") return void(c.segment_bytes = static_cast<int32_t>(to_int(value)));
  bind(c.compression_gzip_level, "compression.gzip.level") || bind(c.compression_lz4_level, "compression.lz4.level") ||
      bind(c.compression_zstd_level, "compression.zstd.level") || bind(c.delete_retention_ms, "delete.retention.ms") ||
      bind(c.file_delete_delay_ms, "file.delete.delay.ms") || bind(c.flush_messages, "flush.messages") || bind(c.flush_ms, "flush.ms") ||
      bind(c.index_interval_bytes, "index.interval.bytes") || bind(c.max_compaction_lag_ms, "max.compaction.lag.ms") ||
      bind(c.max_message_bytes, "max.message.bytes") || bind(c.message_timestamp_after_max_ms, "message.timestamp.after.max.ms") ||
      bind(c.message_timestamp_before_max_ms, "message.timestamp.before.max.ms") ||
      bind(c.min_cleanable_dirty_ratio, "min.cleanable.dirty.ratio") || bind(c.min_compaction_lag_ms, "min.compaction.lag.ms") ||
      bind(c.min_insync_replicas, "min.insync.replicas") || bind(c.preallocate, "preallocate") ||
      bind(c.retention_bytes, "retention.bytes") || bind(c.retention_ms, "retention.ms") || bind(c.segment_bytes, "segment.bytes") ||
      bind(c.segment_index_bytes, "segment.index.bytes") || bind(c.segment_jitter_ms, "segment.jitter.ms") ||
      bind(c.segment_ms, "segment.ms") || bind(c.unclean_leader_election_enable, "unclean.leader.election.enable");
}

}  // namespace

std::string topic_default(const ConfigKey& key, std::span<const Settings* const> layers) {
  for (const std::string_view name : key.stand_in_names()) {
    const ConfigKey* stand_in = find_key(broker_keys(), name);
    std::optional<std::string> value;
    for (const Settings* layer : layers)
      if (const auto at = layer->find(name); at != layer->end() && !value) value = normal_value(*stand_in, at->second);
    if (!value && stand_in->default_value) value = stand_in->default_value;
    if (!value) continue;
    constexpr int64_t minute_ms = 60'000, hour_ms = 60 * minute_ms;
    const int64_t unit = name.ends_with(".hours") ? hour_ms : name.ends_with(".minutes") ? minute_ms : 1;
    if (unit == 1) return *value;
    const int64_t count = to_int(*value);
    return std::to_string(count < 0 ? count : count * unit);
  }
  return key.default_value ? key.default_value : "";
}

TopicConfig Config::topic_defaults(const Settings& of_broker, const Settings& of_all_brokers) const {
  const Settings* const layers[] = {&of_broker, &of_all_brokers, &settings};
  TopicConfig out;
  for (const ConfigKey& key : topic_keys())
    if (key.default_value) set(out, key.name, topic_default(key, layers));
  return out;
}

CleanerSettings Config::cleaner(const Settings& of_broker, const Settings& of_all_brokers) const {
  const auto value = [&](const char* name) -> std::string {
    const ConfigKey* key = find_key(broker_keys(), name);
    for (const Settings* layer : {&of_broker, &of_all_brokers, &settings})
      if (const auto at = layer->find(name); at != layer->end()) return normal_value(*key, at->second);
    return key->default_value;
  };
  return {.threads = static_cast<int32_t>(to_int(value("log.cleaner.threads"))),
          .dedupe_buffer_size = to_int(value("log.cleaner.dedupe.buffer.size")),
          .io_buffer_load_factor = to_double(value("log.cleaner.io.buffer.load.factor")),
          .io_buffer_size = static_cast<int32_t>(to_int(value("log.cleaner.io.buffer.size"))),
          .io_max_bytes_per_second = to_double(value("log.cleaner.io.max.bytes.per.second")),
          .backoff_ms = to_int(value("log.cleaner.backoff.ms"))};
}

TopicConfig TopicConfig::with(const Settings& own) const {
  TopicConfig out = *this;
  for (const auto& [name, value] : own) set(out, name, value);
  return out;
}

}  // namespace kq::broker
