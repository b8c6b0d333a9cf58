/* kq_go.i: the client, for package ckq. */
%module ckq
%include "go.i"

HANDLE(kq_error, Error)
HANDLE(kq_config, Config)
HANDLE(kq_batch, Batch)
HANDLE(kq_producer, Producer)
HANDLE(kq_consumer, Consumer)
HANDLE(kq_share_consumer, ShareConsumer)
HANDLE(kq_rows, Rows)
HANDLE(kq_group_metadata, GroupMetadata)
HANDLE(kq_admin, Admin)
HANDLE(kq_request, Request)

USE(kq_error_code, ErrorCode)
USE(kq_error_name, ErrorName)
USE(kq_error_verdict, ErrorVerdict)
USE(kq_error_message, ErrorMessage)
USE(kq_error_topic, ErrorTopic)
USE(kq_error_partition, ErrorPartition)
USE(kq_error_free, ErrorFree)
USE(kq_code_name, CodeName)

USE(kq_config_new, ConfigNew)
USE(kq_config_free, ConfigFree)
USE(kq_config_set, ConfigSet)
USE(kq_config_load, ConfigLoad)
USE(kq_config_get, ConfigGet)

USE(kq_producer_new, ProducerNew)
USE(kq_producer_purge, ProducerPurge)
USE(kq_producer_fd, ProducerFd)
USE(kq_producer_flush, ProducerFlush)
USE(kq_producer_pending, ProducerPending)
USE(kq_producer_partition_count, ProducerPartitionCount)
USE(kq_producer_close, ProducerClose)
USE(kq_producer_free, ProducerFree)
USE(kq_producer_begin, ProducerBegin)
USE(kq_producer_commit, ProducerCommit)
USE(kq_producer_abort, ProducerAbort)

USE(kq_batch_free, BatchFree)

USE(kq_consumer_new, ConsumerNew)
USE(kq_consumer_seek, ConsumerSeek)
USE(kq_consumer_pause, ConsumerPause)
USE(kq_consumer_resume, ConsumerResume)
USE(kq_consumer_fd, ConsumerFd)
USE(kq_consumer_position, ConsumerPosition)
USE(kq_consumer_assignment, ConsumerAssignment)
USE(kq_consumer_partition_count, ConsumerPartitionCount)
USE(kq_consumer_subscribe_pattern, ConsumerSubscribePattern)
USE(kq_consumer_unsubscribe, ConsumerUnsubscribe)
USE(kq_consumer_release, ConsumerRelease)
USE(kq_consumer_close, ConsumerClose)
USE(kq_consumer_free, ConsumerFree)
USE(kq_consumer_group_metadata, ConsumerGroupMetadata)
USE(kq_group_metadata_free, GroupMetadataFree)

USE(kq_share_consumer_new, ShareConsumerNew)
USE(kq_share_consumer_unsubscribe, ShareConsumerUnsubscribe)
USE(kq_share_consumer_fd, ShareConsumerFd)
USE(kq_share_consumer_commit, ShareConsumerCommit)
USE(kq_share_consumer_lock_timeout_ms, ShareConsumerLockTimeoutMs)
USE(kq_share_consumer_close, ShareConsumerClose)
USE(kq_share_consumer_free, ShareConsumerFree)

USE(kq_admin_new, AdminNew)
USE(kq_admin_free, AdminFree)
USE(kq_admin_start, AdminStart)
USE(kq_admin_poll, AdminPoll)
USE(kq_admin_fd, AdminFd)
USE(kq_request_new, RequestNew)
USE(kq_request_free, RequestFree)
USE(kq_request_item, RequestItem)
USE(kq_request_string, RequestString)
USE(kq_request_int64, RequestInt64)
USE(kq_rows_count, RowsCount)
USE(kq_rows_error, RowsError)
USE(kq_rows_failure, RowsFailure)
USE(kq_rows_tag, RowsTag)
USE(kq_rows_operation, RowsOperation)
USE(kq_rows_int64, RowsInt64)
USE(kq_rows_nested, RowsNested)
USE(kq_rows_free, RowsFree)
USE(kq_operation_count, OperationCount)
USE(kq_operation_name, OperationName)
USE(kq_operation_doc, OperationDoc)

USE(kq_version, Version)

%include "kq.i"

%insert(go_wrapper) %{
type (
	Error         unsafe.Pointer
	Config        unsafe.Pointer
	Batch         unsafe.Pointer
	Producer      unsafe.Pointer
	Consumer      unsafe.Pointer
	ShareConsumer unsafe.Pointer
	Rows          unsafe.Pointer
	GroupMetadata unsafe.Pointer
	Admin         unsafe.Pointer
	Request       unsafe.Pointer
)
%}
