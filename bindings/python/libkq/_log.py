"""libkq's log lines, as records of `logging`.

Clients log to the logger "libkq", or to the one they are given (`log=`); how much is told by the logger's level when they are made.
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import re
import threading

logger = logging.getLogger("libkq")
logger.addHandler(logging.NullHandler())

LINE = re.compile(r"\[[^\]]*\] +(?P<level>[A-Z]+) +(?P<rest>.*)")
LEVELS = {"ERROR": logging.ERROR, "FATAL": logging.CRITICAL, "WARN": logging.WARNING, "INFO": logging.INFO, "DEBUG": logging.DEBUG}
_PIPE_BYTES = 1 << 20
_FLUSH_SECONDS = 1.0
_MARK = "\0"


class Bridge:
    """Lines that are written to `descriptor` go to a logger, by a thread of Python's.  Who writes never waits: where the pipe is full, as nobody
    lets Python run, lines are lost."""

    def __init__(self, to: logging.Logger) -> None:
        self._logger = to
        self._flushed = threading.Event()
        self._read, self.descriptor = os.pipe2(os.O_CLOEXEC)
        os.set_blocking(self.descriptor, False)
        with contextlib.suppress(OSError):
            fcntl.fcntl(self.descriptor, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
        self._thread = threading.Thread(target=self._forward, name="libkq log", daemon=True)
        self._thread.start()

    def _forward(self) -> None:
        with open(self._read, encoding="utf-8", errors="replace", newline="\n") as lines:
            for line in lines:
                if line.startswith(_MARK):
                    self._flushed.set()
                    continue
                found = LINE.match(line)
                level = LEVELS.get(found["level"], logging.INFO) if found else logging.INFO
                self._logger.log(level, "%s", found["rest"] if found else line.rstrip("\n"))

    def flush(self) -> None:
        """Waits until what was written so far has been logged."""
        self._flushed.clear()
        with contextlib.suppress(OSError):
            os.write(self.descriptor, f"{_MARK}\n".encode())
            self._flushed.wait(_FLUSH_SECONDS)

    def close(self) -> None:
        os.close(self.descriptor)
        self._thread.join(_FLUSH_SECONDS)


_bridges: dict[logging.Logger, Bridge] = {}
_lock = threading.Lock()


def _forget() -> None:
    """In a forked child there is no thread behind them."""
    global _lock
    _lock = threading.Lock()
    _bridges.clear()


os.register_at_fork(after_in_child=_forget)


def descriptor(to: logging.Logger) -> int:
    """Of a pipe that the clients of this process share, for as long as it lives."""
    with _lock:
        bridge = _bridges.get(to)
        if bridge is None:
            bridge = _bridges[to] = Bridge(to)
        return bridge.descriptor


def level(of: logging.Logger) -> str:
    """log.level, for a logger."""
    wanted = of.getEffectiveLevel()
    return "debug" if wanted <= logging.DEBUG else "info" if wanted <= logging.INFO else "warning" if wanted <= logging.WARNING else "error"


def flush() -> None:
    for bridge in list(_bridges.values()):
        bridge.flush()
