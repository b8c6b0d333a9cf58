#include "broker/group/streams_topology.hpp"

#include <algorithm>

namespace kq::group {
namespace {

InternalTopic internal_topic(const auto& from) {
  InternalTopic topic{std::string(from.name), from.partitions, from.replication_factor, {}};
  for (const auto& config : from.topic_configs) topic.configs.emplace_back(config.key, config.value);
  return topic;
}

template <class Topology>
StreamsTopology from_message(const Topology& message) {
  StreamsTopology topology{.epoch = message.epoch, .subtopologies = {}};
  for (const auto& from : message.subtopologies) {
    Subtopology& to = topology.subtopologies[std::string(from.subtopology_id)];
    to.id = from.subtopology_id;
    to.source_topics.assign(from.source_topics.begin(), from.source_topics.end());
    to.source_topic_regex.assign(from.source_topic_regex.begin(), from.source_topic_regex.end());
    for (const auto& topic : from.state_changelog_topics) to.changelog_topics.push_back(internal_topic(topic));
    to.repartition_sink_topics.assign(from.repartition_sink_topics.begin(), from.repartition_sink_topics.end());
    for (const auto& topic : from.repartition_source_topics) to.repartition_source_topics.push_back(internal_topic(topic));
    for (const auto& group : from.copartition_groups)
      to.copartition_groups.push_back({group.source_topics, group.source_topic_regex, group.repartition_source_topics});
  }
  return topology;
}

void to_message(const std::vector<InternalTopic>& topics, std::vector<StreamsGroupTopologyValue::TopicInfo>& message) {
  for (const InternalTopic& topic : topics) {
    auto& to = message.emplace_back();
    to.name = topic.name;
    to.partitions = topic.partitions;
    to.replication_factor = topic.replication_factor;
    for (const auto& [key, value] : topic.configs) {
      auto& config = to.topic_configs.emplace_back();
      config.key = key;
      config.value = value;
    }
  }
}

std::string summary(const auto& names) {
  constexpr size_t told_max = 3;
  std::string text;
  size_t told = 0;
  for (const std::string& name : names) {
    if (told == told_max) break;
    text += (told++ ? ", " : "") + name;
  }
  if (names.size() > told_max) text += " and " + std::to_string(names.size() - told_max) + " additional topics";
  return text;
}

// `{a=1, b=2}`, as Java writes a map.
std::string text_of(const std::map<std::string, int32_t>& counts) {
  std::string text;
  for (const auto& [name, count] : counts) text += (text.empty() ? "" : ", ") + name + "=" + std::to_string(count);
  return "{" + text + "}";
}

// A configuration while it is worked out.  A step that answers false has left its reason in the result.
class Configuring {
 public:
  Configuring(const StreamsTopology& topology, const cluster::Image& image) : topology_(topology), image_(image) {
    result_.epoch = topology.epoch;
  }

  ConfiguredTopology run() {
    if (check_sources() && count_repartition_topics() && enforce_copartitioning() && count_changelog_topics() &&
        make_subtopologies())
      find_missing_topics();
    return std::move(result_);
  }

 private:
  using Counts = std::map<std::string, int32_t>;

  bool refuse(StreamsStatus status, std::string detail) {
    result_.subtopologies.reset();
    result_.to_create.clear();
    result_.problem = TopicProblem{status, std::move(detail)};
    return false;
  }
  bool invalid(std::string why) {
    result_.subtopologies.reset();
    result_.invalid = std::move(why);
    return false;
  }
  // Nothing: it is not there, and not decided yet.
  std::optional<int32_t> partitions_of(const std::string& topic) const {
    if (const auto* there = image_.topic(topic)) return static_cast<int32_t>(there->partitions.size());
    const auto found = decided_.find(topic);
    return found == decided_.end() ? std::nullopt : std::optional<int32_t>(found->second);
  }

