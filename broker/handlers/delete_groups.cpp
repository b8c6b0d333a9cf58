// DeleteGroups, key 42, v0-2.  v2: flexible.
#include "broker/handlers/group_request.hpp"

namespace kq::broker {

awaitable<DeleteGroupsResponse> handle(Broker& broker, Call& call, const DeleteGroupsRequest& request) {
  DeleteGroupsResponse response;
  for (const std::string_view id : request.groups_names) {
    Code refused = Code::none;
    const Code code = co_await broker.groups().run(
        call.loop, id, [&](const group::GroupShard& shard, const coordinator::Now&, coordinator::Writes& writes) {
          refused = shard.remove(id, writes);
        });
    auto& result = response.results.emplace_back();
    result.group_id = id;
    // Without the topic there are no groups.
    const bool no_topic = broker.groups().partition_of(id) < 0;
    result.error_code = no_topic ? Code::group_id_not_found : code != Code::none ? code : refused;
  }
  co_return response;
}

}  // namespace kq::broker
