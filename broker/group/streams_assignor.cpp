#include "broker/group/streams_assignor.hpp"

#include <algorithm>
#include <optional>
#include <set>

namespace kq::group {
namespace {

struct Process {
  std::vector<size_t> members;
  std::set<TaskId> tasks;
  size_t count = 0;

  double load() const { return static_cast<double>(count) / static_cast<double>(members.size()); }
  bool has(const TaskId& task) const { return tasks.contains(task); }
};

// How many tasks a member may have; who has that many shares no longer in what is left.
class Quota {
 public:
  Quota(size_t tasks, size_t members) : tasks_(tasks), members_(members) { share(); }
  bool open(size_t count) const { return count < each_; }
  void has_now(size_t count) {
    if (count != each_ || members_ == 0) return;
    --members_;
    tasks_ -= std::min(tasks_, count);
    share();
  }

 private:
  void share() { each_ = members_ == 0 ? 0 : (tasks_ + members_ - 1) / members_; }

  size_t tasks_, members_, each_ = 0;
};

bool by_partition(const TaskId& a, const TaskId& b) {
  return a.partition != b.partition ? a.partition < b.partition : a.subtopology < b.subtopology;
}

class Assigning {
 public:
  explicit Assigning(const StreamsAssignorInput& input)
      : input_(input), active_quota_(count_active(), input.members.size()), quota_(count_all(), input.members.size()) {
    counts_.resize(input.members.size());
    process_of_.resize(input.members.size());
    for (size_t m = 0; m < input.members.size(); ++m) add_member(m);
    rebuild();
  }

  StreamsTargets run() {
    for (const auto& member : input_.members) targets_[std::string(member.id)];
    if (input_.members.empty()) return std::move(targets_);
    assign_active();
    if (input_.standby_replicas > 0) assign_standby();
    return std::move(targets_);
  }

 private:
  size_t count_active() const {
    size_t count = 0;
    for (const auto& subtopology : input_.subtopologies) count += static_cast<size_t>(subtopology.tasks);
    return count;
  }
  size_t count_all() const {
    size_t count = count_active();
    for (const auto& subtopology : input_.subtopologies)
      if (subtopology.stateful) count += static_cast<size_t>(subtopology.tasks) * static_cast<size_t>(input_.standby_replicas);
    return count;
  }
  std::vector<TaskId> tasks(bool stateful_alone) const {
    std::vector<TaskId> all;
    for (const auto& subtopology : input_.subtopologies)
      if (subtopology.stateful || !stateful_alone)
        for (int32_t partition = 0; partition < subtopology.tasks; ++partition)
          all.push_back({std::string(subtopology.id), partition});
    std::ranges::sort(all);
    return all;
  }
  void add_member(size_t m) {
    const auto& member = input_.members[m];
    const auto known = process_index_.try_emplace(member.process_id, processes_.size());
    if (known.second) processes_.emplace_back();
    process_of_[m] = known.first->second;
    processes_[process_of_[m]].members.push_back(m);
    if (!member.before) return;
    for (const auto& [subtopology, partitions] : member.before->active)
      for (const int32_t partition : partitions) was_active_[{subtopology, partition}] = m;
    for (const auto& [subtopology, partitions] : member.before->standby)
      for (const int32_t partition : partitions) was_standby_[{subtopology, partition}].push_back(m);
  }

  // ---- Giving

  void give(size_t m, const TaskId& task, bool active) {
    Process& process = processes_[process_of_[m]];
    by_load_.erase({process.load(), process_of_[m]});
    ++process.count;
    process.tasks.insert(task);
    by_load_.insert({process.load(), process_of_[m]});
    TaskSets& target = targets_[std::string(input_.members[m].id)];
    (active ? target.active : target.standby)[task.subtopology].insert(task.partition);
    ++counts_[m];
    if (active) active_quota_.has_now(counts_[m]);
    quota_.has_now(counts_[m]);
  }
  size_t least_loaded_member(const Process& process) const {
    return *std::ranges::min_element(process.members, {}, [this](size_t m) { return counts_[m]; });
  }
  void rebuild() {
    by_load_.clear();
    for (size_t p = 0; p < processes_.size(); ++p) by_load_.insert({processes_[p].load(), p});
  }

  // Of those that had the task on standby; `unless_there`: none whose process has it already.
  std::optional<size_t> standby_before(const TaskId& task, bool unless_there) const {
    const auto found = was_standby_.find(task);
    if (found == was_standby_.end()) return std::nullopt;
    std::optional<size_t> best;
    for (const size_t m : found->second) {
      const Process& process = processes_[process_of_[m]];
      if (unless_there && process.has(task)) continue;
      if (!best || (process.load() < processes_[process_of_[*best]].load() && counts_[m] < counts_[*best])) best = m;
    }
    return best;
  }

  void assign_active() {
    std::vector<TaskId> left = tasks(false);
    std::erase_if(left, [this](const TaskId& task) {
      const auto before = was_active_.find(task);
      if (before == was_active_.end() || !active_quota_.open(counts_[before->second])) return false;
      give(before->second, task, true);
      return true;
    });
    std::erase_if(left, [this](const TaskId& task) {
      const auto before = standby_before(task, false);
      if (!before || !active_quota_.open(counts_[*before])) return false;
      give(*before, task, true);
      return true;
    });
    std::ranges::sort(left, by_partition);
    for (const TaskId& task : left) give(least_loaded_member(processes_[by_load_.begin()->second]), task, true);
  }

  void assign_standby() {
    std::vector<std::pair<TaskId, int32_t>> left;  // and how many are wanted yet
    std::vector<TaskId> all = tasks(true);
    std::ranges::reverse(all);
    for (const TaskId& task : all) {
      int32_t wanted = input_.standby_replicas;
      while (wanted > 0 && stays_on_standby(task)) --wanted;
      if (wanted > 0) left.emplace_back(task, wanted);
    }
    std::ranges::sort(left, [](const auto& a, const auto& b) { return b.first < a.first; });
    for (auto& [task, wanted] : left)
      for (; wanted > 0; --wanted) {
        const auto process =
            std::ranges::find_if(by_load_, [&](const auto& entry) { return !processes_[entry.second].has(task); });
        if (process == by_load_.end()) break;  // not enough processes
        give(least_loaded_member(processes_[process->second]), task, false);
      }
  }
  bool stays_on_standby(const TaskId& task) {
    const auto active = was_active_.find(task);
    if (active != was_active_.end() && !processes_[process_of_[active->second]].has(task) && quota_.open(counts_[active->second]))
      return give(active->second, task, false), true;
    const auto before = standby_before(task, true);
    if (!before || !quota_.open(counts_[*before])) return false;
    return give(*before, task, false), true;
  }

  const StreamsAssignorInput& input_;
  std::vector<Process> processes_;
  std::map<std::string_view, size_t> process_index_;
  std::vector<size_t> process_of_, counts_;  // by member
  std::map<TaskId, size_t> was_active_;
  std::map<TaskId, std::vector<size_t>> was_standby_;
  std::set<std::pair<double, size_t>> by_load_;  // of processes
  Quota active_quota_, quota_;
  StreamsTargets targets_;
};

}  // namespace

StreamsTargets assign_sticky(const StreamsAssignorInput& input) { return Assigning(input).run(); }

}  // namespace kq::group
