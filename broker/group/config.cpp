#include "broker/group/config.hpp"

namespace kq::group {

GroupConfig GroupConfig::from(const broker::Config& config) {
  const auto ms = [](int64_t count) -> Duration { return std::chrono::milliseconds(count); };
  const std::string& policy = config.group_consumer_migration_policy;
  return {.min_session_timeout = ms(config.group_min_session_timeout_ms),
          .max_session_timeout = ms(config.group_max_session_timeout_ms),
          .initial_rebalance_delay = ms(config.group_initial_rebalance_delay_ms),
          .max_size = static_cast<size_t>(config.group_max_size),
          .offset_metadata_max_bytes = static_cast<size_t>(config.offset_metadata_max_bytes),
          .offsets_retention_ms = int64_t{config.offsets_retention_minutes} * 60'000,
          .offsets_retention_check_interval = ms(config.offsets_retention_check_interval_ms),
          .consumer_session_timeout = ms(config.group_consumer_session_timeout_ms),
          .consumer_min_session_timeout = ms(config.group_consumer_min_session_timeout_ms),
          .consumer_max_session_timeout = ms(config.group_consumer_max_session_timeout_ms),
          .consumer_heartbeat_interval = ms(config.group_consumer_heartbeat_interval_ms),
          .consumer_min_heartbeat_interval = ms(config.group_consumer_min_heartbeat_interval_ms),
          .consumer_max_heartbeat_interval = ms(config.group_consumer_max_heartbeat_interval_ms),
          .consumer_max_size = static_cast<size_t>(config.group_consumer_max_size),
          .consumer_regex_refresh_interval = ms(config.group_consumer_regex_refresh_interval_ms),
          .consumer_assignors = config.group_consumer_assignors,
          .consumer_migration = {.upgrade = policy == "BIDIRECTIONAL" || policy == "UPGRADE",
                                 .downgrade = policy == "BIDIRECTIONAL" || policy == "DOWNGRADE"},
          .streams_session_timeout = ms(config.group_streams_session_timeout_ms),
          .streams_heartbeat_interval = ms(config.group_streams_heartbeat_interval_ms),
          .streams_initial_rebalance_delay = ms(config.group_streams_initial_rebalance_delay_ms),
          .streams_max_size = static_cast<size_t>(config.group_streams_max_size),
          .streams_standby_replicas = config.group_streams_num_standby_replicas};
}

}  // namespace kq::group
