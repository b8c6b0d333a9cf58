"""libkq's share consumer, by its example, beside Kafka's own."""

import collections
import signal
import subprocess
import threading
import time

from kqpeer.cases import KAFKA, KQD, case
from kqpeer.main_job import create_topic
from kqpeer.share import configure, consume, produce, values

PATIENCE_SECONDS = 120
SHORT_LOCKS = {
    "group.share.min.record.lock.duration.ms": "1000",
    "group.share.record.lock.duration.ms": "3000",
    "group.share.min.session.timeout.ms": "3000",
    "group.share.session.timeout.ms": "6000",
    "group.share.min.heartbeat.interval.ms": "500",
    "group.share.heartbeat.interval.ms": "500",
}


class Member:
    """examples/share.c, and what it has printed: (value, delivery count, what it said)."""

    def __init__(self, setting, broker, group, topic, name, count=""):
        self.log, self.errors = setting.directory / f"{name}.out", setting.directory / f"{name}.err"
        command = [str(setting.binaries / "examples/example_share"), broker.address, group, topic, *([str(count)] if count else [])]
        with open(self.log, "w") as out, open(self.errors, "w") as errors:
            self.process = subprocess.Popen(command, stdout=out, stderr=errors)

    def rows(self):
        lines = [line.split(maxsplit=4) for line in self.log.read_text().splitlines()]
        return [(line[4], int(line[2][1:]), line[3]) for line in lines if len(line) == 5]

    def values(self):
        return [value for value, _, _ in self.rows()]

    def wait(self):
        assert self.process.wait(PATIENCE_SECONDS) == 0, self.errors.read_text()

    def kill(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()


def until(condition, what):
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, what()
        time.sleep(0.1)


def prepared(broker, group="g", topic="t", partitions=2):
    create_topic(broker, topic, partitions)
    configure(broker, group, "share.auto.offset.reset=earliest")


@case("libkq accepts, releases, rejects and renews what a share group gives it", on=(KAFKA, KQD), always=True)
def acknowledged(setting, broker):
    prepared(broker)
    produce(broker, "t", [*values(0, 20), "bad one", "fail two", *values(20, 40)])
    member = Member(setting, broker, "g", "t", "member", 43)
    member.wait()
    said = collections.defaultdict(list)
    for value, count, what in member.rows():
        said[value].append((count, what))
    assert said.pop("bad one") == [(1, "rejected")]
    assert said.pop("fail two") == [(1, "released"), (2, "accepted")]
    assert {value: [(1, "accepted")] for value in values(0, 40)} == said
    assert member.errors.read_text() == ""
    produce(broker, "t", ["last"])
    after = Member(setting, broker, "g", "t", "after", 1)  # nothing came back
    after.wait()
    assert after.rows() == [("last", 1, "accepted")], after.rows()


@case("members of libkq and of Java share each record once", on=(KAFKA, KQD), always=True, full=(KAFKA,))
def beside_java(setting, broker):
    prepared(broker)
    members = [Member(setting, broker, "g", "t", f"member{i}") for i in range(2)]
    printed = []
    java = threading.Thread(target=lambda: printed.extend(consume(broker, "g", "t", 1_000_000)))
    try:
        java.start()
        for first in range(0, 400, 20):
            produce(broker, "t", values(first, first + 20))
            time.sleep(0.3)
        java.join()
        everything = [value for member in members for value in member.values()]
        until(lambda: len(everything) + len(printed) >= 400, lambda: f"{len(everything)} + {len(printed)} of 400 records came")
        assert sorted(everything + printed) == values(0, 400)
        assert all(member.errors.read_text() == "" for member in members)
    finally:
        for member in members:
            member.kill()


@case("what a killed member of libkq held comes to another", on=(KAFKA, KQD), always=True, full=(KAFKA,), config=SHORT_LOCKS)
def killed(setting, broker):
    prepared(broker)
    members = [Member(setting, broker, "g", "t", f"member{i}") for i in range(2)]
    try:
        for first in range(0, 1000, 50):
            produce(broker, "t", values(first, first + 50))
            if first == 500:
                members[0].kill()
        came = lambda: {value for member in members for value in member.values()}  # noqa: E731
        until(lambda: len(came()) == 1000, lambda: f"{len(came())} of 1000 records came")
        again = [row for row in members[1].rows() if row[0] in set(members[0].values())]
        assert all(count > 1 for _, count, _ in again), again
    finally:
        for member in members:
            member.kill()
