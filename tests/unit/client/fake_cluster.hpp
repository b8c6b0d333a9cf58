// Brokers in memory with one topic's metadata between them, and a log for each partition.
#pragma once

#include "libkq/protocol/messages/init_producer_id.hpp"
#include "libkq/protocol/messages/metadata.hpp"
#include "libkq/protocol/messages/produce.hpp"
#include "libkq/record/batch.hpp"
#include "tests/unit/rpc/fake_broker.hpp"

namespace kq {

// Broker n listens on port 9000 + n.  Topics are made by `topic()`; others are unknown.
struct FakeCluster : SimulatedWorld {
  explicit FakeCluster(int brokers) {
    for (int id = 1; id <= brokers; ++id) {
      auto& broker = nodes[id] = std::make_unique<FakeBroker>(*this, static_cast<uint16_t>(9000 + id));
      broker->on<MetadataRequest>([this](const MetadataRequest& request) { return metadata(request); });
      broker->on<InitProducerIdRequest>([](const InitProducerIdRequest&) {
        InitProducerIdResponse response;
        response.producer_id = 900;
        return response;
      });
      broker->on<ProduceRequest>([this, id](const ProduceRequest& request) { return produce(id, request); });
    }
  }
  ~FakeCluster() {
    for (auto& [id, broker] : nodes) broker->stop();
    pass(1s);
  }

  struct Part {
    int32_t leader = 1;
    int32_t epoch = 0;
    std::vector<std::vector<std::byte>> batches{};
    int64_t end = 0;
  };
  void topic(const std::string& name, size_t partitions) {
    topics[name].resize(partitions);
    if (!ids.count(name)) ids[name].bytes[0] = static_cast<std::byte>(++last_id);
  }
  void lead(const std::string& name, size_t partition, int32_t leader) {
    topics[name][partition].leader = leader;
    ++topics[name][partition].epoch;
  }
  FakeBroker& broker(int32_t id) { return *nodes.at(id); }

  // Views of the answer point at names that live as long as the cluster.
  MetadataResponse metadata(const MetadataRequest& request) {
    static const std::string host = "broker", cluster = "a-cluster";
    MetadataResponse response;
    response.cluster_id = cluster;
    response.controller_id = 1;
    for (const auto& [id, broker] : nodes) {
      auto& node = response.brokers.emplace_back();
      node.node_id = id;
      node.host = host;
      node.port = broker->port();
    }
    std::vector<std::string_view> names;
    if (request.topics)
      for (const auto& wanted : *request.topics) names.push_back(*wanted.name);
    else
      for (const auto& [name, parts] : topics) names.push_back(name);
    for (const std::string_view name : names) {
      const auto found = topics.find(std::string(name));
      auto& topic = response.topics.emplace_back();
      topic.name = name;
      if (found == topics.end()) {
        topic.error_code = Code::unknown_topic_or_partition;
        continue;
      }
      topic.topic_id = ids[found->first];
      for (size_t i = 0; i < found->second.size(); ++i) {
        auto& partition = topic.partitions.emplace_back();
        partition.partition_index = static_cast<int32_t>(i);
        partition.leader_id = found->second[i].leader;
        partition.leader_epoch = found->second[i].epoch;
      }
    }
    return response;
  }

  std::map<int32_t, std::unique_ptr<FakeBroker>> nodes;
  std::map<std::string, std::vector<Part>> topics;
  std::map<std::string, Uuid> ids;
  int last_id = 0;

 private:
  ProduceResponse produce(int32_t broker, const ProduceRequest& request) {
    ProduceResponse response;
    for (const auto& topic : request.topic_data) {
      auto& answers = response.responses.emplace_back();
      answers.topic_id = topic.topic_id;
      for (auto& [name, id] : ids)
        if (id == topic.topic_id) answers.name = name;
      for (const auto& data : topic.partition_data) {
        auto& answer = answers.partition_responses.emplace_back();
        answer.index = data.index;
        Part& part = topics[std::string(answers.name)].at(static_cast<size_t>(data.index));
        if (part.leader != broker) {
          answer.error_code = Code::not_leader_or_follower;
          continue;
        }
        append(part, data.records->bytes, answer);
      }
    }
    return response;
  }

  // Once, if its sequence says that it is here already.
  static void append(Part& part, Bytes bytes, ProduceResponse::PartitionProduceResponse& answer) {
    const BatchView batch(bytes);
    int64_t offset = 0;
    for (const auto& held : part.batches) {
      const BatchView old(held);
      if (batch.has_producer_id() && old.producer_epoch() == batch.producer_epoch() && old.base_sequence() == batch.base_sequence()) {
        answer.base_offset = offset;
        return;
      }
      offset += old.count();
    }
    answer.base_offset = part.end;
    part.end += batch.count();
    part.batches.emplace_back(bytes.begin(), bytes.end());
  }
};

}  // namespace kq
