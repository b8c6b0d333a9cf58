#include "broker/share/state_shard.hpp"

#include <algorithm>

namespace kq::share {
namespace {

constexpr Refusal negative_partition{Code::invalid_request, "The partition id cannot be a negative number."};
constexpr Refusal uninitialized_write{Code::invalid_request, "Write operation on uninitialized share partition not allowed."};
constexpr Refusal uninitialized_read{Code::invalid_request, "Read operation on uninitialized share partition not allowed."};
constexpr Refusal fenced_leader{Code::fenced_leader_epoch,
                                "The leader epoch in the request is older than the epoch on the broker."};
constexpr Refusal fenced_state{Code::fenced_state_epoch,
                               "The share coordinator rejected the request because the share-group state epoch did not match."};
constexpr Refusal unknown_topic{Code::unknown_topic_or_partition, "This server does not host this topic-partition."};

template <class RecordKey>
RecordKey record_key(const Key& key) {
  return {.group_id = key.group, .topic_id = key.topic_id, .partition = key.partition};
}

template <class Batches>
Batches to_record(const StateBatches& batches) {
  Batches to;
  to.reserve(batches.size());
  for (const StateBatch& batch : batches)
    to.push_back({batch.first, batch.last, static_cast<int8_t>(batch.state), batch.delivery_count});
  return to;
}

template <class Batches>
StateBatches from_record(const Batches& batches) {
  StateBatches to;
  to.reserve(batches.size());
  for (const auto& batch : batches)
    to.push_back({batch.first_offset, batch.last_offset, RecordState{batch.delivery_state}, batch.delivery_count});
  return to;
}

}  // namespace

// ---- Requests --------------------------------------------------------------------------------------------------------------------

Refusal StateShard::check_topic(const Key& key) const {
  const cluster::TopicImage* topic = image_->topic(key.topic_id);
  return topic && topic->partition(key.partition) ? Refusal{} : unknown_topic;
}

const StateShard::State* StateShard::find(const Key& key) const {
  const auto found = states_.find(key);
  return found == states_.end() ? nullptr : &found->second.state;
}

Refusal StateShard::initialize(const Now& now, const Key& key, int32_t state_epoch, int64_t start_offset, Writes& writes) const {
  if (key.partition < 0) return negative_partition;
  const auto found = states_.find(key);
  if (state_epoch != -1 && found != states_.end() && found->second.state_epoch_max > state_epoch) return fenced_state;
  if (const Refusal refusal = check_topic(key); refusal.code != Code::none) return refusal;
  State state;
  state.snapshot_epoch = found == states_.end() ? 0 : found->second.state.snapshot_epoch + 1;
  state.state_epoch = state_epoch;
  state.start_offset = start_offset;
  state.create_ms = state.write_ms = now.wall_ms;
  put_snapshot(key, state, writes);
  return {};
}

Refusal StateShard::write(const Now& now, const Key& key, const Write& write, Writes& writes) const {
  if (key.partition < 0) return negative_partition;
  const auto found = states_.find(key);
  if (found == states_.end()) return uninitialized_write;
  if (write.leader_epoch != -1 && found->second.leader_epoch_max > write.leader_epoch) return fenced_leader;
  if (write.state_epoch != -1 && found->second.state_epoch_max > write.state_epoch) return fenced_state;
  if (const Refusal refusal = check_topic(key); refusal.code != Code::none) return refusal;
  put(now, key, found->second, write, writes);
  return {};
}

Refusal StateShard::read(const Now& now, const Key& key, int32_t leader_epoch, State& state, Writes& writes) const {
  if (key.partition < 0) return negative_partition;
  const auto found = states_.find(key);
  if (found == states_.end()) return uninitialized_read;
  const Entry& entry = found->second;
  if (entry.leader_epoch_max > leader_epoch) return fenced_leader;
  if (const Refusal refusal = check_topic(key); refusal.code != Code::none) return refusal;
  state = entry.state;
  if (leader_epoch == -1 || leader_epoch == entry.leader_epoch_max) return {};
  put(now, key, entry,
      {.leader_epoch = leader_epoch,
       .start_offset = state.start_offset,
       .delivery_complete_count = state.delivery_complete_count,
       .batches = {}},
      writes);
  return {};
}

Refusal StateShard::summary(const Key& key, State& state) const {
  if (key.partition < 0) return negative_partition;
  if (const Refusal refusal = check_topic(key); refusal.code != Code::none) return refusal;
  const State* found = find(key);
  state = found ? *found : State{};
  return {};
}

Refusal StateShard::remove(const Key& key, Writes& writes) const {
  if (key.partition < 0) return negative_partition;
  if (const Refusal refusal = check_topic(key); refusal.code != Code::none) return refusal;
  if (states_.contains(key)) writes.remove(record_key<ShareSnapshotKey>(key));
  return {};
}

// ---- Records ---------------------------------------------------------------------------------------------------------------------

void StateShard::put_snapshot(const Key& key, const State& state, Writes& writes) const {
  ShareSnapshotValue value;
  value.snapshot_epoch = state.snapshot_epoch;
  value.state_epoch = state.state_epoch;
  value.leader_epoch = state.leader_epoch;
  value.start_offset = state.start_offset;
  value.delivery_complete_count = state.delivery_complete_count;
  value.create_timestamp = state.create_ms;
  value.write_timestamp = state.write_ms;
  value.state_batches = to_record<decltype(value.state_batches)>(state.batches);
  writes.put(record_key<ShareSnapshotKey>(key), value, ShareSnapshotValue::stable);
}

void StateShard::put(const Now& now, const Key& key, const Entry& entry, const Write& write, Writes& writes) const {
  const int32_t leader_epoch = write.leader_epoch == -1 ? entry.state.leader_epoch : write.leader_epoch;
  if (entry.updates < settings_.updates_per_snapshot) {
    ShareUpdateValue value;
    value.snapshot_epoch = entry.state.snapshot_epoch;
    value.leader_epoch = leader_epoch;
    value.start_offset = write.start_offset;
    value.delivery_complete_count = write.delivery_complete_count;
    value.state_batches = to_record<decltype(value.state_batches)>(combine({}, write.batches, write.start_offset));
    return writes.put(record_key<ShareUpdateKey>(key), value, ShareUpdateValue::stable);
  }
  State next = entry.state;
  ++next.snapshot_epoch;
  next.leader_epoch = leader_epoch;
  if (write.state_epoch != -1) next.state_epoch = write.state_epoch;
  if (write.start_offset != uninitialized_offset) next.start_offset = write.start_offset;
  next.delivery_complete_count = write.delivery_complete_count;
  next.batches = combine(entry.state.batches, write.batches, next.start_offset);
  next.create_ms = next.write_ms = now.wall_ms;
  put_snapshot(key, next, writes);
}

void StateShard::replay(const coordinator::Record& record) {
  const auto frame = read_key_frame(record.key);
  if (!frame || (frame->type != ShareSnapshotKey::type && frame->type != ShareUpdateKey::type)) return;
  const auto read_key = decode<ShareSnapshotKey>(frame->message, 0);  // both kinds have the same
  if (!read_key) return;
  const Key key{std::string(read_key->group_id), read_key->topic_id, read_key->partition};
  const auto value = record.value ? read_value_frame(*record.value, frame->type) : std::nullopt;
  if (frame->type == ShareSnapshotKey::type) {
    if (record.value && !value) return;
    const auto snapshot = value ? decode<ShareSnapshotValue>(value->message, value->version) : std::nullopt;
    if (snapshot || !record.value) replay_snapshot(key, snapshot, record.offset);
  } else if (value) {
    if (const auto update = decode<ShareUpdateValue>(value->message, value->version)) replay_update(key, *update);
  }
}

void StateShard::replay_snapshot(const Key& key, const std::optional<ShareSnapshotValue>& value, int64_t offset) {
  last_offset_ = offset;
  auto found = states_.find(key);
  if (found != states_.end()) snapshots_.erase(snapshots_.find(found->second.snapshot_offset));
  if (!value) {
    if (found != states_.end()) states_.erase(found);
    return;
  }
  snapshots_.insert(offset);
  Entry& entry = states_[key];
  entry.state = {.snapshot_epoch = value->snapshot_epoch,
                 .state_epoch = value->state_epoch,
                 .leader_epoch = value->leader_epoch,
                 .start_offset = value->start_offset,
                 .delivery_complete_count = value->delivery_complete_count,
                 .create_ms = value->create_timestamp,
                 .write_ms = value->write_timestamp,
                 .batches = from_record(value->state_batches)};
  entry.leader_epoch_max = std::max(entry.leader_epoch_max, value->leader_epoch);
  entry.state_epoch_max = std::max(entry.state_epoch_max, value->state_epoch);
  entry.updates = 0;
  entry.snapshot_offset = offset;
}

// An update whose snapshot is gone was deleted with it: a tombstone stands between them.
void StateShard::replay_update(const Key& key, const ShareUpdateValue& value) {
  const auto found = states_.find(key);
  if (found == states_.end()) return;
  Entry& entry = found->second;
  State& state = entry.state;
  if (value.start_offset != uninitialized_offset) state.start_offset = value.start_offset;
  if (value.leader_epoch != -1) state.leader_epoch = value.leader_epoch;
  state.delivery_complete_count = value.delivery_complete_count;
  state.batches = combine(state.batches, from_record(value.state_batches), state.start_offset);
  entry.leader_epoch_max = std::max(entry.leader_epoch_max, value.leader_epoch);
  ++entry.updates;
}

// ---- What time brings ------------------------------------------------------------------------------------------------------------

void StateShard::loaded(const Now& now, std::shared_ptr<const cluster::Image> image) {
  image_ = std::move(image);
  topics_deleted_ = true;  // maybe, while nobody looked
  cold_due_ = now.instant + settings_.cold_snapshot_interval;
  prune_due_ = now.instant + settings_.prune_interval;
  deadline_ = now.instant;
}

void StateShard::metadata_changed(const Now& now, std::shared_ptr<const cluster::Image> image, const cluster::Delta& delta) {
  image_ = std::move(image);
  if (std::ranges::none_of(delta.topics, [](const auto& change) { return !change.after; })) return;
  topics_deleted_ = true;
  wait(now.instant);
}

void StateShard::tick(const Now& now, Writes& writes) {
  deadline_.reset();
  writes.may_be_split();
  if (topics_deleted_) {
    forget_deleted_topics(writes);
  } else if (now.instant >= cold_due_) {
    cold_due_ = now.instant + settings_.cold_snapshot_interval;
    snapshot_cold(now, writes);
  } else if (now.instant >= prune_due_) {
    prune_due_ = now.instant + settings_.prune_interval;
    prune();
  }
  wait(topics_deleted_ ? now.instant : std::min(cold_due_, prune_due_));
}

void StateShard::forget_deleted_topics(Writes& writes) {
  for (const auto& [key, entry] : states_)
    if (!image_->topic(key.topic_id)) writes.remove(record_key<ShareSnapshotKey>(key));
  topics_deleted_ = false;
  writes.then([this](Code code) { topics_deleted_ |= code != Code::none; });
}

// What has had its cold snapshot, which has another write time, is not written again.
void StateShard::snapshot_cold(const Now& now, Writes& writes) const {
  const int64_t interval_ms = std::chrono::duration_cast<std::chrono::milliseconds>(settings_.cold_snapshot_interval).count();
  for (const auto& [key, entry] : states_) {
    if (now.wall_ms - entry.state.write_ms < interval_ms) continue;
    if (entry.state.create_ms != entry.state.write_ms && entry.updates == 0) continue;
    State next = entry.state;
    ++next.snapshot_epoch;
    next.write_ms = now.wall_ms;
    put_snapshot(key, next, writes);
  }
}

void StateShard::prune() {
  const int64_t below = redundant_below();
  if (below <= pruned_below_) return;
  pruned_below_ = below;
  settings_.prune(below);
}

}  // namespace kq::share
