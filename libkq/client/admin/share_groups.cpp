// Operations on the offsets of share groups: list, alter, delete.
#include <map>

#include "libkq/client/admin/story.hpp"
#include "libkq/client/coordinator.hpp"
#include "libkq/client/topic_partition.hpp"
#include "libkq/protocol/messages/alter_share_group_offsets.hpp"
#include "libkq/protocol/messages/delete_share_group_offsets.hpp"
#include "libkq/protocol/messages/describe_share_group_offsets.hpp"

namespace kq::client::admin {
namespace {

std::shared_ptr<Coordinator> coordinator_of(const std::shared_ptr<Cluster>& cluster, std::string_view group) {
  return std::make_shared<Coordinator>(cluster, std::string(group), Coordinator::Kind::group);
}

// ---- list_share_group_offsets --------------------------------------------------------------------------------------------------

Code code_of_list(const DescribeShareGroupOffsetsResponse& response) { return response.groups.empty() ? Code::none : response.groups.front().error_code; }

void list(kq_rows& rows, const DescribeShareGroupOffsetsResponse::DescribeShareGroupOffsetsResponseGroup& group) {
  for (const auto& topic : group.topics) {
    for (const auto& partition : topic.partitions) {
      auto& row = rows.add().set("topic", topic.topic_name).set("partition", partition.partition_index);
      if (partition.start_offset >= 0) row.set("offset", partition.start_offset);
      if (partition.lag >= 0) row.set("lag", partition.lag);
      row.set("leader_epoch", partition.leader_epoch);
      if (partition.error_code != Code::none)
        row.fail(no_to(std::string(topic.topic_name) + "-" + std::to_string(partition.partition_index), partition.error_code, partition.error_message));
    }
  }
}

awaitable<Result<Rows>> tell_list(std::shared_ptr<Cluster> cluster, const Request& request, Instant deadline) {
  Rows rows = make_rows(list_share_group_offsets);
  for (size_t item = 0; item < request.count(); ++item) {
    const std::string_view group = request.string(item, "group");
    auto& row = rows->add().set("group", group);
    kq_rows& offsets = row.nested("offsets");
    DescribeShareGroupOffsetsRequest message;
    auto& asked = message.groups.emplace_back();
    asked.group_id = group;
    asked.topics.reset();                            // all
    const auto coordinator = coordinator_of(cluster, group);
    auto reply = co_await coordinator->request(message, deadline, code_of_list);
    if (!reply) row.fail(std::move(reply.error()).in(group));
    else if (reply->message.groups.empty()) row.fail(unmentioned(group));
    else if (const auto& told = reply->message.groups.front(); told.error_code != Code::none) row.fail(no_to(group, told.error_code, told.error_message));
    else list(offsets, told);
  }
  co_return rows;
}

// ---- alter_share_group_offsets -------------------------------------------------------------------------------------------------

Code code_of_alter(const AlterShareGroupOffsetsResponse& response) { return response.error_code; }

AlterShareGroupOffsetsRequest alteration_of(const Request& request) {
  AlterShareGroupOffsetsRequest message;
  message.group_id = request.string("group");
  for (size_t item = 0; item < request.count(); ++item) {
    const std::string_view name = request.string(item, "topic");
    auto topic = std::ranges::find(message.topics, name, [](const auto& each) { return each.topic_name; });
    if (topic == message.topics.end()) {
      topic = message.topics.emplace(topic);
      topic->topic_name = name;
    }
    auto& partition = topic->partitions.emplace_back();
    partition.partition_index = static_cast<int32_t>(request.int64(item, "partition"));
    partition.start_offset = request.int64(item, "offset");
  }
  return message;
}

awaitable<Result<Rows>> tell_alter(std::shared_ptr<Cluster> cluster, const Request& request, Instant deadline) {
  const auto message = alteration_of(request);
  const auto coordinator = coordinator_of(cluster, request.string("group"));
  auto reply = co_await coordinator->request(message, deadline, code_of_alter);
  if (!reply) co_return std::move(reply.error());
  const auto& response = reply->message;
  if (response.error_code != Code::none) co_return no_to("group " + std::string(request.string("group")), response.error_code, response.error_message);
  Rows rows = make_rows(alter_share_group_offsets);
  for (size_t item = 0; item < request.count(); ++item) {
    const TopicPartition at{std::string(request.string(item, "topic")), static_cast<int32_t>(request.int64(item, "partition"))};
    auto& row = rows->add().set("topic", at.topic).set("partition", at.partition).fail(unmentioned(at.text()));
    for (const auto& topic : response.responses) {
      if (topic.topic_name != at.topic) continue;
      for (const auto& partition : topic.partitions) {
        if (partition.partition_index != at.partition) continue;
        row.succeed();
        if (partition.error_code != Code::none) row.fail(no_to(at.text(), partition.error_code, partition.error_message));
      }
    }
  }
  co_return rows;
}

// ---- delete_share_group_offsets ------------------------------------------------------------------------------------------------

Code code_of_delete(const DeleteShareGroupOffsetsResponse& response) { return response.error_code; }

awaitable<Result<Rows>> tell_delete(std::shared_ptr<Cluster> cluster, const Request& request, Instant deadline) {
  DeleteShareGroupOffsetsRequest message;
  message.group_id = request.string("group");
  for (size_t item = 0; item < request.count(); ++item) message.topics.emplace_back().topic_name = request.string(item, "topic");
  const auto coordinator = coordinator_of(cluster, request.string("group"));
  auto reply = co_await coordinator->request(message, deadline, code_of_delete);
  if (!reply) co_return std::move(reply.error());
  const auto& response = reply->message;
  if (response.error_code != Code::none) co_return no_to("group " + std::string(request.string("group")), response.error_code, response.error_message);
  Rows rows = make_rows(delete_share_group_offsets);
  for (size_t item = 0; item < request.count(); ++item) {
    const std::string_view name = request.string(item, "topic");
    auto& row = rows->add().set("topic", name);
    const auto answer = std::ranges::find(response.responses, name, [](const auto& topic) { return topic.topic_name; });
    if (answer == response.responses.end()) row.fail(unmentioned(name));
    else if (answer->error_code != Code::none) row.fail(no_to(name, answer->error_code, answer->error_message));
  }
  co_return rows;
}

// ---- tables --------------------------------------------------------------------------------------------------------------------

constexpr kq_field group_parameter = parameter("group", 's', "The group's id.");
constexpr kq_field topic_item = item("topic", 's', "The topic's name.");
constexpr kq_field list_in[] = {item("group", 's', "The group's id.")};
constexpr kq_field list_out[] = {
    column("group", 's', "The group's id."),
    column("offsets", 'r', "Each partition that it reads."),
    column("offsets.topic", 's', "The topic's name."),
    column("offsets.partition", 'i', "The partition's number."),
    nullable(column("offsets.offset", 'i', "Everything before it is done with; null: nobody has read yet.")),
    column("offsets.leader_epoch", 'i', "When that was; 0: not known."),
    nullable(column("offsets.lag", 'i', "Records that are not done with; null: not told.")),
};
constexpr kq_field alter_in[] = {
    group_parameter, topic_item, item("partition", 'i', "The partition's number."), item("offset", 'i', "Of the next record to hand out."),
};
constexpr kq_field alter_out[] = {column("topic", 's', "As asked for."), column("partition", 'i', "As asked for.")};
constexpr kq_field delete_in[] = {group_parameter, topic_item};
constexpr kq_field delete_out[] = {column("topic", 's', "As asked for.")};

}  // namespace

constinit const Operation list_share_group_offsets{"list_share_group_offsets", "How far share groups are.", list_in, list_out, false, tell_list};
constinit const Operation alter_share_group_offsets{"alter_share_group_offsets", "Has a share group without members go on elsewhere.", alter_in,
                                                    alter_out, false, tell_alter};
constinit const Operation delete_share_group_offsets{"delete_share_group_offsets", "Has a share group without members forget topics.", delete_in,
                                                     delete_out, false, tell_delete};

}  // namespace kq::client::admin
