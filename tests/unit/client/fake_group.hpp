// A coordinator and logs in memory, and a consumer that is a member: the test plays the group's other members.
#pragma once

#include "libkq/client/config.hpp"
#include "libkq/client/consumer.hpp"
#include "libkq/client/ending.hpp"
#include "libkq/client/group_protocol.hpp"
#include "libkq/protocol/messages/fetch.hpp"
#include "libkq/protocol/messages/list_offsets.hpp"
#include "libkq/protocol/messages/offset_commit.hpp"
#include "libkq/protocol/messages/offset_fetch.hpp"
#include "libkq/record/batch_builder.hpp"
#include "tests/unit/client/fake_cluster.hpp"
#include "tests/unit/cmocka.hpp"

namespace kq::client {

// Broker 1 leads everything; `coordinator` coordinates.  What concerns the group is a line of the story:
//   join, sync, leave, commit t-0@5
using Settings = std::vector<Setting>;

struct FakeGroup : FakeCluster {
  explicit FakeGroup(Settings settings = {}, int brokers = 1) : FakeCluster(brokers) {
    topic("t", 2);
    for (auto& [id, broker] : nodes) play(id, *broker);
    settings.insert(settings.begin(), {{"bootstrap.servers", "broker:9001"}, {"group.id", "g"}, {"auto.offset.reset", "earliest"},
                                       {"partition.assignment.strategy", "range"}});
    const auto config = Config::parse(Role::consumer, settings);
    if (!config) fail_msg("%s", config.error().message().c_str());
    cluster = Cluster::make(loop, network, logger, *ClusterOptions::from(*config));
    consumer = std::make_shared<Consumer>(driver, cluster, *config);
    consumer->start();
    cluster->start();
  }
  ~FakeGroup() {
    if (cluster) free();
    pass(1s);
  }
  // As the handle does it.  Whether that left nothing behind on the loop.
  bool free() {
    batch.reset();
    return end_client(*driver, consumer, cluster);
  }

  // ---- the other side ----
  void append(int32_t partition, int records) {
    Part& part = topics["t"].at(static_cast<size_t>(partition));
    OwnedBatchBuilder builder;
    for (int i = 0; i < records; ++i) builder.append(1000, as_bytes("k"), as_bytes("v"));
    const Bytes sealed = builder.seal({.base_offset = part.end});
    part.batches.emplace_back(sealed.begin(), sealed.end());
    part.end += records;
  }
  void rebalance(const Partitions& next) {
    assignment = next;
    rebalancing = true;
  }

  // ---- the application's side ----
  // Polls once: "+ t-0 t-1", "- t-0", "lost t-0", "t-0 0..4", "committed t-0@5 #7", "error NAME", or "".  The batch stays in `batch`.
  std::string poll() {
    auto taken = std::make_unique<Batch>();
    Consumer::Where where;
    const auto polled = consumer->poll(Clock::now(), *taken, where);
    if (!polled) {
      last_error = std::make_unique<Error>(polled.error());
      return "error " + std::to_string(polled.error().code());
    }
    if (*polled == Consumer::Polled::nothing) return "";
    batch = std::move(taken);
    std::string text = batch->kind == KQ_ASSIGNED ? "+" : batch->kind == KQ_REVOKED ? "-" : batch->kind == KQ_LOST ? "lost" : "";
    if (batch->kind == KQ_EVENT) text = "committed";
    for (const kq_record& row : batch->records) {
      const std::string name = std::string(row.topic) + "-" + std::to_string(row.partition);
      if (batch->kind == KQ_RECORDS) {
        if (text.find(name) == text.npos) text += (text.empty() ? "" : " ") + name + " " + std::to_string(row.offset) + "..";
      } else {
        text += " " + name;
      }
      if (batch->kind == KQ_EVENT) text += "@" + std::to_string(row.offset) + " #" + std::to_string(row.tag);
    }
    if (batch->kind == KQ_RECORDS) text += std::to_string(batch->records.back().offset);
    return text;
  }
  // Lets time pass until a poll gives something.  It polls with a zero timeout, on this thread.
  std::string next(Duration patience = 10s) {
    for (Duration waited = 0ms; waited < patience; waited += 10ms) {
      if (const std::string text = poll(); !text.empty()) return text;
      pass(10ms);
    }
    return "";
  }
  void join(const Partitions& partitions = {{"t", 0}, {"t", 1}}) {
    assignment = partitions;
    assert_true(consumer->subscribe({"t"}).ok());
    assert_string_equal(next().substr(0, 1).c_str(), "+");
    told();
  }
  std::string told() { return std::exchange(story, {}); }
  template <class Tell>
  Result<bool> await(Tell tell) {
    std::optional<Result<bool>> end;
    loop.spawn([](Tell of, std::optional<Result<bool>>& into) -> awaitable<void> { into = co_await of(); }(tell, end));
    drive([&] { return end.has_value(); });
    return end ? std::move(*end) : Result<bool>(Error(own_code::timed_out, "it never ended"));
  }
  Result<bool> commit(std::vector<GroupOffset> offsets) {
    committing = std::move(offsets);
    return await([this] { return consumer->commit(committing, Clock::now() + 5s); });
  }
  Result<bool> close() {
    return await([this] { return consumer->end(Clock::now() + 5s); });
  }

  std::shared_ptr<Driver> driver = std::make_shared<Driver>(loop);
  std::shared_ptr<Cluster> cluster;
  std::shared_ptr<Consumer> consumer;
  std::unique_ptr<Batch> batch;                      // the one that was polled last: what it holds goes with the next
  std::unique_ptr<Error> last_error;
  std::vector<GroupOffset> committing;

