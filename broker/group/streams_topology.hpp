// What a Kafka Streams application reads and writes (KIP-1071): the topology that its members bring along, and what becomes of it with the
// topics that there are.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "broker/cluster/image.hpp"
#include "libkq/protocol/messages/group_records.hpp"
#include "libkq/protocol/messages/streams_group_heartbeat.hpp"

namespace kq::group {

struct InternalTopic {
  std::string name;
  int32_t partitions = 0;  // 0: to be worked out
  int16_t replication_factor = 0;
  std::vector<std::pair<std::string, std::string>> configs;

  bool operator==(const InternalTopic&) const = default;
};

// Topics that need the same number of partitions, by their places in the subtopology's lists.
struct CopartitionGroup {
  std::vector<int16_t> source_topics, source_topic_regex, repartition_source_topics;

  bool operator==(const CopartitionGroup&) const = default;
};

struct Subtopology {
  std::string id;
  std::vector<std::string> source_topics, source_topic_regex;
  std::vector<InternalTopic> changelog_topics;
  std::vector<std::string> repartition_sink_topics;
  std::vector<InternalTopic> repartition_source_topics;
  std::vector<CopartitionGroup> copartition_groups;

  bool operator==(const Subtopology&) const = default;
};

struct StreamsTopology {
  int32_t epoch = 0;
  std::map<std::string, Subtopology, std::less<>> subtopologies;

  static StreamsTopology from(const StreamsGroupHeartbeatRequest::Topology&);
  static StreamsTopology from(const StreamsGroupTopologyValue&);
  StreamsGroupTopologyValue to_record() const;  // of views into this

  std::set<std::string, std::less<>> topics() const;  // that it needs: sources, repartition and changelog topics
  // The subtopology that reads the topic; null: none.
  const Subtopology* reader_of(std::string_view topic) const;

  bool operator==(const StreamsTopology&) const = default;
};

// As the heartbeat's answer tells it.
enum class StreamsStatus : int8_t {
  stale_topology = 0,
  missing_source_topics = 1,
  incorrectly_partitioned_topics = 2,
  missing_internal_topics = 3,
  shutdown_application = 4,
  assignment_delayed = 5,
};

struct TopicProblem {
  StreamsStatus status{};
  std::string detail;
};

struct ConfiguredSubtopology {
  int32_t tasks = 0;
  std::set<std::string, std::less<>> source_topics, repartition_sink_topics;
  std::map<std::string, InternalTopic, std::less<>> repartition_source_topics, changelog_topics;  // with their partitions

  bool stateful() const { return !changelog_topics.empty(); }
};

// A topology on the topics that there are.
struct ConfiguredTopology {
  int32_t epoch = 0;
  std::optional<std::map<std::string, ConfiguredSubtopology, std::less<>>>
      subtopologies;                                            // none: sources are missing, or do not fit
  std::map<std::string, InternalTopic, std::less<>> to_create;  // internal topics that are missing
  std::optional<TopicProblem> problem;
  std::string invalid;  // not empty: why it is no topology at all

  bool ready() const { return !problem && invalid.empty(); }
};

// How many partitions repartition and changelog topics have to have, and which of them are missing (InternalTopicManager of Kafka).
ConfiguredTopology configure(const StreamsTopology&, const cluster::Image&);

}  // namespace kq::group
