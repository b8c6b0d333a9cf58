"""Programs that end without close: what is open is closed then, within a bounded time."""

from __future__ import annotations

import atexit
import os
import warnings
import weakref
from typing import Protocol

from . import _log
from ._errors import KqError

EXIT_SECONDS = 5.0
LEFTOVER_SECONDS = 1.0


class Closable(Protocol):
    def _close_at_exit(self, seconds: float) -> None: ...


class Leftover(Closable, Protocol):
    @property
    def closed(self) -> bool: ...


_open: weakref.WeakSet[Closable] = weakref.WeakSet()
_process = os.getpid()


def remember(handle: Closable) -> None:
    global _process
    if _process != os.getpid():  # a forked child: the parent's are not ours to close
        _open.clear()
        _process = os.getpid()
    _open.add(handle)


def drop(handle: Leftover) -> None:
    """For __del__: one that nobody has closed is closed, and told of, when nobody has it any more."""
    try:
        if not handle.closed:
            warnings.warn(f"unclosed {type(handle).__name__}: use `with`, or call close()", ResourceWarning, source=handle)
            handle._close_at_exit(LEFTOVER_SECONDS)
    except (AttributeError, KqError):
        pass


def _close_all() -> None:
    if _process != os.getpid():
        return
    # Brokers last: the others may need them to close well.
    for handle in sorted(_open, key=lambda each: type(each).__name__ == "Broker"):
        try:
            handle._close_at_exit(EXIT_SECONDS)
        except Exception as error:
            _log.logger.warning("closing at exit: %s", error)
    _log.flush()


atexit.register(_close_all)
