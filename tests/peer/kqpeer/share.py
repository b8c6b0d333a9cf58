"""Share groups, with Kafka's share consumer and its tools."""

import time

from kqpeer.cases import BOTH, case
from kqpeer.clients import run
from kqpeer.main_job import create_topic
from kqpeer.servers import java

SETTLE_SECONDS = 30


def tool(main, broker, *arguments):
    return run(java(main, "--bootstrap-server", broker.address, *arguments)).decode()


def configure(broker, group, setting):
    tool("kafka.admin.ConfigCommand", broker, "--alter", "--entity-type", "groups", "--entity-name", group, "--add-config", setting)


def groups(broker, *arguments):
    return tool("org.apache.kafka.tools.consumer.group.ShareGroupCommand", broker, *arguments)


def produce(broker, topic, values):
    from confluent_kafka import Producer

    producer = Producer({"bootstrap.servers": broker.address, "log_level": 0})
    for value in values:
        producer.produce(topic, value=value)
    assert producer.flush(30) == 0


def consume(broker, group, topic, count, *arguments):
    """What a console share consumer prints, which accepts each record (or does with it as `arguments` say)."""
    printed = tool(
        "org.apache.kafka.tools.consumer.ConsoleShareConsumer",
        broker,
        "--topic",
        topic,
        "--group",
        group,
        "--max-messages",
        str(count),
        "--timeout-ms",
        "20000",
        *arguments,
    )
    return sorted(line for line in printed.splitlines() if line)


def values(first, last):
    return [f"v{number:04}" for number in range(first, last)]


def group_row(broker, group, *arguments):
    """The columns of a group's only row in a description."""
    rows = groups(broker, "--describe", "--group", group, *arguments).split("\n")
    return next(line.split() for line in rows if line.startswith(group))


@case("a share group gets each record once, and goes on after a kill", on=BOTH)
def each_record_once(setting, broker):
    create_topic(broker, "t", 1)
    configure(broker, "g", "share.auto.offset.reset=earliest")
    produce(broker, "t", values(0, 100))
    assert consume(broker, "g", "t", 100) == values(0, 100)
    broker.kill()
    broker.start()
    produce(broker, "t", values(100, 150))
    assert consume(broker, "g", "t", 50) == values(100, 150)


@case("what a share consumer releases comes again, and what it rejects does not", on=BOTH)
def released_and_rejected(setting, broker):
    create_topic(broker, "t", 1)
    configure(broker, "g", "share.auto.offset.reset=earliest")
    produce(broker, "t", values(0, 10))
    assert consume(broker, "g", "t", 10, "--release") == values(0, 10)
    assert consume(broker, "g", "t", 10, "--reject") == values(0, 10)
    produce(broker, "t", values(10, 20))
    assert consume(broker, "g", "t", 10) == values(10, 20)


@case("kafka-share-groups lists, describes, resets and deletes", on=BOTH)
def administration(setting, broker):
    create_topic(broker, "t", 1)
    configure(broker, "g", "share.auto.offset.reset=earliest")
    produce(broker, "t", values(0, 10))
    assert consume(broker, "g", "t", 10) == values(0, 10)
    deadline = time.monotonic() + SETTLE_SECONDS
    while "Empty" not in groups(broker, "--list", "--state"):
        assert time.monotonic() < deadline, "the member does not leave"
    assert groups(broker, "--list").split() == ["g"]
    assert "share" in tool("org.apache.kafka.tools.GroupsCommand", broker, "--list").lower()
    row = group_row(broker, "g")
    assert row[1:4] == ["t", "0", row[3]] and int(row[4]) == 0, row
    groups(broker, "--reset-offsets", "--group", "g", "--topic", "t", "--to-earliest", "--execute")
    assert group_row(broker, "g")[3] == "0"
    assert consume(broker, "g", "t", 10) == values(0, 10)
    groups(broker, "--delete-offsets", "--group", "g", "--topic", "t")
    groups(broker, "--delete", "--group", "g")
    assert groups(broker, "--list").split() == []
