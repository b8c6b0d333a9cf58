"""Written by tools/operations.py."""

from collections.abc import Mapping, Sequence
from typing import Any

from ._rows import Row

Item = str | tuple[Any, ...] | Mapping[str, Any]
Repeated = str | Sequence[str | Sequence[int]] | Mapping[str, str | int | float | bool]

ROWS: dict[str, type[Row]]

def type_name(operation: str, path: str = ...) -> str: ...

class ListTopicsRow(Row):
    topic: str
    topic_id: str
    internal: int
    partitions: int

class DescribeTopicsPartitionsReplicasRow(Row):
    node: int

class DescribeTopicsPartitionsIsrRow(Row):
    node: int

class DescribeTopicsPartitionsOfflineRow(Row):
    node: int

class DescribeTopicsPartitionsRow(Row):
    partition: int
    leader: int
    leader_epoch: int
    replicas: list[DescribeTopicsPartitionsReplicasRow]
    isr: list[DescribeTopicsPartitionsIsrRow]
    offline: list[DescribeTopicsPartitionsOfflineRow]

class DescribeTopicsRow(Row):
    topic: str
    topic_id: str
    internal: int
    partitions: list[DescribeTopicsPartitionsRow]

class CreateTopicsRow(Row):
    topic: str
    topic_id: str
    partitions: int
    replication_factor: int

class DeleteTopicsRow(Row):
    topic: str
    topic_id: str

class CreatePartitionsRow(Row):
    topic: str
    partitions: int

class DeleteRecordsRow(Row):
    topic: str
    partition: int
    low_watermark: int

class DescribeClusterNodesRow(Row):
    node: int
    host: str
    port: int
    rack: str | None
    fenced: int

class DescribeClusterRow(Row):
    cluster_id: str
    controller: int
    nodes: list[DescribeClusterNodesRow]

class DescribeConfigsConfigsSynonymsRow(Row):
    config: str
    value: str | None
    source: str

class DescribeConfigsConfigsRow(Row):
    config: str
    value: str | None
    type: str
    source: str
    read_only: int
    sensitive: int
    documentation: str | None
    synonyms: list[DescribeConfigsConfigsSynonymsRow]

class DescribeConfigsRow(Row):
    resource_type: str
    resource: str
    configs: list[DescribeConfigsConfigsRow]

class AlterConfigsRow(Row):
    resource_type: str
    resource: str

class ListConfigResourcesRow(Row):
    resource_type: str
    resource: str

class ListOffsetsRow(Row):
    topic: str
    partition: int
    offset: int
    timestamp: int
    leader_epoch: int

class ListGroupsRow(Row):
    group: str
    type: str | None
    protocol_type: str
    state: str | None
    coordinator: int

class DescribeGroupsMembersAssignmentRow(Row):
    topic: str
    partition: int

class DescribeGroupsMembersRow(Row):
    member: str
    instance: str | None
    client: str
    host: str
    epoch: int | None
    assignment: list[DescribeGroupsMembersAssignmentRow]

class DescribeGroupsRow(Row):
    group: str
    type: str
    protocol_type: str
    state: str
    assignor: str
    epoch: int | None
    coordinator: int
    members: list[DescribeGroupsMembersRow]

class DeleteGroupsRow(Row):
    group: str

class ListGroupOffsetsOffsetsRow(Row):
    topic: str
    partition: int
    offset: int
    leader_epoch: int
    metadata: str | None

class ListGroupOffsetsRow(Row):
    group: str
    offsets: list[ListGroupOffsetsOffsetsRow]

class AlterGroupOffsetsRow(Row):
    topic: str
    partition: int

class DeleteGroupOffsetsRow(Row):
    topic: str
    partition: int

class ListShareGroupOffsetsOffsetsRow(Row):
    topic: str
    partition: int
    offset: int | None
    leader_epoch: int
    lag: int | None

class ListShareGroupOffsetsRow(Row):
    group: str
    offsets: list[ListShareGroupOffsetsOffsetsRow]

class AlterShareGroupOffsetsRow(Row):
    topic: str
    partition: int

class DeleteShareGroupOffsetsRow(Row):
    topic: str

