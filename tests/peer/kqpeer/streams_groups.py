"""Streams groups (KIP-1071): a Kafka Streams application with group.protocol=streams, and Kafka's tool for such groups."""

import collections
import os
import random

from kqpeer import downloads
from kqpeer.applications import Application, Committed, write
from kqpeer.cases import BOTH, case
from kqpeer.clients import run
from kqpeer.main_job import create_topic
from kqpeer.servers import SHORT_LIVED_JVM, java

GROUP = "word-count"
# Short sessions, so that who is killed is missed soon; the first members do not wait for each other.
QUICK = {
    "group.streams.min.session.timeout.ms": "3000",
    "group.streams.session.timeout.ms": "3000",
    "group.streams.min.heartbeat.interval.ms": "300",
    "group.streams.heartbeat.interval.ms": "300",
    "group.streams.initial.rebalance.delay.ms": "0",
}


def tool(broker, *arguments):
    command = java("org.apache.kafka.tools.streams.StreamsGroupCommand", "--bootstrap-server", broker.address, *arguments)
    return run(command).decode()


def rows(text):
    """The lines of a table below its head, in columns; log lines and blanks are left out."""
    lines = [line.split() for line in text.splitlines() if line.strip()]
    return [columns for columns in lines if columns[0] == GROUP]


class WordCount:
    """Instances of the application, and what they should have counted."""

    def __init__(self, setting, broker, count):
        self.noise = random.Random(os.environ.get("KQ_TEST_SEED", "7"))
        self.wanted = collections.Counter()
        self.broker = broker
        create_topic(broker, "lines", partitions=2)
        create_topic(broker, "counts", partitions=2)
        self.instances = [self.instance(setting, number) for number in range(count)]
        self.results = Committed(broker, "counts", 2)

    def instance(self, setting, number):
        program = [
            "java",
            *SHORT_LIVED_JVM,
            f"-Dlog4j2.configurationFile={downloads.HERE}/kafka/log4j2.properties",
            "-cp",
            f"{downloads.kafka_jars()}/*",
            str(downloads.HERE / "kafka/WordCount.java"),
            self.broker.address,
            str(setting.directory / f"state-{number}"),
            f"127.0.0.1:{9000 + number}",
        ]
        return Application(setting, f"word-count-{number}", program)

    def write(self, count):
        words = [f"word{number}" for number in range(20)]

        def lines():
            for _ in range(count):
                line = [self.noise.choice(words) for _ in range(5)]
                self.wanted.update(line)
                yield " ".join(line)

        write(self.broker, "lines", lines())

    def counted(self):
        latest = {}
        for key, value in self.results.read():
            word, count = key.decode(), int(value)
            assert count == latest.get(word, count) or count > latest[word], f"{word} went from {latest[word]} to {count}"
            latest[word] = count
        assert all(count <= self.wanted[word] for word, count in latest.items()), "counted more than there was"
        return latest

    def await_counts(self, witness):
        said = lambda: f"{sum(self.counted().values())} of {sum(self.wanted.values())} words"  # noqa: E731
        witness.await_true(said, lambda: self.counted() == self.wanted)

    def kill(self):
        for instance in self.instances:
            instance.kill()


@case("counts words exactly with group.protocol=streams in two instances while they and the broker are killed", on=BOTH, config=QUICK.items())
def word_count(setting, broker):
    count = WordCount(setting, broker, 2)
    first, second = count.instances
    try:
        first.start()
        count.write(300)
        count.await_counts(first)
        second.start()
        second.await_true(lambda: "not running", lambda: b"running" in second.log.read_bytes())
        for killed, witness in ((first, second), (broker, first), (second, first), (broker, second)):
            count.write(300)
            seen = len(count.results.records)
            witness.await_true(lambda: "no more counts", lambda seen=seen: len(count.results.read()) > seen)
            killed.kill()
            killed.start()
        count.write(100)
        count.await_counts(first)
        count.await_counts(second)
    finally:
        count.kill()


@case("kafka-streams-groups lists, describes, resets and deletes streams groups", on=BOTH, config=QUICK.items())
def streams_tool(setting, broker):
    count = WordCount(setting, broker, 1)
    (instance,) = count.instances
    try:
        instance.start()
        count.write(100)
        count.await_counts(instance)
        assert GROUP in tool(broker, "--list").split()
        assert [GROUP, "Stable"] in rows(tool(broker, "--list", "--state"))
        state = rows(tool(broker, "--describe", "--group", GROUP, "--state"))
        assert len(state) == 1 and state[0][-2:] == ["Stable", "1"], state
        described = tool(broker, "--describe", "--group", GROUP, "--members")
        assert "0:[0,1]" in described and "1:[0,1]" in described, described
        topics = {columns[1]: columns for columns in rows(tool(broker, "--describe", "--group", GROUP, "--offsets"))}
        assert {"lines", "word-count-words-repartition"} <= topics.keys(), topics
        assert "is not empty" in tool(broker, "--delete", "--group", GROUP) or GROUP in tool(broker, "--list").split()
    finally:
        instance.kill()
    deadline_state = lambda: rows(tool(broker, "--list", "--state"))  # noqa: E731
    for _ in range(20):
        if [GROUP, "Empty"] in deadline_state():
            break
    assert [GROUP, "Empty"] in deadline_state()
    reset = tool(broker, "--reset-offsets", "--group", GROUP, "--input-topic", "lines", "--to-earliest", "--execute")
    assert sorted(columns[1:4] for columns in rows(reset)) == [["lines", "0", "0"], ["lines", "1", "0"]], reset
    tool(broker, "--delete", "--group", GROUP, "--delete-all-internal-topics")
    assert GROUP not in tool(broker, "--list").split()
