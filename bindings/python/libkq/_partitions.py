"""Topics' partitions and offsets in them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple, Union

from . import _kq

LATEST: int = _kq.KQ_LATEST
EARLIEST: int = _kq.KQ_EARLIEST
MAX_TIMESTAMP: int = _kq.KQ_MAX_TIMESTAMP
DEFAULT: int = _kq.KQ_DEFAULT


class TopicPartition(NamedTuple):
    """A partition, and an offset in it.  Any tuple of this shape does as well: ("orders", 0), ("orders", 0, 42)."""

    topic: str
    partition: int
    offset: int = DEFAULT
    metadata: str | None = None
    leader_epoch: int = -1


class Assignment(NamedTuple):
    """A partition that a consumer reads.  -1: not known yet."""

    topic: str
    partition: int
    position: int
    end_offset: int
    lag: int
    paused: bool


PartitionLike = Union[TopicPartition, tuple[str, int], tuple[str, int, int]]
Offsets = Union[_kq.Record, _kq.Batch, Iterable[PartitionLike], None]


def after(records: Iterable[_kq.Record]) -> dict[tuple[str, int], TopicPartition]:
    """What to commit once these are done with: of each partition, the offset after the last one."""
    last = {(record.topic, record.partition): record for record in records}
    return {
        at: TopicPartition(record.topic, record.partition, record.offset + 1, None, record.leader_epoch) for at, record in last.items()
    }


def to_commit(offsets: Offsets) -> list[PartitionLike] | None:
    """A record or a batch stands for the offsets after it."""
    if offsets is None:
        return None
    if isinstance(offsets, _kq.Record):
        return list(after([offsets]).values())
    if isinstance(offsets, _kq.Batch):
        return list(after(offsets).values())
    return list(offsets)
