"""The same topics and the same records leave the same behind on Apache Kafka and on kqd: records, batches, start offsets."""

import re
import struct
import time

from kqpeer import wire
from kqpeer.cases import KAFKA, KQD, case
from kqpeer.main_job import create_topic

OFTEN = {
    "log.cleaner.backoff.ms": "100",
    "log.retention.check.interval.ms": "500",
    "log.initial.task.delay.ms": "100",
    "log.segment.delete.delay.ms": "1000",
}
STEP_MS = 10_000  # between batches; ten times segment.ms, so that each begins a segment
BASE_MS = 1_700_000_000_000
QUIET_SECONDS, WAIT_SECONDS_MAX = 4, 60

COMPACTED = dict(cleanup_policy="compact", segment_ms="1000", min_cleanable_dirty_ratio="1.0", min_compaction_lag_ms="0")


def send(broker, topic, data):
    """One batch, as it is; the answer's code must be none."""
    with wire.Connection(broker.port) as connection:
        code = connection.produce_error(topic, data)
    assert code == 0, f"{topic}: error {code}"


def keyed(records, number, producer=(-1, -1, -1), **fields):
    lines = [wire.record(key, value, offset_delta=i) for i, (key, value) in enumerate(records)]
    return wire.batch(lines, count=len(lines), timestamp=BASE_MS + number * STEP_MS, producer=producer, **fields)


def write_keys(broker, topic, first, count):
    for number in range(first, first + count):
        records = []
        for i in range(3):
            key = b"key-%d" % ((number * 5 + i * 3) % 11)
            records.append((key, None if (number + i) % 6 == 0 else b"value-%d-%d" % (number, i)))
        send(broker, topic, keyed(records, number))


