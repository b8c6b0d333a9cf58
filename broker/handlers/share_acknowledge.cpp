// ShareAcknowledge, key 79, v1-2 (KIP-932).  v2: locks can be renewed (KIP-1222).
#include <algorithm>

#include "broker/handlers/handlers.hpp"
#include "broker/handlers/leader_hint.hpp"
#include "broker/handlers/share_request.hpp"

namespace kq::broker {
namespace {

using share::Refusal;

// Renewing is for requests that say so.
Refusal check_types(const std::vector<share::AckBatch>& batches, bool renews) {
  for (const share::AckBatch& batch : batches)
    if (!renews && std::ranges::find(batch.types, static_cast<int8_t>(share::AckType::renew)) != batch.types.end())
      return {Code::invalid_request, "The acknowledgement type RENEW needs is_renew_ack."};
  return {};
}

Refusal check_partition(const Call& call, const share::TopicPartition& partition) {
  const cluster::TopicImage* topic = call.image->topic(partition.topic_id);
  if (!topic) return {Code::unknown_topic_id, {}};
  return topic->partition(partition.partition) ? Refusal{} : Refusal{Code::unknown_topic_or_partition, {}};
}

}  // namespace

awaitable<std::vector<AckResult>> acknowledge_all(Broker& broker, Call& call, const share::Member& member,
                                                  const PartitionAcks& acks, bool renews) {
  std::vector<AckResult> results;
  for (const auto& [partition, batches] : acks) {
    Refusal refusal = check_partition(call, partition);
    if (refusal.code == Code::none) refusal = check_types(batches, renews);
    if (refusal.code == Code::none) {
      const share::Key key{member.group, partition.topic_id, partition.partition};
      auto held = broker.share_partitions->find_loaded(key);
      if (held)
        refusal = co_await broker.share_partitions->acknowledge(call.loop, std::move(held), member, batches);
      else
        refusal = {Code::unknown_topic_or_partition, {}};
    }
    results.push_back({partition, refusal});
  }
  co_return results;
}

awaitable<ShareAcknowledgeResponse> handle(Broker& broker, Call& call, const ShareAcknowledgeRequest& request) {
  ShareAcknowledgeResponse response;
  const auto refuse = [&](const Refusal& refusal) {
    response.error_code = refusal.code;
    response.error_message = refusal.message.empty() ? std::string_view(name_of(refusal.code)) : refusal.message;
  };
  const Refusal unfit = check_share_request(call, request.group_id, request.member_id);
  if (unfit.code != Code::none) {
    refuse(unfit);
    co_return response;
  }
  const share::Member member{std::string(*request.group_id), std::string(*request.member_id)};
  const Code session = broker.share_partitions->sessions().acknowledge(member, request.share_session_epoch);
  if (session != Code::none) {
    refuse({session, {}});
    co_return response;
  }
  broker.share_partitions->follow(call);
  const PartitionAcks acks = acknowledgements_of(request);
  const auto results = co_await acknowledge_all(broker, call, member, acks, request.is_renew_ack);
  if (request.share_session_epoch == share::ShareSessions::final_epoch)
    co_await broker.share_partitions->end_session(call.loop, member);
  const auto lock = share::GroupSettings::of(broker.config, *call.image, member.group).record_lock;
  response.acquisition_lock_timeout_ms =
      static_cast<int32_t>(std::chrono::duration_cast<std::chrono::milliseconds>(lock).count());
  for (const AckResult& result : results) {
    if (response.responses.empty() || response.responses.back().topic_id != result.partition.topic_id)
      response.responses.emplace_back().topic_id = result.partition.topic_id;
    auto& answer = response.responses.back().partitions.emplace_back();
    answer.partition_index = result.partition.partition;
    answer.error_code = result.refusal.code;
    if (!result.refusal.message.empty()) answer.error_message = result.refusal.message;
    if (!tells_leader(result.refusal.code)) continue;
    const cluster::TopicImage* topic = call.image->topic(result.partition.topic_id);
    add_leader_hint(call, topic ? topic->partition(result.partition.partition) : nullptr, answer.current_leader,
                    response.node_endpoints);
  }
  co_return response;
}

}  // namespace kq::broker
