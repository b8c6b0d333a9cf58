"""Waits of asyncio for what libkq does in one call: the event loop watches a descriptor."""

from __future__ import annotations

import asyncio
import time
import weakref
from typing import Any, Protocol

from . import _kq
from ._events import Event


class Receiver(Protocol):
    def fileno(self) -> int: ...

    def _receive(self, timeout: float | None, /) -> _kq.Batch | Event | None: ...


async def received(receiver: Receiver, timeout: float | None) -> _kq.Batch | Event | None:
    """What it gives, or None where there was nothing within the time."""
    deadline = None if timeout is None else time.monotonic() + timeout
    while (got := receiver._receive(0)) is None:
        left = None if deadline is None else deadline - time.monotonic()
        if left is not None and left <= 0:
            return None
        await readable(receiver.fileno(), left)
    return got


async def call(name: str, handle: object, timeout: float | None, *arguments: Any) -> Any:
    """As _kq.call.  Cancelled, it leaves the call to end by itself."""
    job = _kq.start(name, handle, timeout, *arguments)
    if job is None:
        return None
    await readable(job.fileno(), None)
    return job.result()


_Waiting = list["asyncio.Future[None]"]
_waiting: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, dict[int, _Waiting]] = weakref.WeakKeyDictionary()


def _wake(waiting: _Waiting) -> None:
    for each in waiting:
        if not each.done():
            each.set_result(None)


async def readable(descriptor: int, timeout: float | None) -> bool:
    """Whether it became readable within the time.  Several tasks may wait for the same one."""
    loop = asyncio.get_running_loop()
    ready: asyncio.Future[None] = loop.create_future()
    all_waiting = _waiting.setdefault(loop, {})
    waiting = all_waiting.setdefault(descriptor, [])
    if not waiting:
        loop.add_reader(descriptor, _wake, waiting)
    waiting.append(ready)
    try:
        if timeout is None:
            await ready
        else:
            await asyncio.wait_for(ready, timeout)
        return True
    except asyncio.TimeoutError:
        return False
    finally:
        waiting.remove(ready)
        if not waiting:
            del all_waiting[descriptor]
            loop.remove_reader(descriptor)
