"""What AdminClient is asked for, and what it answers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import Enum
from typing import Any, NamedTuple

from ._model import TopicPartition


class _Ordered(Enum):
    def __lt__(self, other: Any) -> bool:
        return bool(self.value < other.value)


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
        self.replica_assignment, self.config = replica_assignment, config or {}

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


class ResourceType(_Ordered):
    UNKNOWN = 0
    ANY = 1
    TOPIC = 2
    GROUP = 3
    BROKER = 4
    TRANSACTIONAL_ID = 5


class ConfigSource(_Ordered):
    UNKNOWN_CONFIG = 0
    DYNAMIC_TOPIC_CONFIG = 1
    DYNAMIC_BROKER_CONFIG = 2
    DYNAMIC_DEFAULT_BROKER_CONFIG = 3
    STATIC_BROKER_CONFIG = 4
    DEFAULT_CONFIG = 5
    GROUP_CONFIG = 8


class AlterConfigOpType(_Ordered):
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


class ResourcePatternType(_Ordered):
    UNKNOWN = 0
    ANY = 1
    MATCH = 2
    LITERAL = 3
    PREFIXED = 4


class AclOperation(_Ordered):
    UNKNOWN = 0
    ANY = 1
    ALL = 2
    READ = 3
    WRITE = 4
    CREATE = 5
    DELETE = 6
    ALTER = 7
    DESCRIBE = 8
    CLUSTER_ACTION = 9
    DESCRIBE_CONFIGS = 10
    ALTER_CONFIGS = 11
    IDEMPOTENT_WRITE = 12


class AclPermissionType(_Ordered):
    UNKNOWN = 0
    ANY = 1
    DENY = 2
    ALLOW = 3


def _enum(kind: type[Enum], value: Any, name: str) -> Any:
    """An enum's member, also by its name or number."""
    if isinstance(value, kind):
        return value
    try:
        return kind[value.upper()] if isinstance(value, str) else kind(value)
    except (KeyError, ValueError):
        raise ValueError(f"{name} should be of {kind.__name__}, not {value!r}") from None


class AclBindingFilter:
    """Which access rules; None: any."""

    _strings_may_be_none = True
    _forbidden: tuple[str, ...] = ()

    def __init__(
        self,
        restype: ResourceType | str | int,
        name: str | None,
        resource_pattern_type: ResourcePatternType | str | int,
        principal: str | None,
        host: str | None,
        operation: AclOperation | str | int,
        permission_type: AclPermissionType | str | int,
    ) -> None:
        self.restype: ResourceType = _enum(ResourceType, restype, "restype")
        self.name = name
        self.resource_pattern_type: ResourcePatternType = _enum(ResourcePatternType, resource_pattern_type, "resource_pattern_type")
        self.principal, self.host = principal, host
        self.operation: AclOperation = _enum(AclOperation, operation, "operation")
        self.permission_type: AclPermissionType = _enum(AclPermissionType, permission_type, "permission_type")
        for what in ("name", "principal", "host"):
            value = getattr(self, what)
            if value is None and not self._strings_may_be_none:
                raise ValueError(f"{what} cannot be None")
            if value is not None and not isinstance(value, str):
                raise TypeError(f"{what} must be a string")
        for each in (self.restype, self.resource_pattern_type, self.operation, self.permission_type):
            if each.name in self._forbidden:
                raise ValueError(f"{each} is not for one rule")

    def _all(self) -> tuple[Any, ...]:
        return (
            self.restype, self.name, self.resource_pattern_type, self.principal, self.host, self.operation, self.permission_type,
        )  # fmt: skip

    def __eq__(self, other: object) -> bool:
        return isinstance(other, AclBindingFilter) and type(other) is type(self) and self._all() == other._all()

    def __hash__(self) -> int:
        return hash(self._all())

    def __repr__(self) -> str:
        return f"{type(self).__name__}({','.join(str(each.name if isinstance(each, Enum) else each) for each in self._all())})"

    def _item(self) -> dict[str, Any]:
        given = {
            "resource_type": self.restype.name.lower(), "resource": self.name, "pattern_type": self.resource_pattern_type.name.lower(),
            "principal": self.principal, "host": self.host, "operation": self.operation.name.lower(),
            "permission": self.permission_type.name.lower(),
        }  # fmt: skip
        if given["resource_type"] == "broker":
            given.update(resource_type="cluster")
        return {name: value for name, value in given.items() if value is not None}


