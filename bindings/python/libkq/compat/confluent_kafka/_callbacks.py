"""What poll and flush call besides deliveries: the logger, error_cb and stats_cb.

libkq's log lines are read here, without a thread: what nobody polls for is lost.  A line that says that the cluster cannot be reached is an error
for error_cb.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import logging
import os
import time
from collections.abc import Callable
from typing import Any

from ... import _kq
from ..._admin import Admin
from ..._errors import KqError
from ..._log import LEVELS, LINE, level
from ._errors import KafkaError

_READ_BYTES = 65536
_ALL_BROKERS_DOWN, _TRANSPORT = -187, -195
_numbers = itertools.count(1)

Statistics = Callable[[], dict[str, Any]]


class ThrottleEvent:
    """What throttle_cb would be called with, by a client that tells throttling; libkq's waits as it was told, and does not."""

    def __init__(self, broker_name: str, broker_id: int, throttle_time: float) -> None:
        self.broker_name, self.broker_id, self.throttle_time = broker_name, broker_id, throttle_time

    def __str__(self) -> str:
        return f"{self.broker_name}/{self.broker_id} throttled for {int(self.throttle_time * 1000)} ms"


class Callbacks:
    """Of one client.  `told` is what libkq will be told, to which the way of its log lines is added."""

    def __init__(self, kind: str, callbacks: dict[str, Any], told: dict[str, Any]) -> None:
        self._error, self._statistics = callbacks.get("error_cb"), callbacks.get("stats_cb")
        self._interval = int(callbacks.get("statistics.interval.ms") or 0) / 1000 if self._statistics else 0.0
        self._due = time.monotonic() + self._interval
        self._kind, self._client = kind, str(told.get("client.id", "rdkafka"))
        self._name = f"{self._client}#{kind}-{next(_numbers)}"
        self._alone = "," not in str(told.get("bootstrap.servers", ""))
        self._probe: tuple[Admin, _kq.Job] | None = None
        self._lines: list[str] = []
        self._rest = b""
        self._read = self._write = -1
        log = callbacks.get("logger")
        if log is None and "debug" in callbacks:
            log = logging.getLogger("libkq")
        self._log = log
        if log is None and self._error is None:
            return
        self._read, self._write = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        told["log.descriptor"] = self._write
        told["log.level"] = "debug" if "debug" in callbacks else level(log) if isinstance(log, logging.Logger) else "warning"
        if "debug" in callbacks:
            self._lines.append(f"[] DEBUG [init] {self._name}: libkq {_kq.version()} {told.get('bootstrap.servers')}")
        if self._error is not None and told.get("bootstrap.servers"):
            with contextlib.suppress(KqError):  # whether anybody is there is told without waiting for the first message
                admin = Admin(config={name: told[name] for name in told if name.startswith(("bootstrap", "log", "security", "sasl", "ssl", "client.id"))})
                job = _kq.start("admin", admin, None, "describe_cluster", [])
                self._probe = (admin, job) if job is not None else None

    @property
    def wanted(self) -> bool:
        """Whether a wait has to look here from time to time."""
        return self._read >= 0 or self._interval > 0

    def serve(self, statistics: Statistics | None) -> int:
        """Calls what is due; how many calls there were."""
        served = 0
        if self._read >= 0:
            self._take_lines()
            while self._lines:
                served += self._line(self._lines.pop(0))
        if self._probe is not None and self._probe[1].done():
            self._end_probe()
        if self._interval and self._statistics is not None and time.monotonic() >= self._due and statistics is not None:
            self._due = time.monotonic() + self._interval
            self._statistics(self._report(statistics()))
            served += 1
        return served

    def _take_lines(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while got := os.read(self._read, _READ_BYTES):
                *whole, self._rest = (self._rest + got).split(b"\n")
                self._lines += [line.decode("utf-8", "replace") for line in whole]

    def _line(self, line: str) -> int:
        found = LINE.match(line)
        number, text = (LEVELS.get(found["level"], logging.INFO), found["rest"]) if found else (logging.INFO, line)
        served = 0
        if self._log is not None:
            part, _, what = text.partition("] ")
            self._log.log(number, "%s [%s] %s", part.lstrip("[").upper(), self._name, what)
            served = 1
        if self._error is not None and number >= logging.WARNING and text.startswith(("[metadata]", "[connection]")):
            served = 1
            self._error(KafkaError(_ALL_BROKERS_DOWN if self._alone else _TRANSPORT, text.partition("] ")[2], retriable=True))
        return served

    def _end_probe(self) -> None:
        probe, self._probe = self._probe, None
        if probe is not None:
            with contextlib.suppress(KqError):
                if probe[1].done():
                    probe[1].result()
            del probe

    def close(self) -> None:
        """Once the client is closed: nobody writes any more."""
        self._end_probe()
        for each in (self._read, self._write):
            if each >= 0:
                os.close(each)
        self._read = self._write = -1

    def _report(self, told: dict[str, Any]) -> str:
        """libkq's statistics in the form of librdkafka's."""
        produces = self._kind == "producer"
        way, messages, octets = ("tx", "txmsgs", "txbytes") if produces else ("rx", "rxmsgs", "rxbytes")
        brokers = {
            f"{node['host']}:{node['port']}/{node['node']}": {
                "name": f"{node['host']}:{node['port']}/{node['node']}", "nodeid": node["node"], "nodename": f"{node['host']}:{node['port']}",
                "source": "learned", "state": "UP", "waitresp_cnt": node["in_flight"], way: node["requests"], way + "bytes": node["bytes"],
                way + "errs": node["failures"], "tx": node["requests"],
                "rtt": {
                    "avg": node["latency_us_mean"], "p50": node["latency_us_p50"], "p95": node["latency_us_p95"],
                    "p99": node["latency_us_p99"], "max": node["latency_us_max"],
                },
            }
            for node in told["nodes"]
            if node["host"] is not None
        }  # fmt: skip
        topics: dict[str, Any] = {}
        for each in told["partitions"]:
            partition = {"partition": each["partition"], messages: each["records"], octets: each["bytes"]}
            if produces:
                partition.update(leader=each["leader"], msgq_cnt=each["waiting_batches"])
            else:
                partition.update(next_offset=each["position"], hi_offset=each["end_offset"], ls_offset=each["end_offset"], consumer_lag=each["lag"])
            topics.setdefault(each["topic"], {"topic": each["topic"], "partitions": {}})["partitions"][str(each["partition"])] = partition
        return json.dumps(
            {
                "name": self._name, "client_id": self._client, "type": self._kind, "ts": time.monotonic_ns() // 1000, "time": int(time.time()),
                "age": told["age_ms"] * 1000, "replyq": 0, "msg_cnt": told.get("pending_records", 0), "msg_size": told.get("buffer_bytes", 0),
                "msg_size_max": told.get("buffer_bytes_max", 0), way: sum(node["requests"] for node in told["nodes"]),
                way + "_bytes": told["bytes"], messages: told["records"], messages[:-1] + "_bytes": told["bytes"],
                "brokers": brokers, "topics": topics,
            }
        )  # fmt: skip
