"""Producer, as confluent_kafka has it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from ... import _kq
from ..._errors import ClosedError, FatalError, KqError, RetriableError
from ..._producer import Producer as KqProducer
from . import _cluster
from ._conf import split
from ._errors import KafkaError, KafkaException, from_kq
from ._model import Headers, Message, TopicPartition

OnDelivery = Callable[[KafkaError | None, Message], object]


def _raise(error: KqError) -> KafkaException:
    if isinstance(error, ClosedError):
        raise RuntimeError("Producer has been closed") from None
    return KafkaException(from_kq(error))


class Producer:
    """Asynchronous: produce queues, and callbacks are served by poll and flush."""

    def __init__(self, *args: Mapping[str, Any], **kwargs: Any) -> None:
        if len(args) > 1 or (args and not isinstance(args[0], Mapping)):
            raise TypeError("expected configuration dict")
        if not args and not kwargs:
            raise TypeError("expected configuration dict")
        self._told, self._callbacks = split(dict(args[0]) if args else {}, kwargs)
        self._told.setdefault("partitioner", "consistent_random")
        self._waiting = 0
        try:
            self._kq = KqProducer(config={**self._told, "max.block.ms": 0})
        except KqError as error:
            raise KafkaException(from_kq(error)) from None
        self._pending: list[tuple[Any, ...]] = []

    def produce(
        self,
        topic: str,
        value: Any = None,
        key: Any = None,
        partition: int = -1,
        on_delivery: OnDelivery | None = None,
        timestamp: int = 0,
        headers: Headers | Mapping[str, Any] | None = None,
        callback: OnDelivery | None = None,
    ) -> None:
        """Queues a message.  BufferError: the queue is full, poll."""
        told = callback or on_delivery or self._callbacks.get("on_delivery")
        started = time.monotonic()

        def notify(delivery: _kq.Delivery) -> None:
            self._waiting -= 1
            if told is None:
                return
            error = from_kq(delivery.error) if isinstance(delivery.error, KqError) else None
            message = Message(
                topic, value if not isinstance(value, str) else value.encode(), key if not isinstance(key, str) else key.encode(),
                list(headers.items()) if isinstance(headers, Mapping) else headers, error, (1, delivery.timestamp),
                time.monotonic() - started, None, delivery.partition, delivery.offset if delivery.offset >= 0 else -1001,
            )  # fmt: skip
            told(error, message)

        options: dict[str, Any] = {"partition": partition, "timestamp": timestamp or None, "headers": headers, "_notify": notify}
        if self._pending or not self._send(topic, value, key, options):
            if len(self._pending) >= 100_000:
                raise BufferError("Local: Queue full")
            self._pending.append((topic, value, key, options))
        self._waiting += 1

    def _send(self, topic: str, value: Any, key: Any, options: dict[str, Any]) -> bool:
        """False: the topic is not known yet, or there is no room; it is tried again by poll and flush."""
        try:
            return self._kq.try_send(topic, value, key, **options) is not None
        except KqError as error:
            raise _raise(error) from None

    def _send_pending(self) -> None:
        """In order; what cannot be sent at all is told to its callback."""
        sent = 0
        for topic, value, key, options in self._pending:
            try:
                if not self._send(topic, value, key, options):
                    break
            except KafkaException as refused:
                options["_notify"](_Refused(topic, refused.args[0]))
            sent += 1
        del self._pending[:sent]

    def _serve(self, timeout: float) -> int:
        before = self._waiting
        self._send_pending()
        try:
            self._kq.poll(timeout)
        except KqError as error:
            raise _raise(error) from None
        return before - self._waiting

    def poll(self, timeout: float = -1) -> int:
        """Serves callbacks; how many there were."""
        served, limit = 0, None if timeout is None or timeout < 0 else time.monotonic() + timeout
        while True:
            left = 0.1 if limit is None else min(0.1, max(0.0, limit - time.monotonic()))
            served += self._serve(0.005 if self._pending and left else left)
            if served or left == 0:
                return served

    def flush(self, timeout: float = -1) -> int:
        """Waits until all is delivered; how many messages are left."""
        limit = None if timeout is None or timeout < 0 else time.monotonic() + timeout
        while self._waiting:
            left = 0.1 if limit is None else min(0.1, max(0.0, limit - time.monotonic()))
            self._serve(0)
            if self._waiting and not self._pending:
                try:
                    _kq.call("flush", self._kq, left)
                except RetriableError:
                    pass
                except KqError as error:
                    raise _raise(error) from None
                self._serve(0)
            elif self._waiting:
                self._serve(min(left, 0.005))
            if left == 0:
                break
        return len(self)

    def purge(self, in_queue: bool = True, in_flight: bool = True, blocking: bool = True) -> None:
        if in_queue:
            for topic, _, _, options in self._pending:
                options["_notify"](_Refused(topic, KafkaError(KafkaError._PURGE_QUEUE)))  # type: ignore[attr-defined]
            self._pending.clear()
            self._kq.purge()

    def close(self, timeout: float = -1) -> bool:
        self.flush(timeout)
        self._kq.close(_cluster.seconds(timeout))
        return True

    def __enter__(self) -> Producer:
        return self

    def __exit__(self, *unused: object) -> None:
        self.flush()

    def __len__(self) -> int:
        return self._waiting

    def __bool__(self) -> bool:
        return True

    def list_topics(self, topic: str | None = None, timeout: float = -1) -> _cluster.ClusterMetadata:
        return _cluster.metadata(self._told, topic, timeout)

    def init_transactions(self, timeout: float = -1) -> None:
        """libkq does so with the first transaction; here it opens one, which begin_transaction takes over."""
        self._transaction("begin", timeout)
        self._begun = True

    def begin_transaction(self, timeout: float = -1) -> None:
        if not getattr(self, "_begun", False):
            self._transaction("begin", timeout)
        self._begun = False

    def send_offsets_to_transaction(self, positions: list[TopicPartition], group_metadata: Any, timeout: float = -1) -> None:
        self._transaction("send_offsets", timeout, [each._kq() for each in positions], group_metadata)

    def commit_transaction(self, timeout: float = -1) -> None:
        self.flush(timeout)
        self._transaction("commit", timeout)
        self._serve(0)

    def abort_transaction(self, timeout: float = -1) -> None:
        self._transaction("abort", timeout)
        self._serve(0)

    def _transaction(self, name: str, timeout: float, *arguments: Any) -> None:
        if "transactional.id" not in self._told:
            raise KafkaException(KafkaError(-145, "The Transactional API requires transactional.id to be configured"))
        try:
            _kq.call(name, self._kq, _cluster.seconds(timeout), *arguments)
        except FatalError as error:
            raise KafkaException(KafkaError(from_kq(error).code(), error.message, fatal=True)) from None
        except KqError as error:
            raise _raise(error) from None


class _Refused:
    """In place of a delivery: what could not even be sent."""

    partition = -1
    offset = -1
    timestamp = 0

    def __init__(self, topic: str, error: KafkaError) -> None:
        self.topic = topic
        self.error = KqError(error.code(), error.name(), error.str(), topic)
