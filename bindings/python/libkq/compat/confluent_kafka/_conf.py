"""librdkafka's configuration as libkq's."""

from __future__ import annotations

import re
from typing import Any

from ..._config import options
from ._errors import KafkaError, KafkaException

# Called from poll and flush; throttle_cb, oauth_cb and partitioner_cb have nobody to call them here.
CALLBACKS = {"on_delivery", "error_cb", "throttle_cb", "stats_cb", "log_cb", "oauth_cb", "logger", "rebalance_cb", "on_commit", "partitioner_cb"}
# What _callbacks.py goes by.
_SETTINGS = {"statistics.interval.ms", "debug"}
# What tunes librdkafka's inside, or is about what libkq does another way: taken, and without effect.
_WITHOUT_EFFECT = {
    "api.version.fallback.ms", "api.version.request", "api.version.request.timeout.ms", "auto.commit.enable", "background_event_cb",
    "broker.address.family", "broker.address.ttl", "broker.version.fallback", "builtin.features", "connections.max.idle.ms",
    "consume.callback.max.messages", "coordinator.query.interval.ms", "delivery.report.only.error", "dr_cb", "dr_msg_cb",
    "enable.gapless.guarantee", "enable.metrics.push", "enable.random.seed", "enable.sparse.connections", "enabled_events", "event_cb",
    "fetch.error.backoff.ms", "fetch.queue.backoff.ms", "group.protocol.type", "heartbeat.interval.ms", "interceptors", "internal.termination.signal",
    "log.connection.close", "log.queue", "log.thread.name", "max.in.flight", "message.copy.max.bytes", "msg_order_cmp",
    "offset.store.method", "offset.store.path", "opaque", "open_cb", "produce.offset.report", "queue.buffering.backpressure.threshold",
    "queue.buffering.max.kbytes", "queue.buffering.max.messages", "queued.max.messages.kbytes", "queued.min.messages", "queuing.strategy",
    "receive.message.max.bytes", "retry.backoff.max.ms", "socket.blocking.max.ms", "socket.connection.setup.timeout.ms",
    "socket.keepalive.enable", "socket.max.fails", "socket.nagle.disable", "socket.receive.buffer.bytes", "socket.send.buffer.bytes",
    "socket.timeout.ms", "sticky.partitioning.linger.ms", "topic.blacklist", "topic.metadata.propagation.max.ms",
    "topic.metadata.refresh.fast.cnt", "topic.metadata.refresh.fast.interval.ms", "topic.metadata.refresh.interval.ms",
    "topic.metadata.refresh.sparse", "max.poll.records", "reconnect.backoff.jitter.ms", "metadata.max.age.ms", "session.timeout.ms",
    "allow.auto.create.topics", "plugin.library.paths", "message.max.bytes", "batch.num.messages", "request.timeout.ms",
}  # fmt: skip
_MESSAGE_BYTES_MIN = 1024
_VALUES = {
    "partitioner": {"consistent": "consistent_random", "murmur2": "murmur2_random"},
    "auto.offset.reset": {"smallest": "earliest", "beginning": "earliest", "largest": "latest", "end": "latest", "error": "none"},
}


def _adjust(told: dict[str, Any]) -> dict[str, Any]:
    """What librdkafka bears, and Kafka's own rules do not."""
    servers = str(told.setdefault("bootstrap.servers", told.pop("metadata.broker.list", "127.0.0.1:1")))  # nobody: then nothing is reached
    told["bootstrap.servers"] = ",".join(each if re.search(r":\d+$", each) else each + ":9092" for each in re.split(r"[,\s]+", servers) if each)
    if "message.max.bytes" in told:
        told["message.max.bytes"] = max(_MESSAGE_BYTES_MIN, int(told["message.max.bytes"]))
    session = told.get("session.timeout.ms")
    if session is not None and "heartbeat.interval.ms" not in told:
        told["heartbeat.interval.ms"] = max(1, min(3000, int(session) // 3))
    patience = next((int(told[name]) for name in ("delivery.timeout.ms", "message.timeout.ms") if name in told), None)
    if patience:
        linger = min(float(told.get("linger.ms", told.get("queue.buffering.max.ms", 5))), patience / 2)
        told["linger.ms"] = int(linger)
        told.pop("queue.buffering.max.ms", None)
        told["request.timeout.ms"] = max(1, min(int(told.get("request.timeout.ms", 30_000)), patience - int(linger)))
    return told


def _known() -> set[str]:
    return {name for option in options() for name in (option.name, option.alias) if name}


def split(conf: dict[str, Any], more: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """What libkq is told, and the callbacks with what they go by."""
    given = {**conf, **more}
    for nested in ("default.topic.config",):
        given.update(given.pop(nested, None) or {})
    known = _known()
    told: dict[str, Any] = {}
    callbacks: dict[str, Any] = {}
    for name, value in given.items():
        if name in CALLBACKS:
            if value is not None and not callable(value) and name != "logger":
                raise TypeError(f"{name} requires a callable object")
            if value is not None:
                callbacks[name] = value
        elif name in _SETTINGS:
            if value is not None:
                callbacks[name] = value
        elif name == "log_level":
            told["log.level"] = ("error", "error", "error", "error", "warning", "info", "info", "debug")[min(7, max(0, int(value)))]
        elif name in known:
            text = str(value).lower() if isinstance(value, bool) else value
            told[name] = _VALUES.get(name, {}).get(str(text), text)
        elif name not in _WITHOUT_EFFECT:
            raise KafkaException(KafkaError(-186, f'No such configuration property: "{name}"'))
    return _adjust({name: value for name, value in told.items() if value is not None}), callbacks
