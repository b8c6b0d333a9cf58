"""Records go in by every writer under every codec, and every reader gets them back byte for byte."""

import re

from kqpeer import clients, records
from kqpeer.cases import BOTH, KAFKA, KQD, case
from kqpeer.clients import CONFLUENT, CONSOLE, KCAT, KQ, run
from kqpeer.servers import java


def topics(broker, *arguments):
    return run(java("org.apache.kafka.tools.TopicCommand", "--bootstrap-server", broker.address, *arguments)).decode()


def create_topic(broker, topic, partitions=1, **config):
    """By librdkafka: a process less than kafka-topics."""
    from confluent_kafka.admin import AdminClient, NewTopic

    admin = AdminClient({"bootstrap.servers": broker.address, "log_level": 3})
    admin.create_topics([NewTopic(topic, partitions, 1, config={key.replace("_", "."): value for key, value in config.items()})])[
        topic
    ].result(30)


def round_trip(setting, broker, writer, readers, sample):
    """One writer fills a partition, codec after codec; then each reader reads it all."""
    topic = re.sub(r"\W+", "-", f"by-{writer.name}")
    create_topic(broker, topic)
    expected = []
    for codec in records.CODECS:
        written = [writer.writes(record) for record in sample]
        writer.write(setting, broker, topic, written, codec)
        expected += written
    first = None
    for reader in readers:
        seen = reader.read(setting, broker, topic, len(expected))
        clients.compare(reader, seen, expected)
        assert [item.offset for item in seen] == list(range(len(expected))), f"{reader.name}: offsets with gaps"
        times = [item.timestamp for item in seen]
        first = first or times
        assert times == first, f"{reader.name} sees other timestamps"


@case("librdkafka writes with every codec; kcat, Kafka's console consumer and librdkafka read")
def by_librdkafka(setting, broker):
    round_trip(setting, broker, CONFLUENT, [CONFLUENT, KCAT, CONSOLE], records.all_records())


@case("kcat writes with every codec; kcat, Kafka's console consumer and librdkafka read")
def by_kcat(setting, broker):
    round_trip(setting, broker, KCAT, [CONFLUENT, KCAT, CONSOLE], records.text_records())


@case("Kafka's console producer writes with every codec; kcat, Kafka's console consumer and librdkafka read")
def by_console(setting, broker):
    round_trip(setting, broker, CONSOLE, [CONFLUENT, KCAT, CONSOLE], records.text_records())


@case("kq writes with every codec; kq, kcat, Kafka's console consumer and librdkafka read", always=True)
def by_kq(setting, broker):
    round_trip(setting, broker, KQ, [KQ, CONFLUENT, KCAT, CONSOLE], records.all_records())


@case("kq reads what librdkafka wrote with every codec", always=True)
def kq_reads(setting, broker):
    round_trip(setting, broker, CONFLUENT, [KQ], records.all_records())


@case("kafka-topics creates, lists, describes, grows and deletes topics")
def kafka_topics(setting, broker):
    topics(
        broker,
        "--create",
        "--topic",
        "orders",
        "--partitions",
        "3",
        "--replication-factor",
        "1",
        "--config",
        "retention.ms=3600000",
    )
    topics(broker, "--create", "--topic", "other", "--partitions", "1")
    assert {"orders", "other"} <= set(topics(broker, "--list").split())
    described = topics(broker, "--describe", "--topic", "orders")
    assert re.search(
        r"Topic: orders\s+TopicId: [\w-]{22}\s+PartitionCount: 3\s+ReplicationFactor: 1\s+Configs: .*retention.ms=3600000",
        described,
    ), described
    assert len(re.findall(r"Partition: \d\s+Leader: 1\s+Replicas: 1\s+Isr: 1", described)) == 3, described
    topics(broker, "--alter", "--topic", "orders", "--partitions", "5")
    assert "PartitionCount: 5" in topics(broker, "--describe", "--topic", "orders")
    topics(broker, "--delete", "--topic", "orders")
    assert "orders" not in topics(broker, "--list").split()


@case("kafka-get-offsets finds the first, the last, the newest and a time")
def get_offsets(setting, broker):
    create_topic(broker, "timed", partitions=2)
    CONFLUENT.write(
        setting,
        broker,
        "timed",
        [records.Record(b"v", None, (), records.BASE_TIME_MS + time * 1000) for time in [0, 5, 3, 9, 7]],
        "none",
    )

    def offsets(time):
        output = run(
            java(
                "org.apache.kafka.tools.GetOffsetShell",
                "--bootstrap-server",
                broker.address,
                "--topic",
                "timed",
                "--time",
                str(time),
            )
        )
        return output.decode().split()

    assert offsets(-2) == ["timed:0:0", "timed:1:0"], offsets(-2)
    assert offsets(-1) == ["timed:0:5", "timed:1:0"], offsets(-1)
    assert offsets(-3)[0] == "timed:0:3", offsets(-3)
    assert offsets(records.BASE_TIME_MS + 4000)[0] == "timed:0:1", offsets(records.BASE_TIME_MS + 4000)


@case("kafka-dump-log reads every file without complaint", config={"log.segment.bytes": "1048576"}.items())
def dump_log(setting, broker):
    create_topic(broker, "dumped")
    # librdkafka takes lz4 to be there where FindCoordinator is, so kq writes as well.
    for codec in records.CODECS:
        for client in (CONFLUENT, KQ):
            client.write(setting, broker, "dumped", records.all_records(), codec)
    broker.stop()
    dump_partition(broker, "dumped-0", 2 * len(records.all_records()) * len(records.CODECS), records.CODECS)


def dump_partition(broker, partition, count, codecs=()):
    """The dump tool over all files of a partition.  It complains in words, never by its exit status."""
    folder = broker.data / partition
    files = sorted(
        str(path) for path in folder.iterdir() if path.suffix in (".log", ".index", ".timeindex", ".txnindex", ".snapshot")
    )
    logs = [path for path in files if path.endswith(".log")]
    assert logs, f"no segment in {folder}"
    output = run(java("kafka.tools.DumpLogSegments", "--deep-iteration", "--print-data-log", "--files", ",".join(files))).decode(
        errors="replace"
    )
    for complaint in (
        "Found timestamp mismatch",
        "Found out of order",
        "Mismatches in",
        "Found indexed offset",
        "Non-consecutive",
        "Exception",
        "is corrupt",
        "invalid",
        "isvalid: false",
        "Ignoring unknown",
    ):
        assert (
            complaint.lower() not in output.lower()
        ), f"{complaint}: {next(line for line in output.splitlines() if complaint.lower() in line.lower())}"
    dumped = len(re.findall(r"^\| offset: \d+", output, re.M))
    assert dumped == count, f"the dump shows {dumped} records of {count}"
    for codec in codecs:
        assert f"compresscodec: {codec}" in output, f"no batch with codec {codec}"
