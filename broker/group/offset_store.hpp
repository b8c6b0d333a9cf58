// Committed offsets, and those of open transactions: what the offset records of a shard add up to.
#pragma once

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "broker/group/group.hpp"

namespace kq::group {

using OffsetsByTopic = std::map<std::string, std::map<int32_t, Offset>, std::less<>>;

// Changes by replay alone.
class OffsetStore {
 public:
  void put(std::string_view group, std::string_view topic, int32_t partition, Offset);
  void erase(std::string_view group, std::string_view topic, int32_t partition);
  // Of a producer's open transaction: not to be seen before its marker.
  void put_pending(int64_t producer_id, std::string_view group, std::string_view topic, int32_t partition, Offset);
  void erase_pending(std::string_view group, std::string_view topic, int32_t partition);
  void end_transaction(int64_t producer_id, bool commit);

  const OffsetsByTopic* of(std::string_view group) const;
  const Offset* find(std::string_view group, std::string_view topic, int32_t partition) const;
  bool pending(std::string_view group, std::string_view topic, int32_t partition) const;
  bool any_pending(std::string_view group) const;
  // Groups that have offsets, of transactions too.
  std::vector<std::string> groups() const;
  void each_pending(std::string_view group, const std::function<void(std::string_view topic, int32_t partition)>&) const;
  size_t size() const { return size_; }

  bool operator==(const OffsetStore& other) const { return groups_ == other.groups_ && transactions_ == other.transactions_; }

 private:
  struct Place {
    std::string group, topic;
    int32_t partition = -1;
    auto operator<=>(const Place&) const = default;
  };

  std::unordered_map<std::string, OffsetsByTopic, TextHash, std::equal_to<>> groups_;
  std::unordered_map<int64_t, std::map<Place, Offset>> transactions_;  // by producer id
  std::map<Place, std::set<int64_t>> pending_;                         // to the producers that wrote there
  size_t size_ = 0;
};

void write_offset(Writes&, std::string_view group, std::string_view topic, int32_t partition, const Offset&);
void write_offset_removed(Writes&, std::string_view group, std::string_view topic, int32_t partition);
Offset offset_of(const OffsetCommitValue&, int64_t record_offset);

}  // namespace kq::group
