"""AdminClient, as confluent_kafka.admin has it: each call is made by a thread of its own, and gives futures."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future
from typing import Any

from ..._admin import Admin
from ..._errors import ClosedError, KqError
from . import _cluster
from ._admin_model import (
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    ConfigSource,
    ConsumerGroupDescription,
    ConsumerGroupListing,
    ConsumerGroupState,
    ConsumerGroupTopicPartitions,
    ConsumerGroupType,
    DeletedRecords,
    DescribeClusterResult,
    ElectionType,
    GroupMember,
    GroupMetadata,
    IsolationLevel,
    ListConsumerGroupsResult,
    ListOffsetsResultInfo,
    MemberAssignment,
    MemberDescription,
    NewPartitions,
    NewTopic,
    Node,
    OffsetSpec,
    ResourcePatternType,
    ResourceType,
    ScramCredentialInfo,
    ScramMechanism,
    TopicCollection,
    TopicDescription,
    TopicPartitionInfo,
    UserScramCredentialAlteration,
    UserScramCredentialDeletion,
    UserScramCredentialsDescription,
    UserScramCredentialUpsertion,
    binding,
    entries,
)
from ._callbacks import Callbacks
from ._cluster import BrokerMetadata, ClusterMetadata, PartitionMetadata, TopicMetadata
from ._conf import split
from ._errors import KafkaError, KafkaException, from_kq
from ._model import TopicPartition

__all__ = [
    "AclBinding", "AclBindingFilter", "AclOperation", "AclPermissionType", "AdminClient", "AlterConfigOpType", "BrokerMetadata",
    "ClusterMetadata", "ConfigEntry", "ConfigResource", "ConfigSource", "ConsumerGroupDescription", "ConsumerGroupListing", "DeletedRecords",
    "DescribeClusterResult", "GroupMember", "GroupMetadata", "ListConsumerGroupsResult", "ListOffsetsResultInfo", "MemberAssignment",
    "MemberDescription", "NewPartitions", "NewTopic", "OffsetSpec", "PartitionMetadata", "ResourcePatternType", "ResourceType",
    "ScramCredentialInfo", "ScramMechanism", "TopicDescription", "TopicMetadata", "UserScramCredentialAlteration",
    "UserScramCredentialDeletion", "UserScramCredentialUpsertion", "UserScramCredentialsDescription",
]  # fmt: skip

_ElectionType, _TopicCollection, _ConsumerGroupTopicPartitions = ElectionType, TopicCollection, ConsumerGroupTopicPartitions
_SLICE_SECONDS = 0.05
_TRANSPORT, _TIMED_OUT = -195, -185

Futures = dict[Any, "Future[Any]"]
_OPTIONS: dict[str, Any] = {
    "request_timeout": (int, float), "operation_timeout": (int, float), "validate_only": bool, "broker": int,
    "include_authorized_operations": bool, "require_stable": bool, "states": (set, frozenset), "types": (set, frozenset),
    "isolation_level": IsolationLevel,
}  # fmt: skip


def _options(given: Mapping[str, Any], *allowed: str) -> None:
    for name, value in given.items():
        if name not in ("request_timeout", "operation_timeout", "broker", *allowed):
            raise TypeError(f"{name!r} is an invalid keyword argument for this function")
        if not isinstance(value, _OPTIONS[name]):
            raise TypeError(f"{name} must not be a {type(value).__name__}")
        if name.endswith("timeout") and not 0 <= value <= 3600:
            raise ValueError(f"{name} must be between 0 and 3600 seconds, not {value}")


def _list(items: Any, kind: type, what: str) -> list[Any]:
    if not isinstance(items, list):
        raise TypeError(f"Expected {what} to be a list, got '{type(items).__name__}'")
    if not items:
        raise ValueError(f"Expected {what} to have at least one element")
    for each in items:
        if not isinstance(each, kind):
            wrong = ValueError if kind is str or each is None and kind is not TopicPartition else TypeError
            raise wrong(f"Element of the {what} list must be of type '{kind.__name__}' got '{type(each).__name__}'")
    return items


def _rules(items: Any, kind: type, what: str) -> list[Any]:
    if items is None:
        raise TypeError(f"Expected {what} to be a list, got 'NoneType'")
    if not isinstance(items, list) or not all(isinstance(each, kind) for each in items):
        raise ValueError(f"Expected {what} to be a list of {kind.__name__}, not {items!r}")
    return _list(items, kind, what)


def _named(name: Any, what: str) -> str:
    if not isinstance(name, str):
        raise TypeError(f"{what} must be a string, not {name!r}")
    if not name:
        raise ValueError(f"{what} must not be empty")
    return name


def _partitions(items: Iterable[TopicPartition]) -> list[dict[str, Any]]:
    result = []
    for each in items:
        if not isinstance(each, TopicPartition):
            raise TypeError(f"Expected a TopicPartition, not {each!r}")
        _named(each.topic, "topic")
        if each.partition < 0:
            raise ValueError(f"{each}: the partition must not be below 0")
        result.append({"topic": each.topic, "partition": each.partition})
    return result


def _failed(error: KqError) -> KafkaException:
    told = from_kq(error)
    if told.code() == _TRANSPORT:  # it was tried until the time was over
        told = KafkaError(_TIMED_OUT, told.str(), retriable=True)
    return KafkaException(told)


class AdminClient:
    """Administration; each call gives futures, one for each thing asked for."""

    def __init__(self, conf: Mapping[str, Any], **kwargs: Any) -> None:
        if not isinstance(conf, Mapping):
            raise TypeError("expected configuration dict")
        self._told, callbacks = split(dict(conf), kwargs)
        self._timeout = int(conf["socket.timeout.ms"]) / 1000 if conf.get("socket.timeout.ms") is not None else None
        self._callback = Callbacks("admin", callbacks, self._told)
        try:
            self._admin: Any = Admin(config=self._told)
        except KqError as error:
            self._callback.close()
            raise KafkaException(from_kq(error)) from None

    def _open(self, what: str = "AdminClient") -> Any:
        admin = self.__dict__.get("_admin")
        if admin is None or admin.closed:
            raise RuntimeError(f"{what} has been closed")
        return admin

    def poll(self, timeout: float = -1) -> int:
        """Calls error_cb and the logger; futures need no poll."""
        self._open()
        limit = None if timeout is None or timeout < 0 else time.monotonic() + timeout
        while not (served := self._callback.serve(None)):
            if limit is None or (left := limit - time.monotonic()) <= 0:
                break
            time.sleep(min(_SLICE_SECONDS, left))
        return served

    def __len__(self) -> int:
        return 0

    def __bool__(self) -> bool:
        return True

    def __enter__(self) -> AdminClient:
        return self

    def __exit__(self, *unused: object) -> None:
        admin = self.__dict__.get("_admin")
        if admin is not None and not admin.closed:
            admin.close()
            self._callback.close()

    # -- how they are made

    def _later(self, futures: list[Future[Any]], work: Callable[[], list[Any]]) -> None:
        """The futures get what work gives, one each: a result or an exception."""
        for each in futures:
            each.set_running_or_notify_cancel()

        def run() -> None:
            try:
                results = work()
            except ClosedError:
                results = [RuntimeError("AdminClient has been closed")] * len(futures)
            except KqError as error:
                results = [_failed(error)] * len(futures)
            except Exception as error:
                results = [error] * len(futures)
            for future, result in zip(futures, results):
                future.set_exception(result) if isinstance(result, BaseException) else future.set_result(result)

        threading.Thread(target=run, name="libkq admin", daemon=True).start()

    def _wait(self, options: Mapping[str, Any]) -> float | None:
        timeout = options.get("request_timeout", options.get("operation_timeout", self._timeout))
        return None if timeout is None else max(0.0, float(timeout))

    def _each(
        self, operation: str, keys: list[Any], items: list[Any], result: Callable[[Any], Any], options: Mapping[str, Any], **named: Any
    ) -> Futures:
        admin, timeout = self._open(), self._wait(options)
        futures: Futures = {key: Future() for key in keys}

        def work() -> list[Any]:
            rows = admin.run(operation, *items, check=False, timeout=timeout, **named)
            return [result(row) if row.error is None else _failed(row.error) for row in rows]

        self._later(list(futures.values()), work)
        return futures

    def _one(self, work: Callable[[Any, float | None], Any], options: Mapping[str, Any]) -> Future[Any]:
        admin, timeout = self._open(), self._wait(options)
        future: Future[Any] = Future()
        self._later([future], lambda: [work(admin, timeout)])
        return future

    # -- topics

    def create_topics(self, new_topics: list[NewTopic], **kwargs: Any) -> Futures:
        self._open()
        _options(kwargs, "validate_only")
        items = []
        for each in _list(new_topics, NewTopic, "new_topics"):
            if not isinstance(each.config, Mapping):
                raise TypeError(f"config must be a dict, not {each.config!r}")
            item: dict[str, Any] = {"topic": each.topic, "config": each.config}
            if each.replica_assignment:
                item["assignment"] = each.replica_assignment
            else:
                item.update(partitions=each.num_partitions, replication_factor=each.replication_factor)
            items.append(item)
        validate = bool(kwargs.get("validate_only"))
        return self._each("create_topics", [each.topic for each in new_topics], items, lambda row: None, kwargs, validate_only=validate)

    def delete_topics(self, topics: list[str], **kwargs: Any) -> Futures:
        self._open()
        _options(kwargs)
        return self._each("delete_topics", _list(topics, str, "topics"), list(topics), lambda row: None, kwargs)

    def create_partitions(self, new_partitions: list[NewPartitions], **kwargs: Any) -> Futures:
        self._open()
        _options(kwargs, "validate_only")
        items = [
            {"topic": each.topic, "partitions": each.new_total_count, "assignment": each.replica_assignment or []}
            for each in _list(new_partitions, NewPartitions, "new_partitions")
        ]
        validate = bool(kwargs.get("validate_only"))
        return self._each("create_partitions", [each.topic for each in new_partitions], items, lambda row: None, kwargs, validate_only=validate)

    def describe_topics(self, topics: TopicCollection, **kwargs: Any) -> Futures:
        _options(kwargs, "include_authorized_operations")
        if not isinstance(topics, TopicCollection):
            raise TypeError(f"topics must be a TopicCollection, not {topics!r}")
        names = [_named(each, "a topic") for each in topics.topic_names]
        admin, timeout = self._open(), self._wait(kwargs)
        futures: Futures = {name: Future() for name in names}

        def work() -> list[Any]:
            nodes = _nodes(admin, timeout)
            rows = admin.describe_topics(*names, check=False, timeout=timeout)
            return [_topic(row, nodes) if row.error is None else _failed(row.error) for row in rows]

        if names:
            self._later(list(futures.values()), work)
        return futures

    def delete_records(self, topic_partition_offsets: list[TopicPartition], **kwargs: Any) -> Futures:
        self._open()
        _options(kwargs)
        _list(topic_partition_offsets, TopicPartition, "Request" if not isinstance(topic_partition_offsets, list) else "request")
        items = [{**item, "offset": at.offset} for item, at in zip(_partitions(topic_partition_offsets), topic_partition_offsets)]
        return self._each("delete_records", topic_partition_offsets, items, lambda row: DeletedRecords(row.low_watermark), kwargs)

    def list_offsets(self, topic_partition_offsets: Mapping[TopicPartition, OffsetSpec], **kwargs: Any) -> Futures:
        self._open()
        _options(kwargs, "isolation_level")
        if not isinstance(topic_partition_offsets, Mapping):
            raise TypeError(f"Expected a dict of TopicPartition and OffsetSpec, not {topic_partition_offsets!r}")
        items = []
        for item, spec in zip(_partitions(topic_partition_offsets), topic_partition_offsets.values()):
            if not isinstance(spec, OffsetSpec):
                raise TypeError(f"Expected an OffsetSpec, not {spec!r}")
            items.append({**item, "timestamp": spec._value})
        if not items:
            return {}
        isolation = kwargs.get("isolation_level", IsolationLevel.READ_UNCOMMITTED).name.lower()

        def result(row: Any) -> ListOffsetsResultInfo:
            return ListOffsetsResultInfo(row.offset, row.timestamp, row.leader_epoch if row.leader_epoch >= 0 else None)

        return self._each("list_offsets", list(topic_partition_offsets), items, result, kwargs, isolation=isolation)

    def elect_leaders(self, election_type: ElectionType, partitions: list[TopicPartition] | None = None, **kwargs: Any) -> Future[Any]:
        self._open()
        _options(kwargs)
        if not isinstance(election_type, ElectionType):
            raise TypeError(f"Expected 'election_type' to be of type 'ElectionType', got '{type(election_type).__name__}'")
        items = [] if partitions is None else _partitions(_list(partitions, TopicPartition, "'partitions'"))

        def work(admin: Any, timeout: float | None) -> dict[TopicPartition, KafkaException | None]:
            rows = admin.elect_leaders(*items, election=election_type.name.lower(), check=False, timeout=timeout)
            return {TopicPartition(row.topic, row.partition): _failed(row.error) if row.error else None for row in rows}

        return self._one(work, kwargs)

    def list_topics(self, topic: str | None = None, timeout: float = -1) -> ClusterMetadata:
        self._open("Handle")
        return _cluster.metadata(self._told, topic, timeout)

    # -- settings

    def describe_configs(self, resources: list[ConfigResource], **kwargs: Any) -> Futures:
        self._open()
        _options(kwargs)
        items = [{"resource_type": each.restype.name.lower(), "resource": each.name} for each in _list(resources, ConfigResource, "resources")]
        return self._each("describe_configs", resources, items, entries, kwargs)

    def incremental_alter_configs(self, resources: list[ConfigResource], **kwargs: Any) -> Futures:
        self._open()
        _options(kwargs, "validate_only")
        items = []
        for each in _list(resources, ConfigResource, "resources"):
            if not each.incremental_configs:
                raise ValueError(f"Expected at least one config for {each}")
            for entry in each.incremental_configs:
                if not isinstance(entry, ConfigEntry) or not isinstance(entry.name, str):
                    raise TypeError(f"Expected a ConfigEntry with a name, not {entry!r}")
                operation = entry.incremental_operation or AlterConfigOpType.SET
                if not isinstance(operation, AlterConfigOpType):
                    raise TypeError(f"incremental_operation must be an AlterConfigOpType, not {operation!r}")
                item = {"resource_type": each.restype.name.lower(), "resource": each.name, "config": entry.name, "operation": operation.name.lower()}
                items.append(item if entry.value is None else {**item, "value": str(entry.value)})
        validate = bool(kwargs.get("validate_only"))
        return self._each("alter_configs", resources, items, lambda row: None, kwargs, validate_only=validate)

    def alter_configs(self, resources: list[ConfigResource], **kwargs: Any) -> Futures:
        """Sets what is given; what else was set stays, which Kafka's old call would have reset."""
        self._open()
        _options(kwargs, "validate_only")
        futures: Futures = {each: Future() for each in _list(resources, ConfigResource, "resources")}
        told = []
        for each in resources:
            if each.set_config_dict:
                changed = [ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET) for name, value in each.set_config_dict.items()]
                told.append(ConfigResource(each.restype, each.name, incremental_configs=changed))
            else:
                futures[each].set_result(None)
        return {**futures, **(self.incremental_alter_configs(told, **kwargs) if told else {})}

    # -- groups

    def list_groups(self, group: str | None = None, timeout: float = -1) -> list[GroupMetadata]:
        admin = self._open("Handle")
        try:
            rows = admin.list_groups(timeout=_cluster.seconds(timeout))
            found = {row.group: GroupMetadata(row) for row in rows if group in (None, row.group)}
            for row in admin.describe_groups(*found, check=False, timeout=_cluster.seconds(timeout)) if found else ():
                found[row.group].protocol = row.assignor
                found[row.group].members = [GroupMember(each) for each in row.members or []]
        except KqError as error:
            raise _failed(error) from None
        return list(found.values())

    def list_consumer_groups(self, **kwargs: Any) -> Future[Any]:
        _options(kwargs, "states", "types")
        states, types = kwargs.get("states") or set(), kwargs.get("types") or set()
        if not all(isinstance(each, ConsumerGroupState) for each in states) or not all(isinstance(each, ConsumerGroupType) for each in types):
            raise TypeError("states are ConsumerGroupState's, types ConsumerGroupType's")

        def work(admin: Any, timeout: float | None) -> ListConsumerGroupsResult:
            rows = admin.list_groups(timeout=timeout)
            listed = [ConsumerGroupListing(row.group, not row.protocol_type, row.state, row.type) for row in rows if row.type != "share"]
            return ListConsumerGroupsResult(
                [each for each in listed if (not states or each.state in states) and (not types or each.type in types)]
            )

        return self._one(work, kwargs)

    def describe_consumer_groups(self, group_ids: list[str], **kwargs: Any) -> Futures:
        _options(kwargs, "include_authorized_operations")
        _list(group_ids, str, "group_ids")
        admin, timeout = self._open(), self._wait(kwargs)
        futures: Futures = {group: Future() for group in group_ids}

        def work() -> list[Any]:
            nodes = _nodes(admin, timeout)
            rows = admin.describe_groups(*group_ids, check=False, timeout=timeout)
            return [ConsumerGroupDescription(row, nodes.get(row.coordinator)) if row.error is None else _failed(row.error) for row in rows]

        self._later(list(futures.values()), work)
        return futures

    def delete_consumer_groups(self, group_ids: list[str], **kwargs: Any) -> Futures:
        self._open()
        _options(kwargs)
        return self._each("delete_groups", _list(group_ids, str, "group_ids"), list(group_ids), lambda row: None, kwargs)

    def list_consumer_group_offsets(self, list_consumer_group_offsets_request: list[ConsumerGroupTopicPartitions], **kwargs: Any) -> Futures:
        self._open()
        _options(kwargs, "require_stable")
        requests = _group_requests(list_consumer_group_offsets_request, with_offsets=False)
        wanted = {each.group_id: None if each.topic_partitions is None else {at._key() for at in each.topic_partitions} for each in requests}

        def result(row: Any) -> ConsumerGroupTopicPartitions:
            asked = wanted[row.group]
            offsets = [
                TopicPartition(each.topic, each.partition, each.offset, each.metadata)
                for each in row.offsets
                if asked is None or (each.topic, each.partition) in asked
            ]
            return ConsumerGroupTopicPartitions(row.group, offsets)

        return self._each("list_group_offsets", list(wanted), list(wanted), result, kwargs)

    def alter_consumer_group_offsets(self, alter_consumer_group_offsets_request: list[ConsumerGroupTopicPartitions], **kwargs: Any) -> Futures:
        self._open()
        _options(kwargs)
        [request] = _group_requests(alter_consumer_group_offsets_request, with_offsets=True)
        items = [{**item, "offset": at.offset} for item, at in zip(_partitions(request.topic_partitions or ()), request.topic_partitions or ())]

        def work(admin: Any, timeout: float | None) -> ConsumerGroupTopicPartitions:
            rows = admin.alter_group_offsets(*items, group=request.group_id, check=False, timeout=timeout)
            changed = [TopicPartition(row.topic, row.partition) for row in rows]
            for each, row, item in zip(changed, rows, items):
                each.offset, each.error = item["offset"], from_kq(row.error) if row.error else None
            return ConsumerGroupTopicPartitions(request.group_id, changed)

        return {request.group_id: self._one(work, kwargs)}

    # -- the cluster, its access rules and users

    def describe_cluster(self, **kwargs: Any) -> Future[Any]:
        _options(kwargs, "include_authorized_operations")

        def work(admin: Any, timeout: float | None) -> DescribeClusterResult:
            [cluster] = admin.describe_cluster(timeout=timeout)
            nodes = {each.node: Node(each.node, each.host, each.port, each.rack) for each in cluster.nodes}
            return DescribeClusterResult(nodes.get(cluster.controller), list(nodes.values()), cluster.cluster_id)

        return self._one(work, kwargs)

    def create_acls(self, acls: list[AclBinding], **kwargs: Any) -> Futures:
        self._open()
        _options(kwargs)
        if len(set(_rules(acls, AclBinding, "acls"))) != len(acls):
            raise ValueError("the same ACL is there twice")
        return self._each("create_acls", acls, [each._item() for each in acls], lambda row: None, kwargs)

    def describe_acls(self, acl_binding_filter: AclBindingFilter, **kwargs: Any) -> Future[Any]:
        self._open()
        _options(kwargs)
        if type(acl_binding_filter) is not AclBindingFilter:
            raise TypeError(f"Expected an AclBindingFilter, not {acl_binding_filter!r}")
        return self._one(lambda admin, timeout: [binding(row) for row in admin.describe_acls(**acl_binding_filter._item(), timeout=timeout)], kwargs)

    def delete_acls(self, acl_binding_filters: list[AclBindingFilter], **kwargs: Any) -> Futures:
        self._open()
        _options(kwargs)
        if len(set(_rules(acl_binding_filters, AclBindingFilter, "acl_binding_filters"))) != len(acl_binding_filters):
            raise ValueError("the same filter is there twice")
        items = [each._item() for each in acl_binding_filters]
        return self._each("delete_acls", acl_binding_filters, items, lambda row: [binding(each) for each in row.acls], kwargs)

    def describe_user_scram_credentials(self, users: list[str] | None = None, **kwargs: Any) -> Any:
        """A dict of futures; without users, one future with a dict of all."""
        self._open()
        _options(kwargs)

        def described(row: Any) -> UserScramCredentialsDescription:
            infos = [ScramCredentialInfo(_mechanism(each.mechanism), each.iterations) for each in row.credentials or []]
            return UserScramCredentialsDescription(row.user, infos)

        if users is None:
            return self._one(
                lambda admin, timeout: {row.user: described(row) for row in admin.describe_user_scram_credentials(timeout=timeout)}, kwargs
            )
        if not isinstance(users, list):
            raise TypeError(f"Expected users to be a list, got '{type(users).__name__}'")
        return self._each("describe_user_scram_credentials", [_named(each, "a user") for each in users], users, described, kwargs)

    def alter_user_scram_credentials(self, alterations: list[UserScramCredentialAlteration], **kwargs: Any) -> Futures:
        self._open()
        _options(kwargs)
        if not isinstance(alterations, list):
            raise TypeError(f"Expected alterations to be a list, got '{type(alterations).__name__}'")
        if not alterations:
            raise ValueError("Expected at least one alteration")
        items = [_alteration(each) for each in alterations]
        return self._each("alter_user_scram_credentials", [each.user for each in alterations], items, lambda row: None, kwargs)


