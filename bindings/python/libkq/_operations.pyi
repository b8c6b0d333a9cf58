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
