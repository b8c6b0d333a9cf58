"""Consumers: the one that waits, and what the asyncio one shares with it."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from types import TracebackType
from typing import Any, Union

from . import _exit, _kq
from ._config import Config, Servers, Value, logged, settings
from ._errors import KqError
from ._events import Event
from ._partitions import DEFAULT, EARLIEST, LATEST, Assignment, Offsets, PartitionLike, TopicPartition, after, to_commit
from ._rows import statistics

Start = Union[str, int, datetime, None]
OnEvent = Callable[[Event], object]


def _milliseconds(when: datetime | int) -> int:
    return round(when.timestamp() * 1000) if isinstance(when, datetime) else when


class AnyConsumer(_kq.Consumer):
    """What both consumers are."""

    def __init__(
        self,
        servers: Servers = None,
        *topics: str,
        group: str | None = None,
        start: Start = None,
        config: Config | None = None,
        key: Callable[[bytes], Any] | None = None,
        value: Callable[[bytes], Any] | None = None,
        on_event: OnEvent | None = None,
        log: logging.Logger | None = None,
        **options: Value | None,
    ) -> None:
        given = settings(servers, config, options)
        if group is not None:
            given["group.id"] = group
            if start in ("earliest", "latest"):
                given["auto.offset.reset"] = str(start)
            elif start is not None:
                raise ValueError("in a group, start is \"earliest\" or \"latest\": where to begin what the group has not committed yet")
        self.on_event = on_event
        self._group = given.get("group.id")
        super().__init__(logged(given, log), key, value)
        _exit.remember(self)
        self._topics, self._start = topics, start

    def _tell(self, event: Event) -> None:
        """What iteration comes across besides records."""
        if self.on_event is not None:
            self.on_event(event)

    def assign(self, partitions: Iterable[PartitionLike]) -> None:
        """Reads exactly these from now on, each at its offset (a number, EARLIEST or LATEST), or where it was."""
        _kq.consumer_assign(self, list(partitions))
        self._drop()

    def subscribe(self, *topics: str | re.Pattern[str]) -> None:
        """Joins the group with these topics, or with all that match one pattern: subscribe(re.compile("orders-.*"))."""
        if len(topics) == 1 and isinstance(topics[0], re.Pattern):
            _kq.consumer_subscribe_pattern(self, topics[0].pattern)
        else:
            _kq.consumer_subscribe(self, list(topics))

    def unsubscribe(self) -> None:
        """Leaves the group: what was assigned is revoked."""
        _kq.consumer_unsubscribe(self)

    def seek(self, topic: str, partition: int, offset: int) -> None:
        """Goes on at another offset, or at EARLIEST or LATEST.  In the middle of an iteration, what it has not handed out is dropped
        where it is of this partition, and goes on else."""
        _kq.consumer_seek(self, topic, partition, offset)
        at = self._at()
        if at is not None:
            left = [record for record in list(at[0])[at[1] :] if (record.topic, record.partition) != (topic, partition)]
            for other in {(record.topic, record.partition): record for record in reversed(left)}.values():
                _kq.consumer_seek(self, other.topic, other.partition, other.offset)
            self._drop()

    def pause(self, topic: str, partition: int) -> None:
        """The partition stays assigned, and nothing of it is received."""
        _kq.consumer_pause(self, topic, partition)

    def resume(self, topic: str, partition: int) -> None:
        _kq.consumer_resume(self, topic, partition)

    def position(self, topic: str, partition: int) -> int:
        """The offset of the next record that will be received."""
        return _kq.consumer_position(self, topic, partition)

    def assignment(self) -> list[Assignment]:
        """All that is assigned, and how far reading has come."""
        return [
            Assignment(
                row["topic"], row["partition"], row["position"], row.get("end_offset", -1), row.get("lag", -1), bool(row.get("paused"))
            )
            for row, _ in _kq.consumer_assignment(self)
        ]

    def statistics(self) -> dict[str, Any]:
        """What it has done since it was made: bytes, lag and requests, in all, by broker and by partition."""
        return statistics("consumer_statistics", self)

    def commit_async(self, offsets: Offsets = None, tag: int = 0) -> None:
        """Commits without waiting; the outcome is a Committed event with this tag."""
        _kq.consumer_commit_async(self, self._to_commit(offsets), tag)

    def store(self, offsets: Offsets) -> None:
        """Has auto-commit commit these offsets next (with enable.auto.offset.store=false)."""
        _kq.consumer_store(self, to_commit(offsets) or [])

    def release(self, batch: _kq.Batch) -> None:
        """Done with a batch: it may be committed without waiting for the next poll."""
        _kq.consumer_release(self, batch)

    def fileno(self) -> int:
        """Readable while there is something to receive.  libkq's own: only wait on it."""
        return _kq.consumer_fd(self)

    def _to_commit(self, offsets: Offsets) -> list[PartitionLike]:
        """libkq counts a batch as handed out; an iteration in the middle of it has handed out less."""
        at = self._at()
        if offsets is not None or at is None:
            return to_commit(offsets) or []
        records = list(at[0])
        held_back = {(record.topic, record.partition): record for record in reversed(records[at[1] :])}
        result: dict[tuple[str, int], PartitionLike] = {
            (each.topic, each.partition): TopicPartition(each.topic, each.partition, each.position)
            for each in self.assignment()
            if each.position >= 0
        }
        done = after(records[: at[1]])
        for where in result:
            if where in done:
                result[where] = done[where]
            elif where in held_back:
                result[where] = TopicPartition(*where, held_back[where].offset)
        return list(result.values())

    def _beginning(self, topic: str, count: int) -> tuple[list[PartitionLike], int | None]:
        """Without a group: all partitions of a topic; and the time to begin at, if it is one."""
        start = self._start
        if isinstance(start, datetime):
            return [TopicPartition(topic, partition) for partition in range(count)], _milliseconds(start)
        offset = {None: EARLIEST, "earliest": EARLIEST, "latest": LATEST}.get(start, start)  # type: ignore[arg-type]
        if not isinstance(offset, int):
            raise ValueError(f'start is "earliest", "latest", an offset or a datetime, not {start!r}')
        return [TopicPartition(topic, partition, offset) for partition in range(count)], None

    def _close_at_exit(self, seconds: float) -> None:
        if not self.closed:
            try:
                _kq.call("close_consumer", self, seconds)
            finally:
                self._release()

    def __del__(self) -> None:
        _exit.drop(self)


