#include "tests/sim/group_history.hpp"

namespace kq::sim {

GroupHistory::GroupHistory(World& world, std::string group, std::string topic, int32_t partitions, bool calm)
    : world_(world), group_(std::move(group)), topic_(std::move(topic)), calm_(calm), lanes_(static_cast<size_t>(partitions)) {}

void GroupHistory::fail(const std::string& what) const { throw std::runtime_error("group " + group_ + ": " + what); }

void GroupHistory::poll_begins(const std::string& member) {
  for (Lane& lane : lanes_)
    if (const auto owner = lane.owners.find(member); owner != lane.owners.end()) owner->second.fresh = -1;
}

void GroupHistory::assigned(const std::string& member, int32_t partition) {
  world_.note(member + " is assigned " + name(partition));
  Lane& lane = at(partition);
  if (lane.owners.contains(member)) fail(member + " is assigned " + name(partition) + ", which it has");
  for (auto& [other, owner] : lane.owners) {
    if (calm_) fail(member + " is assigned " + name(partition) + " while " + other + " has it");
    owner.contested = true;
  }
  lane.owners[member] = {.floor = std::max(lane.told, lane.committed), .contested = !lane.owners.empty()};
}

void GroupHistory::revoked(const std::string& member, int32_t partition) {
  world_.note(member + " is to give up " + name(partition));
  Lane& lane = at(partition);
  const auto owner = lane.owners.find(member);
  if (owner == lane.owners.end()) fail(member + " is to give up " + name(partition) + ", which it does not have");
  lane.owners.erase(owner);
}

void GroupHistory::lost(const std::string& member, int32_t partition) {
  world_.note(member + " has lost " + name(partition));
  ++losses_;
  if (calm_) fail(member + " has lost " + name(partition) + " where nothing breaks");
  at(partition).owners.erase(member);              // or it was to be given up, and the time for that has run out
}

void GroupHistory::gone(const std::string& member) {
  world_.note(member + " is gone");
  for (Lane& lane : lanes_)
    if (lane.owners.erase(member) > 0) lane.wanted_again = lane.handed;
}

void GroupHistory::commit_failed(const std::string& why) {
  if (calm_) fail("what was handed out cannot be committed before it is given up, where nothing breaks: " + why);
}

void GroupHistory::handed_out(const std::string& member, int32_t partition, int64_t offset) {
  Lane& lane = at(partition);
  const auto found = lane.owners.find(member);
  if (found == lane.owners.end()) fail(member + " is handed a record of " + name(partition) + ", which it does not have");
  Owner& owner = found->second;
  if (owner.next >= 0 && offset != owner.next)
    fail(member + " is handed " + name(partition) + " @" + std::to_string(offset) + " where @" + std::to_string(owner.next) + " was due");
  const bool sole = !owner.contested && lane.owners.size() == 1;
  if (owner.next < 0 && sole && offset < owner.floor)
    fail(member + " begins " + name(partition) + " @" + std::to_string(offset) + ", though @" + std::to_string(owner.floor) + " was committed");
  if (offset > lane.handed) fail(member + " is handed " + name(partition) + " @" + std::to_string(offset) + ", and nobody was @" + std::to_string(lane.handed));
  if (calm_ && nothing_comes_again && offset < lane.handed && offset >= lane.wanted_again) fail(name(partition) + " @" + std::to_string(offset) + " is handed out again where nothing breaks");
  lane.handed = std::max(lane.handed, offset + 1);
  owner.next = offset + 1;
  if (owner.fresh < 0) owner.fresh = offset;
}

void GroupHistory::moved(const std::string& member, int32_t partition, int64_t offset) {
  Lane& lane = at(partition);
  lane.wanted_again = lane.handed;
  if (const auto owner = lane.owners.find(member); owner != lane.owners.end() && offset >= 0) owner->second.next = offset;
}

void GroupHistory::commit_seen(int32_t partition, int64_t offset) {
  world_.note("group " + group_ + " has committed " + name(partition) + " @" + std::to_string(offset));
  Lane& lane = at(partition);
  if (offset < lane.committed)
    fail("the committed offset of " + name(partition) + " goes back from " + std::to_string(lane.committed) + " to " + std::to_string(offset));
  if (offset > lane.handed) fail(name(partition) + " @" + std::to_string(offset) + " is committed, and nobody was handed @" + std::to_string(lane.handed));
  if (commits_what_was_polled_before && lane.owners.size() == 1)
    if (const auto& [member, owner] = *lane.owners.begin(); !owner.contested && owner.fresh >= 0 && offset > owner.fresh)
      fail(name(partition) + " @" + std::to_string(offset) + " is committed by itself, though the latest poll of " + member + " has returned @" + std::to_string(owner.fresh));
  lane.committed = offset;
}

void GroupHistory::commit_told(int32_t partition, int64_t offset) {
  Lane& lane = at(partition);
  lane.told = std::max(lane.told, offset);
}

bool GroupHistory::every_partition_is_owned() const {
  return std::ranges::all_of(lanes_, [](const Lane& lane) { return lane.owners.size() == 1; });
}

std::string GroupHistory::text() const {
  std::string text = "group " + group_ + ":";
  for (int32_t i = 0; i < partitions(); ++i) {
    text += " " + name(i) + " handed out up to " + std::to_string(at(i).handed) + ", committed " + std::to_string(at(i).committed) + ", owned by";
    for (const auto& [member, owner] : at(i).owners) text += " " + member;
    text += ";";
  }
  return text;
}

}  // namespace kq::sim