  bool check_sources() {
    std::set<std::string> missing;
    for (const auto& [id, subtopology] : topology_.subtopologies)
      for (const std::string& topic : subtopology.source_topics)
        if (!image_.topic(topic)) missing.insert(topic);
    if (missing.empty()) return true;
    return refuse(StreamsStatus::missing_source_topics, "Source topics " + summary(missing) + " are missing.");
  }

  // As many as the largest input of who writes it; a topic that hangs on another repartition topic waits for that.
  std::optional<int32_t> partitions_from_upstream(const Subtopology& subtopology) const {
    std::optional<int32_t> most;
    const auto consider = [&](std::optional<int32_t> count) {
      if (count && (!most || *count > *most)) most = count;
    };
    for (const InternalTopic& topic : subtopology.repartition_source_topics)
      if (const auto found = decided_.find(topic.name); found != decided_.end()) consider(found->second);
    for (const std::string& topic : subtopology.source_topics) consider(partitions_of(topic));
    return most;
  }
  // Passes over the subtopologies, by id, each over those alone that have learnt of another input since they were looked at.  False: some
  // never learn of any.
  bool count_sink_topics() {
    std::map<std::string_view, std::vector<std::string_view>> readers;
    std::set<std::string_view> waiting, now, next;
    for (const auto& [id, subtopology] : topology_.subtopologies) {
      for (const InternalTopic& topic : subtopology.repartition_source_topics) readers[topic.name].push_back(id);
      now.insert(id);
    }
    for (; !now.empty(); now.swap(next)) {
      while (!now.empty()) {
        const std::string_view id = *now.begin();
        now.erase(now.begin());
        const Subtopology& subtopology = topology_.subtopologies.find(id)->second;
        const auto undecided = [this](const std::string& topic) { return !decided_.contains(topic); };
        if (std::ranges::none_of(subtopology.repartition_sink_topics, undecided)) continue;
        waiting.insert(id);
        const auto count = partitions_from_upstream(subtopology);
        if (!count) continue;
        waiting.erase(id);
        for (const std::string& topic : subtopology.repartition_sink_topics) {
          if (!decided_.try_emplace(topic, *count).second) continue;
          for (const std::string_view reader : readers[topic])
            if (waiting.contains(reader)) (reader > id ? now : next).insert(reader);
        }
      }
    }
    return waiting.empty();
  }
  bool count_repartition_topics() {
    for (const auto& [id, subtopology] : topology_.subtopologies)
      for (const InternalTopic& topic : subtopology.repartition_source_topics)
        if (topic.partitions != 0) decided_[topic.name] = topic.partitions;
    if (!count_sink_topics())
      return invalid(
          "Failed to compute number of partitions for all repartition topics. There may be loops in the topology that cannot be "
          "resolved.");
    for (const auto& [id, subtopology] : topology_.subtopologies)
      for (const InternalTopic& topic : subtopology.repartition_source_topics)
        if (!decided_.contains(topic.name))
          return invalid(
              "Failed to compute number of partitions for all repartition topics, because a repartition source topic is never "
              "used "
              "as a sink topic.");
    return true;
  }

