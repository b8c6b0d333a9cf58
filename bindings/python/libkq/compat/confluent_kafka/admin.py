"""AdminClient, as confluent_kafka.admin has it.  The futures it gives are done when it gives them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future
from enum import Enum
from typing import Any

from ..._admin import Admin
from ..._errors import KqError
from . import _cluster
from ._cluster import BrokerMetadata, ClusterMetadata, PartitionMetadata, TopicMetadata
from ._conf import split
from ._errors import KafkaException, from_kq
from ._model import TopicPartition

__all__ = [
    "AdminClient", "AlterConfigOpType", "BrokerMetadata", "ClusterMetadata", "ConfigEntry", "ConfigResource", "ConfigSource", "NewPartitions",
    "NewTopic", "PartitionMetadata", "ResourceType", "TopicMetadata",
]  # fmt: skip


class NewTopic:
    """A topic to be made."""

    def __init__(
        self,
        topic: str,
        num_partitions: int = -1,
        replication_factor: int = -1,
        replica_assignment: list[list[int]] | None = None,
        config: Mapping[str, Any] | None = None,
    ) -> None:
        self.topic, self.num_partitions, self.replication_factor = topic, num_partitions, replication_factor
        self.replica_assignment, self.config = replica_assignment, dict(config or {})

    def __str__(self) -> str:
        return f"NewTopic(topic={self.topic},num_partitions={self.num_partitions})"

    def __repr__(self) -> str:
        return str(self)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, NewTopic) and vars(self) == vars(other)

    def __hash__(self) -> int:
        return hash(self.topic)


class NewPartitions:
    """A topic, and how many partitions it is to have in all."""

    def __init__(self, topic: str, new_total_count: int, replica_assignment: list[list[int]] | None = None) -> None:
        self.topic, self.new_total_count, self.replica_assignment = topic, new_total_count, replica_assignment


class ResourceType(Enum):
    UNKNOWN = 0
    ANY = 1
    TOPIC = 2
    GROUP = 3
    BROKER = 4


class ConfigSource(Enum):
    UNKNOWN_CONFIG = 0
    DYNAMIC_TOPIC_CONFIG = 1
    DYNAMIC_BROKER_CONFIG = 2
    DYNAMIC_DEFAULT_BROKER_CONFIG = 3
    STATIC_BROKER_CONFIG = 4
    DEFAULT_CONFIG = 5
    GROUP_CONFIG = 8


class AlterConfigOpType(Enum):
    SET = 0
    DELETE = 1
    APPEND = 2
    SUBTRACT = 3


class ConfigEntry:
    """A setting of a resource."""

    def __init__(
        self,
        name: str,
        value: str | None,
        source: ConfigSource = ConfigSource.UNKNOWN_CONFIG,
        is_read_only: bool = False,
        is_default: bool = False,
        is_sensitive: bool = False,
        is_synonym: bool = False,
        synonyms: Iterable[ConfigEntry] = (),
        incremental_operation: AlterConfigOpType | None = None,
    ) -> None:
        self.name, self.value, self.source, self.is_read_only = name, value, source, is_read_only
        self.is_default, self.is_sensitive, self.is_synonym = is_default, is_sensitive, is_synonym
        self.synonyms = {each.name: each for each in synonyms}
        self.incremental_operation = incremental_operation

    def __str__(self) -> str:
        return f'{self.name}="{self.value}"'

    def __repr__(self) -> str:
        return f"ConfigEntry({self})"


class ConfigResource:
    """A topic or a broker, and its settings."""

    Type = ResourceType

    def __init__(
        self,
        restype: ResourceType | str | int,
        name: str,
        set_config: Mapping[str, Any] | None = None,
        described_configs: Mapping[str, ConfigEntry] | None = None,
        error: Any = None,
        incremental_configs: list[ConfigEntry] | None = None,
    ) -> None:
        if name is None:
            raise ValueError("expected resource name")
        if isinstance(restype, str):
            restype = ResourceType[restype.upper()] if restype.upper() in ResourceType.__members__ else _no_type(restype)
        self.restype = ResourceType(restype) if isinstance(restype, int) else restype
        self.name, self.error = name, error
        self.set_config_dict = {key: str(value) for key, value in (set_config or {}).items()}
        self.configs, self.incremental_configs = described_configs, list(incremental_configs or [])

    def set_config(self, name: str, value: Any, overwrite: bool = True) -> None:
        if overwrite or name not in self.set_config_dict:
            self.set_config_dict[name] = str(value)

    def add_incremental_config(self, config_entry: ConfigEntry) -> None:
        self.incremental_configs.append(config_entry)

    def __hash__(self) -> int:
        return hash((self.restype, self.name))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ConfigResource) and (self.restype, self.name) == (other.restype, other.name)

    def __lt__(self, other: ConfigResource) -> bool:
        return (self.restype.value, self.name) < (other.restype.value, other.name)

    def __repr__(self) -> str:
        return f"ConfigResource({self.restype},{self.name})"


def _no_type(name: str) -> ResourceType:
    raise ValueError(f"Unknown resource type {name!r}: should be a ResourceType")


def _future(result: Any = None, error: KqError | None = None) -> Future[Any]:
    future: Future[Any] = Future()
    future.set_running_or_notify_cancel()
    if error is not None:
        future.set_exception(KafkaException(from_kq(error)))
    else:
        future.set_result(result)
    return future


def _seconds(options: Mapping[str, Any]) -> float | None:
    timeout = options.get("request_timeout", options.get("operation_timeout"))
    return None if timeout is None else max(0.0, float(timeout))


class AdminClient:
    """Administration; each call gives futures, one for each thing asked for."""

    def __init__(self, conf: Mapping[str, Any], **kwargs: Any) -> None:
        self._told, _ = split(dict(conf), kwargs)
        try:
            self._admin: Any = Admin(config=self._told)
        except KqError as error:
            raise KafkaException(from_kq(error)) from None

    def poll(self, timeout: float = -1) -> int:
        return 0

    def __len__(self) -> int:
        return 0

    def __bool__(self) -> bool:
        return True

    def _each(
        self, operation: str, names: list[Any], items: list[Any], result: Callable[[Any], Any], options: Mapping[str, Any], **named: Any
    ) -> dict[Any, Future[Any]]:
        if not isinstance(names, list) or not names:
            raise ValueError("expected a list of at least one")
        try:
            rows = self._admin.run(operation, *items, check=False, timeout=_seconds(options), **named)
        except KqError as error:
            return {name: _future(error=error) for name in names}
        return {name: _future(result(row) if row.error is None else None, row.error) for name, row in zip(names, rows)}

    def create_topics(self, new_topics: list[NewTopic], **kwargs: Any) -> dict[str, Future[None]]:
        items = []
        for each in new_topics:
            item: dict[str, Any] = {"topic": each.topic, "config": each.config}
            if each.replica_assignment:
                item["assignment"] = each.replica_assignment
            else:
                item.update(partitions=each.num_partitions, replication_factor=each.replication_factor)
            items.append(item)
        return self._each(
            "create_topics", [each.topic for each in new_topics], items, lambda row: None, kwargs, validate_only=bool(kwargs.get("validate_only"))
        )

    def delete_topics(self, topics: list[str], **kwargs: Any) -> dict[str, Future[None]]:
        return self._each("delete_topics", topics, list(topics), lambda row: None, kwargs)

    def create_partitions(self, new_partitions: list[NewPartitions], **kwargs: Any) -> dict[str, Future[None]]:
        items = [
            {"topic": each.topic, "partitions": each.new_total_count, "assignment": each.replica_assignment or []} for each in new_partitions
        ]
        validate = bool(kwargs.get("validate_only"))
        return self._each("create_partitions", [each.topic for each in new_partitions], items, lambda row: None, kwargs, validate_only=validate)

    def describe_configs(self, resources: list[ConfigResource], **kwargs: Any) -> dict[ConfigResource, Future[dict[str, ConfigEntry]]]:
        items = [{"resource_type": each.restype.name.lower(), "resource": each.name} for each in resources]
        return self._each("describe_configs", resources, items, _entries, kwargs)

    def incremental_alter_configs(self, resources: list[ConfigResource], **kwargs: Any) -> dict[ConfigResource, Future[None]]:
        items = [
            {
                "resource_type": each.restype.name.lower(), "resource": each.name, "config": entry.name,
                "operation": (entry.incremental_operation or AlterConfigOpType.SET).name.lower(),
                **({} if entry.value is None else {"value": str(entry.value)}),
            }
            for each in resources
            for entry in each.incremental_configs
        ]  # fmt: skip
        return self._each(
            "alter_configs", resources, items, lambda row: None, kwargs, validate_only=bool(kwargs.get("validate_only"))
        )

    def alter_configs(self, resources: list[ConfigResource], **kwargs: Any) -> dict[ConfigResource, Future[None]]:
        """Sets what is given; what else was set stays, which Kafka's old call would have reset."""
        for each in resources:
            each.incremental_configs = [
                ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET) for name, value in each.set_config_dict.items()
            ]
        return self.incremental_alter_configs(resources, **kwargs)

    def list_topics(self, topic: str | None = None, timeout: float = -1) -> ClusterMetadata:
        return _cluster.metadata(self._told, topic, timeout)

    def list_consumer_groups(self, **kwargs: Any) -> Future[Any]:
        try:
            rows = self._admin.list_groups(timeout=_seconds(kwargs))
        except KqError as error:
            return _future(error=error)
        return _future(ListConsumerGroupsResult([ConsumerGroupListing(row.group, row.state, row.type) for row in rows]))

    def describe_consumer_groups(self, group_ids: list[str], **kwargs: Any) -> dict[str, Future[Any]]:
        return self._each("describe_groups", group_ids, list(group_ids), ConsumerGroupDescription, kwargs)

    def delete_consumer_groups(self, group_ids: list[str], **kwargs: Any) -> dict[str, Future[None]]:
        return self._each("delete_groups", group_ids, list(group_ids), lambda row: None, kwargs)

    def list_consumer_group_offsets(self, requests: list[ConsumerGroupTopicPartitions], **kwargs: Any) -> dict[str, Future[Any]]:
        def result(row: Any) -> ConsumerGroupTopicPartitions:
            offsets = [TopicPartition(each.topic, each.partition, each.offset, each.metadata) for each in row.offsets]
            return ConsumerGroupTopicPartitions(row.group, offsets)

        names = [each.group_id for each in requests]
        return self._each("list_group_offsets", names, names, result, kwargs)

    def alter_consumer_group_offsets(self, requests: list[ConsumerGroupTopicPartitions], **kwargs: Any) -> dict[str, Future[Any]]:
        futures: dict[str, Future[Any]] = {}
        for each in requests:
            items = [{"topic": at.topic, "partition": at.partition, "offset": at.offset} for at in each.topic_partitions or []]
            try:
                self._admin.alter_group_offsets(*items, group=each.group_id, timeout=_seconds(kwargs))
                futures[each.group_id] = _future(each)
            except KqError as error:
                futures[each.group_id] = _future(error=error)
        return futures


