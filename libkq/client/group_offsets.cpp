#include "libkq/client/group_offsets.hpp"

#include "libkq/protocol/messages/offset_commit.hpp"
#include "libkq/protocol/messages/offset_fetch.hpp"

namespace kq::client {
namespace {

// From the next version on topics travel by their ids, which a consumer may not know of every topic that it has a position in.
constexpr int16_t newest_by_name = 9;
constexpr int16_t first_with_groups = 8;  // of OffsetFetch

// The partitions of one topic stand together, so that each topic is named once.
void sort(std::vector<GroupOffset>& offsets) { std::ranges::stable_sort(offsets, {}, &GroupOffset::at); }

OffsetCommitRequest commit_request(const std::string& group, const MemberIdentity& member,
                                   const std::vector<GroupOffset>& offsets) {
  OffsetCommitRequest request;
  request.group_id = group;
  request.generation_id_or_member_epoch = member.generation;
  request.member_id = member.member_id;
  if (member.instance_id) request.group_instance_id = *member.instance_id;
  for (const GroupOffset& each : offsets) {
    if (request.topics.empty() || request.topics.back().name != each.at.topic) request.topics.emplace_back().name = each.at.topic;
    auto& partition = request.topics.back().partitions.emplace_back();
    partition.partition_index = each.at.partition;
    partition.committed_offset = each.offset;
    partition.committed_leader_epoch = each.leader_epoch;
    partition.committed_metadata = each.metadata;
  }
  return request;
}

// What decides about trying again: the worst of the partitions.
Code worst(const OffsetCommitResponse& response) {
  Code worst = Code::none;
  for (const auto& topic : response.topics)
    for (const auto& partition : topic.partitions)
      if (partition.error_code != Code::none && remedy_of(partition.error_code) != Remedy::none) worst = partition.error_code;
  return worst;
}

GroupOffset* find(std::vector<GroupOffset>& offsets, std::string_view topic, int32_t partition) {
  const auto key = [](const GroupOffset& each) { return std::pair<std::string_view, int32_t>(each.at.topic, each.at.partition); };
  const auto found = std::ranges::lower_bound(offsets, std::pair(topic, partition), {}, key);
  return found != offsets.end() && key(*found) == std::pair(topic, partition) ? &*found : nullptr;
}

OffsetFetchRequest fetch_request(const std::string& group, const MemberIdentity& member, bool all,
                                 const std::vector<GroupOffset>& offsets, int16_t version) {
  OffsetFetchRequest request;
  request.require_stable = version >= 7;
  if (version >= first_with_groups) {
    auto& of_group = request.groups.emplace_back();
    of_group.group_id = group;
    if (version >= newest_by_name && !member.member_id.empty()) {
      of_group.member_id = member.member_id;
      of_group.member_epoch = member.generation;
    }
    if (all) {
      of_group.topics.reset();
      return request;
    }
    of_group.topics.emplace();
    for (const GroupOffset& each : offsets) {
      if (of_group.topics->empty() || of_group.topics->back().name != each.at.topic)
        of_group.topics->emplace_back().name = each.at.topic;
      of_group.topics->back().partition_indexes.push_back(each.at.partition);
    }
    return request;
  }
  request.group_id = group;
  if (all) {
    request.topics.reset();
    return request;
  }
  request.topics.emplace();
  for (const GroupOffset& each : offsets) {
    if (request.topics->empty() || request.topics->back().name != each.at.topic)
      request.topics->emplace_back().name = each.at.topic;
    request.topics->back().partition_indexes.push_back(each.at.partition);
  }
  return request;
}

// The older answer holds one group in its own fields, the newer one a list of them.
template <class Call>
void each_topic(const OffsetFetchResponse& response, const Call& call) {
  for (const auto& topic : response.topics) call(topic);
  for (const auto& group : response.groups)
    for (const auto& topic : group.topics) call(topic);
}

Code code_of_group(const OffsetFetchResponse& response) {
  return response.groups.empty() ? response.error_code : response.groups.front().error_code;
}

Code code_to_act_on(const OffsetFetchResponse& response) {
  Code code = code_of_group(response);
  if (code == Code::none) {
    each_topic(response, [&](const auto& topic) {
      for (const auto& partition : topic.partitions)
        if (partition.error_code == Code::unstable_offset_commit) code = partition.error_code;
    });
  }
  return code;
}

void take_fetched(const std::string& group, const OffsetFetchResponse& response, bool all, std::vector<GroupOffset>& offsets) {
  each_topic(response, [&](const auto& topic) {
    for (const auto& partition : topic.partitions) {
      GroupOffset* entry = all ? &offsets.emplace_back(GroupOffset{.at = {std::string(topic.name), partition.partition_index}})
                               : find(offsets, topic.name, partition.partition_index);
      if (!entry) continue;
      entry->error.reset();
      entry->offset = partition.committed_offset;
      entry->leader_epoch = partition.committed_leader_epoch;
      entry->metadata = partition.metadata.value_or("");
      if (partition.error_code != Code::none)
        entry->error = group_refusal(group, "the committed offset of " + entry->at.text(), partition.error_code);
    }
  });
}

}  // namespace

Error no_group_error() { return {own_code::config, "group.id is not set: a subscription, and committing, need it"}; }

Error group_refusal(std::string_view group, std::string_view what, Code code) {
  std::string text = "group " + std::string(group) + ": " + std::string(what) + ": " + name_of(code) + ", ";
  Verdict verdict = remedy_of(code) == Remedy::none ? Verdict::refused : Verdict::retry;
  switch (code) {
    case Code::rebalance_in_progress:
      text += "the group is rebalancing: poll, then commit again what is still assigned";
      verdict = Verdict::retry;
      break;
    case Code::stale_member_epoch:
      text += "the member has gone on to another epoch meanwhile: try again";
      verdict = Verdict::retry;
      break;
    case Code::unknown_member_id:
    case Code::illegal_generation:
    case Code::fenced_member_epoch:
      text +=
          "the group has gone on without this consumer, and its partitions belong to others: they are read again from what was "
          "committed last";
      break;
    case Code::fenced_instance_id:
      text += meaning_of(code);
      verdict = Verdict::fatal;
      break;
    default: text += meaning_of(code);
  }
  return {static_cast<int32_t>(code), std::move(text), verdict};
}

awaitable<Result<bool>> commit_offsets(std::shared_ptr<Coordinator> coordinator, std::string group, MemberIdentity member,
                                       std::vector<GroupOffset>& offsets, Instant deadline) {
  sort(offsets);
  const OffsetCommitRequest request = commit_request(group, member, offsets);
  auto reply = co_await coordinator->request(request, deadline, worst, newest_by_name);
  if (!reply) co_return std::move(reply.error()).in("group " + group + ": commit");
  for (GroupOffset& each : offsets)
    each.error = Error(own_code::protocol, "the answer to a commit does not mention " + each.at.text());
  for (const auto& topic : reply->message.topics) {
    for (const auto& partition : topic.partitions) {
      GroupOffset* const entry = find(offsets, topic.name, partition.partition_index);
      if (!entry) continue;
      entry->error.reset();
      if (partition.error_code != Code::none)
        entry->error = group_refusal(group, "the commit of " + entry->at.text(), partition.error_code);
    }
  }
  co_return true;
}

awaitable<Result<bool>> fetch_offsets(std::shared_ptr<Coordinator> coordinator, std::string group, MemberIdentity member,
                                      bool all, std::vector<GroupOffset>& offsets, Instant deadline) {
  sort(offsets);
  auto version = co_await coordinator->version_of<OffsetFetchRequest>(deadline);
  if (!version) co_return std::move(version.error()).in("group " + group);
  const OffsetFetchRequest request = fetch_request(group, member, all, offsets, std::min(*version, newest_by_name));
  auto reply = co_await coordinator->request(request, deadline, code_to_act_on, newest_by_name);
  if (!reply) co_return std::move(reply.error()).in("group " + group + ": committed offsets");
  if (const Code code = code_of_group(reply->message); code != Code::none)
    co_return group_refusal(group, "committed offsets", code);
  take_fetched(group, reply->message, all, offsets);
  co_return true;
}

}  // namespace kq::client
