// ShareGroupHeartbeat, key 76, v1 (KIP-932).
#include "broker/cluster/topic_name.hpp"
#include "broker/handlers/group_request.hpp"
#include "broker/handlers/share_request.hpp"
#include "broker/handlers/share_states.hpp"

namespace kq::broker {
namespace {

using group::ShareGroupCoordinator;

// In Kafka's words.
share::Refusal check(const ShareGroupHeartbeatRequest& request) {
  const auto invalid = [](const char* why) { return share::Refusal{Code::invalid_request, why}; };
  if (request.member_id.empty()) return invalid("MemberId can't be empty.");
  if (request.member_id.size() > share_member_id_max) return invalid("Invalid member id in the request.");
  if (request.group_id.empty()) return invalid("GroupId can't be empty.");
  if (request.rack_id && request.rack_id->empty()) return invalid("RackId can't be empty.");
  if (request.member_epoch == ShareGroupCoordinator::joining_epoch) {
    if (!request.subscribed_topic_names || request.subscribed_topic_names->empty())
      return invalid("SubscribedTopicNames must be set in first request.");
  } else if (request.member_epoch < ShareGroupCoordinator::leaving_epoch) {
    return invalid("MemberEpoch is invalid.");
  }
  return {};
}

awaitable<Code> beat(Broker& broker, Call& call, const ShareGroupHeartbeatRequest& request, group::ShareHeartbeatAnswer& answer) {
  const auto settings = share::GroupSettings::of(broker.config, *call.image, request.group_id);
  const std::string host = client_host(call.session);
  const group::ShareCaller caller{.client_id = call.client_id,
                                  .client_host = host,
                                  .session_timeout = settings.session_timeout,
                                  .heartbeat_interval = settings.heartbeat_interval,
                                  .initialize_retry = std::chrono::milliseconds(broker.config.group_share_initialize_retry_interval_ms),
                                  .members_max = static_cast<size_t>(broker.config.group_share_max_size)};
  const auto decide = [&](group::GroupShard& shard, const coordinator::Now& now, coordinator::Writes& writes) {
    answer = shard.share().heartbeat(now, caller, request, writes);
  };
  co_return co_await broker.groups().run(call.loop, request.group_id, decide);
}

}  // namespace

awaitable<StatesMade> make_states(Broker& broker, Call& call, std::string_view group, const group::SharedPartitions& partitions,
                                  int32_t state_epoch) {
  StatesMade made;
  co_await ensure_topic(broker, call, cluster::share_state_topic);
  for (const auto& [topic, indices] : partitions) {
    for (const int32_t index : indices) {
      const share::Key key{std::string(group), topic, index};
      const auto initialize = [&](share::StateShard& shard, const share::Now& now, share::Writes& writes) {
        return shard.initialize(now, key, state_epoch, share::uninitialized_offset, writes);
      };
      const share::Refusal refusal = co_await broker.share_states().ask(call.loop, key, initialize);
      (refusal.code == Code::none ? made.done : made.failed)[topic].insert(index);
    }
  }
  co_return made;
}

awaitable<Code> remove_states(Broker& broker, Call& call, std::string_view group, const group::SharedPartitions& partitions) {
  Code first = Code::none;
  for (const auto& [topic, indices] : partitions) {
    for (const int32_t index : indices) {
      const share::Key key{std::string(group), topic, index};
      const auto remove = [&](share::StateShard& shard, const share::Now&, share::Writes& writes) {
        return shard.remove(key, writes);
      };
      const share::Refusal refusal = co_await broker.share_states().ask(call.loop, key, remove);
      if (first == Code::none && refusal.code != Code::unknown_topic_or_partition) first = refusal.code;
    }
  }
  co_return first;
}

group::SharedPartitions states_to_remove(const group::ShareGroup& group, const cluster::Image& image) {
  group::SharedPartitions partitions = group.initialized();
  for (const auto& [topic, indices] : group.initializing()) partitions[topic].insert(indices.begin(), indices.end());
  for (const Uuid& id : group.states().deleting)
    if (const cluster::TopicImage* topic = image.topic(id))
      for (int32_t index = 0; index < static_cast<int32_t>(topic->partitions.size()); ++index) partitions[id].insert(index);
  return partitions;
}

// A member that comes to partitions without a state waits until they have one, and is given them in the same answer.
awaitable<ShareGroupHeartbeatResponse> handle(Broker& broker, Call& call, const ShareGroupHeartbeatRequest& request) {
  ShareGroupHeartbeatResponse response;
  share::Refusal unfit = check(request);
  if (call.image->feature(share_version_feature) < 1) unfit = {Code::unsupported_version, "The version of API is not supported."};
  if (unfit.code != Code::none) {
    response.error_code = unfit.code;
    response.error_message = unfit.message;
    co_return response;
  }
  group::ShareHeartbeatAnswer answer;
  Code code = co_await beat(broker, call, request, answer);
  if (code == Code::none && !answer.initialize.empty()) {
    const auto wanted = std::move(answer.initialize);
    const StatesMade made = co_await make_states(broker, call, request.group_id, wanted, answer.state_epoch);
    const auto note = [&](group::GroupShard& shard, const coordinator::Now&, coordinator::Writes& writes) {
      shard.share().initialized(request.group_id, made.done, made.failed, writes);
    };
    code = co_await broker.groups().run(call.loop, request.group_id, note);
    if (code == Code::none && !made.done.empty()) {
      ShareGroupHeartbeatRequest again = request;
      again.member_epoch = answer.body.member_epoch;
      const bool joins = request.member_epoch == ShareGroupCoordinator::joining_epoch;
      group::ShareHeartbeatAnswer with_partitions;
      code = co_await beat(broker, call, again, with_partitions);
      if (code == Code::none && with_partitions.body.error_code == Code::none && (with_partitions.body.assignment || !joins))
        answer = std::move(with_partitions);
    }
  }
  if (code != Code::none) {
    response.error_code = code;
    co_return response;
  }
  call.keep(std::shared_ptr<const group::Texts>(std::move(answer.texts)));
  co_return std::move(answer.body);
}

}  // namespace kq::broker
