"""Programs that end without close: what is open is closed then, within a bounded time."""

from __future__ import annotations

import atexit
import os
import weakref
from typing import Protocol

from . import _log

EXIT_SECONDS = 5.0


class Closable(Protocol):
    def _close_at_exit(self, seconds: float) -> None: ...


_open: weakref.WeakSet[Closable] = weakref.WeakSet()
_process = os.getpid()


def remember(handle: Closable) -> None:
    global _process
    if _process != os.getpid():  # a forked child: the parent's are not ours to close
        _open.clear()
        _process = os.getpid()
    _open.add(handle)


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
