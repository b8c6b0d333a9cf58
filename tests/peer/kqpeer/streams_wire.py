"""StreamsGroupHeartbeat (key 88, v0) by hand, to say what no application would."""

import dataclasses
import struct

from kqpeer.wire import Connection, frame

STREAMS_GROUP_HEARTBEAT = 88
NO_TAGS = b"\x00"
NOTHING = b"\xff"  # in place of a struct


def unsigned(number):
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes(out) + bytes([number])


def text(value):
    return unsigned(0) if value is None else unsigned(len(value.encode()) + 1) + value.encode()


def array(values, each):
    return unsigned(0) if values is None else unsigned(len(values) + 1) + b"".join(map(each, values))


def int16(number):
    return struct.pack(">h", number)


def int32(number):
    return struct.pack(">i", number)


def pair(entry):
    return text(entry[0]) + text(entry[1]) + NO_TAGS


def tasks(entry):
    return text(entry[0]) + array(entry[1], int32) + NO_TAGS


def task_offset(entry):
    return text(entry[0]) + int32(entry[1]) + struct.pack(">q", entry[2]) + NO_TAGS


def internal_topic(topic):
    """(name, partitions, (key, value), …)"""
    return text(topic[0]) + int32(topic[1]) + int16(0) + array(topic[2:], pair) + NO_TAGS


def subtopology(number, sources=(), regex=(), changelogs=(), sinks=(), repartitions=(), copartitioned=()):
    """`copartitioned`: groups of places in `sources`."""
    return (
        text(str(number))
        + array(sources, text)
        + array(regex, text)
        + array(changelogs, internal_topic)
        + array(sinks, text)
        + array(repartitions, internal_topic)
        + array(copartitioned, lambda places: array(places, int16) + array([], int16) + array([], int16) + NO_TAGS)
        + NO_TAGS
    )


def topology(*subtopologies, epoch=0):
    return b"\x01" + int32(epoch) + array(subtopologies, bytes) + NO_TAGS


@dataclasses.dataclass
class Heartbeat:
    group: str = "g"
    member: str = "a"
    epoch: int = 0
    endpoint_epoch: int = 0
    instance: str = None
    rebalance_ms: int = -1
    topology: bytes = NOTHING
    active: list = None
    standby: list = None
    warmup: list = None
    process: str = None
    endpoint: tuple = None
    offsets: list = None
    shutdown: bool = False

    def body(self):
        return (
            text(self.group)
            + text(self.member)
            + int32(self.epoch)
            + int32(self.endpoint_epoch)
            + text(self.instance)
            + text(None)
            + int32(self.rebalance_ms)
            + self.topology
            + array(self.active, tasks)
            + array(self.standby, tasks)
            + array(self.warmup, tasks)
            + text(self.process)
            + (NOTHING if self.endpoint is None else b"\x01" + text(self.endpoint[0]) + struct.pack(">H", self.endpoint[1]) + NO_TAGS)
            + array(None, pair)
            + array(self.offsets, task_offset)
            + array(None, task_offset)
            + struct.pack(">?", self.shutdown)
            + NO_TAGS
        )


class Reader:
    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, form):
        (value,) = struct.unpack_from(form, self.data, self.at)
        self.at += struct.calcsize(form)
        return value

    def unsigned(self):
        number = shift = 0
        while True:
            byte = self.take(">B")
            number |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return number

    def text(self):
        size = self.unsigned() - 1
        if size < 0:
            return None
        self.at += size
        return self.data[self.at - size : self.at].decode()

    def array(self, each):
        size = self.unsigned() - 1
        return None if size < 0 else [each() for _ in range(size)]

    def struct(self, *fields):
        values = tuple(field() for field in fields)
        assert self.unsigned() == 0, "tags where none are known"
        return values

    def int32(self):
        return self.take(">i")

    def partitions(self):
        """Of a topic, or the tasks of a subtopology."""
        return self.struct(self.text, lambda: self.array(self.int32))


@dataclasses.dataclass
class Answer:
    error: int
    message: str
    member: str
    epoch: int
    interval_ms: int
    statuses: list
    active: list
    standby: list
    warmup: list
    endpoint_epoch: int
    endpoints: list


def answer_from(data):
    reader = Reader(data)
    reader.int32(), reader.unsigned(), reader.int32()  # correlation, tags, throttling
    error, message, member = reader.take(">h"), reader.text(), reader.text()
    epoch, interval_ms = reader.int32(), reader.int32()
    assert (reader.int32(), reader.int32()) == (0, 0), "recovery lag and offset interval"
    statuses = reader.array(lambda: reader.struct(lambda: reader.take(">b"), reader.text))
    active, standby, warmup = (reader.array(reader.partitions) for _ in range(3))
    endpoint_epoch = reader.int32()
    endpoints = reader.array(
        lambda: reader.struct(
            lambda: reader.struct(reader.text, lambda: reader.take(">H")),
            lambda: reader.array(reader.partitions),
            lambda: reader.array(reader.partitions),
        )
    )
    return Answer(error, message, member, epoch, interval_ms, statuses, active, standby, warmup, endpoint_epoch, endpoints)


class Member(Connection):
    def beat(self, **fields):
        header = struct.pack(">hhi", STREAMS_GROUP_HEARTBEAT, 0, 1) + int16(4) + b"peer" + NO_TAGS
        return answer_from(self.send(frame(header + Heartbeat(**fields).body())).answer())
