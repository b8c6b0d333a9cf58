#include "broker/group/streams_group.hpp"

#include <algorithm>

namespace kq::group {
namespace {

const TaskSets no_tasks;

Code stale(const OffsetsCaller& caller) { return caller.transactional ? Code::illegal_generation : Code::stale_member_epoch; }

std::optional<int32_t> epoch_of(const EpochTasks& tasks, std::string_view subtopology, int32_t partition) {
  const auto partitions = tasks.find(subtopology);
  if (partitions == tasks.end()) return std::nullopt;
  const auto found = partitions->second.find(partition);
  return found == partitions->second.end() ? std::nullopt : std::optional(found->second);
}

template <class Visit>
void each_task(const auto& tasks, const Visit& visit) {
  for (const auto& [subtopology, partitions] : tasks)
    for (const auto& entry : partitions) {
      if constexpr (std::is_integral_v<std::remove_cvref_t<decltype(entry)>>)
        visit(TaskId{subtopology, entry});
      else
        visit(TaskId{subtopology, entry.first});
    }
}

}  // namespace

// ---- Asking -------------------------------------------------------------------------------------------------------------------

std::string_view StreamsGroup::state_name() const {
  if (members_.empty()) return "Empty";
  if (!topology_ || topology_->epoch != epoch_.validated_topology_epoch) return "NotReady";
  if (epoch_.epoch > target_epoch_) return "Assigning";
  const bool all = std::ranges::all_of(members_, [this](const auto& entry) { return entry.second.reconciled_to(target_epoch_); });
  return all ? "Stable" : "Reconciling";
}

bool StreamsGroup::subscribed_to(std::string_view topic) const {
  return !members_.empty() && topology_ && topology_->reader_of(topic);
}

Code StreamsGroup::check_commit(const OffsetsCaller& caller) const {
  if (caller.generation_or_epoch < 0 && members_.empty()) return Code::none;
  // TxnOffsetCommit need not say who asks.
  if (caller.transactional && caller.generation_or_epoch == -1 && caller.member_id.empty() && !caller.group_instance_id)
    return Code::none;
  const StreamsMember* asking = member(caller.member_id);
  if (!asking) return Code::unknown_member_id;
  constexpr int16_t epochs_from = 9;
  if (!caller.transactional && caller.version < epochs_from) return Code::unsupported_version;
  return caller.generation_or_epoch > asking->epoch ? stale(caller) : Code::none;
}

Code StreamsGroup::check_commit_of(const OffsetsCaller& caller, std::string_view topic, int32_t partition) const {
  const StreamsMember* asking = member(caller.member_id);
  if (!asking || caller.generation_or_epoch == asking->epoch) return Code::none;
  const Subtopology* subtopology = topology_ ? topology_->reader_of(topic) : nullptr;
  if (!subtopology) return stale(caller);
  auto since = epoch_of(asking->assigned.active, subtopology->id, partition);
  if (!since) since = epoch_of(asking->pending_revocation.active, subtopology->id, partition);
  return since && caller.generation_or_epoch >= *since ? Code::none : stale(caller);
}

Code StreamsGroup::check_fetch(std::string_view member_id, int32_t epoch) const {
  if (member_id.empty() && epoch < 0) return Code::none;  // an administrator, or a client that does not say
  const StreamsMember* asking = member(member_id);
  if (!asking) return Code::unknown_member_id;
  return epoch == asking->epoch ? Code::none : Code::stale_member_epoch;
}

const StreamsMember* StreamsGroup::member(std::string_view member_id) const {
  const auto found = members_.find(member_id);
  return found == members_.end() ? nullptr : &found->second;
}

const TaskSets& StreamsGroup::target(std::string_view member_id) const {
  const auto found = targets_.find(member_id);
  return found == targets_.end() ? no_tasks : found->second;
}

const std::string* StreamsGroup::active_process(const TaskId& task) const {
  const auto found = active_processes_.find(task);
  return found == active_processes_.end() ? nullptr : &found->second;
}

bool StreamsGroup::on_standby(const TaskId& task, const std::string& process_id) const {
  for (const auto* processes : {&standby_processes_, &warmup_processes_}) {
    const auto found = processes->find(task);
    if (found != processes->end() && found->second.contains(process_id)) return true;
  }
  return false;
}

const ConfiguredTopology& StreamsGroup::configured(const std::shared_ptr<const cluster::Image>& image) const {
  if (configured_on_.lock() == image) return configured_;
  configured_ = topology_ ? configure(*topology_, *image) : ConfiguredTopology{};
  configured_on_ = image;
  return configured_;
}

bool StreamsGroup::operator==(const StreamsGroup& other) const {
  return id == other.id && epoch_ == other.epoch_ && target_epoch_ == other.target_epoch_ && members_ == other.members_ &&
         targets_ == other.targets_ && topology_ == other.topology_ && active_processes_ == other.active_processes_ &&
         standby_processes_ == other.standby_processes_ && warmup_processes_ == other.warmup_processes_;
}

// Which processes have which tasks.  Two members of a process never have the same one.
void StreamsGroup::count(const StreamsMember& of, bool add) {
  for (const HeldTasks* held : {&of.assigned, &of.pending_revocation}) {
    each_task(held->active, [&](const TaskId& task) {
      if (add)
        active_processes_[task] = of.process_id;
      else if (const auto found = active_processes_.find(task);
               found != active_processes_.end() && found->second == of.process_id)
        active_processes_.erase(found);
    });
    const auto in_set = [&](auto& processes, const Tasks& tasks) {
      each_task(tasks, [&](const TaskId& task) {
        if (add) return void(processes[task].insert(of.process_id));
        const auto found = processes.find(task);
        if (found == processes.end()) return;
        found->second.erase(of.process_id);
        if (found->second.empty()) processes.erase(found);
      });
    };
    in_set(standby_processes_, held->standby);
    in_set(warmup_processes_, held->warmup);
  }
}

}  // namespace kq::group
