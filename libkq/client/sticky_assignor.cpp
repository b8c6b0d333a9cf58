// The sticky assignors: balanced first, then with as few moves as may be.
//
// Members and partitions are numbers here: members in the order of their ids, partitions in the order of topic and number.  Claims are heard in
// the order in which a Java HashMap has the ids: where claims are equal, that is what decides in Kafka's own clients.
#include <deque>
#include <list>
#include <set>
#include <unordered_map>

#include "libkq/base/check.hpp"
#include "libkq/client/assignors.hpp"

namespace kq::client {
namespace {

using Member = size_t;
using Part = int32_t;
constexpr Member nobody = static_cast<Member>(-1);

// What both ways of assigning begin with: who there is, what there is, and who owned what.
int32_t java_hash(std::string_view id) {
  uint32_t hash = 0;
  for (size_t i = 0; i < id.size(); ++i) {
    const auto byte = static_cast<unsigned char>(id[i]);
    uint32_t letter = byte;
    const int more = byte < 0xc0 ? 0 : byte < 0xe0 ? 1 : byte < 0xf0 ? 2 : 3;
    if (more > 0) letter = byte & (0x3fu >> more);
    for (int n = 0; n < more && i + 1 < id.size(); ++n) letter = letter << 6 | (static_cast<unsigned char>(id[++i]) & 0x3fu);
    if (letter > 0xffff) {  // two units of UTF-16
      hash = hash * 31 + (0xd800 + ((letter - 0x10000) >> 10));
      letter = 0xdc00 + ((letter - 0x10000) & 0x3ff);
    }
    hash = hash * 31 + letter;
  }
  return static_cast<int32_t>(hash);
}

// The members as a HashMap of their ids gives them, filled in the order in which they are given.
std::vector<const AssignorMember*> map_order(std::span<const AssignorMember> members) {
  size_t buckets = 16;
  while (members.size() * 4 > buckets * 3) buckets *= 2;
  std::vector<const AssignorMember*> order;
  for (const AssignorMember& member : members) order.push_back(&member);
  std::ranges::stable_sort(order, {}, [&](const AssignorMember* member) {
    const auto hash = static_cast<uint32_t>(java_hash(member->id));
    return (hash ^ hash >> 16) & (buckets - 1);
  });
  return order;
}

struct Group {
  Group(std::span<const AssignorMember> all, const AssignorTopics& known);

  std::vector<const AssignorMember*> members;
  std::vector<Member> heard;  // in the order in which claims are heard
  struct Topic {
    const std::string* name;
    const AssignorTopic* info;
    Part first;
    std::vector<Member> subscribers{};
  };
  std::vector<Topic> topics;
  std::vector<std::vector<size_t>> subscribed;  // by member: numbers of its topics
  std::vector<size_t> topic_of;                 // by partition
  bool all_equal = true;                        // everybody subscribes to the same topics

  std::vector<std::vector<Part>> owned;  // by member; of several claims to one partition the newest generation's
  std::vector<bool> disputed;            // by partition: two members of one generation claim it
  std::vector<bool> moving;              // by partition: given to somebody else while its owner may still read it

  bool racks_matter = false;
  size_t parts() const { return topic_of.size(); }
  TopicPartition name_of(Part part) const {
    const Topic& topic = topics[topic_of[static_cast<size_t>(part)]];
    return {*topic.name, part - topic.first};
  }
  bool in_rack(Member member, Part part) const {
    const Topic& topic = topics[topic_of[static_cast<size_t>(part)]];
    return assignors::in_rack(*topic.info, part - topic.first, members[member]->rack);
  }
  bool has_rack(Member member) const { return racks_matter && !members[member]->rack.empty(); }
  bool wrong_rack(Member member, Part part) const { return has_rack(member) && !in_rack(member, part); }
  size_t members_near(Part part) const;

