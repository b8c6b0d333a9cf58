"""The broker dies in the middle of the work; nothing acknowledged may be lost, doubled or moved."""

import os
import random
import time

from confluent_kafka import Producer

from kqpeer.cases import KAFKA, case
from kqpeer.clients import CONFLUENT
from kqpeer.main_job import create_topic

FULL = os.environ.get("KQ_TEST_TIER") == "full"
PARTITIONS = 3


class Numbered:
    """An idempotent producer of numbered records, which remembers what was acknowledged where."""

    def __init__(self, broker, topic, codec):
        self.topic = topic
        self.sent = [0] * PARTITIONS
        self.acked = {}
        self.failures = []
        self.producer = Producer(
            {
                "bootstrap.servers": broker.address,
                "enable.idempotence": True,
                "acks": "all",
                "compression.type": codec,
                "linger.ms": 2,
                "reconnect.backoff.ms": 20,
                "reconnect.backoff.max.ms": 200,
                "retry.backoff.ms": 20,
                "message.timeout.ms": 120000,
                "log_level": 0,
            }
        )

    def delivered(self, error, message):
        if error:
            self.failures.append(str(error))
        else:
            self.acked[message.partition(), int(message.value().split()[0])] = message.offset()

    def send_for(self, seconds):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            for partition in range(PARTITIONS):
                number = self.sent[partition]
                self.producer.produce(
                    self.topic, value=b"%d %s" % (number, b"x" * (number % 300)), partition=partition, on_delivery=self.delivered
                )
                self.sent[partition] += 1
            self.producer.poll(0.001)

    def finish(self):
        left = self.producer.flush(120)
        assert not left and not self.failures, f"{left} records left, failed: {self.failures[:3]}"


@case("keeps every acknowledged record once and in order when it is killed again and again while producers write")
def killed_while_producing(setting, broker):
    noise = random.Random(os.environ.get("KQ_TEST_SEED", "3"))
    create_topic(broker, "numbered", partitions=PARTITIONS)
    numbered = Numbered(broker, "numbered", "lz4")
    rounds = 2 if broker.__class__.__name__ == "Kafka" else 40 if FULL else 8
    for _ in range(rounds):
        numbered.send_for(noise.uniform(0.1, 0.7))
        broker.kill()
        numbered.send_for(noise.uniform(0, 0.2))
        broker.start()
    numbered.send_for(0.3)
    numbered.finish()
    for partition in range(PARTITIONS):
        seen = CONFLUENT.read(setting, broker, "numbered", None, partition)
        numbers = [int(item.value.split()[0]) for item in seen]
        assert numbers == list(
            range(numbered.sent[partition])
        ), f"partition {partition}: {len(numbers)} records for {numbered.sent[partition]} sent"
        for item, number in zip(seen, numbers):
            assert numbered.acked[partition, number] == item.offset, f"record {number} was acknowledged elsewhere than it is"


@case("starts again after kill -9 with what was written and not yet flushed")
def killed_at_rest(setting, broker):
    create_topic(broker, "left", partitions=2, segment_bytes=1 << 20)
    numbered = Numbered(broker, "left", "none")
    numbered.sent = [0] * PARTITIONS
    for partition in range(2):
        for number in range(30_000):
            numbered.producer.produce(
                "left", value=b"%d %s" % (number, b"y" * 90), partition=partition, on_delivery=numbered.delivered
            )
            numbered.producer.poll(0)
    numbered.finish()
    broker.kill()
    broker.start()
    for partition in range(2):
        numbers = [int(item.value.split()[0]) for item in CONFLUENT.read(setting, broker, "left", None, partition)]
        assert numbers == list(range(30_000)), f"partition {partition}: {len(numbers)} records"
