// DeleteGroups, key 42, v0-2.  v2: flexible.
#include "broker/handlers/group_request.hpp"
#include "broker/handlers/share_states.hpp"

namespace kq::broker {

awaitable<DeleteGroupsResponse> handle(Broker& broker, Call& call, const DeleteGroupsRequest& request) {
  DeleteGroupsResponse response;
  for (const std::string_view id : request.groups_names) {
    Code refused = Code::none;
    group::SharedPartitions states;  // of a share group
    const Code code = co_await broker.groups().run(
        call.loop, id, [&](const group::GroupShard& shard, const coordinator::Now&, coordinator::Writes& writes) {
          if (const auto* share = shard.groups().find<group::ShareGroup>(id)) states = share->initialized();
          refused = shard.remove(id, writes);
        });
    if (code == Code::none && refused == Code::none) co_await remove_states(broker, call, id, states);
    auto& result = response.results.emplace_back();
    result.group_id = id;
    // Without the topic there are no groups.
    const bool no_topic = broker.groups().partition_of(id) < 0;
    result.error_code = no_topic ? Code::group_id_not_found : code != Code::none ? code : refused;
  }
  co_return response;
}

}  // namespace kq::broker
