#include "broker/group/assignor.hpp"

#include <algorithm>

namespace kq::group {
namespace {

// Places in input.members, of those who subscribe.
std::map<Uuid, std::vector<size_t>> subscribers(const AssignorInput& input) {
  std::map<Uuid, std::vector<size_t>> of_topic;
  for (size_t i = 0; i < input.members.size(); ++i)
    for (const Uuid& topic : input.members[i].topics) of_topic[topic].push_back(i);
  return of_topic;
}

using TopicPartition = std::pair<Uuid, int32_t>;

// Gives out partitions and knows how many each member has.
class Loads {
 public:
  explicit Loads(size_t members) : assigned_(members), counts_(members) {}

  void give(size_t member, const TopicPartition& partition) {
    assigned_[member][partition.first].insert(partition.second);
    ++counts_[member];
  }
  void take(size_t member, const TopicPartition& partition) {
    auto& of_topic = assigned_[member][partition.first];
    of_topic.erase(partition.second);
    if (of_topic.empty()) assigned_[member].erase(partition.first);
    --counts_[member];
  }
  size_t count(size_t member) const { return counts_[member]; }
  const TopicPartitions& of(size_t member) const { return assigned_[member]; }
  // The one of them that has least.
  size_t least(const std::vector<size_t>& members) const {
    return *std::ranges::min_element(members, {}, [this](size_t member) { return counts_[member]; });
  }
  std::vector<TopicPartitions> done() { return std::move(assigned_); }

 private:
  std::vector<TopicPartitions> assigned_;
  std::vector<size_t> counts_;
};

bool equal_subscriptions(const AssignorInput& input) {
  return std::ranges::all_of(input.members,
                             [&](const AssignorMember& member) { return member.topics == input.members.front().topics; });
}

// What stays with its owner: all that it still subscribes to, up to `most`.
void keep_owned(const AssignorInput& input, size_t least, size_t extra, Loads& loads, std::set<TopicPartition>& free) {
  for (size_t i = 0; i < input.members.size(); ++i) {
    const AssignorMember& member = input.members[i];
    if (!member.owned) continue;
    for (const auto& [topic, partitions] : *member.owned) {
      if (!member.topics.contains(topic)) continue;
      for (const int32_t partition : partitions) {
        const bool over = loads.count(i) > least || (loads.count(i) == least && extra == 0);
        const auto found = over ? free.end() : free.find({topic, partition});
        if (found == free.end()) continue;
        if (loads.count(i) == least) --extra;
        loads.give(i, *found);
        free.erase(found);
      }
    }
  }
}

// Moves single partitions from who has most to who has least until that brings nothing.
void level(const AssignorInput& input, const std::map<Uuid, std::vector<size_t>>& of_topic, Loads& loads) {
  for (bool moved = true; moved;) {
    moved = false;
    for (size_t from = 0; from < input.members.size() && !moved; ++from)
      for (const auto& [topic, partitions] : loads.of(from)) {
        const size_t to = loads.least(of_topic.at(topic));
        if (loads.count(from) < loads.count(to) + 2) continue;
        const TopicPartition partition{topic, *partitions.rbegin()};
        loads.take(from, partition);
        loads.give(to, partition);
        moved = true;
        break;
      }
  }
}

}  // namespace

std::vector<TopicPartitions> assign_range(const AssignorInput& input) {
  std::vector<TopicPartitions> assigned(input.members.size());
  for (auto& [topic, members] : subscribers(input)) {
    const auto count = input.topics.find(topic);
    if (count == input.topics.end()) continue;
    auto ordered = members;  // static members first, so that a restart moves nothing
    std::ranges::sort(ordered, [&](size_t a, size_t b) {
      const auto& left = input.members[a];
      const auto& right = input.members[b];
      if (left.instance_id.has_value() != right.instance_id.has_value()) return left.instance_id.has_value();
      if (left.instance_id) return *left.instance_id < *right.instance_id;
      return left.id < right.id;
    });
    const auto partitions = static_cast<size_t>(count->second);
    size_t next = 0;
    for (size_t i = 0; i < ordered.size(); ++i) {
      const size_t share = partitions / ordered.size() + (i < partitions % ordered.size());
      for (size_t n = 0; n < share; ++n) assigned[ordered[i]][topic].insert(static_cast<int32_t>(next++));
    }
  }
  return assigned;
}

std::vector<TopicPartitions> assign_uniform(const AssignorInput& input) {
  Loads loads(input.members.size());
  if (input.members.empty()) return loads.done();
  const auto of_topic = subscribers(input);
  std::set<TopicPartition> free;
  for (const auto& [topic, members] : of_topic)
    if (const auto count = input.topics.find(topic); count != input.topics.end())
      for (int32_t i = 0; i < count->second; ++i) free.insert({topic, i});
  const bool equal = equal_subscriptions(input);
  const size_t total = free.size(), members = input.members.size();
  keep_owned(input, equal ? total / members : total, equal ? total % members : 0, loads, free);
  for (const TopicPartition& partition : free) loads.give(loads.least(of_topic.at(partition.first)), partition);
  if (!equal) level(input, of_topic, loads);
  return loads.done();
}

}  // namespace kq::group
