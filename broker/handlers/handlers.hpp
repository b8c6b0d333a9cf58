// One handler an api, each in a file of its name.  All have one form:
//
//   awaitable<XResponse> handle(Broker&, Call&, const XRequest&);
//
// A handler runs on the loop of the connection that asked.  What can go wrong it says in the response; it throws nothing.  What the
// response points to is kept alive by the Call (session.hpp).  dispatch.cpp's table names those that kqd speaks.
#pragma once

#include "broker/session.hpp"
#include "libkq/net/awaitable.hpp"
#include "libkq/protocol/messages/add_offsets_to_txn.hpp"
#include "libkq/protocol/messages/add_partitions_to_txn.hpp"
#include "libkq/protocol/messages/alter_configs.hpp"
#include "libkq/protocol/messages/alter_share_group_offsets.hpp"
#include "libkq/protocol/messages/api_versions.hpp"
#include "libkq/protocol/messages/consumer_group_describe.hpp"
#include "libkq/protocol/messages/consumer_group_heartbeat.hpp"
#include "libkq/protocol/messages/create_partitions.hpp"
#include "libkq/protocol/messages/create_topics.hpp"
#include "libkq/protocol/messages/delete_groups.hpp"
#include "libkq/protocol/messages/delete_records.hpp"
#include "libkq/protocol/messages/delete_share_group_offsets.hpp"
#include "libkq/protocol/messages/delete_share_group_state.hpp"
#include "libkq/protocol/messages/delete_topics.hpp"
#include "libkq/protocol/messages/describe_cluster.hpp"
#include "libkq/protocol/messages/describe_configs.hpp"
#include "libkq/protocol/messages/describe_groups.hpp"
#include "libkq/protocol/messages/describe_log_dirs.hpp"
#include "libkq/protocol/messages/describe_producers.hpp"
#include "libkq/protocol/messages/describe_share_group_offsets.hpp"
#include "libkq/protocol/messages/describe_topic_partitions.hpp"
#include "libkq/protocol/messages/describe_transactions.hpp"
#include "libkq/protocol/messages/elect_leaders.hpp"
#include "libkq/protocol/messages/end_txn.hpp"
#include "libkq/protocol/messages/fetch.hpp"
#include "libkq/protocol/messages/find_coordinator.hpp"
#include "libkq/protocol/messages/heartbeat.hpp"
#include "libkq/protocol/messages/incremental_alter_configs.hpp"
#include "libkq/protocol/messages/init_producer_id.hpp"
#include "libkq/protocol/messages/initialize_share_group_state.hpp"
#include "libkq/protocol/messages/join_group.hpp"
#include "libkq/protocol/messages/leave_group.hpp"
#include "libkq/protocol/messages/list_config_resources.hpp"
#include "libkq/protocol/messages/list_groups.hpp"
#include "libkq/protocol/messages/list_offsets.hpp"
#include "libkq/protocol/messages/list_partition_reassignments.hpp"
#include "libkq/protocol/messages/list_transactions.hpp"
#include "libkq/protocol/messages/metadata.hpp"
#include "libkq/protocol/messages/offset_commit.hpp"
#include "libkq/protocol/messages/offset_delete.hpp"
#include "libkq/protocol/messages/offset_fetch.hpp"
#include "libkq/protocol/messages/offset_for_leader_epoch.hpp"
#include "libkq/protocol/messages/produce.hpp"
#include "libkq/protocol/messages/read_share_group_state.hpp"
#include "libkq/protocol/messages/read_share_group_state_summary.hpp"
#include "libkq/protocol/messages/share_acknowledge.hpp"
#include "libkq/protocol/messages/share_fetch.hpp"
#include "libkq/protocol/messages/share_group_describe.hpp"
#include "libkq/protocol/messages/share_group_heartbeat.hpp"
#include "libkq/protocol/messages/streams_group_describe.hpp"
#include "libkq/protocol/messages/streams_group_heartbeat.hpp"
#include "libkq/protocol/messages/sync_group.hpp"
#include "libkq/protocol/messages/txn_offset_commit.hpp"
#include "libkq/protocol/messages/write_share_group_state.hpp"
#include "libkq/protocol/messages/write_txn_markers.hpp"

