"""A broker in this process: kqd, whole."""

from __future__ import annotations

import logging
import os
import shutil
import tempfile
from types import TracebackType
from typing import BinaryIO, Union

from . import _exit, _kq
from ._config import Config, Value, settings
from ._errors import KqError
from ._log import Bridge

Log = Union[logging.Logger, BinaryIO, int, None]


class Broker(_kq.Broker):
    """A broker in this process, for tests and for programs that want no other one.

        with kq.Broker() as broker:
            kq.Producer(broker).send("greetings", b"hello").wait()

    `path` is its directory: kept, and found again by the next start; without one it is temporary and removed by close.  Any client may connect
    to `address`, also from other processes.  Settings have the names of Kafka's server.properties.  `log`: a logger, a file, a descriptor.
    """

    def __init__(
        self,
        path: str | os.PathLike[str] | None = None,
        *,
        config: Config | None = None,
        log: Log = None,
        **options: Value | None,
    ) -> None:
        given = settings(None, config, options)
        self._temporary: str | None = None
        self._bridge: Bridge | None = None
        if path is not None:
            given["log.dirs"] = os.fspath(path)
        elif "log.dirs" not in given:
            self._temporary = given["log.dirs"] = tempfile.mkdtemp(prefix="kq-broker-")
        try:
            super().__init__(given, self._descriptor(log))
        except BaseException:
            self._tidy()
            raise
        self._log = log
        _exit.remember(self)

    def _descriptor(self, log: Log) -> int:
        if log is None:
            return -1
        if isinstance(log, logging.Logger):
            self._bridge = Bridge(log)
            return self._bridge.descriptor
        return log if isinstance(log, int) else log.fileno()

    @property
    def address(self) -> str:
        """Its first listener, as bootstrap.servers: "127.0.0.1:41873"."""
        return _kq.broker_address(self, 0) or ""

    @property
    def addresses(self) -> list[str]:
        """All listeners."""
        result: list[str] = []
        while (address := _kq.broker_address(self, len(result))) is not None:
            result.append(address)
        return result

    @property
    def failure(self) -> KqError | None:
        """What broke inside, after which it serves nothing any more."""
        return _kq.broker_failure(self)

    def close(self) -> None:
        """Stops it; its data is left synced.  Closing twice does nothing."""
        if self.closed:
            return
        try:
            _kq.call("stop_broker", self, None)
        finally:
            self._release()
            self._tidy()

    stop = close

    def _tidy(self) -> None:
        bridge, self._bridge = self._bridge, None
        if bridge is not None:
            bridge.close()
        temporary, self._temporary = self._temporary, None
        if temporary is not None:
            shutil.rmtree(temporary, ignore_errors=True)

    def _close_at_exit(self, seconds: float) -> None:
        self.close()

    def __enter__(self) -> Broker:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        self.close()

    def __repr__(self) -> str:
        return "Broker(closed)" if self.closed else f"Broker({self.address})"
