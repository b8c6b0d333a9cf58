"""Transactions: all or nothing for readers of committed records, whoever writes, whoever dies."""

import os
import random
import re
import subprocess
import time

from confluent_kafka import KafkaException, Producer

from kqpeer import clients, downloads
from kqpeer.cases import KAFKA, KQD, case
from kqpeer.clients import CONFLUENT
from kqpeer.main_job import create_topic
from kqpeer.records import Record
from kqpeer.servers import java

FULL = os.environ.get("KQ_TEST_TIER") == "full"


def transactional(broker, transactional_id, **settings):
    producer = Producer(
        {
            "bootstrap.servers": broker.address,
            "transactional.id": transactional_id,
            "transaction.timeout.ms": 60000,
            "linger.ms": 1,
            "reconnect.backoff.ms": 20,
            "reconnect.backoff.max.ms": 200,
            "retry.backoff.ms": 20,
            "log_level": 0,
            **{key.replace("_", "."): value for key, value in settings.items()},
        }
    )
    producer.init_transactions(30)
    return producer


def values(setting, broker, topic, partition=0, isolation="read_committed"):
    return [item.value.decode() for item in CONFLUENT.read(setting, broker, topic, None, partition, isolation)]


def tool(broker, *arguments):
    return clients.run(java("org.apache.kafka.tools.TransactionsCommand", "--bootstrap-server", broker.address, *arguments)).decode()


@case("commits become visible at once and aborts never do, to confluent-kafka")
def commits_and_aborts(setting, broker):
    create_topic(broker, "t", partitions=2)
    one, other = transactional(broker, "one"), transactional(broker, "other")
    one.begin_transaction()
    other.begin_transaction()
    for number in range(10):
        one.produce("t", f"one {number}", partition=number % 2)
        other.produce("t", f"other {number}", partition=number % 2)
    one.flush(30)
    other.flush(30)
    assert values(setting, broker, "t") == []
    assert len(values(setting, broker, "t", isolation="read_uncommitted")) == 10
    other.abort_transaction(30)
    one.commit_transaction(30)
    wanted = [f"one {number}" for number in range(10)]
    deadline = time.monotonic() + 20
    while values(setting, broker, "t") != wanted[0::2] or values(setting, broker, "t", 1) != wanted[1::2]:
        assert time.monotonic() < deadline, (values(setting, broker, "t"), values(setting, broker, "t", 1))
    for number in range(30):
        one.begin_transaction()
        one.produce("t", f"again {number}", partition=0)
        if number % 3 == 0:
            one.abort_transaction(30)
        else:
            one.commit_transaction(30)
    wanted = wanted[0::2] + [f"again {number}" for number in range(30) if number % 3]
    deadline = time.monotonic() + 20
    while values(setting, broker, "t") != wanted:
        assert time.monotonic() < deadline, values(setting, broker, "t")


@case("a zombie producer is fenced by the one that came after it")
def zombie(setting, broker):
    create_topic(broker, "t")
    old = transactional(broker, "job")
    old.begin_transaction()
    old.produce("t", "old", partition=0)
    old.flush(30)
    new = transactional(broker, "job")
    new.begin_transaction()
    new.produce("t", "new", partition=0)
    new.commit_transaction(30)
    fenced = None
    try:
        old.produce("t", "late", partition=0)
        old.commit_transaction(30)
    except KafkaException as error:
        fenced = error.args[0]
    assert fenced is not None and (fenced.fatal() or fenced.name() == "_FENCED"), fenced
    assert values(setting, broker, "t") == ["new"], values(setting, broker, "t")


@case("an open transaction outlives kill -9 of the broker and commits after it")
def killed_while_open(setting, broker):
    create_topic(broker, "t")
    producer = transactional(broker, "job")
    producer.begin_transaction()
    producer.produce("t", "before", partition=0)
    producer.flush(30)
    broker.kill()
    broker.start()
    assert values(setting, broker, "t") == []
    producer.produce("t", "after", partition=0)
    producer.commit_transaction(60)
    deadline = time.monotonic() + 20
    while values(setting, broker, "t") != ["before", "after"]:
        assert time.monotonic() < deadline, values(setting, broker, "t")


@case("a transaction that takes too long is aborted", config={"transaction.abort.timed.out.transaction.cleanup.interval.ms": "200"})
def timed_out(setting, broker):
    create_topic(broker, "t")
    producer = transactional(broker, "slow", transaction_timeout_ms=2000, message_timeout_ms=2000)
    producer.begin_transaction()
    producer.produce("t", "slow", partition=0)
    producer.flush(30)
    deadline = time.monotonic() + 20
    while "CompleteAbort" not in tool(broker, "list"):
        assert time.monotonic() < deadline, tool(broker, "list")
    refused = None
    try:
        producer.commit_transaction(30)
    except KafkaException as error:
        refused = error.args[0]
    assert refused is not None
    assert values(setting, broker, "t") == []


