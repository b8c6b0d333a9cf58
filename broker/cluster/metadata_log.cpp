#include "broker/cluster/metadata_log.hpp"

#include <algorithm>

#include "broker/cluster/quorum_state.hpp"
#include "broker/cluster/topic_name.hpp"
#include "libkq/record/batch_builder.hpp"
#include "libkq/record/batch_reader.hpp"

namespace kq::cluster {
namespace {

constexpr size_t snapshot_bytes_max = size_t{2} << 30;
constexpr size_t read_bytes = 4 << 20;
constexpr const char* part_suffix = ".checkpoint.part";

Error damaged(const std::string& path, std::string why) { return {own_code::data, path + ": " + std::move(why), Verdict::fatal}; }

}  // namespace

Result<std::unique_ptr<MetadataLog>> MetadataLog::open(Options options, int64_t now_ms) {
  std::unique_ptr<MetadataLog> metadata(new MetadataLog(std::move(options)));
  const Options& o = metadata->options_;
  const log::TopicPartition name{std::string(metadata_topic), 0};
  metadata->path_ = o.directory.path() + "/" + name.directory_name();
  KQ_TRY_ASSIGN(metadata->log_, o.directory.open_log(name, metadata_topic_id, o.log, now_ms));
  KQ_TRY(metadata->find_snapshots());
  return metadata;
}

Status MetadataLog::find_snapshots() {
  KQ_TRY_ASSIGN(const auto entries, options_.files.list(path_));
  for (const auto& entry : entries) {
    if (const auto id = SnapshotId::parse(entry.name)) snapshots_.push_back(*id);
    if (entry.name.ends_with(part_suffix)) KQ_TRY(options_.files.remove(path_ + "/" + entry.name));    // a crash kept it from its end
  }
  std::sort(snapshots_.begin(), snapshots_.end());
  return {};
}

Result<std::shared_ptr<const Image>> MetadataLog::load() {
  KQ_TRY_ASSIGN(const auto state, read_quorum_state(options_.files, path_));
  if (state) epoch_ = state->leader_epoch;
  Draft draft(std::make_shared<Image>());
  KQ_TRY(replay_snapshot(draft));
  KQ_TRY(replay_log(draft));
  for (const Voter& voter : quorum_.voters)
    if (voter.id != options_.node_id)
      return Error(own_code::config, path_ + " names node " + std::to_string(voter.id) + " a voter of its quorum, and this is node " +
                                         std::to_string(options_.node_id) + ": kqd cannot share a quorum yet; remove that voter first");
  transaction_left_open_ = draft.in_transaction();
  draft.abort_transaction();
  draft.set_kraft_version(quorum_.kraft_version);
  return draft.finish(end_offset() - 1, epoch_).first;
}

Status MetadataLog::replay_snapshot(Draft& draft) {
  if (snapshots_.empty()) {
    if (log_->start_offset() == 0) return {};
    return damaged(path_, "the log begins at offset " + std::to_string(log_->start_offset()) + " and there is no snapshot of what came before");
  }
  const SnapshotId latest = snapshots_.back();
  const std::string path = path_of(latest);
  KQ_TRY_ASSIGN(const std::string file, log::read_small_file(options_.files, path, snapshot_bytes_max));
  auto head = read_snapshot(as_bytes(file), [&](Bytes record) { return draft.replay(record); });
  if (!head) return std::move(head.error()).in(path);
  if (head->quorum) quorum_ = *head->quorum;
  epoch_ = std::max(epoch_, latest.epoch);
  if (latest.end_offset < log_->start_offset())
    return damaged(path_, "the log begins at offset " + std::to_string(log_->start_offset()) + ", behind the latest snapshot");
  // Kafka cuts here as well: what the log lacks, the snapshot has.
  if (latest.end_offset > log_->end_offset()) return options_.directory.truncate_fully_and_start_at(*log_, latest.end_offset, 0);
  return {};
}

Status MetadataLog::replay_log(Draft& draft) {
  int64_t next = snapshots_.empty() ? log_->start_offset() : snapshots_.back().end_offset;
  std::vector<std::byte> buffer;
  while (next < log_->end_offset()) {
    log::ReadRequest request;
    request.offset = next;
    request.bytes_max = read_bytes;
    request.upper_offset = log_->end_offset();
    KQ_TRY_ASSIGN(const auto read, log_->read(request));
    if (read.code != Code::none || read.slice.empty()) return damaged(path_, "offset " + std::to_string(next) + " cannot be read");
    buffer.resize(read.slice.length);
    KQ_TRY_ASSIGN(const size_t got, read.slice.file->read_at(read.slice.position, buffer));
    Bytes rest = Bytes(buffer).first(got);
    const int64_t before = next;
    for (BatchView batch; next_batch(rest, batch) == Step::batch;) {
      if (batch.last_offset() < next) continue;
      KQ_TRY(replay_batch(draft, batch));
      next = batch.next_offset();
    }
    if (next == before) return damaged(path_, "offset " + std::to_string(next) + " cannot be read");
  }
  return {};
}

Status MetadataLog::replay_batch(Draft& draft, const BatchView& batch) {
  BatchReader reader;
  Block block;
  KQ_TRY(reader.open(batch, block));
  for (RecordView record; reader.next(record);) {
    Status replayed = batch.control() ? apply_control(record.key, record.value, quorum_) : draft.replay(record.value);
    if (!replayed) return std::move(replayed.error()).in(path_ + ", offset " + std::to_string(record.offset));
  }
  epoch_ = std::max(epoch_, batch.leader_epoch());
  bytes_since_snapshot_ += batch.size();
  return reader.status();
}

Status MetadataLog::become_leader(int64_t now_ms) {
  ++epoch_;
  QuorumState state;
  state.leader_id = options_.node_id;
  state.leader_epoch = epoch_;
  state.names_voters = quorum_.kraft_version == 0;
  state.voter_id = options_.node_id;
  KQ_TRY(write_quorum_state(options_.files, path_, state));
  log_->assign_epoch(epoch_);
  // A log that begins says who its quorum is: until now the snapshot that `format` left did.
  std::optional<Quorum> told;
  if (end_offset() == 0 && quorum_.kraft_version > 0) told = quorum_;
  auto batch = leader_change_batch(options_.node_id, told, now_ms);
  log::AppendOptions as_quorum;
  as_quorum.origin = log::AppendOrigin::raft_leader;
  auto appended = log_->append_as_leader(batch, epoch_, now_ms, as_quorum);
  if (!appended) return std::move(appended.error());
  KQ_CHECK(appended->code == Code::none);
  return {};
}

Result<int64_t> MetadataLog::append(std::span<const std::vector<std::byte>> records, int64_t now_ms) {
  OwnedBatchBuilder batch;
  for (const auto& record : records) batch.append(now_ms, {}, record);
  batch.seal({});
  log::AppendOptions as_quorum;
  as_quorum.origin = log::AppendOrigin::raft_leader;
  KQ_TRY_ASSIGN(const auto appended, log_->append_as_leader(batch.sealed(), epoch_, now_ms, as_quorum));
  KQ_CHECK(appended.code == Code::none);
  bytes_since_snapshot_ += batch.size();
  return appended.first_offset;
}

Status MetadataLog::write_snapshot(const Image& image, int64_t last_contained_timestamp, int64_t now_ms) {
  const SnapshotId id{image.offset + 1, image.epoch};
  SnapshotWriter writer({last_contained_timestamp, quorum_}, id.epoch, now_ms);
  for_each_record(image, [&](Bytes record) { writer.add(record); });
  const auto bytes = writer.finish();
  const std::string part = path_ + "/" + id.file_name() + ".part";
  {
    KQ_TRY(options_.files.remove(part));
    KQ_TRY_ASSIGN(const auto file, options_.files.open(part, log::OpenMode::create));
    const Bytes pieces[] = {bytes};
    KQ_TRY(file->write_at(0, pieces));
    KQ_TRY(file->sync());
  }
  KQ_TRY(options_.files.rename(part, path_of(id)));
  return options_.files.sync_directory(path_);
}

void MetadataLog::snapshot_begun(int64_t now_ms) {
  bytes_since_snapshot_ = 0;
  // So that a segment begins where the snapshot ends: what it covers can go as whole files.
  if (const Status rolled = log_->roll(now_ms); !rolled) options_.logger.warning("metadata", rolled.error().message());
}

Status MetadataLog::snapshot_written(const SnapshotId& id, int64_t now_ms) {
  snapshots_.push_back(id);
  options_.logger.info("metadata", "wrote snapshot " + id.file_name());
  while (snapshots_.size() > 1 && log_->size() > options_.retention_bytes) {
    KQ_TRY(log_->raise_start(snapshots_[1].end_offset, now_ms));
    KQ_TRY(options_.files.remove(path_of(snapshots_.front())));
    snapshots_.erase(snapshots_.begin());
  }
  options_.directory.remove_later(log_->take_removals());
  return {};
}

Status MetadataLog::sync() {
  KQ_TRY_ASSIGN(const auto work, prepare_flush());
  Status synced = work.run();
  flushed(work, synced);
  return synced;
}

}  // namespace kq::cluster
