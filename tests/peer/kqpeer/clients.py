"""The programs that write and read: librdkafka through confluent-kafka and kcat, Kafka's console tools, kq.

A writer has `writes(record)`, which cuts a record down to what it can say, and write(broker, topic, records, codec).  A
reader has `shows(record)`, which gives key, value and headers in its own form, and read(broker, topic, count) for
partition 0, all as records.Seen.
"""

import base64
import json
import re
import subprocess

from kqpeer.records import Record, Seen
from kqpeer.servers import java

TOOL_SECONDS = 90


def run(command, **options):
    """Runs a program to its end and returns what it printed; its own words are the error if it fails."""
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=TOOL_SECONDS, **options)
    if done.returncode:
        raise RuntimeError(
            f"{' '.join(command)[:300]}\nstatus {done.returncode}\n{done.stdout[-2000:].decode(errors='replace')}"
            f"{done.stderr[-4000:].decode(errors='replace')}"
        )
    return done.stdout


class Whole:
    """A program that can say and show all of a record."""

    def writes(self, record):
        return record

    def shows(self, record):
        return record.key, record.value, record.headers


class Confluent(Whole):
    name = "confluent-kafka"

    def write(self, setting, broker, topic, records, codec):
        from confluent_kafka import Producer

        failures = []
        producer = Producer(
            {
                "bootstrap.servers": broker.address,
                "log_level": 3,
                "compression.type": codec,
                "linger.ms": 5,
                "enable.idempotence": True,
            }
        )
        for record in records:
            producer.produce(
                topic,
                value=record.value,
                key=record.key,
                headers=list(record.headers),
                partition=0,
                timestamp=record.timestamp or 0,
                on_delivery=lambda error, _: error and failures.append(error),
            )
            producer.poll(0)
        left = producer.flush(30)
        assert not left and not failures, f"{left} records left, failed: {failures[:3]}"

    def read(self, setting, broker, topic, count, partition=0, isolation="read_uncommitted", offset=0):
        from confluent_kafka import Consumer, KafkaError, TopicPartition

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
        consumer.assign([TopicPartition(topic, partition, offset)])
        seen = []
        try:
            while True:
                message = consumer.poll(30)
                assert message is not None, f"nothing for 30 s after {len(seen)} records"
                if message.error():
                    assert message.error().code() == KafkaError._PARTITION_EOF, message.error()
                    return seen
                seen.append(
                    Seen(
                        message.offset(),
                        message.timestamp()[1],
                        message.key(),
                        message.value(),
                        tuple((key, value) for key, value in message.headers() or []),
                    )
                )
        finally:
            consumer.close()


class Kcat:
    """kcat writes lines with a key; its headers are the same for all, and it has no say in timestamps."""

    name = "kcat"
    HEADERS = (("from", b"kcat"), ("empty", b""))

    def writes(self, record):
        return Record(record.value or None, record.key or None, self.HEADERS)

    def write(self, setting, broker, topic, records, codec):
        lines = b"".join((record.key or b"") + b"\t" + (record.value or b"") + b"\n" for record in records)
        headers = [part for key, value in self.HEADERS for part in ("-H", f"{key}={value.decode()}")]
        run(["kcat", "-P", "-b", broker.address, "-t", topic, "-p", "0", "-z", codec, "-K", "\t", "-Z", *headers], input=lines)

    def shows(self, record):
        shown = b",".join(
            key.encode() + b"=" + (b"NULL" if value is None else value.split(b"\0")[0]) for key, value in record.headers
        )
        return record.key, record.value, shown  # kcat prints a header's value as a C string

    def read(self, setting, broker, topic, count):
        output = run(
            [
                "kcat",
                "-C",
                "-q",
                "-e",
                "-b",
                broker.address,
                "-t",
                topic,
                "-p",
                "0",
                "-o",
                "beginning",
                "-X",
                "check.crcs=true",
                "-f",
                "%o %T %K %S %k%s<%h>END\n",
            ]
        )
        seen = []
        at = 0
        while at < len(output):
            head = re.match(rb"(\d+) (-?\d+) (-?\d+) (-?\d+) ", output[at : at + 100])
            offset, timestamp, key_size, value_size = (int(number) for number in head.groups())
            at += head.end()
            key, at = (None, at) if key_size < 0 else (output[at : at + key_size], at + key_size)
            value, at = (None, at) if value_size < 0 else (output[at : at + value_size], at + value_size)
            end = output.index(b">END\n", at)
            seen.append(Seen(offset, timestamp, key, value, output[at + 1 : end]))
            at = end + 5
        return seen