 private:
  void find_topics(const AssignorTopics&);
  void compare_subscriptions();
  void settle_claims();
};

Group::Group(std::span<const AssignorMember> all, const AssignorTopics& known) {
  for (const AssignorMember& member : all) members.push_back(&member);
  std::ranges::sort(members, {}, &AssignorMember::id);
  for (const AssignorMember* member : map_order(all))
    heard.push_back(
        static_cast<Member>(std::ranges::lower_bound(members, member->id, {}, &AssignorMember::id) - members.begin()));
  find_topics(known);
  compare_subscriptions();
  settle_claims();
  std::vector<const AssignorTopic*> infos;
  for (const Topic& topic : topics) infos.push_back(topic.info);
  racks_matter = assignors::racks_matter(members, infos);
}

void Group::find_topics(const AssignorTopics& known) {
  subscribed.resize(members.size());
  for (const auto& [name, info] : known) {
    Topic topic{&name, &info, static_cast<Part>(parts())};
    for (Member member = 0; member < members.size(); ++member)
      if (std::ranges::find(members[member]->topics, name) != members[member]->topics.end()) topic.subscribers.push_back(member);
    if (topic.subscribers.empty() || info.partitions <= 0) continue;
    for (const Member member : topic.subscribers) subscribed[member].push_back(topics.size());
    topic_of.insert(topic_of.end(), static_cast<size_t>(info.partitions), topics.size());
    topics.push_back(std::move(topic));
  }
}

void Group::compare_subscriptions() {
  std::set<std::string> first;
  for (const AssignorMember* member : members) {
    const std::set<std::string> own(member->topics.begin(), member->topics.end());
    if (first.empty())
      first = own;
    else if (first != own)
      all_equal = false;
  }
}

void Group::settle_claims() {
  owned.resize(members.size());
  disputed.resize(parts());
  moving.resize(parts());
  std::map<std::string_view, size_t> numbers;
  for (size_t i = 0; i < topics.size(); ++i) numbers[*topics[i].name] = i;
  std::vector<Member> owner(parts(), nobody);
  for (const Member member : heard) {
    for (const TopicPartition& claim : members[member]->owned) {
      const auto topic = numbers.find(claim.topic);
      if (topic == numbers.end() || claim.partition < 0 || claim.partition >= topics[topic->second].info->partitions) continue;
      const Part part = topics[topic->second].first + claim.partition;
      Member& other = owner[static_cast<size_t>(part)];
      const bool newer = other == nobody || members[member]->generation > members[other]->generation;
      if (!newer && members[member]->generation < members[other]->generation) continue;
      if (other != nobody) std::erase(owned[other], part);
      if (newer)
        owned[member].push_back(part);
      else
        disputed[static_cast<size_t>(part)] = true;
      other = member;
    }
  }
}

size_t Group::members_near(Part part) const {
  size_t near = 0;
  for (Member member = 0; member < members.size(); ++member) near += !members[member]->rack.empty() && in_rack(member, part);
  return near;
}

// ---- everybody subscribes to the same ------------------------------------------------------------------------------------------

// Each gets floor(P / M) partitions, and P % M members one more.
class EqualSubscriptions {
 public:
  explicit EqualSubscriptions(Group& group)
      : group_(group),
        given_(group.members.size()),
        assigned_(group.parts()),
        given_up_by_(group.parts(), nobody),
        least_(group.parts() / group.members.size()),
        most_((group.parts() + group.members.size() - 1) / group.members.size()),
        larger_wanted_(group.parts() % group.members.size()) {}

  std::vector<std::vector<Part>> assign() {
    for (const Member member : group_.heard) keep_owned(member);
    std::ranges::sort(below_);
    std::ranges::sort(at_least_);
    std::list<Part> free = unassigned();
    if (group_.racks_matter) deal_by_rack(free);
    deal(free);
    return std::move(given_);
  }

