#include "libkq/client/offset_store.hpp"

namespace kq::client {

void OffsetStore::handed_out(std::string_view topic, int32_t partition, int64_t next, int32_t leader_epoch) {
  auto found = entries_.find(ByName::Name{topic, partition});
  if (found == entries_.end()) found = entries_.emplace(TopicPartition{std::string(topic), partition}, Entry{}).first;
  if (!found->second.handed) fresh_.push_back(&*found);
  found->second.handed = Offset{next, leader_epoch};
}

void OffsetStore::store_handed(Entries::value_type& entry) {
  if (stores_by_itself_) entry.second.stored = std::move(entry.second.handed);
  entry.second.handed.reset();
}

bool OffsetStore::poll_begins() {
  if (fresh_.empty()) return false;
  for (Entries::value_type* entry : fresh_) store_handed(*entry);
  fresh_.clear();
  return stores_by_itself_;
}

void OffsetStore::done_with(std::string_view topic, int32_t partition, int64_t next) {
  const auto found = entries_.find(ByName::Name{topic, partition});
  if (found == entries_.end() || !found->second.handed || found->second.handed->offset != next) return;
  store_handed(*found);
  std::erase(fresh_, &*found);
}

void OffsetStore::store(const TopicPartition& at, int64_t offset, int32_t leader_epoch, std::string metadata) {
  entries_[at].stored = Offset{offset, leader_epoch, std::move(metadata)};
}

void OffsetStore::moved(std::string_view topic, int32_t partition) {
  const auto found = entries_.find(ByName::Name{topic, partition});
  if (found == entries_.end()) return;
  found->second.handed.reset();
  std::erase(fresh_, &*found);
}

void OffsetStore::committed(const TopicPartition& at, int64_t offset) {
  if (const auto found = entries_.find(at); found != entries_.end()) found->second.committed = offset;
}

void OffsetStore::forget(const Partitions& partitions) {
  for (const TopicPartition& each : partitions) {
    const auto found = entries_.find(each);
    if (found == entries_.end()) continue;
    std::erase(fresh_, &*found);
    entries_.erase(found);
  }
}

GroupOffset OffsetStore::outward(const TopicPartition& at, const Offset& offset) {
  return {.at = at, .offset = offset.offset, .leader_epoch = offset.leader_epoch, .metadata = offset.metadata};
}

std::vector<GroupOffset> OffsetStore::to_commit() const {
  std::vector<GroupOffset> offsets;
  for (const auto& [at, entry] : entries_)
    if (dirty(entry)) offsets.push_back(outward(at, *entry.stored));
  return offsets;
}

std::vector<GroupOffset> OffsetStore::to_commit(const Partitions& partitions) const {
  std::vector<GroupOffset> offsets;
  for (const TopicPartition& each : partitions) {
    const auto found = entries_.find(each);
    if (found != entries_.end() && dirty(found->second)) offsets.push_back(outward(each, *found->second.stored));
  }
  return offsets;
}

std::vector<GroupOffset> OffsetStore::all() const {
  std::vector<GroupOffset> offsets;
  for (const auto& [at, entry] : entries_) {
    const auto& newest = stores_by_itself_ && entry.handed ? entry.handed : entry.stored;
    if (newest && newest->offset != entry.committed) offsets.push_back(outward(at, *newest));
  }
  return offsets;
}

bool OffsetStore::anything_to_commit() const {
  return std::ranges::any_of(entries_, [](const auto& entry) { return dirty(entry.second); });
}

}  // namespace kq::client
