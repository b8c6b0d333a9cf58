// Heartbeat, key 12, v0-4.  v3: static members (KIP-345).  v4: flexible.
#include "broker/handlers/group_request.hpp"

namespace kq::broker {

awaitable<HeartbeatResponse> handle(Broker& broker, Call& call, const HeartbeatRequest& request) {
  HeartbeatResponse response;
  if (request.group_id.empty()) {
    response.error_code = Code::invalid_group_id;
    co_return response;
  }
  const Code code = co_await broker.groups().run(
      call.loop, request.group_id, [&](group::GroupShard& shard, const coordinator::Now& now, coordinator::Writes& writes) {
        response.error_code = shard.heartbeat(now, request, writes);
      });
  // While the group is being read nobody is late.
  if (code != Code::none) response.error_code = code == Code::coordinator_load_in_progress ? Code::none : code;
  co_return response;
}

}  // namespace kq::broker
