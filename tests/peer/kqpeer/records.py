"""The records that travel: every shape a record can have, and the least that each tool can say."""

import random
from typing import NamedTuple, Optional

CODECS = ["none", "gzip", "snappy", "lz4", "zstd"]
BASE_TIME_MS = 1_700_000_000_000


class Record(NamedTuple):
    value: Optional[bytes]
    key: Optional[bytes] = None
    headers: tuple = ()  # of (str, bytes or None)
    timestamp: Optional[int] = None  # None: the writer's now


class Seen(NamedTuple):
    """A record as a reader shows it; `headers` in the reader's own form where it cannot show all."""

    offset: int
    timestamp: int
    key: Optional[bytes]
    value: Optional[bytes]
    headers: object


def text_records(count=40):
    """Lines that every command line tool can write: no line break, no tab, no comma in a header."""
    noise = random.Random(7)
    values = ["", "plain", "Grüße, Welt", "дерево", "樹" * 300, "x" * 20000, '{"quoted": "json"}', " leading and trailing "]
    records = []
    for i in range(count):
        key = [f"key-{i % 7}".encode(), None, b"", "clé".encode()][i % 4]
        value = (
            values[i % len(values)].encode() if i % 3 else bytes(noise.choices(b"abcdefghij0123456789", k=noise.randrange(400)))
        )
        headers = [(), (("trace", f"{i:x}".encode()),), (("a", b"1"), ("b", b""), ("a", b"again"))][i % 3]
        records.append(Record(value, key, headers, BASE_TIME_MS + i * 1000))
    return records


def all_records():
    """Text, and what only a library can write: any byte, nulls, null headers, large values."""
    noise = random.Random(11)
    every_byte = bytes(range(256))
    return (
        text_records()
        + [
            Record(None, b"tombstone", (), BASE_TIME_MS + 50_000),
            Record(every_byte, every_byte, (("every", every_byte), ("null", None)), BASE_TIME_MS + 51_000),
            Record(b"\x00", b"\x00", (("ключ", b"\xff\xfe"),), BASE_TIME_MS + 49_000),
            Record(b"line\nbreaks\r\nand\ttabs\n", b"\n", (), BASE_TIME_MS + 52_000),
            Record(noise.randbytes(300_000), None, (), BASE_TIME_MS + 53_000),
            Record(b"a" * 600_000, b"repeats", tuple((f"h{i}", str(i).encode()) for i in range(50)), BASE_TIME_MS + 54_000),
        ]
        + [Record(noise.randbytes(noise.randrange(200)), b"n%d" % i, (), BASE_TIME_MS + 60_000 + i) for i in range(60)]
    )