 private:
  void keep_owned(Member);
  std::list<Part> unassigned() const;
  void deal_by_rack(std::list<Part>& free);
  Member near_member(Part);
  void deal(const std::list<Part>& free);
  size_t give(Part, Member);
  bool larger_left() const { return larger_ < larger_wanted_; }
  void one_is_larger() {
    if (++larger_ == larger_wanted_) at_least_.clear();
  }

  Group& group_;
  std::vector<std::vector<Part>> given_;
  std::vector<bool> assigned_;
  std::vector<Member> given_up_by_;
  const size_t least_, most_, larger_wanted_;
  size_t larger_ = 0;            // how many members have more than least_
  std::vector<Member> below_;    // members that have less than least_
  std::deque<Member> at_least_;  // members that have least_, and may get one more
  size_t next_near_ = 0;
};

void EqualSubscriptions::keep_owned(Member member) {
  std::vector<Part> own;
  for (const Part part : group_.owned[member]) {
    if (group_.wrong_rack(member, part))
      given_up_by_[static_cast<size_t>(part)] = member;
    else if (!group_.disputed[static_cast<size_t>(part)])
      own.push_back(part);
  }
  std::ranges::sort(own, {}, [&](Part part) {
    const auto& topic = group_.topics[group_.topic_of[static_cast<size_t>(part)]];
    return std::pair(part - topic.first, part);
  });
  size_t kept = own.size();
  if (own.size() < least_) {
    below_.push_back(member);
  } else if (own.size() >= most_ && larger_left()) {
    kept = most_;
    one_is_larger();
  } else {
    kept = least_;
    if (larger_left()) at_least_.push_back(member);
  }
  for (size_t i = 0; i < own.size(); ++i) {
    if (i >= kept) {
      given_up_by_[static_cast<size_t>(own[i])] = member;
      continue;
    }
    given_[member].push_back(own[i]);
    assigned_[static_cast<size_t>(own[i])] = true;
  }
}

std::list<Part> EqualSubscriptions::unassigned() const {
  std::vector<Part> free;
  for (size_t part = 0; part < assigned_.size(); ++part)
    if (!assigned_[part]) free.push_back(static_cast<Part>(part));
  const bool any_rack = std::ranges::any_of(group_.members, [](const AssignorMember* member) { return !member->rack.empty(); });
  if (any_rack) std::ranges::stable_sort(free, {}, [&](Part part) { return group_.members_near(part); });
  return {free.begin(), free.end()};
}

size_t EqualSubscriptions::give(Part part, Member member) {
  given_[member].push_back(part);
  const Member before = given_up_by_[static_cast<size_t>(part)];
  if ((before != nobody && before != member) || group_.disputed[static_cast<size_t>(part)])
    group_.moving[static_cast<size_t>(part)] = true;
  return given_[member].size();
}

// The next member in a rack that has the partition; nobody: none has room.
Member EqualSubscriptions::near_member(Part part) {
  const auto near = [&](Member member) { return group_.has_rack(member) && group_.in_rack(member, part); };
  for (size_t i = 0; i < below_.size(); ++i) {
    size_t at = (next_near_ + i) % below_.size();
    const Member member = below_[at];
    if (!near(member)) continue;
    const size_t count = given_[member].size() + 1;
    if (count >= least_) {
      below_.erase(below_.begin() + static_cast<ptrdiff_t>(at));
      if (count < most_ && larger_left()) at_least_.push_back(member);
    } else {
      ++at;
    }
    next_near_ = below_.empty() ? 0 : at % below_.size();
    return member;
  }
  const auto found = std::ranges::find_if(at_least_, near);
  if (found == at_least_.end()) return nobody;
  const Member member = *found;
  if (given_[member].size() + 1 == most_) {
    at_least_.erase(found);
    one_is_larger();
  }
  return member;
}

void EqualSubscriptions::deal_by_rack(std::list<Part>& free) {
  std::erase_if(free, [&](Part part) {
    const Member member = near_member(part);
    if (member != nobody) give(part, member);
    return member != nobody;
  });
}

void EqualSubscriptions::deal(const std::list<Part>& free) {
  size_t next = 0;  // in below_
  for (const Part part : free) {
    if (below_.empty()) {
      KQ_CHECK(!at_least_.empty());
      give(part, at_least_.front());
      at_least_.pop_front();
      continue;
    }
    next = next < below_.size() ? next : 0;
    const Member member = below_[next];
    if (give(part, member) < least_) {
      ++next;
      continue;
    }
    below_.erase(below_.begin() + static_cast<ptrdiff_t>(next));
    at_least_.push_back(member);
  }
}

// ---- subscriptions differ ------------------------------------------------------------------------------------------------------

// Begins with what members own, gives what is free to whoever has the least, and then moves partitions as long as that evens things out.
class MixedSubscriptions {
 public:
  explicit MixedSubscriptions(Group& group) : group_(group), given_(group.owned), holder_(group.parts(), nobody) {
    for (Member member = 0; member < given_.size(); ++member)
      for (const Part part : given_[member]) holder_[static_cast<size_t>(part)] = member;
  }

