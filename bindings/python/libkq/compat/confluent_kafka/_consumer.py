"""Consumer, as confluent_kafka has it."""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from ... import _kq
from ..._consumer import Consumer as KqConsumer
from ..._errors import ClosedError, KqError
from ..._events import Assigned, Committed, EndOfPartition, Event, Lost, Revoked
from . import _cluster
from ._callbacks import Callbacks
from ._conf import split
from ._errors import KafkaError, KafkaException, from_kq
from ._model import OFFSET_INVALID, OFFSET_STORED, TIMESTAMP_NOT_AVAILABLE, Message, TopicPartition, received

_CLOSE_SECONDS = 5.0
_SLICE_SECONDS = 0.1
OnPartitions = Callable[["Consumer", list[TopicPartition]], object]


class Consumer:
    """Messages, errors and rebalances come out of poll and consume; callbacks are called there."""

    def __init__(self, *args: Mapping[str, Any], **kwargs: Any) -> None:
        if len(args) > 1 or (args and not isinstance(args[0], Mapping)) or (not args and not kwargs):
            raise TypeError("expected configuration dict")
        self._told, self._callbacks = split(dict(args[0]) if args else {}, kwargs)
        if "group.id" not in self._told:
            raise ValueError("Failed to create consumer: group.id must be set")
        self._eof = str(self._told.get("enable.partition.eof", "false")).lower() == "true"
        self._callback = Callbacks("consumer", self._callbacks, self._told)
        try:
            self._kq: KqConsumer = KqConsumer(config=self._told)
        except KqError as error:
            self._callback.close()
            raise KafkaException(from_kq(error)) from None
        self._records: Iterator[_kq.Record] | None = None
        self._messages: list[Message] = []
        self._on: dict[str, OnPartitions] = {}
        self._calling: str | None = None

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") and not name.startswith("__") and "_kq" not in self.__dict__:
            raise RuntimeError("Consumer closed")  # __init__ of this class was never called
        raise AttributeError(name)

    def _do(self, function: Callable[..., Any], *arguments: Any) -> Any:
        try:
            return function(*arguments)
        except ClosedError:
            raise RuntimeError("Consumer closed") from None
        except KqError as error:
            raise KafkaException(from_kq(error)) from None

    # -- what is read

    def subscribe(
        self,
        topics: list[str],
        on_assign: OnPartitions | None = None,
        on_revoke: OnPartitions | None = None,
        on_lost: OnPartitions | None = None,
        **unused: Any,
    ) -> None:
        if not isinstance(topics, list):
            raise TypeError("expected list of topic unicode strings")
        for name, callback in (("on_assign", on_assign), ("on_revoke", on_revoke), ("on_lost", on_lost)):
            if callback is not None and not callable(callback):
                raise TypeError(f"{name} expects a callable")
        self._on = {name: each for name, each in (("assign", on_assign), ("revoke", on_revoke), ("lost", on_lost)) if each is not None}
        patterns = [topic for topic in topics if topic.startswith("^")]
        if not patterns:
            self._do(self._kq.subscribe, *topics)
            return
        whole = "|".join(f"(?:{each[1:].rstrip('$')}{'' if each.endswith('$') else '.*'})" if each in patterns else re.escape(each) for each in topics)
        self._do(self._kq.subscribe, re.compile(whole))

    def unsubscribe(self) -> None:
        self._do(self._kq.unsubscribe)

    def assign(self, partitions: list[TopicPartition]) -> None:
        if not isinstance(partitions, list):
            raise TypeError("partitions must be a list")
        if self._calling == "assign":
            self._seek_all(partitions)  # they are assigned already; what the callback may say is where to begin
        elif self._calling is None:
            self._records = None
            self._do(self._kq.assign, [each._kq() for each in partitions])

    def incremental_assign(self, partitions: list[TopicPartition]) -> None:
        if self._calling == "assign":
            self._seek_all(partitions)
            return
        added = {each._key() for each in partitions}
        kept = [(each.topic, each.partition) for each in self._kq.assignment() if (each.topic, each.partition) not in added]
        self._do(self._kq.assign, [*kept, *(each._kq() for each in partitions)])

    def incremental_unassign(self, partitions: list[TopicPartition]) -> None:
        if self._calling is None:
            gone = {each._key() for each in partitions}
            kept = [(each.topic, each.partition) for each in self._kq.assignment() if (each.topic, each.partition) not in gone]
            self._do(self._kq.assign, kept)

    def unassign(self) -> None:
        if self._calling is None:
            self._do(self._kq.assign, [])

    def _seek_all(self, partitions: list[TopicPartition]) -> None:
        for each in partitions:
            if each.offset not in (OFFSET_INVALID, OFFSET_STORED):
                self._do(self._kq.seek, each.topic, each.partition, each.offset)

    def assignment(self) -> list[TopicPartition]:
        return [TopicPartition(each.topic, each.partition) for each in self._do(self._kq.assignment)]

    def seek(self, partition: TopicPartition) -> None:
        self._do(self._kq.seek, partition.topic, partition.partition, partition.offset)
        if self._records is not None and self._kq._at() is None:
            self._records = None

    def pause(self, partitions: list[TopicPartition]) -> None:
        for each in partitions:
            self._do(self._kq.pause, each.topic, each.partition)

    def resume(self, partitions: list[TopicPartition]) -> None:
        for each in partitions:
            self._do(self._kq.resume, each.topic, each.partition)

    # -- reading

    def poll(self, timeout: float | None = None) -> Message | None:
        """A message, or None where there was none within the time.  Without one it waits as long as it takes."""
        limit = None if timeout is None or timeout < 0 else time.monotonic() + timeout
        sliced = self._callback.wanted
        while True:
            if self._messages:
                return self._messages.pop(0)
            if self._records is not None:
                record = next(self._records, None)
                if record is not None:
                    return received(record)
                self._records = None
            left = None if limit is None else max(0.0, limit - time.monotonic())
            try:
                if sliced:
                    self._callback.serve(self._kq.statistics)
                    left = _SLICE_SECONDS if left is None else min(left, _SLICE_SECONDS)
                got = self._kq.poll(left)
            except ClosedError:
                raise RuntimeError("Consumer closed") from None
            except KqError as error:
                return self._error_message(error)
            if isinstance(got, _kq.Batch):
                self._records = self._kq._open(got)
            elif got is not None:
                self._event(got)
                del got
            elif limit is not None and time.monotonic() >= limit:
                self._callback.serve(self._kq.statistics)
                return None

    def _error_message(self, error: KqError) -> Message:
        told = from_kq(error)
        if "error_cb" in self._callbacks and error.topic is None:
            self._callbacks["error_cb"](told)
        return Message(error.topic, error.partition, value=told.str().encode(), error=told, timestamp=(TIMESTAMP_NOT_AVAILABLE, -1))

    def _event(self, event: Event) -> None:
        if isinstance(event, EndOfPartition):
            for topic, partition, offset, *_ in event.partitions:
                eof = KafkaError(-191, "Broker: No more messages")
                self._messages.append(Message(topic, partition, offset, error=eof))
            return
        partitions = [TopicPartition(each.topic, each.partition) for each in event.partitions]
        if isinstance(event, Committed):
            for told, each in zip(partitions, event.partitions):
                told.offset = each.offset
            callback = self._callbacks.get("on_commit")
            if callback is not None:
                callback(from_kq(event.error) if event.error else None, partitions)
            return
        name = {Assigned: "assign", Revoked: "revoke", Lost: "lost"}.get(type(event), "")
        on = self._on.get(name) or (self._on.get("revoke") if name == "lost" else None)
        if on is None:
            return
        self._calling = name
        try:
            on(self, partitions)
        finally:
            self._calling = None
            if isinstance(event, Revoked) and not self._kq.closed:
                event.release()

    def consume(self, num_messages: int = 1, timeout: float = -1) -> list[Message]:
        """Up to so many messages, or what came within the time."""
        if not 0 <= num_messages <= 1_000_000:
            raise ValueError("num_messages must be between 0 and 1000000 (1M)")
        limit = None if timeout is None or timeout < 0 else time.monotonic() + timeout
        messages: list[Message] = []
        while len(messages) < num_messages:
            message = self.poll(None if limit is None else max(0.0, limit - time.monotonic()))
            if message is None:
                break
            messages.append(message)
            if self._records is not None:
                for record in self._records:
                    messages.append(received(record))
                    if len(messages) >= num_messages:
                        break
        return messages

    def __iter__(self) -> Consumer:
        return self

    def __next__(self) -> Message:
        message = None
        while message is None:
            message = self.poll()
        return message

    # -- offsets

    def commit(
        self, message: Message | None = None, offsets: list[TopicPartition] | None = None, asynchronous: bool = True
    ) -> list[TopicPartition] | None:
        if message is not None and offsets is not None:
            raise ValueError("message and offsets are mutually exclusive")
        if message is not None:
            if message.error():
                raise KafkaException(message.error())
            offsets = [self._after(message)]
        if self._kq.closed:
            raise RuntimeError("Consumer closed")
        wanted = [each._kq() for each in offsets if each.offset >= 0] if offsets is not None else self._kq._to_commit(None)
        stored = str(self._told.get("enable.auto.offset.store", "true")).lower() == "false"
        none = offsets is None and not stored and not any(each.position >= 0 for each in self._do(self._kq.assignment))
        if not wanted and (offsets is not None or none):
            if asynchronous:
                return None
            raise KafkaException(KafkaError(-168, "Commit failed: Local: No offset stored"))
        if asynchronous:
            self._do(_kq.consumer_commit_async, self._kq, wanted, 0)
            return None
        self._do(_kq.call, "commit_offsets", self._kq, None, wanted)
        if wanted:
            return [TopicPartition(*each[:3]) for each in wanted]
        return [each for each in self.position(self.assignment()) if each.offset >= 0]

    @staticmethod
    def _after(message: Message) -> TopicPartition:
        offset = message.offset()
        return TopicPartition(
            message.topic() or "", message.partition() or 0, -1 if offset is None else offset + 1, None, message.leader_epoch()
        )

    def store_offsets(self, message: Message | None = None, offsets: list[TopicPartition] | None = None) -> None:
        if self._kq.closed:
            raise RuntimeError("Consumer closed")
        if message is not None and offsets is not None:
            raise ValueError("message and offsets are mutually exclusive")
        if message is None and offsets is None:
            raise ValueError("expected either message or offsets")
        wanted = [self._after(message)] if message is not None else offsets or []
        self._do(_kq.consumer_store, self._kq, [each._kq() for each in wanted if each.offset >= 0])

    def committed(self, partitions: list[TopicPartition], timeout: float | None = None) -> list[TopicPartition]:
        asked = [(each.topic, each.partition) for each in partitions]
        result = []
        for row, error in self._do(_kq.call, "committed", self._kq, _cluster.seconds(timeout), asked):
            each = TopicPartition(row["topic"], row["partition"], row.get("offset", -1), row.get("metadata"), row.get("leader_epoch"))
            if each.offset < 0:
                each.offset, each.leader_epoch = OFFSET_INVALID, None
            each.error = from_kq(error) if error else None
            result.append(each)
        return result

    def position(self, partitions: list[TopicPartition]) -> list[TopicPartition]:
        handed = {(each[0], each[1]): each[2] for each in self._kq._to_commit(None) if len(each) > 2}
        result = []
        for each in partitions:
            offset = handed.get(each._key())
            if offset is None:
                offset = self._do(self._kq.position, each.topic, each.partition)
            result.append(TopicPartition(each.topic, each.partition, offset if offset >= 0 else OFFSET_INVALID))
        return result

    def get_watermark_offsets(
        self, partition: TopicPartition, timeout: float | None = None, cached: bool = False
    ) -> tuple[int, int] | None:
        at = [partition._kq()[:2]]
        if cached:
            known = {(each.topic, each.partition): each.end_offset for each in self._do(self._kq.assignment)}
            return OFFSET_INVALID, max(known.get(at[0], -1), -1) if known.get(at[0], -1) >= 0 else OFFSET_INVALID
        low = self._do(self._kq.offsets_at, -2, at, _cluster.seconds(timeout))[0]
        high = self._do(self._kq.offsets_at, -1, at, _cluster.seconds(timeout))[0]
        return low, high

    def offsets_for_times(self, partitions: list[TopicPartition], timeout: float | None = None) -> list[TopicPartition]:
        result = []
        for each in partitions:
            [offset] = self._do(self._kq.offsets_at, each.offset, [each._kq()[:2]], _cluster.seconds(timeout))
            result.append(TopicPartition(each.topic, each.partition, offset))
        return result

    # -- the rest

    def list_topics(self, topic: str | None = None, timeout: float = -1) -> _cluster.ClusterMetadata:
        if "_kq" not in self.__dict__ or self._kq.closed:
            raise RuntimeError("Handle has been closed")
        return _cluster.metadata(self._told, topic, timeout)

    def consumer_group_metadata(self) -> KqConsumer:
        """For send_offsets_to_transaction alone, which asks the consumer then."""
        if self._kq.closed:
            raise RuntimeError("Consumer closed")
        return self._kq

    def close(self) -> None:
        if "_kq" not in self.__dict__ or self._kq.closed:
            return
        self._records = None
        if "revoke" in self._on and self._kq.assignment():
            partitions = self.assignment()
            self._calling = "revoke"
            try:
                self._on["revoke"](self, partitions)
            finally:
                self._calling = None
        with contextlib.suppress(KqError):  # what could not be committed, with nobody there
            self._kq.close(_CLOSE_SECONDS)
        self._callback.close()

    def __enter__(self) -> Consumer:
        return self

    def __exit__(self, *unused: object) -> None:
        if not self._kq.closed:
            self.close()
