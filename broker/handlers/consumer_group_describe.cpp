// ConsumerGroupDescribe, key 69, v0-1 (KIP-848).  v1: the kind of a member.
#include "broker/handlers/group_request.hpp"

namespace kq::broker {

awaitable<ConsumerGroupDescribeResponse> handle(Broker& broker, Call& call, const ConsumerGroupDescribeRequest& request) {
  const auto describe = [](const group::GroupShard& shard, std::string_view id, auto& told, group::Texts& texts) {
    shard.describe(id, told, texts);
  };
  return describe_each<ConsumerGroupDescribeResponse>(broker, call, request, describe);
}

}  // namespace kq::broker
