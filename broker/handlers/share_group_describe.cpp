// ShareGroupDescribe, key 77, v1 (KIP-932).
#include "broker/handlers/group_request.hpp"

namespace kq::broker {

awaitable<ShareGroupDescribeResponse> handle(Broker& broker, Call& call, const ShareGroupDescribeRequest& request) {
  const auto describe = [](group::GroupShard& shard, std::string_view id, auto& told, group::Texts& texts) {
    shard.share().describe(id, told, texts);
  };
  return describe_each<ShareGroupDescribeResponse>(broker, call, request, describe);
}

}  // namespace kq::broker