class AclBinding(AclBindingFilter):
    """An access rule."""

    _strings_may_be_none = False
    _forbidden = ("ANY", "MATCH")

    def __lt__(self, other: AclBinding) -> bool:
        return self._all() < other._all()


def binding(row: Any) -> AclBinding:
    kind = "broker" if row.resource_type == "cluster" else row.resource_type
    return AclBinding(kind, row.resource, row.pattern_type, row.principal, row.host, row.operation, row.permission)


class OffsetSpec:
    """Which offset of a partition."""

    def __init__(self, value: int) -> None:
        self._value = value

    @classmethod
    def earliest(cls) -> OffsetSpec:
        return OffsetSpec(-2)

    @classmethod
    def latest(cls) -> OffsetSpec:
        return OffsetSpec(-1)

    @classmethod
    def max_timestamp(cls) -> OffsetSpec:
        return OffsetSpec(-3)

    @classmethod
    def for_timestamp(cls, timestamp: int) -> OffsetSpec:
        return OffsetSpec(timestamp)

    def __lt__(self, other: OffsetSpec) -> bool:
        return self._value < other._value


class ListOffsetsResultInfo(NamedTuple):
    offset: int
    timestamp: int
    leader_epoch: int | None


class DeletedRecords(NamedTuple):
    low_watermark: int


class ScramMechanism(_Ordered):
    UNKNOWN = 0
    SCRAM_SHA_256 = 1
    SCRAM_SHA_512 = 2


class ScramCredentialInfo:
    def __init__(self, mechanism: ScramMechanism, iterations: int) -> None:
        self.mechanism, self.iterations = mechanism, iterations


class UserScramCredentialsDescription:
    def __init__(self, user: str, scram_credential_infos: list[ScramCredentialInfo]) -> None:
        self.user, self.scram_credential_infos = user, scram_credential_infos


class UserScramCredentialAlteration:
    def __init__(self, user: str) -> None:
        self.user = user


class UserScramCredentialUpsertion(UserScramCredentialAlteration):
    """libkq makes the salt itself."""

    def __init__(self, user: str, scram_credential_info: ScramCredentialInfo, password: bytes, salt: bytes | None = None) -> None:
        super().__init__(user)
        self.scram_credential_info, self.password, self.salt = scram_credential_info, password, salt


class UserScramCredentialDeletion(UserScramCredentialAlteration):
    def __init__(self, user: str, mechanism: ScramMechanism) -> None:
        super().__init__(user)
        self.mechanism = mechanism


class ConsumerGroupState(_Ordered):
    UNKNOWN = 0
    PREPARING_REBALANCING = 1
    COMPLETING_REBALANCING = 2
    STABLE = 3
    DEAD = 4
    EMPTY = 5
    ASSIGNING = 6
    RECONCILING = 7


class ConsumerGroupType(_Ordered):
    UNKNOWN = 0
    CONSUMER = 1
    CLASSIC = 2
    SHARE = 3


_STATES = {"PREPARINGREBALANCE": ConsumerGroupState.PREPARING_REBALANCING, "COMPLETINGREBALANCE": ConsumerGroupState.COMPLETING_REBALANCING}


def group_state(name: str | None) -> ConsumerGroupState:
    text = (name or "UNKNOWN").upper().replace("_", "")
    return _STATES.get(text, ConsumerGroupState.__members__.get(text, ConsumerGroupState.UNKNOWN))


def group_type(name: str | None) -> ConsumerGroupType:
    return ConsumerGroupType.__members__.get((name or "UNKNOWN").upper(), ConsumerGroupType.UNKNOWN)


class IsolationLevel(_Ordered):
    READ_UNCOMMITTED = 0
    READ_COMMITTED = 1


class ElectionType(_Ordered):
    PREFERRED = 0
    UNCLEAN = 1


