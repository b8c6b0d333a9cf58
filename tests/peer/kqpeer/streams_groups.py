"""Streams groups (KIP-1071): a Kafka Streams application with group.protocol=streams, and Kafka's tool for such groups."""

import collections
import os
import random

from confluent_kafka import Consumer, TopicPartition

from kqpeer import downloads
from kqpeer.applications import Application, Committed, write
from kqpeer.cases import BOTH, case
from kqpeer.clients import run
from kqpeer.main_job import create_topic
from kqpeer.servers import SHORT_LIVED_JVM, java
from kqpeer.streams_wire import Member, subtopology, topology

GROUP = "word-count"
ASKS_MAX = 20
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
        tool(broker, "--delete", "--group", GROUP)
        assert GROUP in tool(broker, "--list").split(), "a group with members was deleted"
    finally:
        instance.kill()
    for _ in range(ASKS_MAX):  # until its session has ended
        if [GROUP, "Empty"] in rows(tool(broker, "--list", "--state")):
            break
    else:
        raise AssertionError("the group is not empty")
    reset = tool(broker, "--reset-offsets", "--group", GROUP, "--input-topic", "lines", "--to-earliest", "--execute")
    assert sorted(columns[1:4] for columns in rows(reset)) == [["lines", "0", "0"], ["lines", "1", "0"]], reset
    tool(broker, "--delete", "--group", GROUP, "--delete-all-internal-topics")
    assert GROUP not in tool(broker, "--list").split()


NONE, UNKNOWN_MEMBER, INVALID_REQUEST, NOT_FOUND, FENCED, INVALID_TOPOLOGY = 0, 25, 42, 69, 110, 130
MISSING_SOURCES, INCORRECTLY_PARTITIONED, MISSING_INTERNAL, SHUTDOWN = 1, 2, 3, 4
COUNTING = topology(subtopology(0, sources=["in"], changelogs=[("g-changelog", 0, ("cleanup.policy", "compact"))]))
BARE = {"active": [], "standby": [], "warmup": []}
JOINING = {"rebalance_ms": 60000, "process": "p1", **BARE}


def loop():
    first = subtopology(0, sinks=["there"], repartitions=[("back", 0)])
    return topology(first, subtopology(1, sinks=["back"], repartitions=[("there", 0)]))


# What is asked, the code, and the words.
REFUSALS = [
    ({"epoch": 9}, FENCED, "The streams group member has a greater member epoch (9) than the one known by the group coordinator"),
    ({"member": "x", "epoch": 2}, UNKNOWN_MEMBER, "Member x is not a member of group g."),
    ({"member": "x", "epoch": -1}, UNKNOWN_MEMBER, "Member x is not a member of group g."),
    ({"group": "other", "epoch": 2}, NOT_FOUND, "Streams group other not found."),
    ({"group": "other", "epoch": -1}, NOT_FOUND, "Group other not found."),
    ({"epoch": -2}, INVALID_REQUEST, "InstanceId can't be null."),
    ({"epoch": -3}, INVALID_REQUEST, "MemberEpoch is -3, but must be greater than or equal to -2."),
    ({"epoch": 2, "active": []}, INVALID_REQUEST, "If one task-type is non-null, all must be non-null."),
    ({"epoch": 2, "topology": COUNTING}, INVALID_REQUEST, "Topology can only be provided when (re-)joining."),
    ({**JOINING}, INVALID_REQUEST, "Topology must be non-null when (re-)joining."),
    ({**JOINING, "topology": COUNTING, "instance": "i"}, INVALID_REQUEST, "Static membership is not yet supported."),
    ({**JOINING, "topology": COUNTING, "offsets": [("0", 0, 1)]}, INVALID_REQUEST, "TaskOffsets are not supported yet."),
    ({**JOINING, "topology": COUNTING, "member": ""}, INVALID_REQUEST, "MemberId can't be empty."),
    ({**JOINING, "topology": COUNTING, "group": ""}, INVALID_REQUEST, "GroupId can't be empty."),
    ({**JOINING, "topology": COUNTING, "rebalance_ms": -1}, INVALID_REQUEST, "RebalanceTimeoutMs must be provided in first request."),
    ({**JOINING, "topology": COUNTING, "active": None}, INVALID_REQUEST, "ActiveTasks must be empty when (re-)joining."),
]
TOPOLOGY_REFUSALS = [
    (topology(subtopology(0, sources=["in"]), epoch=1), INVALID_REQUEST, "Topology updates are not supported yet."),
    (topology(subtopology(0, regex=["a.*"])), INVALID_REQUEST, "Regular expressions for source topics are not supported yet."),
    (
        topology(subtopology(0, sources=["in"], changelogs=[("c", 3)])),
        INVALID_TOPOLOGY,
        "Changelog topic c must have an undefined partition count, but it is set to 3.",
    ),
    (
        topology(subtopology(0, sources=["__consumer_offsets"])),
        INVALID_TOPOLOGY,
        "Use of Kafka internal topics __consumer_offsets in a Kafka Streams topology is prohibited.",
    ),
    (topology(subtopology(0, sources=["in"], sinks=["a b", "c/d"])), INVALID_TOPOLOGY, "Topic names a b,c/d are not valid topic names."),
]
NEW_GROUP_REFUSALS = [
    (loop(), "Failed to compute number of partitions for all repartition topics. There may be loops in the topology"),
    (
        topology(subtopology(0, sources=["in"], repartitions=[("unwritten", 0)])),
        "Failed to compute number of partitions for all repartition topics, because a repartition source topic is never used as a sink",
    ),
    (topology(subtopology(0)), "No source topics found for subtopology 0"),
]