  std::vector<std::vector<Part>> assign();

 private:
  void find_former_holders();
  void drop_what_cannot_stay();
  std::vector<Part> rarest_first() const;
  void give_free(std::vector<Part>& free, bool by_rack);
  void even_out(std::vector<Part> free);
  bool can_take_part(Member) const;
  bool balanced() const;
  bool move_some(const std::vector<Part>&);
  bool should_move(Part, Member holder) const;
  void move(Part, Member to);
  void move_to_least(Part);
  Part instead_of(Part, Member from, Member to) const;
  void note_movement(Part, Member from, Member to);
  void compute_moving();
  static uint64_t score(const std::vector<std::vector<Part>>&, const std::vector<Member>&);

  size_t topic_of(Part part) const { return group_.topic_of[static_cast<size_t>(part)]; }
  bool subscribes(Member member, Part part) const {
    return std::ranges::binary_search(group_.topics[topic_of(part)].subscribers, member);
  }
  size_t reach(Member member) const {
    size_t count = 0;
    for (const size_t topic : group_.subscribed[member]) count += static_cast<size_t>(group_.topics[topic].info->partitions);
    return count;
  }
  void load(Member member) { loads_.insert({given_[member].size(), member}); }
  void unload(Member member) { loads_.erase({given_[member].size(), member}); }

  Group& group_;
  std::vector<std::vector<Part>> given_;
  std::vector<Member> holder_;                 // by partition
  std::set<std::pair<size_t, Member>> loads_;  // those that take part in moves: least loaded first
  struct Former {
    Member member = nobody;
    int32_t generation = 0;
  };
  std::vector<Former> former_;  // by partition: who claims it from an older generation
  bool must_revoke_ = false;