class Consumer(AnyConsumer):
    """Receives records.

        for record in kq.Consumer("localhost:9092", "greetings"):             # all there is, then what comes
            print(record.key, record.value)

        for record in kq.Consumer("localhost:9092", "orders", group="billing"): ...   # shared with the group's other members

    Without a group it reads all partitions of the topics, from `start`: "earliest" (so it is unless told otherwise), "latest", an offset
    or a datetime.  In a group it goes on where the group has committed; `start` says where, if it has not.  `key` and `value` are functions
    that make something of the bytes, such as json.loads, when a record is asked for them.  Settings have Kafka's names:
    `enable_auto_commit=False`, or `config={"enable.auto.commit": False}`.

    Three ways to receive, from the simplest to the quickest: `for record in consumer`, `for batch in consumer.batches()`, and `poll`, which
    also gives rebalances and other events; the first two tell events to `on_event`, if there is one.  Auto-commit commits what was handed out
    before the last batch: after a crash, records may come again, none is skipped.
    """

    def __init__(
        self,
        servers: Servers = None,
        *topics: str,
        group: str | None = None,
        start: Start = None,
        config: Config | None = None,
        key: Callable[[bytes], Any] | None = None,
        value: Callable[[bytes], Any] | None = None,
        on_event: OnEvent | None = None,
        log: logging.Logger | None = None,
        **options: Value | None,
    ) -> None:
        super().__init__(
            servers, *topics, group=group, start=start, config=config, key=key, value=value, on_event=on_event, log=log, **options
        )
        try:
            if topics and self._group is not None:
                self.subscribe(*topics)
            elif topics:
                self._read_all(topics)
        except BaseException:
            self.close(0)
            raise

    def _read_all(self, topics: tuple[str, ...]) -> None:
        partitions: list[PartitionLike] = []
        for topic in topics:
            some, when = self._beginning(topic, self.partitions(topic))
            if when is not None:
                offsets = self.offsets_at(when, some)
                some = [(topic, at, offset if offset >= 0 else LATEST) for at, offset in enumerate(offsets)]
            partitions += some
        self.assign(partitions)

    def poll(self, timeout: float | None = None) -> _kq.Batch | Event | None:
        """A Batch of records, an Event, or None where there was nothing within the time."""
        return self._receive(timeout)

    def batches(self, timeout: float | None = None) -> Iterator[_kq.Batch]:
        """Batches as they come; ends when there was none for `timeout` seconds."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while not self.closed:
            got = self._receive(None if deadline is None else max(0.0, deadline - time.monotonic()))
            if isinstance(got, _kq.Batch):
                yield got
                deadline = None if timeout is None else time.monotonic() + timeout
            elif got is None:
                return
            else:
                self._tell(got)

    def records(self, timeout: float | None = None) -> Iterator[_kq.Record]:
        """Records as they come; ends when there was none for `timeout` seconds."""
        for batch in self.batches(timeout):
            yield from self._open(batch)

    def commit(self, offsets: Offsets = None, timeout: float | None = None) -> None:
        """Commits, and waits for the answer: the offsets after a record, after a batch, a list of (topic, partition, offset); or without any,
        after all records that were handed out."""
        _kq.call("commit_offsets", self, timeout, self._to_commit(offsets))

    def committed(self, partitions: Iterable[PartitionLike] = (), timeout: float | None = None) -> list[TopicPartition]:
        """What the group has committed of these partitions, or of all that is assigned; offset -1: nothing."""
        result = []
        for row, error in _kq.call("committed", self, timeout, list(partitions)):
            if error is not None:
                raise error
            result.append(
                TopicPartition(row["topic"], row["partition"], row["offset"], row.get("metadata"), row.get("leader_epoch", -1))
            )
        return result

    def offsets_at(self, when: datetime | int, partitions: Iterable[PartitionLike], timeout: float | None = None) -> list[int]:
        """The first offset at or after a time (milliseconds since 1970, a datetime, EARLIEST, LATEST) of each partition; -1: none."""
        return list(_kq.call("offsets_at", self, timeout, list(partitions), _milliseconds(when)))

    def partitions(self, topic: str, timeout: float | None = None) -> int:
        """How many partitions a topic has."""
        return int(_kq.call("consumer_partitions", self, timeout, topic))

    def close(self, timeout: float | None = None) -> None:
        """Commits what auto-commit would, leaves the group, and closes.  Closing twice does nothing."""
        if self.closed:
            return
        try:
            _kq.call("close_consumer", self, timeout)
        finally:
            self._release()

    def __enter__(self) -> Consumer:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        try:
            self.close()
        except KqError:
            if kind is None:
                raise


__all__ = ["DEFAULT", "AnyConsumer", "Consumer"]
