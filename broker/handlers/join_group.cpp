// JoinGroup, key 11, v0-9.  v1: rebalance timeout.  v4: member id required (KIP-394).  v5: static members (KIP-345).  v6: flexible.
// v7: protocol type.  v8: reason (KIP-800).  v9: a static leader skips the assignment (KIP-814).
#include "broker/handlers/group_request.hpp"

namespace kq::broker {
namespace {

JoinGroupResponse refused(const JoinGroupRequest& request, Code code) {
  JoinGroupResponse response;
  response.error_code = code;
  response.member_id = request.member_id;
  response.protocol_name.reset();
  return response;
}

Code check(const Broker& broker, const JoinGroupRequest& request) {
  if (request.group_id.empty()) return Code::invalid_group_id;
  const Config& config = broker.config;
  const bool in_bounds = request.session_timeout_ms >= config.group_min_session_timeout_ms &&
                         request.session_timeout_ms <= config.group_max_session_timeout_ms;
  return in_bounds ? Code::none : Code::invalid_session_timeout;
}

}  // namespace

awaitable<JoinGroupResponse> handle(Broker& broker, Call& call, const JoinGroupRequest& request) {
  constexpr int16_t nullable_protocol_from = 7;
  const Code refusal = check(broker, request);
  JoinGroupResponse response = refused(request, refusal);
  if (refusal == Code::none) {
    const group::Caller caller = caller_of(call);
    group::JoinAnswer answer;
    const Code code = co_await broker.groups().run_later(
        call, request.group_id, answer,
        [&](group::GroupShard& shard, const coordinator::Now& now, auto resolve, coordinator::Writes& writes) {
          shard.join(now, caller, request, std::move(resolve), writes);
        });
    response = code == Code::none ? take(call, std::move(answer)) : refused(request, code);
  }
  if (call.version < nullable_protocol_from && !response.protocol_name) response.protocol_name = "";
  co_return response;
}

}  // namespace kq::broker