  using Way = std::pair<Member, Member>;
  std::map<size_t, std::map<Way, std::set<Part>>> movements_;  // by topic
  std::map<Part, Way> movement_of_;
};

void MixedSubscriptions::find_former_holders() {
  former_.resize(group_.parts());
  int32_t newest = -1;
  for (const AssignorMember* member : group_.members) newest = std::max(newest, member->generation);
  std::map<TopicPartition, Part> numbers;
  for (size_t part = 0; part < group_.parts(); ++part) numbers[group_.name_of(static_cast<Part>(part))] = static_cast<Part>(part);
  for (const Member member : group_.heard) {
    const int32_t generation = group_.members[member]->generation;
    if (generation >= newest) continue;
    for (const TopicPartition& claim : group_.members[member]->owned) {
      const auto part = numbers.find(claim);
      if (part == numbers.end()) continue;
      Former& former = former_[static_cast<size_t>(part->second)];
      if (former.member == nobody || generation > former.generation) former = {member, generation};
    }
  }
}

void MixedSubscriptions::drop_what_cannot_stay() {
  for (Member member = 0; member < given_.size(); ++member) {
    const size_t before = given_[member].size();
    std::erase_if(given_[member], [&](Part part) { return !subscribes(member, part) || group_.wrong_rack(member, part); });
    must_revoke_ |= given_[member].size() < before;
  }
}

// Partitions of topics that few subscribe to come first.
std::vector<Part> MixedSubscriptions::rarest_first() const {
  std::vector<size_t> topics(group_.topics.size());
  for (size_t i = 0; i < topics.size(); ++i) topics[i] = i;
  std::ranges::stable_sort(topics, {}, [&](size_t topic) { return group_.topics[topic].subscribers.size(); });
  std::vector<Part> parts;
  for (const size_t topic : topics)
    for (int32_t i = 0; i < group_.topics[topic].info->partitions; ++i) parts.push_back(group_.topics[topic].first + i);
  return parts;
}

std::vector<std::vector<Part>> MixedSubscriptions::assign() {
  find_former_holders();
  drop_what_cannot_stay();
  std::vector<bool> taken(group_.parts());
  for (const auto& parts : given_)
    for (const Part part : parts) taken[static_cast<size_t>(part)] = true;
  std::vector<Part> free = rarest_first();
  std::erase_if(free, [&](Part part) { return taken[static_cast<size_t>(part)]; });
  for (Member member = 0; member < given_.size(); ++member) load(member);
  even_out(std::move(free));
  compute_moving();
  return std::move(given_);
}

void MixedSubscriptions::give_free(std::vector<Part>& free, bool by_rack) {
  std::erase_if(free, [&](Part part) {
    const auto found = std::ranges::find_if(loads_, [&](const auto& each) {
      return subscribes(each.second, part) && !(by_rack && group_.wrong_rack(each.second, part));
    });
    if (found == loads_.end()) return false;
    const Member member = found->second;
    unload(member);
    given_[member].push_back(part);
    holder_[static_cast<size_t>(part)] = member;
    load(member);
    return true;
  });
}

// Whether a move may concern the member: it could have more, or somebody else could have some of its own.
bool MixedSubscriptions::can_take_part(Member member) const {
  if (given_[member].size() < reach(member)) return true;
  return std::ranges::any_of(given_[member], [&](Part part) { return group_.topics[topic_of(part)].subscribers.size() >= 2; });
}

void MixedSubscriptions::even_out(std::vector<Part> free) {
  const bool from_nothing = given_[loads_.rbegin()->second].empty();
  std::vector<Part> to_give = free;
  if (group_.racks_matter) give_free(to_give, true);
  give_free(to_give, false);

  const auto fixed = [&](Part part) { return group_.topics[topic_of(part)].subscribers.size() < 2; };
  std::vector<Part> movable = rarest_first();
  std::erase_if(movable, fixed);
  std::erase_if(free, fixed);
  std::vector<Member> participants;
  for (Member member = 0; member < given_.size(); ++member) {
    if (can_take_part(member))
      participants.push_back(member);
    else
      unload(member);
  }
  const auto before = given_;
  if (!must_revoke_) move_some(free);
  const bool moved = move_some(movable);
  if (!from_nothing && moved && score(given_, participants) >= score(before, participants)) given_ = before;
}

bool MixedSubscriptions::balanced() const {
  if (loads_.empty() || loads_.begin()->first + 1 >= loads_.rbegin()->first) return true;
  for (const auto& [count, member] : loads_) {
    if (count == reach(member)) continue;
    for (const size_t topic : group_.subscribed[member]) {
      for (int32_t i = 0; i < group_.topics[topic].info->partitions; ++i) {
        const Member holder = holder_[static_cast<size_t>(group_.topics[topic].first + i)];
        if (holder != member && count + 1 < given_[holder].size()) return false;
      }
    }
  }
  return true;
}

bool MixedSubscriptions::should_move(Part part, Member holder) const {
  return std::ranges::any_of(group_.topics[topic_of(part)].subscribers,
                             [&](Member other) { return given_[holder].size() > given_[other].size() + 1; });
}

bool MixedSubscriptions::move_some(const std::vector<Part>& parts) {
  bool moved = false;
  for (bool again = true; again;) {
    again = false;
    for (const Part part : parts) {
      if (balanced()) break;
      const Member holder = holder_[static_cast<size_t>(part)];
      const Member former = former_[static_cast<size_t>(part)].member;
      if (former != nobody && given_[holder].size() > given_[former].size() + 1)
        move(part, former);
      else if (should_move(part, holder))
        move_to_least(part);
      else
        continue;
      moved = again = true;
    }
  }
  return moved;
}

void MixedSubscriptions::move_to_least(Part part) {
  const auto found = std::ranges::find_if(loads_, [&](const auto& each) { return subscribes(each.second, part); });
  KQ_CHECK(found != loads_.end());
  move(part, found->second);
}

// If another partition of the topic went the opposite way before, it goes back in place of this one.
Part MixedSubscriptions::instead_of(Part part, Member from, Member to) const {
  const auto topic = movements_.find(topic_of(part));
  if (topic == movements_.end()) return part;
  if (const auto earlier = movement_of_.find(part); earlier != movement_of_.end()) from = earlier->second.first;
  const auto back = topic->second.find({to, from});
  return back == topic->second.end() ? part : *back->second.begin();
}

void MixedSubscriptions::move(Part wanted, Member to) {
  const Part part = instead_of(wanted, holder_[static_cast<size_t>(wanted)], to);
  const Member from = holder_[static_cast<size_t>(part)];
  unload(from);
  unload(to);
  note_movement(part, from, to);
  std::erase(given_[from], part);
  given_[to].push_back(part);
  holder_[static_cast<size_t>(part)] = to;
  load(to);
  load(from);
}

void MixedSubscriptions::note_movement(Part part, Member from, Member to) {
  auto& ways = movements_[topic_of(part)];
  if (const auto earlier = movement_of_.find(part); earlier != movement_of_.end()) {
    const Way way = earlier->second;
    movement_of_.erase(earlier);
    if (ways[way].erase(part); ways[way].empty()) ways.erase(way);
    from = way.first;
  }
  if (from != to) {
    movement_of_[part] = {from, to};
    ways[{from, to}].insert(part);
  }
  if (ways.empty()) movements_.erase(topic_of(part));
}

uint64_t MixedSubscriptions::score(const std::vector<std::vector<Part>>& given, const std::vector<Member>& members) {
  uint64_t sum = 0;
  for (size_t i = 0; i < members.size(); ++i)
    for (size_t k = i + 1; k < members.size(); ++k) {
      const size_t a = given[members[i]].size(), b = given[members[k]].size();
      sum += a > b ? a - b : b - a;
    }
  return sum;
}

// What somebody gets while somebody else still says to own it.
void MixedSubscriptions::compute_moving() {
  std::map<TopicPartition, std::set<Member>> claimed;
  for (Member member = 0; member < group_.members.size(); ++member)
    for (const TopicPartition& claim : group_.members[member]->owned) claimed[claim].insert(member);
  for (Member member = 0; member < given_.size(); ++member) {
    for (const Part part : given_[member]) {
      const auto claims = claimed.find(group_.name_of(part));
      if (claims != claimed.end() && !claims->second.contains(member)) group_.moving[static_cast<size_t>(part)] = true;
    }
  }
}

}  // namespace

Assignment assignors::sticky(std::span<const AssignorMember> members, const AssignorTopics& topics, bool cooperative) {
  Assignment assignment;
  if (members.empty()) return assignment;
  Group group(members, topics);
  const auto given = group.all_equal ? EqualSubscriptions(group).assign() : MixedSubscriptions(group).assign();
  for (Member member = 0; member < given.size(); ++member) {
    Partitions& own = assignment[group.members[member]->id];
    for (const Part part : given[member])
      if (!cooperative || !group.moving[static_cast<size_t>(part)]) own.push_back(group.name_of(part));
  }
  return assignment;
}

}  // namespace kq::client