class ConsumerGroupTopicPartitions:
    def __init__(self, group_id: str, topic_partitions: list[TopicPartition] | None = None) -> None:
        self.group_id, self.topic_partitions = group_id, topic_partitions


class ConsumerGroupListing:
    def __init__(self, group_id: str, state: str | None, type: str | None) -> None:
        self.group_id, self.state, self.type = group_id, state, type
        self.is_simple_consumer_group = False


class ListConsumerGroupsResult:
    def __init__(self, valid: list[ConsumerGroupListing]) -> None:
        self.valid, self.errors = valid, list[Any]()


class ConsumerGroupDescription:
    def __init__(self, row: Any) -> None:
        self.group_id, self.state, self.partition_assignor = row.group, row.state, row.assignor
        self.members = row.members


def _entries(row: Any) -> dict[str, ConfigEntry]:
    def source(name: str) -> ConfigSource:
        return ConfigSource.__members__.get(name.upper(), ConfigSource.UNKNOWN_CONFIG)

    return {
        each.config: ConfigEntry(
            each.config, each.value, source(each.source), bool(each.read_only), "default" in each.source.lower(), bool(each.sensitive),
            synonyms=[ConfigEntry(other.config, other.value, source(other.source), is_synonym=True) for other in each.synonyms or []],
        )
        for each in row.configs
    }  # fmt: skip
