"""Producers: the one that waits, and what the asyncio one shares with it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Any

from . import _exit, _kq
from ._config import Config, Servers, Value, logged, milliseconds, settings
from ._consumer import AnyConsumer
from ._errors import AbortableError, KqError
from ._partitions import Offsets
from ._rows import statistics

# libkq waits so long at most within a send; the rest of max.block.ms is counted outside, where Ctrl-C works.
_BLOCK_SLICE_MS = 100


class AnyProducer(_kq.Producer):
    """What both producers are."""

    _watched: asyncio.AbstractEventLoop | None = None

    def __init__(
        self,
        servers: Servers = None,
        *,
        config: Config | None = None,
        key: Callable[[Any], object] | None = None,
        value: Callable[[Any], object] | None = None,
        log: logging.Logger | None = None,
        **options: Value | None,
    ) -> None:
        given = settings(servers, config, options)
        self._block_ms = milliseconds(given, "max.block.ms", 60_000)
        if str(given.get("max.block.ms", "0")).isdecimal():
            given["max.block.ms"] = min(self._block_ms, _BLOCK_SLICE_MS)
        super().__init__(logged(given, log), key, value, self._block_ms)
        _exit.remember(self)

    @property
    def pending(self) -> int:
        """Records sent and neither acknowledged nor failed yet."""
        return _kq.producer_pending(self)

    def statistics(self) -> dict[str, Any]:
        """What it has done since it was made: records, bytes, retries and latencies, in all, by broker and by partition."""
        return statistics("producer_statistics", self)

    def purge(self) -> None:
        """Gives up what has not been sent yet: its deliveries fail.  What is on its way to a broker goes on."""
        _kq.producer_purge(self)

    def fileno(self) -> int:
        """Readable while there are deliveries.  libkq's own: only wait on it."""
        return _kq.producer_fd(self)

    def _ready(self) -> None:
        raised: BaseException | None = None
        for delivery in self._take_ready():
            notify, delivery._notify = delivery._notify, None
            if notify is not None:
                try:
                    notify(delivery)
                except BaseException as error:  # the others are told all the same
                    raised = raised or error
        if raised is not None:
            raise raised

    def _raise_lost(self) -> None:
        error, count = self._take_lost()
        if error is not None:
            if count > 1:
                error.message += f" (and {count - 1} more)"
            raise error

    def _watch(self, loop: asyncio.AbstractEventLoop) -> None:
        """Deliveries are taken as they come, by this event loop."""
        if self._watched is not loop:
            self._unwatch()
            loop.add_reader(self.fileno(), self._deliver)
            self._watched = loop

    def _unwatch(self) -> None:
        loop, self._watched = self._watched, None
        if loop is not None and not loop.is_closed() and not self.closed:
            loop.remove_reader(self.fileno())

    def _deliver(self) -> None:
        self._poll(0)
        self._ready()

    def _close_at_exit(self, seconds: float) -> None:
        if not self.closed:
            try:
                _kq.call("close_producer", self, seconds)
            finally:
                self._watched = None
                self._release()
                self._ready()

    def __del__(self) -> None:
        _exit.drop(self)


class Producer(AnyProducer):
    """Sends records.

        with kq.Producer("localhost:9092") as producer:
            producer.send("greetings", b"hello", key="en").wait()

    Safe by default: idempotent, acks=all, tried again until delivery.timeout.ms, a key always in the partition where Java puts it.  All
    threads may share one.  `key` and `value` are functions that make bytes (or strings) of what is sent, such as json.dumps.  Settings
    have Kafka's names: `linger_ms=5`, or `config={"linger.ms": 5}`, or `config="client.properties"`.

    A failure is told by the record's Delivery; of those that nobody kept, by flush, close and the end of `with`.
    """

    def poll(self, timeout: float | None = 0) -> None:
        """Takes deliveries that have come.  Needed by nobody who waits for deliveries, flushes or goes on sending."""
        self._poll(timeout)
        self._ready()

    def flush(self, timeout: float | None = None) -> None:
        """Waits until all that was sent has been acknowledged or has failed."""
        _kq.call("flush", self, timeout)
        self._poll(0)
        self._ready()
        self._raise_lost()

    def partitions(self, topic: str, timeout: float | None = None) -> int:
        """How many partitions a topic has."""
        return int(_kq.call("producer_partitions", self, timeout, topic))

    def begin(self, timeout: float | None = None) -> None:
        """Opens a transaction (with transactional.id set)."""
        _kq.call("begin", self, timeout)

    def send_offsets(self, consumer: AnyConsumer, offsets: Offsets = None, timeout: float | None = None) -> None:
        """Commits offsets of the consumer's group as part of the transaction; without offsets, those after all records handed out."""
        _kq.call("send_offsets", self, timeout, consumer._to_commit(offsets), consumer)

    def commit(self, timeout: float | None = None) -> None:
        """Commits the transaction.  AbortableError: nothing was committed, abort it."""
        _kq.call("commit", self, timeout)
        self._poll(0)
        self._ready()

    def abort(self, timeout: float | None = None) -> None:
        """Aborts the transaction."""
        _kq.call("abort", self, timeout)
        self._poll(0)
        self._ready()
        self._take_lost()

    @contextlib.contextmanager
    def transaction(self, timeout: float | None = None) -> Iterator[Producer]:
        """`with producer.transaction():` commits at its end, or aborts when it is left by an exception."""
        self.begin(timeout)
        try:
            yield self
        except BaseException:
            with contextlib.suppress(KqError):
                self.abort(timeout)
            raise
        try:
            self.commit(timeout)
        except AbortableError:
            self.abort(timeout)
            raise

    def close(self, timeout: float | None = None) -> None:
        """Flushes, and closes; what is left when the time is over fails.  Closing twice does nothing."""
        if self.closed:
            return
        try:
            _kq.call("close_producer", self, timeout)
        finally:
            self._unwatch()
            self._release()
            self._ready()
        self._raise_lost()

    def __enter__(self) -> Producer:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        try:
            self.close()
        except KqError:
            if kind is None:
                raise