  bool enforce_copartitioning() {
    std::set<std::string> fixed, flexible;
    for (const auto& [id, subtopology] : topology_.subtopologies)
      for (const InternalTopic& topic : subtopology.repartition_source_topics)
        (topic.partitions != 0 ? fixed : flexible).insert(topic.name);
    for (const auto& [id, subtopology] : topology_.subtopologies)
      for (const CopartitionGroup& group : subtopology.copartition_groups)
        if (!enforce(subtopology, group, fixed, flexible)) return false;
    return true;
  }
  bool enforce(const Subtopology& subtopology, const CopartitionGroup& group, const std::set<std::string>& fixed,
               const std::set<std::string>& flexible) {
    std::set<std::string> names;
    const auto place = [](int16_t at, const auto& list) { return at >= 0 && static_cast<size_t>(at) < list.size(); };
    for (const int16_t at : group.source_topics) {
      if (!place(at, subtopology.source_topics)) return invalid("A copartition group names a source topic that is not there.");
      names.insert(subtopology.source_topics[at]);
    }
    for (const int16_t at : group.repartition_source_topics) {
      if (!place(at, subtopology.repartition_source_topics))
        return invalid("A copartition group names a repartition topic that is not there.");
      names.insert(subtopology.repartition_source_topics[at].name);
    }
    if (names.empty()) return true;
    Counts repartition, others;
    for (const std::string& name : names)
      (fixed.contains(name) || flexible.contains(name) ? repartition : others)[name] = partitions_of(name).value_or(0);
    const auto count = others.empty() ? of_repartition_topics(repartition, fixed) : of_others(others);
    if (!count) return false;
    for (const auto& [name, before] : repartition) {
      decided_[name] = *count;
      if (fixed.contains(name) && before != *count)
        return refuse(StreamsStatus::incorrectly_partitioned_topics,
                      "Number of partitions [" + std::to_string(before) + "] of repartition topic [" + name +
                          "] doesn't match number of partitions [" + std::to_string(*count) + "] of the source topic.");
    }
    return true;
  }
  std::optional<int32_t> differ(const Counts& counts) {
    refuse(StreamsStatus::incorrectly_partitioned_topics,
           "Following topics do not have the same number of partitions: [" + text_of(counts) + "]");
    return std::nullopt;
  }
  std::optional<int32_t> of_others(const Counts& others) {
    const int32_t count = others.begin()->second;
    const bool same = std::ranges::all_of(others, [&](const auto& entry) { return entry.second == count; });
    return same ? std::optional(count) : differ(others);
  }
  std::optional<int32_t> of_repartition_topics(const Counts& repartition, const std::set<std::string>& fixed) {
    if (!fixed.empty()) {
      const int32_t count = partitions_of(*fixed.begin()).value_or(0);
      const bool same = std::ranges::all_of(fixed, [&](const std::string& name) { return partitions_of(name) == count; });
      return same ? std::optional(count) : differ(repartition);
    }
    int32_t most = 0;
    for (const auto& [name, count] : repartition) most = std::max(most, count);
    return most;
  }

  bool count_changelog_topics() {
    for (const auto& [id, subtopology] : topology_.subtopologies) {
      const auto tasks = tasks_of(subtopology);
      if (!tasks) return invalid("No source topics found for subtopology " + id);
      for (const InternalTopic& topic : subtopology.changelog_topics) decided_[topic.name] = *tasks;
    }
    return true;
  }
  std::optional<int32_t> tasks_of(const Subtopology& subtopology) const {
    std::optional<int32_t> most;
    const auto consider = [&](const std::string& topic) { most = std::max(most.value_or(0), partitions_of(topic).value_or(0)); };
    for (const std::string& topic : subtopology.source_topics) consider(topic);
    for (const InternalTopic& topic : subtopology.repartition_source_topics) consider(topic.name);
    return most;
  }

  bool make_subtopologies() {
    auto& all = result_.subtopologies.emplace();
    const auto with_partitions = [this](const std::vector<InternalTopic>& from, auto& to) {
      for (const InternalTopic& topic : from) {
        InternalTopic& made = to.insert_or_assign(topic.name, topic).first->second;
        if (made.partitions == 0) made.partitions = decided_[topic.name];
      }
    };
    for (const auto& [id, subtopology] : topology_.subtopologies) {
      ConfiguredSubtopology& made = all[id];
      made.tasks = tasks_of(subtopology).value_or(0);
      if (made.tasks <= 0) return invalid("Subtopology " + id + " has no tasks.");
      made.source_topics.insert(subtopology.source_topics.begin(), subtopology.source_topics.end());
      made.repartition_sink_topics.insert(subtopology.repartition_sink_topics.begin(), subtopology.repartition_sink_topics.end());
      with_partitions(subtopology.repartition_source_topics, made.repartition_source_topics);
      with_partitions(subtopology.changelog_topics, made.changelog_topics);
    }
    return true;
  }

