"""What operators ask a broker: where its bytes lie, who leads, what is configured.  The same answers on Apache Kafka and on kqd."""

import json

from kqpeer.cases import BOTH, case
from kqpeer.clients import run
from kqpeer.groups import until
from kqpeer.main_job import create_topic
from kqpeer.servers import java

RECORDS, RECORD_BYTES = 200, 1000


def tool(broker, main, *arguments):
    return run(java(main, "--bootstrap-server", broker.address, *arguments)).decode()


def fill(broker, topic):
    from confluent_kafka import Producer

    producer = Producer({"bootstrap.servers": broker.address, "log_level": 3})
    for number in range(RECORDS):
        producer.produce(topic, b"v" * RECORD_BYTES, partition=number % 2)
    producer.flush(30)


def admin(broker):
    from confluent_kafka.admin import AdminClient

    return AdminClient({"bootstrap.servers": broker.address, "log_level": 3})


@case("kafka-log-dirs tells how many bytes each partition has", on=BOTH)
def log_dirs(setting, broker):
    create_topic(broker, "filled", partitions=2)
    create_topic(broker, "empty", partitions=1)
    fill(broker, "filled")
    output = tool(broker, "org.apache.kafka.tools.LogDirsCommand", "--describe", "--topic-list", "filled,empty")
    told = json.loads(next(line for line in output.splitlines() if line.startswith("{")))
    (directory,) = told["brokers"][0]["logDirs"]
    assert directory["error"] is None, directory
    sizes = {p["partition"]: (p["size"], p["offsetLag"], p["isFuture"]) for p in directory["partitions"]}
    assert set(sizes) == {"filled-0", "filled-1", "empty-0"}, sizes
    assert sizes["empty-0"] == (0, 0, False), sizes
    half = RECORDS // 2 * RECORD_BYTES
    for name in ("filled-0", "filled-1"):
        assert half < sizes[name][0] < 2 * half and sizes[name][1:] == (0, False), sizes


@case("kafka-leader-election finds nothing to elect, and knows what is not there", on=BOTH)
def leader_election(setting, broker):
    create_topic(broker, "led", partitions=2)
    main = "org.apache.kafka.tools.LeaderElectionCommand"
    said = tool(broker, main, "--election-type", "preferred", "--topic", "led", "--partition", "0")
    assert "Valid replica already elected for partitions led-0" in said, said
    tool(broker, main, "--election-type", "preferred", "--all-topic-partitions")
    tool(broker, main, "--election-type", "unclean", "--all-topic-partitions")


@case("kafka-reassign-partitions lists no reassignment", on=BOTH)
def reassignments(setting, broker):
    create_topic(broker, "placed", partitions=2)
    said = tool(broker, "org.apache.kafka.tools.reassign.ReassignPartitionsCommand", "--list")
    assert "No partition reassignments found." in said, said


@case("alter_configs of old clients replaces all settings of a topic", on=BOTH)
def alter_configs(setting, broker):
    from confluent_kafka.admin import ConfigResource

    create_topic(broker, "set", partitions=1)
    client = admin(broker)

    def own():
        (future,) = client.describe_configs([ConfigResource("topic", "set")]).values()
        return {name: entry.value for name, entry in future.result(30).items() if entry.source == 1}

    for wanted in ({"retention.ms": "1000", "segment.ms": "5000"}, {"segment.ms": "6000"}, {}):
        (future,) = client.alter_configs([ConfigResource("topic", "set", set_config=wanted)]).values()
        future.result(30)
        until(lambda: own() == wanted, f"the settings to be {wanted}")
    (future,) = client.alter_configs([ConfigResource("topic", "set", set_config={"no.such.key": "1"})]).values()
    assert "INVALID_CONFIG" in str(future.exception(30)), future.exception(30)
    assert own() == {}


@case("kafka-configs lists what has settings of its own", on=BOTH)
def config_resources(setting, broker):
    main = "org.apache.kafka.tools.ClientMetricsCommand"
    tool(broker, main, "--alter", "--name", "watch", "--metrics", "org.apache.kafka.producer.", "--interval", "60000")
    said = tool(broker, main, "--list")
    assert said.split() == ["watch"], said
    said = tool(broker, "kafka.admin.ConfigCommand", "--describe", "--entity-type", "groups")
    assert "Dynamic configs for group" not in said, said