  int32_t coordinator = 1;
  int32_t generation = 0;
  std::string protocol = "range";                    // that the group has chosen
  Partitions assignment;
  bool rebalancing = false;
  Code heartbeat = Code::none, commit_code = Code::none;
  std::map<TopicPartition, int64_t> committed;
  std::string story;

 private:
  void tell(const std::string& line) { story += (story.empty() ? "" : ", ") + line; }
  bool wrong_broker(int32_t id) const { return id != coordinator; }

  void play(int32_t id, FakeBroker& broker) {
    broker.on<FindCoordinatorRequest>([this](const FindCoordinatorRequest& request) {
      static const std::string host = "broker";
      FindCoordinatorResponse response;
      auto& found = response.coordinators.emplace_back();
      found.key = request.coordinator_keys.front();
      found.node_id = coordinator;
      found.host = host;
      found.port = 9000 + coordinator;
      return response;
    });
    broker.on<JoinGroupRequest>([this, id](const JoinGroupRequest& request) { return joined(id, request); });
    broker.on<SyncGroupRequest>([this](const SyncGroupRequest&) {
      tell("sync");
      assigned = encode_assignment(assignment);
      SyncGroupResponse response;
      response.assignment = assigned;
      return response;
    });
    broker.on<HeartbeatRequest>([this, id](const HeartbeatRequest&) {
      HeartbeatResponse response;
      response.error_code = wrong_broker(id) ? Code::not_coordinator : rebalancing ? Code::rebalance_in_progress : heartbeat;
      return response;
    });
    broker.on<LeaveGroupRequest>([this](const LeaveGroupRequest&) {
      tell("leave");
      return LeaveGroupResponse{};
    });
    broker.on<OffsetCommitRequest>([this, id](const OffsetCommitRequest& request) { return commit_answer(id, request); });
    broker.on<OffsetFetchRequest>([this](const OffsetFetchRequest& request) { return fetch_offsets_answer(request); });
    broker.on<ListOffsetsRequest>([this](const ListOffsetsRequest& request) { return list(request); });
    broker.on<FetchRequest>([this](const FetchRequest& request) { return fetch(request); });
  }

  JoinGroupResponse joined(int32_t id, const JoinGroupRequest& request) {
    JoinGroupResponse response;
    if (wrong_broker(id)) {
      response.error_code = Code::not_coordinator;
    } else if (request.member_id.empty()) {
      response.error_code = Code::member_id_required;
      response.member_id = "m";
    } else {
      tell("join");
      rebalancing = false;
      heartbeat = Code::none;
      response.generation_id = ++generation;
      response.protocol_name = protocol;
      response.leader = "another";
      response.member_id = "m";
    }
    return response;
  }

  OffsetCommitResponse commit_answer(int32_t id, const OffsetCommitRequest& request) {
    OffsetCommitResponse response;
    for (const auto& topic : request.topics) {
      auto& answers = response.topics.emplace_back();
      answers.name = topic.name;
      for (const auto& each : topic.partitions) {
        const bool outdated = request.generation_id_or_member_epoch >= 0 && request.generation_id_or_member_epoch != generation;
        const Code code = wrong_broker(id) ? Code::not_coordinator : outdated ? Code::illegal_generation : commit_code;
        answers.partitions.push_back({each.partition_index, code});
        if (code != Code::none) continue;
        const TopicPartition at{std::string(topic.name), each.partition_index};
        committed[at] = each.committed_offset;
        tell("commit " + at.text() + "@" + std::to_string(each.committed_offset));
      }
    }
    return response;
  }

  OffsetFetchResponse fetch_offsets_answer(const OffsetFetchRequest& request) {
    OffsetFetchResponse response;
    auto& group = response.groups.emplace_back();
    group.group_id = request.groups.front().group_id;
    for (const auto& topic : *request.groups.front().topics) {
      auto& answers = group.topics.emplace_back();
      answers.name = topic.name;
      for (const int32_t partition : topic.partition_indexes) {
        auto& answer = answers.partitions.emplace_back();
        answer.partition_index = partition;
        const auto found = committed.find({std::string(topic.name), partition});
        answer.committed_offset = found == committed.end() ? -1 : found->second;
      }
    }
    return response;
  }

  ListOffsetsResponse list(const ListOffsetsRequest& request) {
    ListOffsetsResponse response;
    for (const auto& topic : request.topics) {
      auto& answers = response.topics.emplace_back();
      answers.name = topic.name;
      for (const auto& each : topic.partitions) {
        auto& answer = answers.partitions.emplace_back();
        answer.partition_index = each.partition_index;
        answer.offset = each.timestamp == offset_spec::latest ? topics["t"].at(static_cast<size_t>(each.partition_index)).end : 0;
      }
    }
    return response;
  }

  // Without a session: each request asks for everything.
  FetchResponse fetch(const FetchRequest& request) {
    FetchResponse response;
    bool any = false;
    for (const auto& topic : request.topics) {
      auto& answers = response.responses.emplace_back();
      answers.topic_id = topic.topic_id;
      for (const auto& each : topic.partitions) {
        const Part& part = topics["t"].at(static_cast<size_t>(each.partition));
        auto& answer = answers.partitions.emplace_back();
        answer.partition_index = each.partition;
        answer.high_watermark = answer.last_stable_offset = part.end;
        answer.records = Records{};
        for (const auto& held : part.batches) {
          if (BatchView(held).next_offset() <= each.fetch_offset || !answer.records->bytes.empty()) continue;
          answer.records->bytes = held;
          any = true;
        }
      }
    }
    if (!any) response.throttle_time_ms = 40;        // in place of waiting
    return response;
  }

  Buffer assigned;
};

}  // namespace kq::client

#define expect(what, text) assert_string_equal((what).c_str(), text)