class TopicCollection:
    def __init__(self, topic_names: list[str]) -> None:
        self.topic_names = topic_names


class Node:
    def __init__(self, id: int, host: str, port: int, rack: str | None = None) -> None:
        self.id, self.id_string, self.host, self.port, self.rack = id, str(id), host, port, rack

    def __str__(self) -> str:
        return f"({self.id}) {self.host}:{self.port} {f'(Rack - {self.rack})' if self.rack else ''}"


class TopicPartitionInfo:
    def __init__(self, id: int, leader: Node | None, replicas: list[Node], isr: list[Node]) -> None:
        self.id, self.leader, self.replicas, self.isr = id, leader, replicas, isr


class TopicDescription:
    def __init__(self, name: str, topic_id: str | None, is_internal: bool, partitions: list[TopicPartitionInfo]) -> None:
        self.name, self.topic_id, self.is_internal, self.partitions = name, topic_id, is_internal, partitions
        self.authorized_operations: list[AclOperation] | None = None


class DescribeClusterResult:
    def __init__(self, controller: Node | None, nodes: list[Node], cluster_id: str | None = None) -> None:
        self.cluster_id, self.controller, self.nodes = cluster_id, controller, nodes
        self.authorized_operations: list[AclOperation] | None = None


class ConsumerGroupTopicPartitions:
    def __init__(self, group_id: str, topic_partitions: list[TopicPartition] | None = None) -> None:
        self.group_id, self.topic_partitions = group_id, topic_partitions


class ConsumerGroupListing:
    def __init__(self, group_id: str, is_simple_consumer_group: bool, state: str | None = None, type: str | None = None) -> None:
        self.group_id, self.is_simple_consumer_group = group_id, is_simple_consumer_group
        self.state, self.type = group_state(state), group_type(type)


class ListConsumerGroupsResult:
    def __init__(self, valid: list[ConsumerGroupListing] | None = None, errors: list[Any] | None = None) -> None:
        self.valid, self.errors = valid or [], errors or []


class MemberAssignment:
    def __init__(self, topic_partitions: list[TopicPartition]) -> None:
        self.topic_partitions = topic_partitions


class MemberDescription:
    def __init__(self, row: Any) -> None:
        self.member_id, self.client_id, self.host, self.group_instance_id = row.member, row.client, row.host, row.instance
        self.assignment = MemberAssignment([TopicPartition(each.topic, each.partition) for each in row.assignment or []])


class ConsumerGroupDescription:
    def __init__(self, row: Any, coordinator: Node | None = None) -> None:
        self.group_id, self.partition_assignor, self.coordinator = row.group, row.assignor, coordinator
        self.state, self.type = group_state(row.state), group_type(row.type)
        self.is_simple_consumer_group = not row.protocol_type
        self.members = [MemberDescription(each) for each in row.members or []]
        self.authorized_operations: list[AclOperation] | None = None


class GroupMember:
    def __init__(self, row: Any) -> None:
        self.id, self.client_id, self.client_host = row.member, row.client, row.host
        self.metadata: bytes | None = None
        self.assignment: bytes | None = None


class GroupMetadata:
    """Of list_groups."""

    def __init__(self, row: Any) -> None:
        self.id, self.state, self.protocol_type = row.group, row.state, row.protocol_type
        self.broker: Any = None
        self.error: Any = None
        self.protocol: str | None = None
        self.members: list[GroupMember] = []

    def __repr__(self) -> str:
        return f"GroupMetadata({self.id})"

    def __str__(self) -> str:
        return str(self.id)


def entries(row: Any) -> dict[str, ConfigEntry]:
    def source(name: str) -> ConfigSource:
        return ConfigSource.__members__.get(name.upper(), ConfigSource.UNKNOWN_CONFIG)

    return {
        each.config: ConfigEntry(
            each.config, each.value, source(each.source), bool(each.read_only), "default" in each.source.lower(), bool(each.sensitive),
            synonyms=[ConfigEntry(other.config, other.value, source(other.source), is_synonym=True) for other in each.synonyms or []],
        )
        for each in row.configs
    }  # fmt: skip
