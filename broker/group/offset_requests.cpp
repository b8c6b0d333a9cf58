#include "broker/group/offset_requests.hpp"

namespace kq::group {
namespace {

constexpr int16_t group_not_found_from = 9;  // before, OffsetCommit could only say that the generation is wrong

// Java counts UTF-16 units.
size_t utf16_size(std::string_view text) {
  size_t units = 0;
  for (const char c : text) {
    const auto byte = static_cast<uint8_t>(c);
    units += (byte & 0xC0) != 0x80;
    units += byte >= 0xF0;
  }
  return units;
}

Offset offset_from(const Now& now, const auto& asked) {
  Offset offset;
  offset.offset = asked.committed_offset;
  offset.leader_epoch = asked.committed_leader_epoch;
  offset.metadata = asked.committed_metadata.value_or("");
  offset.commit_ms = now.wall_ms;
  return offset;
}

void nothing_committed(auto& partition) {
  partition.committed_offset = -1;
  partition.committed_leader_epoch = -1;
  partition.metadata = "";
}

}  // namespace

// ---- Committing ------------------------------------------------------------------------------------------------------------------

template <class Request>
Code OffsetRequests::check_commit(const Request& request, const OffsetsCaller& caller) const {
  if (const Group* group = groups_.find(request.group_id)) {
    Code code = group->check_commit(caller);
    for (const auto& topic : request.topics)
      for (const auto& partition : topic.partitions)
        if (code == Code::none) code = group->check_commit_of(caller, topic.name, partition.partition_index);
    return code;
  }
  if (caller.generation_or_epoch < 0) return Code::none;  // nobody's member: the offset alone makes the group
  return caller.transactional || caller.version < group_not_found_from ? Code::illegal_generation : Code::group_id_not_found;
}

// Answers for the partition; false where its metadata is too long to be kept.
template <class Partition, class PartitionAnswer>
bool OffsetRequests::accepts(const Partition& asked, PartitionAnswer& answer) const {
  answer.partition_index = asked.partition_index;
  if (utf16_size(asked.committed_metadata.value_or("")) <= groups_.config.offset_metadata_max_bytes) return true;
  answer.error_code = Code::offset_metadata_too_large;
  return false;
}

Code OffsetRequests::commit(const Now& now, int16_t version, const OffsetCommitRequest& request, OffsetCommitResponse& response,
                            Writes& writes) {
  const OffsetsCaller caller{.member_id = request.member_id,
                             .generation_or_epoch = request.generation_id_or_member_epoch,
                             .group_instance_id = request.group_instance_id,
                             .transactional = false,
                             .version = version};
  const Code code = check_commit(request, caller);
  if (code != Code::none) return code;
  if (auto* classic = groups_.find<ClassicGroup>(request.group_id)) classic_.saw(now, *classic, request.member_id);
  for (const auto& topic : request.topics) {
    auto& topic_answer = response.topics.emplace_back();
    topic_answer.name = topic.name;
    topic_answer.topic_id = topic.topic_id;
    for (const auto& asked : topic.partitions) {
      auto& answer = topic_answer.partitions.emplace_back();
      if (!accepts(asked, answer)) continue;
      Offset offset = offset_from(now, asked);
      offset.topic_id = topic.topic_id;
      if (request.retention_time_ms >= 0) offset.expire_ms = now.wall_ms + request.retention_time_ms;
      write_offset(writes, request.group_id, topic.name, asked.partition_index, offset);
    }
  }
  return Code::none;
}

Code OffsetRequests::commit(const Now& now, int16_t version, const TxnOffsetCommitRequest& request,
                            TxnOffsetCommitResponse& response, Writes& writes) {
  const OffsetsCaller caller{.member_id = request.member_id,
                             .generation_or_epoch = request.generation_id,
                             .group_instance_id = request.group_instance_id,
                             .transactional = true,
                             .version = version};
  const Code code = check_commit(request, caller);
  if (code != Code::none) return code;
  for (const auto& topic : request.topics) {
    auto& topic_answer = response.topics.emplace_back();
    topic_answer.name = topic.name;
    for (const auto& asked : topic.partitions) {
      auto& answer = topic_answer.partitions.emplace_back();
      if (accepts(asked, answer)) write_offset(writes, request.group_id, topic.name, asked.partition_index, offset_from(now, asked));
    }
  }
  writes.in_transaction(request.producer_id, request.producer_epoch);
  return Code::none;
}

// ---- Fetching --------------------------------------------------------------------------------------------------------------------

Answer<OffsetFetchResponse::OffsetFetchResponseGroup> OffsetRequests::fetch(const FetchGroup& asked, bool require_stable) const {
  Answer<OffsetFetchResponse::OffsetFetchResponseGroup> answer;
  auto& told = answer.body;
  told.group_id = asked.group_id;
  const Group* group = groups_.find(asked.group_id);
  if (group && (asked.member_id || asked.member_epoch >= 0)) {
    told.error_code = group->check_fetch(asked.member_id.value_or(""), asked.member_epoch);
    if (told.error_code != Code::none) return answer;
  }
  const auto add = [&](auto& topic_answer, std::string_view topic, int32_t index, const Offset* offset) {
    auto& partition = topic_answer.partitions.emplace_back();
    partition.partition_index = index;
    nothing_committed(partition);
    if (group && require_stable && store_.pending(asked.group_id, topic, index)) {
      partition.error_code = Code::unstable_offset_commit;
    } else if (group && offset) {
      partition.committed_offset = offset->offset;
      partition.committed_leader_epoch = offset->leader_epoch;
      partition.metadata = answer.texts->keep(offset->metadata);
    }
  };
  if (asked.topics) {
    for (const auto& topic : *asked.topics) {
      auto& topic_answer = told.topics.emplace_back();
      topic_answer.name = topic.name;
      topic_answer.topic_id = topic.topic_id;
      for (const int32_t index : topic.partition_indexes) {
        const Offset* offset = store_.find(asked.group_id, topic.name, index);
        // Of a topic that had this name before.
        if (offset && !offset->topic_id.is_zero() && !topic.topic_id.is_zero() && offset->topic_id != topic.topic_id) offset = nullptr;
        add(topic_answer, topic.name, index, offset);
      }
    }
  } else if (const OffsetsByTopic* topics = store_.of(asked.group_id)) {
    for (const auto& [name, partitions] : *topics) {
      auto& topic_answer = told.topics.emplace_back();
      topic_answer.name = answer.texts->keep(name);
      for (const auto& [index, offset] : partitions) add(topic_answer, name, index, &offset);
    }
  }
  return answer;
}

// ---- Removing --------------------------------------------------------------------------------------------------------------------

Code OffsetRequests::remove(const OffsetDeleteRequest& request, OffsetDeleteResponse& response, Writes& writes) const {
  const Group* group = groups_.find(request.group_id);
  if (!group) return Code::group_id_not_found;
  const Code code = group->check_offset_delete();
  if (code != Code::none) return code;
  for (const auto& topic : request.topics) {
    auto& topic_answer = response.topics.emplace_back();
    topic_answer.name = topic.name;
    const bool subscribed = group->subscribed_to(topic.name);
    for (const auto& asked : topic.partitions) {
      auto& answer = topic_answer.partitions.emplace_back();
      answer.partition_index = asked.partition_index;
      const bool there = store_.find(request.group_id, topic.name, asked.partition_index) ||
                         store_.pending(request.group_id, topic.name, asked.partition_index);
      if (subscribed)
        answer.error_code = Code::group_subscribed_to_topic;
      else if (there)
        write_offset_removed(writes, request.group_id, topic.name, asked.partition_index);
    }
  }
  return Code::none;
}

void OffsetRequests::remove_all(std::string_view group, Writes& writes) const {
  if (const OffsetsByTopic* topics = store_.of(group))
    for (const auto& [name, partitions] : *topics)
      for (const auto& [index, offset] : partitions) write_offset_removed(writes, group, name, index);
  store_.each_pending(group, [&](std::string_view topic, int32_t index) {
    if (!store_.find(group, topic, index)) write_offset_removed(writes, group, topic, index);
  });
}

void OffsetRequests::remove_topic(std::string_view topic, Writes& writes) const {
  for (const std::string& group : store_.groups()) {
    const OffsetsByTopic* topics = store_.of(group);
    const auto found = topics ? topics->find(topic) : OffsetsByTopic::const_iterator{};
    if (topics && found != topics->end())
      for (const auto& [index, offset] : found->second) write_offset_removed(writes, group, topic, index);
    store_.each_pending(group, [&](std::string_view name, int32_t index) {
      if (name == topic && !store_.find(group, topic, index)) write_offset_removed(writes, group, topic, index);
    });
  }
}

void OffsetRequests::expire(const Now& now, Writes& writes) const {
  for (const auto& [id, group] : groups_.all)
    if (group->expires() && expire_group(now, *group, writes) && group->empty()) group->remove(writes);
}

// True: nothing is left of its offsets.
bool OffsetRequests::expire_group(const Now& now, const Group& group, Writes& writes) const {
  bool all = !store_.any_pending(group.id);
  const OffsetsByTopic* topics = store_.of(group.id);
  if (!topics) return all;
  for (const auto& [name, partitions] : *topics) {
    if (group.subscribed_to(name)) {
      all = false;
      continue;
    }
    for (const auto& [index, offset] : partitions) {
      const auto from = group.expires_from(offset);
      const bool old = from && (offset.expire_ms >= 0 ? now.wall_ms >= offset.expire_ms
                                                      : now.wall_ms - *from >= groups_.config.offsets_retention_ms);
      if (old && !store_.pending(group.id, name, index))
        write_offset_removed(writes, group.id, name, index);
      else
        all = false;
    }
  }
  return all;
}

}  // namespace kq::group