class DescribeProducersProducersRow(Row):
    producer_id: int
    producer_epoch: int
    last_sequence: int
    last_timestamp: int
    coordinator_epoch: int | None
    transaction_start_offset: int | None

class DescribeProducersRow(Row):
    topic: str
    partition: int
    producers: list[DescribeProducersProducersRow]

class ListTransactionsRow(Row):
    transactional_id: str
    state: str
    producer_id: int
    coordinator: int

class DescribeTransactionsPartitionsRow(Row):
    topic: str
    partition: int

class DescribeTransactionsRow(Row):
    transactional_id: str
    state: str
    producer_id: int
    producer_epoch: int
    timeout_ms: int
    start_time: int | None
    coordinator: int
    partitions: list[DescribeTransactionsPartitionsRow]

class AbortTransactionsRow(Row):
    topic: str
    partition: int
    producer_id: int

class FenceProducersRow(Row):
    transactional_id: str
    producer_id: int | None
    producer_epoch: int | None

class DescribeAclsRow(Row):
    resource_type: str
    resource: str
    pattern_type: str
    principal: str
    host: str
    operation: str
    permission: str

class CreateAclsRow(Row):
    resource_type: str
    resource: str
    pattern_type: str
    principal: str
    host: str
    operation: str
    permission: str

class DeleteAclsAclsRow(Row):
    resource_type: str
    resource: str
    pattern_type: str
    principal: str
    host: str
    operation: str
    permission: str

class DeleteAclsRow(Row):
    filter: int
    acls: list[DeleteAclsAclsRow]

class DescribeUserScramCredentialsCredentialsRow(Row):
    mechanism: str
    iterations: int

class DescribeUserScramCredentialsRow(Row):
    user: str
    credentials: list[DescribeUserScramCredentialsCredentialsRow]

class AlterUserScramCredentialsRow(Row):
    user: str
    mechanism: str

class DescribeClientQuotasQuotasRow(Row):
    quota: str
    value: str

class DescribeClientQuotasRow(Row):
    user: str | None
    client_id: str | None
    ip: str | None
    quotas: list[DescribeClientQuotasQuotasRow]

class AlterClientQuotasRow(Row):
    user: str | None
    client_id: str | None
    ip: str | None
    quota: str

class ElectLeadersRow(Row):
    topic: str
    partition: int

class AlterPartitionReassignmentsRow(Row):
    topic: str
    partition: int

class ListPartitionReassignmentsReplicasRow(Row):
    node: int

class ListPartitionReassignmentsAddingRow(Row):
    node: int

class ListPartitionReassignmentsRemovingRow(Row):
    node: int

class ListPartitionReassignmentsRow(Row):
    topic: str
    partition: int
    replicas: list[ListPartitionReassignmentsReplicasRow]
    adding: list[ListPartitionReassignmentsAddingRow]
    removing: list[ListPartitionReassignmentsRemovingRow]

class DescribeLogDirsDirsPartitionsRow(Row):
    topic: str
    partition: int
    bytes: int
    offset_lag: int
    future: int

class DescribeLogDirsDirsRow(Row):
    path: str
    total_bytes: int | None
    usable_bytes: int | None
    partitions: list[DescribeLogDirsDirsPartitionsRow]

class DescribeLogDirsRow(Row):
    broker: int
    dirs: list[DescribeLogDirsDirsRow]

class AlterReplicaLogDirsRow(Row):
    broker: int
    topic: str
    partition: int

class DescribeFeaturesRow(Row):
    feature: str
    min_version: int
    max_version: int
    version: int | None

class UpdateFeaturesRow(Row):
    feature: str

class DescribeQuorumVotersRow(Row):
    node: int
    directory: str
    end_offset: int
    last_fetch: int | None
    last_caught_up: int | None

class DescribeQuorumObserversRow(Row):
    node: int
    directory: str
    end_offset: int
    last_fetch: int | None
    last_caught_up: int | None

class DescribeQuorumRow(Row):
    leader: int
    leader_epoch: int
    high_watermark: int
    voters: list[DescribeQuorumVotersRow]
    observers: list[DescribeQuorumObserversRow]

