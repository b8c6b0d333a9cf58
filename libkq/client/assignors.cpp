#include "libkq/client/assignors.hpp"

#include <set>
#include <tuple>

namespace kq::client {
namespace {

constexpr const char* names[] = {"range", "roundrobin", "sticky", "cooperative-sticky"};

// Members with an instance id come first, so that a restart of one changes nothing.
std::vector<const AssignorMember*> in_order(std::span<const AssignorMember> members) {
  std::vector<const AssignorMember*> order;
  for (const AssignorMember& member : members) order.push_back(&member);
  std::ranges::sort(order, {}, [](const AssignorMember* member) {
    return std::tuple(!member->instance_id.has_value(), member->instance_id.value_or(""), member->id);
  });
  return order;
}

bool subscribes(const AssignorMember& member, const std::string& topic) {
  return std::ranges::find(member.topics, topic) != member.topics.end();
}

// ---- range --------------------------------------------------------------------------------------------------------------------

// One topic while its partitions are dealt out.
struct Range {
  const std::string* name;
  const AssignorTopic* topic;
  std::vector<const AssignorMember*> members;
  std::vector<size_t> counts;  // by member: how many it has
  std::set<int32_t> free{};
  size_t each = 0, extra = 0;  // so many for each, and one more for so many
  bool racks_matter = false;

  Range(const std::string& topic_name, const AssignorTopic& of, std::vector<const AssignorMember*> subscribers)
      : name(&topic_name), topic(&of), members(std::move(subscribers)), counts(members.size()) {
    for (int32_t i = 0; i < of.partitions; ++i) free.insert(i);
    each = free.size() / members.size();
    extra = free.size() % members.size();
    const AssignorTopic* only[] = {topic};
    racks_matter = assignors::racks_matter(members, only);
  }

  size_t room(size_t member) const {
    const size_t quota = each + (extra > 0 ? 1 : 0);
    return quota > counts[member] ? quota - counts[member] : 0;
  }
  bool fits(size_t member, int32_t partition) const {
    return members[member]->rack.empty() || assignors::in_rack(*topic, partition, members[member]->rack);
  }
  void give(size_t member, const std::vector<int32_t>& partitions, Assignment& to) {
    for (const int32_t partition : partitions) {
      to[members[member]->id].push_back({*name, partition});
      free.erase(partition);
    }
    counts[member] += partitions.size();
    if (counts[member] > each) --extra;
  }
  void deal(bool by_rack, Assignment& to) {
    for (size_t member = 0; member < members.size() && !free.empty(); ++member) {
      std::vector<int32_t> taken;
      for (const int32_t partition : free) {
        if (taken.size() == room(member)) break;
        if (!by_rack || fits(member, partition)) taken.push_back(partition);
      }
      if (!taken.empty()) give(member, taken, to);
    }
  }
};

// Topics with the same members and as many partitions stay together: a member has the same numbers of each.
void deal_together(std::span<Range* const> ranges, Assignment& to) {
  const Range& first = *ranges.front();
  std::vector<size_t> left(first.members.size());
  for (size_t i = 0; i < left.size(); ++i) left[i] = i;
  for (int32_t partition = 0; partition < first.topic->partitions && !left.empty(); ++partition) {
    const auto found = std::ranges::find_if(left, [&](size_t member) {
      return std::ranges::all_of(ranges,
                                 [&](const Range* range) { return range->fits(member, partition) && range->room(member) > 0; });
    });
    if (found == left.end()) continue;
    const size_t member = *found;
    for (Range* range : ranges) range->give(member, {partition}, to);
    if (std::ranges::none_of(ranges, [&](const Range* range) { return range->room(member) > 0; })) left.erase(found);
  }
}

void deal_by_rack(std::vector<Range>& ranges, Assignment& to) {
  std::map<std::pair<std::vector<const AssignorMember*>, int32_t>, std::vector<Range*>> alike;
  for (Range& range : ranges) alike[{range.members, range.topic->partitions}].push_back(&range);
  for (const auto& [key, group] : alike) {
    if (group.size() > 1)
      deal_together(group, to);
    else if (group.front()->racks_matter)
      group.front()->deal(true, to);
  }
}

}  // namespace

const char* name_of(Assignor assignor) { return names[static_cast<size_t>(assignor)]; }

std::optional<Assignor> find_assignor(std::string_view name) {
  for (size_t i = 0; i < std::size(names); ++i)
    if (name == names[i]) return static_cast<Assignor>(i);
  return std::nullopt;
}

Assignment assign(Assignor assignor, std::span<const AssignorMember> members, const AssignorTopics& topics) {
  Assignment assignment;
  switch (assignor) {
    case Assignor::range: assignment = assignors::range(members, topics); break;
    case Assignor::roundrobin: assignment = assignors::round_robin(members, topics); break;
    case Assignor::sticky: assignment = assignors::sticky(members, topics, false); break;
    case Assignor::cooperative_sticky: assignment = assignors::sticky(members, topics, true); break;
  }
  for (const AssignorMember& member : members) std::ranges::sort(assignment[member.id]);
  return assignment;
}

namespace assignors {

bool in_rack(const AssignorTopic& topic, int32_t partition, const std::string& rack) {
  const auto at = static_cast<size_t>(partition);
  return at < topic.racks.size() && std::ranges::find(topic.racks[at], rack) != topic.racks[at].end();
}

bool racks_matter(std::span<const AssignorMember* const> members, std::span<const AssignorTopic* const> topics) {
  std::set<std::string> all;
  for (const AssignorTopic* topic : topics)
    for (const auto& racks : topic->racks) all.insert(racks.begin(), racks.end());
  if (std::ranges::none_of(members,
                           [&](const AssignorMember* member) { return all.contains(member->rack) && !member->rack.empty(); }))
    return false;
  const auto everywhere = [&](const std::vector<std::string>& racks) {
    return std::set<std::string>(racks.begin(), racks.end()) == all;
  };
  return !std::ranges::all_of(topics, [&](const AssignorTopic* topic) {
    return topic->racks.size() >= static_cast<size_t>(topic->partitions) && std::ranges::all_of(topic->racks, everywhere);
  });
}

Assignment range(std::span<const AssignorMember> members, const AssignorTopics& topics) {
  Assignment assignment;
  const auto order = in_order(members);
  std::vector<Range> ranges;
  for (const auto& [name, topic] : topics) {
    std::vector<const AssignorMember*> subscribers;
    for (const AssignorMember* member : order)
      if (subscribes(*member, name)) subscribers.push_back(member);
    if (!subscribers.empty() && topic.partitions > 0) ranges.emplace_back(name, topic, std::move(subscribers));
  }
  if (std::ranges::any_of(ranges, &Range::racks_matter)) deal_by_rack(ranges, assignment);
  for (Range& range : ranges) range.deal(false, assignment);
  return assignment;
}

Assignment round_robin(std::span<const AssignorMember> members, const AssignorTopics& topics) {
  Assignment assignment;
  const auto order = in_order(members);
  size_t next = 0;
  for (const auto& [name, topic] : topics) {
    if (std::ranges::none_of(members, [&](const AssignorMember& member) { return subscribes(member, name); })) continue;
    for (int32_t partition = 0; partition < topic.partitions; ++partition) {
      while (!subscribes(*order[next % order.size()], name)) ++next;
      assignment[order[next++ % order.size()]->id].push_back({name, partition});
    }
  }
  return assignment;
}

}  // namespace assignors
}  // namespace kq::client
