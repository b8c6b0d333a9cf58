// What members of streams groups, and those who look at the groups, are told.
#include <algorithm>

#include "broker/group/streams_beat.hpp"

namespace kq::group {
namespace {

using Response = StreamsGroupHeartbeatResponse;
using Described = StreamsGroupDescribeResponse;

template <class TaskIds>
std::vector<TaskIds> told(const Tasks& tasks, Texts& texts) {
  std::vector<TaskIds> all;
  for (const auto& [subtopology, partitions] : tasks) {
    auto& entry = all.emplace_back();
    entry.subtopology_id = texts.keep(subtopology);
    entry.partitions.assign(partitions.begin(), partitions.end());
  }
  return all;
}

Tasks without_epochs(const EpochTasks& tasks) {
  Tasks all;
  for (const auto& [subtopology, partitions] : tasks)
    for (const auto& [partition, epoch] : partitions) all[subtopology].insert(partition);
  return all;
}

Described::Assignment described(const Tasks& active, const Tasks& standby, const Tasks& warmup, Texts& texts) {
  Described::Assignment assignment;
  assignment.active_tasks = told<Described::TaskIds>(active, texts);
  assignment.standby_tasks = told<Described::TaskIds>(standby, texts);
  assignment.warmup_tasks = told<Described::TaskIds>(warmup, texts);
  return assignment;
}

void describe(const InternalTopic& topic, std::vector<Described::TopicInfo>& topics, Texts& texts) {
  auto& to = topics.emplace_back();
  to.name = texts.keep(topic.name);
  to.partitions = topic.partitions;
  to.replication_factor = topic.replication_factor;
  for (const auto& [key, value] : topic.configs) {
    auto& config = to.topic_configs.emplace_back();
    config.key = texts.keep(key);
    config.value = texts.keep(value);
  }
}

template <class Names>
std::vector<std::string_view> names_of(const Names& names, Texts& texts) {
  std::vector<std::string_view> all;
  for (const std::string& name : names) all.push_back(texts.keep(name));
  std::ranges::sort(all);
  return all;
}

void by_name(std::vector<Described::TopicInfo>& topics) { std::ranges::sort(topics, {}, &Described::TopicInfo::name); }

Described::Topology described(const StreamsTopology& topology, const ConfiguredTopology& configured, Texts& texts) {
  Described::Topology told;
  told.epoch = topology.epoch;
  auto& all = told.subtopologies.emplace();
  for (const auto& [id, subtopology] : topology.subtopologies) {
    auto& to = all.emplace_back();
    to.subtopology_id = texts.keep(id);
    to.source_topics = names_of(subtopology.source_topics, texts);
    to.repartition_sink_topics = names_of(subtopology.repartition_sink_topics, texts);
    if (configured.ready() && configured.subtopologies) {  // with the partitions that were worked out
      const ConfiguredSubtopology& known = configured.subtopologies->at(id);
      for (const auto& [name, topic] : known.repartition_source_topics) describe(topic, to.repartition_source_topics, texts);
      for (const auto& [name, topic] : known.changelog_topics) describe(topic, to.state_changelog_topics, texts);
    } else {
      for (const InternalTopic& topic : subtopology.repartition_source_topics)
        describe(topic, to.repartition_source_topics, texts);
      for (const InternalTopic& topic : subtopology.changelog_topics) describe(topic, to.state_changelog_topics, texts);
    }
    by_name(to.repartition_source_topics);
    by_name(to.state_changelog_topics);
  }
  return told;
}

// The topic partitions that these tasks read.
std::vector<Response::TopicPartition> read_by(const Tasks& tasks, const ConfiguredTopology& configured,
                                              const cluster::Image& image, Texts& texts) {
  std::vector<Response::TopicPartition> all;
  if (!configured.subtopologies) return all;
  for (const auto& [id, partitions] : tasks) {
    const auto found = configured.subtopologies->find(id);
    if (found == configured.subtopologies->end()) continue;
    std::set<std::string_view> topics(found->second.source_topics.begin(), found->second.source_topics.end());
    for (const auto& [name, topic] : found->second.repartition_source_topics) topics.insert(name);
    for (const std::string_view name : topics) {
      const auto* topic = image.topic(name);
      if (!topic) continue;
      auto& told = all.emplace_back();
      told.topic = texts.keep(name);
      // A topic with fewer partitions than there are tasks is read by the first of them.
      const size_t count = std::min(partitions.size(), topic->partitions.size());
      told.partitions.assign(partitions.begin(), std::next(partitions.begin(), static_cast<ptrdiff_t>(count)));
    }
  }
  return all;
}

}  // namespace

// ---- A heartbeat's answer -----------------------------------------------------------------------------------------------------

StreamsHeartbeatAnswer StreamsCoordinator::answer(Beat& beat) {
  StreamsHeartbeatAnswer answer;
  auto& body = answer.body;
  body.member_id = answer.texts->keep(beat.member.id);
  body.member_epoch = beat.member.epoch;
  body.heartbeat_interval_ms = static_cast<int32_t>(
      groups_.setting(beat.group.id, "streams.heartbeat.interval.ms", to_ms(groups_.config.streams_heartbeat_interval)));
  const bool changed = !beat.before || beat.before->assigned != beat.member.assigned;
  if (beat.joins() || changed) {
    body.active_tasks = told<Response::TaskIds>(without_epochs(beat.member.assigned.active), *answer.texts);
    body.standby_tasks = told<Response::TaskIds>(beat.member.assigned.standby, *answer.texts);
    body.warmup_tasks = told<Response::TaskIds>(beat.member.assigned.warmup, *answer.texts);
    if (beat.member.user_endpoint && beat.held) ++beat.held->endpoint_epoch;
  }
  if (beat.held && beat.request.shutdown_application && !beat.held->shutdown_by) beat.held->shutdown_by = beat.member.id;
  tell_endpoints(beat, answer);
  const ConfiguredTopology& configured = beat.configured(groups_.image);
  if (configured.problem) {
    beat.statuses.push_back(*configured.problem);
    for (const auto& [name, topic] : configured.to_create) answer.create.push_back(topic);
  }
  if (beat.group.shutdown_by)
    beat.statuses.push_back({StreamsStatus::shutdown_application,
                             "Streams group member " + *beat.group.shutdown_by +
                                 " encountered a fatal error and requested a shutdown for the entire application."});
  for (const TopicProblem& status : beat.statuses) {
    auto& to = body.status->emplace_back();
    to.status_code = static_cast<int8_t>(status.status);
    to.status_detail = answer.texts->keep(status.detail);
  }
  return answer;
}

// Who has which partitions, to those who do not know it yet.
void StreamsCoordinator::tell_endpoints(const Beat& beat, StreamsHeartbeatAnswer& answer) const {
  const int32_t epoch = beat.group.endpoint_epoch;
  if (beat.held) answer.body.endpoint_information_epoch = epoch;
  if (epoch == beat.request.endpoint_information_epoch) return;
  auto& all = answer.body.partitions_by_user_endpoint.emplace();
  const ConfiguredTopology& configured = beat.configured(groups_.image);
  const auto tell = [&](const StreamsMember& member) {
    if (!member.user_endpoint) return;
    auto& to = all.emplace_back();
    to.user_endpoint.host = answer.texts->keep(member.user_endpoint->host);
    to.user_endpoint.port = member.user_endpoint->port;
    to.active_partitions = read_by(without_epochs(member.assigned.active), configured, *groups_.image, *answer.texts);
    to.standby_partitions = read_by(member.assigned.standby, configured, *groups_.image, *answer.texts);
  };
  for (const auto& [id, member] : beat.group.members())
    if (id != beat.member.id) tell(member);
  tell(beat.member);
}

// ---- Describing ---------------------------------------------------------------------------------------------------------------

void StreamsCoordinator::describe(std::string_view id, Described::DescribedGroup& to, Texts& texts) const {
  to.group_id = id;
  const auto* group = groups_.find<StreamsGroup>(id);
  if (!group) {
    to.error_code = Code::group_id_not_found;
    to.error_message = texts.keep("Group " + std::string(id) + (groups_.find(id) ? " is not a streams group." : " not found."));
    return;
  }
  to.group_state = group->state_name();
  to.group_epoch = group->epoch().epoch;
  to.assignment_epoch = group->target_epoch();
  if (group->topology()) to.topology = described(*group->topology(), group->configured(groups_.image), texts);
  for (const auto& [member_id, member] : group->members()) {
    auto& told = to.members.emplace_back();
    told.member_id = texts.keep(member_id);
    told.member_epoch = member.epoch;
    told.instance_id = texts.keep_optional(member.instance_id);
    told.rack_id = texts.keep_optional(member.rack_id);
    told.client_id = texts.keep(member.client_id);
    told.client_host = texts.keep(member.client_host);
    told.topology_epoch = member.topology_epoch;
    told.process_id = texts.keep(member.process_id);
    if (member.user_endpoint) {
      auto& endpoint = told.user_endpoint.emplace();
      endpoint.host = texts.keep(member.user_endpoint->host);
      endpoint.port = member.user_endpoint->port;
    }
    for (const auto& [key, value] : member.client_tags) {
      auto& tag = told.client_tags.emplace_back();
      tag.key = texts.keep(key);
      tag.value = texts.keep(value);
    }
    const TaskSets& target = group->target(member_id);
    told.assignment = described(without_epochs(member.assigned.active), member.assigned.standby, member.assigned.warmup, texts);
    told.target_assignment = described(target.active, target.standby, target.warmup, texts);
  }
}

}  // namespace kq::group
