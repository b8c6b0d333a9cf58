"""What is built on top of Kafka: Kafka Streams and Kafka Connect, exactly once, while they and the broker are killed."""

import collections
import json
import os
import random
import signal
import subprocess
import time
import urllib.error
import urllib.request

from confluent_kafka import Consumer, Producer, TopicPartition

from kqpeer import downloads
from kqpeer.cases import KAFKA, KQD, case
from kqpeer.main_job import create_topic
from kqpeer.servers import SHORT_LIVED_JVM, free_port, java

APPLICATION_SECONDS = 120
QUICK = {"group.min.session.timeout.ms": "1000"}


class Application:
    """A Java program beside the broker, which may be killed and started again."""

    def __init__(self, setting, name, command):
        self.name, self.command = name, command
        self.log = setting.directory / f"{name}.log"
        self.process = None

    def start(self):
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(self.command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True)

    def kill(self):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()

    def tail(self):
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-40:])

    def await_true(self, what, condition):
        """Polls: what an application has reached shows in topics and answers alone."""
        deadline = time.monotonic() + APPLICATION_SECONDS
        while not condition():
            assert self.process.poll() is None, f"{self.name} ended with status {self.process.returncode}:\n{self.tail()}"
            assert time.monotonic() < deadline, f"{self.name}: not after {APPLICATION_SECONDS} s: {what()}\n{self.tail()}"
            time.sleep(0.05)


class Committed:
    """Reads what is committed in a topic's partitions, from the start on, as it comes."""

    def __init__(self, broker, topic, partitions):
        self.records = []
        self.consumer = Consumer(
            {
                "bootstrap.servers": broker.address,
                "group.id": "unused",
                "enable.auto.commit": False,
                "isolation.level": "read_committed",
                "reconnect.backoff.max.ms": 200,
                "log_level": 0,
            }
        )
        self.consumer.assign([TopicPartition(topic, partition, 0) for partition in range(partitions)])

    def read(self):
        while message := self.consumer.poll(0.1):
            if not message.error():
                self.records.append((message.key(), message.value()))
        return self.records


def write(broker, topic, values):
    producer = Producer({"bootstrap.servers": broker.address, "enable.idempotence": True, "reconnect.backoff.max.ms": 200, "log_level": 0})
    failed = []
    for number, value in enumerate(values):
        producer.produce(topic, value=value, partition=number % 2, on_delivery=lambda error, _: error and failed.append(str(error)))
        producer.poll(0)
    assert producer.flush(60) == 0 and not failed, failed[:3]


@case("counts words exactly for Kafka Streams with exactly_once_v2 while it and the application are killed", on=(KAFKA, KQD), config=QUICK.items())
def streams(setting, broker):
    noise = random.Random(os.environ.get("KQ_TEST_SEED", "7"))
    words = [f"word{number}" for number in range(20)]
    wanted = collections.Counter()

    def lines(count):
        for _ in range(count):
            line = [noise.choice(words) for _ in range(5)]
            wanted.update(line)
            yield " ".join(line)

    create_topic(broker, "lines", partitions=2)
    create_topic(broker, "counts", partitions=2)
    program = [
        "java",
        *SHORT_LIVED_JVM,
        f"-Dlog4j2.configurationFile={downloads.HERE}/kafka/log4j2.properties",
        "-cp",
        f"{downloads.kafka_jars()}/*",
        str(downloads.HERE / "kafka/WordCount.java"),
        broker.address,
        str(setting.directory / "state"),
    ]
    application = Application(setting, "word-count", program)
    results = Committed(broker, "counts", 2)

    def counted():
        latest = {}
        for key, value in results.read():
            word, count = key.decode(), int(value)
            assert count == latest.get(word, count) or count > latest[word], f"{word} went from {latest[word]} to {count}"
            latest[word] = count
        assert all(count <= wanted[word] for word, count in latest.items()), "counted more than there was"
        return latest

    try:
        application.start()
        for kill in (None, broker, application, broker, None):
            write(broker, "lines", lines(400))
            if kill is not None:
                seen = len(results.records)
                application.await_true(lambda: "no more counts", lambda: len(results.read()) > seen)
                kill.kill()
                kill.start()
        application.await_true(lambda: f"{sum(counted().values())} of {sum(wanted.values())} words", lambda: counted() == wanted)
    finally:
        application.kill()


@case("moves a file exactly once for Kafka Connect in distributed mode while the worker is killed", on=(KAFKA, KQD), config=QUICK.items())
def connect(setting, broker):
    create_topic(broker, "moved")
    source = setting.directory / "source"
    source.write_bytes(b"")
    port = free_port()
    settings = {
        "bootstrap.servers": broker.address,
        "group.id": "connect",
        "listeners": f"http://127.0.0.1:{port}",
        "key.converter": "org.apache.kafka.connect.storage.StringConverter",
        "value.converter": "org.apache.kafka.connect.storage.StringConverter",
        "exactly.once.source.support": "enabled",
        "transaction.boundary": "poll",
        "session.timeout.ms": "6000",
        "heartbeat.interval.ms": "1000",
        "reconnect.backoff.max.ms": "200",
        "plugin.discovery": "only_scan",
        **{f"{kind}.storage.topic": f"connect-{kind}" for kind in ("config", "offset", "status")},
        **{f"{kind}.storage.replication.factor": "1" for kind in ("config", "offset", "status")},
        "offset.storage.partitions": "2",
        "status.storage.partitions": "1",
    }
    worker = Application(
        setting,
        "connect",
        java(
            "org.apache.kafka.connect.cli.ConnectDistributed",
            setting.file("worker.properties", "".join(f"{key}={value}\n" for key, value in settings.items())),
        ),
    )
    connector = {
        "name": "file",
        "config": {
            "connector.class": "org.apache.kafka.connect.file.FileStreamSourceConnector",
            "tasks.max": "1",
            "file": str(source),
            "topic": "moved",
            "exactly.once.support": "required",
        },
    }

    def ask(method, path, body=None):
        request = urllib.request.Request(
            f"http://127.0.0.1:{port}{path}",
            method=method,
            data=body and json.dumps(body).encode(),
            headers={"Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return json.load(answer)
        except (urllib.error.URLError, OSError):
            return None

    moved = Committed(broker, "moved", 1)
    written = 0

    def append(count):
        nonlocal written
        with open(source, "ab") as file:
            file.write(b"".join(b"line %d\n" % number for number in range(written, written + count)))
        written += count

    def all_moved():
        values = [value for _, value in moved.read()]
        assert values == [b"line %d" % number for number in range(len(values))], "lines are missing, doubled or out of order"
        return len(values) == written

    try:
        worker.start()
        worker.await_true(lambda: "no connector", lambda: ask("POST", "/connectors", connector))
        for kill in (None, worker, None):
            append(500)
            if kill is not None:
                kill.kill()
                kill.start()
            worker.await_true(lambda: f"{len(moved.records)} of {written} lines", all_moved)
    finally:
        worker.kill()
