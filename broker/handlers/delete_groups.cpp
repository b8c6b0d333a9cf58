// DeleteGroups, key 42, v0-2.  v2: flexible.
#include "broker/handlers/group_request.hpp"
#include "broker/handlers/share_states.hpp"

namespace kq::broker {
namespace {

// The states of a share group go before the group, or they would outlive it where a stop comes between, and fence a new group of the name.
awaitable<Code> remove_states_of(Broker& broker, Call& call, std::string_view id) {
  group::SharedPartitions states;
  const auto begin = [&](group::GroupShard& shard, const coordinator::Now&, coordinator::Writes& writes) {
    const auto* const share = shard.groups().find<group::ShareGroup>(id);
    if (!share || !share->empty()) return;
    states = states_to_remove(*share, *call.image);
    std::set<Uuid> topics;
    for (const auto& [topic, indices] : states) topics.insert(topic);
    if (!topics.empty()) shard.share().offsets_deleting(id, topics, writes);
  };
  const Code begun = co_await broker.groups().run(call.loop, id, begin);
  if (begun != Code::none || states.empty()) co_return begun;
  co_return co_await remove_states(broker, call, id, states);
}

awaitable<Code> remove(Broker& broker, Call& call, std::string_view id) {
  if (broker.groups().partition_of(id) < 0) co_return Code::group_id_not_found;  // without the topic there are no groups
  Code refused = co_await remove_states_of(broker, call, id);
  if (refused != Code::none) co_return refused;
  const auto decide = [&](const group::GroupShard& shard, const coordinator::Now&, coordinator::Writes& writes) {
    refused = shard.remove(id, writes);
  };
  const Code code = co_await broker.groups().run(call.loop, id, decide);
  co_return code != Code::none ? code : refused;
}

}  // namespace

awaitable<DeleteGroupsResponse> handle(Broker& broker, Call& call, const DeleteGroupsRequest& request) {
  DeleteGroupsResponse response;
  for (const std::string_view id : request.groups_names) {
    const Code code = co_await remove(broker, call, id);
    auto& result = response.results.emplace_back();
    result.group_id = id;
    result.error_code = code;
  }
  co_return response;
}

}  // namespace kq::broker
