"""librdkafka's partitioners, as functions of a key and a number of partitions."""

from __future__ import annotations

import zlib

_MASK = 0xFFFFFFFF


def _checked(key: bytes, partition_count: int) -> bytes:
    if not isinstance(key, bytes):
        raise TypeError(f"key must be bytes, not {type(key).__name__}")
    if not isinstance(partition_count, int):
        raise TypeError(f"partition_count must be a number, not {type(partition_count).__name__}")
    if partition_count <= 0:
        raise ValueError("partition_count must be > 0")
    return key


def murmur2(key: bytes, partition_count: int) -> int:
    """Java's."""
    data, mix = _checked(key, partition_count), 0x5BD1E995
    hashed, end = 0x9747B28C ^ len(data), len(data) & ~3
    for at in range(0, end, 4):
        word = int.from_bytes(data[at : at + 4], "little") * mix & _MASK
        word = (word ^ word >> 24) * mix & _MASK
        hashed = (hashed * mix & _MASK) ^ word
    if data[end:]:
        hashed = (hashed ^ int.from_bytes(data[end:], "little")) * mix & _MASK
    hashed = (hashed ^ hashed >> 13) * mix & _MASK
    return ((hashed ^ hashed >> 15) & 0x7FFFFFFF) % partition_count


def consistent(key: bytes, partition_count: int) -> int:
    """CRC-32 of the key."""
    return zlib.crc32(_checked(key, partition_count)) % partition_count


def fnv1a(key: bytes, partition_count: int) -> int:
    """As Sarama places keys: the hash as a signed number, without its sign."""
    hashed = 0x811C9DC5
    for each in _checked(key, partition_count):
        hashed = (hashed ^ each) * 0x01000193 & _MASK
    return abs(hashed - (1 << 32) if hashed & 0x80000000 else hashed) % partition_count
