"""asyncio: the event loop watches libkq's descriptors.  No thread pool, no callback from another thread."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Generator, Iterable
from datetime import datetime
from types import TracebackType
from typing import Any

from . import _kq, _waits
from ._consumer import AnyConsumer, _milliseconds
from ._errors import AbortableError, KqError, TimedOutError
from ._events import Event
from ._partitions import LATEST, Offsets, PartitionLike, TopicPartition
from ._producer import AnyProducer

_ROOM_POLL_SECONDS = 0.005


def awaiting(delivery: _kq.Delivery) -> Generator[Any, None, _kq.Delivery]:
    """`await delivery`; called by the C part."""
    if not delivery.done():
        loop = asyncio.get_running_loop()
        producer = delivery._producer
        if isinstance(producer, AnyProducer):
            producer._watch(loop)
        finished = loop.create_future()
        before = delivery._notify

        def notify(done: _kq.Delivery) -> None:
            if before is not None:
                before(done)
            if not finished.done():
                finished.set_result(None)

        delivery._notify = notify
        yield from finished
    return delivery.wait(0)


class AsyncProducer(AnyProducer):
    """Sends records, for asyncio.

        async with kq.AsyncProducer("localhost:9092") as producer:
            delivery = await producer.send("greetings", b"hello")         # acknowledged
            producer.send("greetings", b"again")                          # on its way; the end of `with` waits for it

    Parameters, defaults and deliveries are Producer's.  It belongs to the event loop that runs when it is first used.
    """

    _waiting = 0
    _order: asyncio.Lock | None = None

    def send(self, topic: str, value: Any = None, key: Any = None, **options: Any) -> Awaitable[_kq.Delivery]:  # type: ignore[override]
        """Sends a record.  What it gives may be awaited: then the record is acknowledged, or its error raised."""
        loop = asyncio.get_running_loop()
        if self._watched is not loop:
            self._watch(loop)
        if not self._waiting:
            delivery = self.try_send(topic, value, key, **options)
            if delivery is not None:
                return delivery
        self._waiting += 1
        return loop.create_task(self._send_later(topic, value, key, options))

    async def _send_later(self, topic: str, value: Any, key: Any, options: dict[str, Any]) -> _kq.Delivery:
        """There was no room, or the topic is not known yet: later, in the order of the calls."""
        if self._order is None:
            self._order = asyncio.Lock()
        try:
            async with self._order:
                deadline = time.monotonic() + self._block_ms / 1000
                while (delivery := self.try_send(topic, value, key, **options)) is None:
                    if time.monotonic() >= deadline:
                        raise TimedOutError(
                            _kq.KQ_ERR_TIMED_OUT, "TIMED_OUT", "no room, or no such topic, within max.block.ms: send again later", topic
                        )
                    await asyncio.sleep(_ROOM_POLL_SECONDS)
        finally:
            self._waiting -= 1
        return await delivery

    async def flush(self, timeout: float | None = None) -> None:
        """Waits until all that was sent has been acknowledged or has failed."""
        if self._waiting and self._order is not None:
            while self._waiting:
                await asyncio.sleep(_ROOM_POLL_SECONDS)
        await _waits.call("flush", self, timeout)
        self._deliver()
        self._raise_lost()

    async def partitions(self, topic: str, timeout: float | None = None) -> int:
        """How many partitions a topic has."""
        return int(await _waits.call("producer_partitions", self, timeout, topic))

    async def begin(self, timeout: float | None = None) -> None:
        """Opens a transaction (with transactional.id set)."""
        await _waits.call("begin", self, timeout)

    async def send_offsets(self, consumer: AnyConsumer, offsets: Offsets = None, timeout: float | None = None) -> None:
        """Commits offsets of the consumer's group as part of the transaction."""
        await _waits.call("send_offsets", self, timeout, consumer._to_commit(offsets), consumer)

    async def commit(self, timeout: float | None = None) -> None:
        """Commits the transaction.  AbortableError: nothing was committed, abort it."""
        await _waits.call("commit", self, timeout)
        self._deliver()

    async def abort(self, timeout: float | None = None) -> None:
        """Aborts the transaction."""
        await _waits.call("abort", self, timeout)
        self._deliver()
        self._take_lost()

    @contextlib.asynccontextmanager
    async def transaction(self, timeout: float | None = None) -> AsyncIterator[AsyncProducer]:
        """`async with producer.transaction():` commits at its end, or aborts when it is left by an exception."""
        await self.begin(timeout)
        try:
            yield self
        except BaseException:
            with contextlib.suppress(KqError):
                await self.abort(timeout)
            raise
        try:
            await self.commit(timeout)
        except AbortableError:
            await self.abort(timeout)
            raise

    async def close(self, timeout: float | None = None) -> None:
        """Flushes, and closes; what is left when the time is over fails.  Closing twice does nothing."""
        if self.closed:
            return
        try:
            await _waits.call("close_producer", self, timeout)
        finally:
            self._unwatch()
            self._release()
            self._ready()
        self._raise_lost()

    async def __aenter__(self) -> AsyncProducer:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        try:
            await self.close()
        except KqError:
            if kind is None:
                raise