@case("Kafka's performance producer writes in transactions, and kafka-transactions tells of them")
def kafka_tools(setting, broker):
    create_topic(broker, "t", partitions=2)
    performance = java(
        "org.apache.kafka.tools.ProducerPerformance",
        *("--topic", "t", "--num-records", "5000", "--record-size", "100", "--throughput", "-1"),
        *("--transactional-id", "perf", "--transaction-duration-ms", "50"),
        *("--command-property", f"bootstrap.servers={broker.address}"),
    )
    assert b"5000 records sent" in clients.run(performance)
    read = sum(len(values(setting, broker, "t", partition)) for partition in range(2))
    assert read == 5000, read
    described = tool(broker, "describe", "--transactional-id", "perf")
    assert re.search(r"perf\s+\d+\s+\d+\s+CompleteCommit", described), described
    producer = transactional(broker, "open")
    producer.begin_transaction()
    producer.produce("t", "x", partition=1)
    producer.flush(30)
    assert re.search(r"open\s+\d+\s+\d+\s+Ongoing", tool(broker, "list")), tool(broker, "list")
    described = tool(broker, "describe", "--transactional-id", "open")
    assert "t-1" in described, described
    producers = tool(broker, "describe-producers", "--topic", "t", "--partition", "1")
    start = re.search(r"^\d+\s+\d+\s+-?\d+\s+\d+\s+\d+\s+(\d+)", producers, re.MULTILINE)
    assert start, producers
    tool(broker, "abort", "--topic", "t", "--partition", "1", "--start-offset", start[1])
    assert "None" in tool(broker, "describe-producers", "--topic", "t", "--partition", "1")


@case("franz-go commits and aborts, and reads what was committed")
def franz(setting, broker):
    create_topic(broker, "t", partitions=2)
    program = str(downloads.franz())
    clients.run([program, "transactions", broker.address, "t", "12"])
    wanted = [number for number in range(12) if number % 3]
    lines = clients.run([program, "committed", broker.address, "t", str(2 * len(wanted))]).decode().splitlines()
    for partition in range(2):
        read = [int(line.split()[1]) for line in lines if line.startswith(f"{partition} ")]
        assert read == wanted, read
        assert values(setting, broker, "t", partition) == [str(number) for number in wanted]


@case("Kafka's transactional copier copies exactly once, with random aborts and through kill -9 of the broker")
def copied_exactly_once(setting, broker):
    noise = random.Random(os.environ.get("KQ_TEST_SEED", "9"))
    create_topic(broker, "in")
    create_topic(broker, "out")
    wanted = [str(number) for number in range(2000)]
    CONFLUENT.write(setting, broker, "in", [Record(value.encode(), None) for value in wanted], "none")
    copier = java(
        "org.apache.kafka.tools.TransactionalMessageCopier",
        *("--broker-list", broker.address, "--input-topic", "in", "--input-partition", "0", "--output-topic", "out"),
        *("--consumer-group", "copiers", "--transactional-id", "copier", "--transaction-size", "25"),
        *("--enable-random-aborts", "--group-mode", "--use-group-metadata"),
    )
    kills = 2
    deadline = time.monotonic() + 200
    while len(values(setting, broker, "out")) < len(wanted):
        assert time.monotonic() < deadline, f"{len(values(setting, broker, 'out'))} of {len(wanted)} are copied"
        with open(setting.directory / "copier.log", "ab") as log:
            running = subprocess.Popen(copier, stdout=log, stderr=log)
            try:
                while kills and running.poll() is None:
                    time.sleep(noise.uniform(1, 3))
                    broker.kill()
                    broker.start()
                    kills -= 1
                running.wait(max(deadline - time.monotonic(), 1))
            finally:
                running.kill()
                running.wait()
    assert values(setting, broker, "out") == wanted


class Pairs:
    """A producer that writes the same number to two partitions in each transaction, and knows what became of it."""

    def __init__(self, broker):
        self.broker, self.producer = broker, None
        self.number, self.committed, self.aborted = 0, set(), set()

    def transaction(self, commit):
        number, self.number = self.number, self.number + 1
        asked = False
        try:
            self.producer = self.producer or transactional(self.broker, "pairs")
            self.producer.begin_transaction()
            for partition in range(2):
                self.producer.produce("t", str(number), partition=partition)
            if not commit:
                self.producer.abort_transaction(10)
                return self.aborted.add(number)
            assert self.producer.flush(10) == 0
            asked = True
            self.producer.commit_transaction(10)
            self.committed.add(number)
        except (KafkaException, AssertionError):
            self.producer = None
            if not asked:
                self.aborted.add(number)