def _nodes(admin: Any, timeout: float | None) -> dict[int, Node]:
    [cluster] = admin.describe_cluster(timeout=timeout)
    return {each.node: Node(each.node, each.host, each.port, each.rack) for each in cluster.nodes}


def _topic(row: Any, nodes: dict[int, Node]) -> TopicDescription:
    def named(brokers: Any) -> list[Node]:
        return [nodes.get(each.node) or Node(each.node, "", -1) for each in brokers]

    partitions = [TopicPartitionInfo(each.partition, nodes.get(each.leader), named(each.replicas), named(each.isr)) for each in row.partitions or []]
    return TopicDescription(row.topic, row.topic_id, bool(row.internal), partitions)


def _group_requests(requests: Any, *, with_offsets: bool) -> list[ConsumerGroupTopicPartitions]:
    if not isinstance(requests, list):
        raise TypeError(f"Expected a list of ConsumerGroupTopicPartitions, got '{type(requests).__name__}'")
    if len(requests) != 1:
        raise ValueError("Currently we support only a single request for a group")
    for each in requests:
        if not isinstance(each, ConsumerGroupTopicPartitions):
            raise TypeError(f"Expected a ConsumerGroupTopicPartitions, not {each!r}")
        _named(each.group_id, "group_id")
        if each.topic_partitions is None:
            if with_offsets:
                raise ValueError("topic_partitions must be given")
            continue
        if not isinstance(each.topic_partitions, list):
            raise TypeError("topic_partitions must be a list")
        if not each.topic_partitions or None in each.topic_partitions:
            raise ValueError("topic_partitions must not be empty, nor have None in them")
        for item, at in zip(_partitions(each.topic_partitions), each.topic_partitions):
            if with_offsets and at.offset < 0:
                raise ValueError(f"{item}: the offset must not be below 0")
            if not with_offsets and at.offset >= 0:
                raise ValueError(f"{item}: no offset is to be given")
    return requests