class Operations:
    def list_topics(
        self,
        *items: Item,
        internal: int | None = None,
        timeout: float | None = None,
        check: bool = True,
    ) -> list[ListTopicsRow]: ...
    def describe_topics(
        self,
        *items: Item,
        topic: str | None = None,
        timeout: float | None = None,
        check: bool = True,
    ) -> list[DescribeTopicsRow]: ...
    def create_topics(
        self,
        *items: Item,
        validate_only: int | None = None,
        topic: str | None = None,
        partitions: int | None = None,
        replication_factor: int | None = None,
        config: Repeated | None = None,
        assignment: Repeated | None = None,
        timeout: float | None = None,
        check: bool = True,
    ) -> list[CreateTopicsRow]: ...
    def delete_topics(
        self,
        *items: Item,
        topic: str | None = None,
        timeout: float | None = None,
        check: bool = True,
    ) -> list[DeleteTopicsRow]: ...
    def create_partitions(
        self,
        *items: Item,
        validate_only: int | None = None,
        topic: str | None = None,
        partitions: int | None = None,
        assignment: Repeated | None = None,
        timeout: float | None = None,
        check: bool = True,
    ) -> list[CreatePartitionsRow]: ...
    def delete_records(
        self,
        *items: Item,
        topic: str | None = None,
        partition: int | None = None,
        offset: int | None = None,
        timeout: float | None = None,
        check: bool = True,
    ) -> list[DeleteRecordsRow]: ...
    def describe_cluster(
        self,
        *items: Item,
        timeout: float | None = None,
        check: bool = True,
    ) -> list[DescribeClusterRow]: ...
    def describe_configs(
        self,
        *items: Item,
        documentation: int | None = None,
        resource_type: str | None = None,
        resource: str | None = None,
        config: Repeated | None = None,
        timeout: float | None = None,
        check: bool = True,
    ) -> list[DescribeConfigsRow]: ...
    def alter_configs(
        self,
        *items: Item,
        validate_only: int | None = None,
        resource_type: str | None = None,
        resource: str | None = None,
        config: str | None = None,
        operation: str | None = None,
        value: str | None = None,
        timeout: float | None = None,
        check: bool = True,
    ) -> list[AlterConfigsRow]: ...
    def list_config_resources(
        self,
        *items: Item,
        resource_type: Repeated | None = None,
        timeout: float | None = None,
        check: bool = True,
    ) -> list[ListConfigResourcesRow]: ...
    def list_offsets(
        self,
        *items: Item,
        isolation: str | None = None,
        topic: str | None = None,
        partition: int | None = None,
        timestamp: int | None = None,
        timeout: float | None = None,
        check: bool = True,
    ) -> list[ListOffsetsRow]: ...
    def list_groups(
        self,
        *items: Item,
        state: str | None = None,
        type: str | None = None,
        timeout: float | None = None,
        check: bool = True,
    ) -> list[ListGroupsRow]: ...
    def describe_groups(
        self,
        *items: Item,
        group: str | None = None,
        timeout: float | None = None,
        check: bool = True,
    ) -> list[DescribeGroupsRow]: ...
    def delete_groups(
        self,
        *items: Item,
        group: str | None = None,
        timeout: float | None = None,
        check: bool = True,
    ) -> list[DeleteGroupsRow]: ...
    def list_group_offsets(
        self,
        *items: Item,
        group: str | None = None,
        timeout: float | None = None,
        check: bool = True,
    ) -> list[ListGroupOffsetsRow]: ...
    def alter_group_offsets(
        self,
        *items: Item,
        group: str | None = None,
        topic: str | None = None,
        partition: int | None = None,
        offset: int | None = None,
        metadata: str | None = None,
        timeout: float | None = None,
        check: bool = True,
    ) -> list[AlterGroupOffsetsRow]: ...
    def delete_group_offsets(
        self,
        *items: Item,
        group: str | None = None,
        topic: str | None = None,
        partition: int | None = None,
        timeout: float | None = None,
        check: bool = True,
    ) -> list[DeleteGroupOffsetsRow]: ...
    def list_share_group_offsets(
        self,
        *items: Item,
        group: str | None = None,
        timeout: float | None = None,
        check: bool = True,
    ) -> list[ListShareGroupOffsetsRow]: ...
    def alter_share_group_offsets(
        self,
        *items: Item,
        group: str | None = None,
        topic: str | None = None,
        partition: int | None = None,
        offset: int | None = None,
        timeout: float | None = None,
        check: bool = True,
    ) -> list[AlterShareGroupOffsetsRow]: ...
    def delete_share_group_offsets(
        self,
        *items: Item,
        group: str | None = None,
        topic: str | None = None,
        timeout: float | None = None,
        check: bool = True,
    ) -> list[DeleteShareGroupOffsetsRow]: ...
    def describe_producers(
        self,
        *items: Item,
        topic: str | None = None,
        partition: int | None = None,
        timeout: float | None = None,
        check: bool = True,
    ) -> list[DescribeProducersRow]: ...
    def list_transactions(
        self,
        *items: Item,
        state: Repeated | None = None,
        producer_id: Repeated | None = None,
        running_longer_ms: int | None = None,
        pattern: str | None = None,
        timeout: float | None = None,
        check: bool = True,
    ) -> list[ListTransactionsRow]: ...
    def describe_transactions(
        self,
        *items: Item,
        transactional_id: str | None = None,
        timeout: float | None = None,
        check: bool = True,
    ) -> list[DescribeTransactionsRow]: ...
    def abort_transactions(
        self,
        *items: Item,
        topic: str | None = None,
        partition: int | None = None,
        producer_id: int | None = None,
        producer_epoch: int | None = None,
        coordinator_epoch: int | None = None,
        timeout: float | None = None,
        check: bool = True,
    ) -> list[AbortTransactionsRow]: ...
    def fence_producers(
        self,
        *items: Item,
        transactional_id: str | None = None,
        timeout: float | None = None,
        check: bool = True,
    ) -> list[FenceProducersRow]: ...
    def describe_acls(
        self,
        *items: Item,
        resource_type: str | None = None,
        resource: str | None = None,
        pattern_type: str | None = None,
        principal: str | None = None,
        host: str | None = None,
        operation: str | None = None,
        permission: str | None = None,
        timeout: float | None = None,
        check: bool = True,
    ) -> list[DescribeAclsRow]: ...
    def create_acls(
        self,
        *items: Item,
        resource_type: str | None = None,
        resource: str | None = None,
        pattern_type: str | None = None,
        principal: str | None = None,
        host: str | None = None,
        operation: str | None = None,
        permission: str | None = None,
        timeout: float | None = None,
        check: bool = True,
    ) -> list[CreateAclsRow]: ...
    def delete_acls(
        self,
        *items: Item,
        resource_type: str | None = None,
        resource: str | None = None,
        pattern_type: str | None = None,
        principal: str | None = None,
        host: str | None = None,
        operation: str | None = None,
        permission: str | None = None,
        timeout: float | None = None,
        check: bool = True,
    ) -> list[DeleteAclsRow]: ...
    def describe_user_scram_credentials(
        self,
        *items: Item,
        user: str | None = None,
        timeout: float | None = None,
        check: bool = True,
    ) -> list[DescribeUserScramCredentialsRow]: ...
    def alter_user_scram_credentials(
        self,
        *items: Item,
        user: str | None = None,
        mechanism: str | None = None,
        operation: str | None = None,
        password: str | None = None,
        iterations: int | None = None,
        timeout: float | None = None,
        check: bool = True,
    ) -> list[AlterUserScramCredentialsRow]: ...
    def describe_client_quotas(
        self,
        *items: Item,
        strict: int | None = None,
        entity: str | None = None,
        match: str | None = None,
        name: str | None = None,
        timeout: float | None = None,
        check: bool = True,
    ) -> list[DescribeClientQuotasRow]: ...
    def alter_client_quotas(
        self,
        *items: Item,
        validate_only: int | None = None,
        user: str | None = None,
        client_id: str | None = None,
        ip: str | None = None,
        quota: str | None = None,
        value: str | None = None,
        timeout: float | None = None,
        check: bool = True,
    ) -> list[AlterClientQuotasRow]: ...
    def elect_leaders(
        self,
        *items: Item,
        election: str | None = None,
        topic: str | None = None,
        partition: int | None = None,
        timeout: float | None = None,
        check: bool = True,
    ) -> list[ElectLeadersRow]: ...
    def alter_partition_reassignments(
        self,
        *items: Item,
        allow_replication_factor_change: int | None = None,
        topic: str | None = None,
        partition: int | None = None,
        replicas: str | None = None,
        timeout: float | None = None,
        check: bool = True,
    ) -> list[AlterPartitionReassignmentsRow]: ...
    def list_partition_reassignments(
        self,
        *items: Item,
        topic: str | None = None,
        partition: int | None = None,
        timeout: float | None = None,
        check: bool = True,
    ) -> list[ListPartitionReassignmentsRow]: ...
    def describe_log_dirs(
        self,
        *items: Item,
        topic: Repeated | None = None,
        broker: int | None = None,
        timeout: float | None = None,
        check: bool = True,
    ) -> list[DescribeLogDirsRow]: ...
    def alter_replica_log_dirs(
        self,
        *items: Item,
        broker: int | None = None,
        topic: str | None = None,
        partition: int | None = None,
        path: str | None = None,
        timeout: float | None = None,
        check: bool = True,
    ) -> list[AlterReplicaLogDirsRow]: ...
    def describe_features(
        self,
        *items: Item,
        timeout: float | None = None,
        check: bool = True,
    ) -> list[DescribeFeaturesRow]: ...
    def update_features(
        self,
        *items: Item,
        validate_only: int | None = None,
        feature: str | None = None,
        version: int | None = None,
        change: str | None = None,
        timeout: float | None = None,
        check: bool = True,
    ) -> list[UpdateFeaturesRow]: ...
    def describe_quorum(
        self,
        *items: Item,
        timeout: float | None = None,
        check: bool = True,
    ) -> list[DescribeQuorumRow]: ...

