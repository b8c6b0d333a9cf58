"""Consumer groups: libkq's members beside librdkafka's and Java's, rebalances as members come, go and die, and what was committed."""

import json
import signal
import subprocess
import time

from kqpeer import servers
from kqpeer.cases import KAFKA, KQD, case
from kqpeer.clients import run
from kqpeer.command import REFUSED, Command
from kqpeer.main_job import create_topic

GROUP_SECONDS = 60
PARTITIONS = 4


class Member:
    """A program that reads as a member and prints a line a record."""

    def __init__(self, setting, name, command):
        self.path = setting.directory / f"{name}.out"
        self.errors = setting.directory / f"{name}.err"
        with open(self.path, "wb") as out, open(self.errors, "wb") as err:
            self.process = subprocess.Popen(command, stdout=out, stderr=err, stdin=subprocess.DEVNULL)

    def lines(self):
        """Whole ones: the last may still be on its way."""
        return self.path.read_text(encoding="utf-8").split("\n")[:-1]

    def stop(self):
        self.process.send_signal(signal.SIGINT)
        assert self.process.wait(30) in (0, 130), self.errors.read_text(encoding="utf-8")

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


def kq_member(setting, broker, group, topic, name, *options):
    command = [setting.kq, "consume", topic, "-b", broker.address, "-g", group, "--from-beginning", "-X", "session.timeout.ms=6000"]
    return Member(setting, name, command + ["-X", "heartbeat.interval.ms=500", "-f", "%p %v\n", *options])


def java_member(setting, broker, group, topic, name, *options):
    command = servers.java(
        "org.apache.kafka.tools.consumer.ConsoleConsumer", "--bootstrap-server", broker.address, "--topic", topic, "--group", group,
        "--from-beginning", "--formatter-property", "print.partition=true",
        *[word for item in ("session.timeout.ms=6000", "heartbeat.interval.ms=500", *options) for word in ("--command-property", item)],
    )
    return Member(setting, name, command)


class ConfluentMember:
    """librdkafka, polled by hand."""

    def __init__(self, broker, group, topic, **config):
        from confluent_kafka import Consumer

        self.consumer = Consumer({
            "bootstrap.servers": broker.address, "group.id": group, "auto.offset.reset": "earliest", "log_level": 3,
            "session.timeout.ms": 6000, "heartbeat.interval.ms": 500, **{key.replace("_", "."): value for key, value in config.items()},
        })
        self.values = []
        self.consumer.subscribe([topic])

    def poll(self):
        message = self.consumer.poll(0.05)
        if message is not None and message.error() is None:
            self.values.append(message.value().decode())

    def assigned(self):
        return {part.partition for part in self.consumer.assignment()}

    def close(self):
        self.consumer.close()


def produce(setting, broker, topic, values):
    """To all partitions in turn."""
    from confluent_kafka import Producer

    producer = Producer({"bootstrap.servers": broker.address, "log_level": 3})
    for i, value in enumerate(values):
        producer.produce(topic, value=value, partition=i % PARTITIONS)
    assert producer.flush(30) == 0


def until(done, what, act=lambda: None, seconds=GROUP_SECONDS):
    deadline = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < deadline, f"not in {seconds} s: {what}"
        act()
        time.sleep(0.02)


def owners(setting, broker, group):
    """Who has which partitions, as the coordinator says: client id to a set."""
    shown = subprocess.run([setting.kq, "group", "describe", group, "-b", broker.address, "-o", "json"], capture_output=True, text=True, timeout=60)
    if shown.returncode:
        return {}
    return {member["member"]: set(member["partitions"]) for member in json.loads(shown.stdout)[0]["members"]}


def settled(setting, broker, group, members):
    """All partitions are owned, by this many members."""
    has = owners(setting, broker, group)
    return len(has) == members and all(has.values()) and sum(len(parts) for parts in has.values()) == PARTITIONS


