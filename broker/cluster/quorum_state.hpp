// quorum-state: which epoch the metadata log is in, and who leads it.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "broker/log/file.hpp"
#include "libkq/base/uuid.hpp"

namespace kq::cluster {

struct QuorumState {
  int32_t leader_id = -1;
  int32_t leader_epoch = 0;
  int32_t voted_id = -1;
  Uuid voted_directory_id;
  bool names_voters = false;                         // data_version 0, where the voters are configured and not in the log
  int32_t voter_id = -1;                             // with names_voters: the only one

  std::string text() const;
  static std::optional<QuorumState> parse(std::string_view text);
};

// Absent: nothing.
Result<std::optional<QuorumState>> read_quorum_state(log::FileSystem&, const std::string& directory);
Status write_quorum_state(log::FileSystem&, const std::string& directory, const QuorumState&);

}  // namespace kq::cluster
