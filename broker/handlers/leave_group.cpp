// LeaveGroup, key 13, v0-5.  v3: several members, by instance id too (KIP-345).  v4: flexible.  v5: reason (KIP-800).
#include "broker/handlers/group_request.hpp"

namespace kq::broker {

awaitable<LeaveGroupResponse> handle(Broker& broker, Call& call, const LeaveGroupRequest& request) {
  constexpr int16_t several_from = 3;
  LeaveGroupResponse response;
  if (request.group_id.empty()) {
    response.error_code = Code::invalid_group_id;
    co_return response;
  }
  LeaveGroupRequest asked = request;
  if (call.version < several_from) asked.members.assign(1, {.member_id = request.member_id});
  const Code code = co_await broker.groups().run(
      call.loop, request.group_id, [&](group::GroupShard& shard, const coordinator::Now& now, coordinator::Writes& writes) {
        response = shard.leave(now, asked, writes);
      });
  if (code != Code::none) {
    response = {};
    response.error_code = code;
  } else if (call.version < several_from) {
    if (response.error_code == Code::none) response.error_code = response.members.at(0).error_code;
    response.members.clear();
  }
  co_return response;
}

}  // namespace kq::broker
