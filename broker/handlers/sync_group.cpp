// SyncGroup, key 14, v0-5.  v3: static members (KIP-345).  v4: flexible.  v5: protocol type and name (KIP-559).
#include "broker/handlers/group_request.hpp"

namespace kq::broker {

awaitable<SyncGroupResponse> handle(Broker& broker, Call& call, const SyncGroupRequest& request) {
  SyncGroupResponse response;
  if (request.group_id.empty()) {
    response.error_code = Code::invalid_group_id;
    co_return response;
  }
  group::SyncAnswer answer;
  const Code code = co_await broker.groups().run_later(
      call, request.group_id, answer,
      [&](group::GroupShard& shard, const coordinator::Now& now, auto resolve, coordinator::Writes& writes) {
        shard.sync(now, request, std::move(resolve), writes);
      });
  if (code == Code::none)
    response = take(call, std::move(answer));
  else
    response.error_code = code;
  co_return response;
}

}  // namespace kq::broker