def share_with(setting, broker, other, protocol):
    """`other` makes another client's member; returns what to poll and its values."""
    topic, group = "shared", f"shared-{protocol}"
    create_topic(broker, topic, PARTITIONS)
    options = ["-X", f"group.protocol={protocol}"]
    values = [f"value {i}" for i in range(400)]
    first = kq_member(setting, broker, group, topic, "first", *options)
    second = kq_member(setting, broker, group, topic, "second", *options)
    third = other(group, topic)
    try:
        until(lambda: settled(setting, broker, group, 3), "three members share the partitions", third.poll)
        produce(setting, broker, topic, values[:200])
        seen = lambda: [line.split(" ", 1)[1] for line in first.lines() + second.lines()] + third.values  # noqa: E731
        until(lambda: len(seen()) >= 200, "all records are read", third.poll)
        assert sorted(seen()) == sorted(values[:200]), "a record was read twice without a reason"
        second.kill()
        until(lambda: settled(setting, broker, group, 2), "the partitions of a killed member go to the others", third.poll)
        produce(setting, broker, topic, values[200:])
        until(lambda: set(values) <= set(seen()), "nothing is lost", third.poll)
        third.close()
        until(lambda: settled(setting, broker, group, 1), "the last member has everything")
    finally:
        first.kill()
        second.kill()


@case("kq's members share a group with librdkafka's, and one is killed", on=(KAFKA, KQD), always=True, full=(KAFKA,))
def with_librdkafka(setting, broker):
    share_with(setting, broker, lambda group, topic: ConfluentMember(broker, group, topic), "classic")


# A member that was killed is missed after so long: there the broker says how long that is.
SHORT_SESSIONS = {
    "group.consumer.min.session.timeout.ms": "3000",
    "group.consumer.session.timeout.ms": "6000",
    "group.consumer.min.heartbeat.interval.ms": "500",
    "group.consumer.heartbeat.interval.ms": "500",
}


@case("kq's members share a group of the new protocol with librdkafka's", on=(KAFKA, KQD), always=True, full=(KAFKA,), config=SHORT_SESSIONS)
def with_librdkafka_848(setting, broker):
    from confluent_kafka import Consumer

    def member(group, topic):
        made = ConfluentMember.__new__(ConfluentMember)
        made.consumer = Consumer({"bootstrap.servers": broker.address, "group.id": group, "auto.offset.reset": "earliest",
                                  "log_level": 3, "group.protocol": "consumer"})
        made.values = []
        made.consumer.subscribe([topic])
        return made

    share_with(setting, broker, member, "consumer")


def with_java(setting, broker, assignor):
    topic, group = f"with-java-{assignor}", f"java-{assignor}"
    create_topic(broker, topic, PARTITIONS)
    names = {"range": "RangeAssignor", "sticky": "StickyAssignor", "cooperative-sticky": "CooperativeStickyAssignor"}
    kq = kq_member(setting, broker, group, topic, f"kq-{assignor}", "-X", f"partition.assignment.strategy={assignor}")
    java = java_member(setting, broker, group, topic, f"java-{assignor}",
                       f"partition.assignment.strategy=org.apache.kafka.clients.consumer.{names[assignor]}")
    try:
        until(lambda: settled(setting, broker, group, 2), f"kq and Java share the partitions by {assignor}")
        values = [f"value {i}" for i in range(200)]
        produce(setting, broker, topic, values)
        seen = lambda: [line.split(" ", 1)[1] for line in kq.lines()] + [line.split("\t", 1)[1] for line in java.lines()]  # noqa: E731
        until(lambda: len(seen()) >= len(values), "all records are read")
        assert sorted(seen()) == sorted(values)
        kq.stop()
        until(lambda: settled(setting, broker, group, 1), "Java has everything once kq has left")
    finally:
        kq.kill()
        java.kill()


@case("kq and Java share a group by range, sticky and cooperative-sticky", on=(KAFKA, KQD), always=True)
def with_java_members(setting, broker):
    for assignor in ("range", "sticky", "cooperative-sticky"):
        with_java(setting, broker, assignor)


