"""What no honest client sends.  The offender gets Kafka's own error or is closed; the witness beside it notices nothing;
memory stays bounded."""

import os
import random
import resource
import socket
import struct
import threading
import time
import zlib

from confluent_kafka import Consumer, Producer, TopicPartition

from kqpeer import wire
from kqpeer.cases import BOTH, case
from kqpeer.main_job import create_topic
from kqpeer.wire import Connection

FULL = os.environ.get("KQ_TEST_TIER") == "full"
KQD_RESIDENT_KIB_MAX = 200 << 10
CORRUPT_MESSAGE, UNKNOWN_SERVER_ERROR, INVALID_RECORD, MESSAGE_TOO_LARGE, UNSUPPORTED_VERSION = 2, -1, 87, 10, 35
WITNESS_PAUSE_SECONDS = 0.01


class Witness:
    """A producer and a consumer that pass records to each other all the while, and mind any trouble."""

    def __init__(self, broker):
        self.broker = broker
        self.trouble = []
        self.sent = 0
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=self.work)

    def __enter__(self):
        create_topic(self.broker, "witness")
        self.thread.start()
        return self

    def work(self):
        def note(error, *_):
            if error:
                self.trouble.append(str(error))

        settings = {"bootstrap.servers": self.broker.address, "error_cb": note, "log_level": 3}
        producer = Producer({**settings, "linger.ms": 0, "acks": "all"})
        consumer = Consumer({**settings, "group.id": "witness", "enable.auto.commit": False, "fetch.wait.max.ms": 100})
        consumer.assign([TopicPartition("witness", 0, 0)])
        while not self.stopping.is_set():
            producer.produce("witness", value=b"%d" % self.sent, on_delivery=note)
            message = None
            deadline = time.monotonic() + 20
            while message is None and time.monotonic() < deadline:
                producer.poll(0)
                message = consumer.poll(0.05)
            if message is None or message.error() or message.value() != b"%d" % self.sent:
                self.trouble.append(f"record {self.sent}: {message and (message.error() or message.value())}")
                break
            self.sent += 1
            time.sleep(WITNESS_PAUSE_SECONDS)
        producer.flush(5)
        consumer.close()

    def __exit__(self, kind, *_):
        before = self.sent
        deadline = time.monotonic() + 20
        while self.sent < before + 3 and self.thread.is_alive() and time.monotonic() < deadline:
            time.sleep(0.01)
        self.stopping.set()
        self.thread.join()
        if kind is None:
            assert not self.trouble, f"the client beside it: {self.trouble[:3]}"
            assert self.sent >= before + 3, "the client beside it made no more progress"
            if type(self.broker).__name__ == "Kqd":
                assert self.broker.resident_kib() < KQD_RESIDENT_KIB_MAX, f"{self.broker.resident_kib()} KiB resident"


def attack(name):
    """A case with a witness, and a topic to aim at."""

    def register(body):
        def with_witness(setting, broker):
            create_topic(broker, "target")
            with Witness(broker):
                body(setting, broker)

        case(name, on=BOTH)(with_witness)
        return body

    return register


def expect_closed(broker, data, half_close=False):
    with Connection(broker.port) as connection:
        try:
            connection.send(data)
            if half_close:
                connection.socket.shutdown(socket.SHUT_WR)
        except ConnectionError:
            return  # closed while we were still sending
        assert connection.closed()


