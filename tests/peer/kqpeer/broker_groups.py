"""Consumer groups of both protocols, with librdkafka, kcat and Kafka's own consumer and tools."""

import subprocess
import time

from confluent_kafka import Consumer, Producer, TopicPartition

from kqpeer.cases import BOTH, KQD, case
from kqpeer.clients import run
from kqpeer.main_job import create_topic
from kqpeer.servers import java

PARTITIONS = 4
SETTLE_SECONDS = 40
PROTOCOLS = ("classic", "consumer")


class Member:
    """A member that remembers what it was given, in its assignment and in records."""

    def __init__(self, broker, group, topic, protocol="classic", **config):
        settings = {
            "bootstrap.servers": broker.address,
            "group.id": group,
            "group.protocol": protocol,
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
            "reconnect.backoff.max.ms": 200,
            "topic.metadata.refresh.interval.ms": 1000,
            "log_level": 0,
        }
        if protocol == "classic":
            settings.update({"session.timeout.ms": 6000, "heartbeat.interval.ms": 300})
        self.rebalances = 0
        self.values = []
        self.consumer = Consumer({**settings, **config})
        self.consumer.subscribe([topic], on_assign=lambda *_: self.assigned())

    def assigned(self):
        self.rebalances += 1

    def poll(self):
        message = self.consumer.poll(0.05)
        if message is not None and not message.error():
            self.values.append(message.value())
        return message

    def partitions(self):
        return {each.partition for each in self.consumer.assignment()}

    def close(self):
        self.consumer.close()


def produce(broker, topic, values):
    producer = Producer({"bootstrap.servers": broker.address, "log_level": 0})
    for number, value in enumerate(values):
        producer.produce(topic, value=value, partition=number % PARTITIONS)
    assert producer.flush(30) == 0


def until(condition, members, what, seconds=SETTLE_SECONDS):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"{what}: {[sorted(each.partitions()) for each in members]}"
        for member in members:
            member.poll()


def shared(members):
    """Every partition has one owner."""
    owned = [partition for member in members for partition in member.partitions()]
    return sorted(owned) == list(range(PARTITIONS))


def evenly(members):
    counts = sorted(len(member.partitions()) for member in members)
    return shared(members) and counts[-1] - counts[0] <= 1


def members_come_and_go(protocol):
    def body(setting, broker):
        create_topic(broker, "t", PARTITIONS)
        members = [Member(broker, "g", "t", protocol)]
        until(lambda: shared(members), members, "the first gets all")
        members.append(Member(broker, "g", "t", protocol))
        until(lambda: evenly(members), members, "two share")
        members.pop(0).close()
        until(lambda: shared(members), members, "who stays gets all")
        members.pop().close()

    return body


def one_is_idle(protocol):
    def body(setting, broker):
        create_topic(broker, "t", PARTITIONS)
        members = [Member(broker, "g", "t", protocol) for _ in range(5)]
        idle = [0, 1, 1, 1, 1]
        until(lambda: shared(members) and sorted(len(m.partitions()) for m in members) == idle, members, "four have one, one has none")
        for member in members:
            member.close()

    return body


def resumes(protocol):
    def body(setting, broker):
        create_topic(broker, "t", PARTITIONS)
        produce(broker, "t", [b"%d" % i for i in range(100)])
        first = Member(broker, "g", "t", protocol)
        until(lambda: len(first.values) >= 100, [first], "all records")
        first.consumer.commit(asynchronous=False)
        broker.kill()
        broker.start()
        produce(broker, "t", [b"%d" % i for i in range(100, 120)])
        until(lambda: len(first.values) >= 120, [first], "the same member goes on")
        first.close()
        second = Member(broker, "g", "t", protocol)
        until(lambda: len(second.values) >= 20, [second], "another one begins at the commit")
        assert sorted(second.values) == sorted(b"%d" % i for i in range(100, 120)), second.values
        other = Member(broker, "other", "t", protocol)
        until(lambda: len(other.values) >= 120, [other], "another group gets everything")
        second.close()
        other.close()

    return body


def static_restart(protocol):
    def body(setting, broker):
        create_topic(broker, "t", PARTITIONS)

        def member(number):
            return Member(broker, "g", "t", protocol, **{"group.instance.id": f"instance-{number}"})

        members = [member(0), member(1)]
        until(lambda: evenly(members), members, "two share")
        kept, before = members[1].rebalances, members[0].partitions()
        members[0].close()
        members[0] = member(0)
        until(lambda: shared(members), members, "it has its partitions again")
        assert members[0].partitions() == before
        assert members[1].rebalances == kept, "the other one was disturbed"
        for each in members:
            each.close()

    return body


for _protocol in PROTOCOLS:
    case(f"members of a {_protocol} group come and go", on=BOTH)(members_come_and_go(_protocol))
    case(f"five members of a {_protocol} group on four partitions leave one idle", on=BOTH)(one_is_idle(_protocol))
    case(f"a {_protocol} group resumes from its commit after kill -9", on=BOTH)(resumes(_protocol))
    case(f"a static member of a {_protocol} group restarts without a rebalance", on=BOTH)(static_restart(_protocol))


