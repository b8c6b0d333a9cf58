"""Produce to and consume from Kafka; and a broker in your process.

    import libkq as kq

    kq.Producer("localhost:9092").send("greetings", b"hello").wait()
    next(kq.Consumer("localhost:9092", "greetings"))
"""

from __future__ import annotations

import threading

from . import _aio, _arrow, _errors, _events, _kq

_kq._set_hooks(_errors.make, _events.make, _aio.awaiting, _arrow.table, threading.main_thread().ident or 0)

from ._admin import Admin, AsyncAdmin
from ._aio import AsyncConsumer, AsyncProducer
from ._broker import Broker
from ._config import Option, options
from ._consumer import Consumer
from ._errors import (
    AbortableError,
    ClosedError,
    ConfigError,
    FatalError,
    ForkedError,
    KqError,
    RefusedError,
    RetriableError,
    TimedOutError,
)
from ._events import Assigned, Committed, EndOfPartition, Event, Lost, Revoked
from ._kq import Batch, Delivery, Record
from ._partitions import DEFAULT, EARLIEST, LATEST, MAX_TIMESTAMP, Assignment, TopicPartition
from ._producer import Producer
from ._rows import Row, operations
from ._share import AsyncShareConsumer, ShareConsumer

__version__: str = _kq.version()

__all__ = [
    "DEFAULT",
    "EARLIEST",
    "LATEST",
    "MAX_TIMESTAMP",
    "AbortableError",
    "Admin",
    "Assigned",
    "Assignment",
    "AsyncAdmin",
    "AsyncConsumer",
    "AsyncProducer",
    "AsyncShareConsumer",
    "Batch",
    "Broker",
    "ClosedError",
    "Committed",
    "ConfigError",
    "Consumer",
    "Delivery",
    "EndOfPartition",
    "Event",
    "FatalError",
    "ForkedError",
    "KqError",
    "Lost",
    "Option",
    "Producer",
    "Record",
    "RefusedError",
    "RetriableError",
    "Revoked",
    "Row",
    "ShareConsumer",
    "TimedOutError",
    "TopicPartition",
    "operations",
    "options",
]