namespace kq::broker {

struct Broker;

awaitable<ProduceResponse> handle(Broker&, Call&, const ProduceRequest&);
awaitable<FetchResponse> handle(Broker&, Call&, const FetchRequest&);
awaitable<ListOffsetsResponse> handle(Broker&, Call&, const ListOffsetsRequest&);
awaitable<InitProducerIdResponse> handle(Broker&, Call&, const InitProducerIdRequest&);
awaitable<OffsetForLeaderEpochResponse> handle(Broker&, Call&, const OffsetForLeaderEpochRequest&);
awaitable<AddPartitionsToTxnResponse> handle(Broker&, Call&, const AddPartitionsToTxnRequest&);
awaitable<AddOffsetsToTxnResponse> handle(Broker&, Call&, const AddOffsetsToTxnRequest&);
awaitable<EndTxnResponse> handle(Broker&, Call&, const EndTxnRequest&);
awaitable<WriteTxnMarkersResponse> handle(Broker&, Call&, const WriteTxnMarkersRequest&);
awaitable<DescribeTransactionsResponse> handle(Broker&, Call&, const DescribeTransactionsRequest&);
awaitable<ListTransactionsResponse> handle(Broker&, Call&, const ListTransactionsRequest&);
awaitable<DescribeProducersResponse> handle(Broker&, Call&, const DescribeProducersRequest&);
awaitable<MetadataResponse> handle(Broker&, Call&, const MetadataRequest&);
awaitable<OffsetCommitResponse> handle(Broker&, Call&, const OffsetCommitRequest&);
awaitable<OffsetFetchResponse> handle(Broker&, Call&, const OffsetFetchRequest&);
awaitable<FindCoordinatorResponse> handle(Broker&, Call&, const FindCoordinatorRequest&);
awaitable<JoinGroupResponse> handle(Broker&, Call&, const JoinGroupRequest&);
awaitable<HeartbeatResponse> handle(Broker&, Call&, const HeartbeatRequest&);
awaitable<LeaveGroupResponse> handle(Broker&, Call&, const LeaveGroupRequest&);
awaitable<SyncGroupResponse> handle(Broker&, Call&, const SyncGroupRequest&);
awaitable<DescribeGroupsResponse> handle(Broker&, Call&, const DescribeGroupsRequest&);
awaitable<ListGroupsResponse> handle(Broker&, Call&, const ListGroupsRequest&);
awaitable<ApiVersionsResponse> handle(Broker&, Call&, const ApiVersionsRequest&);
awaitable<CreateTopicsResponse> handle(Broker&, Call&, const CreateTopicsRequest&);
awaitable<DeleteRecordsResponse> handle(Broker&, Call&, const DeleteRecordsRequest&);
awaitable<DeleteTopicsResponse> handle(Broker&, Call&, const DeleteTopicsRequest&);
awaitable<TxnOffsetCommitResponse> handle(Broker&, Call&, const TxnOffsetCommitRequest&);
awaitable<DescribeConfigsResponse> handle(Broker&, Call&, const DescribeConfigsRequest&);
awaitable<CreatePartitionsResponse> handle(Broker&, Call&, const CreatePartitionsRequest&);
awaitable<IncrementalAlterConfigsResponse> handle(Broker&, Call&, const IncrementalAlterConfigsRequest&);
awaitable<DeleteGroupsResponse> handle(Broker&, Call&, const DeleteGroupsRequest&);
awaitable<OffsetDeleteResponse> handle(Broker&, Call&, const OffsetDeleteRequest&);
awaitable<DescribeClusterResponse> handle(Broker&, Call&, const DescribeClusterRequest&);
awaitable<DescribeLogDirsResponse> handle(Broker&, Call&, const DescribeLogDirsRequest&);
awaitable<AlterConfigsResponse> handle(Broker&, Call&, const AlterConfigsRequest&);
awaitable<ListConfigResourcesResponse> handle(Broker&, Call&, const ListConfigResourcesRequest&);
awaitable<ElectLeadersResponse> handle(Broker&, Call&, const ElectLeadersRequest&);
awaitable<ListPartitionReassignmentsResponse> handle(Broker&, Call&, const ListPartitionReassignmentsRequest&);
awaitable<ConsumerGroupHeartbeatResponse> handle(Broker&, Call&, const ConsumerGroupHeartbeatRequest&);
awaitable<ConsumerGroupDescribeResponse> handle(Broker&, Call&, const ConsumerGroupDescribeRequest&);
awaitable<DescribeTopicPartitionsResponse> handle(Broker&, Call&, const DescribeTopicPartitionsRequest&);
awaitable<InitializeShareGroupStateResponse> handle(Broker&, Call&, const InitializeShareGroupStateRequest&);
awaitable<ReadShareGroupStateResponse> handle(Broker&, Call&, const ReadShareGroupStateRequest&);
awaitable<WriteShareGroupStateResponse> handle(Broker&, Call&, const WriteShareGroupStateRequest&);
awaitable<DeleteShareGroupStateResponse> handle(Broker&, Call&, const DeleteShareGroupStateRequest&);
awaitable<ReadShareGroupStateSummaryResponse> handle(Broker&, Call&, const ReadShareGroupStateSummaryRequest&);
awaitable<ShareFetchResponse> handle(Broker&, Call&, const ShareFetchRequest&);
awaitable<ShareAcknowledgeResponse> handle(Broker&, Call&, const ShareAcknowledgeRequest&);
awaitable<ShareGroupHeartbeatResponse> handle(Broker&, Call&, const ShareGroupHeartbeatRequest&);
awaitable<ShareGroupDescribeResponse> handle(Broker&, Call&, const ShareGroupDescribeRequest&);
awaitable<StreamsGroupHeartbeatResponse> handle(Broker&, Call&, const StreamsGroupHeartbeatRequest&);
awaitable<StreamsGroupDescribeResponse> handle(Broker&, Call&, const StreamsGroupDescribeRequest&);
awaitable<DescribeShareGroupOffsetsResponse> handle(Broker&, Call&, const DescribeShareGroupOffsetsRequest&);
awaitable<AlterShareGroupOffsetsResponse> handle(Broker&, Call&, const AlterShareGroupOffsetsRequest&);
awaitable<DeleteShareGroupOffsetsResponse> handle(Broker&, Call&, const DeleteShareGroupOffsetsRequest&);

}  // namespace kq::broker