@case("every transaction is all or nothing when the broker is killed again and again", config={"transaction.max.timeout.ms": "60000"})
def killed_in_transactions(setting, broker):
    noise = random.Random(os.environ.get("KQ_TEST_SEED", "5"))
    create_topic(broker, "t", partitions=2)
    pairs = Pairs(broker)
    for _ in range(2 if type(broker).__name__ == "Kafka" else 20 if FULL else 5):
        deadline = time.monotonic() + noise.uniform(0.2, 0.6)
        while time.monotonic() < deadline:
            pairs.transaction(noise.random() < 0.7)
        if noise.random() < 0.5 and pairs.producer:
            pairs.producer.begin_transaction()
            pairs.producer.produce("t", str(pairs.number), partition=0)
            pairs.aborted.add(pairs.number)
            pairs.number += 1
            pairs.producer.flush(5)
            pairs.producer = None
        broker.kill()
        broker.start()
    pairs.producer = None
    pairs.transaction(True)
    assert pairs.number - 1 in pairs.committed
    deadline = time.monotonic() + 20
    while True:
        seen = [[int(value) for value in values(setting, broker, "t", partition)] for partition in range(2)]
        if pairs.number - 1 in seen[0] and pairs.number - 1 in seen[1]:
            break
        assert time.monotonic() < deadline, "the last transaction does not become visible"
    assert seen[0] == seen[1], (set(seen[0]) ^ set(seen[1]))
    assert len(set(seen[0])) == len(seen[0])
    assert pairs.committed <= set(seen[0]), pairs.committed - set(seen[0])
    assert not pairs.aborted & set(seen[0]), pairs.aborted & set(seen[0])


def leave_transactions(setting, broker):
    """Committed, aborted and open ones; returns what a reader of committed records has to see, and the open one's producer."""
    create_topic(broker, "t", partitions=2)
    producer = transactional(broker, "first")
    for number in range(6):
        producer.begin_transaction()
        producer.produce("t", f"{number}", partition=0)
        producer.produce("t", f"{number}", partition=1)
        producer.flush(30)
        if number % 2:
            producer.abort_transaction(30)
        else:
            producer.commit_transaction(30)
    left = transactional(broker, "left")
    left.begin_transaction()
    left.produce("t", "left open", partition=0)
    left.flush(30)
    wanted = ["0", "2", "4"]
    deadline = time.monotonic() + 20
    while values(setting, broker, "t") != wanted:
        assert time.monotonic() < deadline
    return wanted, left


def taken_over(setting, first_kind, second_kind):
    first = setting.broker(first_kind)
    first.start()
    wanted, left = leave_transactions(setting, first)
    first.stop()
    second = setting.broker(second_kind, data=first.data, port=first.port)
    second.start()
    assert values(setting, second, "t") == wanted
    assert values(setting, second, "t", 1) == wanted
    listed = tool(second, "list")
    assert re.search(r"left\s+\d+\s+\d+\s+Ongoing", listed) and re.search(r"first\s+\d+\s+\d+\s+CompleteAbort", listed), listed
    left.produce("t", "and goes on", partition=0)
    left.commit_transaction(60)
    again = transactional(second, "first")
    again.begin_transaction()
    again.produce("t", "end", partition=0)
    again.commit_transaction(30)
    deadline = time.monotonic() + 20
    while values(setting, second, "t") != wanted + ["left open", "and goes on", "end"]:
        assert time.monotonic() < deadline, values(setting, second, "t")
    second.stop()
    dump(second)


def dump(broker):
    """Kafka's dump tool reads everything that the broker left of the transactions."""
    for directory in sorted(broker.data.glob("__transaction_state-*")):
        files = ",".join(str(path) for path in sorted(directory.glob("*.log")))
        shown = clients.run(java("kafka.tools.DumpLogSegments", "--transaction-log-decoder", "--files", files)).decode()
        for line in shown.splitlines():
            assert "key: " not in line or '"transactionalId"' in line, line
    partition = broker.data / "t-0"
    files = ",".join(str(path) for pattern in ("*.log", "*.txnindex", "*.snapshot") for path in sorted(partition.glob(pattern)))
    shown = clients.run(java("kafka.tools.DumpLogSegments", "--deep-iteration", "--files", files)).decode()
    assert "endTxnMarker: ABORT" in shown and "endTxnMarker: COMMIT" in shown, shown
    assert re.search(r"version: 0 producerId: \d+ firstOffset: \d+ lastOffset: \d+ lastStableOffset: \d+", shown), shown
    assert re.search(r"producerId: \d+ producerEpoch: \d+ coordinatorEpoch: \d+ currentTxnFirstOffset: OptionalLong.empty", shown), shown


@case("Apache Kafka goes on with the transactions that Apache Kafka left (the measure for the two below)", on=KAFKA, start=False)
def kafka_to_kafka(setting, _):
    taken_over(setting, KAFKA, KAFKA)


@case("Apache Kafka goes on with the transactions that kqd left, one of them open", on=KQD, start=False)
def kqd_to_kafka(setting, _):
    taken_over(setting, KQD, KAFKA)


@case("kqd goes on with the transactions that Apache Kafka left, one of them open", on=KQD, start=False)
def kafka_to_kqd(setting, _):
    taken_over(setting, KAFKA, KQD)