@attack("closes on absurd and negative frame sizes, on plain noise, on HTTP and TLS")
def absurd_frames(setting, broker):
    for size in (0, -1, -2147483648, 104857601, 2147483647):
        expect_closed(broker, struct.pack(">i", size) + b"x" * 100)
    noise = random.Random(5)
    for _ in range(30):
        expect_closed(broker, noise.randbytes(noise.randrange(8, 3000)), half_close=True)
    expect_closed(broker, b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
    expect_closed(broker, bytes.fromhex("16030100c8010000c40303") + noise.randbytes(195), half_close=True)


def listed_apis(broker):
    with Connection(broker.port) as connection:
        answer = connection.send(wire.request(wire.API_VERSIONS, 0)).answer()
    error, count = struct.unpack_from(">hi", answer, 4)
    assert error == 0
    return [struct.unpack_from(">hhh", answer, 10 + 6 * i) for i in range(count)]


@attack("closes on unknown APIs and versions, and answers a too new ApiVersions with what it speaks")
def unknown_apis(setting, broker):
    listed = {key: (oldest, newest) for key, oldest, newest in listed_apis(broker)}
    for key in (-1, 4, 5, 6, 7, 92, 999, 32767):
        if key not in listed:
            expect_closed(broker, wire.request(key, 0, b"\0" * 20))
    for key, (_, newest) in listed.items():
        if key != wire.API_VERSIONS:
            expect_closed(broker, wire.request(key, newest + 1, b"\0" * 20))
            expect_closed(broker, wire.request(key, -1, b"\0" * 20))
    with Connection(broker.port) as connection:
        for version in (99, 32767, -1):
            answer = connection.send(wire.request(wire.API_VERSIONS, version, b"\0")).answer()
            error, count, key, oldest, newest = struct.unpack_from(">hihhh", answer, 4)
            assert (error, count, key) == (UNSUPPORTED_VERSION, 1, wire.API_VERSIONS) and newest >= 3, answer.hex()
        assert (
            struct.unpack_from(">h", connection.send(wire.request(wire.API_VERSIONS, 0)).answer(), 4)[0] == 0
        ), "it stays usable"


@attack("closes on requests that end too early or count too much, in every API")
def truncated_requests(setting, broker):
    for key, oldest, newest in listed_apis(broker):
        if key in (wire.API_VERSIONS, wire.PRODUCE):
            continue  # an empty ApiVersions is whole; Produce below
        for version in {max(oldest, 1), newest}:
            expect_closed(broker, wire.frame(struct.pack(">hhi", key, version, 1) + b"\x00"), half_close=True)
    for body in (struct.pack(">i", 0x7FFFFFFF), struct.pack(">ih", 3, 30000) + b"abc", struct.pack(">ih", 1, -2)):
        expect_closed(broker, wire.request(wire.METADATA, 1, body))
    whole = wire.produce("target", wire.batch())[4:]
    for size in range(0, len(whole) - 1, 7):
        expect_closed(broker, wire.frame(whole[:size]), half_close=True)
    for length in (0x7FFFFFFF, 1 << 20):
        expect_closed(broker, wire.produce("target", wire.batch(), records_length=length))
    if type(broker).__name__ == "Kqd":  # Apache Kafka 4.2 never answers null records at all
        with Connection(broker.port) as connection:
            assert connection.produce_error("target", b"", records_length=-1) == INVALID_RECORD


@attack("answers broken record batches with Kafka's errors")
def broken_batches(setting, broker):
    good = wire.batch()
    two = [wire.record(b"a"), wire.record(b"b", offset_delta=1)]
    cases = {
        "wrong crc": (wire.batch(crc=12345), CORRUPT_MESSAGE),
        "flipped value byte": (good[:-2] + bytes([good[-2] ^ 1]) + good[-1:], CORRUPT_MESSAGE),
        "magic 0": (wire.batch(magic=0), INVALID_RECORD),
        "magic 1": (wire.batch(magic=1), INVALID_RECORD),
        "magic 3": (wire.batch(magic=3), CORRUPT_MESSAGE),
        "magic -1": (wire.batch(magic=-1), CORRUPT_MESSAGE),
        "count too large": (wire.batch(count=2), INVALID_RECORD),
        "count too small": (wire.batch(two, count=1), INVALID_RECORD),
        "count 0": (wire.batch([], count=0, last_offset_delta=0), INVALID_RECORD),
        "count negative": (wire.batch(count=-1, last_offset_delta=0), INVALID_RECORD),
        "count absurd": (wire.batch(count=0x7FFFFFFF, last_offset_delta=0x7FFFFFFE), INVALID_RECORD),
        "last offset delta apart from count": (wire.batch(two, count=2, last_offset_delta=5), INVALID_RECORD),
        "base offset": (wire.batch(base_offset=7), INVALID_RECORD),
        "control batch": (wire.batch(attributes=0x20), INVALID_RECORD),
        "codec 5": (wire.batch(attributes=5), UNKNOWN_SERVER_ERROR),
        "codec 7": (wire.batch(attributes=7), UNKNOWN_SERVER_ERROR),
        "gzip that is none": (wire.batch(attributes=1, data=b"no gzip at all"), UNKNOWN_SERVER_ERROR),
        "snappy that is none": (wire.batch(attributes=2, data=b"\xff" * 30), UNKNOWN_SERVER_ERROR),
        "lz4 that is none": (wire.batch(attributes=3, data=b"\xff" * 30), UNKNOWN_SERVER_ERROR),
        "zstd that is none": (wire.batch(attributes=4, data=b"\xff" * 30), UNKNOWN_SERVER_ERROR),
        "record longer than the batch": (wire.batch(data=wire.varint(5000) + b"\0" * 20), INVALID_RECORD),
        "negative record length": (wire.batch(data=wire.varint(-5) + b"\0" * 20), INVALID_RECORD),
        "header count absurd": (wire.batch([wire.record(headers=wire.varint(1 << 30))]), INVALID_RECORD),
        "batch length too large": (wire.batch(length=1 << 20), INVALID_RECORD),
        "batch length too small": (wire.batch(length=20), CORRUPT_MESSAGE),
        "batch length negative": (wire.batch(length=-1), CORRUPT_MESSAGE),
        "two batches": (good + good, INVALID_RECORD),
        "too large": (wire.batch([wire.record(value=b"x" * 1_100_000)], crc=0), MESSAGE_TOO_LARGE),
        "no bytes": (b"", INVALID_RECORD),
        "half a batch": (good[:30], INVALID_RECORD),
    }
    wrong = []
    for name, (records, wanted) in cases.items():
        with Connection(broker.port) as connection:
            error = connection.produce_error("target", records)
            if error != wanted:
                wrong.append(f"{name}: wanted {wanted}, got {error}")
            assert (
                connection.produce_error("target", good) == 0
            ), f"after {name}: the connection, or the partition, is of no more use"
    assert not wrong, "\n".join(wrong)


def gzip_bomb(mebibytes):
    """One record of that many zeros, as a gzip stream."""
    size = mebibytes << 20
    inner = b"\0" + wire.varint(0) + wire.varint(0) + wire.varint(-1) + wire.varint(size)
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    out = packer.compress(wire.varint(len(inner) + size + 1) + inner)
    zeros = b"\0" * (1 << 20)
    for _ in range(mebibytes):
        out += packer.compress(zeros)
    return out + packer.compress(b"\0") + packer.flush()


def zstd_bomb(mebibytes):
    """Blocks of one repeated byte: four bytes stand for 128 KiB.  The first bytes spell a record as long as all of it."""
    size = mebibytes << 20
    head = wire.varint(size + 100) + b"\0" + wire.varint(0) + wire.varint(0) + wire.varint(-1) + wire.varint(size)
    raw_block = struct.pack("<I", len(head) << 3)[:3] + head
    run_block = struct.pack("<I", (128 << 10) << 3 | 1 << 1)[:3] + b"\0"
    end_block = struct.pack("<I", 1)[:3]
    return bytes.fromhex("28b52ffd") + b"\x00" + b"\x58" + raw_block + run_block * (mebibytes * 8) + end_block


@attack("survives compressed bombs")
def bombs(setting, broker):
    for codec, data in ((1, gzip_bomb(400)), (4, zstd_bomb(1500))):
        assert len(data) < 1_000_000
        with Connection(broker.port, seconds=60) as connection:
            connection.produce_error(
                "target", wire.batch(attributes=codec, data=data, count=1)
            )  # taken as Kafka does, or refused


@attack("survives clients that ask for much and do not read")
def stops_reading(setting, broker):
    big = wire.batch([wire.record(value=os.urandom(900_000))])
    with Connection(broker.port, seconds=60) as connection:
        for _ in range(40):
            assert connection.produce_error("target", big) == 0
    deaf = []
    for _ in range(20):
        connection = Connection(broker.port)
        connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.socket.setblocking(False)
        try:
            for _ in range(500):
                connection.socket.send(wire.fetch("target") * 20)
        except BlockingIOError:
            pass  # it stopped reading from us: right
        deaf.append(connection)
    time.sleep(1.5)
    for connection in deaf:
        connection.socket.close()


@attack("answers a long pipeline in its order")
def long_pipeline(setting, broker):
    count = 5000
    with Connection(broker.port, seconds=60) as connection:
        sender = threading.Thread(
            target=connection.send,
            args=(
                b"".join(
                    wire.request(wire.METADATA, 1, struct.pack(">i", 1) + wire.string("target"), correlation=i)
                    for i in range(count)
                ),
            ),
        )
        sender.start()
        for i in range(count):
            assert struct.unpack_from(">i", connection.answer())[0] == i
        sender.join()


@attack("serves others while clients send a byte now and then")
def slow_senders(setting, broker):
    message = wire.produce("target", wire.batch())
    connections = [Connection(broker.port) for _ in range(50)]
    for position in range(40):
        for connection in connections:
            connection.send(message[position : position + 1])
        time.sleep(0.03)
    for connection in connections:
        answer = connection.send(message[40:]).answer()
        assert struct.unpack_from(">i", answer)[0] == 1
        connection.socket.close()


@attack("outlives clients that come and go without a word, or in the middle of one")
def comes_and_goes(setting, broker):
    message = wire.produce("target", wire.batch())
    noise = random.Random(9)
    for i in range(600):
        connection = Connection(broker.port)
        if i % 3:
            connection.send(message[: noise.randrange(len(message))])
        if i % 2:
            connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # a reset, not a farewell
        connection.socket.close()


@attack("carries thousands of connections at once")
def many_connections(setting, broker):
    count = 10_000 if FULL else 2_000
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, count + 1000), hard))
    connections = [Connection(broker.port, seconds=30) for _ in range(count)]
    for connection in connections:
        connection.send(wire.request(wire.API_VERSIONS, 0))
    for connection in connections:
        assert struct.unpack_from(">h", connection.answer(), 4)[0] == 0
    for connection in connections:
        connection.socket.close()
