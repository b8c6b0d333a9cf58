"""Producer, as confluent_kafka has it."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Mapping
from typing import Any

from ... import _kq
from ..._errors import ClosedError, FatalError, KqError, RetriableError
from ..._producer import Producer as KqProducer
from . import _cluster
from ._callbacks import Callbacks
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
        self._limit = int(self._limit_of(args, kwargs) or 100_000)
        self._state = ""
        self._callback = Callbacks("producer", self._callbacks, self._told)
        self._patience = int(self._told.get("delivery.timeout.ms", self._told.get("message.timeout.ms", 0)) or 120_000) / 1000
        try:
            self._kq: KqProducer = KqProducer(config={**self._told, "max.block.ms": 0})
        except KqError as error:
            self._callback.close()
            raise KafkaException(from_kq(error)) from None
        self._pending: list[tuple[Any, ...]] = []

    @staticmethod
    def _limit_of(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        given = {**(dict(args[0]) if args else {}), **kwargs}
        return given.get("queue.buffering.max.messages")

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") and not name.startswith("__") and "_kq" not in self.__dict__:
            raise RuntimeError("Producer has been closed")  # __init__ of this class was never called
        raise AttributeError(name)

    def produce_batch(
        self, topic: str, messages: list[dict[str, Any]], partition: int = -1, callback: OnDelivery | None = None, on_delivery: OnDelivery | None = None
    ) -> int:
        """Queues messages, each a dict of value, key, partition, timestamp and headers; how many were queued.  One that was not gets `_error`."""
        if not isinstance(topic, str):
            raise TypeError("topic must be a string")
        if not isinstance(messages, list):
            raise TypeError("messages must be a list")
        queued = 0
        for index, message in enumerate(messages):
            if not isinstance(message, dict):
                raise TypeError(f"Message at index {index} must be a dict")
            for name, kinds in (("value", (bytes, str, bytearray)), ("key", (bytes, str, bytearray))):
                if message.get(name) is not None and not isinstance(message[name], kinds):
                    raise TypeError(f"Message {name} at index {index} must be bytes or str")
            if not isinstance(message.get("partition", -1), int):
                raise TypeError(f"Message partition at index {index} must be int")
            told = message.get("callback") or message.get("on_delivery") or callback or on_delivery
            try:
                self.produce(
                    topic, message.get("value"), message.get("key"), message.get("partition", partition), told,
                    message.get("timestamp", 0), message.get("headers"),
                )  # fmt: skip
                queued += 1
            except BufferError:
                message["_error"] = KafkaError(-184)
            except KafkaException as error:
                message["_error"] = error.args[0]
        return queued

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
        if self._waiting >= self._limit:
            raise BufferError("Local: Queue full")
        started = time.monotonic()

        def notify(delivery: _kq.Delivery) -> None:
            self._waiting -= 1
            if told is None:
                return
            error = from_kq(delivery.error) if isinstance(delivery.error, KqError) else None
            message = Message(
                topic, delivery.partition, delivery.offset, key.encode() if isinstance(key, str) else key,
                value.encode() if isinstance(value, str) else value, list(headers.items()) if isinstance(headers, Mapping) else headers,
                error, (1, delivery.timestamp) if delivery.timestamp >= 0 else None, time.monotonic() - started,
            )  # fmt: skip
            told(error, message)

        options: dict[str, Any] = {"partition": partition, "timestamp": timestamp or None, "headers": headers, "_notify": notify}
        if self._pending or not self._send(topic, value, key, options):
            if self._kq.closed:
                raise RuntimeError("Producer has been closed")
            _check(value, key, headers)
            self._pending.append((topic, value, key, options, started + self._patience))
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
        for topic, value, key, options, deadline in self._pending:
            try:
                if not self._send(topic, value, key, options):
                    if time.monotonic() < deadline:
                        break
                    raise KafkaException(KafkaError(-192, "Local: Message timed out"))
            except KafkaException as refused:
                options["_notify"](_Refused(topic, refused.args[0]))
            sent += 1
        del self._pending[:sent]

    def _serve(self, timeout: float) -> int:
        before = self._waiting
        self._send_pending()
        try:
            self._kq.poll(timeout)
            return before - self._waiting + self._callback.serve(self._kq.statistics)
        except KqError as error:
            raise _raise(error) from None

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
        if self._kq.closed:
            raise RuntimeError("Producer has been closed")
        self._callback.serve(None)
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
            for topic, _, _, options, _ in self._pending:
                options["_notify"](_Refused(topic, KafkaError(KafkaError._PURGE_QUEUE)))
            self._pending.clear()
            self._kq.purge()

    def close(self, timeout: float = -1) -> bool:
        if not self._kq.closed:
            try:
                self.flush(timeout)
            finally:
                with contextlib.suppress(KqError):
                    self._kq.close(_cluster.seconds(timeout))
                self._callback.close()
        return True

    def __del__(self) -> None:
        if "_kq" in self.__dict__ and self._kq.closed:
            self._callback.close()

    def __enter__(self) -> Producer:
        return self

    def __exit__(self, *unused: object) -> None:
        self.close()

    def __len__(self) -> int:
        return int(self.__dict__.get("_waiting", 0))

    def __bool__(self) -> bool:
        return True

    def list_topics(self, topic: str | None = None, timeout: float = -1) -> _cluster.ClusterMetadata:
        return _cluster.metadata(self._told, topic, timeout)

    def init_transactions(self, timeout: float = -1) -> None:
        """libkq does so with the first transaction: it is opened here, and begin_transaction finds it open."""
        try:
            self._transaction("begin", timeout)
        except KafkaException:
            self._state = "conflict"
            raise
        self._state = "initialised"

    def begin_transaction(self, timeout: float = -1) -> None:
        self._must_be("initialised", "ready")
        if self._state == "ready":
            self._transaction("begin", timeout)
        self._state = "open"

    def send_offsets_to_transaction(self, positions: list[TopicPartition], group_metadata: Any, timeout: float = -1) -> None:
        self._must_be("open")
        self._transaction("send_offsets", timeout, [each._kq() for each in positions], group_metadata)

    def commit_transaction(self, timeout: float = -1) -> None:
        self._must_be("open")
        self.flush(timeout)
        self._transaction("commit", timeout)
        self._state = "ready"
        self._serve(0)

    def abort_transaction(self, timeout: float = -1) -> None:
        self._must_be("open")
        self._transaction("abort", timeout)
        self._state = "ready"
        self._serve(0)

    def _must_be(self, *states: str) -> None:
        if "transactional.id" in self._told and self._state == "conflict":
            raise KafkaException(KafkaError(-173, "init_transactions has not succeeded: call it again", retriable=True))
        if "transactional.id" in self._told and self._state not in states:
            raise KafkaException(KafkaError(-172, f"Operation not valid in state {self._state or 'Init'}"))

    def _transaction(self, name: str, timeout: float, *arguments: Any) -> None:
        if "transactional.id" not in self._told:
            raise KafkaException(KafkaError(-145, "The Transactional API requires transactional.id to be configured"))
        try:
            _kq.call(name, self._kq, _cluster.seconds(timeout), *arguments)
        except FatalError as error:
            raise KafkaException(KafkaError(from_kq(error).code(), error.message, fatal=True)) from None
        except KqError as error:
            raise _raise(error) from None


def _check(value: Any, key: Any, headers: Any) -> None:
    """What is kept for later must be fit to be sent then."""
    for name, each in (("value", value), ("key", key)):
        if each is not None and not isinstance(each, (bytes, str, bytearray, memoryview)):
            raise TypeError(f"{name} must be bytes or str, not {type(each).__name__}")
    pairs = headers.items() if isinstance(headers, Mapping) else headers or ()
    for pair in pairs:
        if not isinstance(pair, tuple) or len(pair) != 2 or not isinstance(pair[0], str):
            raise TypeError("Headers are expected to be a list of (key, value) tuples")
        if pair[1] is not None and not isinstance(pair[1], (bytes, str, bytearray, memoryview)):
            raise TypeError("Invalid header value: must be bytes, str or None")


class _Refused:
    """In place of a delivery: what could not even be sent."""

    partition = -1
    offset = -1
    timestamp = 0

    def __init__(self, topic: str, error: KafkaError) -> None:
        self.topic = topic
        self.error = KqError(error.code(), error.name(), error.str(), topic)