class Console:
    """kafka-console-producer and kafka-console-consumer."""

    name = "Kafka's console tools"
    FIELD, LINE, NULL = "<|field|>", "<|end|>\n", "<|null|>"

    def writes(self, record):
        return Record(record.value, record.key, record.headers)

    def write(self, setting, broker, topic, records, codec):
        def shown(data):
            return self.NULL if data is None else data.decode()

        lines = "".join(
            f"{','.join(f'{key}:{value.decode()}' for key, value in record.headers) or self.NULL}"
            f"\t{shown(record.key)}\t{shown(record.value)}\n"
            for record in records
        )
        run(
            java(
                "org.apache.kafka.tools.ConsoleProducer",
                "--bootstrap-server",
                broker.address,
                "--topic",
                topic,
                "--compression-codec",
                codec,
                "--reader-property",
                "parse.key=true",
                "--reader-property",
                "parse.headers=true",
                "--reader-property",
                f"null.marker={self.NULL}",
            ),
            input=lines.encode(),
        )

    def shows(self, record):
        shown = b",".join(key.encode() + b":" + (self.NULL.encode() if value is None else value) for key, value in record.headers)
        return record.key, record.value, shown or b"NO_HEADERS"

    def read(self, setting, broker, topic, count):
        properties = [
            "print.timestamp=true",
            "print.offset=true",
            "print.headers=true",
            "print.key=true",
            f"key.separator={self.FIELD}",
            f"line.separator={self.LINE}",
            f"null.literal={self.NULL}",
        ]
        output = run(
            java(
                "org.apache.kafka.tools.consumer.ConsoleConsumer",
                "--bootstrap-server",
                broker.address,
                "--topic",
                topic,
                "--partition",
                "0",
                "--offset",
                "earliest",
                "--max-messages",
                str(count),
                "--timeout-ms",
                "30000",
                *(part for item in properties for part in ("--formatter-property", item)),
            )
        )
        return [self.parse(line) for line in output.split(self.LINE.encode())[:-1]]

    def parse(self, line):
        timestamp, offset, headers, key, value = line.split(self.FIELD.encode(), 4)

        def plain(data):
            return None if data == self.NULL.encode() else data

        return Seen(int(offset.removeprefix(b"Offset:")), int(timestamp.split(b":")[1]), plain(key), plain(value), headers)


class Kq(Whole):
    """kq produce and kq consume, in kq's JSON: text as text, other bytes in base64."""

    name = "kq"

    @staticmethod
    def field(name, data):
        if data is None:
            return {name: None}
        try:
            return {name: data.decode()}
        except UnicodeDecodeError:
            return {name + "_base64": base64.b64encode(data).decode()}

    @staticmethod
    def plain(row, name):
        if name + "_base64" in row:
            return base64.b64decode(row[name + "_base64"])
        return None if row.get(name) is None else row[name].encode()

    def write(self, setting, broker, topic, records, codec):
        lines = []
        for record in records:
            row = {
                **self.field("key", record.key),
                **self.field("value", record.value),
                "headers": [{"key": key, **self.field("value", value)} for key, value in record.headers],
            }
            if record.timestamp is not None:
                row["timestamp"] = record.timestamp
            lines.append(json.dumps(row))
        run(
            [setting.kq, "produce", "-b", broker.address, topic, "--partition", "0", "--input", "json", "--codec", codec],
            input="\n".join(lines).encode() + b"\n",
        )

    def read(self, setting, broker, topic, count):
        output = run(
            [
                setting.kq,
                "consume",
                "-b",
                broker.address,
                topic,
                "--partition",
                "0",
                "--from-beginning",
                "--until-end",
                "-o",
                "json",
            ]
        )
        rows = [json.loads(line) for line in output.splitlines()]
        return [
            Seen(
                row["offset"],
                row["timestamp"],
                self.plain(row, "key"),
                self.plain(row, "value"),
                tuple((header["key"], self.plain(header, "value")) for header in row["headers"]),
            )
            for row in rows
        ]


CONFLUENT, KCAT, CONSOLE, KQ = Confluent(), Kcat(), Console(), Kq()


def difference(wanted, had):
    for name, one, other in zip(("key", "value", "headers"), wanted, had):
        if one != other:
            return f"{name}: wanted {str(one)[:1000]}, got {str(other)[:1000]}"
    return "nothing"


def compare(reader, seen, expected, timestamps=True):
    """Every record once, in order, byte for byte."""
    shown = [reader.shows(record) for record in expected]
    got = [(item.key, item.value, item.headers) for item in seen]
    for i, (wanted, had) in enumerate(zip(shown, got)):
        assert wanted == had, f"{reader.name}, record {i}: {difference(wanted, had)}"
    assert len(shown) == len(got), f"{reader.name}: wanted {len(shown)} records, got {len(got)}"
    if timestamps:
        for item, record in zip(seen, expected):
            assert record.timestamp in (
                None,
                item.timestamp,
            ), f"{reader.name}: offset {item.offset} has time {item.timestamp}, not {record.timestamp}"
