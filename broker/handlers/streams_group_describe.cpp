// StreamsGroupDescribe, key 89, v0 (KIP-1071).
#include "broker/handlers/group_request.hpp"
#include "broker/handlers/streams_request.hpp"

namespace kq::broker {

awaitable<StreamsGroupDescribeResponse> handle(Broker& broker, Call& call, const StreamsGroupDescribeRequest& request) {
  if (!streams_enabled(broker, call)) {
    StreamsGroupDescribeResponse response;
    for (const std::string_view id : request.group_ids) {
      auto& told = response.groups.emplace_back();
      told.group_id = id;
      told.error_code = Code::unsupported_version;
    }
    co_return response;
  }
  const auto describe = [](group::GroupShard& shard, std::string_view id, auto& told, group::Texts& texts) {
    shard.streams().describe(id, told, texts);
  };
  auto response = co_await describe_each<StreamsGroupDescribeResponse>(broker, call, request, describe);
  co_return response;
}

}  // namespace kq::broker