  void find_missing_topics() {
    auto& missing = result_.to_create;
    for (const auto& [id, subtopology] : *result_.subtopologies) {
      missing.insert(subtopology.repartition_source_topics.begin(), subtopology.repartition_source_topics.end());
      missing.insert(subtopology.changelog_topics.begin(), subtopology.changelog_topics.end());
    }
    for (auto at = missing.begin(); at != missing.end();) {
      const auto* there = image_.topic(at->first);
      if (!there) {
        ++at;
        continue;
      }
      const auto count = static_cast<int32_t>(there->partitions.size());
      if (count != at->second.partitions) {
        refuse(StreamsStatus::incorrectly_partitioned_topics,
               "Existing topic " + at->first + " has different number of partitions: expected " +
                   std::to_string(at->second.partitions) + ", found " + std::to_string(count));
        return;
      }
      at = missing.erase(at);
    }
    if (missing.empty()) return;
    std::vector<std::string> names;
    for (const auto& [name, topic] : missing) names.push_back(name);
    result_.problem = TopicProblem{StreamsStatus::missing_internal_topics, "Internal topics are missing: " + summary(names)};
  }

  const StreamsTopology& topology_;
  const cluster::Image& image_;
  Counts decided_;  // partitions of internal topics
  ConfiguredTopology result_;
};

}  // namespace

StreamsTopology StreamsTopology::from(const StreamsGroupHeartbeatRequest::Topology& message) { return from_message(message); }

StreamsTopology StreamsTopology::from(const StreamsGroupTopologyValue& message) { return from_message(message); }

StreamsGroupTopologyValue StreamsTopology::to_record() const {
  StreamsGroupTopologyValue value;
  value.epoch = epoch;
  for (const auto& [id, subtopology] : subtopologies) {
    auto& to = value.subtopologies.emplace_back();
    to.subtopology_id = id;
    to.source_topics.assign(subtopology.source_topics.begin(), subtopology.source_topics.end());
    to.source_topic_regex.assign(subtopology.source_topic_regex.begin(), subtopology.source_topic_regex.end());
    to_message(subtopology.changelog_topics, to.state_changelog_topics);
    to.repartition_sink_topics.assign(subtopology.repartition_sink_topics.begin(), subtopology.repartition_sink_topics.end());
    to_message(subtopology.repartition_source_topics, to.repartition_source_topics);
    for (const CopartitionGroup& group : subtopology.copartition_groups) {
      auto& copartition = to.copartition_groups.emplace_back();
      copartition.source_topics = group.source_topics;
      copartition.source_topic_regex = group.source_topic_regex;
      copartition.repartition_source_topics = group.repartition_source_topics;
    }
  }
  return value;
}

std::set<std::string, std::less<>> StreamsTopology::topics() const {
  std::set<std::string, std::less<>> names;
  for (const auto& [id, subtopology] : subtopologies) {
    names.insert(subtopology.source_topics.begin(), subtopology.source_topics.end());
    for (const InternalTopic& topic : subtopology.repartition_source_topics) names.insert(topic.name);
    for (const InternalTopic& topic : subtopology.changelog_topics) names.insert(topic.name);
  }
  return names;
}

const Subtopology* StreamsTopology::reader_of(std::string_view topic) const {
  for (const auto& [id, subtopology] : subtopologies) {
    const auto named = [&](const InternalTopic& internal) { return internal.name == topic; };
    if (std::ranges::find(subtopology.source_topics, topic) != subtopology.source_topics.end() ||
        std::ranges::any_of(subtopology.repartition_source_topics, named))
      return &subtopology;
  }
  return nullptr;
}

ConfiguredTopology configure(const StreamsTopology& topology, const cluster::Image& image) {
  return Configuring(topology, image).run();
}

}  // namespace kq::group
