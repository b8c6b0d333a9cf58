// How a member moves from the tasks that it has to those that it is to have.
#include <algorithm>

#include "broker/group/streams_coordinator.hpp"

namespace kq::group {
namespace {

// Of one kind of tasks: what it keeps, what it gives up, what it gets.
template <class Kind>
struct Difference {
  Kind kept, revoked, added;
  bool unreleased = false;  // something that it is to get is still another's
};

bool contains(const Tasks& tasks, const std::string& subtopology, int32_t partition) {
  const auto found = tasks.find(subtopology);
  return found != tasks.end() && found->second.contains(partition);
}

// `free`: may the task be given to the member now?
template <class Free>
Difference<EpochTasks> difference(const EpochTasks& has, const Tasks& target, int32_t target_epoch, const Free& free) {
  Difference<EpochTasks> out;
  for (const auto& [subtopology, partitions] : has)
    for (const auto& [partition, epoch] : partitions)
      (contains(target, subtopology, partition) ? out.kept : out.revoked)[subtopology][partition] = epoch;
  for (const auto& [subtopology, partitions] : target) {
    const auto mine = has.find(subtopology);
    for (const int32_t partition : partitions) {
      if (mine != has.end() && mine->second.contains(partition)) continue;
      if (free(TaskId{subtopology, partition}))
        out.added[subtopology][partition] = target_epoch;
      else
        out.unreleased = true;
    }
  }
  return out;
}

template <class Free>
Difference<Tasks> difference(const Tasks& has, const Tasks& target, const Free& free) {
  Difference<Tasks> out;
  for (const auto& [subtopology, partitions] : has)
    for (const int32_t partition : partitions)
      (contains(target, subtopology, partition) ? out.kept : out.revoked)[subtopology].insert(partition);
  for (const auto& [subtopology, partitions] : target)
    for (const int32_t partition : partitions) {
      if (contains(has, subtopology, partition)) continue;
      if (free(TaskId{subtopology, partition}))
        out.added[subtopology].insert(partition);
      else
        out.unreleased = true;
    }
  return out;
}

template <class Kind>
bool any_of(const Tasks& owned, const Kind& tasks) {
  return std::ranges::any_of(tasks, [&](const auto& entry) {
    return std::ranges::any_of(entry.second, [&](const auto& task) {
      if constexpr (std::is_same_v<Kind, Tasks>)
        return contains(owned, entry.first, task);
      else
        return contains(owned, entry.first, task.first);
    });
  });
}

bool owns_any(const std::optional<TaskSets>& owned, const HeldTasks& tasks) {
  if (!owned) return true;  // it does not say
  return any_of(owned->active, tasks.active) || any_of(owned->standby, tasks.standby) || any_of(owned->warmup, tasks.warmup);
}

void add(auto& to, const auto& more) {
  for (const auto& [subtopology, tasks] : more) to[subtopology].insert(tasks.begin(), tasks.end());
}

void move_to(StreamsMember& member, int32_t epoch) {
  member.previous_epoch = member.epoch;
  member.epoch = epoch;
}

StreamsMember towards(StreamsMember member, int32_t epoch_now, int32_t target_epoch, const TaskSets& target,
                      const std::optional<TaskSets>& owned, const StreamsGroup& group) {
  const std::string& process = member.process_id;
  // A process has its state on its disk once: a task is in one role there.
  const auto active_free = [&](const TaskId& task) { return !group.active_process(task) && !group.on_standby(task, process); };
  const auto standby_free = [&](const TaskId& task) {
    const std::string* active = group.active_process(task);
    return !(active && *active == process) && !group.on_standby(task, process);
  };
  auto active = difference(member.assigned.active, target.active, target_epoch, active_free);
  auto standby = difference(member.assigned.standby, target.standby, standby_free);
  auto warmup = difference(member.assigned.warmup, target.warmup, standby_free);
  HeldTasks revoked{std::move(active.revoked), std::move(standby.revoked), std::move(warmup.revoked)};
  member.assigned = {std::move(active.kept), std::move(standby.kept), std::move(warmup.kept)};
  if (!revoked.empty() && owns_any(owned, revoked)) {
    member.state = StreamsMemberState::unrevoked_tasks;
    move_to(member, epoch_now);
    member.pending_revocation = std::move(revoked);
    return member;
  }
  const bool unreleased = active.unreleased || standby.unreleased || warmup.unreleased;
  member.state = unreleased ? StreamsMemberState::unreleased_tasks : StreamsMemberState::stable;
  move_to(member, target_epoch);
  add(member.assigned.active, active.added);
  add(member.assigned.standby, standby.added);
  add(member.assigned.warmup, warmup.added);
  member.pending_revocation = {};
  return member;
}

}  // namespace

StreamsMember next_tasks(const StreamsMember& member, int32_t target_epoch, const TaskSets& target,
                         const std::optional<TaskSets>& owned, const StreamsGroup& group) {
  switch (member.state) {
    case StreamsMemberState::stable:
      if (member.epoch == target_epoch) return member;
      return towards(member, member.epoch, target_epoch, target, owned, group);
    case StreamsMemberState::unrevoked_tasks:
      if (!owned || owns_any(owned, member.pending_revocation)) return member;
      return towards(member, member.epoch + 1, target_epoch, target, owned, group);
    case StreamsMemberState::unreleased_tasks: {
      StreamsMember next = towards(member, member.epoch, target_epoch, target, owned, group);
      const bool moved = next.assigned != member.assigned || next.state != member.state || next.epoch != member.epoch;
      return moved ? next : member;
    }
    default: return towards(member, target_epoch, target_epoch, target, owned, group);
  }
}

}  // namespace kq::group
