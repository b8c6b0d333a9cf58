"""Requests of groups and transactions by hand, in the newest versions before compact forms where those do."""

import struct

from kqpeer import wire

PRODUCE, OFFSET_COMMIT, FIND_COORDINATOR, JOIN_GROUP, HEARTBEAT, LEAVE_GROUP, SYNC_GROUP = 0, 8, 10, 11, 12, 13, 14
CREATE_TOPICS, INIT_PRODUCER_ID, END_TXN, CONSUMER_GROUP_HEARTBEAT = 19, 22, 26, 68
JOINING, LEAVING = 0, -1


def data(value):
    value = value if isinstance(value, bytes) else value.encode()
    return struct.pack(">i", len(value)) + value


def text(value):
    if value is None:
        return struct.pack(">h", -1)
    value = value if isinstance(value, bytes) else value.encode()
    return struct.pack(">h", len(value)) + value


def array(items):
    return struct.pack(">i", len(items)) + b"".join(items)


def uvarint(number):
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def compact(value):
    """A compact string, or bytes; None is null."""
    if value is None:
        return b"\x00"
    value = value if isinstance(value, bytes) else value.encode()
    return uvarint(len(value) + 1) + value


def compact_array(items):
    return b"\x00" if items is None else uvarint(len(items) + 1) + b"".join(items)


def flexible_request(api, version, body):
    """Request header version 2."""
    return wire.frame(struct.pack(">hhi", api, version, 1) + wire.string("peer") + b"\x00" + body)


def create_topic(topic, partitions):
    """CreateTopics 4."""
    return wire.request(CREATE_TOPICS, 4, array([text(topic) + struct.pack(">ihii", partitions, 1, 0, 0)]) + struct.pack(">ib", 30_000, 0))


def find_coordinator(key, kind=0):
    return wire.request(FIND_COORDINATOR, 1, text(key) + struct.pack(">b", kind))


def join_group(group, member_id="", metadata=b"\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00", session_ms=10_000, rebalance_ms=10_000, protocol="range", instance=None):
    """JoinGroup 5."""
    return wire.request(
        JOIN_GROUP,
        5,
        text(group) + struct.pack(">ii", session_ms, rebalance_ms) + text(member_id) + text(instance) + text("consumer") + array([text(protocol) + data(metadata)]),
    )


def join_answer(answer):
    """Its code, generation, leader, member id and the members that the leader is told of."""
    code, generation = struct.unpack_from(">hi", answer, 8)
    reader = Reader(answer, 14)
    _, leader, member = reader.text(), reader.text(), reader.text()
    members = []
    for _ in range(reader.number(">i")):
        members.append(reader.text())
        reader.text()
        reader.skip(reader.number(">i"))
    return code, generation, leader, member, members


class Reader:
    def __init__(self, answer, at):
        self.answer, self.at = answer, at

    def number(self, form):
        value = struct.unpack_from(form, self.answer, self.at)[0]
        self.at += struct.calcsize(form)
        return value

    def skip(self, size):
        self.at += max(size, 0)

    def text(self):
        size = self.number(">h")
        self.skip(size)
        return self.answer[self.at - max(size, 0) : self.at].decode(errors="replace")


def sync_group(group, generation, member_id, assignments=()):
    """SyncGroup 3."""
    return wire.request(
        SYNC_GROUP, 3, text(group) + struct.pack(">i", generation) + text(member_id) + text(None) + array([text(member) + data(bytes_) for member, bytes_ in assignments])
    )


def heartbeat(group, generation, member_id):
    """Heartbeat 3."""
    return wire.request(HEARTBEAT, 3, text(group) + struct.pack(">i", generation) + text(member_id) + text(None))


def leave_group(group, *member_ids):
    """LeaveGroup 3."""
    return wire.request(LEAVE_GROUP, 3, text(group) + array([text(member) + text(None) for member in member_ids]))


def code_after_throttle(answer):
    """Of SyncGroup, Heartbeat, LeaveGroup, and ConsumerGroupHeartbeat without its header's tags."""
    return struct.unpack_from(">h", answer, 8)[0]


def offset_commit(group, topic, offsets, generation=-1, member_id="", metadata=""):
    """OffsetCommit 7; `offsets` by partition."""
    partitions = [struct.pack(">iqi", partition, offset, -1) + text(metadata) for partition, offset in offsets.items()]
    return wire.request(
        OFFSET_COMMIT, 7, text(group) + struct.pack(">i", generation) + text(member_id) + text(None) + array([text(topic) + array(partitions)])
    )


def commit_codes(answer):
    """One for each partition of its one topic."""
    reader = Reader(answer, 12)
    reader.text()
    return [struct.unpack_from(">ih", answer, reader.at + 4 + 6 * i)[1] for i in range(struct.unpack_from(">i", answer, reader.at)[0])]


def consumer_heartbeat(group, member_id, epoch=JOINING, topics=(), rebalance_ms=30_000, owned=(), assignor=None, instance=None, pattern=None):
    """ConsumerGroupHeartbeat 1; `topics` None: not told again."""
    return flexible_request(
        CONSUMER_GROUP_HEARTBEAT,
        1,
        compact(group)
        + compact(member_id)
        + struct.pack(">i", epoch)
        + compact(instance)
        + compact(None)
        + struct.pack(">i", rebalance_ms)
        + compact_array(None if topics is None else [compact(topic) for topic in topics])
        + compact(pattern)
        + compact(assignor)
        + compact_array(None if owned is None else list(owned))
        + b"\x00",
    )


def consumer_heartbeat_answer(answer):
    """Its code, and the member's epoch."""
    code = struct.unpack_from(">h", answer, 9)[0]
    reader = Reader(answer, 11)
    for _ in range(2):  # the message, the member id
        reader.skip(reader.number(">b") - 1)
    return code, reader.number(">i")


def init_producer_id(transactional_id, timeout_ms=60_000):
    """InitProducerId 1."""
    return wire.request(INIT_PRODUCER_ID, 1, text(transactional_id) + struct.pack(">i", timeout_ms))


def produce_in_transaction(transactional_id, topic, partition, batch):
    """Produce 12: the partition joins the transaction by it (KIP-890)."""
    return flexible_request(
        PRODUCE,
        12,
        compact(transactional_id)
        + struct.pack(">hi", -1, 10_000)
        + compact_array([compact(topic) + compact_array([struct.pack(">i", partition) + compact(batch) + b"\x00"]) + b"\x00"])
        + b"\x00",
    )


def produce_answer_code(answer):
    """Produce 12, one partition of one topic."""
    name = answer[6]  # after the correlation id, the header's tags and the count of topics
    return struct.unpack_from(">h", answer, 6 + name + 1 + 4)[0]


def end_txn(transactional_id, producer_id, epoch, commit=True):
    """EndTxn 5, whose answer brings the next epoch."""
    return flexible_request(END_TXN, 5, compact(transactional_id) + struct.pack(">qhb", producer_id, epoch, commit) + b"\x00")


def end_txn_answer(answer):
    """Its code, the producer id and the epoch to go on with."""
    return struct.unpack_from(">hqh", answer, 9)
