"""confluent_kafka's Producer, Consumer and AdminClient on libkq: change the import, and the program runs.

    from libkq.compat.confluent_kafka import Consumer, KafkaError, KafkaException, Producer
    from libkq.compat.confluent_kafka.admin import AdminClient, NewTopic

Callbacks are called from poll and flush, as there: deliveries, rebalances, commits, `error_cb`, `stats_cb` and the `logger`.  Settings that tune
librdkafka's inside are taken and do nothing.  Not here: share consumers, throttle_cb, SASL and OAuth, and the serializing clients with their schema
registry, which work on any Producer and Consumer of this shape.
"""

from __future__ import annotations

from ... import _kq
from ._admin_model import (
    ConsumerGroupState,
    ConsumerGroupTopicPartitions,
    ConsumerGroupType,
    ElectionType,
    IsolationLevel,
    Node,
    TopicCollection,
    TopicPartitionInfo,
)
from ._callbacks import ThrottleEvent
from ._consumer import Consumer
from ._errors import KafkaError, KafkaException
from ._model import (
    OFFSET_BEGINNING,
    OFFSET_END,
    OFFSET_INVALID,
    OFFSET_STORED,
    TIMESTAMP_CREATE_TIME,
    TIMESTAMP_LOG_APPEND_TIME,
    TIMESTAMP_NOT_AVAILABLE,
    Message,
    TopicPartition,
)
from ._partitioners import consistent, fnv1a, murmur2
from ._producer import Producer

__version__ = "2.13.0"


def version() -> str:
    """Of confluent_kafka, whose interface this is."""
    return __version__


def libversion() -> tuple[str, int]:
    """Of libkq."""
    return _kq.version(), _kq.version_number()


__all__ = [
    "OFFSET_BEGINNING",
    "OFFSET_END",
    "OFFSET_INVALID",
    "OFFSET_STORED",
    "TIMESTAMP_CREATE_TIME",
    "TIMESTAMP_LOG_APPEND_TIME",
    "TIMESTAMP_NOT_AVAILABLE",
    "Consumer",
    "ConsumerGroupState",
    "ConsumerGroupTopicPartitions",
    "ConsumerGroupType",
    "ElectionType",
    "IsolationLevel",
    "KafkaError",
    "KafkaException",
    "Message",
    "Node",
    "Producer",
    "ThrottleEvent",
    "TopicCollection",
    "TopicPartition",
    "TopicPartitionInfo",
    "consistent",
    "fnv1a",
    "libversion",
    "murmur2",
    "version",
]
