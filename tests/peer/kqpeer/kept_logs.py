"""A directory that a real broker left, kept among the vectors: transactions, aborted ones, compaction, deleted records,
many segments."""

import json
import os
import pathlib
import shutil
import subprocess

from confluent_kafka import Consumer, KafkaError, TopicPartition

from kqpeer import wire
from kqpeer.cases import case
from kqpeer.downloads import HERE

INLINE_BYTES = 256  # above, the vectors give length and check sum


def vectors(setting):
    """KQ_VECTORS, else the archive beside the tests, unpacked."""
    if os.environ.get("KQ_VECTORS"):
        return pathlib.Path(os.environ["KQ_VECTORS"])
    target = setting.directory / "vectors"
    target.mkdir()
    subprocess.run(["tar", "--zstd", "-xf", str(HERE.parent / "vectors.tar.zst"), "-C", str(target)], check=True)
    return next(path.parent for path in target.rglob("logs") if path.is_dir())


def read(broker, topic, partition, start, isolation):
    consumer = Consumer(
        {
            "bootstrap.servers": broker.address,
            "group.id": "peer",
            "enable.auto.commit": False,
            "check.crcs": True,
            "enable.partition.eof": True,
            "isolation.level": isolation,
            "auto.offset.reset": "error",
            "fetch.wait.max.ms": 10,
        }
    )
    consumer.assign([TopicPartition(topic, partition, start)])
    messages = []
    try:
        while True:
            message = consumer.poll(30)
            assert message is not None, f"{topic}-{partition}: nothing for 30 s"
            if message.error():
                assert message.error().code() == KafkaError._PARTITION_EOF, message.error()
                return messages, consumer.get_watermark_offsets(TopicPartition(topic, partition), timeout=30)
            messages.append(message)
    finally:
        consumer.close()


def shown(data, whole):
    if data is None:
        return None
    return data.hex() if whole or len(data) <= INLINE_BYTES else {"len": len(data), "crc32c": wire.crc32c(data)}


def compare(broker, partition):
    topic, number = partition["topic"], partition["partition"]
    name = f"{topic}-{number}"
    internal = topic.startswith("__")
    messages, watermarks = read(broker, topic, number, partition["log_start_offset"], "read_uncommitted")
    assert watermarks == (partition["log_start_offset"], partition["high_watermark"]), f"{name}: {watermarks}"
    for message, record in zip(messages, partition["records"]):
        kind = {"CreateTime": 1, "LogAppendTime": 2, "NoTimestampType": 0}[record["timestamp_type"]]
        got = (
            message.offset(),
            message.timestamp(),
            shown(message.key(), internal),
            shown(message.value(), internal),
            [[key, None if value is None else value.hex()] for key, value in message.headers() or []],
        )
        wanted = (record["offset"], (kind, record["timestamp"]), record["key"], record["value"], record.get("headers", []))
        assert got == wanted, f"{name}: wanted {str(wanted)[:500]}, got {str(got)[:500]}"
        assert message.leader_epoch() in (
            None,
            record["leader_epoch"],
        ), f"{name}@{message.offset()}: epoch {message.leader_epoch()}"
    assert len(messages) == len(partition["records"]), f"{name}: {len(messages)} records of {len(partition['records'])}"
    committed, _ = read(broker, topic, number, partition["log_start_offset"], "read_committed")
    assert [message.offset() for message in committed] == partition["committed_offsets"], f"{name}: reading committed"


@case("serves every record of a directory that a real broker left, committed and uncommitted", start=False)
def kept_logs(setting, kind):
    logs = vectors(setting) / "logs"
    data = setting.directory / "kept"
    shutil.copytree(logs / "clean", data)
    subprocess.run(["chmod", "-R", "u+w", str(data)], check=True)
    broker = setting.broker(kind, {"log.retention.ms": "-1", "log.cleaner.enable": "false"}, data=data)
    broker.start()
    with open(logs / "records.jsonl", encoding="utf-8") as lines:
        for line in lines:
            compare(broker, json.loads(line))
    broker.stop()
