// A shard with a streams group `g`, its members, and topics.
#pragma once

#include <algorithm>

#include "tests/unit/broker/group/driver.hpp"
#include "tests/unit/cmocka.hpp"

namespace kq::group {

using Request = StreamsGroupHeartbeatRequest;
using Topics = std::map<std::string, size_t>;

inline std::shared_ptr<const cluster::Image> image_with(const Topics& topics, const cluster::ConfigMap& group_settings = {}) {
  auto image = std::make_shared<cluster::Image>();
  uint8_t number = 0;
  for (const auto& [name, partitions] : topics) {
    auto topic = std::make_shared<cluster::TopicImage>();
    topic->name = name;
    topic->id.bytes.back() = std::byte{++number};
    topic->partitions.resize(partitions);
    for (auto& partition : topic->partitions) partition.replicas = {1};
    image->topics.put(name, topic);
    image->topics_by_id.put(topic->id, topic);
  }
  image->configs.put({cluster::ResourceType::group, "g"}, std::make_shared<const cluster::ConfigMap>(group_settings));
  return image;
}

// Reads `in`, and counts what it reads in a state that a changelog keeps.
inline Request::Topology counting(int32_t epoch = 0) {
  Request::Topology topology;
  topology.epoch = epoch;
  auto& subtopology = topology.subtopologies.emplace_back();
  subtopology.subtopology_id = "0";
  subtopology.source_topics = {"in"};
  auto& changelog = subtopology.state_changelog_topics.emplace_back();
  changelog.name = "count-changelog";
  changelog.topic_configs.push_back({"cleanup.policy", "compact"});
  return topology;
}

// Reads `in`, splits it anew into `again`, whose partitions are to be worked out, and counts there.
inline Request::Topology regrouping(int32_t fixed_partitions = 0) {
  Request::Topology topology;
  auto& first = topology.subtopologies.emplace_back();
  first.subtopology_id = "0";
  first.source_topics = {"in"};
  first.repartition_sink_topics = {"again"};
  auto& second = topology.subtopologies.emplace_back();
  second.subtopology_id = "1";
  auto& again = second.repartition_source_topics.emplace_back();
  again.name = "again";
  again.partitions = fixed_partitions;
  second.state_changelog_topics.emplace_back().name = "count-changelog";
  return topology;
}

struct Told {
  int32_t epoch = 0;
  TaskSets tasks;  // what it has
};

struct StreamsFixture : Driver {
  explicit StreamsFixture(const Topics& topics = {{"in", 4}, {"count-changelog", 4}}, const cluster::ConfigMap& settings = {})
      : Driver(at_once()) {
    see(image_with(topics, settings));
  }
  static GroupConfig at_once() {
    GroupConfig config;
    config.streams_initial_rebalance_delay = 0s;
    return config;
  }
  void see(std::shared_ptr<const cluster::Image> next) {
    image = std::move(next);
    shard->metadata_changed(now, image, {});
  }

  StreamsHeartbeatAnswer send(const Request& request) {
    StreamsHeartbeatAnswer answer;
    run([&](Writes& writes) {
      answer = shard->streams().heartbeat(now, {.version = 0, .client_id = "c", .client_host = "/h"}, request, writes);
    });
    return answer;
  }
  // The request points at the texts.
  static Request joining(std::string_view member, std::string_view process, Request::Topology topology) {
    Request request;
    request.group_id = "g";
    request.member_id = member;
    request.rebalance_timeout_ms = 60'000;
    request.process_id = process;
    request.topology = std::move(topology);
    request.active_tasks.emplace(), request.standby_tasks.emplace(), request.warmup_tasks.emplace();
    return request;
  }
  StreamsHeartbeatAnswer join(const std::string& member, const std::string& process, Request::Topology topology = counting()) {
    told.erase(member);
    return note(member, send(joining(member, process, std::move(topology))));
  }
  // Says what it has, as it was told last: what it lost in the last answer it has given up.
  StreamsHeartbeatAnswer beat(const std::string& member, bool says = true) {
    Request request;
    request.group_id = "g";
    request.member_id = member;
    request.member_epoch = told[member].epoch;
    const auto fill = [](const Tasks& tasks, auto& to) {
      to.emplace();
      for (const auto& [subtopology, partitions] : tasks) to->push_back({subtopology, {partitions.begin(), partitions.end()}});
    };
    if (says) {
      fill(told[member].tasks.active, request.active_tasks);
      fill(told[member].tasks.standby, request.standby_tasks);
      request.warmup_tasks.emplace();
    }
    return note(member, send(request));
  }
  StreamsHeartbeatAnswer note(const std::string& member, StreamsHeartbeatAnswer answer) {
    if (answer.body.error_code != Code::none) return answer;
    Told& of = told[member];
    of.epoch = answer.body.member_epoch;
    if (!answer.body.active_tasks) return answer;
    const auto take = [](const auto& entries, Tasks& tasks) {
      tasks.clear();
      for (const auto& entry : entries)
        tasks[std::string(entry.subtopology_id)].insert(entry.partitions.begin(), entry.partitions.end());
    };
    take(*answer.body.active_tasks, of.tasks.active);
    take(*answer.body.standby_tasks, of.tasks.standby);
    return answer;
  }
  void settle() {
    for (int round = 0; round < 6; ++round)
      for (auto& [member, of] : std::map<std::string, Told>(told)) beat(member);
  }
  StreamsHeartbeatAnswer leave(const std::string& member, bool shutdown = false) {
    Request request;
    request.group_id = "g";
    request.member_id = member;
    request.member_epoch = -1;
    request.shutdown_application = shutdown;
    told.erase(member);
    return send(request);
  }
  const StreamsGroup* group() const { return shard->groups().find<StreamsGroup>("g"); }
  std::string state() const { return std::string(group()->state_name()); }
  std::string active(const std::string& member) { return text_of(told[member].tasks.active); }
  std::string standby(const std::string& member) { return text_of(told[member].tasks.standby); }
  static std::string text_of(const Tasks& tasks) {  // "0:01 1:3"
    std::string text;
    for (const auto& [subtopology, partitions] : tasks) {
      text += (text.empty() ? "" : " ") + subtopology + ":";
      for (const int32_t partition : partitions) text += std::to_string(partition);
    }
    return text;
  }

  std::map<std::string, Told> told;
};

inline void expect_text(const std::string& is, const char* wanted) { assert_string_equal(is.c_str(), wanted); }

inline int8_t status_of(const StreamsHeartbeatAnswer& answer, size_t at = 0) {
  assert_true(answer.body.status && answer.body.status->size() > at);
  return (*answer.body.status)[at].status_code;
}

inline std::string detail_of(const StreamsHeartbeatAnswer& answer) {
  return std::string(answer.body.status->at(0).status_detail);
}

}  // namespace kq::group