class AsyncConsumer(AnyConsumer):
    """Receives records, for asyncio.

        async with kq.AsyncConsumer("localhost:9092", "orders", group="billing") as consumer:
            async for record in consumer:
                ...
                await consumer.commit()

    Parameters and manners are Consumer's.  It joins its group, or looks its topics up, with the first wait for records.
    """

    _begun = False

    async def begin(self) -> None:
        """Subscribes, or assigns, as the constructor was told.  Receiving does so by itself."""
        if self._begun:
            return
        self._begun = True
        if self._topics and self._group is not None:
            self.subscribe(*self._topics)
        elif self._topics:
            partitions: list[PartitionLike] = []
            for topic in self._topics:
                some, when = self._beginning(topic, await self.partitions(topic))
                if when is not None:
                    offsets = await self.offsets_at(when, some)
                    some = [(topic, at, offset if offset >= 0 else LATEST) for at, offset in enumerate(offsets)]
                partitions += some
            self.assign(partitions)

    async def poll(self, timeout: float | None = None) -> _kq.Batch | Event | None:
        """A Batch of records, an Event, or None where there was nothing within the time."""
        await self.begin()
        return await _waits.received(self, timeout)

    async def batches(self, timeout: float | None = None) -> AsyncIterator[_kq.Batch]:
        """Batches as they come; ends when there was none for `timeout` seconds."""
        while not self.closed:
            got = await self.poll(timeout)
            if isinstance(got, _kq.Batch):
                yield got
                await asyncio.sleep(0)  # others have their turn, also where records are always there
            elif got is None:
                return
            else:
                self._tell(got)

    async def records(self, timeout: float | None = None) -> AsyncIterator[_kq.Record]:
        """Records as they come; ends when there was none for `timeout` seconds."""
        async for batch in self.batches(timeout):
            for record in self._open(batch):
                yield record

    def __aiter__(self) -> AsyncIterator[_kq.Record]:
        return self.records()

    async def commit(self, offsets: Offsets = None, timeout: float | None = None) -> None:
        """Commits, and waits for the answer: after a record, after a batch, a list of (topic, partition, offset), or all handed out."""
        await _waits.call("commit_offsets", self, timeout, self._to_commit(offsets))

    async def committed(self, partitions: Iterable[PartitionLike] = (), timeout: float | None = None) -> list[TopicPartition]:
        """What the group has committed of these partitions, or of all that is assigned; offset -1: nothing."""
        result = []
        for row, error in await _waits.call("committed", self, timeout, list(partitions)):
            if error is not None:
                raise error
            result.append(
                TopicPartition(row["topic"], row["partition"], row["offset"], row.get("metadata"), row.get("leader_epoch", -1))
            )
        return result

    async def offsets_at(self, when: datetime | int, partitions: Iterable[PartitionLike], timeout: float | None = None) -> list[int]:
        """The first offset at or after a time of each partition; -1: none."""
        return list(await _waits.call("offsets_at", self, timeout, list(partitions), _milliseconds(when)))

    async def partitions(self, topic: str, timeout: float | None = None) -> int:
        """How many partitions a topic has."""
        return int(await _waits.call("consumer_partitions", self, timeout, topic))

    async def close(self, timeout: float | None = None) -> None:
        """Commits what auto-commit would, leaves the group, and closes.  Closing twice does nothing."""
        if self.closed:
            return
        try:
            await _waits.call("close_consumer", self, timeout)
        finally:
            self._release()

    async def __aenter__(self) -> AsyncConsumer:
        await self.begin()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        try:
            await self.close()
        except KqError:
            if kind is None:
                raise
