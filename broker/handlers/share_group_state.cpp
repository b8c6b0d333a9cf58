// What the leader of a share partition asks its share coordinator (KIP-932): InitializeShareGroupState, key 83, v0; ReadShareGroupState,
// key 84, v0; WriteShareGroupState, key 85, v0-1; DeleteShareGroupState, key 86, v0; ReadShareGroupStateSummary, key 87, v0-1.  v1: how many
// records are done.
#include "broker/broker.hpp"
#include "broker/handlers/handlers.hpp"
#include "broker/share/coordinator.hpp"

namespace kq::broker {
namespace {

using coordinator::Now;
using coordinator::Writes;
using share::Key;
using share::Refusal;
using share::StateShard;

// A request without a group has no answers: Kafka's way of refusing it.  `decide` may fill the partition's answer in.
template <class Response, class Request,
          class Decision>  // Refusal(StateShard&, const Now&, Writes&, const Key&, const asked&, answer&)
awaitable<Response> ask_each(Broker& broker, Call& call, const Request& request, const Decision& decide) {
  Response response;
  if (request.group_id.empty()) co_return response;
  for (const auto& topic : request.topics) {
    if (topic.partitions.empty()) continue;
    auto& result = response.results.emplace_back();
    result.topic_id = topic.topic_id;
    result.partitions.reserve(topic.partitions.size());
    for (const auto& asked : topic.partitions) {
      auto& answer = result.partitions.emplace_back();
      answer.partition = asked.partition;
      const Key key{std::string(request.group_id), topic.topic_id, asked.partition};
      const auto one = [&](StateShard& shard, const Now& now, Writes& writes) {
        return decide(shard, now, writes, key, asked, answer);
      };
      const Refusal refusal = co_await broker.share_states().ask(call.loop, key, one);
      answer.error_code = refusal.code;
      if (refusal.code != Code::none) answer.error_message = refusal.message;
    }
  }
  co_return response;
}

share::StateBatches to_batches(const std::vector<WriteShareGroupStateRequest::StateBatch>& asked) {
  share::StateBatches batches;
  batches.reserve(asked.size());
  for (const auto& batch : asked)
    batches.push_back({batch.first_offset, batch.last_offset, share::RecordState{batch.delivery_state}, batch.delivery_count});
  return batches;
}

}  // namespace

awaitable<InitializeShareGroupStateResponse> handle(Broker& broker, Call& call, const InitializeShareGroupStateRequest& request) {
  const auto decide = [](StateShard& shard, const Now& now, Writes& writes, const Key& key, const auto& asked, auto&) {
    return shard.initialize(now, key, asked.state_epoch, asked.start_offset, writes);
  };
  co_return co_await ask_each<InitializeShareGroupStateResponse>(broker, call, request, decide);
}

awaitable<ReadShareGroupStateResponse> handle(Broker& broker, Call& call, const ReadShareGroupStateRequest& request) {
  const auto decide = [](StateShard& shard, const Now& now, Writes& writes, const Key& key, const auto& asked, auto& answer) {
    StateShard::State state;
    const Refusal refusal = shard.read(now, key, asked.leader_epoch, state, writes);
    if (refusal.code != Code::none) return refusal;
    answer.state_epoch = state.state_epoch;
    answer.start_offset = state.start_offset;
    for (const auto& batch : state.batches)
      answer.state_batches.push_back({batch.first, batch.last, static_cast<int8_t>(batch.state), batch.delivery_count});
    return refusal;
  };
  co_return co_await ask_each<ReadShareGroupStateResponse>(broker, call, request, decide);
}

awaitable<WriteShareGroupStateResponse> handle(Broker& broker, Call& call, const WriteShareGroupStateRequest& request) {
  const auto decide = [](StateShard& shard, const Now& now, Writes& writes, const Key& key, const auto& asked, auto&) {
    return shard.write(now, key,
                       {.state_epoch = asked.state_epoch,
                        .leader_epoch = asked.leader_epoch,
                        .start_offset = asked.start_offset,
                        .delivery_complete_count = asked.delivery_complete_count,
                        .batches = to_batches(asked.state_batches)},
                       writes);
  };
  co_return co_await ask_each<WriteShareGroupStateResponse>(broker, call, request, decide);
}

awaitable<DeleteShareGroupStateResponse> handle(Broker& broker, Call& call, const DeleteShareGroupStateRequest& request) {
  const auto decide = [](StateShard& shard, const Now&, Writes& writes, const Key& key, const auto&, auto&) {
    return shard.remove(key, writes);
  };
  co_return co_await ask_each<DeleteShareGroupStateResponse>(broker, call, request, decide);
}

awaitable<ReadShareGroupStateSummaryResponse> handle(Broker& broker, Call& call,
                                                     const ReadShareGroupStateSummaryRequest& request) {
  const auto decide = [](StateShard& shard, const Now&, Writes&, const Key& key, const auto&, auto& answer) {
    StateShard::State state;
    const Refusal refusal = shard.summary(key, state);
    if (refusal.code != Code::none) return refusal;
    answer.state_epoch = state.state_epoch;
    answer.leader_epoch = state.leader_epoch;
    answer.start_offset = state.start_offset;
    answer.delivery_complete_count = state.delivery_complete_count;
    return refusal;
  };
  co_return co_await ask_each<ReadShareGroupStateSummaryResponse>(broker, call, request, decide);
}

}  // namespace kq::broker