def write_sequences(broker, topic, first, count):
    for number in range(first, first + count):
        producer = 4000 + number % 3
        send(broker, topic, keyed([(b"a", b"%d" % number), (b"b", b"%d" % number)], number, (producer, 0, number // 3 * 2)))


def write_transactions(broker, topic, first, count):
    from confluent_kafka import Producer

    producer = Producer({"bootstrap.servers": broker.address, "transactional.id": "peer", "linger.ms": 0, "log_level": 3})
    producer.init_transactions(30)
    for number in range(first, first + count):
        producer.begin_transaction()
        for i in range(2):
            producer.produce(topic, b"%d" % number, b"key-%d" % ((number + i) % 4), timestamp=BASE_MS + number * STEP_MS)
            producer.flush(30)
        producer.abort_transaction(30) if number % 3 == 1 else producer.commit_transaction(30)


def set_ratio(broker, topics, ratio):
    from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, ResourceType

    admin = AdminClient({"bootstrap.servers": broker.address, "log_level": 3})
    for topic in topics:
        entry = ConfigEntry("min.cleanable.dirty.ratio", ratio, incremental_operation=AlterConfigOpType.SET)
        resource = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=[entry])
        for future in admin.incremental_alter_configs([resource]).values():
            future.result(30)


def remaining(broker, topic, isolation="read_uncommitted"):
    """The log's start and end, and what is left between them; to the last stable offset where nothing follows it."""
    from confluent_kafka import Consumer, KafkaError, TopicPartition

    consumer = Consumer(
        {
            "bootstrap.servers": broker.address,
            "group.id": "nobody",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "isolation.level": isolation,
            "log_level": 3,
        }
    )
    try:
        low, high = consumer.get_watermark_offsets(TopicPartition(topic, 0), timeout=30)
        found = []
        consumer.assign([TopicPartition(topic, 0, low)] if low < high else [])
        while low < high:
            message = consumer.poll(30)
            assert message is not None, f"{topic}: nothing after {found[-1:]}"
            if not message.error():
                found.append((message.offset(), message.key(), message.value()))
            elif message.error().code() == KafkaError._PARTITION_EOF:
                break  # other errors are of a group's coordinator, which is not asked for here
        return low, high, found
    finally:
        consumer.close()


def checkpoint(broker):
    path = broker.data / "cleaner-offset-checkpoint"
    return path.read_text() if path.exists() else ""


def wait_until_quiet(broker, topics, compacted):
    """All is cleaned, and no file of the topics has changed for a while."""
    before, since = None, time.monotonic()
    deadline = since + WAIT_SECONDS_MAX
    while time.monotonic() < deadline:
        time.sleep(0.2)
        files = sorted((str(path), path.stat().st_size) for topic in topics for path in (broker.data / f"{topic}-0").glob("*.log"))
        now = (files, checkpoint(broker))
        if now != before:
            before, since = now, time.monotonic()
        elif time.monotonic() - since > QUIET_SECONDS and all(re.search(rf"^{topic} 0 ", now[1], re.M) for topic in compacted):
            return
    raise AssertionError(f"{type(broker).__name__} is not done: {before}")


def batches(broker, topic):
    """The headers of every batch on disk; a producer as the how-manieth it was."""
    found, producers = [], {}
    for path in sorted((broker.data / f"{topic}-0").glob("*.log")):
        data, at = path.read_bytes(), 0
        while at + 61 <= len(data):
            base, length, epoch, magic, _, attributes, last, _, largest, producer, producer_epoch, sequence, count = struct.unpack_from(
                ">qiibIhiqqqhii", data, at
            )
            if producer >= 0:
                producer = producers.setdefault(producer, len(producers))
            control = attributes & 0x20
            found.append((base, base + last, attributes, None if control else largest, producer, sequence, count))
            at += 12 + length
    return found


TOPICS = {"keys": write_keys, "sequences": write_sequences, "transactions": write_transactions}


def leave_behind(setting, kind):
    """Two rounds of writing and cleaning; after each what a reader sees, at the end what is on the disk."""
    broker = setting.broker(kind, OFTEN)
    broker.start()
    left = {}
    for topic in TOPICS:
        create_topic(broker, topic, **COMPACTED)
    for number, (first, count) in enumerate(((0, 14), (14, 9))):
        set_ratio(broker, TOPICS, "1.0")
        for topic, write in TOPICS.items():
            write(broker, topic, first, count)
        set_ratio(broker, TOPICS, "0.01")
        wait_until_quiet(broker, TOPICS, TOPICS)
        for topic in TOPICS:
            for isolation in ("read_uncommitted", "read_committed"):
                left[f"{topic}, round {number}, {isolation}"] = remaining(broker, topic, isolation)
    broker.stop()
    for topic in TOPICS:
        left[f"batches of {topic}"] = batches(broker, topic)
    left["checkpoint"] = sorted(line for line in checkpoint(broker).splitlines() if line.split()[0] in TOPICS)
    return left


def same(wanted, got):
    for what, expected in wanted.items():
        assert got[what] == expected, f"{what}: Kafka left\n{expected}\nkqd left\n{got[what]}"


@case("what compaction leaves is what Apache Kafka's cleaner leaves: records, empty batches, markers, checkpoints", on=KQD, start=False)
def compaction_leaves_the_same(setting, _):
    wanted = leave_behind(setting, KAFKA)
    assert any(count == 0 for *_, count in wanted["batches of sequences"]), "the scenario has lost its empty batches"
    same(wanted, leave_behind(setting, KQD))


def expire(setting, kind):
    broker = setting.broker(kind, OFTEN)
    broker.start()
    topics = {
        "by-time": dict(segment_ms="1000", retention_ms="3600000"),
        "by-size": dict(segment_ms="1000", retention_ms="-1", retention_bytes="700"),
        "by-both": dict(segment_ms="1000", retention_ms="3600000", retention_bytes="500"),
        "kept": dict(segment_ms="1000", retention_ms="-1"),
        "compact-delete": dict(COMPACTED, cleanup_policy="compact,delete", retention_ms="3600000"),
    }
    for topic, config in topics.items():
        create_topic(broker, topic, **config)
    now = int(time.time() * 1000) // 100_000 * 100_000
    for topic in topics:
        for number in range(20):
            age_ms = 7_200_000 if number < 12 else (20 - number) * STEP_MS
            records = [wire.record(b"key-%d" % number, b"v" * 40)]
            send(broker, topic, wire.batch(records, timestamp=now - age_ms))
    wait_until_quiet(broker, topics, [])
    left = {topic: remaining(broker, topic) for topic in topics}
    broker.stop()
    return left


@case("retention by time, by size, by both and by neither leaves what Apache Kafka leaves", on=KQD, start=False)
def retention_leaves_the_same(setting, _):
    wanted = expire(setting, KAFKA)
    assert len(wanted["kept"][2]) == 20 and 0 < len(wanted["by-time"][2]) < 20, wanted
    same(wanted, expire(setting, KQD))


@case("a compacted directory changes hands: Apache Kafka goes on where kqd's cleaner stopped, and kqd where Kafka's did", on=KQD, full=(KQD,), start=False)
def compacted_directory_changes_hands(setting, _):
    for first_kind, second_kind in ((KQD, KAFKA), (KAFKA, KQD)):
        first = setting.broker(first_kind, OFTEN)
        first.start()
        create_topic(first, "keys", **dict(COMPACTED, min_cleanable_dirty_ratio="0.01"))
        write_keys(first, "keys", 0, 14)
        wait_until_quiet(first, ["keys"], ["keys"])
        first.kill()
        second = setting.broker(second_kind, OFTEN, data=first.data)
        second.start()
        write_keys(second, "keys", 14, 9)
        wait_until_quiet(second, ["keys"], ["keys"])
        newest = {}
        for number in range(23):
            for i in range(3):
                key = b"key-%d" % ((number * 5 + i * 3) % 11)
                newest[key] = None if (number + i) % 6 == 0 else b"value-%d-%d" % (number, i)
        found = {key: value for _, key, value in remaining(second, "keys")[2]}
        assert {key: value for key, value in found.items() if value} == {key: value for key, value in newest.items() if value}, found
        second.stop()