def _mechanism(name: str) -> ScramMechanism:
    return ScramMechanism.__members__.get(name.upper().replace("-", "_"), ScramMechanism.UNKNOWN)


def _alteration(each: Any) -> dict[str, Any]:
    if not isinstance(each, UserScramCredentialAlteration):
        raise TypeError(f"Expected a UserScramCredentialAlteration, not {each!r}")
    item: dict[str, Any] = {"user": _named(each.user, "user")}
    if isinstance(each, UserScramCredentialUpsertion):
        info = each.scram_credential_info
        if not isinstance(each.password, bytes) or not isinstance(info, ScramCredentialInfo) or not isinstance(each.salt, (bytes, type(None))):
            raise TypeError("scram_credential_info is a ScramCredentialInfo, password and salt are bytes")
        if not isinstance(info.mechanism, ScramMechanism) or not isinstance(info.iterations, int):
            raise TypeError("mechanism is a ScramMechanism, iterations a number")
        if not each.password or each.salt == b"" or info.iterations <= 0 or info.mechanism is ScramMechanism.UNKNOWN:
            raise ValueError("a password, a mechanism and iterations above 0 are needed")
        item.update(operation="set", mechanism=info.mechanism.name.replace("_", "-"), iterations=info.iterations, password=each.password.decode())
    elif isinstance(each, UserScramCredentialDeletion):
        if not isinstance(each.mechanism, ScramMechanism):
            raise TypeError(f"mechanism is a ScramMechanism, not {each.mechanism!r}")
        item.update(operation="delete", mechanism=each.mechanism.name.replace("_", "-"))
    else:
        raise TypeError("an upsertion or a deletion is needed")
    return item
