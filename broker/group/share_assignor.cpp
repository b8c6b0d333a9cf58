#include <algorithm>
#include <vector>

#include "broker/group/share_group_coordinator.hpp"

namespace kq::group {
namespace {

// A topic's partitions over the members that may have them.
class Topic {
 public:
  Topic(const Uuid& id, const std::set<int32_t>& partitions, std::vector<std::string_view> members)
      : id_(id), members_(std::move(members)), partitions_(partitions.begin(), partitions.end()), shared_(partitions_.size(), 0) {
    // Each partition goes to `sharing` members at most, and the members' shares
    // differ by one at most.
    sharing_ = (members_.size() + partitions_.size() - 1) / partitions_.size();
    slots_ = partitions_.size() * sharing_;
  }

  void keep(const ShareGroup::Targets& before, ShareGroup::Targets& targets) {
    for (size_t m = 0; m < members_.size(); ++m) {
      const auto had = before.find(members_[m]);
      const auto of_topic = had == before.end() ? SharedPartitions::const_iterator{} : had->second.find(id_);
      if (had == before.end() || of_topic == had->second.end()) continue;
      for (const int32_t partition : of_topic->second) {
        const auto at = std::ranges::lower_bound(partitions_, partition);
        if (at == partitions_.end() || *at != partition) continue;
        give(m, static_cast<size_t>(at - partitions_.begin()), targets);
      }
    }
  }
  // The least shared partitions first, from another one for each member, so
  // that the load spreads.
  void fill(ShareGroup::Targets& targets) {
    for (size_t m = 0; m < members_.size(); ++m) {
      auto& mine = targets[std::string(members_[m])][id_];
      for (size_t level = 0; level < sharing_ && mine.size() < quota(m); ++level)
        for (size_t step = 0; step < partitions_.size() && mine.size() < quota(m); ++step) {
          const size_t p = (m + step) % partitions_.size();
          if (shared_[p] == level && !mine.contains(partitions_[p])) give(m, p, targets);
        }
    }
    // A quota that rounding left short of a partition: everybody may take it.
    for (size_t p = 0; p < partitions_.size(); ++p)
      if (shared_[p] == 0) give_anyway(p % members_.size(), p, targets);
  }

 private:
  size_t quota(size_t member) const {
    return std::min(partitions_.size(), slots_ / members_.size() + (member < slots_ % members_.size() ? 1 : 0));
  }
  void give(size_t member, size_t partition, ShareGroup::Targets& targets) {
    if (shared_[partition] >= sharing_ || targets[std::string(members_[member])][id_].size() >= quota(member)) return;
    give_anyway(member, partition, targets);
  }
  void give_anyway(size_t member, size_t partition, ShareGroup::Targets& targets) {
    shared_[partition] += targets[std::string(members_[member])][id_].insert(partitions_[partition]).second;
  }

  const Uuid id_;
  const std::vector<std::string_view> members_;
  const std::vector<int32_t> partitions_;
  std::vector<size_t> shared_;  // by partition: how many have it
  size_t sharing_ = 0, slots_ = 0;
};

}  // namespace

std::map<std::string, SharedPartitions, std::less<>> assign_simply(const ShareSubscriptions& subscriptions,
                                                                   const ShareGroup::Targets& before) {
  ShareGroup::Targets targets;
  std::map<Uuid, std::pair<std::set<int32_t>, std::vector<std::string_view>>> topics;
  for (const auto& [member, partitions] : subscriptions) {
    targets[member];
    for (const auto& [topic, indices] : partitions) {
      if (indices.empty()) continue;
      topics[topic].first = indices;
      topics[topic].second.push_back(member);
    }
  }
  for (const auto& [id, entry] : topics) {
    Topic topic(id, entry.first, entry.second);
    topic.keep(before, targets);
    topic.fill(targets);
  }
  for (auto& [member, partitions] : targets) std::erase_if(partitions, [](const auto& topic) { return topic.second.empty(); });
  return targets;
}

}  // namespace kq::group