def refused(answer, code, words):
    assert answer.error == code and answer.message.startswith(words), f"{answer} instead of {code} {words}"


@case("members of a streams group are answered as by Apache Kafka, word for word", on=BOTH, config=QUICK.items())
def heartbeats(setting, broker):
    create_topic(broker, "in", partitions=4)
    create_topic(broker, "in3", partitions=3)
    find_coordinator(broker)
    with Member(broker.port, seconds=60) as member:
        first = member.beat(topology=COUNTING, **JOINING)
        assert (first.error, first.epoch, first.active) == (NONE, 2, []), first
        assert first.statuses == [(MISSING_INTERNAL, "Internal topics are missing: g-changelog")], first
        for fields, code, words in REFUSALS:
            refused(member.beat(**fields), code, words)
        for what, code, words in TOPOLOGY_REFUSALS:
            refused(member.beat(topology=what, **JOINING), code, words)
        for what, words in NEW_GROUP_REFUSALS:
            refused(member.beat(group="new", topology=what, **JOINING), INVALID_TOPOLOGY, words)

        def joined(group, what):
            return member.beat(group=group, topology=what, **JOINING).statuses

        missing = joined("g1", topology(subtopology(0, sources=["m1", "m2", "m3", "m4", "m5"])))
        assert missing == [(MISSING_SOURCES, "Source topics m1, m2, m3 and 2 additional topics are missing.")], missing
        unlike = joined("g2", topology(subtopology(0, sources=["in", "in3"], copartitioned=[[0, 1]])))
        words = "Following topics do not have the same number of partitions: [{in=4, in3=3}]"
        assert unlike == [(INCORRECTLY_PARTITIONED, words)], unlike
        tasks_move(member)


def tasks_move(member):
    """The topic has been made; a second member with an endpoint takes over half of the tasks."""
    epoch = 2
    for _ in range(ASKS_MAX):  # Apache Kafka makes the topic a while later
        alone = member.beat(epoch=epoch, **BARE)
        epoch = alone.epoch
        if alone.active:
            break
    assert alone.active == [("0", [0, 1, 2, 3])] and alone.statuses == [], alone
    other = {**JOINING, "process": "p2"}
    second = member.beat(member="b", topology=COUNTING, endpoint=("host", 7), **other)
    assert (second.error, second.active) == (NONE, []), second
    gives = member.beat(epoch=epoch, active=[("0", [0, 1, 2, 3])], standby=[], warmup=[])
    ((_, kept),) = gives.active
    assert len(kept) == 2 and gives.epoch == epoch, gives
    given = member.beat(epoch=gives.epoch, active=[("0", kept)], standby=[], warmup=[])
    assert given.epoch == second.epoch == epoch + 1, (given, second)
    takes = member.beat(member="b", epoch=second.epoch, **BARE)
    ((_, taken),) = takes.active
    assert sorted(kept + taken) == [0, 1, 2, 3], (kept, taken)
    assert takes.endpoints == [(("host", 7), [("in", taken)], [])] and takes.endpoint_epoch > 0, takes
    left = member.beat(epoch=-1, shutdown=True)
    assert (left.error, left.epoch) == (NONE, -1), left
    told = member.beat(member="b", epoch=takes.epoch, endpoint_epoch=takes.endpoint_epoch)
    words = "Streams group member a encountered a fatal error and requested a shutdown for the entire application."
    assert told.statuses == [(SHUTDOWN, words)], told


def find_coordinator(broker):
    """Has the offsets topic made and read."""
    consumer = Consumer({"bootstrap.servers": broker.address, "group.id": "any", "log_level": 0})
    consumer.committed([TopicPartition("in", 0)], timeout=60)
    consumer.close()
