// DescribeGroups, key 15, v0-6.  v3: authorized operations.  v4: static members.  v5: flexible.  v6: GROUP_ID_NOT_FOUND (KIP-1043).
#include "broker/handlers/group_request.hpp"

namespace kq::broker {

awaitable<DescribeGroupsResponse> handle(Broker& broker, Call& call, const DescribeGroupsRequest& request) {
  DescribeGroupsResponse response;
  for (const std::string_view id : request.groups) {
    auto texts = std::make_shared<group::Texts>();
    DescribeGroupsResponse::DescribedGroup told;
    const Code code = co_await broker.groups().run(
        call.loop, id, [&](const group::GroupShard& shard, const coordinator::Now&, coordinator::Writes&) {
          shard.describe(id, call.version, told, *texts);
        });
    call.keep(std::shared_ptr<const group::Texts>(std::move(texts)));
    if (code != Code::none) {
      told = {};
      told.group_id = id;
      told.error_code = code;
      told.error_message.reset();
    } else if (request.include_authorized_operations && told.error_code == Code::none) {
      told.authorized_operations = group_operations_all;
    }
    response.groups.push_back(std::move(told));
  }
  co_return response;
}

}  // namespace kq::broker
