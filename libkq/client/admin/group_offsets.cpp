// Operations on the offsets that groups have committed: list, alter, delete.
#include "libkq/client/group_offsets.hpp"

#include "libkq/client/admin/story.hpp"
#include "libkq/protocol/messages/offset_delete.hpp"

namespace kq::client::admin {
namespace {

std::shared_ptr<Coordinator> coordinator_of(const std::shared_ptr<Cluster>& cluster, std::string_view group) {
  return std::make_shared<Coordinator>(cluster, std::string(group), Coordinator::Kind::group);
}

awaitable<Result<Rows>> tell_list_group_offsets(std::shared_ptr<Cluster> cluster, const Request& request, Instant deadline) {
  Rows rows = make_rows(list_group_offsets);
  for (size_t item = 0; item < request.count(); ++item) {
    const std::string_view group = request.string(item, "group");
    auto& row = rows->add().set("group", group);
    kq_rows& nested = row.nested("offsets");
    std::vector<GroupOffset> offsets;
    const MemberIdentity nobody;
    const auto coordinator = coordinator_of(cluster, group);
    auto fetched = co_await fetch_offsets(coordinator, std::string(group), nobody, true, offsets, deadline);
    if (!fetched) row.fail(fetched.error());
    std::ranges::sort(offsets, {}, &GroupOffset::at);
    for (const GroupOffset& each : offsets) {
      auto& at = nested.add().set("topic", each.at.topic).set("partition", each.at.partition).set("offset", each.offset);
      at.set("leader_epoch", each.leader_epoch);
      if (!each.metadata.empty()) at.set("metadata", each.metadata);
      if (each.error) at.fail(*each.error);
    }
  }
  co_return rows;
}

std::vector<GroupOffset> partitions_of(const Request& request) {
  std::vector<GroupOffset> offsets;
  for (size_t item = 0; item < request.count(); ++item)
    offsets.push_back({.at = {std::string(request.string(item, "topic")), static_cast<int32_t>(request.int64(item, "partition"))}});
  return offsets;
}

awaitable<Result<Rows>> tell_alter_group_offsets(std::shared_ptr<Cluster> cluster, const Request& request, Instant deadline) {
  const std::string group(request.string("group"));
  std::vector<GroupOffset> offsets = partitions_of(request);
  for (size_t item = 0; item < offsets.size(); ++item) {
    offsets[item].offset = request.int64(item, "offset");
    offsets[item].metadata = request.string_or_null(item, "metadata").value_or("");
    if (offsets[item].offset < 0) co_return Error(own_code::argument, "alter_group_offsets: there is no offset below 0");
  }
  const MemberIdentity nobody;
  const auto coordinator = coordinator_of(cluster, group);
  auto committed = co_await commit_offsets(coordinator, group, nobody, offsets, deadline);
  if (!committed) co_return std::move(committed.error());
  Rows rows = make_rows(alter_group_offsets);
  for (const GroupOffset& each : offsets) {
    auto& row = rows->add().set("topic", each.at.topic).set("partition", each.at.partition);
    // Nobody's commit is refused as a member's while the group has members.
    const bool busy = each.error && each.error->code() == static_cast<int32_t>(Code::unknown_member_id);
    if (busy) row.fail(no_to("group " + group, Code::non_empty_group));
    else if (each.error) row.fail(*each.error);
  }
  co_return rows;
}

Code code_of(const OffsetDeleteResponse& response) { return response.error_code; }

awaitable<Result<Rows>> tell_delete_group_offsets(std::shared_ptr<Cluster> cluster, const Request& request, Instant deadline) {
  const std::string group(request.string("group"));
  const std::vector<GroupOffset> offsets = partitions_of(request);
  OffsetDeleteRequest message;
  message.group_id = group;
  for (const GroupOffset& each : offsets) {
    if (message.topics.empty() || message.topics.back().name != each.at.topic) message.topics.emplace_back().name = each.at.topic;
    message.topics.back().partitions.emplace_back().partition_index = each.at.partition;
  }
  const auto coordinator = coordinator_of(cluster, group);
  auto reply = co_await coordinator->request(message, deadline, code_of);
  if (!reply) co_return std::move(reply.error());
  if (reply->message.error_code != Code::none) co_return no_to("group " + group, reply->message.error_code);
  Rows rows = make_rows(delete_group_offsets);
  for (const GroupOffset& each : offsets) {
    auto& row = rows->add().set("topic", each.at.topic).set("partition", each.at.partition);
    Code code = Code::unknown_server_error;
    for (const auto& topic : reply->message.topics)
      for (const auto& partition : topic.partitions)
        if (topic.name == each.at.topic && partition.partition_index == each.at.partition) code = partition.error_code;
    if (code != Code::none) row.fail(no_to(each.at.text(), code));
  }
  co_return rows;
}

// ---- tables --------------------------------------------------------------------------------------------------------------------

constexpr kq_field group_parameter = parameter("group", 's', "The group's id.");
constexpr kq_field topic_item = item("topic", 's', "The topic's name.");
constexpr kq_field partition_item = item("partition", 'i', "The partition's number.");
constexpr kq_field topic_column = column("topic", 's', "As asked for.");
constexpr kq_field partition_column = column("partition", 'i', "As asked for.");

constexpr kq_field list_group_offsets_in[] = {item("group", 's', "The group's id.")};
constexpr kq_field list_group_offsets_out[] = {
    column("group", 's', "The group's id."),
    column("offsets", 'r', "Each partition for which something is committed."),
    column("offsets.topic", 's', "The topic's name."),
    column("offsets.partition", 'i', "The partition's number."),
    column("offsets.offset", 'i', "Of the next record to read."),
    column("offsets.leader_epoch", 'i', "Of the record before it; -1: not known."),
    nullable(column("offsets.metadata", 's', "What was noted beside it; null: nothing.")),
};

constexpr kq_field alter_group_offsets_in[] = {
    group_parameter, topic_item, partition_item, item("offset", 'i', "Of the next record to read."),
    nullable(item("metadata", 's', "A note beside it.")),
};
constexpr kq_field alter_group_offsets_out[] = {topic_column, partition_column};

constexpr kq_field delete_group_offsets_in[] = {group_parameter, topic_item, partition_item};
constexpr kq_field delete_group_offsets_out[] = {topic_column, partition_column};

}  // namespace

constinit const Operation list_group_offsets{"list_group_offsets", "What groups have committed.", list_group_offsets_in,
                                             list_group_offsets_out, false, tell_list_group_offsets};
constinit const Operation alter_group_offsets{"alter_group_offsets", "Commits offsets for a group without members.", alter_group_offsets_in,
                                              alter_group_offsets_out, false, tell_alter_group_offsets};
constinit const Operation delete_group_offsets{"delete_group_offsets", "Forgets committed offsets of partitions that nobody in the group reads.",
                                               delete_group_offsets_in, delete_group_offsets_out, false, tell_delete_group_offsets};

}  // namespace kq::client::admin
