#include "broker/group/offset_store.hpp"

namespace kq::group {

void OffsetStore::put(std::string_view group, std::string_view topic, int32_t partition, Offset offset) {
  auto of_group = groups_.find(group);
  if (of_group == groups_.end()) of_group = groups_.try_emplace(std::string(group)).first;
  auto of_topic = of_group->second.find(topic);
  if (of_topic == of_group->second.end()) of_topic = of_group->second.try_emplace(std::string(topic)).first;
  size_ += of_topic->second.insert_or_assign(partition, std::move(offset)).second;
}

void OffsetStore::erase(std::string_view group, std::string_view topic, int32_t partition) {
  const auto of_group = groups_.find(group);
  if (of_group == groups_.end()) return;
  const auto of_topic = of_group->second.find(topic);
  if (of_topic == of_group->second.end()) return;
  size_ -= of_topic->second.erase(partition);
  if (of_topic->second.empty()) of_group->second.erase(of_topic);
  if (of_group->second.empty()) groups_.erase(of_group);
}

void OffsetStore::put_pending(int64_t producer_id, std::string_view group, std::string_view topic, int32_t partition,
                              Offset offset) {
  Place place{std::string(group), std::string(topic), partition};
  pending_[place].insert(producer_id);
  transactions_[producer_id].insert_or_assign(std::move(place), std::move(offset));
}

void OffsetStore::erase_pending(std::string_view group, std::string_view topic, int32_t partition) {
  if (pending_.empty()) return;
  const auto at = pending_.find({std::string(group), std::string(topic), partition});
  if (at == pending_.end()) return;
  for (const int64_t producer_id : at->second) transactions_[producer_id].erase(at->first);
  pending_.erase(at);
}

// Of a transaction's offset and a plain one, or of two transactions', the one that was written later holds, as compaction would have it.
void OffsetStore::end_transaction(int64_t producer_id, bool commit) {
  const auto transaction = transactions_.find(producer_id);
  if (transaction == transactions_.end()) return;
  for (auto& [place, offset] : transaction->second) {
    const auto at = pending_.find(place);
    at->second.erase(producer_id);
    if (at->second.empty()) pending_.erase(at);
    if (!commit) continue;
    const Offset* held = find(place.group, place.topic, place.partition);
    if (!held || held->record_offset < offset.record_offset) put(place.group, place.topic, place.partition, std::move(offset));
  }
  transactions_.erase(transaction);
}

const OffsetsByTopic* OffsetStore::of(std::string_view group) const {
  const auto found = groups_.find(group);
  return found == groups_.end() ? nullptr : &found->second;
}

const Offset* OffsetStore::find(std::string_view group, std::string_view topic, int32_t partition) const {
  const OffsetsByTopic* topics = of(group);
  if (!topics) return nullptr;
  const auto of_topic = topics->find(topic);
  if (of_topic == topics->end()) return nullptr;
  const auto found = of_topic->second.find(partition);
  return found == of_topic->second.end() ? nullptr : &found->second;
}

bool OffsetStore::pending(std::string_view group, std::string_view topic, int32_t partition) const {
  return !pending_.empty() && pending_.contains({std::string(group), std::string(topic), partition});
}

bool OffsetStore::any_pending(std::string_view group) const {
  if (pending_.empty()) return false;
  const auto first = pending_.lower_bound({std::string(group), {}, INT32_MIN});
  return first != pending_.end() && first->first.group == group;
}

void OffsetStore::each_pending(std::string_view group, const std::function<void(std::string_view, int32_t)>& visit) const {
  for (auto at = pending_.lower_bound({std::string(group), {}, INT32_MIN}); at != pending_.end() && at->first.group == group;
       ++at)
    visit(at->first.topic, at->first.partition);
}

std::vector<std::string> OffsetStore::groups() const {
  std::set<std::string> names;
  for (const auto& [name, topics] : groups_) names.insert(name);
  for (const auto& [place, producers] : pending_) names.insert(place.group);
  return {names.begin(), names.end()};
}

// ---- Records ---------------------------------------------------------------------------------------------------------------------

void write_offset(Writes& writes, std::string_view group, std::string_view topic, int32_t partition, const Offset& offset) {
  constexpr int16_t with_topic_id = 4, with_expiry = 1;  // 4.2 writes an expiry in the one version that has it
  OffsetCommitKey key;
  key.group = group;
  key.topic = topic;
  key.partition = partition;
  OffsetCommitValue value;
  value.offset = offset.offset;
  value.leader_epoch = offset.leader_epoch;
  value.metadata = offset.metadata;
  value.commit_timestamp = offset.commit_ms;
  value.expire_timestamp = offset.expire_ms;
  value.topic_id = offset.topic_id;
  writes.put(key, value, offset.expire_ms >= 0 ? with_expiry : with_topic_id);
}

void write_offset_removed(Writes& writes, std::string_view group, std::string_view topic, int32_t partition) {
  OffsetCommitKey key;
  key.group = group;
  key.topic = topic;
  key.partition = partition;
  writes.remove(key);
}

Offset offset_of(const OffsetCommitValue& value, int64_t record_offset) {
  return {.offset = value.offset,
          .leader_epoch = value.leader_epoch,
          .metadata = std::string(value.metadata),
          .commit_ms = value.commit_timestamp,
          .expire_ms = value.expire_timestamp,
          .topic_id = value.topic_id,
          .record_offset = record_offset};
}

}  // namespace kq::group
