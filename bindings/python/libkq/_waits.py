"""Waits of asyncio for what libkq does in one call: the event loop watches a descriptor."""

from __future__ import annotations

import asyncio
import weakref
from typing import Any

from . import _kq


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
