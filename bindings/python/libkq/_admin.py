"""Administration, waiting and for asyncio."""

from __future__ import annotations

import logging
from types import TracebackType
from typing import Any

from . import _exit, _kq, _waits
from ._config import Config, Servers, Value, logged, settings
from ._operations import ROWS, AsyncOperations, Operations
from ._rows import Row, request, rows


class AnyAdmin(_kq.Admin):
    def __init__(
        self, servers: Servers = None, *, config: Config | None = None, log: logging.Logger | None = None, **options: Value | None
    ) -> None:
        super().__init__(logged(settings(servers, config, options), log))
        _exit.remember(self)

    def close(self) -> None:
        """Closing twice does nothing."""
        self._release()

    def _close_at_exit(self, seconds: float) -> None:
        self._release()


class Admin(AnyAdmin, Operations):
    """Administration of a cluster: a method for each of `kq.operations()`.

        with kq.Admin("localhost:9092") as admin:
            admin.create_topics("orders", partitions=4, config={"retention.ms": 3600_000})
            admin.create_topics({"topic": "a", "partitions": 1}, {"topic": "b", "partitions": 8})
            for topic in admin.describe_topics("orders"):
                print(topic.topic, [partition.leader for partition in topic.partitions])

    Positional arguments are the items: a string (or tuple) gives the first parameter (the first ones), a dict any of them; named arguments
    hold for all items.  The answer is a list of rows.  The first row that failed is raised, unless check=False: then each row's `error` tells.
    """

    def run(self, operation: str, /, *items: Any, timeout: float | None = None, check: bool = True, **named: Any) -> list[Any]:
        """Runs an operation by its name."""
        return rows(ROWS.get(operation, Row), _kq.call("admin", self, timeout, operation, request(operation, items, named)), check)

    def __enter__(self) -> Admin:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        self.close()


class AsyncAdmin(AnyAdmin, AsyncOperations):
    """The same for asyncio: `await admin.create_topics("orders", partitions=4)`."""

    async def run(self, operation: str, /, *items: Any, timeout: float | None = None, check: bool = True, **named: Any) -> list[Any]:
        """Runs an operation by its name."""
        return rows(ROWS.get(operation, Row), await _waits.call("admin", self, timeout, operation, request(operation, items, named)), check)

    async def __aenter__(self) -> AsyncAdmin:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        self.close()
