// Operations on groups: list, describe, delete.
#include "libkq/client/admin/story.hpp"
#include "libkq/client/coordinator.hpp"
#include "libkq/client/group_protocol.hpp"
#include "libkq/protocol/messages/consumer_group_describe.hpp"
#include "libkq/protocol/messages/delete_groups.hpp"
#include "libkq/protocol/messages/describe_groups.hpp"
#include "libkq/protocol/messages/list_groups.hpp"
#include "libkq/protocol/messages/share_group_describe.hpp"

namespace kq::client::admin {
namespace {

std::shared_ptr<Coordinator> coordinator_of(const std::shared_ptr<Cluster>& cluster, std::string_view group) {
  return std::make_shared<Coordinator>(cluster, std::string(group), Coordinator::Kind::group);
}

// ---- list_groups ---------------------------------------------------------------------------------------------------------------

void list(kq_rows& rows, const ListGroupsResponse& response, int32_t node) {
  for (const auto& group : response.groups) {
    auto& row = rows.add().set("group", group.group_id).set("protocol_type", group.protocol_type).set("coordinator", node);
    if (!group.group_state.empty()) row.set("state", group.group_state);
    if (!group.group_type.empty()) row.set("type", group.group_type);
  }
}

// Each broker tells of the groups that it coordinates.
awaitable<Result<Rows>> tell_list_groups(std::shared_ptr<Cluster> cluster, const Request& request, Instant deadline) {
  ListGroupsRequest message;
  if (const std::string_view state = request.string("state"); !state.empty()) message.states_filter.push_back(state);
  if (const std::string_view type = request.string("type"); !type.empty()) message.types_filter.push_back(type);
  auto nodes = co_await all_brokers(cluster, deadline);
  if (!nodes) co_return std::move(nodes.error());
  Rows rows = make_rows(list_groups);
  for (const int32_t node : *nodes) {
    auto reply = co_await cluster->request(at_node(node), message, deadline);
    if (!reply) co_return std::move(reply.error());
    if (reply->message.error_code != Code::none) co_return no_to("list_groups", reply->message.error_code);
    list(*rows, reply->message, node);
  }
  co_return rows;
}

// ---- describe_groups -----------------------------------------------------------------------------------------------------------

Code code_of_group(const ConsumerGroupDescribeResponse& response) { return response.groups.empty() ? Code::none : response.groups.front().error_code; }
Code code_of_share_group(const ShareGroupDescribeResponse& response) { return response.groups.empty() ? Code::none : response.groups.front().error_code; }
Code code_of_classic(const DescribeGroupsResponse& response) { return response.groups.empty() ? Code::none : response.groups.front().error_code; }

template <class Assignment>
void add_assignment(kq_rows& rows, const Assignment& assignment) {
  for (const auto& topic : assignment.topic_partitions)
    for (const int32_t partition : topic.partitions) rows.add().set("topic", topic.topic_name).set("partition", partition);
}

void describe(kq_rows::Row& row, const ConsumerGroupDescribeResponse::DescribedGroup& group) {
  row.set("state", group.group_state).set("type", "consumer").set("protocol_type", "consumer").set("assignor", group.assignor_name);
  row.set("epoch", group.group_epoch);
  kq_rows& members = row.nested("members");
  for (const auto& each : group.members) {
    auto& member = members.add().set("member", each.member_id).set("client", each.client_id).set("host", each.client_host);
    member.set("instance", each.instance_id).set("epoch", each.member_epoch);
    add_assignment(member.nested("assignment"), each.assignment);
  }
}

void describe(kq_rows::Row& row, const ShareGroupDescribeResponse::DescribedGroup& group) {
  row.set("state", group.group_state).set("type", "share").set("protocol_type", "share").set("assignor", group.assignor_name);
  row.set("epoch", group.group_epoch);
  kq_rows& members = row.nested("members");
  for (const auto& each : group.members) {
    auto& member = members.add().set("member", each.member_id).set("client", each.client_id).set("host", each.client_host);
    member.set("epoch", each.member_epoch);
    add_assignment(member.nested("assignment"), each.assignment);
  }
}

void describe(kq_rows::Row& row, const DescribeGroupsResponse::DescribedGroup& group) {
  row.set("state", group.group_state).set("type", "classic").set("protocol_type", group.protocol_type).set("assignor", group.protocol_data);
  kq_rows& members = row.nested("members");
  for (const auto& each : group.members) {
    auto& member = members.add().set("member", each.member_id).set("client", each.client_id).set("host", each.client_host);
    member.set("instance", each.group_instance_id);
    kq_rows& assignment = member.nested("assignment");
    if (group.protocol_type != "consumer") continue;               // Connect and others write what they like there
    if (const auto partitions = decode_assignment(each.member_assignment))
      for (const TopicPartition& partition : *partitions) assignment.add().set("topic", partition.topic).set("partition", partition.partition);
  }
}

awaitable<bool> describe_share_group(std::shared_ptr<Coordinator> coordinator, std::string_view group, kq_rows::Row& row, Instant deadline) {
  ShareGroupDescribeRequest message;
  message.group_ids.push_back(group);
  auto reply = co_await coordinator->request(message, deadline, code_of_share_group);
  const bool known = reply && !reply->message.groups.empty() && reply->message.groups.front().error_code == Code::none;
  if (known) describe(row, reply->message.groups.front());
  co_return known;
}

awaitable<void> describe_classic(std::shared_ptr<Coordinator> coordinator, std::string_view group, kq_rows::Row& row, Instant deadline) {
  DescribeGroupsRequest message;
  message.groups.push_back(group);
  auto reply = co_await coordinator->request(message, deadline, code_of_classic);
  if (!reply) {
    row.fail(std::move(reply.error()).in(group));
  } else if (reply->message.groups.empty()) {
    row.fail(Error(own_code::protocol, "the broker's answer does not mention group '" + std::string(group) + "'"));
  } else if (const auto& told = reply->message.groups.front(); told.error_code == Code::none && told.group_state != "Dead") {
    describe(row, told);
  } else if (told.error_code == Code::none || told.error_code == Code::group_id_not_found) {
    // "Dead" is what older brokers say of a group that is not there.
    const bool shared = co_await describe_share_group(coordinator, group, row, deadline);
    if (!shared) row.fail(no_to(group, Code::group_id_not_found));
  } else {
    row.fail(no_to(group, told.error_code, told.error_message));
  }
}

// A group is asked for as one of the newer protocol first; who does not know it that way may know it as a classic one, or as one that
// shares.
awaitable<void> describe_one(std::shared_ptr<Cluster> cluster, std::string_view group, kq_rows::Row& row, Instant deadline) {
  const auto coordinator = coordinator_of(cluster, group);
  auto node = co_await coordinator->find(deadline);
  if (node) row.set("coordinator", *node);
  ConsumerGroupDescribeRequest message;
  message.group_ids.push_back(group);
  auto reply = co_await coordinator->request(message, deadline, code_of_group);
  if (!reply && reply.error().code() != own_code::unsupported) {
    row.fail(std::move(reply.error()).in(group));
    co_return;
  }
  const bool known = reply && !reply->message.groups.empty() && reply->message.groups.front().error_code == Code::none;
  if (known) co_return describe(row, reply->message.groups.front());
  const Code code = reply ? code_of_group(reply->message) : Code::group_id_not_found;
  if (code == Code::group_id_not_found || code == Code::unsupported_version) co_return co_await describe_classic(coordinator, group, row, deadline);
  row.fail(no_to(group, code, reply->message.groups.front().error_message));
}

awaitable<Result<Rows>> tell_describe_groups(std::shared_ptr<Cluster> cluster, const Request& request, Instant deadline) {
  Rows rows = make_rows(describe_groups);
  for (size_t item = 0; item < request.count(); ++item) {
    const std::string_view group = request.string(item, "group");
    co_await describe_one(cluster, group, rows->add().set("group", group), deadline);
  }
  co_return rows;
}

// ---- delete_groups -------------------------------------------------------------------------------------------------------------

Code code_of_deletion(const DeleteGroupsResponse& response) { return response.results.empty() ? Code::none : response.results.front().error_code; }

awaitable<Result<Rows>> tell_delete_groups(std::shared_ptr<Cluster> cluster, const Request& request, Instant deadline) {
  Rows rows = make_rows(delete_groups);
  for (size_t item = 0; item < request.count(); ++item) {
    const std::string_view group = request.string(item, "group");
    auto& row = rows->add().set("group", group);
    DeleteGroupsRequest message;
    message.groups_names.push_back(group);
    const auto coordinator = coordinator_of(cluster, group);
    auto reply = co_await coordinator->request(message, deadline, code_of_deletion);
    if (!reply) row.fail(std::move(reply.error()).in(group));
    else if (const Code code = code_of_deletion(reply->message); code != Code::none) row.fail(no_to(group, code));
  }
  co_return rows;
}

// ---- tables --------------------------------------------------------------------------------------------------------------------

constexpr kq_field group_item = item("group", 's', "The group's id.");
constexpr kq_field group_column = column("group", 's', "The group's id.");
constexpr kq_field protocol_type_column = column("protocol_type", 's', "What its members are: consumer, connect, share, or empty.");
constexpr kq_field coordinator_column = column("coordinator", 'i', "The broker that looks after it.");

constexpr kq_field list_groups_in[] = {
    parameter("state", 's', "Those in this state alone: Stable, Empty, PreparingRebalance and so on; empty: any.", ""),
    parameter("type", 's', "Those of this type alone: classic, consumer, share or streams; empty: any.", ""),
};
constexpr kq_field list_groups_out[] = {
    group_column, nullable(column("type", 's', "classic, consumer, share or streams; null: the broker does not tell.")),
    protocol_type_column, nullable(column("state", 's', "Stable, Empty and so on; null: the broker does not tell.")), coordinator_column,
};

constexpr kq_field describe_groups_in[] = {group_item};
constexpr kq_field describe_groups_out[] = {
    group_column,
    column("type", 's', "classic, consumer or share."),
    protocol_type_column,
    column("state", 's', "Stable, Empty, PreparingRebalance, CompletingRebalance, Assigning, Reconciling or Dead."),
    column("assignor", 's', "How partitions are assigned; empty: nobody is there."),
    nullable(column("epoch", 'i', "Of the group; null: a classic one.")),
    coordinator_column,
    column("members", 'r', "Each member."),
    column("members.member", 's', "Its id."),
    nullable(column("members.instance", 's', "group.instance.id of a static member.")),
    column("members.client", 's', "Its client.id."),
    column("members.host", 's', "Where it is."),
    nullable(column("members.epoch", 'i', "Of the member; null: in a classic group.")),
    column("members.assignment", 'r', "The partitions that are its own now."),
    column("members.assignment.topic", 's', "The topic's name."),
    column("members.assignment.partition", 'i', "The partition's number."),
};

constexpr kq_field delete_groups_in[] = {group_item};
constexpr kq_field delete_groups_out[] = {group_column};

}  // namespace

constinit const Operation list_groups{"list_groups", "Ids, types and states of groups.", list_groups_in, list_groups_out, true, tell_list_groups};
constinit const Operation describe_groups{"describe_groups", "Members of groups, and what each of them reads.", describe_groups_in,
                                          describe_groups_out, false, tell_describe_groups};
constinit const Operation delete_groups{"delete_groups", "Deletes groups without members, with the offsets that they have committed.",
                                        delete_groups_in, delete_groups_out, false, tell_delete_groups};

}  // namespace kq::client::admin
