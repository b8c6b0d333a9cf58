"""What a consumer tells besides records."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import _kq
from ._errors import KqError
from ._partitions import TopicPartition

if TYPE_CHECKING:
    from ._consumer import AnyConsumer


class Event:
    """`partitions` says which ones it is about."""

    partitions: list[TopicPartition]

    def __init__(self, consumer: AnyConsumer, batch: _kq.Batch) -> None:
        self._batch = batch
        self._rows = batch._rows()
        self.partitions = [TopicPartition(topic, partition, offset) for topic, partition, offset, _, _ in self._rows]

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{each.topic}-{each.partition}' for each in self.partitions)})"


class Assigned(Event):
    """Partitions that the group has added.  Reading goes on at the committed offsets; a seek now is in time."""


class Revoked(Event):
    """Partitions that go to another member.  You may still commit: they go when this event is released or dropped, or with the next
    poll."""

    def __init__(self, consumer: AnyConsumer, batch: _kq.Batch) -> None:
        super().__init__(consumer, batch)
        self._consumer = consumer

    def release(self) -> None:
        """Done with them."""
        _kq.consumer_release(self._consumer, self._batch)


class Lost(Event):
    """Partitions that belong to others already: stop what you do with them, a commit would be refused."""


class EndOfPartition(Event):
    """All there is was read, up to the offsets of `partitions` (with enable.partition.eof)."""


class Committed(Event):
    """What became of `commit_async`, whose tag this is."""

    tag: int
    error: KqError | None

    def __init__(self, consumer: AnyConsumer, batch: _kq.Batch) -> None:
        super().__init__(consumer, batch)
        self.tag = self._rows[0][3] if self._rows else 0
        self.error = next((error for *_, error in self._rows if error is not None), None)


_BY_KIND = {_kq.KQ_ASSIGNED: Assigned, _kq.KQ_REVOKED: Revoked, _kq.KQ_LOST: Lost}
_BY_EVENT = {_kq.KQ_END_OF_PARTITION: EndOfPartition, _kq.KQ_COMMITTED: Committed}


def make(consumer: AnyConsumer, batch: _kq.Batch) -> Event:
    """Called by the C part for each batch that is not of records."""
    return _BY_KIND.get(batch._kind, _BY_EVENT.get(batch._event, Event))(consumer, batch)
