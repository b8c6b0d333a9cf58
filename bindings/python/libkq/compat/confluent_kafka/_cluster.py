"""What list_topics tells."""

from __future__ import annotations

from typing import Any

from ... import _kq
from ..._admin import Admin
from ..._errors import KqError
from ._errors import KafkaError, KafkaException, from_kq


class BrokerMetadata:
    def __init__(self, id: int, host: str, port: int) -> None:
        self.id, self.host, self.port = id, host, port

    def __str__(self) -> str:
        return f"{self.host}:{self.port}/{self.id}"

    __repr__ = __str__


class PartitionMetadata:
    def __init__(self, id: int, leader: int, replicas: list[int], isrs: list[int]) -> None:
        self.id, self.leader, self.replicas, self.isrs = id, leader, replicas, isrs
        self.error: KafkaError | None = None

    def __repr__(self) -> str:
        return f"PartitionMetadata({self.id})"


class TopicMetadata:
    def __init__(self, topic: str, partitions: dict[int, PartitionMetadata], error: KafkaError | None) -> None:
        self.topic, self.partitions, self.error = topic, partitions, error

    def __str__(self) -> str:
        return self.topic

    def __repr__(self) -> str:
        return f"TopicMetadata({self.topic}, {len(self.partitions)} partitions)"


class ClusterMetadata:
    def __init__(self) -> None:
        self.cluster_id: str | None = None
        self.controller_id = -1
        self.brokers: dict[int, BrokerMetadata] = {}
        self.topics: dict[str, TopicMetadata] = {}
        self.orig_broker_id = -1
        self.orig_broker_name: str | None = None

    def __str__(self) -> str:
        return str(self.cluster_id)


def seconds(timeout: float | None) -> float | None:
    """confluent_kafka's -1, and None: as long as it takes."""
    return None if timeout is None or timeout < 0 else timeout


def metadata(told: dict[str, Any], topic: str | None, timeout: float | None) -> ClusterMetadata:
    known = ClusterMetadata()
    try:
        with Admin(config=told) as admin:
            [cluster] = admin.describe_cluster(timeout=seconds(timeout))
            rows: list[Any] = admin.describe_topics(*([topic] if topic else []), check=False, timeout=seconds(timeout))
    except KqError as error:
        raise KafkaException(KafkaError(-195 if error.code == _kq.KQ_ERR_TIMED_OUT else from_kq(error).code(), error.message)) from None
    known.cluster_id, known.controller_id = cluster.cluster_id, cluster.controller
    known.brokers = {node.node: BrokerMetadata(node.node, node.host, node.port) for node in cluster.nodes}
    for row in rows:
        partitions = {
            each.partition: PartitionMetadata(each.partition, each.leader, [n.node for n in each.replicas], [n.node for n in each.isr])
            for each in row.partitions or []
        }
        known.topics[row.topic] = TopicMetadata(row.topic, partitions, from_kq(row.error) if row.error else None)
    return known
