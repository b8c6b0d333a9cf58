"""Messages and partitions."""

from __future__ import annotations

from typing import Any

from ... import _kq
from ._errors import KafkaError

OFFSET_BEGINNING = -2
OFFSET_END = -1
OFFSET_STORED = -1000
OFFSET_INVALID = -1001
TIMESTAMP_NOT_AVAILABLE = 0
TIMESTAMP_CREATE_TIME = 1
TIMESTAMP_LOG_APPEND_TIME = 2

Headers = list[tuple[str, bytes | None]]


class TopicPartition:
    """A partition, an offset in it, and what is to be told about it."""

    def __init__(
        self,
        topic: str,
        partition: int = -1,
        offset: int = OFFSET_INVALID,
        metadata: str | None = None,
        leader_epoch: int | None = None,
    ) -> None:
        if not isinstance(topic, str):
            raise TypeError("topic must be a string")
        self.topic, self.partition, self.offset, self.metadata = topic, partition, offset, metadata
        self.leader_epoch = leader_epoch
        self.error: KafkaError | None = None

    def _key(self) -> tuple[str, int]:
        return self.topic, self.partition

    def __eq__(self, other: object) -> bool:
        return isinstance(other, TopicPartition) and self._key() == other._key()

    def __lt__(self, other: TopicPartition) -> bool:
        return self._key() < other._key()

    def __gt__(self, other: TopicPartition) -> bool:
        return self._key() > other._key()

    def __le__(self, other: TopicPartition) -> bool:
        return self._key() <= other._key()

    def __ge__(self, other: TopicPartition) -> bool:
        return self._key() >= other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def __str__(self) -> str:
        return f"{self.topic}[{self.partition}]@{self.offset}"

    def __repr__(self) -> str:
        return f"TopicPartition{{topic={self.topic},partition={self.partition},offset={self.offset},leader_epoch={self.leader_epoch},error={self.error}}}"

    def _kq(self) -> tuple[Any, ...]:
        offset = OFFSET_STORED if self.offset == OFFSET_INVALID else self.offset
        return (self.topic, self.partition, offset, self.metadata, -1 if self.leader_epoch is None else self.leader_epoch)


class Message:
    """A received record, a delivered one, or an error in the place of one."""

    __slots__ = (
        "__dict__", "_delivery_count", "_error", "_headers", "_key", "_latency", "_leader_epoch", "_offset", "_partition", "_timestamp",
        "_topic", "_value",
    )  # fmt: skip

    def __init__(
        self,
        topic: str | None = None,
        partition: int | None = -1,
        offset: int | None = OFFSET_INVALID,
        key: Any = None,
        value: Any = None,
        headers: Headers | None = None,
        error: KafkaError | None = None,
        timestamp: tuple[int, int] | None = None,
        latency: float | None = -1.0,
        leader_epoch: int | None = -1,
        delivery_count: int | None = -1,
    ) -> None:
        self._topic, self._key, self._value, self._headers, self._error = topic, key, value, headers, error
        self._partition = partition if partition is not None and partition >= 0 else None
        self._offset = offset if offset is not None and offset >= 0 else None
        self._timestamp = timestamp or (TIMESTAMP_NOT_AVAILABLE, 0)
        self._latency = latency if latency is not None and latency >= 0 else None
        self._leader_epoch = leader_epoch if leader_epoch is not None and leader_epoch >= 0 else None
        self._delivery_count = delivery_count if delivery_count is not None and delivery_count > 0 else None

    def __getattr__(self, name: str) -> Any:
        if name not in Message.__slots__:
            raise AttributeError(name)
        return 0 if name in ("_partition", "_offset", "_leader_epoch") else None  # made by __new__ alone

    def _all(self) -> tuple[Any, ...]:
        return (
            self._topic, -1 if self._partition is None else self._partition, OFFSET_INVALID if self._offset is None else self._offset,
            self._key, self._value, self._headers, self._error, self._timestamp, -1.0 if self._latency is None else self._latency,
            -1 if self._leader_epoch is None else self._leader_epoch, -1 if self._delivery_count is None else self._delivery_count,
        )  # fmt: skip

    def __reduce__(self) -> tuple[Any, ...]:
        return Message, self._all()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Message) and self._all() == other._all()

    def __hash__(self) -> int:
        return hash((self._topic, self._partition, self._offset))

    def delivery_count(self) -> int | None:
        return self._delivery_count

    def topic(self) -> str | None:
        return self._topic

    def partition(self) -> int | None:
        return self._partition

    def offset(self) -> int | None:
        return self._offset

    def key(self) -> Any:
        return self._key

    def value(self) -> Any:
        return self._value

    def headers(self) -> Headers | None:
        return self._headers

    def error(self) -> KafkaError | None:
        return self._error

    def timestamp(self) -> tuple[int, int]:
        return self._timestamp

    def latency(self) -> float | None:
        return self._latency

    def leader_epoch(self) -> int | None:
        return self._leader_epoch

    def set_topic(self, topic: str) -> None:
        self._topic = topic

    def set_value(self, value: Any) -> None:
        self._value = value

    def set_key(self, key: Any) -> None:
        self._key = key

    def set_headers(self, headers: Headers | None) -> None:
        self._headers = headers

    def set_error(self, error: KafkaError | None) -> None:
        self._error = error

    def __len__(self) -> int:
        return len(self._value) if self._value is not None else 0

    def __bool__(self) -> bool:
        return True


def received(record: _kq.Record) -> Message:
    kind = record.timestamp_type
    return Message(
        record.topic, record.partition, record.offset, record.key, record.value, record.headers or None, None,
        (TIMESTAMP_NOT_AVAILABLE, 0) if kind < 0 else (kind + 1, record.timestamp), -1.0, record.leader_epoch, record.delivery_count,
    )  # fmt: skip