def console_consumer(broker, group, protocol, count):
    command = java(
        "org.apache.kafka.tools.consumer.ConsoleConsumer",
        "--bootstrap-server",
        broker.address,
        "--topic",
        "t",
        "--group",
        group,
        "--max-messages",
        str(count),
        "--timeout-ms",
        "30000",
        "--command-property",
        f"group.protocol={protocol}",
        "--command-property",
        "auto.offset.reset=earliest",
    )
    return sorted(run(command).split())


def consumer_groups(broker, *arguments):
    return run(java("org.apache.kafka.tools.consumer.group.ConsumerGroupCommand", "--bootstrap-server", broker.address, *arguments)).decode()


def by_java(protocol):
    def body(setting, broker):
        create_topic(broker, "t", PARTITIONS)
        produce(broker, "t", [b"%02d" % i for i in range(40)])
        assert console_consumer(broker, "g", protocol, 40) == [b"%02d" % i for i in range(40)]
        produce(broker, "t", [b"%02d" % i for i in range(40, 50)])
        broker.kill()
        broker.start()
        assert console_consumer(broker, "g", protocol, 10) == [b"%02d" % i for i in range(40, 50)]

    return body


for _protocol in PROTOCOLS:
    case(f"the Java consumer resumes a {_protocol} group", on=BOTH)(by_java(_protocol))


@case("kafka-consumer-groups lists, describes, resets and deletes", on=BOTH)
def tool(setting, broker):
    create_topic(broker, "t", PARTITIONS)
    produce(broker, "t", [b"%02d" % i for i in range(40)])
    member = Member(broker, "g", "t")
    until(lambda: len(member.values) >= 40, [member], "all records")
    member.consumer.commit(asynchronous=False)
    assert "g" in consumer_groups(broker, "--list").split()
    states = consumer_groups(broker, "--list", "--state")
    assert "Stable" in states, states
    described = consumer_groups(broker, "--describe", "--group", "g")
    lags = [line.split()[5] for line in described.splitlines() if line.startswith("g ")]
    assert lags == ["0"] * PARTITIONS, described
    member.close()
    reset = consumer_groups(broker, "--reset-offsets", "--group", "g", "--topic", "t", "--to-earliest", "--execute")
    assert len([line for line in reset.splitlines() if line.startswith("g ")]) == PARTITIONS, reset
    again = Member(broker, "g", "t")
    until(lambda: len(again.values) >= 40, [again], "everything again")
    again.close()
    consumer_groups(broker, "--delete", "--group", "g")
    assert "g" not in consumer_groups(broker, "--list").split()


@case("kcat consumes in a group", on=BOTH)
def by_kcat(setting, broker):
    create_topic(broker, "t", PARTITIONS)
    produce(broker, "t", [b"%02d" % i for i in range(20)])
    command = ["kcat", "-b", broker.address, "-G", "g", "-q", "-e", "-X", "auto.offset.reset=earliest", "t"]
    assert sorted(run(command, stdin=subprocess.DEVNULL).split()) == [b"%02d" % i for i in range(20)]
    assert run(command, stdin=subprocess.DEVNULL).split() == []


@case("committed offsets are in __consumer_offsets as Kafka's dump tool reads them", on=BOTH)
def dump(setting, broker):
    create_topic(broker, "t", PARTITIONS)
    consumer = Consumer({"bootstrap.servers": broker.address, "group.id": "g", "log_level": 0})
    consumer.commit(offsets=[TopicPartition("t", 1, 7, metadata="note")], asynchronous=False)
    consumer.close()
    broker.stop()
    text = ""
    for partition in range(2):
        log = broker.data / f"__consumer_offsets-{partition}" / "00000000000000000000.log"
        text += run(java("kafka.tools.DumpLogSegments", "--offsets-decoder", "--files", str(log))).decode()
    assert '"group":"g"' in text and '"offset":7' in text and '"metadata":"note' in text, text


@case("a group's offsets and members survive Apache Kafka and kqd in turn", on=KQD)
def hand_over(setting, broker):
    create_topic(broker, "t", PARTITIONS)
    consumer = Consumer({"bootstrap.servers": broker.address, "group.id": "g", "log_level": 0})
    consumer.commit(offsets=[TopicPartition("t", 1, 7)], asynchronous=False)
    consumer.close()
    broker.stop()
    kafka = setting.broker("kafka", {}, data=broker.data)
    kafka.start()
    reader = Consumer({"bootstrap.servers": kafka.address, "group.id": "g", "log_level": 0})
    assert reader.committed([TopicPartition("t", 1)], timeout=30)[0].offset == 7
    reader.commit(offsets=[TopicPartition("t", 2, 9)], asynchronous=False)
    reader.close()
    kafka.stop()
    broker.start()
    reader = Consumer({"bootstrap.servers": broker.address, "group.id": "g", "log_level": 0})
    assert [each.offset for each in reader.committed([TopicPartition("t", 1), TopicPartition("t", 2)], timeout=30)] == [7, 9]
    reader.close()
