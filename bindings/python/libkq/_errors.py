"""What can go wrong, by what to do about it."""

from __future__ import annotations

from . import _kq

__all__ = [
    "AbortableError",
    "ClosedError",
    "ConfigError",
    "FatalError",
    "ForkedError",
    "KqError",
    "RefusedError",
    "RetriableError",
    "TimedOutError",
]


class KqError(Exception):
    """Everything that libkq raises.

    `code` is Kafka's number (libkq's own are below -999) and `name` its name; `topic` and `partition` say what it is about, where it
    is about one.
    """

    code: int
    name: str
    message: str
    topic: str | None
    partition: int
    sent: int
    """Of `send_many`: how many records were sent before this."""

    def __init__(self, code: int, name: str, message: str, topic: str | None = None, partition: int = -1) -> None:
        super().__init__(message)
        self.code, self.name, self.message, self.topic, self.partition = code, name, message, topic, partition

    def __str__(self) -> str:
        return f"{self.name}: {self.message}" if self.message else self.name

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.code, self.name, self.message, self.topic, self.partition)


class RefusedError(KqError):
    """This call was wrong, or was answered with no: change it.  The object goes on."""


class RetriableError(KqError):
    """Not now: nothing was done, and the same call may go well later."""


class AbortableError(KqError):
    """The transaction cannot be committed: abort it.  The producer goes on."""


class FatalError(KqError):
    """The object is of no use any more: close it and make a new one."""


class ConfigError(RefusedError, ValueError):
    """An unknown key, or a value that is not allowed."""


class ClosedError(RefusedError):
    """The object was closed before."""


class TimedOutError(RetriableError, TimeoutError):
    """The time is over."""


class ForkedError(FatalError):
    """The object belongs to the parent process: make a new one in the child."""


_BY_VERDICT = {1: RefusedError, 2: RetriableError, 3: AbortableError, 4: FatalError}


def make(code: int, name: str, verdict: int, message: str, topic: str | None, partition: int) -> KqError:
    """Called by the C part for each kq_error."""
    kind: type[KqError] = _BY_VERDICT.get(verdict, RefusedError)
    if code == _kq.KQ_ERR_CONFIG or (code == _kq.KQ_ERR_ARGUMENT and verdict == 1):
        kind = ConfigError
    elif code == _kq.KQ_ERR_CLOSED:
        kind = ClosedError
    elif code == _kq.KQ_ERR_FORKED:
        kind = ForkedError
    elif verdict == 2 and code in (_kq.KQ_ERR_TIMED_OUT, _kq.KQ_ERR_REQUEST_TIMED_OUT):
        kind = TimedOutError
    return kind(code, name, message, topic, partition)