class AsyncOperations:
    async def list_topics(
        self,
        *items: Item,
        internal: int | None = None,
        timeout: float | None = None,
        check: bool = True,
    ) -> list[ListTopicsRow]: ...
    async def describe_topics(
        self,
        *items: Item,
        topic: str | None = None,
        timeout: float | None = None,
        check: bool = True,
    ) -> list[DescribeTopicsRow]: ...
    async def create_topics(
        self,
        *items: Item,
        validate_only: int | None = None,
        topic: str | None = None,
        partitions: int | None = None,
        replication_factor: int | None = None,
        config: Repeated | None = None,
        assignment: Repeated | None = None,
        timeout: float | None = None,
        check: bool = True,
    ) -> list[CreateTopicsRow]: ...
    async def delete_topics(
        self,
        *items: Item,
        topic: str | None = None,
        timeout: float | None = None,
        check: bool = True,
    ) -> list[DeleteTopicsRow]: ...
    async def create_partitions(
        self,
        *items: Item,
        validate_only: int | None = None,
        topic: str | None = None,
        partitions: int | None = None,
        assignment: Repeated | None = None,
        timeout: float | None = None,
        check: bool = True,
    ) -> list[CreatePartitionsRow]: ...
    async def delete_records(
        self,
        *items: Item,
        topic: str | None = None,
        partition: int | None = None,
        offset: int | None = None,
        timeout: float | None = None,
        check: bool = True,
    ) -> list[DeleteRecordsRow]: ...
    async def describe_cluster(
        self,
        *items: Item,
        timeout: float | None = None,
        check: bool = True,
    ) -> list[DescribeClusterRow]: ...
    async def describe_configs(
        self,
        *items: Item,
        documentation: int | None = None,
        resource_type: str | None = None,
        resource: str | None = None,
        config: Repeated | None = None,
        timeout: float | None = None,
        check: bool = True,
    ) -> list[DescribeConfigsRow]: ...
    async def alter_configs(
        self,
        *items: Item,
        validate_only: int | None = None,
        resource_type: str | None = None,
        resource: str | None = None,
        config: str | None = None,
        operation: str | None = None,
        value: str | None = None,
        timeout: float | None = None,
        check: bool = True,
    ) -> list[AlterConfigsRow]: ...
    async def list_config_resources(
        self,
        *items: Item,
        resource_type: Repeated | None = None,
        timeout: float | None = None,
        check: bool = True,
    ) -> list[ListConfigResourcesRow]: ...
    async def list_offsets(
        self,
        *items: Item,
        isolation: str | None = None,
        topic: str | None = None,
        partition: int | None = None,
        timestamp: int | None = None,
        timeout: float | None = None,
        check: bool = True,
    ) -> list[ListOffsetsRow]: ...
    async def list_groups(
        self,
        *items: Item,
        state: str | None = None,
        type: str | None = None,
        timeout: float | None = None,
        check: bool = True,
    ) -> list[ListGroupsRow]: ...
    async def describe_groups(
        self,
        *items: Item,
        group: str | None = None,
        timeout: float | None = None,
        check: bool = True,
    ) -> list[DescribeGroupsRow]: ...
    async def delete_groups(
        self,
        *items: Item,
        group: str | None = None,
        timeout: float | None = None,
        check: bool = True,
    ) -> list[DeleteGroupsRow]: ...
    async def list_group_offsets(
        self,
        *items: Item,
        group: str | None = None,
        timeout: float | None = None,
        check: bool = True,
    ) -> list[ListGroupOffsetsRow]: ...
    async def alter_group_offsets(
        self,
        *items: Item,
        group: str | None = None,
        topic: str | None = None,
        partition: int | None = None,
        offset: int | None = None,
        metadata: str | None = None,
        timeout: float | None = None,
        check: bool = True,
    ) -> list[AlterGroupOffsetsRow]: ...
    async def delete_group_offsets(
        self,
        *items: Item,
        group: str | None = None,
        topic: str | None = None,
        partition: int | None = None,
        timeout: float | None = None,
        check: bool = True,
    ) -> list[DeleteGroupOffsetsRow]: ...
    async def list_share_group_offsets(
        self,
        *items: Item,
        group: str | None = None,
        timeout: float | None = None,
        check: bool = True,
    ) -> list[ListShareGroupOffsetsRow]: ...
    async def alter_share_group_offsets(
        self,
        *items: Item,
        group: str | None = None,
        topic: str | None = None,
        partition: int | None = None,
        offset: int | None = None,
        timeout: float | None = None,
        check: bool = True,
    ) -> list[AlterShareGroupOffsetsRow]: ...
    async def delete_share_group_offsets(
        self,
        *items: Item,
        group: str | None = None,
        topic: str | None = None,
        timeout: float | None = None,
        check: bool = True,
    ) -> list[DeleteShareGroupOffsetsRow]: ...
    async def describe_producers(
        self,
        *items: Item,
        topic: str | None = None,
        partition: int | None = None,
        timeout: float | None = None,
        check: bool = True,
    ) -> list[DescribeProducersRow]: ...
    async def list_transactions(
        self,
        *items: Item,
        state: Repeated | None = None,
        producer_id: Repeated | None = None,
        running_longer_ms: int | None = None,
        pattern: str | None = None,
        timeout: float | None = None,
        check: bool = True,
    ) -> list[ListTransactionsRow]: ...
    async def describe_transactions(
        self,
        *items: Item,
        transactional_id: str | None = None,
        timeout: float | None = None,
        check: bool = True,
    ) -> list[DescribeTransactionsRow]: ...
    async def abort_transactions(
        self,
        *items: Item,
        topic: str | None = None,
        partition: int | None = None,
        producer_id: int | None = None,
        producer_epoch: int | None = None,
        coordinator_epoch: int | None = None,
        timeout: float | None = None,
        check: bool = True,
    ) -> list[AbortTransactionsRow]: ...
    async def fence_producers(
        self,
        *items: Item,
        transactional_id: str | None = None,
        timeout: float | None = None,
        check: bool = True,
    ) -> list[FenceProducersRow]: ...
    async def describe_acls(
        self,
        *items: Item,
        resource_type: str | None = None,
        resource: str | None = None,
        pattern_type: str | None = None,
        principal: str | None = None,
        host: str | None = None,
        operation: str | None = None,
        permission: str | None = None,
        timeout: float | None = None,
        check: bool = True,
    ) -> list[DescribeAclsRow]: ...
    async def create_acls(
        self,
        *items: Item,
        resource_type: str | None = None,
        resource: str | None = None,
        pattern_type: str | None = None,
        principal: str | None = None,
        host: str | None = None,
        operation: str | None = None,
        permission: str | None = None,
        timeout: float | None = None,
        check: bool = True,
    ) -> list[CreateAclsRow]: ...
    async def delete_acls(
        self,
        *items: Item,
        resource_type: str | None = None,
        resource: str | None = None,
        pattern_type: str | None = None,
        principal: str | None = None,
        host: str | None = None,
        operation: str | None = None,
        permission: str | None = None,
        timeout: float | None = None,
        check: bool = True,
    ) -> list[DeleteAclsRow]: ...
    async def describe_user_scram_credentials(
        self,
        *items: Item,
        user: str | None = None,
        timeout: float | None = None,
        check: bool = True,
    ) -> list[DescribeUserScramCredentialsRow]: ...
    async def alter_user_scram_credentials(
        self,
        *items: Item,
        user: str | None = None,
        mechanism: str | None = None,
        operation: str | None = None,
        password: str | None = None,
        iterations: int | None = None,
        timeout: float | None = None,
        check: bool = True,
    ) -> list[AlterUserScramCredentialsRow]: ...
    async def describe_client_quotas(
        self,
        *items: Item,
        strict: int | None = None,
        entity: str | None = None,
        match: str | None = None,
        name: str | None = None,
        timeout: float | None = None,
        check: bool = True,
    ) -> list[DescribeClientQuotasRow]: ...
    async def alter_client_quotas(
        self,
        *items: Item,
        validate_only: int | None = None,
        user: str | None = None,
        client_id: str | None = None,
        ip: str | None = None,
        quota: str | None = None,
        value: str | None = None,
        timeout: float | None = None,
        check: bool = True,
    ) -> list[AlterClientQuotasRow]: ...
    async def elect_leaders(
        self,
        *items: Item,
        election: str | None = None,
        topic: str | None = None,
        partition: int | None = None,
        timeout: float | None = None,
        check: bool = True,
    ) -> list[ElectLeadersRow]: ...
    async def alter_partition_reassignments(
        self,
        *items: Item,
        allow_replication_factor_change: int | None = None,
        topic: str | None = None,
        partition: int | None = None,
        replicas: str | None = None,
        timeout: float | None = None,
        check: bool = True,
    ) -> list[AlterPartitionReassignmentsRow]: ...
    async def list_partition_reassignments(
        self,
        *items: Item,
        topic: str | None = None,
        partition: int | None = None,
        timeout: float | None = None,
        check: bool = True,
    ) -> list[ListPartitionReassignmentsRow]: ...
    async def describe_log_dirs(
        self,
        *items: Item,
        topic: Repeated | None = None,
        broker: int | None = None,
        timeout: float | None = None,
        check: bool = True,
    ) -> list[DescribeLogDirsRow]: ...
    async def alter_replica_log_dirs(
        self,
        *items: Item,
        broker: int | None = None,
        topic: str | None = None,
        partition: int | None = None,
        path: str | None = None,
        timeout: float | None = None,
        check: bool = True,
    ) -> list[AlterReplicaLogDirsRow]: ...
    async def describe_features(
        self,
        *items: Item,
        timeout: float | None = None,
        check: bool = True,
    ) -> list[DescribeFeaturesRow]: ...
    async def update_features(
        self,
        *items: Item,
        validate_only: int | None = None,
        feature: str | None = None,
        version: int | None = None,
        change: str | None = None,
        timeout: float | None = None,
        check: bool = True,
    ) -> list[UpdateFeaturesRow]: ...
    async def describe_quorum(
        self,
        *items: Item,
        timeout: float | None = None,
        check: bool = True,
    ) -> list[DescribeQuorumRow]: ...
