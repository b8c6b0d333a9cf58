// What ShareFetch and ShareAcknowledge have in common.
#pragma once

#include <map>

#include "broker/broker.hpp"
#include "broker/share/share_partitions.hpp"

namespace kq::broker {

constexpr std::string_view share_version_feature = "share.version";
constexpr size_t share_member_id_max = 36;  // characters: a UUID's

// May it be asked at all?
inline share::Refusal check_share_request(const Call& call, const std::optional<std::string_view>& group_id,
                                          const std::optional<std::string_view>& member_id) {
  if (call.image->feature(share_version_feature) < 1) return {Code::unsupported_version, "The version of API is not supported."};
  if (!group_id || group_id->empty()) return {Code::invalid_group_id, "The group id is invalid."};
  if (!member_id || member_id->empty() || member_id->size() > share_member_id_max)
    return {Code::invalid_request, "Invalid member id in the request."};
  return {};
}

using PartitionAcks = std::map<share::TopicPartition, std::vector<share::AckBatch>>;

// The acknowledgements of a request; its vectors outlive them.
template <class Request>
PartitionAcks acknowledgements_of(const Request& request) {
  PartitionAcks acks;
  for (const auto& topic : request.topics)
    for (const auto& partition : topic.partitions)
      for (const auto& batch : partition.acknowledgement_batches)
        acks[{topic.topic_id, partition.partition_index}].push_back(
            {batch.first_offset, batch.last_offset, batch.acknowledge_types});
  return acks;
}

// What became of them, in the same order.
struct AckResult {
  share::TopicPartition partition;
  share::Refusal refusal;
};
awaitable<std::vector<AckResult>> acknowledge_all(Broker&, Call&, const share::Member&, const PartitionAcks&, bool renews);

}  // namespace kq::broker
