// What the handlers of group requests share.
#pragma once

#include <string>
#include <string_view>

#include "broker/broker.hpp"
#include "broker/group/coordinator.hpp"
#include "broker/handlers/handlers.hpp"

namespace kq::broker {

// READ, DELETE, DESCRIBE, DESCRIBE_CONFIGS, ALTER_CONFIGS: what anybody may do as long as there are no rights.
constexpr int32_t group_operations_all = 1 << 3 | 1 << 6 | 1 << 8 | 1 << 10 | 1 << 11;

// As Java writes an address: "/127.0.0.1".
inline std::string client_host(const Session& session) { return "/" + session.peer.substr(0, session.peer.rfind(':')); }

inline group::Caller caller_of(Call& call) { return {call.version, call.client_id, call.keep(client_host(call.session))}; }

// The response of an answer, whose views live as long as the call.
template <class Response>
Response take(Call& call, group::Answer<Response>&& answer) {
  call.keep(std::shared_ptr<const group::Texts>(std::move(answer.texts)));
  return std::move(answer.body);
}

}  // namespace kq::broker
