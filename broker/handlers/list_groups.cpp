// ListGroups, key 16, v0-5.  v3: flexible.  v4: by state (KIP-518).  v5: by type (KIP-848).
#include "broker/handlers/group_request.hpp"

namespace kq::broker {
namespace {

std::vector<std::string> in_lower_case(const std::vector<std::string_view>& texts) {
  std::vector<std::string> out(texts.begin(), texts.end());
  for (std::string& text : out)
    for (char& c : text) c = static_cast<char>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
  return out;
}

}  // namespace

awaitable<ListGroupsResponse> handle(Broker& broker, Call& call, const ListGroupsRequest& request) {
  ListGroupsResponse response;
  auto texts = std::make_shared<group::Texts>();
  const group::ListFilter filter{in_lower_case(request.states_filter), in_lower_case(request.types_filter)};
  for (const int32_t index : broker.groups().led()) {
    const Code code = co_await broker.groups().at(
        call.loop, index, [&](const group::GroupShard& shard, const coordinator::Now&, coordinator::Writes&) {
          shard.list(filter, response, *texts);
        });
    if (code == Code::none || code == Code::not_coordinator) continue;  // it has moved away: another broker lists its groups
    response.groups.clear();
    response.error_code = code;
    break;
  }
  call.keep(std::shared_ptr<const group::Texts>(std::move(texts)));
  co_return response;
}

}  // namespace kq::broker
