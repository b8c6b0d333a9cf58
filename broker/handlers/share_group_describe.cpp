// ShareGroupDescribe, key 77, v1 (KIP-932).
#include "broker/handlers/group_request.hpp"

namespace kq::broker {

awaitable<ShareGroupDescribeResponse> handle(Broker& broker, Call& call, const ShareGroupDescribeRequest& request) {
  ShareGroupDescribeResponse response;
  for (const std::string_view id : request.group_ids) {
    auto texts = std::make_shared<group::Texts>();
    ShareGroupDescribeResponse::DescribedGroup told;
    const auto describe = [&](group::GroupShard& shard, const coordinator::Now&, coordinator::Writes&) {
      shard.share().describe(id, told, *texts);
    };
    const Code code = id.empty() ? Code::invalid_group_id : co_await broker.groups().run(call.loop, id, describe);
    call.keep(std::shared_ptr<const group::Texts>(std::move(texts)));
    if (code != Code::none) {
      told = {};
      told.group_id = id;
      told.error_code = code;
    } else if (request.include_authorized_operations && told.error_code == Code::none) {
      told.authorized_operations = group_operations_all;
    }
    response.groups.push_back(std::move(told));
  }
  co_return response;
}

}  // namespace kq::broker
