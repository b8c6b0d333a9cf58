// Snapshots of the metadata log, `<end offset>-<epoch>.checkpoint`, and bootstrap.checkpoint, which has the same form (wire.md, 8).
#pragma once

#include <compare>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "broker/cluster/image.hpp"

namespace kq::cluster {

struct SnapshotId {
  int64_t end_offset = 0;                            // what it holds comes before this
  int32_t epoch = 0;

  auto operator<=>(const SnapshotId&) const = default;
  std::string file_name() const;                     // 00000000000000000000-0000000000.checkpoint
  static std::optional<SnapshotId> parse(std::string_view file_name);
};

// One of the quorum's voters, as the control record KRaftVoters tells it.
struct Voter {
  int32_t id = -1;
  Uuid directory_id;
  std::vector<Endpoint> endpoints;                   // without protocols
  FeatureRange kraft_version;
};

// What control records say of the quorum itself.
struct Quorum {
  int16_t kraft_version = 0;                         // 1: the voters stand in the log
  std::vector<Voter> voters;
};

struct SnapshotHead {
  int64_t last_contained_timestamp = 0;
  std::optional<Quorum> quorum;                      // none: not told (bootstrap.checkpoint)
};

// Builds the whole file in memory: header, the quorum, records in batches, footer.
class SnapshotWriter {
 public:
  static constexpr size_t batch_bytes_max = 1 << 20;

  SnapshotWriter(const SnapshotHead& head, int32_t epoch, int64_t now_ms);
  ~SnapshotWriter();
  void add(Bytes record);
  std::vector<std::byte> finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// Checks the whole file and hands out its records.  Refused: a check sum that is wrong, a header or footer that is missing.
Result<SnapshotHead> read_snapshot(Bytes file, const std::function<Status(Bytes record)>& record);

// The control batch with which a leader begins its epoch; with `quorum`, the quorum follows in the same batch.
std::vector<std::byte> leader_change_batch(int32_t leader, const std::optional<Quorum>& quorum, int64_t now_ms);
// Takes a control record of the metadata log into `quorum`; LeaderChange and others change nothing.
Status apply_control(Bytes key, Bytes value, Quorum& quorum);

}  // namespace kq::cluster
