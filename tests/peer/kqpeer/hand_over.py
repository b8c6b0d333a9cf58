"""A data directory changes hands while stopped: from kqd to Apache Kafka, from Apache Kafka to kqd, and back."""

from confluent_kafka.admin import AdminClient

from kqpeer import records
from kqpeer.cases import KAFKA, KQD, case
from kqpeer.clients import CONFLUENT
from kqpeer.main_job import create_topic, dump_partition

TOPICS = {
    "codecs": dict(partitions=1),
    "wide": dict(partitions=8),
    "rolled": dict(partitions=1, segment_bytes=1 << 20),
    "compacted": dict(partitions=2, cleanup_policy="compact", min_cleanable_dirty_ratio="0.99", segment_bytes=64 << 20),
    "stamped": dict(partitions=1, message_timestamp_type="LogAppendTime"),
    "empty": dict(partitions=3),
    "gzipped": dict(partitions=1, compression_type="gzip"),
}


def fill(setting, broker, mark):
    """A few records of every kind in every topic but the empty one."""
    sample = records.all_records()
    for codec in records.CODECS:
        CONFLUENT.write(setting, broker, "codecs", sample, codec)
    for topic in ("stamped", "gzipped"):
        CONFLUENT.write(setting, broker, topic, sample, "none")
    for i in range(6):
        CONFLUENT.write(setting, broker, "rolled", sample, "none")
    for topic in ("wide", "compacted"):
        CONFLUENT.write(
            setting,
            broker,
            topic,
            [records.Record(f"{mark} {i}".encode(), b"%s-%d" % (mark.encode(), i)) for i in range(50)],
            "lz4",
        )


def contents(setting, broker):
    """All that a client can see: topics with their ids and partitions, and every record with offset and time."""
    admin = AdminClient({"bootstrap.servers": broker.address, "log_level": 3})
    listed = admin.list_topics(timeout=30).topics
    seen = {}
    for topic, settings in TOPICS.items():
        assert len(listed[topic].partitions) == settings["partitions"], topic
        for partition in range(settings["partitions"]):
            seen[topic, partition] = CONFLUENT.read(setting, broker, topic, None, partition)
    return seen


def configs(broker):
    from confluent_kafka.admin import ConfigResource, ResourceType

    admin = AdminClient({"bootstrap.servers": broker.address, "log_level": 3})
    resources = [ConfigResource(ResourceType.TOPIC, topic) for topic in TOPICS]
    names = {"cleanup.policy", "segment.bytes", "message.timestamp.type", "compression.type", "min.cleanable.dirty.ratio"}
    return {
        resource.name: {name: entry.value for name, entry in future.result(30).items() if name in names}
        for resource, future in admin.describe_configs(resources).items()
    }


def hand_over(setting, first_kind, second_kind, prepare=lambda broker: None):
    """first fills and leaves, second serves all of it and adds, first comes back and serves both."""
    first = setting.broker(first_kind)
    prepare(first)
    first.start()
    for topic, options in TOPICS.items():
        create_topic(first, topic, **{"partitions": 1, **options})
    fill(setting, first, "first")
    written, settings = contents(setting, first), configs(first)
    assert len(written["rolled", 0]) == 6 * len(records.all_records())
    first.stop()

    second = setting.broker(second_kind, data=first.data)
    prepare(second)
    second.start()
    compare(written, contents(setting, second), f"{second_kind} after {first_kind}")
    assert configs(second) == settings, configs(second)
    create_topic(second, "later", partitions=2)
    fill(setting, second, "second")
    written = contents(setting, second)
    second.stop()

    third = setting.broker(first_kind, data=first.data)
    prepare(third)
    third.start()
    compare(written, contents(setting, third), f"{first_kind} after {second_kind}")
    assert (
        len(
            AdminClient({"bootstrap.servers": third.address, "log_level": 3})
            .list_topics("later", timeout=30)
            .topics["later"]
            .partitions
        )
        == 2
    )
    third.stop()
    dump_partition(third, "codecs-0", len(written["codecs", 0]), records.CODECS)


def compare(wanted, got, who):
    for partition, expected in wanted.items():
        for one, other in zip(expected, got[partition]):
            assert one == other, f"{who}: {partition}: wanted {str(one)[:300]}, got {str(other)[:300]}"
        assert len(expected) == len(got[partition]), f"{who}: {partition} has {len(got[partition])} records of {len(expected)}"


@case("Apache Kafka serves what Apache Kafka left (the measure for the two below)", on=KAFKA, start=False)
def kafka_to_kafka(setting, _):
    hand_over(setting, KAFKA, KAFKA)


@case(
    "Apache Kafka starts on the directory that kqd formatted, filled and left, serves every record, and kqd takes it back",
    on=KQD,
    start=False,
)
def kqd_to_kafka(setting, _):
    hand_over(setting, KQD, KAFKA)


@case(
    "kqd starts on the directory that Apache Kafka formatted, filled and left, serves every record, and Kafka takes it back",
    on=KQD,
    start=False,
)
def kafka_to_kqd(setting, _):
    hand_over(setting, KAFKA, KQD)


def as_of_3_9(broker):
    """The quorum's voters in the properties, not in the metadata, and records as old as that release's."""
    broker.release = "3.9"
    broker.config["controller.quorum.bootstrap.servers"] = None
    broker.config["controller.quorum.voters"] = f"1@127.0.0.1:{broker.controller_port}"


@case(
    "kqd starts on a directory of release 3.9 whose voters stand in the properties, and Apache Kafka takes it back",
    on=KQD,
    full=(KQD,),
    start=False,
)
def older_kafka_to_kqd(setting, _):
    hand_over(setting, KAFKA, KQD, as_of_3_9)
