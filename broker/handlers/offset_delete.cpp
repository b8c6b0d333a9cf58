// OffsetDelete, key 47, v0 (KIP-496).
#include "broker/handlers/group_request.hpp"

namespace kq::broker {

awaitable<OffsetDeleteResponse> handle(Broker& broker, Call& call, const OffsetDeleteRequest& request) {
  OffsetDeleteResponse response, decided;
  OffsetDeleteRequest valid = request;
  valid.topics.clear();
  for (const auto& asked : request.topics) {
    if (call.image->topic(asked.name)) {
      valid.topics.push_back(asked);
      continue;
    }
    auto& topic = response.topics.emplace_back();
    topic.name = asked.name;
    for (const auto& partition : asked.partitions)
      topic.partitions.push_back({partition.partition_index, Code::unknown_topic_or_partition});
  }
  if (valid.topics.empty()) co_return response;
  Code refused = Code::none;
  const Code code = co_await broker.groups().run(
      call.loop, request.group_id, [&](group::GroupShard& shard, const coordinator::Now&, coordinator::Writes& writes) {
        refused = shard.offsets().remove(valid, decided, writes);
      });
  const Code of_all = code != Code::none ? code : refused;
  if (of_all != Code::none) {
    response.topics.clear();
    response.error_code = of_all;
    co_return response;
  }
  for (auto& topic : decided.topics) response.topics.push_back(std::move(topic));
  co_return response;
}

}  // namespace kq::broker
