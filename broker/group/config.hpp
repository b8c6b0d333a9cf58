// The settings that hold for groups.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "broker/config.hpp"
#include "libkq/base/clock.hpp"

namespace kq::group {

// May groups of one protocol become groups of the other while they have members?
struct Migration {
  bool upgrade = true, downgrade = true;
};

// Members bear Kafka's names, without `group.`.
struct GroupConfig {
  Duration min_session_timeout = 6s;
  Duration max_session_timeout = 30min;
  Duration initial_rebalance_delay = 0s;
  size_t max_size = INT32_MAX;
  Duration new_member_join_timeout = 5min;  // no setting of Kafka's

  size_t offset_metadata_max_bytes = 4096;
  int64_t offsets_retention_ms = int64_t{7} * 24 * 3600 * 1000;
  Duration offsets_retention_check_interval = 10min;

  Duration consumer_session_timeout = 45s, consumer_min_session_timeout = 45s, consumer_max_session_timeout = 60s;
  Duration consumer_heartbeat_interval = 5s, consumer_min_heartbeat_interval = 5s, consumer_max_heartbeat_interval = 15s;
  size_t consumer_max_size = INT32_MAX;
  Duration consumer_regex_refresh_interval = 10min;
  std::vector<std::string> consumer_assignors{"uniform", "range"};
  Migration consumer_migration{};

  Duration streams_session_timeout = 45s, streams_heartbeat_interval = 5s, streams_initial_rebalance_delay = 3s;
  size_t streams_max_size = INT32_MAX;
  int32_t streams_standby_replicas = 0;

  static GroupConfig from(const broker::Config&);
};

}  // namespace kq::group