@case("kq reads on from where its group has committed, over a restart of the broker and a kill", on=(KAFKA, KQD), always=True, full=(KAFKA,))
def resumes(setting, broker):
    kq = Command(setting, broker)
    create_topic(broker, "resumed", PARTITIONS)
    produce(setting, broker, "resumed", [str(i) for i in range(100)])
    everything = ["consume", "resumed", "-g", "readers", "--from-beginning", "--until-end"]
    assert sorted(kq(*everything).split(), key=int) == [str(i) for i in range(100)]
    assert kq(*everything) == ""
    produce(setting, broker, "resumed", [str(i) for i in range(100, 140)])
    assert len(kq("consume", "resumed", "-g", "readers", "-n", "10").split()) == 10
    broker.stop()
    broker.start()
    rest = kq(*everything).split()
    assert len(rest) == 30, f"{len(rest)} records were left, not 30"
    member = kq_member(setting, broker, "readers", "resumed", "follower")
    try:
        until(lambda: settled(setting, broker, "readers", 1), "the member has everything")
        produce(setting, broker, "resumed", ["before"])
        until(lambda: "before" in "".join(member.lines()), "a record before the restart")
        broker.kill()
        broker.start()
        produce(setting, broker, "resumed", ["after"])
        until(lambda: "after" in "".join(member.lines()), "a member goes on when its broker was killed and is back")
        member.stop()
    finally:
        member.kill()
    assert kq(*everything) == ""


@case("examples/group.c reads a topic as a member, commits what it has dealt with, and goes on there", on=(KAFKA, KQD), always=True)
def example(setting, broker):
    create_topic(broker, "examples", PARTITIONS)
    produce(setting, broker, "examples", [str(i) for i in range(50)])
    command = [str(setting.binaries / "examples/example_group"), broker.address, "example", "examples"]
    first = run([*command, "50"]).decode().splitlines()
    assert sorted(int(line.rsplit(" ", 1)[1]) for line in first) == list(range(50)), first
    produce(setting, broker, "examples", ["next"])
    second = run([*command, "1"]).decode().splitlines()
    assert second == ["examples-0 @13  next"], second


@case("kq group lists, describes, resets and deletes groups", on=(KAFKA, KQD), always=True)
def administration(setting, broker):
    kq = Command(setting, broker)
    create_topic(broker, "audited", PARTITIONS)
    produce(setting, broker, "audited", [str(i) for i in range(40)])
    kq("consume", "audited", "-g", "auditors", "--from-beginning", "--until-end", "-q")
    listed = json.loads(kq("group", "list", "-o", "json"))
    assert [(row["group"], row["type"], row["state"]) for row in listed] == [("auditors", "classic", "Empty")], listed
    shown = json.loads(kq("group", "describe", "auditors", "-o", "json"))[0]
    assert [(row["partition"], row["committed"], row["lag"]) for row in shown["offsets"]] == [(i, 10, 0) for i in range(PARTITIONS)], shown
    kq("group", "reset", "auditors", "--to-offset", "4", "--dry-run")
    assert kq("consume", "audited", "-g", "auditors", "--until-end", "-q") == ""
    kq("group", "reset", "auditors", "audited", "-p", "1,2", "--to-offset", "4")
    assert len(kq("consume", "audited", "-g", "auditors", "--until-end", "-q").split()) == 12
    kq("group", "reset", "auditors", "--shift-by", "-3")
    assert len(kq("consume", "audited", "-g", "auditors", "--until-end", "-q").split()) == 12
    kq("group", "reset", "auditors", "--to-earliest")
    member = kq_member(setting, broker, "auditors", "audited", "auditor")
    try:
        until(lambda: settled(setting, broker, "auditors", 1), "a member is there")
        shown = json.loads(kq("group", "describe", "auditors", "-o", "json"))[0]
        assert shown["state"] == "Stable" and shown["members"][0]["client"] == "kq", shown
        kq("group", "reset", "auditors", "--to-latest", status=REFUSED)
        assert "NON_EMPTY_GROUP" in kq.said, kq.said
        kq("group", "delete", "auditors", status=REFUSED)
        assert "NON_EMPTY_GROUP" in kq.said, kq.said
        member.stop()
    finally:
        member.kill()
    kq("group", "delete", "auditors")
    kq("group", "delete", "auditors", status=REFUSED)
    kq("group", "delete", "auditors", "--if-exists")
    assert kq("group", "list") == ""
    kq("consume", "audited", "other", "--from-beginning", status=2)
