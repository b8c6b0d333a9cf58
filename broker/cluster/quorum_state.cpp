#include "broker/cluster/quorum_state.hpp"

#include <charconv>

namespace kq::cluster {
namespace {

constexpr const char* file_name = "/quorum-state";

// What stands behind `"key":` in an object without nesting; enough for a file of two known forms.
std::optional<std::string_view> value_of(std::string_view json, std::string_view key) {
  const std::string quoted = '"' + std::string(key) + "\":";
  const size_t at = json.find(quoted);
  if (at == json.npos) return std::nullopt;
  json.remove_prefix(at + quoted.size());
  json = json.substr(0, json.find_first_of(",}"));
  while (json.starts_with(' ')) json.remove_prefix(1);
  return json;
}

std::optional<int32_t> number_of(std::string_view json, std::string_view key) {
  const auto value = value_of(json, key);
  int32_t number = 0;
  if (!value || std::from_chars(value->data(), value->data() + value->size(), number).ec != std::errc{}) return std::nullopt;
  return number;
}

}  // namespace

std::string QuorumState::text() const {
  const std::string leader = "\"leaderId\":" + std::to_string(leader_id) + ",\"leaderEpoch\":" + std::to_string(leader_epoch) +
                             ",\"votedId\":" + std::to_string(voted_id);
  if (names_voters)
    return "{\"clusterId\":\"\"," + leader + ",\"appliedOffset\":0,\"currentVoters\":[{\"voterId\":" + std::to_string(voter_id) +
           "}],\"data_version\":0}";
  return "{" + leader + ",\"votedDirectoryId\":\"" + voted_directory_id.text() + "\",\"data_version\":1}";
}

std::optional<QuorumState> QuorumState::parse(std::string_view text) {
  QuorumState state;
  const auto leader = number_of(text, "leaderId"), epoch = number_of(text, "leaderEpoch"), voted = number_of(text, "votedId");
  const auto version = number_of(text, "data_version");
  if (!leader || !epoch || !voted || !version || *version < 0 || *version > 1) return std::nullopt;
  state.leader_id = *leader;
  state.leader_epoch = *epoch;
  state.voted_id = *voted;
  state.names_voters = *version == 0;
  state.voter_id = number_of(text, "voterId").value_or(-1);
  if (const auto id = value_of(text, "votedDirectoryId"); id && id->size() > 2)
    state.voted_directory_id = Uuid::parse(id->substr(1, id->size() - 2)).value_or(Uuid{});
  return state;
}

Result<std::optional<QuorumState>> read_quorum_state(log::FileSystem& files, const std::string& directory) {
  const std::string path = directory + file_name;
  if (!files.exists(path)) return std::optional<QuorumState>{};
  KQ_TRY_ASSIGN(const std::string text, log::read_small_file(files, path));
  auto state = QuorumState::parse(text);
  if (!state) return Error(own_code::data, path + " cannot be read: " + text.substr(0, 200));
  return state;
}

Status write_quorum_state(log::FileSystem& files, const std::string& directory, const QuorumState& state) {
  return log::replace_file(files, directory + file_name, state.text());
}

}  // namespace kq::cluster
