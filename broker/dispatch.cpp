#include "broker/dispatch.hpp"

#include <algorithm>

#include "broker/broker.hpp"
#include "broker/handlers/handlers.hpp"

namespace kq::broker {
namespace {

constexpr size_t answer_bytes_usual = 256;         // what most answers take, got at once

template <class Request>
awaitable<Outcome> serve(Broker& broker, Call& call, Bytes body, Encoded& to) {
  const auto request = decode<Request>(body, call.version);
  if (!request) co_return Outcome::unreadable;
  const auto response = co_await handle(broker, call, *request);
  if (!call.answer) co_return Outcome::answered;
  to.bytes.reserve(answer_bytes_usual);
  if (encode_response(response, call.version, call.correlation_id, to)) co_return Outcome::answered;
  call.close_reason = "the answer cannot be said in that version";
  co_return Outcome::failed;
}

template <class Request>
constexpr Api api(bool overlaps = false) {
  return {.key = Request::key,
          .oldest = Request::oldest,
          .newest = Request::stable,
          // Older client libraries derive their codecs from Produce 0 to 2 being listed (KAFKA-18659); nobody serves them.
          .listed_from = Request::key == ProduceRequest::key ? int16_t{0} : Request::oldest,
          .flexible = Request::flexible,
          .name = api_info(ApiKey{Request::key})->name,
          .overlaps = overlaps,
          .serve = serve<Request>};
}

constexpr Api table[] = {
    api<ProduceRequest>(true),
    api<FetchRequest>(),
    api<ListOffsetsRequest>(),
    api<MetadataRequest>(),
    api<OffsetCommitRequest>(),
    api<OffsetFetchRequest>(),
    api<FindCoordinatorRequest>(),
    api<JoinGroupRequest>(),
    api<HeartbeatRequest>(),
    api<LeaveGroupRequest>(),
    api<SyncGroupRequest>(),
    api<DescribeGroupsRequest>(),
    api<ListGroupsRequest>(),
    api<ApiVersionsRequest>(),
    api<CreateTopicsRequest>(),
    api<DeleteTopicsRequest>(),
    api<DeleteRecordsRequest>(),
    api<InitProducerIdRequest>(),
    api<OffsetForLeaderEpochRequest>(),
    api<AddPartitionsToTxnRequest>(),
    api<AddOffsetsToTxnRequest>(),
    api<EndTxnRequest>(),
    api<WriteTxnMarkersRequest>(),
    api<TxnOffsetCommitRequest>(),
    api<DescribeConfigsRequest>(),
    api<AlterConfigsRequest>(),
    api<DescribeLogDirsRequest>(),
    api<CreatePartitionsRequest>(),
    api<DeleteGroupsRequest>(),
    api<ElectLeadersRequest>(),
    api<IncrementalAlterConfigsRequest>(),
    api<ListPartitionReassignmentsRequest>(),
    api<OffsetDeleteRequest>(),
    api<DescribeClusterRequest>(),
    api<DescribeProducersRequest>(),
    api<DescribeTransactionsRequest>(),
    api<ListTransactionsRequest>(),
    api<ConsumerGroupHeartbeatRequest>(),
    api<ConsumerGroupDescribeRequest>(),
    api<ListConfigResourcesRequest>(),
    api<DescribeTopicPartitionsRequest>(),
    api<ShareGroupHeartbeatRequest>(),
    api<ShareGroupDescribeRequest>(),
    api<ShareFetchRequest>(),
    api<ShareAcknowledgeRequest>(),
    api<InitializeShareGroupStateRequest>(),
    api<ReadShareGroupStateRequest>(),
    api<WriteShareGroupStateRequest>(),
    api<DeleteShareGroupStateRequest>(),
    api<ReadShareGroupStateSummaryRequest>(),
    api<StreamsGroupHeartbeatRequest>(),
    api<StreamsGroupDescribeRequest>(),
    api<DescribeShareGroupOffsetsRequest>(),
    api<AlterShareGroupOffsetsRequest>(),
    api<DeleteShareGroupOffsetsRequest>(),
};
static_assert(std::ranges::is_sorted(table, {}, &Api::key));

}  // namespace

std::span<const Api> apis() { return table; }

const Api* find_api(int16_t key) {
  const auto found = std::ranges::lower_bound(table, key, {}, &Api::key);
  return found != std::end(table) && found->key == key ? found : nullptr;
}

}  // namespace kq::broker
