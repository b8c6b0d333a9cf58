// What a data directory holds before its broker starts for the first time: as `kafka-storage format --standalone` of 4.2 leaves it.
#pragma once

#include <optional>
#include <span>
#include <string>

#include "broker/config.hpp"
#include "broker/log/log_directory.hpp"

namespace kq::broker {

struct FormatRequest {
  const Config& config;
  log::FileSystem& files;
  std::optional<std::string> cluster_id;             // none: a new one, or that of the directories that have one
  int64_t now_ms = 0;
};

// Formats those of the directories that are empty; the metadata's is the first.  Answers the cluster's id.  Refused: a cluster id of
// another form, directories of another cluster or node, an empty metadata directory beside ones that are in use.
Result<std::string> format_directories(const FormatRequest&, std::span<log::LogDirectory* const> directories);

// Where the controller would be reached: the first listener of controller.listener.names, or an address that nobody binds.
Listener controller_endpoint(const Config&);

}  // namespace kq::broker
