"""Waits of asyncio for what libkq does in one call: the event loop watches a descriptor."""

from __future__ import annotations

import asyncio
from typing import Any

from . import _kq


async def call(name: str, handle: object, timeout: float | None, *arguments: Any) -> Any:
    """As _kq.call.  Cancelled, it leaves the call to end by itself."""
    job = _kq.start(name, handle, timeout, *arguments)
    if job is None:
        return None
    await readable(job.fileno(), None)
    return job.result()


async def readable(descriptor: int, timeout: float | None) -> bool:
    """Whether it became readable within the time."""
    loop = asyncio.get_running_loop()
    ready = loop.create_future()

    def wake() -> None:
        if not ready.done():
            ready.set_result(None)

    loop.add_reader(descriptor, wake)
    try:
        if timeout is None:
            await ready
        else:
            await asyncio.wait_for(ready, timeout)
        return True
    except asyncio.TimeoutError:
        return False
    finally:
        loop.remove_reader(descriptor)
