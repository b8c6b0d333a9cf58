"""Just enough of Kafka's protocol, by hand, to say what no client would: frames, a few requests, record batches with any
field wrong."""

import socket
import struct

API_VERSIONS, METADATA, PRODUCE, FETCH = 18, 3, 0, 1


def crc32c_table():
    table = []
    for byte in range(256):
        for _ in range(8):
            byte = (byte >> 1) ^ 0x82F63B78 if byte & 1 else byte >> 1
        table.append(byte)
    return table


CRC32C = crc32c_table()


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc = CRC32C[(crc ^ byte) & 0xFF] ^ (crc >> 8)
    return crc ^ 0xFFFFFFFF


def varint(number):
    number = (number << 1) ^ (number >> 63)
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def string(text):
    return struct.pack(">h", -1) if text is None else struct.pack(">h", len(text)) + text.encode()


def request(api, version, body=b"", correlation=1, client="peer"):
    """A frame with request header version 1 (no tagged fields)."""
    return frame(struct.pack(">hhi", api, version, correlation) + string(client) + body)


def frame(content):
    return struct.pack(">i", len(content)) + content


def record(key=b"k", value=b"v", offset_delta=0, headers=b"\x00"):
    def sized(data):
        return varint(-1) if data is None else varint(len(data)) + data

    body = b"\x00" + varint(0) + varint(offset_delta) + sized(key) + sized(value) + headers
    return varint(len(body)) + body


def batch(
    records=None,
    count=1,
    last_offset_delta=None,
    magic=2,
    attributes=0,
    base_offset=0,
    crc=None,
    timestamp=1_700_000_000_000,
    producer=(-1, -1, -1),
    length=None,
    data=None,
):
    data = b"".join(records if records is not None else [record()]) if data is None else data
    after_crc = (
        struct.pack(
            ">hiqqqhii",
            attributes,
            count - 1 if last_offset_delta is None else last_offset_delta,
            timestamp,
            timestamp,
            *producer,
            count,
        )
        + data
    )
    checked = crc32c(after_crc) if crc is None else crc
    body = struct.pack(">ibI", 0, magic, checked) + after_crc
    return struct.pack(">qi", base_offset, len(body) if length is None else length) + body


def produce(topic, records, acks=-1, partition=0, version=8, timeout_ms=5000, records_length=None):
    """Produce 3-8: the versions before compact forms."""
    return request(
        PRODUCE,
        version,
        string(None)
        + struct.pack(">hi", acks, timeout_ms)
        + struct.pack(">i", 1)
        + string(topic)
        + struct.pack(">ii", 1, partition)
        + struct.pack(">i", len(records) if records_length is None else records_length)
        + records,
    )


def fetch(topic, offset=0, partition=0, max_bytes=50 << 20, max_wait_ms=0, min_bytes=1):
    """Fetch 4."""
    return request(
        FETCH,
        4,
        struct.pack(">iiiib", -1, max_wait_ms, min_bytes, max_bytes, 0)
        + struct.pack(">i", 1)
        + string(topic)
        + struct.pack(">iiqi", 1, partition, offset, max_bytes),
    )


def metadata(*topics):
    """Metadata 1; no topic: all."""
    return request(METADATA, 1, struct.pack(">i", len(topics) or -1) + b"".join(string(topic) for topic in topics))


class Connection:
    def __init__(self, port, seconds=10):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=seconds)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data)
        return self

    def read(self, size):
        data = b""
        while len(data) < size:
            more = self.socket.recv(min(size - len(data), 1 << 20))
            if not more:
                raise ConnectionError("closed")
            data += more
        return data

    def answer(self):
        """The next response without its size."""
        return self.read(struct.unpack(">i", self.read(4))[0])

    def closed(self):
        """Has the broker closed, without a word?  Raises where it answers, or does neither in time."""
        try:
            more = self.socket.recv(1)
        except ConnectionError:
            return True
        if more:
            raise AssertionError("an answer where the connection should be closed")
        return True

    def produce_error(self, *arguments, **options):
        """The error code that a produce request gets for its one partition."""
        self.send(produce(*arguments, **options))
        answer = self.answer()
        at = 4 + 4
        at += 2 + struct.unpack_from(">h", answer, at)[0] + 4 + 4
        return struct.unpack_from(">h", answer, at)[0]


def answers(port):
    """Does a broker answer Metadata on that port?"""
    try:
        with Connection(port, seconds=2) as connection:
            answer = connection.send(metadata()).answer()
            return struct.unpack_from(">i", answer, 4)[0] > 0  # a broker that does not list one is still starting
    except OSError:
        return False
