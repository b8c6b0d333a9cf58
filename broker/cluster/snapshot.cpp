#include "broker/cluster/snapshot.hpp"

#include <charconv>
#include <cstdio>

#include "libkq/protocol/messages/control_records.hpp"
#include "libkq/protocol/wire.hpp"
#include "libkq/record/batch_builder.hpp"
#include "libkq/record/batch_reader.hpp"

namespace kq::cluster {
namespace {

constexpr std::string_view suffix = ".checkpoint";
constexpr size_t offset_digits = 20, epoch_digits = 10;

Error damaged(std::string text) { return {own_code::data, "the snapshot is damaged: " + std::move(text), Verdict::fatal}; }

template <class Control>
void append_control(OwnedBatchBuilder& batch, ControlType type, const Control& control, int64_t now_ms) {
  std::vector<std::byte> value;
  KQ_CHECK(encode(control, 0, value));
  const auto key = control_key(type);
  batch.append(now_ms, key, value);
}

void append_quorum(OwnedBatchBuilder& batch, const Quorum& quorum, int64_t now_ms) {
  KraftVersionRecord version;
  version.kraft_version = quorum.kraft_version;
  append_control(batch, ControlType::kraft_version, version, now_ms);
  if (quorum.kraft_version == 0) return;
  KraftVotersRecord voters;
  for (const Voter& voter : quorum.voters) {
    auto& to = voters.voters.emplace_back();
    to.voter_id = voter.id;
    to.voter_directory_id = voter.directory_id;
    for (const Endpoint& endpoint : voter.endpoints) {
      auto& reach = to.endpoints.emplace_back();
      reach.name = endpoint.name;
      reach.host = endpoint.host;
      reach.port = endpoint.port;
    }
    to.kraft_version_feature.min_supported_version = voter.kraft_version.min;
    to.kraft_version_feature.max_supported_version = voter.kraft_version.max;
  }
  append_control(batch, ControlType::kraft_voters, voters, now_ms);
}

BatchFields fields_of(int64_t base_offset, int32_t epoch, bool control) {
  BatchFields fields;
  fields.base_offset = base_offset;
  fields.leader_epoch = epoch;
  fields.control = control;
  return fields;
}

}  // namespace

std::string SnapshotId::file_name() const {
  char text[64];
  std::snprintf(text, sizeof text, "%020lld-%010d%s", static_cast<long long>(end_offset), epoch, suffix.data());
  return text;
}

std::optional<SnapshotId> SnapshotId::parse(std::string_view name) {
  if (name.size() != offset_digits + 1 + epoch_digits + suffix.size() || !name.ends_with(suffix) || name[offset_digits] != '-')
    return std::nullopt;
  const auto number = [](std::string_view digits, auto& value) {
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    return error == std::errc{} && end == digits.data() + digits.size() && value >= 0;
  };
  SnapshotId id;
  if (!number(name.substr(0, offset_digits), id.end_offset) || !number(name.substr(offset_digits + 1, epoch_digits), id.epoch))
    return std::nullopt;
  return id;
}

struct SnapshotWriter::State {
  int32_t epoch;
  int64_t now_ms;
  OwnedBatchBuilder batch{};
  int64_t next_offset = 0;
  std::vector<std::byte> file{};

  void end_batch(bool control) {
    if (batch.empty()) return;
    const Bytes sealed = batch.seal(fields_of(next_offset, epoch, control));
    file.insert(file.end(), sealed.begin(), sealed.end());
    next_offset += batch.count();
    batch.clear();
  }
};

SnapshotWriter::SnapshotWriter(const SnapshotHead& head, int32_t epoch, int64_t now_ms) : state_(new State{epoch, now_ms}) {
  SnapshotHeaderRecord header;
  header.last_contained_log_timestamp = head.last_contained_timestamp;
  append_control(state_->batch, ControlType::snapshot_header, header, now_ms);
  if (head.quorum && head.quorum->kraft_version > 0) append_quorum(state_->batch, *head.quorum, now_ms);
  state_->end_batch(true);
}

SnapshotWriter::~SnapshotWriter() = default;

void SnapshotWriter::add(Bytes record) {
  if (state_->batch.size() + record.size() > batch_bytes_max) state_->end_batch(false);
  state_->batch.append(state_->now_ms, {}, record);
}

std::vector<std::byte> SnapshotWriter::finish() {
  state_->end_batch(false);
  append_control(state_->batch, ControlType::snapshot_footer, SnapshotFooterRecord{}, state_->now_ms);
  state_->end_batch(true);
  return std::move(state_->file);
}

Result<SnapshotHead> read_snapshot(Bytes file, const std::function<Status(Bytes)>& visit) {
  SnapshotHead head;
  Quorum quorum;
  bool begun = false, ended = false;
  BatchReader reader;
  Block block;
  BatchView batch;
  Step step;
  while ((step = next_batch(file, batch)) == Step::batch) {
    if (ended) return damaged("something follows its footer");
    KQ_TRY(reader.open(batch, block));
    for (RecordView record; reader.next(record);) {
      if (!batch.control()) {
        if (!begun) return damaged("it has no header");
        KQ_TRY(visit(record.value));
        continue;
      }
      const auto type = static_cast<ControlType>(control_type(record.key));
      if (type == ControlType::snapshot_header) {
        const auto header = decode<SnapshotHeaderRecord>(record.value, 0);
        if (!header) return damaged("its header cannot be read");
        head.last_contained_timestamp = header->last_contained_log_timestamp;
        begun = true;
      } else if (type == ControlType::snapshot_footer) {
        ended = true;
      } else {
        KQ_TRY(apply_control(record.key, record.value, quorum));
        head.quorum = quorum;
      }
    }
    KQ_TRY(reader.status());
  }
  if (step != Step::end) return damaged("it ends within a batch");
  if (!begun || !ended) return damaged("its header or footer is missing");
  return head;
}

std::vector<std::byte> leader_change_batch(int32_t leader, const std::optional<Quorum>& quorum, int64_t now_ms) {
  OwnedBatchBuilder batch;
  LeaderChangeRecord change;
  change.leader_id = leader;
  change.voters.emplace_back().voter_id = leader;
  change.granting_voters.emplace_back().voter_id = leader;
  append_control(batch, ControlType::leader_change, change, now_ms);
  if (quorum) append_quorum(batch, *quorum, now_ms);
  const Bytes sealed = batch.seal(fields_of(0, 0, true));
  return {sealed.begin(), sealed.end()};
}

Status apply_control(Bytes key, Bytes value, Quorum& quorum) {
  const auto type = static_cast<ControlType>(control_type(key));
  if (type == ControlType::kraft_version) {
    const auto record = decode<KraftVersionRecord>(value, 0);
    if (!record) return damaged("the version of KRaft cannot be read");
    quorum.kraft_version = record->kraft_version;
  } else if (type == ControlType::kraft_voters) {
    const auto record = decode<KraftVotersRecord>(value, 0);
    if (!record) return damaged("the voters cannot be read");
    quorum.voters.clear();
    for (const auto& from : record->voters) {
      Voter& voter = quorum.voters.emplace_back();
      voter.id = from.voter_id;
      voter.directory_id = from.voter_directory_id;
      for (const auto& endpoint : from.endpoints)
        voter.endpoints.push_back({std::string(endpoint.name), std::string(endpoint.host), endpoint.port, 0});
      voter.kraft_version = {from.kraft_version_feature.min_supported_version, from.kraft_version_feature.max_supported_version};
    }
  }
  return {};
}

}  // namespace kq::cluster
