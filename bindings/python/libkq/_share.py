"""Share groups: records, not partitions, are shared (KIP-932)."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Iterator
from types import TracebackType
from typing import Any, Literal

from . import _exit, _kq, _waits
from ._config import Config, Servers, Value, logged, settings
from ._errors import KqError
from ._events import Event

Acknowledge = Literal["accept", "release", "reject", "renew"]
_CODES = {"accept": 1, "release": 2, "reject": 3, "renew": 4}


class AnyShareConsumer(_kq.ShareConsumer):
    """What both share consumers are."""

    def __init__(
        self,
        servers: Servers = None,
        *topics: str,
        group: str | None = None,
        config: Config | None = None,
        key: Callable[[bytes], Any] | None = None,
        value: Callable[[bytes], Any] | None = None,
        log: logging.Logger | None = None,
        **options: Value | None,
    ) -> None:
        given = settings(servers, config, options)
        if group is not None:
            given["group.id"] = group
        super().__init__(logged(given, log), key, value)
        _exit.remember(self)
        if topics:
            self.subscribe(*topics)

    def subscribe(self, *topics: str) -> None:
        """Joins the group with these topics."""
        _kq.share_consumer_subscribe(self, list(topics))

    def unsubscribe(self) -> None:
        """Leaves the group; records that are held can still be acknowledged."""
        _kq.share_consumer_unsubscribe(self)

    def acknowledge(self, what: _kq.Record | _kq.Batch, how: Acknowledge = "accept") -> None:
        """Says what became of a record, or of those of a batch that nothing was said of yet.  Sent by the next poll or commit."""
        if how not in _CODES:
            raise ValueError(f"a record is acknowledged by {', '.join(_CODES)}, not {how!r}")
        if isinstance(what, _kq.Batch):
            _kq.share_consumer_acknowledge(self, what, 0, len(what), _CODES[how])
        elif isinstance(what, _kq.Record):
            _kq.share_consumer_acknowledge_at(self, what.topic, what.partition, what.offset, _CODES[how])
        else:
            raise TypeError(f"a Record or a Batch is acknowledged, not {what!r}")

    @property
    def lock_timeout(self) -> float:
        """Seconds for which a record is locked for its member; 0: no record has come yet."""
        return max(0, _kq.share_consumer_lock_timeout_ms(self)) / 1000

    def fileno(self) -> int:
        """Readable while there is something to receive.  libkq's own: only wait on it."""
        return _kq.share_consumer_fd(self)

    def _close_at_exit(self, seconds: float) -> None:
        if not self.closed:
            try:
                _kq.call("close_share", self, seconds)
            finally:
                self._release()

    def __del__(self) -> None:
        _exit.drop(self)


class ShareConsumer(AnyShareConsumer):
    """Takes records that the members of a share group divide among them, one by one, as from a queue.

        with kq.ShareConsumer(servers, "jobs", group="workers", share_acknowledgement_mode="explicit") as consumer:
            for record in consumer:
                consumer.acknowledge(record, "accept" if work(record) else "release")

    A record is locked for its member until it is acknowledged: accepted (done), released (it comes again, to any member), rejected (it comes
    no more) or renewed (it takes longer).  In implicit mode, the default, what poll gave is accepted by the next poll or by commit.  A new
    group begins where its share.auto.offset.reset says, which is the end unless an administrator sets it:
    `admin.alter_configs(resource_type="group", resource="workers", config="share.auto.offset.reset", value="earliest")`.
    """

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

    def records(self, timeout: float | None = None) -> Iterator[_kq.Record]:
        """Records as they come; ends when there was none for `timeout` seconds."""
        for batch in self.batches(timeout):
            yield from batch

    def __iter__(self) -> Iterator[_kq.Record]:
        return self.records()

    def commit(self, timeout: float | None = None) -> None:
        """Sends what was acknowledged, and waits for the answers."""
        _raise_first(_kq.call("share_commit", self, timeout))

    def close(self, timeout: float | None = None) -> None:
        """Sends what was acknowledged, releases what was not, and leaves the group.  Closing twice does nothing."""
        if self.closed:
            return
        try:
            _kq.call("close_share", self, timeout)
        finally:
            self._release()

    def __enter__(self) -> ShareConsumer:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        try:
            self.close()
        except KqError:
            if kind is None:
                raise


class AsyncShareConsumer(AnyShareConsumer):
    """The same for asyncio.

        async with kq.AsyncShareConsumer(servers, "jobs", group="workers", share_acknowledgement_mode="explicit") as consumer:
            async for record in consumer:
                consumer.acknowledge(record, "accept" if await work(record) else "release")
    """

    async def poll(self, timeout: float | None = None) -> _kq.Batch | Event | None:
        """A Batch of records, an Event, or None where there was nothing within the time."""
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

    async def records(self, timeout: float | None = None) -> AsyncIterator[_kq.Record]:
        """Records as they come; ends when there was none for `timeout` seconds."""
        async for batch in self.batches(timeout):
            for record in batch:
                yield record

    def __aiter__(self) -> AsyncIterator[_kq.Record]:
        return self.records()

    async def commit(self, timeout: float | None = None) -> None:
        """Sends what was acknowledged, and waits for the answers."""
        _raise_first(await _waits.call("share_commit", self, timeout))

    async def close(self, timeout: float | None = None) -> None:
        """Sends what was acknowledged, releases what was not, and leaves the group.  Closing twice does nothing."""
        if self.closed:
            return
        try:
            await _waits.call("close_share", self, timeout)
        finally:
            self._release()

    async def __aenter__(self) -> AsyncShareConsumer:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        try:
            await self.close()
        except KqError:
            if kind is None:
                raise


def _raise_first(rows: list[tuple[dict[str, Any], KqError | None]]) -> None:
    for _, error in rows or ():
        if error is not None:
            raise error
